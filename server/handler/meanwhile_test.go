package handler_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// slow makes a view "slow" whose job runs and has no rows for as long as anybody waits.
func slow(c *client) {
	c.t.Helper()
	c.exec(`SET statement_timeout = '100ms'`, `CREATE MATERIALIZED VIEW slow AS SELECT count(*) FROM generate_series(1, 1000000000000)`, `SET statement_timeout = '60s'`)
	c.eventually(`SELECT state FROM millrace.jobs WHERE name = 'slow'`, "running")
}

// meanwhile runs statements, each in a session of its own, and when all of them wait
// another one here. It returns what became of the first ones, nil for no error.
func (c *client) meanwhile(then string, first ...string) []*pgconn.PgError {
	c.t.Helper()
	config := c.conn.Config()
	config.OnNotice = nil
	ended := make([]chan error, len(first))
	for i, sql := range first {
		conn, err := pgx.ConnectConfig(c.ctx, config)
		if err != nil {
			c.t.Fatal(err)
		}
		defer conn.Close(c.ctx)
		ended[i] = make(chan error, 1)
		go func() {
			_, err := conn.Exec(c.ctx, sql)
			ended[i] <- err
		}()
		c.eventually(`SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '`+sql+`'`, "1")
	}
	time.Sleep(100 * time.Millisecond)
	for i, sql := range first {
		if len(ended[i]) > 0 {
			c.t.Fatalf("%s did not wait: %s", sql, describe(<-ended[i]))
		}
	}
	c.exec(then)
	out := make([]*pgconn.PgError, len(first))
	for i, sql := range first {
		select {
		case err := <-ended[i]:
			if err != nil && !errors.As(err, &out[i]) {
				c.t.Fatalf("%s: %v", sql, err)
			}
		case <-time.After(20 * time.Second):
			c.t.Fatalf("%s still waits after %s", sql, then)
		}
	}
	return out
}

// Who reads a view whose job was stopped, paused or dropped before its first rows is told
// so at once, also who waits for them already.
func TestReadWithoutRows(t *testing.T) {
	c := start(t, "")
	reads := []string{`SELECT * FROM slow`, `SUBSCRIBE TO slow`, `SUBSCRIBE TO slow WITH (snapshot = false)`, `SUBSCRIBE TO (SELECT * FROM slow)`}
	for then, state := range map[string]string{`STOP JOB slow`: "stopped", `PAUSE JOB slow`: "paused"} {
		slow(c)
		check := func(sql string, e *pgconn.PgError) {
			t.Helper()
			if e == nil {
				t.Errorf("%s, %s: no error", then, sql)
			} else if e.Code != "55000" || e.Message != `materialized view "slow" has no rows: its job is `+state || e.Hint != "RESUME JOB slow starts it." {
				t.Errorf("%s, %s: %s", then, sql, describe(e))
			}
		}
		for i, e := range c.meanwhile(then, reads...) {
			check(reads[i], e)
		}
		for _, sql := range reads {
			check(sql, c.fails("55000", sql))
		}
		c.exec(`SET statement_timeout = '100ms'`)
		c.fails("57014", `RESUME JOB slow`)
		c.fails("57014", `SELECT * FROM slow`) // it waits again
		c.exec(`SET statement_timeout = '60s'`, `DROP MATERIALIZED VIEW slow`)
	}
	slow(c)
	for i, e := range c.meanwhile(`DROP MATERIALIZED VIEW slow`, reads...) {
		if e == nil {
			t.Errorf("dropped, %s: no error", reads[i])
		} else if e.Code != "42P01" || e.Message != `materialized view "slow" was dropped meanwhile` {
			t.Errorf("dropped, %s: %s", reads[i], describe(e))
		}
	}
	c.exec(`CREATE MATERIALIZED VIEW v AS SELECT 1 AS a`, `PAUSE JOB v`)
	c.expect(`SELECT * FROM v`, "1") // it had shown that
}

