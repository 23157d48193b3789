// Package oracle runs the same changes on a server and on PostgreSQL, and compares
// what materialized views have followed, and what the same queries give when they
// are asked, with what PostgreSQL computes from the rows that are left.
package oracle

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/test/servers"
)

// tables are what the views read: with a key, with one of two columns, and without.
var tables = []string{
	"CREATE TABLE a (id bigint PRIMARY KEY, k int, v int, s text)",
	"CREATE TABLE b (id bigint PRIMARY KEY, k int, v int, s text)",
	"CREATE TABLE p (k int, n int, v numeric(8,2), PRIMARY KEY (k, n))",
	"CREATE TABLE c (k int, w int, s text)",
	"CREATE TABLE d (k int, w int, s text)",
}

// joinViews are queries over them.
var joinViews = []string{
	"SELECT a.id, b.id, a.v, b.s FROM a JOIN b ON a.k = b.id",
	"SELECT a.id, b.id, a.v, b.s FROM a JOIN b ON a.k = b.k",
	"SELECT a.id, b.id, a.v, b.v FROM a JOIN b ON a.k = b.k AND a.v < b.v",
	"SELECT a.id, b.id, a.v, b.s FROM a LEFT JOIN b ON a.k = b.id",
	"SELECT a.id, b.id, a.v, b.s FROM a LEFT JOIN b ON a.k = b.k AND a.v < b.v",
	"SELECT a.id, b.id, a.v, b.s FROM a RIGHT JOIN b ON a.k = b.k",
	"SELECT a.id, b.id, a.v, b.s FROM a RIGHT JOIN b ON a.id = b.k AND a.v < b.v",
	"SELECT a.id, b.id, a.v, b.s FROM a FULL JOIN b ON a.k = b.k",
	"SELECT a.id, b.id, a.v, b.s FROM a FULL JOIN b ON a.k = b.k AND a.s = b.s AND a.v < b.v",
	"SELECT * FROM c JOIN d USING (k)",
	"SELECT * FROM c NATURAL JOIN d",
	"SELECT c.w, d.w FROM c LEFT JOIN d ON c.k = d.k AND c.w > d.w",
	"SELECT c.w, d.w, c.s FROM c FULL JOIN d ON c.k = d.k AND c.w > d.w",
	"SELECT k, count(*), sum(c.w), sum(d.w) FROM c FULL JOIN d USING (k) GROUP BY k",
	"SELECT x.id, y.id FROM a x JOIN a y ON x.k = y.v",
	"SELECT x.w, y.w FROM c x LEFT JOIN c y ON x.k = y.w",
	"SELECT a.id, b.id, p.v FROM a, b, p WHERE a.id = p.k AND p.n = b.k",
	"SELECT a.id, b.id, c.w FROM a LEFT JOIN b ON a.k = b.id LEFT JOIN c ON b.k = c.k",
	"SELECT a.id, p.n, p.v FROM a JOIN p ON a.k = p.k AND a.v = p.n",
	"SELECT a.id, p.n, p.v FROM a LEFT JOIN p ON a.k = p.k AND p.v > 50",
	"SELECT count(*) FROM a, d",
	"SELECT a.id, d.w FROM a CROSS JOIN d WHERE a.v > d.w",
	"SELECT a.id, d.w FROM a LEFT JOIN d ON a.v > d.w",
	"SELECT id, v FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
	"SELECT id, v FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.v > a.v)",
	"SELECT id, v FROM a WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.k = a.k AND c.s = a.s)",
	"SELECT k, w FROM c WHERE NOT EXISTS (SELECT 1 FROM d WHERE d.k = c.k AND d.w <> c.w)",
	"SELECT id FROM a WHERE k IN (SELECT k FROM d)",
	"SELECT id FROM a WHERE id NOT IN (SELECT id FROM b)",
	"SELECT id FROM a WHERE k NOT IN (SELECT w FROM d WHERE d.k = 3)",
	"SELECT id FROM a WHERE k NOT IN (SELECT w FROM d WHERE d.k = a.v)",
	"SELECT id FROM a WHERE id NOT IN (SELECT k FROM c WHERE c.w = 2)",
	"SELECT id FROM a WHERE v > ALL (SELECT w FROM d WHERE d.k = a.k)",
	"SELECT id FROM a WHERE NOT v < ALL (SELECT w FROM d WHERE d.k = a.k)",
	"SELECT id FROM a WHERE v >= ANY (SELECT w FROM d WHERE d.k = a.k)",
	"SELECT id, k IN (SELECT w FROM d WHERE d.k = a.v) AS x FROM a",
	"SELECT id, v > 2 OR EXISTS (SELECT 1 FROM d WHERE d.k = a.k) AS x FROM a",
	"SELECT id, (SELECT count(*) FROM d WHERE d.k = a.k) AS n, (SELECT max(w) + 1 FROM d WHERE d.k = a.k) AS m FROM a",
	"SELECT id, (SELECT s FROM b WHERE b.id = a.k) AS n FROM a",
	"SELECT id FROM a WHERE v > (SELECT avg(w) FROM d)",
	"SELECT id FROM a WHERE v = (SELECT min(w) FROM d WHERE d.k = a.k)",
	"SELECT a.id, l.w, l.n FROM a, LATERAL (SELECT w, count(*) AS n FROM d WHERE d.k = a.k GROUP BY w) l",
	"SELECT k, w FROM c INTERSECT SELECT k, w FROM d",
	"SELECT k, w FROM c INTERSECT ALL SELECT k, w FROM d",
	"SELECT k, w FROM c EXCEPT SELECT k, w FROM d",
	"SELECT k, w FROM c EXCEPT ALL SELECT k, w FROM d",
	"SELECT k, w FROM c UNION SELECT k, w FROM d",
	"SELECT DISTINCT a.k, b.s FROM a JOIN b ON a.k = b.k",
	"SELECT x.k, x.n, a.id FROM (SELECT k, count(*) AS n FROM c GROUP BY k) x LEFT JOIN a ON a.k = x.k AND a.v < x.n",
}

