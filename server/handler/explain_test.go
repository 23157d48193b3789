package handler_test

import (
	"strings"
	"testing"
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
