package handler_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/millrace/millrace/test/random"
)

// TestSubqueriesByIndexEqualScans looks rows up for the values of the query around a
// subquery, nulls among them.
func TestSubqueriesByIndexEqualScans(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	c := start(t, "")
	c.exec(`CREATE TABLE big (id int PRIMARY KEY, k text, n numeric, c char(4))`, `CREATE INDEX big_kn ON big (k, n DESC)`, `CREATE INDEX big_n ON big (n)`,
		`INSERT INTO big SELECT i, CASE WHEN i % 9 > 0 THEN 'k' || i % 40 END, i % 13, 'c' || i % 5 FROM generate_series(1, 400) AS s (i)`,
		`CREATE TABLE small (id int, k text, n numeric, m bigint)`, `CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS n, max(id) AS m FROM big GROUP BY k`, `FLUSH`)
	for _, q := range [][2]string{
		{`SELECT (SELECT n FROM big WHERE id = s.id) FROM small s`, "index: big_pkey, by outer values"},
		{`SELECT * FROM small s WHERE NOT EXISTS (SELECT FROM sums WHERE k = s.k)`, "index: key of sums, by outer values"},
		{`SELECT * FROM small s, LATERAL (SELECT id FROM big b WHERE b.k = s.k AND b.n < s.n ORDER BY n DESC LIMIT 2) l`, "index: big_kn, by outer values, in its order"},
		{`SELECT * FROM small s LEFT JOIN LATERAL (SELECT count(*) FROM big WHERE k IN (s.k, 'k1') AND n > s.n) l ON true`, "index: big_kn, by outer values"},
		{`SELECT * FROM small s WHERE EXISTS (SELECT FROM sums WHERE n = s.m AND m > s.id)`, "hash: n, by outer values"},
		{`SELECT (SELECT n FROM big WHERE id = s.id - 1) FROM small s`, "index: big_pkey, by outer values"},
		{`SELECT * FROM small s WHERE EXISTS (SELECT FROM sums WHERE n = s.m * 2)`, "hash: n, by outer values"},
	} {
		contains(t, c.plan(q[0]), q[1])
	}
	for _, q := range []string{`SELECT (SELECT max(n) FROM big WHERE id + 1 = s.id) FROM small s`, `SELECT (SELECT max(n) FROM big WHERE id = s.n) FROM small s`,
		`SELECT (SELECT max(n) FROM big WHERE id = s.m OR c = s.k) FROM small s`} {
		if p := c.plan(q); strings.Contains(p, "index:") || strings.Contains(p, "hash:") {
			t.Errorf("%s uses an index:\n%s", q, p)
		}
	}
	for round := range 20 {
		value := func(format string, n int) string {
			if rng.IntN(5) == 0 {
				return "NULL"
			}
			return fmt.Sprintf(format, rng.IntN(n))
		}
		c.exec(fmt.Sprintf(`INSERT INTO small VALUES (%s, %s, %s, %s)`, value("%d", 450), value("'k%d'", 45), value("%d.50", 14), value("%d", 450)))
		if round%2 == 0 {
			c.exec(fmt.Sprintf(`DELETE FROM big WHERE id = %d`, rng.IntN(400)), `FLUSH`)
		}
		for _, q := range [][2]string{ // with an index or a hash, and without
			{`SELECT id, (SELECT max(k) FROM sums WHERE n = s.m AND m > s.id) FROM small s`, `SELECT id, (SELECT max(k) FROM sums WHERE n + 0 = s.m AND m + 0 > s.id) FROM small s`},
			{`SELECT id, (SELECT n FROM big WHERE id = s.id) FROM small s`, `SELECT id, (SELECT n FROM big WHERE id + 0 = s.id) FROM small s`},
			{`SELECT id, (SELECT n FROM big WHERE id = s.id - 1) FROM small s`, `SELECT id, (SELECT n FROM big WHERE id + 1 = s.id) FROM small s`},
			{`SELECT id, (SELECT max(k) FROM sums WHERE n = s.m / 40 AND k > s.k || '1') FROM small s`, `SELECT id, (SELECT max(k) FROM sums WHERE n + 0 = s.m / 40 AND k || '' > s.k || '1') FROM small s`},
			{`SELECT id, (SELECT max(id) FROM big WHERE id = CASE WHEN s.id <> 7 THEN 100 / (s.id - 7) END) FROM small s`, `SELECT id, (SELECT max(id) FROM big WHERE id + 0 = CASE WHEN s.id <> 7 THEN 100 / (s.id - 7) END) FROM small s`},
			{`SELECT id, (SELECT n FROM big WHERE s.m = id AND n > 3) FROM small s`, `SELECT id, (SELECT n FROM big WHERE s.m = id + 0 AND n + 0 > 3) FROM small s`},
			{`SELECT * FROM small s WHERE NOT EXISTS (SELECT FROM sums WHERE k = s.k)`, `SELECT * FROM small s WHERE NOT EXISTS (SELECT FROM sums WHERE k || '' = s.k)`},
			{`SELECT * FROM small s, LATERAL (SELECT n FROM big b WHERE b.k = s.k AND b.n < s.n ORDER BY n DESC LIMIT 2) l`,
				`SELECT * FROM small s, LATERAL (SELECT n FROM big b WHERE b.k || '' = s.k AND b.n + 0 < s.n ORDER BY n + 0 DESC LIMIT 2) l`},
			{`SELECT * FROM small s LEFT JOIN LATERAL (SELECT count(*) FROM big WHERE k IN (s.k, 'k1') AND n > s.n) l ON true`,
				`SELECT * FROM small s LEFT JOIN LATERAL (SELECT count(*) FROM big WHERE k || '' IN (s.k, 'k1') AND n + 0 > s.n) l ON true`},
			{`SELECT id, (SELECT string_agg(id::text, ',' ORDER BY id) FROM big WHERE n BETWEEN s.n - 2 AND s.n) FROM small s`,
				`SELECT id, (SELECT string_agg(id::text, ',' ORDER BY id) FROM big WHERE n + 0 BETWEEN s.n - 2 AND s.n) FROM small s`},
			{`SELECT id, (SELECT min(b.id) FROM big b WHERE b.k = s.k AND EXISTS (SELECT FROM big d WHERE d.id = b.id + 40 AND d.k = s.k)) FROM small s`,
				`SELECT id, (SELECT min(b.id) FROM big b WHERE b.k || '' = s.k AND EXISTS (SELECT FROM big d WHERE d.id + 0 = b.id + 40 AND d.k || '' = s.k)) FROM small s`},
			{`SELECT * FROM small s WHERE (SELECT k FROM big WHERE k >= s.k ORDER BY k, n DESC LIMIT 1) > 'k2'`,
				`SELECT * FROM small s WHERE (SELECT k FROM big WHERE k || '' >= s.k ORDER BY k || '' LIMIT 1) > 'k2'`},
		} {
			if got, want := c.query(q[0]), c.query(q[1]); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Fatalf("%s: %q, a scan has %q", q[0], got, want)
			}
		}
	}
}
