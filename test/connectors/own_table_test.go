package connectors

import (
	"fmt"
	"testing"
	"time"
)

// TestTablesThatJobsWrite has changing results written to tables with a key and
// without one, while rows change and the server is killed.
func TestTablesThatJobsWrite(t *testing.T) {
	s := start(t)
	s.query(`CREATE TABLE a (id bigint PRIMARY KEY, g text, v int)`)
	s.query(`CREATE TABLE keyed (g text PRIMARY KEY, n bigint, total bigint)`)
	s.query(`CREATE TABLE plain (g text, n bigint)`)
	s.query(`CREATE TABLE pairs (v int, n bigint)`)
	s.query(`CREATE JOB keyed WITH (checkpoint_interval = '100ms') AS INSERT INTO keyed SELECT g, count(*), sum(v) FROM a GROUP BY g`)
	// Without a key a row taken back is one equal row: equal ones of several groups
	// must not disturb each other.
	s.query(`CREATE JOB plain WITH (checkpoint_interval = '100ms') AS BEGIN
		INSERT INTO plain SELECT g, count(*) FROM a GROUP BY g; INSERT INTO pairs SELECT v % 2, count(*) FROM a GROUP BY v % 2, g; END`)
	check := func() {
		t.Helper()
		s.query("FLUSH")
		same(t, "keyed", s.query(`SELECT * FROM keyed`), s.query(`SELECT g, count(*), sum(v) FROM a GROUP BY g`)...)
		same(t, "plain", s.query(`SELECT * FROM plain`), s.query(`SELECT g, count(*) FROM a GROUP BY g`)...)
		same(t, "pairs", s.query(`SELECT * FROM pairs`), s.query(`SELECT v % 2, count(*) FROM a GROUP BY v % 2, g`)...)
	}
	s.query(`INSERT INTO a SELECT i, 'g' || i % 5, i % 7 FROM generate_series(1, 200) i`)
	check()
	for round := range 4 {
		s.query(fmt.Sprintf(`UPDATE a SET g = 'g' || (id + %d) %% 4, v = v + 1 WHERE id %% 3 = %d`, round, round%3))
		s.query(fmt.Sprintf(`DELETE FROM a WHERE id %% 40 = %d`, round))
		s.restart()
		s.query(fmt.Sprintf(`INSERT INTO a VALUES (%d, NULL, 1), (%d, 'g1', NULL)`, 1000+round, 2000+round))
		if round == 2 { // groups without a name are refused by keyed, and kept once
			s.query(`DELETE FROM a WHERE g IS NULL`)
		}
		s.query("FLUSH")
		same(t, "plain", s.query(`SELECT * FROM plain`), s.query(`SELECT g, count(*) FROM a GROUP BY g`)...)
	}
	s.query(`DELETE FROM a WHERE g IS NULL`)
	check()
	same(t, "refused", s.query(`SELECT DISTINCT operator, error FROM millrace.dead_letters`), `sink(keyed)|null value in column "g" of relation "keyed" violates not-null constraint`)
}

// TestRowsOfOneKey has an append-only stream with the same keys over and over
// written to a table with a primary key: the last row of a key is the one.
func TestRowsOfOneKey(t *testing.T) {
	s := start(t)
	s.query(`CREATE SOURCE s (n bigint) WITH (connector = 'datagen', rows = '2000', rows_per_second = '1500', "fields.n.kind" = 'sequence', "fields.n.min" = '0')`)
	s.query(`CREATE TABLE last (k bigint PRIMARY KEY, n bigint)`)
	s.query(`CREATE JOB j WITH (checkpoint_interval = '100ms', parallelism = 1) AS INSERT INTO last SELECT n % 8, n FROM s`)
	time.Sleep(600 * time.Millisecond)
	s.restart()
	s.state("j", "finished")
	// A key's rows are of one split, and so in order.
	same(t, "rows", s.query(`SELECT * FROM last`), "0|1992", "1|1993", "2|1994", "3|1995", "4|1996", "5|1997", "6|1998", "7|1999")
}

// TestGeneratedColumns has them computed on insert into tables, by statements and
// by jobs, and when sources are read.
func TestGeneratedColumns(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	write(t, dir, "a.csv", "1,2024-01-01 10:00:00,X\n2,2024-01-02 11:00:00,\n")
	s.query(`CREATE SOURCE s (id bigint, day date GENERATED ALWAYS AS (ts::date), ts timestamp, low text GENERATED ALWAYS AS (lower(tx)), tx text, p timestamptz GENERATED ALWAYS AS (proctime()))
		WITH (connector = 'object', path = 'file://` + dir + `', format = 'csv')`)
	same(t, "a query", s.query(`SELECT id, day, ts, low, tx, p > '2020-01-01' FROM s`), "1|2024-01-01|2024-01-01 10:00:00|x|X|t", "2|2024-01-02|2024-01-02 11:00:00|NULL|NULL|t")
	s.query(`CREATE TABLE g (id bigint PRIMARY KEY, v int, twice bigint GENERATED ALWAYS AS (v * 2) STORED, note text DEFAULT 'none')`)
	s.query(`INSERT INTO g (id, v) VALUES (100, 4), (101, NULL)`)
	s.query(`UPDATE g SET v = 5 WHERE id = 101`)
	s.query(`CREATE JOB j WITH (checkpoint_interval = '100ms') AS INSERT INTO g (id, v) SELECT id, extract(day FROM day)::int * 10 FROM s WHERE p > '2020-01-01'`)
	s.eventually(`SELECT * FROM g`, "100|4|8|none", "101|5|10|none", "1|10|20|none", "2|20|40|none")
	s.refuse(`CREATE JOB k AS INSERT INTO g (id, twice) SELECT id, 1 FROM s`, "428C9", "twice", "generated column")
	s.refuse(`CREATE TABLE x (id int, r float GENERATED ALWAYS AS (random()))`, "42P17", "random", "not immutable")
	s.refuse(`CREATE TABLE x (id int, p timestamptz GENERATED ALWAYS AS (proctime()))`, "42P17", "proctime", "not immutable")
	s.refuse(`CREATE SINK x (id int, d int GENERATED ALWAYS AS (id)) WITH (connector = 'blackhole')`, "42P16", "d int GEN", "generated column")
}
