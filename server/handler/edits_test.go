package handler_test

import (
	"strings"
	"testing"
)

// TestAddedOverChanges: an aggregate that is added over rows that change is asked to
// take away rows that it has not seen. That fails no job and makes no count negative,
// through restarts and restores, and is right once the group has lost its rows.
func TestAddedOverChanges(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE p (id int PRIMARY KEY, c int, amt int)`,
		`CREATE TABLE r (c int PRIMARY KEY, n bigint, a numeric, counted bigint, filtered bigint, total bigint, high int)`,
		`CREATE JOB j WITH (checkpoint_interval = '50ms') AS INSERT INTO r (c, n) SELECT c, count(*) FROM p GROUP BY c`,
		`INSERT INTO p VALUES (1, 1, 10), (2, 1, 20), (3, 1, 10), (11, 2, 10), (12, 2, 20)`, `FLUSH`)
	c.noticed()
	query := `SELECT c, count(*), avg(amt), count(amt), count(*) FILTER (WHERE amt > 1), sum(amt), max(amt) FROM p GROUP BY c`
	c.exec(`ALTER JOB j AS INSERT INTO r ` + query)
	contains(t, c.noticed(), "over rows that change it is wrong in groups that are there, until they have lost all their rows",
		"MAP ('aggregate(p by c)' => DISCARD, 'source(p)' => DISCARD) begins it anew")
	for _, sql := range []string{`INSERT INTO p VALUES (4, 1, 7)`, `DELETE FROM p WHERE id = 2`, `UPDATE p SET amt = 7 WHERE id = 1`, `DELETE FROM p WHERE id = 4`, `UPDATE p SET amt = 8 WHERE id = 3`} {
		c.exec(sql, `FLUSH`)
		c.expect(`SELECT count(*) FROM r WHERE counted < 0 OR filtered < 0 OR total < 0`, "0")
	}
	c.eventually(`SELECT unmatched_rows > 0 FROM millrace.operators WHERE id = 'aggregate(p by c)'`, "t")
	c.restart()
	c.exec(`UPDATE p SET amt = amt + 1`, `FLUSH`, `SAVEPOINT JOB j AS sp`, `RESTORE JOB j FROM SAVEPOINT sp AS INSERT INTO r `+query)
	c.expect(`SELECT count(*) FROM r WHERE counted < 0 OR filtered < 0 OR total < 0`, "0")
	// The rows of a group go and others come at once.
	c.exec(`BEGIN`, `DELETE FROM p`, `INSERT INTO p VALUES (5, 1, 3), (6, 1, NULL), (7, 2, 5)`, `COMMIT`, `FLUSH`)
	c.expect(`SELECT * FROM r ORDER BY c`, c.query(query+` ORDER BY c`)...)
	c.exec(`UPDATE p SET amt = amt * 2`, `DELETE FROM p WHERE id = 5`, `FLUSH`)
	c.expect(`SELECT * FROM r ORDER BY c`, c.query(query+` ORDER BY c`)...)
}

// TestAddedWithoutGroups is the same for the one group of a query without GROUP BY, whose
// filter went as well.
func TestAddedWithoutGroups(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE p (id int PRIMARY KEY, amt int)`, `CREATE TABLE r (k int PRIMARY KEY, n bigint, a numeric, d numeric)`,
		`CREATE JOB j WITH (checkpoint_interval = '50ms') AS INSERT INTO r (k, n) SELECT 1, count(*) FROM p WHERE amt > 15`,
		`INSERT INTO p VALUES (1, 10), (2, 20), (3, 10)`, `FLUSH`,
		`ALTER JOB j AS INSERT INTO r SELECT 1, count(*), avg(amt), stddev(amt) FROM p`,
		`DELETE FROM p WHERE id <> 2`, `FLUSH`)
	c.expect(`SELECT * FROM r`, "1 | 0 | - | -")
	c.exec(`DELETE FROM p`, `INSERT INTO p VALUES (4, 3), (5, 4)`, `FLUSH`)
	c.expect(`SELECT * FROM r`, c.query(`SELECT 1, count(*), avg(amt), stddev(amt) FROM p`)...)
}

