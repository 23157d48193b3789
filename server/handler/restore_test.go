package handler_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestRestoreEditedQuery adds and removes aggregates: the others go on, columns of
// other types and other keys do not.
func TestRestoreEditedQuery(t *testing.T) {
	formats(t, func(t *testing.T, format string) {
		c := start(t, "")
		orders(c, "")
		c.exec(`CREATE TABLE wide (customer text PRIMARY KEY, n bigint, most numeric, least numeric)`, `SAVEPOINT JOB j AS sp FORMAT `+format)
		edited := `AS INSERT INTO wide SELECT customer, count(*), max(amount), min(amount) FILTER (WHERE id > 3) FROM orders GROUP BY customer`
		before := c.one(`SELECT id, state FROM millrace.jobs`)
		rows := c.query(`EXPLAIN RESTORE JOB j FROM SAVEPOINT sp ` + edited)
		contains(t, strings.Join(rows, "\n"), "aggregate(orders by customer) | kept partly | 2 | ", "starts empty: ", "max(amount)",
			"refused, as it would give up: sum(amount); needs ALLOW NON RESTORED STATE or MAP", "source(orders) | kept | ", "sink(wide) | empty | ", "sink(totals) | dropped | ")
		e := c.fails("55000", `RESTORE JOB j FROM SAVEPOINT sp `+edited)
		contains(t, e.Message, "state columns of 1 operator would be lost")
		contains(t, e.Detail, "aggregate(orders by customer): sum(amount): 2 rows, within ")
		contains(t, e.Hint, "ALLOW NON RESTORED STATE", "MAP ('aggregate(orders by customer).sum(amount)' => DISCARD")
		c.fails("55000", `ALTER JOB j `+edited)
		c.fails("55000", `CREATE JOB f FROM SAVEPOINT sp `+edited)
		c.expect(`SELECT id, state FROM millrace.jobs`, before) // nothing has happened
		discarding := edited + ` MAP ('aggregate(orders by customer).sum(amount)' => DISCARD)`
		contains(t, strings.Join(c.query(`EXPLAIN RESTORE JOB j FROM SAVEPOINT sp `+discarding), "\n"), "given up: sum(amount)")
		contains(t, c.fails("22023", `RESTORE JOB j FROM SAVEPOINT sp `+edited+` MAP ('aggregate(orders by customer).count(*)' => DISCARD)`).Message, "has a place in the new query")
		contains(t, c.fails("42704", `RESTORE JOB j FROM SAVEPOINT sp `+edited+` MAP ('aggregate(orders by customer).sum(amout)' => DISCARD)`).Hint, `"aggregate(orders by customer).sum(amount)"`)
		c.exec(`CREATE JOB f FROM SAVEPOINT sp ` + discarding)
		contains(t, c.noticed(), "the state of aggregate(orders by customer) is kept partly", "given up: sum(amount)")
		c.exec(`DROP JOB f`, `DELETE FROM wide`)
		edited += ` ALLOW NON RESTORED STATE`
		contains(t, strings.Join(c.query(`EXPLAIN RESTORE JOB j FROM SAVEPOINT sp `+edited), "\n"), "given up: sum(amount)")
		c.exec(`RESTORE JOB j FROM SAVEPOINT sp `+edited, `INSERT INTO orders VALUES (4, 'ann', 3), (5, 'cid', 2)`, `FLUSH`)
		c.expect(`SELECT * FROM wide ORDER BY 1`, "ann | 3 | 3.00 | 3.00", "cid | 1 | 2.00 | 2.00")
		c.expect(`SELECT message FROM millrace.job_events WHERE kind = 'state_dropped'`, "aggregate(orders by customer): sum(amount) of 2 rows")
		contains(t, c.one(`SELECT sql FROM millrace.jobs`), "CREATE JOB j", "wide")
		c.restart()
		c.exec(`INSERT INTO orders VALUES (6, 'ann', 1)`, `FLUSH`)
		c.expect(`SELECT * FROM wide ORDER BY 1`, "ann | 4 | 3.00 | 1.00", "cid | 1 | 2.00 | 2.00")
		// And back, from the savepoint of the first query.
		c.exec(`RESTORE JOB j FROM SAVEPOINT sp AS INSERT INTO totals SELECT customer, count(*), sum(amount) FROM orders GROUP BY customer`, `FLUSH`)
		c.expect(totals, "ann | 4 | 16.25", "ben | 1 | 5.50", "cid | 1 | 2.00")
	})
}

