package handler_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/millrace/millrace/test/random"
)

// plan is EXPLAIN of a query.
func (c *client) plan(query string) string {
	return strings.Join(c.query(`EXPLAIN `+query), "\n")
}

func TestPointReadsEqualScans(t *testing.T) {
	seed := random.Seed(t)
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
	for _, q := range [][2]string{
		{`SELECT * FROM sums WHERE k > 'k1' AND k <= 'k3'`, "index: key of sums, k above and k to"},
		{`SELECT * FROM sums WHERE k LIKE 'k1%'`, "index: key of sums, k from its start"},
		{`SELECT * FROM copies WHERE k IN ('k1', 'k2') AND 2 < n`, "index: copies_i, 2 keys with n above"},
		{`SELECT n FROM copies WHERE k = 'k1' ORDER BY n DESC LIMIT 3`, "index: copies_i, in reverse order, 3 rows"},
		{`SELECT n FROM copies WHERE k = 'k1' AND n % 2 = 0 ORDER BY n LIMIT 3`, "index: copies_i, in its order"},
		{`SELECT k FROM copies ORDER BY k, n LIMIT 3 OFFSET 2`, "index: copies_i, in its order, 5 rows"},
		{`SELECT k FROM sums ORDER BY n DESC LIMIT 3`, "index: sums_n_idx, in reverse order, 3 rows"},
	} {
		contains(t, c.plan(q[0]), q[1])
	}
	for _, q := range []string{`SELECT * FROM sums WHERE k = 'k1' OR n = 1`, `SELECT k FROM copies WHERE n = 2`, `SELECT k FROM sums WHERE k <> 'k1'`,
		`SELECT k FROM sums ORDER BY n`, `SELECT k FROM sums ORDER BY n NULLS FIRST LIMIT 1`, `SELECT k FROM copies ORDER BY k, n DESC LIMIT 3`,
		`SELECT k FROM sums WHERE s > 3 ORDER BY n LIMIT 3`, `SELECT k FROM sums ORDER BY n FETCH FIRST 2 ROWS WITH TIES`, `SELECT k FROM sums ORDER BY n + 1 LIMIT 1`} {
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
				{`SELECT n, k FROM copies WHERE k >= 'k%d' ORDER BY n, k`, `SELECT n, k FROM copies WHERE k || '' >= 'k%d' ORDER BY n, k`},
				{`SELECT k FROM sums WHERE n < %d ORDER BY n, k`, `SELECT k FROM sums WHERE n + 0 < %d ORDER BY n, k`},
				{`SELECT k, n FROM copies ORDER BY k, n LIMIT 1 + %d`, `SELECT k, n FROM copies ORDER BY k || '', n LIMIT 1 + %d`},
				{`SELECT n FROM copies WHERE k > 'k1' AND k < 'k4' AND n <> %d ORDER BY k DESC, n DESC LIMIT 5`,
					`SELECT n FROM copies WHERE k || '' > 'k1' AND k < 'k4' AND n <> %d ORDER BY k || '' DESC, n DESC LIMIT 5`},
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

// TestPointReadsOfTablesEqualScans reads own tables by key and by index, in and
// out of transactions, while rows come and go.
func TestPointReadsOfTablesEqualScans(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	c := start(t, "")
	c.exec(`CREATE TABLE t (a int, b bigint, k varchar(10), n numeric, x double precision, PRIMARY KEY (a, b))`, `CREATE INDEX ON t (k, n)`, `CREATE INDEX ON t (x)`)
	for _, q := range [][2]string{
		{`SELECT * FROM t WHERE b = 1 AND a = 2`, "index: t_pkey"},
		{`SELECT * FROM t WHERE a = 2 AND k > 'k'`, "index: t_pkey"},
		{`SELECT * FROM t WHERE k = 'k1' AND a = 2`, "index: t_pkey"},
		{`SELECT * FROM t WHERE k = 'k1' AND n = 2`, "index: t_k_n_idx"},
		{`SELECT * FROM t WHERE k = 'k1' AND n IN (1, 2) AND a = 1`, "index: t_k_n_idx, 2 keys"},
		{`SELECT * FROM t WHERE a = 1 AND b IN (2, 3)`, "index: t_pkey, 2 keys"},
		{`SELECT * FROM t WHERE (a, b) IN ((1, 2), (2, 3), (3, 3))`, "index: t_pkey, 3 keys"},
		{`SELECT * FROM t WHERE a = ANY (ARRAY[1, 2]) AND b = 1`, "index: t_pkey, 2 keys"},
		{`SELECT * FROM t WHERE a = 1 OR a = 2 AND b = 3`, "index: t_pkey, 2 keys"},
		{`SELECT * FROM t WHERE x = 1.5`, "index: t_x_idx"},
		{`SELECT * FROM t WHERE a = 2 AND b BETWEEN 1 AND 3`, "index: t_pkey, b from and b to"},
		{`SELECT * FROM t WHERE x > 1.5 ORDER BY x LIMIT 2`, "index: t_x_idx, x above, in its order, 2 rows"},
		{`UPDATE t SET n = 3 WHERE a > 2`, "index: t_pkey, a above"},
		{`DELETE FROM t WHERE k < 'a'`, "index: t_k_n_idx, k below"},
		{`UPDATE t SET n = 3 WHERE a = 1 AND b = 2`, "index: t_pkey"},
		{`DELETE FROM t WHERE k = 'k1' RETURNING a`, "index: t_k_n_idx"},
	} {
		contains(t, c.plan(q[0]), q[1])
	}
	for _, q := range []string{`SELECT * FROM t WHERE b = 1`, `SELECT * FROM t WHERE a = 1 OR k = 'k1'`, `SELECT * FROM t WHERE a IN (b, 1)`, `SELECT * FROM t WHERE a <> 1`} {
		if p := c.plan(q); strings.Contains(p, "index:") {
			t.Errorf("%s uses an index:\n%s", q, p)
		}
	}
	check := func() {
		t.Helper()
		for i := range 4 {
			for _, q := range [][2]string{ // with an index, and without
				{`a = %d AND b = 1`, `a + 0 = %d AND b + 0 = 1`},
				{`a = %d`, `a + 0 = %d`},
				{`a = 1 AND b IN (%d, 2, 3)`, `a + 0 = 1 AND b + 0 IN (%d, 2, 3)`},
				{`a IN (2, %d, 2) AND b = 2 AND n > 1`, `a + 0 IN (2, %d, 2) AND b + 0 = 2 AND n > 1`},
				{`k = 'k%d'`, `k || '' = 'k%d'`},
				{`k = 'k1' AND n = %d.0`, `k || '' = 'k1' AND n + 0 = %d`},
				{`x = -0.0 AND a < %d`, `x + 0 = 0 AND a < %d`},
				{`a = 1 AND b > %d`, `a + 0 = 1 AND b + 0 > %d`},
				{`x >= -%d`, `x + 0 >= -%d`},
				{`k IN ('k1', 'k2') AND n < %d.5`, `k || '' IN ('k1', 'k2') AND n + 0 < %d.5`},
				{`k LIKE 'k%d%%'`, `k || '' LIKE 'k%d%%'`},
				{`k = 'k1' AND a < 4 - %d ORDER BY k, n DESC, a, b LIMIT 3`, `k || '' = 'k1' AND a < 4 - %d ORDER BY n DESC, a, b LIMIT 3`},
				{`a > 0 AND a < 9 - %d ORDER BY a, b LIMIT 4`, `a + 0 > 0 AND a < 9 - %d ORDER BY a + 0, b LIMIT 4`},
				{`a <= %d ORDER BY a DESC, b DESC LIMIT 4`, `a + 0 <= %d ORDER BY a + 0 DESC, b DESC LIMIT 4`},
			} {
				const query = `SELECT * FROM t WHERE `
				got, want := c.query(query+fmt.Sprintf(q[0], i)), c.query(query+fmt.Sprintf(q[1], i))
				if strings.Join(got, "\n") != strings.Join(want, "\n") {
					t.Fatalf("%s, %d: %q, a scan has %q", q[0], i, got, want)
				}
			}
		}
	}
	change := func() {
		a, b := rng.IntN(4), rng.IntN(4)
		switch rng.IntN(4) {
		case 0:
			c.exec(fmt.Sprintf(`DELETE FROM t WHERE a = %d AND b = %d`, a, b))
		case 1:
			c.exec(fmt.Sprintf(`UPDATE t SET k = 'k%d', x = -x WHERE a = %d AND b = %d`, rng.IntN(4), a, b))
		case 2:
			c.exec(fmt.Sprintf(`UPDATE t SET n = n + 1 WHERE k = 'k%d'`, rng.IntN(4)))
		default:
			c.exec(fmt.Sprintf(`INSERT INTO t VALUES (%d, %d, 'k%d', %d.00, %d) ON CONFLICT (a, b) DO UPDATE SET k = excluded.k, n = excluded.n, x = 0`,
				a, b, rng.IntN(4), rng.IntN(4), rng.IntN(2)))
		}
	}
	ends := []string{`COMMIT`, `ROLLBACK`, `ROLLBACK TO s; COMMIT`}
	for round := range 15 {
		c.exec([]string{`BEGIN`, `BEGIN ISOLATION LEVEL REPEATABLE READ`}[round%2], `DECLARE old CURSOR FOR SELECT a, b, k FROM t WHERE k = 'k1'`)
		old := c.query(`SELECT a, b, k FROM t WHERE k || '' = 'k1'`)
		for range 3 {
			change()
			check()
		}
		c.exec(`SAVEPOINT s`)
		change()
		change()
		check()
		if got := c.query(`FETCH ALL FROM old`); strings.Join(got, "\n") != strings.Join(old, "\n") {
			t.Fatalf("the cursor has %q, when it was opened there was %q", got, old)
		}
		c.exec(ends[round%3])
		check()
		if round == 7 {
			c.restart()
			contains(t, c.plan(`SELECT * FROM t WHERE k = 'k1' AND n = 2`), "index: t_k_n_idx")
		}
	}
	c.exec(`DROP INDEX t_k_n_idx`)
	if p := c.plan(`SELECT * FROM t WHERE k = 'k1' AND n = 2`); strings.Contains(p, "index:") {
		t.Errorf("a dropped index is used:\n%s", p)
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
	for _, q := range []string{`CREATE UNIQUE INDEX ON m (k)`, `CREATE INDEX ON m (upper(k))`, `CREATE INDEX ON m (a)`,
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