// TestEditsTell: what an edit does to rows that were there before is said by the
// statement itself, whatever the verdict.
func TestEditsTell(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE a (id int PRIMARY KEY, c int, amt int)`, `CREATE TABLE bag (id int, v int)`, `CREATE TABLE keyed (id int PRIMARY KEY, v int)`, `CREATE TABLE n (c int PRIMARY KEY, n bigint)`,
		`CREATE TABLE sums (c int PRIMARY KEY, s bigint)`, `CREATE TABLE before (id int PRIMARY KEY, v int)`,
		`CREATE JOB w WITH (checkpoint_interval = '50ms') AS INSERT INTO sums SELECT c, sum(n) FROM (SELECT c, count(*) OVER (PARTITION BY c ORDER BY id) AS n FROM a) x GROUP BY c`,
		`CREATE JOB l AS INSERT INTO before SELECT id, lag(amt) OVER (PARTITION BY c ORDER BY id) FROM a`,
		`CREATE JOB b AS INSERT INTO bag SELECT id, amt FROM a`,
		`CREATE JOB k AS INSERT INTO keyed SELECT id, amt FROM a`,
		`CREATE JOB g AS INSERT INTO n SELECT c, count(*) FROM a GROUP BY c`,
		`INSERT INTO a VALUES (1, 1, 10), (2, 1, 20), (3, 2, 5)`, `FLUSH`)
	for _, e := range [][2]string{
		{`ALTER JOB b AS INSERT INTO bag SELECT id, amt * 10 FROM a`, "the state of sink(bag) is kept: rows that were written before stay when they change or go: v was amt and is now amt * 10"},
		{`ALTER JOB b AS INSERT INTO bag SELECT id, amt * 10 FROM a`, ""},
		{`RESTORE JOB b FROM LATEST AS INSERT INTO bag (id) SELECT id FROM a`, "v was amt * 10 and is now null"},
		{`ALTER JOB k AS INSERT INTO keyed SELECT id, amt * 10 FROM a`, ""},
		{`ALTER JOB k AS INSERT INTO keyed SELECT id + 1, amt * 10 FROM a`, "the state of sink(keyed) is kept: rows that were written before stay when they change or go: id was id and is now id + 1"},
		{`ALTER JOB g AS INSERT INTO n SELECT c, count(*) FROM a WHERE amt > 8 GROUP BY c`, "the state of aggregate(a by c) is kept: rows that came before stay, whether or not amt > 8"},
		{`ALTER JOB w AS INSERT INTO sums SELECT c, sum(n) FROM (SELECT c, count(*) OVER (PARTITION BY c ORDER BY id ROWS 1 PRECEDING) AS n FROM a) x GROUP BY c`,
			"count(*) was over (order by id) and is now over (order by id rows between 1 preceding and current row); over rows that change it is wrong in groups that are there, until they have lost all their rows; MAP ('aggregate("},
		{`RESTORE JOB w FROM LATEST AS INSERT INTO sums SELECT c, sum(n) FROM (SELECT c, count(*) OVER (PARTITION BY c ORDER BY id DESC ROWS 1 PRECEDING) AS n FROM a) x GROUP BY c`,
			"and is now over (order by id desc rows between 1 preceding and current row); over rows that change"},
		{`ALTER JOB l AS INSERT INTO before SELECT id, lag(amt, 2) OVER (PARTITION BY c ORDER BY id) FROM a`,
			"rows that came out before stay as they are until their own results change: lag(amt, 2) over (order by id) is new; in rows that came before, until they change, lag(amt, 2) finds null for 2"},
		{`ALTER JOB g AS INSERT INTO n SELECT c, count(*) FROM a GROUP BY c`, "is kept partly: starts empty: rows that amt > 8 left out"},
	} {
		c.noticed()
		c.exec(e[0])
		if told := c.noticed(); !strings.Contains(told, e[1]) || e[1] == "" && strings.Contains(told, "the state of sink") {
			t.Errorf("%s tells\n%s\nwant\n%s", e[0], told, e[1])
		}
	}
}

// TestDrainedGoesOn: whoever goes on from state in which event time has ended is warned.
func TestDrainedGoesOn(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE ticks (ts timestamp, WATERMARK FOR ts AS ts) APPEND ONLY`, `CREATE TABLE windows (at timestamp, n bigint)`,
		`CREATE JOB w AS INSERT INTO windows SELECT window_start, count(*) FROM TUMBLE(ticks, ts, INTERVAL '1' MINUTE) GROUP BY window_start, window_end`,
		`INSERT INTO ticks VALUES ('2020-01-01')`, `FLUSH`, `SAVEPOINT JOB w AS before`, `STOP JOB w`)
	warned := func(want bool, sql ...string) {
		t.Helper()
		c.noticed()
		c.exec(sql...)
		if strings.Contains(c.noticed(), "event time has ended in it") != want {
			t.Errorf("%s warns: %v", sql, !want)
		}
	}
	warned(false, `RESUME JOB w`)
	warned(false, `STOP JOB w WITH SAVEPOINT drained DRAIN`)
	warned(true, `RESUME JOB w`)
	warned(true, `CREATE JOB w2 FROM SAVEPOINT drained`)
	warned(true, `RESTORE JOB w FROM SAVEPOINT drained`)
	warned(false, `CREATE JOB w3 FROM SAVEPOINT before`)
	warned(false, `RESTORE JOB w FROM SAVEPOINT drained MAP ('window_aggregate(ticks, tumble ts 1 min)' => DISCARD)`)
	warned(false, `RESTORE JOB w FROM SAVEPOINT before`)
}
