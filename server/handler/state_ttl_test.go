package handler_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A job takes up state_ttl with the state it has, forgets what is not written, and
// goes on without, through savepoints of both formats.
func TestStateTTL(t *testing.T) {
	formats(t, func(t *testing.T, format string) {
		c := start(t, "")
		c.exec(`CREATE TABLE clicks (k bigint, v bigint) APPEND ONLY`, `CREATE TABLE sums (k bigint PRIMARY KEY, n bigint, s bigint, d bigint)`,
			`CREATE JOB j AS INSERT INTO sums SELECT k, count(*), sum(v)::bigint, count(DISTINCT v) FROM clicks GROUP BY k`,
			`INSERT INTO clicks VALUES (1, 5), (1, 6), (2, 7)`, `FLUSH`)
		state := `SELECT k, "count(*)" FROM savepoint('%s', 'aggregate(clicks by k)') ORDER BY k`
		sums := `SELECT * FROM sums ORDER BY k`
		c.later(2 * time.Hour)
		c.exec(`ALTER JOB j SET (state_ttl = '1h')`, `FLUSH`)
		c.later(50 * time.Minute) // what is there counts as written when it was set
		c.exec(`INSERT INTO clicks VALUES (1, 5)`, `FLUSH`)
		c.expect(sums, "1 | 3 | 16 | 2", "2 | 1 | 7 | 1")
		c.later(30 * time.Minute)
		c.exec(`SAVEPOINT JOB j AS one FORMAT ` + format)
		c.expect(fmt.Sprintf(state, "one"), "1 | 3")
		contains(t, c.one(`SELECT columns FROM savepoint('one') WHERE kind = 'aggregate' AND table_name = ''`), "last written")
		c.eventually(`SELECT expired_rows > 0 FROM millrace.operators WHERE kind = 'aggregate'`, "t")
		c.exec(`INSERT INTO clicks VALUES (2, 7), (1, 6)`, `FLUSH`)
		c.expect(sums, "1 | 4 | 22 | 3", "2 | 1 | 7 | 1") // 6 had been forgotten, and counts again
		// A restore goes back to when group 1 was last written; the clock does not.
		c.exec(`STOP JOB j`, `RESTORE JOB j FROM SAVEPOINT one`, `FLUSH`)
		c.later(20 * time.Minute)
		c.exec(`ALTER JOB j RESET (state_ttl)`, `SAVEPOINT JOB j AS two FORMAT `+format)
		c.expect(fmt.Sprintf(state, "two"), "1 | 4", "2 | 1")
		if columns := c.one(`SELECT columns FROM savepoint('two') WHERE kind = 'aggregate' AND table_name = ''`); strings.Contains(columns, "last written") {
			t.Errorf("without state_ttl the columns are %s", columns)
		}
		c.later(24 * time.Hour)
		c.exec(`INSERT INTO clicks VALUES (1, 6)`, `FLUSH`)
		c.expect(sums, "1 | 5 | 28 | 3", "2 | 1 | 7 | 1")
		c.exec(`STOP JOB j`, `CREATE JOB j2 FROM SAVEPOINT two AS INSERT INTO sums SELECT k, count(*), sum(v)::bigint, count(DISTINCT v) FROM clicks GROUP BY k WITH (state_ttl = '1 day')`, `FLUSH`)
		c.expect(sums, "1 | 5 | 28 | 3", "2 | 1 | 7 | 1")
		c.exec(`DROP JOB j2`, `CREATE JOB j3 FROM SAVEPOINT one WITH (state_ttl = '0s')`, `SAVEPOINT JOB j3 AS three FORMAT `+format)
		c.later(24 * time.Hour)
		c.eventually(`SELECT count(*) > 0 FROM savepoint('three', 'aggregate(clicks by k)')`, "t")
	})
}

