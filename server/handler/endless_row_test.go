package handler_test

import (
	"strings"
	"testing"
	"time"
)

// One row that becomes very many holds up the checkpoints of its own job only, whose
// failure says why, and that job can be ended at once.
func TestRowWithoutEnd(t *testing.T) {
	c := start(t, "")
	promptly := func(sql string) {
		t.Helper()
		began := time.Now()
		c.exec(sql)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %s", sql, took)
		}
	}
	for _, from := range []string{`t, LATERAL generate_series(1, t.n) AS g`, `generate_series(1, 1000000000000) AS g`} {
		c.exec(`CREATE TABLE t (n bigint) APPEND ONLY`, `CREATE TABLE u (n bigint) APPEND ONLY`, `CREATE SINK none (n bigint) WITH (connector = 'blackhole')`,
			`CREATE JOB other WITH (checkpoint_interval = '100ms') AS INSERT INTO none SELECT n FROM u`,
			`CREATE JOB j WITH (checkpoint_interval = '100ms', checkpoint_timeout = '1s') AS INSERT INTO none SELECT g FROM `+from,
			`INSERT INTO t VALUES (1000000000000)`)
		c.eventually(`SELECT count(*) > 0 FROM millrace.job_events WHERE job = 'j' AND kind = 'checkpoint_failed' AND message LIKE
			'checkpoint % did not pass through the job within 1s: generate_series% was busy with one batch of its input for %s, and made % rows of it'`, "t")
		n := c.one(`SELECT max(n) FROM millrace.checkpoints WHERE job = 'other' AND state = 'complete'`)
		c.eventually(`SELECT max(n) > `+n+` FROM millrace.checkpoints WHERE job = 'other' AND state = 'complete'`, "t")
		c.noticed()
		promptly(`STOP JOB j`)
		if told := c.noticed(); !strings.Contains(told, `job "j" has ended without a last checkpoint`) {
			t.Errorf("STOP says: %s", told)
		}
		c.expect(`SELECT state FROM millrace.jobs WHERE name = 'j'`, "stopped")
		c.eventually(`SELECT count(*) FROM millrace.job_events WHERE job = 'j' AND kind = 'stopped' AND message LIKE 'without a last checkpoint%generate_series%'`, "1")
		c.exec(`RESUME JOB j`)
		rows := `SELECT sum(output_rows) > 1000 FROM millrace.operators WHERE job = 'j'`
		c.eventually(rows, "t")
		promptly(`PAUSE JOB j`)
		c.exec(`RESUME JOB j`)
		c.eventually(rows, "t")
		promptly(`DROP JOB j`)
		c.exec(`DROP JOB other`, `DROP TABLE t`, `DROP TABLE u`, `DROP SINK none`)
	}
}

// CREATE waits for the rows of a view no longer than statement_timeout, and a job whose first
// rows meet too many others can be ended: here the barrier was sent before they came.
func TestViewOfTooManyPairs(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (id int PRIMARY KEY)`, `INSERT INTO t SELECT generate_series(1, 3000)`, `SET statement_timeout = '3s'`)
	created := make(chan struct{})
	go func() {
		defer close(created)
		c.exec(`CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM t a, t b, t c`)
	}()
	warned := false
	for waiting := true; waiting; {
		select {
		case <-created:
			waiting = false
		case <-time.After(10 * time.Millisecond):
			warned = warned || strings.Contains(c.noticed(), "has no condition: every row of one side is paired with every row of the other")
		}
	}
	if told := c.noticed(); !warned || !strings.Contains(told, "rows of its new views are not waited for") {
		t.Errorf("CREATE warns before it waits: %v; then: %s", warned, told)
	}
	c.exec(`SET statement_timeout = '60s'`, `PAUSE JOB v`)
	if told := c.noticed(); !strings.Contains(told, `has ended without a last checkpoint`) {
		t.Errorf("PAUSE says: %s", told)
	}
	c.exec(`DROP MATERIALIZED VIEW v`)
}

// A series up to infinity would have no end: the row is a dead letter, and others go on.
func TestSeriesWithoutEnd(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (id bigint, stop timestamp)`, `CREATE MATERIALIZED VIEW days AS SELECT id, count(*) AS n FROM t, LATERAL generate_series(timestamp '2026-01-01', t.stop, '1 day') AS d GROUP BY id`,
		`INSERT INTO t VALUES (1, '2026-01-03'), (2, 'infinity'), (3, '-infinity'), (4, '2026-01-01'), (5, NULL)`, `FLUSH`)
	c.expect(`SELECT * FROM days ORDER BY id`, "1 | 3", "4 | 1")
	c.exec(`DELETE FROM t WHERE id < 4`, `FLUSH`)
	c.expect(`SELECT * FROM days`, "4 | 1")
	const of = `stop value cannot be infinity in generate_series('2026-01-01 00:00:00'::timestamp, stop, '1 day')`
	letters := `SELECT error, job_id = (SELECT id FROM millrace.jobs WHERE name = 'days') FROM millrace.dead_letters ORDER BY id`
	c.eventually(letters, of+" | t")
	c.exec(`DROP MATERIALIZED VIEW days`, `CREATE MATERIALIZED VIEW days AS SELECT id FROM t`)
	c.expect(letters, of+" | -") // it is of another job
}

// The letter of a row that a function in FROM fails on names the call.
func TestFunctionsInFromThatFail(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (id int PRIMARY KEY, x int, s text)`)
	for call, want := range map[string]string{
		`generate_series(1, 3, x) AS g`:                                      "step size cannot equal zero in generate_series(1, 3, x)",
		`LATERAL (SELECT g FROM generate_series(1, id + 2, x) AS g) AS q`:    "step size cannot equal zero in generate_series(1, id + 2, x)",
		`jsonb_array_elements_text(s::jsonb) AS g`:                           "cannot extract elements from a scalar in jsonb_array_elements_text(s::jsonb)",
		`ROWS FROM (unnest(ARRAY[1, 2]), generate_series(1, 3, x)) AS g (g)`: "step size cannot equal zero in unnest(array[1, 2]), generate_series(1, 3, x)",
	} {
		c.exec(`CREATE MATERIALIZED VIEW v AS SELECT id, g FROM t, `+call, `INSERT INTO t VALUES (1, 0, '7'), (2, 1, '[8]')`, `FLUSH`)
		c.expect(`SELECT DISTINCT id FROM v`, "2")
		c.eventually(`SELECT error FROM millrace.dead_letters WHERE job = 'v' ORDER BY id DESC LIMIT 1`, want)
		c.exec(`DROP MATERIALIZED VIEW v`, `DELETE FROM t`)
	}
}
