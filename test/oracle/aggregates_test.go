package oracle

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/test/servers"
)

// valuesTable has a column of each kind that aggregates take.
const valuesTable = `CREATE TABLE t (id bigint PRIMARY KEY, k int, g text, i int, b bigint, n numeric, m numeric(8,2), x double precision, r real,
	s text, d date, at timestamp, iv interval, f boolean)`

// aggregateViews are queries over it. Lists say in which order.
var aggregateViews = []string{
	"SELECT k, count(*), count(i), sum(i), sum(b), sum(n), sum(m), sum(x), avg(i), avg(n), avg(m), avg(x), avg(iv), sum(iv) FROM t GROUP BY k",
	"SELECT k, stddev(i), stddev_pop(b % 1000003), var_samp(n), var_pop(m), variance(x), stddev_samp(x), stddev_pop(r) FROM t GROUP BY k",
	"SELECT k, trim_scale(min(n)), max(m), min(x), max(x), min(s), max(s), min(d), max(at), justify_interval(min(iv)), justify_interval(max(iv)), min(b) FILTER (WHERE f), max(s) FILTER (WHERE i > 2) FROM t GROUP BY k",
	"SELECT k, bool_and(f), bool_or(f), every(f), bit_and(i), bit_or(b), bit_xor(i), bit_xor(DISTINCT i), bit_and(b) FILTER (WHERE f) FROM t GROUP BY k",
	"SELECT k, corr(x, i), covar_pop(x, r), covar_samp(i, b % 1003), regr_avgx(x, i), regr_avgy(x, i), regr_count(x, i), regr_sxx(b % 1003, i), regr_syy(b % 1003, i), regr_sxy(b % 1003, i) FROM t GROUP BY k",
	"SELECT k, regr_slope(b % 1003, i), regr_intercept(b % 1003, i), regr_r2(b % 1003, i), corr(b % 1003, i) FILTER (WHERE f) FROM t GROUP BY k",
	"SELECT k, string_agg(s, ',' ORDER BY id), string_agg(s, s ORDER BY id DESC), array_agg(n ORDER BY id), array_agg(s ORDER BY i DESC NULLS LAST, id) FROM t GROUP BY k",
	"SELECT k, array_agg(DISTINCT i), string_agg(DISTINCT s, '-' ORDER BY s DESC), array_agg(x ORDER BY x, id) FILTER (WHERE f), array_agg(iv ORDER BY id), array_agg(at ORDER BY id) FROM t GROUP BY k",
	"SELECT k, jsonb_agg(n ORDER BY id), jsonb_agg(s ORDER BY i, id), jsonb_object_agg(id, s), jsonb_object_agg(coalesce(s, '?'), id ORDER BY id) FROM t GROUP BY k",
	"SELECT k, percentile_cont(0.5) WITHIN GROUP (ORDER BY x), percentile_cont(0.3) WITHIN GROUP (ORDER BY i), percentile_cont(0.25) WITHIN GROUP (ORDER BY justify_interval(iv)) FROM t GROUP BY k",
	"SELECT k, percentile_disc(0.5) WITHIN GROUP (ORDER BY s), percentile_disc(0.9) WITHIN GROUP (ORDER BY m DESC), percentile_disc(ARRAY[0, 0.4, 1]) WITHIN GROUP (ORDER BY i), " +
		"mode() WITHIN GROUP (ORDER BY i), mode() WITHIN GROUP (ORDER BY s DESC) FILTER (WHERE f) FROM t GROUP BY k",
	"SELECT count(*), sum(n), avg(x), string_agg(s, '' ORDER BY id), array_agg(i ORDER BY id) FILTER (WHERE k = 3), mode() WITHIN GROUP (ORDER BY d), bit_and(i), trim_scale(max(n)) FROM t",
	"SELECT g, count(DISTINCT s), count(DISTINCT n), sum(DISTINCT i), avg(DISTINCT m), count(DISTINCT s) FILTER (WHERE f), count(DISTINCT s) FILTER (WHERE i > 2) FROM t GROUP BY g",
	"SELECT k, g, sum(n), count(x) FROM t GROUP BY k, g HAVING count(*) > 1",
	"SELECT k, string_agg(l, ';' ORDER BY l) FROM (SELECT k, g, string_agg(s, ',' ORDER BY id) AS l FROM t GROUP BY k, g) q GROUP BY k",
	"SELECT max(c), count(*) FROM (SELECT k, percentile_disc(0.5) WITHIN GROUP (ORDER BY i) AS c FROM t GROUP BY k) q",
	"SELECT k, g, count(*), sum(i), string_agg(s, '' ORDER BY id), GROUPING(k, g) FROM t GROUP BY ROLLUP (k, g)",
	"SELECT k + 1, f, count(*), GROUPING(k), GROUPING(f, k) FROM t GROUP BY CUBE (k, f) HAVING count(*) > 1",
	"SELECT k, g, s, avg(m), percentile_disc(0.5) WITHIN GROUP (ORDER BY i) FROM t GROUP BY g, GROUPING SETS ((k), (s), ())",
	"SELECT k, g, max(b) FROM t GROUP BY GROUPING SETS ((k), (k), ROLLUP (g), ())",
	"SELECT k, sum(n / 3), avg(n * 1.50), sum(CASE WHEN f THEN n END), stddev_pop(n) FROM t GROUP BY k",
}