// A view's rows stay when the state behind them has gone, a key that begins anew
// replaces its row, and who subscribes, or computes with the view, sees the same.
func TestStateTTLOfViews(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE a (k bigint, v bigint) APPEND ONLY`, `CREATE TABLE b (k bigint, w bigint) APPEND ONLY`,
		`CREATE MATERIALIZED VIEW n WITH (state_ttl = '1h') AS SELECT k, count(*) AS n FROM a GROUP BY k`,
		`CREATE MATERIALIZED VIEW j WITH (state_ttl = '1h') AS SELECT a.k, v, w FROM a LEFT JOIN b ON a.k = b.k`,
		`CREATE MATERIALIZED VIEW h AS SELECT /*+ STATE_TTL('x' = '30 min') */ x.k, v, w FROM a AS x JOIN b ON x.k = b.k`,
		`CREATE MATERIALIZED VIEW big AS SELECT k, n FROM n`,
		`INSERT INTO a VALUES (1, 1), (1, 2), (2, 3)`, `FLUSH`)
	c.later(40 * time.Minute)
	c.exec(`INSERT INTO b VALUES (1, 10)`, `FLUSH`)
	c.expect(`SELECT * FROM h`)
	c.expect(`SELECT * FROM j ORDER BY k, v`, "1 | 1 | 10", "1 | 2 | 10", "2 | 3 | -")
	c.later(40 * time.Minute)
	c.exec(`INSERT INTO a VALUES (1, 4)`, `INSERT INTO b VALUES (2, 20)`, `FLUSH`)
	c.expect(`SELECT * FROM n ORDER BY k`, "1 | 1", "2 | 1")
	c.expect(`SELECT * FROM big ORDER BY k`, "1 | 1", "2 | 1") // its copy of the query forgot the group too
	c.expect(`SELECT * FROM j ORDER BY k, v`, "1 | 1 | 10", "1 | 2 | 10", "1 | 4 | 10", "2 | 3 | -")
	c.expect(`SELECT * FROM h`, "1 | 4 | 10")
	rows := c.query(`EXPLAIN JOB h`)
	contains(t, strings.Join(rows, "\n"), "[ttl '30 min']", "[unbounded: it keeps all rows of b")
	contains(t, strings.Join(c.query(`EXPLAIN JOB big`), "\n"), "[ttl '1 h']")
}

func TestGrowthWarnings(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE a (k bigint, v bigint) APPEND ONLY`, `CREATE TABLE b (k bigint, w text) APPEND ONLY`, `CREATE TABLE o (k bigint PRIMARY KEY, v bigint, d date, ts timestamp, c char(5))`,
		`CREATE TABLE e (k bigint, ts timestamp, WATERMARK FOR ts AS ts) APPEND ONLY`, `CREATE TABLE n (k bigint, ts timestamp) APPEND ONLY`,
		`CREATE TABLE u (k bigint PRIMARY KEY, ts timestamp, WATERMARK FOR ts AS ts)`, `CREATE VIEW w AS SELECT k, window_end, window_time, count(*) AS n FROM TUMBLE(e, ts, INTERVAL '1' MINUTE) GROUP BY k, window_start, window_end, window_time`)
	for _, x := range []struct {
		sql      string
		severity string // "": nothing is told
		at       string // the place in the statement
		parts    []string
	}{
		{`SELECT a.v, q.w FROM a, b AS q`, "WARNING", "b AS q", []string{"no equality in its condition", "1000000000000 pairs", "MB per million input rows", "BETWEEN"}},
		{`SELECT o.k FROM o JOIN o AS p ON o.d = p.ts`, "WARNING", "= p.ts", []string{"left.d = right.ts, of date and timestamp without time zone, makes no key", "1000000000000 pairs", "Cast both sides to timestamp without time zone."}},
		{`SELECT k FROM o WHERE c IN (SELECT c FROM o)`, "WARNING", "", []string{"makes no key", "Cast both sides to text."}},
		{`SELECT o.k FROM o CROSS JOIN (SELECT v FROM o AS p) AS q`, "WARNING", "o AS p", []string{"join(o, o) has no condition"}},
		{`SELECT o.k FROM o JOIN o AS p ON o.v IS NOT DISTINCT FROM p.v`, "WARNING", "IS NOT", []string{"makes no key", "coalesce"}},
		{`SELECT o.k FROM o JOIN o AS p ON o.v > p.v`, "WARNING", "> p.v", []string{"compares every row of one side with every row of the other: left.v > right.v has no equality", "1000000000000 pairs", "Join by an equality too"}},
		{`SELECT k, (SELECT count(*) FROM o AS p WHERE p.v < o.v) AS n FROM o`, "WARNING", "< o.v", []string{"compares every row of one side with every row of the other"}},
		{`SELECT k FROM o WHERE v > ANY (SELECT v FROM o AS p)`, "WARNING", "> ANY", []string{"compares every row of one side with every row of the other"}},
		{`SELECT k FROM o WHERE v > (SELECT avg(v) FROM o AS p)`, "", "", nil},
		{`SELECT k FROM o WHERE v NOT IN (SELECT v FROM o AS p)`, "", "", nil},
		{`SELECT o.k FROM o JOIN (VALUES (1), (2)) AS p(v) ON o.v > p.v`, "", "", nil},
		{`SELECT o.k FROM o JOIN (SELECT v FROM o ORDER BY v LIMIT 3) AS p ON o.v > p.v`, "", "", nil},
		{`SELECT e.k FROM e JOIN e AS f ON f.ts BETWEEN e.ts - INTERVAL '5' SECOND AND e.ts AND f.k < e.k`, "", "", nil},
		{`SELECT o.k FROM o JOIN o AS p ON o.d = p.ts AND o.k = p.k`, "", "", nil},
		{`SELECT e.k FROM e JOIN e AS f ON e.k IS NOT DISTINCT FROM f.k AND e.ts BETWEEN f.ts - INTERVAL '5' SECOND AND f.ts`, "", "", nil},
		{`SELECT o.k FROM o JOIN (VALUES (timestamp '2026-01-01')) AS p(ts) ON o.d = p.ts`, "", "", nil},
		{`SELECT a.v, b.w FROM a JOIN b ON a.k = b.k`, "WARNING", "= b.k", []string{"it keeps all rows of a and all rows of b", "bytes per row", "state_ttl"}},
		{`SELECT *, row_number() OVER (PARTITION BY k ORDER BY v) AS r FROM a`, "WARNING", "row_number", []string{"it keeps every row of its input", "MB per million input rows"}},
		{`SELECT DISTINCT k FROM a AS x`, "NOTICE", "a AS x", []string{"number of different keys", "aggregate(a by k), about", "bytes each"}},
		{`SELECT k, count(*), count(DISTINCT v) AS d FROM a GROUP BY k`, "NOTICE", "count(*)", []string{"number of different keys", "bytes each"}},
		{`SELECT k, count(*) FROM o GROUP BY k`, "", "", nil},
		{`SELECT o.v, p.k FROM o JOIN o AS p ON o.k = p.v`, "", "", nil},
		{`SELECT count(*), max(v) FROM a`, "", "", nil},
		{`SELECT count(DISTINCT v), k FROM o GROUP BY k`, "", "", nil},
		{`SELECT k, array_agg(v) AS l FROM a GROUP BY k`, "WARNING", "array_agg", []string{"it keeps every row of each group", "bytes per row", "MB per million input rows", "window that closes"}},
		{`SELECT k, percentile_cont(0.5) WITHIN GROUP (ORDER BY v) AS l FROM a GROUP BY k`, "WARNING", "percentile_cont", []string{"it keeps every row of each group", "bytes per row"}},
		{`SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY v) AS l FROM a`, "WARNING", "percentile_disc", []string{"it keeps every row of each group"}},
		{`SELECT k, string_agg(w, ',' ORDER BY w) AS l FROM b GROUP BY k`, "WARNING", "string_agg", []string{"it keeps every row of each group"}},
		{`SELECT k, string_agg(DISTINCT w, ',') AS l FROM b GROUP BY k`, "NOTICE", "string_agg", []string{"number of different keys"}},
		{`SELECT k, mode() WITHIN GROUP (ORDER BY v) AS l FROM a GROUP BY k`, "NOTICE", "mode", []string{"number of different keys"}},
		{`SELECT k, first(v ORDER BY v) AS l FROM a GROUP BY k`, "NOTICE", "first", []string{"number of different keys"}},
		{`SELECT k, percentile_cont(0.5) WITHIN GROUP (ORDER BY v) AS l FROM o GROUP BY k`, "", "", nil},
		// A condition has times that free nothing, for a reason.
		{`SELECT e.ts FROM e JOIN e AS f ON f.k = e.k AND f.ts BETWEEN e.ts - INTERVAL '1' MONTH AND e.ts`, "WARNING", "= e.k", []string{"it keeps all rows of e: months, as in the condition, are of no fixed length, and no state_ttl", "INTERVAL '31 days'"}},
		{`SELECT e.ts FROM e JOIN n ON n.k = e.k AND n.ts BETWEEN e.ts - INTERVAL '1' HOUR AND e.ts`, "WARNING", "", []string{"the condition compares times, but n has no watermark, and", "of columns with watermarks"}},
		{`SELECT e.ts FROM e JOIN u ON u.k = e.k AND u.ts BETWEEN e.ts - INTERVAL '1' HOUR AND e.ts`, "WARNING", "", []string{"it keeps all rows of e: the condition compares times, but rows of u may change at any time, and", "Join rows that only come"}},
		{`SELECT e.ts FROM e JOIN e AS f ON f.k = e.k AND date_trunc('hour', f.ts) < e.ts - INTERVAL '1' HOUR`, "WARNING", "", []string{"the condition does not compare event times of both sides in order, and"}},
		{`SELECT k, n, lag(n) OVER (PARTITION BY k ORDER BY window_end) AS l FROM w EMIT ON WINDOW CLOSE`, "WARNING", "lag", []string{"it keeps every row of its input", "Order by window_time, with EMIT ON WINDOW CLOSE"}},
		{`SELECT k, n, lag(n) OVER (PARTITION BY k ORDER BY window_time) AS l FROM w EMIT ON WINDOW CLOSE`, "", "", nil},
		{`SELECT k, n, row_number() OVER (PARTITION BY k ORDER BY window_end) AS l FROM w EMIT ON WINDOW CLOSE`, "WARNING", "row_number", []string{"Partition by a window"}},
		// What is equal in the order has one rank.
		{`SELECT * FROM (SELECT *, rank() OVER (PARTITION BY k ORDER BY v) AS r FROM a) AS q WHERE r < 3`, "WARNING", "rank()", []string{"it keeps all rows that are equal in the order", "bytes per row", "state_ttl"}},
		{`SELECT * FROM (SELECT *, dense_rank() OVER (ORDER BY v) AS r FROM a) AS q WHERE r < 3`, "WARNING", "dense_rank()", []string{"it keeps all rows that are equal in the order"}},
		{`SELECT k FROM a ORDER BY k FETCH FIRST 2 ROWS WITH TIES`, "WARNING", "", []string{"it keeps all rows that are equal in the order"}},
		{`SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY v) AS r FROM a) AS q WHERE r < 3`, "NOTICE", "row_number", []string{"number of different keys"}},
		{`SELECT k FROM a ORDER BY k LIMIT 2`, "", "", nil},
		{`SELECT * FROM (SELECT *, rank() OVER (PARTITION BY k ORDER BY v) AS r FROM o) AS q WHERE r < 3`, "", "", nil},
		{`SELECT window_end, k FROM SESSION(e, ts, INTERVAL '1' SECOND)`, "WARNING", "SESSION", []string{"it keeps every row of its input", "End the query with EMIT ON WINDOW CLOSE"}},
		{`SELECT window_end, k FROM SESSION(e, ts, INTERVAL '1' SECOND) EMIT ON WINDOW CLOSE`, "", "", nil},
		// Few constant rows are no reason to be warned, many are.
		{`SELECT x, y FROM (VALUES (1), (2)) AS v(x), generate_series(1, 3) AS y`, "", "", nil},
		{`SELECT x, y FROM (VALUES (1), (2)) AS v(x) LEFT JOIN generate_series(timestamp '2026-01-01', '2026-02-01', '1 hour') AS y ON y > now()`, "", "", nil},
		{`SELECT DISTINCT x % 7 FROM generate_series(1, 1000000) AS x`, "", "", nil},
		{`SELECT DISTINCT x FROM (VALUES (1), (2)) AS v(x), generate_series(1, 1000000) AS y`, "NOTICE", "", []string{"number of different keys"}},
		{`SELECT x, row_number() OVER (ORDER BY x) AS r FROM unnest(ARRAY[3, 2]) AS x`, "", "", nil},
		{`SELECT x FROM (VALUES (1), (2)) AS v(x) EXCEPT SELECT 2`, "", "", nil},
		{`SELECT o.v, x FROM o JOIN (VALUES (1), (2)) AS v(x) ON x = o.k`, "", "", nil},
		{`SELECT a.v, y FROM a, generate_series(1, 3) AS y`, "", "", nil},
		{`SELECT a.v, x FROM a, (VALUES (1), (2)) AS v(x)`, "WARNING", "a, (", []string{") grows without bound: it keeps all rows of a: no interval"}},
		{`SELECT a.v, y FROM a JOIN generate_series(1, 10000000) AS y ON a.k = y`, "WARNING", "generate_series", []string{"each row that comes to generate_series", "becomes 10000000 rows"}},
	} {
		c.noticed()
		sql := `CREATE MATERIALIZED VIEW v AS ` + x.sql
		c.exec(sql)
		told := c.told
		switch {
		case x.severity == "":
			if len(told) > 0 {
				t.Errorf("%s: %s", x.sql, c.noticed())
			}
		case len(told) != 1:
			t.Errorf("%s: %d messages", x.sql, len(told))
		default:
			n := told[0]
			contains(t, strings.Join([]string{n.Message, n.Detail, n.Hint}, "\n"), x.parts...)
			if code := map[string]string{"WARNING": "01000", "NOTICE": "00000"}[x.severity]; n.Severity != x.severity || n.Code != code {
				t.Errorf("%s: %s %s", x.sql, n.Severity, n.Code)
			}
			if at := strings.Index(sql, x.at) + 1; x.at != "" && int(n.Position) != at {
				t.Errorf("%s: position %d, not %d", x.sql, n.Position, at)
			}
		}
		c.exec(`DROP MATERIALIZED VIEW v`)
		c.noticed()
		whatever := func(part string) bool { return strings.Contains(x.sql+strings.Join(x.parts, ""), part) }
		if x.severity != "" && !slices.ContainsFunc([]string{"FROM a, b", "10000000", "no condition", "makes no key", "compares every row", "of each group", "mode()", "string_agg"}, whatever) {
			c.exec(`CREATE MATERIALIZED VIEW v WITH (state_ttl = '1 day') AS ` + x.sql)
			if len(c.told) > 0 {
				t.Errorf("with state_ttl, %s: %s", x.sql, c.noticed())
			}
			c.exec(`DROP MATERIALIZED VIEW v`)
		}
	}
	c.noticed()
	contains(t, c.fails("22023", `CREATE MATERIALIZED VIEW v WITH (state_ttl = 'soon') AS SELECT DISTINCT k FROM a`).Hint, "a duration such as")
}