// TestWrittenAgain says so only when something is.
func TestWrittenAgain(t *testing.T) {
	c := start(t, "")
	orders(c, "")
	c.exec(`STOP JOB j WITH SAVEPOINT sp`, `INSERT INTO orders VALUES (4, 'ann', 1)`, `RESUME JOB j`, `FLUSH`, `STOP JOB j`)
	for _, from := range []string{`LATEST`, `SAVEPOINT sp`} {
		c.noticed()
		c.exec(`RESTORE JOB j FROM `+from, `STOP JOB j`)
		if from == `LATEST` {
			contains(t, c.noticed(), "nothing is written again")
		}
	}
	contains(t, c.noticed(), "what it wrote after that point was taken back from table public.totals")
	c.exec(`RESUME JOB j`, `FLUSH`, `RESTORE JOB j FROM LATEST`) // what was not committed was not visible
	contains(t, c.noticed(), "nothing is written again")
	c.exec(`CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM orders`, `SAVEPOINT JOB v AS vsp`, `RESTORE JOB v FROM SAVEPOINT vsp`)
	if said := c.noticed(); !strings.Contains(said, "its rows are those of that point") || strings.Contains(said, "that is the state of job") {
		t.Errorf("a restore of a view's own savepoint said %s", said)
	}
	c.query(`EXPLAIN RESTORE JOB v FROM SAVEPOINT sp`)
	contains(t, c.noticed(), "that is the state of job j, not of job v")
	c.exec(`ALTER JOB j RENAME TO k`, `RESTORE JOB k FROM SAVEPOINT sp`)
	if said := c.noticed(); strings.Contains(said, "that is the state of job") {
		t.Errorf("a restore of a renamed job said %s", said)
	}
}

func TestStateWithoutAPlace(t *testing.T) {
	c := start(t, "")
	orders(c, "")
	c.exec(`SAVEPOINT JOB j AS sp`, `CREATE TABLE byday (amount numeric PRIMARY KEY, n bigint)`)
	id := c.one(`SELECT id FROM millrace.jobs`)
	edited := ` AS INSERT INTO byday SELECT amount, count(*) FROM orders GROUP BY amount `
	contains(t, strings.Join(c.query(`EXPLAIN RESTORE JOB j FROM SAVEPOINT sp`+edited), "\n"),
		"aggregate(orders by amount) | empty | 0 | 0 | new", "aggregate(orders by customer) | blocked | 2 | ", "| aggregate(orders by amount)")
	e := c.fails("55000", `RESTORE JOB j FROM SAVEPOINT sp`+edited)
	contains(t, e.Message, "state of 1 operator would be lost")
	contains(t, e.Detail, "aggregate(orders by customer): 2 rows, ", " bytes", "nearest: aggregate(orders by amount)")
	contains(t, e.Hint, "DISCARD", "ALLOW NON RESTORED STATE")
	if e.Position != 20 {
		t.Errorf("position %d", e.Position)
	}
	c.expect(`SELECT id = '`+id+`', state FROM millrace.jobs`, "t | running") // nothing has happened
	e = c.fails("42704", `RESTORE JOB j FROM SAVEPOINT sp`+edited+`MAP ('aggregate(orders by custome)' => DISCARD)`)
	contains(t, e.Message+e.Hint, "aggregate(orders by custome)", `Perhaps you meant "aggregate(orders by customer)".`)
	c.fails("55000", `RESTORE JOB j FROM SAVEPOINT sp`+edited+`MAP ('aggregate(orders by customer)' => 'aggregate(orders by amount)')`) // its key is another type
	c.exec(`RESTORE JOB j FROM SAVEPOINT sp`+edited+`MAP ('aggregate(orders by customer)' => DISCARD)`, `INSERT INTO orders VALUES (4, 'ann', 7)`, `FLUSH`)
	c.expect(`SELECT * FROM byday`, "7.00 | 1")
	c.exec(`RESTORE JOB j FROM SAVEPOINT sp`+edited+`ALLOW NON RESTORED STATE`, `FLUSH`)
	c.expect(`SELECT * FROM byday`, "7.00 | 1")
	// A pinned id is taken over by MAP.
	c.exec(`RESTORE JOB j FROM SAVEPOINT sp AS INSERT INTO totals SELECT /*+ ID('mine') */ customer, count(*), sum(amount) FROM orders GROUP BY customer
		MAP ('aggregate(orders by customer)' => 'mine')`, `FLUSH`)
	c.expect(totals, "ann | 3 | 19.25", "ben | 1 | 5.50")
}

