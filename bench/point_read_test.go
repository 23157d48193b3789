package bench

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/server"
)

const (
	pointReadKeys  = 200_000
	pointReadEvery = time.Second / 1000
	pointReadsEach = 5000            // of an iteration: what the percentiles are over
	pointReadFill  = 2 * time.Second // how long the view fills before the reads
)

// BenchmarkPointReads reads single rows of a materialized view by its key, 5,000
// of them at 1,000 a second over the wire, while the view's job runs at a steady pace, and
// as fast as it can. The latency of a read counts from when it was due; service
// is the read alone.
func BenchmarkPointReads(b *testing.B) {
	b.Run("paced", func(b *testing.B) { pointReads(b, ", rows_per_second = '20000'") })
	b.Run("full", func(b *testing.B) { pointReads(b, "") })
}

func pointReads(b *testing.B, pace string) {
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	s, err := server.Start(ctx, server.Options{Listen: "127.0.0.1:0", Data: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Shutdown(context.WithoutCancel(ctx))
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://millrace@%s/millrace", s.Addr()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `CREATE SOURCE bid WITH (connector = 'nexmark', stream = 'bid'`+pace+`)`)
	if err != nil {
		b.Fatal(err)
	}
	_, err = conn.Exec(ctx, fmt.Sprintf(`CREATE MATERIALIZED VIEW totals AS SELECT auction %% %d AS k, count(*) AS n, sum(price) AS s FROM bid GROUP BY auction %% %d`, pointReadKeys, pointReadKeys))
	if err != nil {
		b.Fatal(err)
	}
	time.Sleep(pointReadFill)
	read := func(i int) {
		var n int64
		err := conn.QueryRow(ctx, `SELECT count(*) FROM totals WHERE k = $1`, int64(i%pointReadKeys)).Scan(&n)
		if err != nil {
			b.Fatal(err)
		}
	}
	read(0) // makes the index
	reads := b.N * pointReadsEach
	took, service := make([]time.Duration, 0, reads), make([]time.Duration, 0, reads)
	b.ResetTimer()
	for i, due := 0, time.Now(); i < reads; i, due = i+1, due.Add(pointReadEvery) {
		time.Sleep(time.Until(due))
		start := time.Now()
		read(i * 7919)
		took, service = append(took, time.Since(due)), append(service, time.Since(start))
	}
	b.StopTimer()
	for name, list := range map[string][]time.Duration{"": took, "-service": service} {
		slices.Sort(list)
		for _, p := range []int{50, 99} {
			b.ReportMetric(float64(list[(len(list)-1)*p/100].Microseconds()), fmt.Sprintf("p%d%s-µs", p, name))
		}
	}
}
