package handler_test

import "testing"

// TestCascadeNotice: DROP … CASCADE says what else it removed, jobs included.
func TestCascadeNotice(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (a int)`, `CREATE TABLE o (a int)`, `CREATE VIEW v AS SELECT a FROM t`)
	c.told = nil
	c.exec(`DROP TABLE t CASCADE`)
	if len(c.told) != 1 || c.told[0].Message != "drop cascades to view v" {
		t.Error(c.told)
	}
	c.exec(`CREATE TABLE t (a int)`, `CREATE VIEW v AS SELECT a FROM t`, `CREATE MATERIALIZED VIEW m AS SELECT a FROM v`, `CREATE JOB j AS INSERT INTO o SELECT a FROM t`)
	c.told = nil
	c.exec(`DROP TABLE t CASCADE`)
	want := "drop cascades to materialized view m\ndrop cascades to view v\ndrop cascades to job j"
	if len(c.told) != 1 || c.told[0].Message != "drop cascades to 3 other objects" || c.told[0].Detail != want {
		t.Error(c.told)
	}
	c.told = nil
	c.exec(`DROP TABLE o`)
	if len(c.told) != 0 {
		t.Error(c.told)
	}
}