func TestRestoreCheckpoints(t *testing.T) {
	c := start(t, "")
	orders(c, "WITH (checkpoint_interval = '0s', retained_checkpoints = 10)")
	newest := `SELECT max(n) FROM millrace.checkpoints WHERE state = 'complete'`
	first := c.one(newest)
	url := c.one(`SELECT url FROM millrace.checkpoints WHERE n = ` + first)
	c.exec(`INSERT INTO orders VALUES (4, 'ann', 1)`, `FLUSH`, `FLUSH`, `FLUSH`)
	last := c.one(newest)
	if number(t, last) != number(t, first)+3 {
		t.Fatalf("FLUSH of a job that writes to a table takes a checkpoint: %s, %s", first, last)
	}
	event := `SELECT message FROM millrace.job_events WHERE kind = 'started' ORDER BY at DESC LIMIT 1`
	job := c.one(`SELECT id FROM millrace.jobs`)
	c.exec(`RESTORE JOB j FROM CHECKPOINT `+first, `FLUSH`)
	c.eventually(event, "from checkpoint "+first+" of job "+job)
	c.expect(totals, "ann | 3 | 13.25", "ben | 1 | 5.50")
	c.expect(`SELECT min(n) FROM millrace.checkpoints WHERE job_id = (SELECT id FROM millrace.jobs)`, fmt.Sprint(number(t, first)+1))
	c.exec(`RESTORE JOB j FROM CHECKPOINT `+last, `FLUSH`) // of the job it was before
	c.eventually(event, "from checkpoint "+last+" of job "+job)
	c.exec(`RESTORE JOB j FROM CHECKPOINT '`+url+`'`, `FLUSH`)
	c.eventually(event, "from checkpoint "+first+" of job "+job)
	c.exec(`RESTORE JOB j FROM CHECKPOINT '`+strings.TrimSuffix(url, "/_metadata")+`'`, `FLUSH`)
	c.exec(`INSERT INTO orders VALUES (5, 'cid', 1)`, `FLUSH`, `RESTORE JOB j FROM LATEST`, `FLUSH`)
	c.expect(totals, "ann | 3 | 13.25", "ben | 1 | 5.50", "cid | 1 | 1.00")
	c.expect(`SELECT array_length(lineage, 1) FROM millrace.jobs`, "5")
	e := c.fails("42704", `RESTORE JOB j FROM CHECKPOINT 860`)
	contains(t, e.Message+e.Hint, `job "j" has no checkpoint 860`, "SHOW CHECKPOINTS FOR JOB j")
	c.fails("22023", `RESTORE JOB j FROM CHECKPOINT 'file:///nowhere'`)
	c.fails("58P01", `RESTORE JOB j FROM SAVEPOINT 'file:///nowhere'`)
	if _, err := os.Stat("/nowhere"); err == nil {
		t.Error("to look for a savepoint made a folder")
	}
	// A fork of a checkpoint of a job that is gone.
	c.exec(`DROP JOB j`, `CREATE JOB again FROM CHECKPOINT '`+url+`'`, `INSERT INTO orders VALUES (6, 'cid', 1)`, `FLUSH`)
	c.expect(totals, "ann | 3 | 13.25", "ben | 1 | 5.50", "cid | 2 | 2.00")
	c.exec(`ALTER JOB again SET (checkpoint_retention = 'delete')`, `DROP JOB again`)
	c.fails("58P01", `CREATE JOB more FROM CHECKPOINT '`+url+`'`)
}

// A place that cannot be reached is the fault of the statement that names it, or
// of the network: no internal error. The job goes on.
func TestUnreachablePlaces(t *testing.T) {
	c := start(t, "")
	orders(c, "")
	away := `s3://bucket/x/savepoint-1?endpoint=http://127.0.0.1:1`
	for _, sql := range []string{`RESTORE JOB j FROM SAVEPOINT '` + away + `'`, `EXPLAIN RESTORE JOB j FROM SAVEPOINT '` + away + `'`,
		`RESTORE JOB j FROM CHECKPOINT 's3://bucket/x/job/chk-1?endpoint=http://127.0.0.1:1'`, `CREATE JOB k FROM SAVEPOINT '` + away + `'`,
		`SELECT * FROM savepoint('` + away + `')`, `VERIFY SAVEPOINT '` + away + `'`, `SAVEPOINT JOB j TO '` + away + `'`,
		`SAVEPOINT JOB j TO 'file:///proc/nowhere'`, `SAVEPOINT JOB j TO 'file:///proc/nowhere' FORMAT CANONICAL`} {
		e := c.fails("58030", sql)
		contains(t, e.Message, "cannot ")
	}
	e := c.fails("22023", `RESTORE JOB j FROM CHECKPOINT 'file:///nowhere/chk-1'`)
	contains(t, e.Message, "file:///nowhere/chk-1")
	c.exec(`INSERT INTO orders VALUES (4, 'ann', 1)`, `FLUSH`)
	c.expect(totals, "ann | 3 | 13.25", "ben | 1 | 5.50")
}

