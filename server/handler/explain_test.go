package handler_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

func TestExplainAnalyze(t *testing.T) {
	c := start(t, "")
	orders(c, "")
	c.exec(`SAVEPOINT JOB j AS sp`)
	plan := strings.Join(c.query(`EXPLAIN ANALYZE JOB j`), "\n")
	contains(t, plan, "job j  (running, id ", ", parallelism 2)", "sink(totals)", "aggregate(orders by customer)", "rows: 3 in, ", "state: 2 rows, ", "source(orders)")
	plan = strings.Join(c.query(`EXPLAIN ANALYZE SELECT customer, count(*) FROM orders WHERE id > 1 GROUP BY customer`), "\n")
	contains(t, plan, "rows: 2 in, 2 out", "Planning Time: ", "Execution Time: ")
	c.exec(`STOP JOB j`)
	c.restart()
	contains(t, strings.Join(c.query(`EXPLAIN ANALYZE JOB j`), "\n"), "job j  (stopped, id ")
	c.fails("0A000", `EXPLAIN ANALYZE CREATE JOB k AS INSERT INTO totals SELECT customer, 1, 1 FROM orders`)
	c.fails("42704", `EXPLAIN ANALYZE JOB nope`)
	// A fork is planned as it would run.
	contains(t, strings.Join(c.query(`EXPLAIN CREATE JOB f FROM SAVEPOINT sp`), "\n"), "aggregate(orders by customer)")
}

