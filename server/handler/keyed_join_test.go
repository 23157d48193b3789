package handler_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/millrace/millrace/test/random"
)

// TestKeyedJoinsEqualScans joins a small side with relations that an index finds rows
// of, in and out of transactions, while rows come and go, and after a restart.
func TestKeyedJoinsEqualScans(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	c := start(t, "")
	c.exec(`CREATE TABLE big (id bigint PRIMARY KEY, k varchar(10), n numeric(8,2))`, `CREATE INDEX ON big (k, n DESC)`,
		`CREATE TABLE small (id int, k text, n numeric)`,
		`INSERT INTO big SELECT i, CASE WHEN i % 50 > 0 THEN 'k' || i % 300 END, i % 7 FROM generate_series(1, 3000) AS s (i)`,
		`INSERT INTO small VALUES (1, 'k1', 1), (2, 'k2', 2), (3, NULL, NULL), (3, 'k3', 3.00), (9999, 'none', NULL)`,
		`CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS n, max(id) AS m FROM big GROUP BY k`,
		`CREATE MATERIALIZED VIEW copies AS SELECT k, n FROM big`, `CREATE INDEX ON copies (k)`, `FLUSH`)
	for _, q := range [][2]string{
		{`SELECT * FROM small s JOIN big b ON s.id = b.id`, "index: big_pkey, by keys of source"},
		{`SELECT * FROM big b JOIN small s ON s.id = b.id`, "index: big_pkey, by keys of source"},
		{`SELECT * FROM small s LEFT JOIN big b ON s.k = b.k AND s.n = b.n AND b.id > 5`, "index: big_k_n_idx, by keys of source"},
		{`UPDATE big SET n = s.n FROM small s WHERE big.id = s.id`, "index: big_pkey, by keys of source"},
		{`DELETE FROM big USING small s WHERE big.k = s.k`, "index: big_k_n_idx, by keys of source"},
		{`SELECT * FROM (VALUES ('k1'), ('k2')) s (k) JOIN copies b USING (k)`, "index: copies_k_idx, by keys of source"},
		{`SELECT * FROM sums a JOIN copies b USING (k) WHERE a.k LIKE 'k1%'`, "index: copies_k_idx, by keys of source"},
		{`WITH RECURSIVE r (id) AS (SELECT 1 UNION SELECT (b.n + 2)::int FROM r JOIN big b USING (id)) SELECT * FROM r`, "index: big_pkey, by keys of source"},
	} {
		contains(t, c.plan(q[0]), q[1])
	}
	for _, q := range []string{`SELECT * FROM small s FULL JOIN big b ON s.id = b.id`, `SELECT * FROM big b LEFT JOIN small s ON s.id = b.id`,
		`SELECT * FROM big a JOIN big b ON a.id = b.id`, `SELECT * FROM small s JOIN big b ON s.id = b.id + 1`, `SELECT * FROM small s JOIN big b ON s.n = b.n`,
		`SELECT * FROM big b WHERE NOT EXISTS (SELECT FROM small s WHERE s.id = b.id)`, `SELECT * FROM small s JOIN small b ON s.id = b.id`} {
		if p := c.plan(q); strings.Contains(p, "by keys of") {
			t.Errorf("%s uses an index:\n%s", q, p)
		}
	}
	check := func() {
		t.Helper()
		for _, q := range [][2]string{ // with an index, and without
			{`SELECT * FROM small s JOIN big b ON s.id = b.id ORDER BY 1, 2, 3`, `SELECT * FROM small s JOIN big b ON s.id + 0 = b.id + 0 ORDER BY 1, 2, 3`},
			{`SELECT * FROM small s LEFT JOIN big b ON s.k = b.k AND s.n = b.n AND b.id > 5 ORDER BY 1, 2, 3, 4`,
				`SELECT * FROM small s LEFT JOIN big b ON s.k = b.k || '' AND s.n = b.n + 0 AND b.id > 5 ORDER BY 1, 2, 3, 4`},
			{`SELECT * FROM big b WHERE k IN (SELECT k FROM small) ORDER BY id`, `SELECT * FROM big b WHERE k || '' IN (SELECT k FROM small) ORDER BY id`},
			{`SELECT * FROM small s WHERE NOT EXISTS (SELECT FROM sums b WHERE b.k = s.k) ORDER BY id, k`,
				`SELECT * FROM small s WHERE NOT EXISTS (SELECT FROM sums b WHERE b.k || '' = s.k) ORDER BY id, k`},
			{`SELECT s.id, a.k, a.n, b.n FROM small s JOIN sums a ON a.k = s.k JOIN copies b ON b.k = a.k ORDER BY 1, 2, 3, 4`,
				`SELECT s.id, a.k, a.n, b.n FROM small s JOIN sums a ON a.k || '' = s.k JOIN copies b ON b.k || '' = a.k ORDER BY 1, 2, 3, 4`},
			{`SELECT count(*), sum(b.n) FROM generate_series(1, 400) s (i) JOIN copies b ON b.k = 'k' || i % 300`, // too many keys
				`SELECT count(*), sum(b.n) FROM generate_series(1, 400) s (i) JOIN copies b ON b.k || '' = 'k' || i % 300`},
			{`SELECT * FROM (SELECT * FROM small WHERE id < 0) s JOIN big b ON s.id = b.id`, `SELECT 1 WHERE false`},
			{`WITH RECURSIVE r (id) AS (SELECT 1 UNION SELECT (b.n + 2)::int FROM r JOIN big b USING (id)) SELECT * FROM r ORDER BY 1`,
				`WITH RECURSIVE r (id) AS (SELECT 1 UNION SELECT (b.n + 2)::int FROM r JOIN big b ON r.id = b.id + 0) SELECT * FROM r ORDER BY 1`},
		} {
			if got, want := c.query(q[0]), c.query(q[1]); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Fatalf("%s: %q, a scan has %q", q[0], got, want)
			}
		}
	}
	for round := range 12 {
		open := rng.IntN(2) == 0
		if open {
			c.exec(`BEGIN`)
		}
		for range 6 {
			switch id := 1 + rng.IntN(3000); rng.IntN(4) {
			case 0:
				c.exec(fmt.Sprintf(`DELETE FROM big WHERE id = %d`, id%10))
			case 1:
				c.exec(fmt.Sprintf(`UPDATE big SET n = big.n + s.n FROM small s WHERE s.id = big.id AND s.n = %d`, rng.IntN(4)))
			case 2:
				c.exec(fmt.Sprintf(`INSERT INTO small VALUES (%d, 'k%d', %d)`, id, rng.IntN(300), rng.IntN(7)))
			default:
				c.exec(fmt.Sprintf(`INSERT INTO big VALUES (%d, 'k%d', %d) ON CONFLICT (id) DO UPDATE SET k = excluded.k, n = excluded.n`, id, rng.IntN(300), rng.IntN(4)))
			}
		}
		if open {
			check()
			c.exec(`COMMIT`)
		}
		c.exec(`FLUSH`) // else the two statements might see two epochs
		if round == 6 {
			c.restart()
		}
		check()
	}
}
