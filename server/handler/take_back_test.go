package handler_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTakeBack restores a job whose changes since the savepoint cancel each other:
// the rows that it wrote in between go, also after a restart, and to the savepoint
// and forth again.
func TestTakeBack(t *testing.T) {
	formats(t, func(t *testing.T, format string) {
		c := start(t, "")
		c.exec(`CREATE TABLE o (id bigint PRIMARY KEY, c bigint)`, `CREATE TABLE s (c bigint PRIMARY KEY, n bigint)`, `CREATE TABLE after (c bigint PRIMARY KEY, n bigint)`,
			`CREATE JOB e AS INSERT INTO s SELECT c, count(*) FROM o GROUP BY c`, `CREATE JOB f AS INSERT INTO after SELECT c, n FROM s`,
			`INSERT INTO o VALUES (1, 1)`, `FLUSH`, `SAVEPOINT JOB e AS spa FORMAT `+format,
			`DELETE FROM o WHERE id = 1`, `INSERT INTO o VALUES (5, 9)`, `FLUSH`, `SAVEPOINT JOB e AS spb`, `PAUSE JOB e`,
			`INSERT INTO o VALUES (2, 1)`, `DELETE FROM o WHERE id = 5`)
		c.expect(`SELECT * FROM s`, "9 | 1")
		c.restart()
		c.exec(`RESTORE JOB e FROM SAVEPOINT spa WITH (parallelism = 3)`)
		contains(t, c.noticed(), "what it wrote after that point was taken back from table public.s")
		c.exec(`FLUSH`)
		c.expect(`SELECT * FROM s`, "1 | 1")
		c.exec(`FLUSH`)
		c.expect(`SELECT * FROM after`, "1 | 1")
		c.exec(`PAUSE JOB e`, `RESTORE JOB e FROM SAVEPOINT spb`, `FLUSH`) // what was taken back comes again
		c.expect(`SELECT * FROM s`, "1 | 1")
		c.noticed()
		c.exec(`SAVEPOINT JOB e AS spc`, `RESTORE JOB e FROM SAVEPOINT spc`)
		contains(t, c.noticed(), "nothing is written again")
		c.exec(`INSERT INTO o VALUES (3, 1)`, `FLUSH`, `INSERT INTO s VALUES (7, 7)`, `UPDATE s SET n = 100 WHERE c = 1`, `PAUSE JOB e`)
		c.exec(`RESTORE JOB e FROM SAVEPOINT spb`) // what others did stays
		c.eventually(`SELECT max(n) FROM s WHERE c = 7`, "7")
		c.exec(`FLUSH`)
		c.expect(`SELECT * FROM s ORDER BY c`, "1 | 2", "7 | 7")
		c.noticed()
		c.exec(`DROP JOB e`, `CREATE JOB e FROM SAVEPOINT spb`)
		contains(t, c.noticed(), "table public.s keeps the rows that job e wrote after that checkpoint")
	})
}

// TestTakeBackGone says so when the log does not tell any more.
func TestTakeBackGone(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE o (id bigint PRIMARY KEY, c bigint)`, `CREATE TABLE s (c bigint PRIMARY KEY, n bigint)`, `CREATE SINK away (c bigint) WITH (connector = 'blackhole')`,
		`CREATE JOB e AS INSERT INTO away SELECT c FROM o`, `INSERT INTO o VALUES (1, 1)`, `FLUSH`, `SAVEPOINT JOB e AS sp`,
		`ALTER JOB e AS INSERT INTO s SELECT c, id FROM o`, `INSERT INTO o VALUES (2, 2)`, `FLUSH`)
	c.noticed()
	c.exec(`RESTORE JOB e FROM SAVEPOINT sp AS INSERT INTO s SELECT c, id FROM o`)
	contains(t, c.noticed(), "table public.s keeps the rows that the job wrote after that point: the state does not tell", "is written again")
}

// TestTakeBackAppendOnly leaves alone what is never to be taken away: views of the table
// count on that.
func TestTakeBackAppendOnly(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE o (id int, c int) APPEND ONLY`, `CREATE TABLE s (id int, c int) APPEND ONLY`, `CREATE TABLE k (c int PRIMARY KEY, n bigint)`,
		`CREATE JOB e AS BEGIN INSERT INTO s SELECT * FROM o; INSERT INTO k SELECT c, count(*) FROM o GROUP BY c; END`, `CREATE MATERIALIZED VIEW v AS SELECT c, count(*) AS n, max(id) AS m FROM s GROUP BY c`,
		`INSERT INTO o VALUES (1, 1)`, `FLUSH`, `SAVEPOINT JOB e AS sp`, `INSERT INTO o VALUES (2, 1), (3, 1)`, `FLUSH`)
	c.noticed()
	c.exec(`RESTORE JOB e FROM SAVEPOINT sp`)
	contains(t, c.noticed(), "table public.s keeps the rows that the job wrote after that point: it is APPEND ONLY", "taken back from table public.k", "is written again")
	c.exec(`FLUSH`, `FLUSH`)
	c.expect(`SELECT * FROM v`, "1 | 5 | 3")
	c.expect(`SELECT * FROM k`, "1 | 3")
}

