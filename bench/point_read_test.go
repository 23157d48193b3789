package bench

import (
	"context"
	"flag"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/internal/background"
	"github.com/millrace/millrace/server"
)

const (
	pointReadKeys  = 200_000
	pointReadEvery = time.Second / 1000
	pointReadFill  = 2 * time.Second // how long the view fills before the reads
)

// readsFlag is 12 s of reads unless given: longer than from one checkpoint to the next.
var readsFlag = flag.Int("reads", 12_000, "how many `reads` a measurement of point reads is over")

// BenchmarkPointReads reads single rows of a materialized view by an index, at 1,000 a
// second, while the view's job runs at a steady pace, as fast as it can, and beside nine
// others that do. The client is a process of its own. Latency counts from when a read was due, service
// from when it was sent. floor is what an echo takes, on the same machine and beside the
// same job, rate what the job did meanwhile.
func BenchmarkPointReads(b *testing.B) {
	b.Run("paced", func(b *testing.B) { pointReads(b, ", rows_per_second = '20000'", 1) })
	b.Run("full", func(b *testing.B) { pointReads(b, "", 1) })
	b.Run("ten-jobs", func(b *testing.B) { pointReads(b, "", 10) })
}

func pointReads(b *testing.B, pace string, jobs int) {
	s := startBusy(b, pace, jobs)
	b.ResetTimer()
	for range b.N {
		s.measure(b, func() {
			client{Kind: "read", Addr: s.addr, Requests: *readsFlag, Every: pointReadEvery}.run(b).report(b, "")
		})
		floor(b, *readsFlag/4, pointReadEvery).report(b, "floor-")
	}
}

// BenchmarkControl asks what people and their tools ask of a server whose job runs as
// fast as it can, alone and beside nine others: SHOW JOBS, \d, and whether it is well.
func BenchmarkControl(b *testing.B) {
	for _, jobs := range []int{1, 10} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			s := startBusy(b, "", jobs)
			for range b.N {
				for kind, addr := range map[string]string{"jobs": s.addr, "describe": s.addr, "health": s.http} {
					client{Kind: kind, Addr: addr, Requests: 200, Every: 10 * time.Millisecond}.run(b).report(b, kind+"-")
				}
			}
		})
	}
}

// busy is a server whose jobs have much to do.
type busy struct {
	addr, http string
	conn       *pgx.Conn
}

// startBusy makes a view of pointReadKeys rows, and as many jobs over the same
// source as to have that many in all.
func startBusy(b *testing.B, pace string, jobs int) *busy {
	ctx := b.Context()
	s := &busy{http: freeAddr(b)}
	srv, err := server.Start(ctx, server.Options{Listen: "127.0.0.1:0", HTTP: s.http, Data: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { srv.Shutdown(context.Background()) })
	background.Reserve() // go test has set it to the number of processors
	s.addr = srv.Addr().String()
	if s.conn, err = pgx.Connect(ctx, fmt.Sprintf("postgres://millrace@%s/millrace", s.addr)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.conn.Close(context.Background()) })
	s.do(b, `CREATE SOURCE bid WITH (connector = 'nexmark', stream = 'bid'`+pace+`)`)
	s.do(b, fmt.Sprintf(`CREATE MATERIALIZED VIEW totals AS SELECT auction %% %d AS k, count(*) AS n, sum(price) AS s FROM bid GROUP BY auction %% %[1]d`, pointReadKeys))
	for i := 1; i < jobs; i++ {
		s.do(b, fmt.Sprintf(`CREATE MATERIALIZED VIEW other%d AS SELECT bidder %% %d AS k, count(*) AS n FROM bid GROUP BY bidder %% %[2]d`, i, pointReadKeys+i))
	}
	time.Sleep(pointReadFill)
	return s
}

func (s *busy) do(b *testing.B, sql string) {
	if _, err := s.conn.Exec(b.Context(), sql); err != nil {
		b.Fatal(err)
	}
}

// rows is how many rows the view has taken in.
func (s *busy) rows(b *testing.B) (n int64) {
	if err := s.conn.QueryRow(b.Context(), `SELECT coalesce(sum(n), 0)::bigint FROM totals`).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// measure reports how many rows the job took in during f, per second and per second
// of processor time.
func (s *busy) measure(b *testing.B, f func()) {
	before, used, start := s.rows(b), cpuTime(), time.Now()
	f()
	rows, cpu, took := s.rows(b)-before, cpuTime()-used, time.Since(start)
	b.ReportMetric(float64(rows)/took.Seconds()/1e6, "Mrows/s")
	b.ReportMetric(float64(rows)/cpu.Seconds()/1e6, "Mrows/cpu-s")
}

// freeAddr is an address that nobody listens on.
func freeAddr(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
