package handler_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestJobLifecycle(t *testing.T) {
	c := start(t, "")
	orders(c, "")
	state := `SELECT state, wanted FROM millrace.jobs`
	c.expect(state, "running | running")
	c.exec(`PAUSE JOB j`)
	c.expect(state, "paused | paused")
	e := c.fails("55000", `PAUSE JOB j`)
	contains(t, e.Message+e.Detail+e.Hint, `job "j" is not running`, "Its state is paused", "RESUME JOB j")
	if e.Position != 11 {
		t.Errorf("position %d", e.Position)
	}
	c.exec(`INSERT INTO orders VALUES (4, 'cid', 7)`)
	c.restart()
	c.expect(state, "paused | paused")
	c.expect(totals, "ann | 2 | 12.25", "ben | 1 | 5.50")
	c.exec(`RESUME JOB j`, `FLUSH`)
	c.expect(totals, "ann | 2 | 12.25", "ben | 1 | 5.50", "cid | 1 | 7.00")
	contains(t, c.fails("55000", `RESUME JOB j`).Message, `job "j" is running`)
	c.exec(`STOP JOB j`)
	c.expect(state, "stopped | stopped")
	c.exec(`STOP JOB j`) // what is stopped may be stopped
	c.exec(`RESUME JOB j`, `INSERT INTO orders VALUES (5, 'cid', 1)`, `FLUSH`)
	c.expect(totals, "ann | 2 | 12.25", "ben | 1 | 5.50", "cid | 2 | 8.00")
	c.noticed()
	c.exec(`STOP JOB IF EXISTS nope`)
	contains(t, c.noticed(), `job "nope" does not exist, skipping`)
	contains(t, c.fails("42704", `STOP JOB jj`).Hint, `Perhaps you meant "j".`)
	c.exec(`DROP JOB IF EXISTS nope`, `DROP JOB j`)
	contains(t, c.noticed(), `job "nope" does not exist, skipping`, "the checkpoints of job j stay")
	c.expect(`SELECT count(*) FROM millrace.jobs`, "0")
	c.fails("42704", `DROP JOB j`)
}

func TestStopWithSavepoint(t *testing.T) {
	formats(t, func(t *testing.T, format string) {
		c := start(t, "")
		orders(c, "")
		c.exec(`STOP JOB j WITH SAVEPOINT last FORMAT ` + format)
		contains(t, c.noticed(), "savepoint last is at file://")
		c.expect(`SELECT state FROM millrace.jobs`, "stopped")
		c.expect(`SELECT format FROM millrace.savepoints`, strings.ToLower(format))
		e := c.fails("55000", `STOP JOB j WITH SAVEPOINT again`)
		contains(t, e.Message, "is not running")
		c.exec(`INSERT INTO orders VALUES (4, 'ann', 1)`)
		c.restart()
		c.exec(`RESTORE JOB j FROM SAVEPOINT last`, `FLUSH`)
		c.expect(totals, "ann | 3 | 13.25", "ben | 1 | 5.50")
		c.exec(`DROP JOB j WITH SAVEPOINT gone`)
		c.expect(`SELECT name FROM millrace.savepoints ORDER BY created`, "last", "gone")
		// A job of that name is made of what the dropped one left.
		c.exec(`CREATE JOB j FROM SAVEPOINT gone`, `INSERT INTO orders VALUES (5, 'ann', 1)`, `FLUSH`)
		c.expect(totals, "ann | 4 | 14.25", "ben | 1 | 5.50")
	})
}