// jobs write to own tables by key what these queries give.
var joinJobs = []string{
	"SELECT a.id, b.s FROM a JOIN b ON a.k = b.id",
	"SELECT a.id, b.s FROM a LEFT JOIN b ON a.k = b.id",
	"SELECT a.id, a.s FROM a WHERE EXISTS (SELECT 1 FROM d WHERE d.k = a.k)",
	"SELECT b.id, a.s FROM a RIGHT JOIN b ON a.id = b.k",
}

// TestJoins changes the tables at random and compares all views every now and
// then, with the server killed and started again, at another parallelism, in
// between.
func TestJoins(t *testing.T) {
	rng := random.New(t)
	ctx := context.Background()
	pg, err := pgx.Connect(ctx, servers.StartPostgres(t).CreateDatabase(t, "joins"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pg.Close(ctx) }()
	s := newServer(t)
	s.start(t, 2)
	views := joinViews
	if one := os.Getenv("MILLRACE_TEST_VIEW"); one != "" {
		n, _ := strconv.Atoi(one)
		views = views[n : n+1]
	}
	for _, sql := range tables {
		must(t, pg, sql)
		must(t, s.conn, sql)
	}
	for i, q := range views {
		must(t, s.conn, fmt.Sprintf("CREATE MATERIALIZED VIEW v%d AS %s", i, named(t, pg, q)))
	}
	for i, q := range joinJobs {
		must(t, s.conn, fmt.Sprintf("CREATE TABLE t%d (id bigint PRIMARY KEY, s text)", i))
		must(t, s.conn, fmt.Sprintf("CREATE JOB j%d WITH (checkpoint_interval = '1s') AS INSERT INTO t%d %s", i, i, q))
	}
	changes := newChanges(rng)
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	for round := range rounds {
		for range 1 + rng.IntN(60) {
			sql := changes.next()
			must(t, pg, sql)
			must(t, s.conn, sql)
		}
		if round%4 == 3 {
			s.kill()
			s.start(t, 1+rng.IntN(3))
		}
		must(t, s.conn, "FLUSH")
		compare := func(relation, q string) {
			want := rowsOf(t, pg, q)
			got := rowsOf(t, s.conn, "SELECT * FROM "+relation)
			if now := rowsOf(t, s.conn, q); !slices.Equal(now, want) {
				t.Errorf("round %d: SELECT of %s:\n%s\nPostgreSQL has\n%s", round, q, strings.Join(now, "\n"), strings.Join(want, "\n"))
			}
			if !slices.Equal(got, want) {
				t.Errorf("round %d: %s, %s:\n%s\nPostgreSQL has\n%s", round, relation, q, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		for i, q := range views {
			compare(fmt.Sprint("v", i), q)
		}
		for i, q := range joinJobs {
			compare(fmt.Sprint("t", i), q)
		}
		if t.Failed() {
			return
		}
	}
}

// named gives each output column a name of its own, as a view needs.
func named(t *testing.T, pg *pgx.Conn, q string) string {
	t.Helper()
	rows, err := pg.Query(context.Background(), "SELECT * FROM ("+q+") q LIMIT 0")
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	rows.Close()
	var cols []string
	for i := range rows.FieldDescriptions() {
		cols = append(cols, fmt.Sprint("c", i))
	}
	return "SELECT * FROM (" + q + ") q (" + strings.Join(cols, ", ") + ")"
}

// randomChanges makes statements that change the tables.
type randomChanges struct {
	rng  *rand.Rand
	used map[string]bool // keys that were inserted at some time
	next func() string
}

func newChanges(rng *rand.Rand) *randomChanges {
	c := &randomChanges{rng: rng, used: map[string]bool{}}
	c.next = c.statement
	return c
}

func (c *randomChanges) number(n int) string {
	if c.rng.IntN(9) == 0 {
		return "NULL"
	}
	return strconv.Itoa(c.rng.IntN(n))
}

func (c *randomChanges) text() string {
	if c.rng.IntN(9) == 0 {
		return "NULL"
	}
	return "'" + string(rune('x'+c.rng.IntN(3))) + "'"
}

func (c *randomChanges) statement() string {
	rng := c.rng
	table := []string{"a", "b", "p", "c", "d"}[rng.IntN(5)]
	switch what := rng.IntN(11); {
	case what == 10: // most rows move to other keys
		return fmt.Sprintf("UPDATE %s SET k = (k + %d) %% 6", []string{"a", "b", "c", "d"}[rng.IntN(4)], 1+rng.IntN(3))
	case what < 5:
		return c.insert(table)
	case what < 8:
		set := map[string][]string{
			"a": {"k = " + c.number(6), "v = " + c.number(6), "s = " + c.text()}, "p": {"v = " + strconv.Itoa(rng.IntN(100))},
			"c": {"k = " + c.number(6), "w = " + c.number(6), "s = " + c.text()},
		}
		set["b"], set["d"] = set["a"], set["c"]
		return "UPDATE " + table + " SET " + set[table][rng.IntN(len(set[table]))] + " WHERE " + c.where(table)
	}
	return "DELETE FROM " + table + " WHERE " + c.where(table)
}

func (c *randomChanges) where(table string) string {
	n := c.rng.IntN(30)
	switch table {
	case "a", "b":
		return fmt.Sprintf("id = %d", n)
	case "p":
		return fmt.Sprintf("k = %d AND n = %d", n%6, c.rng.IntN(6))
	}
	return fmt.Sprintf("k = %d AND w = %d", n%6, c.rng.IntN(6))
}

func (c *randomChanges) insert(table string) string {
	switch table {
	case "a", "b":
		return fmt.Sprintf("INSERT INTO %s VALUES (%d, %s, %s, %s) ON CONFLICT DO NOTHING", table, c.rng.IntN(30), c.number(6), c.number(6), c.text())
	case "p":
		return fmt.Sprintf("INSERT INTO p VALUES (%d, %d, %d.50) ON CONFLICT DO NOTHING", c.rng.IntN(6), c.rng.IntN(6), c.rng.IntN(100))
	}
	row := func() string { return fmt.Sprintf("(%s, %s, %s)", c.number(6), c.number(6), c.text()) }
	return "INSERT INTO " + table + " VALUES " + row() + ", " + row()
}

func must(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// rowsOf is the rows of a query as text, sorted.
func rowsOf(t *testing.T, conn *pgx.Conn, sql string) []string {
	t.Helper()
	results, err := conn.PgConn().Exec(context.Background(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	out := []string{}
	for _, row := range results[0].Rows {
		var words []string
		for _, v := range row {
			if v == nil {
				words = append(words, "NULL")
			} else {
				words = append(words, string(v))
			}
		}
		out = append(out, strings.Join(words, "|"))
	}
	slices.Sort(out)
	return out
}
