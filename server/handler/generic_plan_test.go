package handler_test

import (
	"fmt"
	"strings"
	"testing"
)

// A prepared query, executed again and again with other values, has the rows of the query
// with the values in it, whatever became of the catalog and the session in between.
func TestGenericPlansEqualCustomPlans(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (id int PRIMARY KEY, k text, n bigint, at timestamptz)`,
		`INSERT INTO t SELECT i, 'k' || i % 7, CASE WHEN i % 5 > 0 THEN i % 5 END, '2026-01-01 00:00:00Z'::timestamptz + i * interval '1 hour' FROM generate_series(1, 60) i`,
		`CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS n, sum(n) AS s FROM t GROUP BY k`, `CREATE INDEX ON sums (n)`, `FLUSH`)
	queries := []struct{ types, sql string }{
		{"text", `SELECT * FROM sums WHERE k = $1`},
		{"text", `SELECT count(*) FROM sums WHERE k = $1`},
		{"text", `SELECT id FROM t WHERE $1 IS NULL OR k = $1 ORDER BY id`},
		{"text", `SELECT id, $1 FROM t WHERE k LIKE $1 || '%' ORDER BY id`},
		{"text", `SELECT k FROM sums WHERE k > $1 ORDER BY k LIMIT 2`},
		{"int", `SELECT id FROM t WHERE id = $1 + 1`},
		{"int", `SELECT k FROM sums WHERE n BETWEEN $1 AND $1 + 1 ORDER BY k`},
		{"int", `SELECT id FROM t WHERE id IN ($1, $1 * 2, 3) ORDER BY id`},
		{"int", `SELECT id FROM t WHERE id = ANY (ARRAY[$1, 5]) ORDER BY id`},
		{"int", `SELECT k, count(*) FROM t WHERE n <> $1 GROUP BY k HAVING count(*) > $1 ORDER BY k`},
		{"int", `SELECT id FROM t WHERE CASE WHEN $1 = 0 THEN false ELSE 10 / $1 > n END ORDER BY id`},
		{"int", `SELECT sum(n + $1) FROM t`},
		{"int", `SELECT id FROM t ORDER BY id LIMIT $1`},
		{"int", `SELECT a.id FROM t a JOIN t b ON a.id = b.n WHERE b.id = $1`},
		{"int", `SELECT id FROM t WHERE n = (SELECT max(n) FROM t WHERE n < $1) ORDER BY id`},
		{"int", `SELECT id FROM t WHERE id = $1 AND at < '2026-01-02 01:00:00' AND extract(hour FROM at) > 1`},
		{"timestamptz", `SELECT id FROM t WHERE at > $1 AND at < '2026-01-02' ORDER BY id`},
	}
	values := map[string][]string{"text": {"'k1'", "NULL", "'k6'", "''"}, "int": {"0", "2", "NULL", "8"},
		"timestamptz": {"'2026-01-01 12:00:00Z'", "NULL", "'2026-01-01 03:00:00+02'"}}
	for i, q := range queries {
		c.exec(fmt.Sprintf(`PREPARE q%d (%s) AS %s`, i, q.types, q.sql))
	}
	check := func(when string) {
		t.Helper()
		for range 2 {
			for i, q := range queries {
				for _, v := range values[q.types] {
					literal := fmt.Sprintf("CAST(%s AS %s)", v, q.types)
					want, wantErr := c.rows(strings.ReplaceAll(q.sql, "$1", literal))
					got, err := c.rows(fmt.Sprintf(`EXECUTE q%d (%s)`, i, v))
					if describe(err) != describe(wantErr) || strings.Join(got, "\n") != strings.Join(want, "\n") {
						t.Errorf("%s, %s with %s: %q, %v; not prepared: %q, %v", when, q.sql, v, got, err, want, wantErr)
					}
				}
			}
		}
	}
	check("at first")
	c.exec(`INSERT INTO t VALUES (100, 'k1', 3, '2026-01-01 05:00:00Z')`, `DELETE FROM t WHERE id = 2`, `FLUSH`)
	check("with other rows")
	c.exec(`SET TIME ZONE 'Asia/Tokyo'`)
	check("in another zone")
	c.exec(`CREATE INDEX ON t (k)`, `CREATE INDEX ON t (n)`)
	check("with more indexes")
	c.exec(`BEGIN`, `ALTER TABLE t ALTER COLUMN id SET DEFAULT 7`, `INSERT INTO t VALUES (200, 'k1', 8, NULL)`)
	check("in a transaction that changes the table")
	c.exec(`ROLLBACK`)
	check("after it")
	c.exec(`DROP MATERIALIZED VIEW sums`)
	c.fails("42P01", `EXECUTE q0 ('k1')`)
	c.exec(`CREATE MATERIALIZED VIEW sums AS SELECT k, min(n) AS n, max(n) AS s FROM t GROUP BY k`, `FLUSH`)
	c.fails("0A000", `EXECUTE q0 ('k1')`) // the result's type would be another
	c.expect(`EXECUTE q1 ('k1')`, c.query(`SELECT count(*) FROM sums WHERE k = 'k1'`)...)
}
