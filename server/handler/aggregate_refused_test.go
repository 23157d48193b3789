package handler_test

import (
	"fmt"
	"strings"
	"testing"
)

// A sum beyond its type goes by the policy: its group is told once and gone, the others
// go on, through a restart and savepoints of both formats, and it is back when the
// large rows have gone.
func TestRefusedGroups(t *testing.T) {
	formats(t, func(t *testing.T, format string) {
		c := start(t, "")
		c.exec(`CREATE TABLE x (id int PRIMARY KEY, g text, n numeric, d double precision, a int[])`, `CREATE TABLE sums (g text PRIMARY KEY, c bigint, s numeric, v numeric, d double precision, a int[])`,
			`CREATE JOB j WITH (checkpoint_interval = '50ms') AS INSERT INTO sums SELECT g, count(*), sum(n), var_pop(n), sum(d), array_agg(a ORDER BY id) FROM x GROUP BY g`,
			`INSERT INTO x VALUES (1, 'a', 1.5, 1.5, '{1}'), (2, 'a', 2.5, 2, '{2}'), (3, 'b', 7, 7, '{7}')`, `FLUSH`)
		sums := `SELECT * FROM sums ORDER BY g`
		all := []string{"a | 2 | 4.0 | 0.25000000000000000000 | 3.5 | {{1},{2}}", "b | 1 | 7 | 0 | 7 | {{7}}"}
		c.expect(sums, all...)
		large := `INSERT INTO x SELECT 10 + k, 'a', 99999999999999999999999999999999999999, 2::float8 ^ 1023, '{1,2}' FROM generate_series(1, 3) AS k`
		c.exec(large, `FLUSH`)
		c.expect(sums, all[1])
		c.restart()
		c.exec(`SAVEPOINT JOB j AS one FORMAT `+format, `INSERT INTO x VALUES (4, 'b', 1, 1, '{8}'), (5, 'a', 0, 0, '{3}')`, `FLUSH`)
		c.expect(sums, "b | 2 | 8 | 9.0000000000000000 | 8 | {{7},{8}}")
		letters := c.query(`SELECT operator, code, error, convert_from(raw, 'UTF8') FROM millrace.dead_letters ORDER BY error`)
		if len(letters) != 1 || !strings.Contains(letters[0], `{"g":"a"}`) || !strings.Contains(letters[0], "aggregate(x by g)") {
			t.Errorf("the dead letters are %q", letters)
		}
		state := c.query(`SELECT * FROM savepoint('one', 'aggregate(x by g)') ORDER BY g`)
		contains(t, strings.Join(state, "\n"), "Infinity", "7")
		c.exec(`DELETE FROM x WHERE id > 10`, `FLUSH`)
		all = []string{"a | 3 | 4.0 | 1.05555555555555555556 | 3.5 | {{1},{2},{3}}", "b | 2 | 8 | 9.0000000000000000 | 8 | {{7},{8}}"}
		c.expect(sums, all...)
		c.exec(`STOP JOB j`, `RESTORE JOB j FROM SAVEPOINT one`, `FLUSH`) // which takes away what it has only as wide sums
		c.expect(sums, all...)
		c.expect(`SELECT count(*) FROM millrace.job_events WHERE kind LIKE '%fail%'`, "0")

		c.exec(`ALTER JOB j SET (bad_data = 'fail')`, large)
		c.eventually(`SELECT state FROM millrace.jobs`, "failed")
		contains(t, c.one(`SELECT failure FROM millrace.jobs`), `{"g":"a"}`, " in ")
		c.exec(`ALTER JOB j SET (bad_data = 'skip')`, `RESUME JOB j`, `FLUSH`)
		c.expect(sums, all[1])
	})
}

