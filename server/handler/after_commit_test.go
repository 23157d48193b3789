package handler_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWhatFollowsACommit has a view of a transaction fail at once: the transaction is
// committed, so the client is warned, and the view after it starts all the same.
func TestWhatFollowsACommit(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (a int, b int)`, `INSERT INTO t VALUES (1, 0)`)
	c.exec(`BEGIN`, `CREATE MATERIALIZED VIEW bad WITH (bad_data = 'fail', restart = 'none') AS SELECT a / b AS x FROM t`,
		`CREATE MATERIALIZED VIEW good AS SELECT a FROM t`, `COMMIT`)
	c.expect(`SELECT * FROM good`, "1")
	c.eventually(`SELECT name, state FROM millrace.jobs ORDER BY 1`, "bad | failed", "good | running")
}

// TestCommitsBesideALostStore takes the object store away: what is created and dropped
// meanwhile is, with warnings, a savepoint fails by the store's name and as no bug, and all
// goes on when the store is back.
func TestCommitsBesideALostStore(t *testing.T) {
	dir := t.TempDir()
	store, away := filepath.Join(dir, "store"), filepath.Join(dir, "away")
	c := &client{t: t, data: t.TempDir(), objects: "file://" + store}
	c.begin()
	c.exec(`CREATE TABLE t (a int)`, `INSERT INTO t VALUES (1), (2)`)
	for _, v := range []string{"kept", "gone", "gone2"} {
		c.exec(`CREATE MATERIALIZED VIEW ` + v + ` AS SELECT sum(a) FROM t`)
		c.exec(`SAVEPOINT JOB ` + v + ` AS s_` + v)
	}
	c.noticed()
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(store, away)
	if err := os.WriteFile(store, nil, 0o600); err != nil { // so that no folder is made in its place
		t.Fatal(err)
	}
	contains(t, c.fails("58030", `SAVEPOINT JOB kept AS lost`).Message, `of job "kept" failed`, store)
	c.exec(`CREATE MATERIALIZED VIEW young AS SELECT count(*) FROM t`)
	contains(t, c.noticed(), `job "young" is between two attempts`)
	c.exec(`DROP MATERIALIZED VIEW gone, gone2`)
	contains(t, c.noticed(), "the checkpoints of a job that was dropped could not be removed")
	c.expect(`SELECT name FROM millrace.jobs ORDER BY 1`, "kept", "young")
	c.exec(`INSERT INTO t VALUES (3)`)
	c.eventually(`SELECT * FROM kept`, "6")
	if err := os.Remove(store); err != nil {
		t.Fatal(err)
	}
	move(away, store)
	c.eventually(`SELECT state FROM millrace.jobs WHERE name = 'young'`, "running")
	c.eventually(`SELECT * FROM young`, "3")
	c.exec(`SAVEPOINT JOB kept AS found`)
	contains(t, c.one(`VERIFY SAVEPOINT found`), "ok | ")
}
