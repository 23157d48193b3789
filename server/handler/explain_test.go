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