// extremes are calls over the columns of the table of TestAggregatesOfExtremes, by
// what is computed for what: each list is a view.
var extremes = map[string]string{
	"integers":  "sum(i), sum(b), avg(i), avg(b), stddev(i), variance(b), var_pop(b), stddev_pop(i), bit_and(b), bit_or(b), bit_xor(b), min(b), max(b)",
	"numerics":  "sum(n), avg(n), min(n), max(n)",
	"variances": "variance(n), stddev_pop(n)",
	"floats":    "sum(d), avg(d), min(d), max(d)",
	"reals":     "sum(r), avg(r), variance(r), stddev(r)",
	"spreads":   "var_pop(d), stddev(d)",
	"pairs":     "corr(d, i), covar_pop(d, r), covar_samp(i, d), regr_avgx(d, i), regr_avgy(d, i), regr_count(d, i), regr_intercept(d, i), regr_r2(d, i), regr_slope(d, i), regr_sxx(d, i), regr_sxy(d, i), regr_syy(d, i)",
	"intervals": "avg(v), max(v), count(v)",
	"booleans":  "bool_and(i > 0), every(b > 0), bool_or(n > 0)",
	"distinct":  "sum(DISTINCT n), avg(DISTINCT b), sum(DISTINCT i), count(DISTINCT d)",
	"filtered":  "sum(n) FILTER (WHERE id > 3), avg(n) FILTER (WHERE i > 0), sum(d) FILTER (WHERE b > 0), var_pop(n) FILTER (WHERE id <> 2)",
	// those that keep all rows
	"arrays":      "array_agg(a ORDER BY id)",
	"texts":       "string_agg(s, s ORDER BY id), array_agg(s ORDER BY id), mode() WITHIN GROUP (ORDER BY n)",
	"json":        "jsonb_agg(n ORDER BY id), json_agg(d ORDER BY id)",
	"objects":     "jsonb_object_agg(s, n ORDER BY id)",
	"percentiles": "percentile_cont(0.4) WITHIN GROUP (ORDER BY v), percentile_disc(0.5) WITHIN GROUP (ORDER BY n)",
	"quantiles":   "percentile_cont(0.3) WITHIN GROUP (ORDER BY d)",
}

// shapes are the kinds of operators that aggregate.
var shapes = []struct{ name, query string }{
	{"grouped", "SELECT g, count(*) AS c, %s FROM x GROUP BY g"},
	{"total", "SELECT count(*) AS c, %s FROM x"},
	{"sets", "SELECT g, id % 2 AS o, count(*) AS c, %s FROM x GROUP BY GROUPING SETS ((g), (g, id % 2), ())"},
	{"window", "SELECT window_start, g, count(*) AS c, %s FROM TUMBLE(x, ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end, g"},
	{"hop", "SELECT window_start, g, count(*) AS c, %s FROM HOP(x, ts, INTERVAL '5' SECOND, INTERVAL '10' SECOND) GROUP BY window_start, window_end, g"},
}

const extremeTable = `CREATE TABLE x (id int PRIMARY KEY, g text, ts timestamp, i int, b bigint, n numeric, d double precision, r real, v interval, a int[], s text, WATERMARK FOR ts AS ts - INTERVAL '1 hour')`

// extremeRows are values of the columns from i to s.
var extremeRows = []string{
	`2147483647, 9223372036854775807, 99999999999999999999999999999999999999, 1.7976931348623157e308, 3.4e38, '178000000 years', NULL, NULL`,
	`2147483647, 9223372036854775807, 99999999999999999999999999999999999999, 1.7976931348623157e308, 3.4e38, '178000000 years', '{}', ''`,
	`-2147483648, -9223372036854775808, -99999999999999999999999999999999999999, -1.7976931348623157e308, -3.4e38, '-178000000 years', '{1}', 'x'`,
	`0, 0, 0.00000000000000000000000000000000000001, 5e-324, 1e-45, '0', '{{1,2},{3,4}}', 'y'`,
	`NULL, NULL, 'NaN', 'NaN', 'NaN', NULL, '{NULL,NULL}', NULL`,
	`1, 1, 'Infinity', 'Infinity', 'Infinity', '2147483647 days', '{1,2,3}', 'z'`,
	`1, 1, '-Infinity', '-Infinity', '-Infinity', '-2147483647 days', '{4,5}', 'z'`,
}

// Whatever the values, no aggregate in any operator makes a job fail: the limits of
// each type, NaN, infinities, arrays that are null, empty or of another length.
func TestAggregatesOfExtremes(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) { extremesIn(t, s.query) })
	}
}