// TestAggregates changes a table at random and compares views with PostgreSQL,
// with the server killed and started again in between.
func TestAggregates(t *testing.T) { compareViews(t, "aggregates", aggregateViews) }

// compareViews does so for queries over the table, as views and as they are.
func compareViews(t *testing.T, name string, views []string) {
	c := &valueChanges{rng: random.New(t)}
	pg, err := pgx.Connect(context.Background(), servers.StartPostgres(t).CreateDatabase(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pg.Close(context.Background()) }()
	s := newServer(t)
	s.start(t, 2)
	if one := os.Getenv("MILLRACE_TEST_VIEW"); one != "" {
		n, _ := strconv.Atoi(one)
		views = views[n : n+1]
	}
	must(t, pg, strings.ReplaceAll(valuesTable, " text", ` text COLLATE "C"`))
	must(t, s.conn, valuesTable)
	for i, q := range views {
		must(t, s.conn, fmt.Sprintf("CREATE MATERIALIZED VIEW v%d AS %s", i, named(t, pg, q)))
	}
	rounds := 10
	if testing.Short() {
		rounds = 4
	}
	for round := range rounds {
		for range 1 + c.rng.IntN(60) {
			sql := c.next()
			must(t, pg, sql)
			must(t, s.conn, sql)
		}
		if round%4 == 3 {
			s.kill()
			s.start(t, 1+c.rng.IntN(3))
		}
		must(t, s.conn, "FLUSH")
		for i, q := range views {
			want := typedRows(t, pg, q)
			compareRows(t, round, fmt.Sprintf("view %d, %s", i, q), typedRows(t, s.conn, fmt.Sprintf("SELECT * FROM v%d", i)), want)
			compareRows(t, round, q, typedRows(t, s.conn, q), want)
		}
		if t.Failed() {
			return
		}
	}
}

// compareRows compares rows as text, double precision to twelve digits: sums
// depend on the order of their terms in the last ones.
func compareRows(t *testing.T, round int, what string, got, want []string) {
	t.Helper()
	same := len(got) == len(want)
	for i := 0; same && i < len(got); i++ {
		same = sameRow(got[i], want[i])
	}
	if same {
		return
	}
	diff := func(a, b []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(a), func(row string) bool {
			return slices.ContainsFunc(b, func(other string) bool { return sameRow(row, other) })
		}), "\n")
	}
	t.Errorf("round %d: %s:\n%s\nPostgreSQL has\n%s", round, what, diff(got, want), diff(want, got))
}