func TestDrain(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE ticks (k text, ts timestamp, WATERMARK FOR ts AS ts) APPEND ONLY`,
		`CREATE TABLE windows (at timestamp, k text, n bigint)`,
		`CREATE JOB w AS INSERT INTO windows SELECT window_start, k, count(*) FROM TUMBLE(ticks, ts, INTERVAL '1' MINUTE) GROUP BY window_start, window_end, k`,
		`INSERT INTO ticks VALUES ('a', '2020-01-01 00:00:01'), ('a', '2020-01-01 00:00:02')`, `FLUSH`)
	c.expect(`SELECT * FROM windows`)
	c.exec(`STOP JOB w DRAIN`)
	c.expect(`SELECT * FROM windows`, "2020-01-01 00:00:00 | a | 2")
}

// TestActingNow checks that what acts on a running job refuses to be part of a
// transaction, and leaves the transaction as any error does.
func TestActingNow(t *testing.T) {
	c := start(t, "")
	orders(c, "")
	c.exec(`SAVEPOINT JOB j AS sp`)
	for _, sql := range []string{`SAVEPOINT JOB j`, `CREATE SAVEPOINT x FOR JOB j`, `STOP JOB j`, `STOP JOB j WITH SAVEPOINT`, `PAUSE JOB j`, `RESUME JOB j`,
		`RESTORE JOB j FROM SAVEPOINT sp`, `ALTER JOB j SET (checkpoint_interval = '5s')`, `ALTER JOB j RENAME TO k`,
		`ALTER JOB j AS INSERT INTO totals SELECT customer, count(*), sum(amount) FROM orders GROUP BY customer`,
		`DROP JOB j WITH SAVEPOINT x`, `DROP SAVEPOINT sp`, `FLUSH`} {
		c.exec(`BEGIN`)
		c.fails("25001", sql)
		c.fails("25P02", `SELECT 1`)
		c.exec(`ROLLBACK`)
	}
	c.expect(`SELECT name, state FROM millrace.jobs`, "j | running")
	// What makes and removes jobs is part of one.
	c.exec(`BEGIN`, `DROP JOB j`, `CREATE JOB j2 FROM SAVEPOINT sp`, `ROLLBACK`)
	c.expect(`SELECT name, state FROM millrace.jobs`, "j | running")
	c.exec(`BEGIN`, `DROP JOB j`, `CREATE JOB j2 FROM SAVEPOINT sp`, `COMMIT`, `FLUSH`)
	c.expect(`SELECT name, state FROM millrace.jobs`, "j2 | running")
	// A savepoint of a transaction never touches a job.
	c.exec(`BEGIN`, `SAVEPOINT j2`, `RELEASE j2`, `COMMIT`)
}

func TestAlterOptions(t *testing.T) {
	c := start(t, "")
	orders(c, "")
	starts := `SELECT count(*) FROM millrace.job_events WHERE kind = 'started'`
	c.exec(`ALTER JOB j SET (checkpoint_interval = '50ms', retained_checkpoints = 2)`)
	c.expect(starts, "1") // live
	c.eventually(`SELECT count(*) > 3, count(*) FILTER (WHERE state = 'complete') <= 2 FROM millrace.checkpoints WHERE state IN ('complete', 'discarded')`, "t | t")
	c.exec(`ALTER JOB j SET (parallelism = 3)`)
	c.eventually(starts, "2") // with a restart
	c.exec(`INSERT INTO orders VALUES (4, 'ann', 1)`, `FLUSH`)
	c.expect(totals, "ann | 3 | 13.25", "ben | 1 | 5.50")
	c.expect(`SELECT DISTINCT parallelism FROM millrace.operators`, "3")
	c.restart()
	contains(t, strings.Join(c.query(`DESCRIBE JOB j`), "\n"), "option parallelism | 3", "option checkpoint_interval | 50ms", "option retained_checkpoints | 2")
	c.exec(`ALTER JOB j RESET (parallelism, checkpoint_interval)`)
	c.eventually(`SELECT DISTINCT parallelism FROM millrace.operators`, "2")
	if all := strings.Join(c.query(`DESCRIBE JOB j`), "\n"); strings.Contains(all, "option parallelism") {
		t.Errorf("an option was not taken back:\n%s", all)
	}
	e := c.fails("42704", `ALTER JOB j SET (paralelism = 3)`)
	contains(t, e.Message+e.Hint, `unknown job option "paralelism"`, "checkpoint_interval, ")
	e = c.fails("22023", `ALTER JOB j SET (restart = 'never')`)
	contains(t, e.Message+e.Hint, `"restart"`, "none, fixed_delay, failure_rate, exponential_delay")
	c.fails("42704", `ALTER JOB j RESET (nope)`)
	c.exec(`STOP JOB j`, `ALTER JOB j SET (parallelism = 4)`)
	c.expect(`SELECT state FROM millrace.jobs`, "stopped")
}

func TestRenameJob(t *testing.T) {
	c := start(t, "")
	orders(c, "")
	c.exec(`SAVEPOINT JOB j AS sp`)
	id := c.one(`SELECT id FROM millrace.jobs`)
	c.exec(`CREATE JOB other AS INSERT INTO totals SELECT customer, 1, 0 FROM orders`)
	e := c.fails("42710", `ALTER JOB j RENAME TO other`)
	if e.Position != 23 {
		t.Errorf("position %d", e.Position)
	}
	c.exec(`DROP JOB other`, `ALTER JOB j RENAME TO k`)
	c.expect(`SELECT name, id = '`+id+`', state FROM millrace.jobs`, "k | t | running")
	c.expect(`SELECT name, job FROM millrace.savepoints`, "sp | k")
	c.exec(`ALTER JOB k SET (parallelism = 2)`)
	c.expect(`SELECT parallelism FROM (SELECT max(parallelism) AS parallelism FROM millrace.operators) o`, "2")
	contains(t, c.one(`SHOW CREATE JOB k`), "CREATE JOB k WITH (", "parallelism = '2'", " AS INSERT INTO totals ")
	c.exec(`INSERT INTO orders VALUES (4, 'ann', 1)`, `FLUSH`, `PAUSE JOB k`, `RESUME JOB k`)
	c.fails("42704", `PAUSE JOB j`)
	c.restart()
	c.exec(`INSERT INTO orders VALUES (5, 'ann', 1)`, `FLUSH`)
	c.eventually(totals, "ann | 4 | 14.25", "ben | 1 | 5.50")
	c.expect(`SELECT DISTINCT job FROM millrace.operators`, "k")
}

func TestAlterQuery(t *testing.T) {
	c := start(t, "")
	orders(c, "")
	c.noticed()
	// An aggregate comes: it counts from now on, the others go on.
	c.exec(`CREATE TABLE wide (customer text PRIMARY KEY, n bigint, total numeric, most numeric)`)
	e := c.fails("55000", `ALTER JOB j AS INSERT INTO wide SELECT status, count(*), 0, 0 FROM (SELECT id, 'x' AS status FROM orders) o GROUP BY status`)
	contains(t, e.Detail, "aggregate(orders by customer): 2 rows")
	contains(t, e.Hint, "MAP", "ALLOW NON RESTORED STATE")
	c.exec(`INSERT INTO orders VALUES (4, 'ann', 1)`, `FLUSH`)
	c.expect(totals, "ann | 3 | 13.25", "ben | 1 | 5.50") // the old job goes on
	c.exec(`ALTER JOB j AS INSERT INTO wide SELECT customer, count(*), sum(amount), max(amount) FROM orders GROUP BY customer`)
	contains(t, c.noticed(), "job j goes on as ", " with the state of checkpoint ")
	c.exec(`INSERT INTO orders VALUES (5, 'ann', 3), (6, 'cid', 4)`, `FLUSH`)
	c.expect(`SELECT * FROM wide ORDER BY 1`, "ann | 4 | 16.25 | 3.00", "cid | 1 | 4.00 | 4.00")
	contains(t, c.one(`SELECT sql FROM millrace.jobs`), "wide", "max(")
	// One goes, and the job stays stopped when it was.
	contains(t, strings.Join(c.query(`EXPLAIN ALTER JOB j AS INSERT INTO totals SELECT customer, count(*), 0 FROM orders GROUP BY customer`), "\n"), "refused, as it would give up: sum(amount)")
	c.exec(`STOP JOB j`)
	contains(t, c.fails("55000", `ALTER JOB j AS INSERT INTO totals SELECT customer, count(*), 0 FROM orders GROUP BY customer`).Detail, "max(amount)")
	c.exec(`ALTER JOB j AS INSERT INTO totals SELECT customer, count(*), 0 FROM orders GROUP BY customer ALLOW NON RESTORED STATE`)
	contains(t, c.noticed(), "job j stays stopped")
	contains(t, c.fails("22023", `ALTER JOB j AS INSERT INTO totals SELECT 'x', 1, 2 FROM orders MAP ('a' => 'b', 'a' => DISCARD)`).Message, `MAP names "a" twice`)
	c.expect(`SELECT state FROM millrace.jobs`, "stopped")
	c.restart()
	c.exec(`RESUME JOB j`, `INSERT INTO orders VALUES (7, 'ann', 3)`, `FLUSH`)
	c.expect(`SELECT customer, n FROM totals ORDER BY 1`, "ann | 5", "ben | 1")
	c.fails("42P01", `ALTER JOB j AS INSERT INTO totals SELECT customer, count(*), 0 FROM nope GROUP BY customer`)
}

func TestFork(t *testing.T) {
	formats(t, func(t *testing.T, format string) {
		c := start(t, "")
		orders(c, `WITH (checkpoint_interval = '77s')`)
		c.exec(`SAVEPOINT JOB j AS sp FORMAT `+format, `INSERT INTO orders VALUES (4, 'ann', 1)`, `FLUSH`,
			`CREATE TABLE copy (customer text PRIMARY KEY, n bigint)`)
		c.noticed()
		c.exec(`CREATE JOB f FROM SAVEPOINT sp AS INSERT INTO copy SELECT customer, count(*) FROM orders GROUP BY customer ALLOW NON RESTORED STATE WITH (parallelism = 1)`)
		contains(t, c.noticed(), "job f begins with the state of job j at checkpoint ")
		c.exec(`FLUSH`)
		c.expect(`SELECT * FROM copy ORDER BY 1`, "ann | 3") // ben did not change since
		c.expect(`SELECT count(DISTINCT id) FROM millrace.jobs`, "2")
		c.expect(`SELECT lineage = ARRAY[(SELECT id FROM millrace.jobs WHERE name = 'j')] FROM millrace.jobs WHERE name = 'f'`, "t")
		contains(t, strings.Join(c.query(`DESCRIBE JOB f`), "\n"), "option checkpoint_interval | 77s", "option parallelism | 1")
		contains(t, c.fails("42710", `CREATE JOB f FROM SAVEPOINT sp`).Message, `job "f" already exists`)
		c.exec(`CREATE JOB IF NOT EXISTS f FROM SAVEPOINT sp`)
		c.fails("42704", `CREATE JOB g FROM SAVEPOINT nope`)
		c.fails("22023", `CREATE JOB g FROM LATEST`)
		e := c.fails("55000", `CREATE JOB g FROM SAVEPOINT sp AS INSERT INTO copy SELECT customer, 1 FROM orders`)
		contains(t, e.Detail, "aggregate(orders by customer): 2 rows")
		c.exec(`CREATE JOB g FROM SAVEPOINT sp AS INSERT INTO copy SELECT customer, 1 FROM orders MAP ('aggregate(orders by customer)' => DISCARD)`)
		// The jobs are on their own.
		c.exec(`DROP JOB j`, `DROP JOB g`, `INSERT INTO orders VALUES (5, 'ben', 1)`, `FLUSH`)
		c.eventually(`SELECT n FROM copy WHERE customer = 'ben'`, "2")
	})
}

// TestForkElsewhere boots a job on another server from a savepoint by URL.
func TestForkElsewhere(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return "path = 'file://" + dir + "/" + name + "', format = 'json'" }
	ddl := []string{`CREATE SOURCE events (k text, v bigint) WITH (connector = 'object', ` + path("in") + `, secret_key = 'hush', access_key = 'x')`,
		`CREATE VIEW big AS SELECT * FROM events WHERE v > 1`,
		`CREATE SINK out (k text, n bigint) WITH (connector = 'object', ` + path("out") + `)`}
	a := start(t, "")
	for i := range 3 {
		writeFile(t, fmt.Sprintf("%s/in/%d.json", dir, i), `{"k":"a","v":`+fmt.Sprint(i+1)+"}\n")
	}
	a.exec(ddl...)
	a.exec(`CREATE JOB c WITH (checkpoint_interval = '50ms') AS INSERT INTO out SELECT k, count(*) FROM big GROUP BY k`)
	a.eventually(`SELECT sum(rows) FROM millrace.source_splits`, "3")
	url := strings.Split(a.one(`SAVEPOINT JOB c TO 'file://`+dir+`/saved' FORMAT CANONICAL`), " | ")[1]
	a.stop()
	b := start(t, "")
	e := b.fails("42P01", `CREATE JOB c FROM SAVEPOINT '`+url+`'`)
	contains(t, e.Message, `source "events"`, `view "big"`, `sink "out"`)
	contains(t, e.Detail, "CREATE SOURCE events", "CREATE VIEW big", "********")
	if strings.Contains(e.Detail, "hush") {
		t.Errorf("a secret is shown: %s", e.Detail)
	}
	b.exec(strings.Join(append(ddl, `CREATE JOB c FROM SAVEPOINT '`+url+`'`), ";\n")) // one transaction
	writeFile(t, dir+"/in/9.json", `{"k":"a","v":9}`+"\n")
	b.eventually(`SELECT sum(rows) FROM millrace.source_splits`, "4")
	n := b.query(`SELECT "count(*)" FROM savepoint('` + url + `', 'aggregate(events by k)')`)
	if len(n) != 1 || n[0] != "2" {
		t.Errorf("the savepoint has %v", n)
	}
	b.exec(`SAVEPOINT JOB c AS now`)
	b.expect(`SELECT "count(*)" FROM savepoint('now', 'aggregate(events by k)')`, "3")
}