// Who waits for a job that another session ends is told what was done to it. FLUSH goes
// on with the other jobs, and so does what waits for a view that it has made.
func TestEndedMeanwhile(t *testing.T) {
	c := start(t, "")
	const create = `CREATE MATERIALIZED VIEW more AS SELECT count(*) FROM generate_series(1, 1000000000000)`
	for _, test := range []struct{ first, then, want string }{
		{`FLUSH`, `DROP MATERIALIZED VIEW slow`, ""},
		{`FLUSH`, `PAUSE JOB slow`, ""},
		{create, `DROP MATERIALIZED VIEW more`, ""},
		{`SAVEPOINT JOB slow AS s`, `DROP MATERIALIZED VIEW slow`, `42704: job "slow" was dropped meanwhile (at 15)`},
		{`SAVEPOINT JOB slow AS s`, `PAUSE JOB slow`, `55000: job "slow" was paused meanwhile (at 15) HINT: RESUME JOB slow starts it.`},
		{`SAVEPOINT JOB slow AS s`, `STOP JOB slow`, `55000: job "slow" was stopped meanwhile (at 15) HINT: RESUME JOB slow starts it.`},
		{`STOP JOB slow WITH SAVEPOINT s`, `DROP MATERIALIZED VIEW slow`, `42704: job "slow" was dropped meanwhile (at 10)`},
	} {
		slow(c)
		got := ""
		if e := c.meanwhile(test.then, test.first)[0]; e != nil {
			got = fmt.Sprintf("%s: %s (at %d)", e.Code, e.Message, e.Position)
			if e.Hint != "" {
				got += " HINT: " + e.Hint
			}
		}
		if got != test.want {
			t.Errorf("%s, then %s: %q", test.first, test.then, got)
		}
		c.exec(`DROP MATERIALIZED VIEW IF EXISTS slow`)
	}
	slow(c)
	c.exec(`PAUSE JOB slow`)
	e := c.fails("55000", `SAVEPOINT JOB slow`)
	contains(t, e.Message+e.Detail, `job "slow" is not running`, "Its state is paused.")
	if e := c.meanwhile(`DROP MATERIALIZED VIEW slow`, `RESUME JOB slow`)[0]; e != nil {
		t.Errorf("RESUME of a view that is dropped: %s", describe(e))
	}
}

// A transaction that uses a table which another session has dropped says which it is.
func TestTableDroppedMeanwhile(t *testing.T) {
	c := start(t, "")
	other, err := pgx.ConnectConfig(c.ctx, c.conn.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(c.ctx) }()
	for _, test := range []struct{ first, then string }{
		{`INSERT INTO d VALUES (2)`, `COMMIT`}, {`UPDATE d SET id = 3`, `COMMIT`}, {`DELETE FROM d`, `COMMIT`}, {`INSERT INTO e VALUES (1)`, `SELECT * FROM d`},
		{`INSERT INTO e VALUES (1)`, `SELECT * FROM d WHERE id = 1`}, {`INSERT INTO e VALUES (1)`, `INSERT INTO d VALUES (2)`},
		{`INSERT INTO e VALUES (1)`, `INSERT INTO d VALUES (2) ON CONFLICT (id) DO UPDATE SET id = 4`}, {`INSERT INTO e VALUES (1)`, `DELETE FROM d WHERE id = 1`},
	} {
		c.exec(`CREATE TABLE d (id int PRIMARY KEY)`, `CREATE TABLE e (id int)`, `INSERT INTO d VALUES (1)`, `BEGIN`, test.first)
		if _, err := other.Exec(c.ctx, `DROP TABLE d`); err != nil {
			t.Fatal(err)
		}
		if e := c.fails("42P01", test.then); e.Message != `table "d" was dropped meanwhile` {
			t.Errorf("%s, %s: %s", test.first, test.then, describe(e))
		}
		c.exec(`ROLLBACK`, `DROP TABLE e`)
	}
}