// typedRows is the rows of a query as text, sorted, double precision behind a ~.
func typedRows(t *testing.T, conn *pgx.Conn, sql string) []string {
	t.Helper()
	results, err := conn.PgConn().Exec(context.Background(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	out := []string{}
	for _, row := range results[0].Rows {
		var words []string
		for i, v := range row {
			switch {
			case v == nil:
				words = append(words, "NULL")
			case results[0].FieldDescriptions[i].DataTypeOID == pgtype.Float8OID:
				words = append(words, "~"+string(v))
			default:
				words = append(words, string(v))
			}
		}
		out = append(out, strings.Join(words, "|"))
	}
	slices.Sort(out)
	return out
}

func sameRow(a, b string) bool {
	x, y := strings.Split(a, "|"), strings.Split(b, "|")
	return slices.EqualFunc(x, y, func(a, b string) bool {
		a, isFloat := strings.CutPrefix(a, "~")
		if b = strings.TrimPrefix(b, "~"); a == b || !isFloat {
			return a == b
		}
		f, err := strconv.ParseFloat(a, 64)
		g, err2 := strconv.ParseFloat(b, 64)
		return err == nil && err2 == nil && math.Abs(f-g) <= 1e-12*max(math.Abs(f), math.Abs(g), 1e-3)
	})
}

// valueChanges makes statements that change the table.
type valueChanges struct{ rng *rand.Rand }

func (c *valueChanges) next() string {
	id := c.rng.IntN(40)
	switch what := c.rng.IntN(10); {
	case what < 5:
		var vals []string
		for _, col := range valueColumns {
			vals = append(vals, c.value(col))
		}
		return fmt.Sprintf("INSERT INTO t VALUES (%d, %s) ON CONFLICT DO NOTHING", id, strings.Join(vals, ", "))
	case what < 8:
		a, b := valueColumns[c.rng.IntN(len(valueColumns))], valueColumns[c.rng.IntN(len(valueColumns))]
		if a == b {
			return fmt.Sprintf("UPDATE t SET %s = %s WHERE id = %d", a, c.value(a), id)
		}
		return fmt.Sprintf("UPDATE t SET %s = %s, %s = %s WHERE id BETWEEN %d AND %d", a, c.value(a), b, c.value(b), id, id+2)
	case what < 9:
		return fmt.Sprintf("DELETE FROM t WHERE k = %d AND id > 20", c.rng.IntN(5))
	}
	return fmt.Sprintf("DELETE FROM t WHERE id = %d", id)
}

var valueColumns = []string{"k", "g", "i", "b", "n", "m", "x", "r", "s", "d", "at", "iv", "f"}

func (c *valueChanges) value(column string) string {
	rng := c.rng
	pick := func(vals ...string) string { return vals[rng.IntN(len(vals))] }
	if rng.IntN(8) == 0 {
		return "NULL"
	}
	switch column {
	case "k":
		return strconv.Itoa(rng.IntN(5))
	case "g", "s":
		return pick("'a'", "'bb'", "'C'", "''", "'d e'")
	case "i":
		return strconv.Itoa(rng.IntN(12) - 3)
	case "b":
		return pick("1", "-7", "9000000000000000000", "-9000000000000000000", "42", "0")
	case "n":
		return pick("1", "1.0", "1.50", "-2.125", "1234567.1", "0.0001", "0", "'NaN'", "12", "'Infinity'", "'-Infinity'")
	case "m":
		return fmt.Sprintf("%d.%02d", rng.IntN(300)-100, rng.IntN(100))
	case "x":
		return pick("0.1", "0.2", "-3.5", "1e6", "12345.678", "0", "'NaN'", "'Infinity'", "'-Infinity'", "0.001", "2")
	case "r":
		return pick("0.5", "1.25", "-8", "100", "3")
	case "d":
		return fmt.Sprintf("'2024-02-%02d'", 1+rng.IntN(28))
	case "at":
		return fmt.Sprintf("'2024-02-03 %02d:00:00.5'", rng.IntN(24))
	case "iv":
		return pick("'1 day'", "'24:00:00'", "'1 mon'", "'30 days'", "'-00:00:01'", "'1 year 2 mons 3 days 04:05:06'")
	}
	return pick("true", "false")
}
