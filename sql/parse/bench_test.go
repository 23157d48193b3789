package parse

import "testing"

// BenchmarkStatements measures lexing, rewriting, TiDB's parse and decoding.
func BenchmarkStatements(b *testing.B) {
	for name, sql := range map[string]string{
		"point": `SELECT * FROM mv WHERE id = $1`,
		"window": `SELECT auction, window_start, count(*) AS bids, sum(price) FILTER (WHERE price > 100) AS total
			FROM TUMBLE(bid, ts, INTERVAL '10' SECOND) WHERE channel <> 'x' GROUP BY auction, window_start HAVING count(*) > 1`,
		"join": `SELECT a.id, b.price::numeric(10,2) FROM auction a LEFT JOIN bid b ON a.id = b.auction AND b.ts BETWEEN a.ts AND a.expires
			WHERE a.category = 10 ORDER BY b.price DESC LIMIT 10`,
		"insert": `INSERT INTO t (a, b, c) VALUES (1, 'x', 2.5), (2, 'y', 3.5)`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Statements(sql); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