func extremesIn(t *testing.T, shape string) {
	c := start(t, "")
	c.exec(extremeTable)
	queries := map[string]string{}
	for family, calls := range extremes {
		queries[family] = strings.Replace(shape, "%s", namedCalls(calls, ""), 1)
		c.exec("CREATE MATERIALIZED VIEW v_" + family + " WITH (parallelism = 1, checkpoint_interval = '500ms') AS " + queries[family])
	}
	throughExtremes(c)
	for family, q := range queries {
		if inexact[family] {
			c.query("SELECT * FROM v_" + family)
			continue
		}
		c.expect(fmt.Sprintf("SELECT * FROM (SELECT * FROM v_%s EXCEPT ALL %s) AS s UNION ALL SELECT * FROM (%s EXCEPT ALL SELECT * FROM v_%s) AS t", family, q, q, family))
	}
}

// throughExtremes has extremes come to group a, and go in another order.
func throughExtremes(c *client) {
	c.t.Helper()
	c.exec(`INSERT INTO x SELECT k, CASE k % 2 WHEN 0 THEN 'a' ELSE 'b' END, timestamp '2026-01-01' + k * interval '1 second', k, k, k, k, k, k * interval '1 hour', ARRAY[k, k], 's' || k FROM generate_series(1, 6) AS k`, `FLUSH`)
	for i, row := range extremeRows {
		c.exec(fmt.Sprintf(`INSERT INTO x SELECT %d + k, 'a', timestamp '2026-01-01 00:00:03', %s FROM generate_series(1, 2) AS k`, 100+10*i, row))
		if i == 3 {
			c.exec(`FLUSH`)
			c.restart()
		}
	}
	for _, id := range []int{141, 142, 151, 152, 161, 162, 101, 111, 121} { // in another order than they came
		c.exec(fmt.Sprintf(`DELETE FROM x WHERE id = %d`, id))
	}
	c.exec(`FLUSH`, `INSERT INTO x VALUES (7, 'b', '2026-01-01 00:00:04', 1, 1, 1, 1, 1, '1 day', '{1,1}', 'x')`, `DELETE FROM x WHERE id > 100`, `FLUSH`)
	undisturbed(c)
}

// inexact are those whose 106 bits do not have all of small values beside the greatest,
// and sums of intervals, which have no value after they were beyond their type.
var inexact = map[string]bool{"intervals": true, "floats": true, "reals": true, "spreads": true, "pairs": true, "filtered": true}

// closing are the kinds of windows over appended rows that emit as they close, or all the time.
var closing = []struct{ name, from, emit string }{
	{"tumble", "TUMBLE(y, ts, INTERVAL '10' SECOND)", " EMIT ON WINDOW CLOSE"},
	{"hop", "HOP(y, ts, INTERVAL '5' SECOND, INTERVAL '10' SECOND)", " EMIT ON WINDOW CLOSE"},
	{"cumulate", "CUMULATE(y, ts, INTERVAL '5' SECOND, INTERVAL '10' SECOND)", " EMIT ON WINDOW CLOSE"},
	{"session", "SESSION(y PARTITION BY g, ts, INTERVAL '3' SECOND)", " EMIT ON WINDOW CLOSE"},
	{"sessions", "SESSION(y PARTITION BY g, ts, INTERVAL '3' SECOND)", ""},
}