func number(t *testing.T, s string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestClaim(t *testing.T) {
	c := start(t, "")
	orders(c, "")
	url := strings.Split(c.one(`SAVEPOINT JOB j AS sp`), " | ")[1]
	c.exec(`RESTORE JOB j FROM SAVEPOINT sp NO CLAIM`, `FLUSH`)
	c.expect(`SELECT count(*) FROM millrace.savepoints`, "1")
	c.exec(`RESTORE JOB j FROM SAVEPOINT sp CLAIM`, `INSERT INTO orders VALUES (4, 'ann', 1)`, `FLUSH`)
	c.expect(totals, "ann | 3 | 13.25", "ben | 1 | 5.50")
	c.eventually(`SELECT count(*) FROM millrace.savepoints`, "0")
	c.fails("58P01", `VERIFY SAVEPOINT '`+url+`'`)
	c.restart()
	c.exec(`INSERT INTO orders VALUES (5, 'ann', 1)`, `FLUSH`)
	c.expect(totals, "ann | 4 | 14.25", "ben | 1 | 5.50")
}

// TestSavepointInUse refuses to drop what a job would have to start from again.
func TestSavepointInUse(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE SOURCE bid WITH (connector = 'nexmark', stream = 'bid', rows_per_second = 10)`, `CREATE SINK none (n bigint) WITH (connector = 'blackhole')`,
		`CREATE JOB j WITH (checkpoint_interval = '0s') AS INSERT INTO none SELECT price FROM bid`, `SAVEPOINT JOB j AS sp`, `CREATE JOB f FROM SAVEPOINT sp`)
	e := c.fails("55006", `DROP SAVEPOINT sp`)
	contains(t, e.Message, `needed by job "f"`)
	c.exec(`SAVEPOINT JOB f`, `DROP SAVEPOINT sp`)
}

// TestTableMadeAnew blocks a restore to a position in a table that was dropped and
// made again under its name.
func TestTableMadeAnew(t *testing.T) {
	c := start(t, "")
	orders(c, "")
	c.exec(`SAVEPOINT JOB j AS sp`, `DROP JOB j`, `DROP TABLE orders`, `CREATE TABLE orders (id bigint PRIMARY KEY, customer text, amount numeric(12,2))`,
		`INSERT INTO orders VALUES (1, 'ann', 1)`, `CREATE JOB j AS INSERT INTO totals SELECT customer, count(*), sum(amount) FROM orders GROUP BY customer`)
	contains(t, strings.Join(c.query(`EXPLAIN RESTORE JOB j FROM SAVEPOINT sp`), "\n"), "source(orders) | blocked | 0 | 0 | its position is in another table of that name")
	c.fails("55000", `RESTORE JOB j FROM SAVEPOINT sp`)
	c.exec(`RESTORE JOB j FROM SAVEPOINT sp MAP ('source(orders)' => DISCARD)`, `FLUSH`)
	c.expect(totals, "ann | 3 | 13.25", "ben | 1 | 5.50")
}

// TestFileGone blocks a restore that would read on in a file that is not there.
func TestFileGone(t *testing.T) {
	c := start(t, "")
	dir := t.TempDir()
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "{\"v\":%d}\n", i)
	}
	writeFile(t, dir+"/in/a.json", b.String())
	c.exec(`CREATE SOURCE lines (v bigint) WITH (connector = 'object', path = 'file://`+dir+`/in', format = 'json', rows_per_second = 2000)`,
		`CREATE SINK none (v bigint) WITH (connector = 'blackhole')`, `CREATE JOB j AS INSERT INTO none SELECT v FROM lines`, `SAVEPOINT JOB j AS sp`)
	if err := os.Rename(dir+"/in/a.json", dir+"/in/b.json"); err != nil {
		t.Fatal(err)
	}
	contains(t, strings.Join(c.query(`EXPLAIN RESTORE JOB j FROM SAVEPOINT sp`), "\n"), `source(lines) | blocked | 0 | 0 | file "a.json" cannot be read from byte `, `the oldest there is is "b.json"`)
	contains(t, c.fails("55000", `RESTORE JOB j FROM SAVEPOINT sp`).Message, "1 source cannot be read on")
}

// TestConstantRowsOnce restores a query whose constant rows have come: they must
// not come again.
func TestConstantRowsOnce(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (x bigint)`, `INSERT INTO t VALUES (1)`, `CREATE TABLE o (n bigint, s numeric)`,
		`CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(x) AS s FROM (SELECT 100 AS x UNION ALL SELECT x FROM t) u`, `FLUSH`)
	c.expect(`SELECT * FROM v`, "2 | 101")
	c.exec(`SAVEPOINT JOB v AS sp`, `RESTORE JOB v FROM SAVEPOINT sp`, `FLUSH`)
	c.expect(`SELECT * FROM v`, "2 | 101")
	c.exec(`CREATE JOB f FROM SAVEPOINT sp AS INSERT INTO o SELECT count(*), sum(x) FROM (SELECT 7 AS x UNION ALL SELECT 100 UNION ALL SELECT x FROM t) u MAP ('materialize(v)' => DISCARD)`, `FLUSH`)
	c.expect(`SELECT max(n), max(s) FROM o`, "3 | 108")
}