// TestTakeBackFallingBack takes back what was written after the checkpoint that a job
// goes on from when newer ones are damaged.
func TestTakeBackFallingBack(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE o (id bigint PRIMARY KEY, c bigint)`, `CREATE TABLE s (c bigint PRIMARY KEY, n bigint)`,
		`CREATE JOB e WITH (checkpoint_interval = '0s', retained_checkpoints = 20) AS INSERT INTO s SELECT c, count(*) FROM o GROUP BY c`,
		`INSERT INTO o VALUES (1, 1)`, `FLUSH`)
	good := number(t, c.one(`SELECT max(n) FROM millrace.checkpoints WHERE state = 'complete'`))
	c.exec(`DELETE FROM o WHERE id = 1`, `INSERT INTO o VALUES (5, 9)`, `FLUSH`, `PAUSE JOB e`, `INSERT INTO o VALUES (2, 1)`, `DELETE FROM o WHERE id = 5`)
	c.expect(`SELECT * FROM s`, "9 | 1")
	id, last := c.one(`SELECT id FROM millrace.jobs`), number(t, c.one(`SELECT max(n) FROM millrace.checkpoints WHERE state = 'complete'`))
	c.stop()
	for n := good + 1; n <= last; n++ {
		if err := os.WriteFile(filepath.Join(c.data, "objects", id, fmt.Sprintf("chk-%d", n), "_metadata"), []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.boot()
	c.exec(`RESUME JOB e`, `FLUSH`)
	c.expect(`SELECT * FROM s`, "1 | 1")
	c.eventually(`SELECT count(*) > 0, count(*) FILTER (WHERE message LIKE '%keeps%' OR message LIKE '%stays%') FROM millrace.job_events WHERE kind = 'fallback'`, "t | 0")
}

// TestTakeBackOfAStream takes back from a table without a key what came of a source that
// is no table. Once the job is dropped, nobody keeps the table's changes for it.
func TestTakeBackOfAStream(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE SOURCE bid WITH (connector = 'nexmark', stream = 'bid', rows_per_second = 5000)`, `CREATE TABLE s (a bigint, n bigint)`,
		`CREATE JOB e WITH (checkpoint_interval = '20ms') AS INSERT INTO s SELECT auction % 10, count(*) FROM bid GROUP BY auction % 10`)
	c.eventually(`SELECT count(*) FROM s`, "10")
	c.exec(`SAVEPOINT JOB e AS sp`)
	for _, parallelism := range []int{1, 3} {
		n := c.one(`SELECT sum(n) FROM s`)
		c.eventually(`SELECT sum(n) > `+n+` + 1000 FROM s`, "t")
		c.noticed()
		c.exec(fmt.Sprintf(`RESTORE JOB e FROM SAVEPOINT sp WITH (parallelism = %d)`, parallelism))
		contains(t, c.noticed(), "what it wrote after that point was taken back from table public.s")
		c.expect(`SELECT count(*), count(DISTINCT a) FROM s`, "10 | 10")
	}
	c.eventually(`SELECT count(*) > 1 FROM millrace.checkpoints WHERE job_id = (SELECT id FROM millrace.jobs)`, "t")
	c.expect(`SELECT count(*), count(DISTINCT a) FROM s`, "10 | 10")
	kept := func() string {
		data, err := os.ReadFile(filepath.Join(c.data, "tables", "retained.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	contains(t, kept(), "checkpoint ", "savepoint sp")
	c.exec(`DROP JOB e`)
	if left := kept(); strings.Contains(left, "checkpoint ") {
		t.Errorf("after the job was dropped, there is kept %s", left)
	}
}

// TestTakeBackRandomly restores jobs to savepoints of any age while their input
// changes. What they come to is what views over the same queries show.
func TestTakeBackRandomly(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	c := start(t, "")
	queries := []string{`SELECT c, count(*), max(id) FROM o GROUP BY c`, `SELECT c, id, v FROM o WHERE v > 3`,
		`SELECT c, id, v FROM (SELECT *, row_number() OVER (PARTITION BY c ORDER BY v DESC, id) AS r FROM o) AS x WHERE r <= 2`, `SELECT c, sum(v), min(v) FROM o GROUP BY c HAVING count(*) > 1`}
	c.exec(`CREATE TABLE o (id bigint PRIMARY KEY, c bigint, v bigint)`, `CREATE TABLE s0 (c bigint PRIMARY KEY, n bigint, m bigint)`, `CREATE TABLE s1 (c bigint, id bigint, v bigint)`,
		`CREATE TABLE s2 (c bigint, id bigint PRIMARY KEY, v bigint)`, `CREATE TABLE s3 (c bigint PRIMARY KEY, n numeric, m bigint)`)
	for i, q := range queries {
		c.exec(fmt.Sprintf(`CREATE JOB j%d WITH (checkpoint_interval = '20ms') AS INSERT INTO s%d %s`, i, i, q), fmt.Sprintf(`CREATE MATERIALIZED VIEW v%d AS %s`, i, q))
	}
	saved, paused := make([]int, len(queries)), make([]bool, len(queries))
	resume := func(i int) {
		if paused[i] {
			c.exec(fmt.Sprintf(`RESUME JOB j%d`, i))
		}
		paused[i] = false
	}
	for step := range 60 {
		for range 1 + r.IntN(4) {
			id := r.IntN(12)
			switch r.IntN(3) {
			case 0:
				c.exec(fmt.Sprintf(`DELETE FROM o WHERE id = %d`, id))
			default:
				c.exec(fmt.Sprintf(`INSERT INTO o VALUES (%d, %d, %d) ON CONFLICT (id) DO UPDATE SET c = excluded.c, v = excluded.v`, id, r.IntN(5), r.IntN(8)))
			}
		}
		i := r.IntN(len(queries))
		switch r.IntN(5) {
		case 0:
			resume(i)
			c.exec(fmt.Sprintf(`SAVEPOINT JOB j%d AS s%d_%d`, i, i, saved[i]))
			saved[i]++
		case 1:
			c.exec(`FLUSH`)
		case 2:
			if !paused[i] {
				c.exec(fmt.Sprintf(`PAUSE JOB j%d`, i))
			}
			paused[i] = true
		case 3:
			if saved[i] > 0 {
				c.exec(fmt.Sprintf(`RESTORE JOB j%d FROM SAVEPOINT s%d_%d WITH (parallelism = %d)`, i, i, r.IntN(saved[i]), 1+r.IntN(3)))
				paused[i] = false
			}
		case 4:
			if r.IntN(4) == 0 {
				c.restart()
			}
		}
		if step%6 != 5 {
			continue
		}
		for i := range queries {
			resume(i)
		}
		c.exec(`FLUSH`)
		for i := range queries {
			want, got := c.query(fmt.Sprintf(`SELECT * FROM v%d`, i)), c.query(fmt.Sprintf(`SELECT * FROM s%d`, i))
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Fatalf("seed %d, step %d: job %d came to\n%s\nwant\n%s", seed, step, i, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}