// In windows over appended rows the group with the extremes has no row, or has one,
// and the other group is as it is without them.
func TestWindowsOfExtremes(t *testing.T) {
	for _, w := range closing {
		t.Run(w.name, func(t *testing.T) {
			c := start(t, "")
			c.exec(`CREATE TABLE y (id int, g text, ts timestamp, i int, b bigint, n numeric, d double precision, r real, v interval, a int[], s text, WATERMARK FOR ts AS ts - INTERVAL '1 second') APPEND ONLY`)
			queries := map[string]string{}
			for family, calls := range extremes {
				if strings.HasPrefix(w.name, "session") && (strings.Contains(calls, "ORDER BY") || family == "distinct") {
					continue
				}
				query := "SELECT window_start, window_end, g, count(*) AS c, " + namedCalls(calls, "") + " FROM " + w.from + " GROUP BY window_start, window_end, g"
				queries[family] = query
				c.exec("CREATE MATERIALIZED VIEW v_" + family + " WITH (parallelism = 1, checkpoint_interval = '500ms') AS " + query + w.emit)
			}
			for at := range 12 {
				row := extremeRows[at%len(extremeRows)]
				c.exec(fmt.Sprintf(`INSERT INTO y SELECT k, 'a', timestamp '2026-01-01' + %d * interval '2 seconds', %s FROM generate_series(1, 3) AS k`, at, row),
					fmt.Sprintf(`INSERT INTO y SELECT k, 'b', timestamp '2026-01-01' + %d * interval '2 seconds', k, k, k, k, k, k * interval '1 hour', ARRAY[k, k], 's' || k FROM generate_series(1, 3) AS k`, at))
				if at == 5 {
					c.exec(`FLUSH`)
					c.restart()
				}
			}
			c.exec(`INSERT INTO y VALUES (0, 'b', '2026-01-02', 1, 1, 1, 1, 1, '1 day', '{1,1}', 'x')`, `INSERT INTO y VALUES (0, 'b', '2026-01-03', 1, 1, 1, 1, 1, '1 day', '{1,1}', 'x')`, `FLUSH`)
			undisturbed(c)
			for family, q := range queries {
				q = "SELECT * FROM (" + strings.Replace(q, " GROUP BY", " WHERE g = 'b' GROUP BY", 1) + ") AS q WHERE window_start < '2026-01-02'"
				v := "SELECT * FROM v_" + family + " WHERE g = 'b' AND window_start < '2026-01-02'"
				c.expect("SELECT * FROM (" + v + " EXCEPT ALL " + q + ") AS s UNION ALL SELECT * FROM (" + q + " EXCEPT ALL " + v + ") AS t")
				if n := c.one("SELECT count(*) FROM (" + v + ") AS s"); n == "0" {
					t.Errorf("%s has no row of the other group", family)
				}
			}
		})
	}
}

// Window functions of frames with extremes have no value for a partition, and have one
// again without them.
func TestFramesOfExtremes(t *testing.T) {
	c := start(t, "")
	c.exec(extremeTable)
	queries := map[string]string{}
	for family, calls := range extremes {
		if !strings.Contains(calls, "ORDER BY") && family != "distinct" {
			queries[family] = "SELECT id, " + namedCalls(calls, " OVER (PARTITION BY g ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)") + " FROM x"
			c.exec("CREATE MATERIALIZED VIEW v_" + family + " WITH (parallelism = 1, checkpoint_interval = '500ms') AS " + queries[family])
		}
	}
	throughExtremes(c)
	for family, q := range queries {
		c.expect(fmt.Sprintf("SELECT * FROM (SELECT * FROM v_%s EXCEPT ALL %s) AS s UNION ALL SELECT * FROM (%s EXCEPT ALL SELECT * FROM v_%s) AS t", family, q, q, family))
	}
}

// undisturbed checks that no job has failed, or started again but with the server.
func undisturbed(c *client) {
	c.t.Helper()
	c.expect(`SELECT name, state FROM millrace.jobs WHERE state <> 'running'`)
	c.expect(`SELECT job, message FROM millrace.job_events WHERE kind LIKE '%fail%'`)
	c.expect(`SELECT job FROM millrace.job_events WHERE kind = 'started' GROUP BY job HAVING count(*) > 2`)
}

// namedCalls are the calls of a list with names and what follows each.
func namedCalls(list, behind string) string {
	var named []string
	for k, call := range splitCalls(list) {
		named = append(named, fmt.Sprintf("%s%s AS r%d", call, behind, k))
	}
	return strings.Join(named, ", ")
}

// splitCalls splits at commas outside of parentheses.
func splitCalls(list string) (calls []string) {
	depth, from := 0, 0
	for i, r := range list {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				calls, from = append(calls, strings.TrimSpace(list[from:i])), i+1
			}
		}
	}
	return append(calls, strings.TrimSpace(list[from:]))
}
