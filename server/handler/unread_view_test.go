package handler_test

import (
	"strings"
	"testing"
	"time"
)

// TestViewOfThisTransaction says why a view that the transaction makes has no rows.
func TestViewOfThisTransaction(t *testing.T) {
	c := start(t, "")
	for _, sql := range []string{`SELECT * FROM v`, `SUBSCRIBE TO v`} {
		c.exec(`BEGIN`, `CREATE MATERIALIZED VIEW v AS SELECT 1 AS a`)
		if e := c.fails("55000", sql); !strings.Contains(e.Message, "this transaction makes it") || !strings.Contains(e.Hint, "COMMIT") {
			t.Errorf("%s: %s, hint %q", sql, e.Message, e.Hint)
		}
		c.exec(`ROLLBACK`)
	}
}

// TestViewOfFailedJob warns whoever reads a view whose job has failed for good, or asks
// for it to be brought up to date.
func TestViewOfFailedJob(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (id int PRIMARY KEY, v int)`, `CREATE TABLE o (id int)`,
		`CREATE MATERIALIZED VIEW v WITH (bad_data = 'fail') AS SELECT id, 100 / v AS q FROM t`, `INSERT INTO t VALUES (1, 1)`, `FLUSH`)
	for _, sql := range []string{`SELECT * FROM v`, `FLUSH`} {
		c.told = nil
		c.exec(sql)
		if len(c.told) != 0 {
			t.Errorf("%s warns of a job that runs: %v", sql, c.told[0])
		}
	}
	c.exec(`INSERT INTO t VALUES (2, 0)`)
	for c.query(`SELECT state FROM millrace.jobs`)[0] != "failed" {
		time.Sleep(10 * time.Millisecond)
	}
	for _, sql := range []string{`SELECT * FROM v`, `SELECT count(*) FROM t WHERE id IN (SELECT id FROM v)`, `INSERT INTO o SELECT id FROM v`, `FLUSH`} {
		c.told = nil
		c.exec(sql)
		if len(c.told) != 1 || c.told[0].Code != "01000" || !strings.Contains(c.told[0].Message, `job "v" has failed`) || !strings.Contains(c.told[0].Detail, "division by zero") {
			t.Errorf("%s: %v", sql, c.told)
		}
	}
}