// TestExplainAnalyzeData checks that a statement that changes rows is carried out,
// in its transaction, and that its plan tells what was done.
func TestExplainAnalyzeData(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (a int PRIMARY KEY, b text)`, `CREATE TABLE gone (a int)`)
	plan := func(sql string) string { return strings.Join(c.query(sql), "\n") }
	contains(t, plan(`EXPLAIN ANALYZE INSERT INTO t SELECT i, 'x' FROM generate_series(1, 5) AS i WHERE i <> 4`),
		"insert into t  (rows: 4)\n", "rows: 5 in, 4 out", "Planning Time: ", "Execution Time: ")
	contains(t, plan(`EXPLAIN ANALYZE INSERT INTO t VALUES (1, 'y'), (9, 'z') ON CONFLICT DO NOTHING`), "insert into t  [on conflict: nothing]  (rows: 1)\n")
	contains(t, plan(`EXPLAIN ANALYZE UPDATE t SET b = 'u' WHERE a > 2 RETURNING a`), "update t  (rows: 3)\n", "(a, b, row, version)")
	contains(t, plan(`EXPLAIN (ANALYZE) WITH d AS (DELETE FROM t WHERE a = 9 RETURNING a) INSERT INTO gone SELECT a FROM d`),
		"with d: delete from t  (rows: 1)\n", "insert into gone  (rows: 1)\n")
	contains(t, plan(`EXPLAIN ANALYZE WITH d AS (INSERT INTO gone VALUES (7) RETURNING a) SELECT a + 1 FROM d`), "with d: insert into gone  (rows: 1)\n", "rows: 1 in, 1 out")
	if got := plan(`SELECT string_agg(a || b, ',' ORDER BY a) || ' ' || (SELECT string_agg(a::text, ',' ORDER BY a) FROM gone) FROM t`); got != "1x,2x,3u,5u 7,9" {
		t.Errorf("the tables have %s", got)
	}
	c.exec(`BEGIN`)
	contains(t, plan(`EXPLAIN ANALYZE DELETE FROM t`), "delete from t  (rows: 4)\n")
	c.exec(`ROLLBACK`, `BEGIN READ ONLY`)
	c.fails("25006", `EXPLAIN ANALYZE DELETE FROM t`)
	c.exec(`ROLLBACK`, `EXPLAIN DELETE FROM t`)
	c.fails("23505", `EXPLAIN ANALYZE INSERT INTO t VALUES (1, 'x')`)
	if got := plan(`SELECT count(*) FROM t`); got != "4" {
		t.Errorf("%s rows are left", got)
	}
	if _, err := c.conn.Exec(c.ctx, `EXPLAIN ANALYZE DELETE FROM t WHERE a = $1`, 3); err != nil {
		t.Error(err)
	}
	if got := plan(`SELECT count(*) FROM t`); got != "3" {
		t.Errorf("%s rows are left", got)
	}
}

// TestExplainParameters checks that EXPLAIN has the parameters of its statement, and
// plans it for their values.
func TestExplainParameters(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (a int PRIMARY KEY, b text, d date)`, `INSERT INTO t SELECT i, 'x' FROM generate_series(1, 5) AS i`)
	for i, x := range []struct {
		sql    string
		oids   []uint32
		values []string
		plan   []string
		left   string
	}{
		{`EXPLAIN SELECT * FROM t WHERE a = $1`, []uint32{pgtype.Int4OID}, []string{"1"}, []string{"filter(a = $1)", "index: t_pkey"}, "5"},
		{`EXPLAIN SELECT * FROM t WHERE b = $2 LIMIT $1`, []uint32{pgtype.Int8OID, pgtype.TextOID}, []string{"7", "x"}, []string{"limit: 7", "b = $2"}, "5"},
		{`EXPLAIN (ANALYZE, SUMMARY off) SELECT * FROM t WHERE a > $1`, []uint32{pgtype.Int4OID}, []string{"2"}, []string{"rows: 0 in, 3 out"}, "5"},
		{`EXPLAIN INSERT INTO t VALUES ($1, $2, $3)`, []uint32{pgtype.Int4OID, pgtype.TextOID, pgtype.DateOID}, []string{"9", "y", "2026-01-01"}, []string{"insert into t"}, "5"},
		{`EXPLAIN UPDATE t SET d = $2 WHERE a < $1`, []uint32{pgtype.Int4OID, pgtype.DateOID}, []string{"3", "2026-01-01"}, []string{"update t\n", "a < $1"}, "5"},
		{`EXPLAIN WITH w AS (DELETE FROM t WHERE a = $1 RETURNING b) SELECT b || $2 FROM w`, []uint32{pgtype.Int4OID, pgtype.TextOID}, []string{"1", "z"},
			[]string{"with w: delete from t\n", "filter(a = $1)", "given rows(1)"}, "5"},
		{`EXPLAIN STATE SELECT b, count(*) FROM t WHERE a > $1 GROUP BY b`, []uint32{pgtype.Int4OID}, []string{"1"}, []string{"source(t)"}, "5"},
		{`EXPLAIN DECLARE c CURSOR FOR SELECT * FROM t WHERE a = $1`, []uint32{pgtype.Int4OID}, []string{"1"}, []string{"filter(a = $1)"}, "5"},
		{`EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT * FROM t WHERE a >= $1`, []uint32{pgtype.Int4OID}, []string{"2"}, []string{"rows: 0 in, 4 out", "Execution Time"}, "5"},
		{`EXPLAIN ANALYZE WITH w AS (DELETE FROM t WHERE a = $1 RETURNING b) SELECT b FROM w`, []uint32{pgtype.Int4OID}, []string{"1"}, []string{"with w: delete from t  (rows: 1)\n"}, "4"},
		{`EXPLAIN ANALYZE INSERT INTO t VALUES ($1, $2)`, []uint32{pgtype.Int4OID, pgtype.TextOID}, []string{"9", "y"}, []string{"insert into t  (rows: 1)\n"}, "5"},
	} {
		st, err := c.conn.PgConn().Prepare(c.ctx, fmt.Sprintf("s%d", i), x.sql, nil)
		if err != nil {
			t.Errorf("%s: %s", x.sql, describe(err))
			continue
		}
		if !slices.Equal(st.ParamOIDs, x.oids) {
			t.Errorf("%s has parameters of types %v, want %v", x.sql, st.ParamOIDs, x.oids)
		}
		var values [][]byte
		for _, v := range x.values {
			values = append(values, []byte(v))
		}
		r := c.conn.PgConn().ExecPrepared(c.ctx, st.Name, values, nil, nil).Read()
		if r.Err != nil {
			t.Errorf("%s: %s", x.sql, describe(r.Err))
		}
		var lines strings.Builder
		for _, row := range r.Rows {
			lines.Write(row[0])
			lines.WriteByte('\n')
		}
		contains(t, lines.String(), x.plan...)
		c.expect(`SELECT count(*) FROM t`, x.left)
	}
	c.expect(`SELECT name FROM pg_cursors`)
	c.fails("42P02", `EXPLAIN CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE a = $1`)
	c.fails("42P18", `EXPLAIN SELECT $2::int`)
	c.fails("42P11", `EXPLAIN DECLARE c SCROLL NO SCROLL CURSOR FOR SELECT 1`)
	c.fails("0A000", `EXPLAIN DECLARE c CURSOR FOR WITH w AS (DELETE FROM t RETURNING a) SELECT a FROM w`)
}

