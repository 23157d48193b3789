package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/server"
)

const indexRows = 1_000_000

// startIndexed is a server with a view of a million rows with indexes, all of whose
// input has come.
func startIndexed(b *testing.B) (ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	b.Cleanup(cancel)
	s, err := server.Start(ctx, server.Options{Listen: "127.0.0.1:0", Data: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Shutdown(context.WithoutCancel(ctx)) })
	if conn, err = pgx.Connect(ctx, fmt.Sprintf("postgres://millrace@%s/millrace", s.Addr())); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close(context.WithoutCancel(ctx)) })
	return ctx, conn
}

// BenchmarkIndexReads reads a view of a million rows over the wire by an index, and the
// same rows without it: one row by its key, a hundred in a range of another column, the
// first ten in its order, those that a hundred rows are joined with, and whether there
// are any for ten rows.
func BenchmarkIndexReads(b *testing.B) {
	ctx, conn := startIndexed(b)
	for _, q := range []string{
		fmt.Sprintf(`CREATE SOURCE numbers (i bigint) WITH (connector = 'datagen', rows = '%d', "fields.i.kind" = 'sequence')`, indexRows),
		`CREATE MATERIALIZED VIEW rows AS SELECT i AS k, i * 7919 % 1000003 AS n, count(*) AS c FROM numbers GROUP BY i`,
		`CREATE INDEX ON rows (n)`,
	} {
		if _, err := conn.Exec(ctx, q); err != nil {
			b.Fatal(err)
		}
	}
	for n := 0; n < indexRows; time.Sleep(50 * time.Millisecond) {
		if err := conn.QueryRow(ctx, `SELECT count(*) FROM rows`).Scan(&n); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct{ name, index, scan string }{
		{"point", `SELECT k, n FROM rows WHERE k = $1`, `SELECT k, n FROM rows WHERE k + 0 = $1`},
		{"range", `SELECT k, n FROM rows WHERE n BETWEEN $1 AND $1 + 99`, `SELECT k, n FROM rows WHERE n + 0 BETWEEN $1 AND $1 + 99`},
		{"order", `SELECT k, n FROM rows WHERE n > $1 ORDER BY n LIMIT 10`, `SELECT k, n FROM rows WHERE n + 0 > $1 ORDER BY n + 0 LIMIT 10`},
		{"join", `SELECT k, n FROM generate_series($1::bigint, $1 + 99) AS s (i) JOIN rows ON k = i`, `SELECT k, n FROM generate_series($1::bigint, $1 + 99) AS s (i) JOIN rows ON k + 0 = i`},
		{"exists", `SELECT i FROM generate_series($1::bigint, $1 + 9) AS s (i) WHERE EXISTS (SELECT FROM rows WHERE k = i)`, `SELECT i FROM generate_series($1::bigint, $1 + 9) AS s (i) WHERE EXISTS (SELECT FROM rows WHERE k + 0 = i)`},
	} {
		for _, by := range [][2]string{{"index", c.index}, {"scan", c.scan}} {
			read := func(i int) {
				rows, err := conn.Query(ctx, by[1], int64(i*7919%900_000))
				if err != nil {
					b.Fatal(err)
				}
				rows.Close()
				if err := rows.Err(); err != nil {
					b.Fatal(err)
				}
				if n := rows.CommandTag().RowsAffected(); n == 0 {
					b.Fatalf("%s finds nothing for %d", by[1], i*7919%900_000)
				}
			}
			b.Run(c.name+"/"+by[0], func(b *testing.B) {
				read(0) // makes the index
				b.ResetTimer()
				for i := range b.N {
					read(i + 1)
				}
			})
		}
	}
}

// BenchmarkIndexUpkeep is how fast a job goes that changes all of its view's 200,000
// rows in each epoch, while somebody reads the view now and then: not at all, without an
// index, by one, and by two. Nothing else costs an index more.
func BenchmarkIndexUpkeep(b *testing.B) {
	for _, c := range []struct {
		name  string
		reads []string
	}{
		{"none", nil},
		{"scan", []string{`SELECT count(*) FROM totals WHERE s + 0 < 100`}},
		{"one", []string{`SELECT count(*) FROM totals WHERE s < 100`}},
		{"two", []string{`SELECT count(*) FROM totals WHERE s < 100`, `SELECT count(*) FROM totals WHERE n = 1 AND s = 100`}},
	} {
		b.Run(c.name, func(b *testing.B) { indexUpkeep(b, c.reads) })
	}
}

func indexUpkeep(b *testing.B, reads []string) {
	ctx, conn := startIndexed(b)
	for _, q := range []string{
		`CREATE SOURCE bid WITH (connector = 'nexmark', stream = 'bid')`,
		`CREATE MATERIALIZED VIEW totals AS SELECT auction % 200000 AS k, count(*) AS n, sum(price) AS s FROM bid GROUP BY auction % 200000`,
		`CREATE INDEX ON totals (s)`, `CREATE INDEX ON totals (n, s)`,
	} {
		if _, err := conn.Exec(ctx, q); err != nil {
			b.Fatal(err)
		}
	}
	rows := func() (n int64) {
		if err := conn.QueryRow(ctx, `SELECT sum(n)::bigint FROM totals`).Scan(&n); err != nil {
			b.Fatal(err)
		}
		return n
	}
	time.Sleep(pointReadFill)
	b.ResetTimer()
	for range b.N {
		from, start, used := rows(), time.Now(), cpuTime()
		for time.Since(start) < 4*time.Second {
			for _, q := range reads {
				if _, err := conn.Exec(ctx, q); err != nil {
					b.Fatal(err)
				}
			}
			time.Sleep(250 * time.Millisecond)
		}
		took, cpu, n := time.Since(start), cpuTime()-used, rows()-from
		b.ReportMetric(float64(n)/took.Seconds(), "rows/s")
		b.ReportMetric(float64(n)/cpu.Seconds(), "rows/cpu-s")
	}
}
