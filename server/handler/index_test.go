package handler_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// plan is EXPLAIN of a query.
func (c *client) plan(query string) string {
	return strings.Join(c.query(`EXPLAIN `+query), "\n")
}

func TestPointReadsEqualScans(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	c := start(t, "")
	c.exec(`CREATE TABLE t (id int PRIMARY KEY, k text, n bigint)`,
		`CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS n, sum(n) AS s FROM t GROUP BY k`,
		`CREATE MATERIALIZED VIEW copies AS SELECT k, n FROM t`,
		`CREATE INDEX ON sums (n)`, `CREATE INDEX copies_i ON copies (k, n)`)
	for _, q := range []string{`SELECT * FROM sums WHERE k = 'k1'`, `SELECT s FROM sums WHERE s > 3 AND 'k1' = k`} {
		contains(t, c.plan(q), "index: key of sums")
	}
	contains(t, c.plan(`SELECT k FROM sums WHERE n = 2`), "index: sums_n_idx")
	contains(t, c.plan(`SELECT k FROM copies WHERE n = 2 AND k = 'k1'`), "index: copies_i")
	for _, q := range []string{`SELECT * FROM sums WHERE k > 'k1'`, `SELECT * FROM sums WHERE k = 'k1' OR n = 1`, `SELECT k FROM copies WHERE n = 2`} {
		if p := c.plan(q); strings.Contains(p, "index:") {
			t.Errorf("%s uses an index:\n%s", q, p)
		}
	}
	check := func() {
		t.Helper()
		for i := range 6 {
			for _, q := range [][2]string{ // with an index, and without
				{`SELECT * FROM sums WHERE k = 'k%d'`, `SELECT * FROM sums WHERE k || '' = 'k%d'`},
				{`SELECT * FROM sums WHERE n = %d ORDER BY k`, `SELECT * FROM sums WHERE n + 0 = %d ORDER BY k`},
				{`SELECT n, k FROM copies WHERE k = 'k1' AND n = %d`, `SELECT n, k FROM copies WHERE k || '' = 'k1' AND n + 0 = %d`},
			} {
				got, want := c.query(fmt.Sprintf(q[0], i)), c.query(fmt.Sprintf(q[1], i))
				if strings.Join(got, "\n") != strings.Join(want, "\n") {
					t.Fatalf("%s, i = %d: %q, a scan has %q", q[0], i, got, want)
				}
			}
		}
	}
	for round := range 25 {
		for range 4 {
			id := rng.IntN(20)
			if rng.IntN(3) == 0 {
				c.exec(fmt.Sprintf(`DELETE FROM t WHERE id = %d`, id))
				continue
			}
			c.exec(fmt.Sprintf(`INSERT INTO t VALUES (%d, 'k%d', %d) ON CONFLICT (id) DO UPDATE SET k = excluded.k, n = excluded.n`, id, rng.IntN(6), rng.IntN(4)))
		}
		c.exec(`FLUSH`) // else the two statements might see two epochs
		if round == 12 {
			c.restart()
			contains(t, c.plan(`SELECT k FROM sums WHERE n = 2`), "index: sums_n_idx")
		}
		check()
	}
}

func TestIndexesInTheCatalog(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (id int PRIMARY KEY, k text, a int[])`, `CREATE MATERIALIZED VIEW m AS SELECT * FROM t`,
		`CREATE INDEX i ON m (k)`, `CREATE INDEX ON m (k)`, `CREATE INDEX ON m (k)`, `CREATE INDEX IF NOT EXISTS i ON m (id)`)
	contains(t, c.noticed(), `"i" already exists`)
	c.expect(`SELECT indexname FROM pg_indexes WHERE tablename = 'm' ORDER BY 1`, "i", "m_k_idx", "m_k_idx1")
	c.fails("42P07", `CREATE INDEX i ON m (id)`)
	c.fails("42P01", `CREATE INDEX ON nope (id)`)
	c.fails("42703", `CREATE INDEX ON m (nope)`)
	c.fails("42701", `CREATE INDEX ON m (k, k)`)
	for _, q := range []string{`CREATE INDEX ON t (k)`, `CREATE UNIQUE INDEX ON m (k)`, `CREATE INDEX ON m (upper(k))`, `CREATE INDEX ON m (a)`,
		`CREATE INDEX ON m USING gin (k)`, `CREATE INDEX ON m (k) INCLUDE (id)`, `CREATE INDEX ON m (k) WHERE id > 1`} {
		c.fails("0A000", q)
	}
	c.exec(`DROP INDEX m_k_idx1`)
	contains(t, c.fails("42809", `DROP MATERIALIZED VIEW i`).Message, "is not a materialized view")
	c.restart()
	c.expect(`SELECT indexname FROM pg_indexes WHERE tablename = 'm' ORDER BY 1`, "i", "m_k_idx")
	c.exec(`DROP MATERIALIZED VIEW m`)
	c.expect(`SELECT count(*) FROM pg_indexes WHERE tablename = 'm'`, "0")
}