// TestExplainExecute checks that EXPLAIN EXECUTE tells the plan that EXECUTE runs.
func TestExplainExecute(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (a int PRIMARY KEY, b text)`, `INSERT INTO t SELECT i, 'x' FROM generate_series(1, 5) AS i`,
		`PREPARE of (int) AS SELECT * FROM t WHERE a = $1`, `PREPARE of_text (text) AS SELECT * FROM t WHERE b = $1`, `PREPARE top (int) AS SELECT a FROM t ORDER BY b LIMIT $1`,
		`PREPARE put AS INSERT INTO t VALUES ($1, $2)`, `PREPARE gone (int) AS DELETE FROM t WHERE a > $1`, `PREPARE none AS SELECT 1`)
	plan := func(sql string) string { return strings.Join(c.query(sql), "\n") }
	contains(t, plan(`EXPLAIN EXECUTE of (1)`), "filter(a = $1)", "index: t_pkey")
	contains(t, plan(`EXPLAIN ANALYZE EXECUTE of (3)`), "rows: 0 in, 1 out", "index: t_pkey", "Planning Time: ", "Execution Time: ")
	c.expect(`EXECUTE of (2)`, "2 | x")
	contains(t, plan(`EXPLAIN EXECUTE top (1 + 1)`), "limit: 2")
	contains(t, plan(`EXPLAIN EXECUTE none`), "values")
	contains(t, plan(`EXPLAIN STATE EXECUTE of (1)`), "source(t)")
	contains(t, plan(`EXPLAIN EXECUTE gone (2)`), "delete from t\n", "filter(a > $1)")
	contains(t, plan(`EXPLAIN EXECUTE put (7, 'y')`), "insert into t\n")
	c.expect(`SELECT count(*) FROM t`, "5")
	c.exec(`BEGIN`)
	contains(t, plan(`EXPLAIN (ANALYZE, SUMMARY off) EXECUTE gone (2)`), "delete from t  (rows: 3)\n", "(a, b, row, version)")
	contains(t, plan(`EXPLAIN ANALYZE EXECUTE put (7, 'y')`), "insert into t  (rows: 1)\n")
	c.expect(`SELECT count(*) FROM t`, "3")
	c.exec(`ROLLBACK`, `BEGIN READ ONLY`)
	c.fails("25006", `EXPLAIN ANALYZE EXECUTE gone (2)`)
	c.exec(`ROLLBACK`)
	c.fails("23505", `EXPLAIN ANALYZE EXECUTE put (5, 'y')`)
	// The plan follows the catalog, as that of EXECUTE does.
	c.exec(`CREATE INDEX bs ON t (b)`)
	contains(t, plan(`EXPLAIN EXECUTE of_text ('x')`), "index: bs")
	for _, sql := range []string{`EXECUTE of (1, 2)`, `EXECUTE of`, `EXECUTE of ('x')`, `EXECUTE of (true)`, `EXECUTE nothing (1)`} {
		for _, explain := range []string{`EXPLAIN `, `EXPLAIN ANALYZE `} {
			_, err := c.rows(strings.Repeat(" ", len(explain)) + sql) // the error is in the same place
			if _, got := c.rows(explain + sql); err == nil || describe(got) != describe(err) {
				t.Errorf("%s%s: %s, want %s", explain, sql, describe(got), describe(err))
			}
		}
	}
	c.fails("42P02", `EXPLAIN EXECUTE of ($1)`)
	c.fails("0A000", `EXPLAIN ANALYZE STATE EXECUTE of (1)`)
	if _, err := c.conn.PgConn().Prepare(c.ctx, "make", `CREATE TABLE z (a int)`, nil); err != nil {
		t.Fatal(err)
	}
	c.fails("0A000", `EXPLAIN EXECUTE make`)
}