func TestViewJobs(t *testing.T) {
	formats(t, func(t *testing.T, format string) {
		c := start(t, "")
		c.exec(`CREATE TABLE orders (id bigint PRIMARY KEY, customer text)`,
			`CREATE MATERIALIZED VIEW v AS SELECT customer, count(*) AS n FROM orders GROUP BY customer`, `INSERT INTO orders VALUES (1, 'ann')`, `FLUSH`)
		view := `SELECT * FROM v ORDER BY 1`
		c.expect(view, "ann | 1")
		c.exec(`SAVEPOINT JOB v AS sp FORMAT `+format, `PAUSE JOB v`, `INSERT INTO orders VALUES (2, 'ben')`)
		c.expect(view, "ann | 1") // its last rows
		c.restart()
		c.expect(view, "ann | 1")
		c.exec(`RESUME JOB v`, `FLUSH`)
		c.expect(view, "ann | 1", "ben | 1")
		c.exec(`RESTORE JOB v FROM SAVEPOINT sp`, `INSERT INTO orders VALUES (3, 'ben')`, `FLUSH`)
		c.expect(view, "ann | 1", "ben | 2")
		c.restart()
		c.expect(view, "ann | 1", "ben | 2")
		c.exec(`STOP JOB v WITH SAVEPOINT last`)
		c.expect(view, "ann | 1", "ben | 2")
		contains(t, c.fails("42809", `DROP JOB v`).Hint, "DROP MATERIALIZED VIEW v")
		c.fails("42809", `ALTER JOB v RENAME TO w`)
		c.fails("42809", `ALTER JOB v AS INSERT INTO orders SELECT 1, 'x'`)
		c.fails("42809", `RESTORE JOB v FROM SAVEPOINT sp AS INSERT INTO orders SELECT 1, 'x'`)
		e := c.fails("42809", `CREATE JOB f FROM SAVEPOINT sp`)
		contains(t, e.Message+e.Hint, "materialized view", "AS INSERT INTO")
		c.exec(`DROP MATERIALIZED VIEW v`)
		c.expect(`SELECT count(*) FROM millrace.checkpoints`, "0")
	})
}

// TestViewOfAFailedJob answers at once when there are no rows and none will come.
func TestViewOfAFailedJob(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE numbers (n bigint)`, `INSERT INTO numbers VALUES (0)`)
	// The rows are there before the first epoch, so the job fails before it.
	_, _ = c.conn.Exec(c.ctx, `CREATE MATERIALIZED VIEW v WITH (bad_data = 'fail', restart = 'none') AS SELECT 1 / n AS x FROM numbers`)
	c.eventually(`SELECT state FROM millrace.jobs`, "failed")
	e := c.fails("55000", `SELECT * FROM v`)
	contains(t, e.Message+e.Hint, "its job has failed", "division by zero", "RESUME JOB v")
	c.exec(`DELETE FROM numbers`, `INSERT INTO numbers VALUES (2)`, `DROP MATERIALIZED VIEW v`, `CREATE MATERIALIZED VIEW v AS SELECT 4 / n AS x FROM numbers`)
	c.expect(`SELECT * FROM v`, "2")
}
