package handler_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// refused are statements that parse and cannot be carried out. The mark ‸ is
// where the error must point; the refusal names what it is about.
var refused = []struct{ sql, feature string }{
	{`SELECT * FROM t ‸FOR UPDATE`, "FOR UPDATE"},
	{`SELECT * FROM t LIMIT 1 ‸FOR SHARE OF t NOWAIT`, "FOR SHARE OF t NOWAIT"},
	{`SELECT (SELECT a FROM t ‸FOR UPDATE SKIP LOCKED)`, "FOR UPDATE SKIP LOCKED"},
	{`SELECT sum(a) OVER (ORDER BY a ROWS ‸(SELECT 1) PRECEDING) FROM t`, "a subquery in"},
	{`SELECT ‸count(VARIADIC ARRAY[1])`, "VARIADIC"},
	{`SELECT ‸lower(x => 'a')`, "named arguments of lower"},
	{`SELECT ‸savepoint('sp', 'op')`, "reading an operator's state here"},
	{`SELECT * FROM t FOR SYSTEM_TIME AS OF ‸now()`, "FOR SYSTEM_TIME AS OF"},
	{`SELECT '12:00'::‸timetz`, "the type time with time zone"},
	{`SELECT NULL::‸xml`, "the type xml"},
	{`SELECT ‸B'101'`, "the type bit"},
	{`CREATE SINK x (a int GENERATED ‸ALWAYS AS IDENTITY) WITH (connector = 'blackhole')`, "an identity column of a relation with a connector"},
	{`CREATE TABLE x (a int GENERATED ALWAYS AS IDENTITY (‸SEQUENCE NAME q))`, "SEQUENCE of an identity column"},
	{`CREATE TABLE x (a int, UNIQUE (a) ‸DEFERRABLE)`, "a deferrable constraint"},
	{`CREATE SINK x (a int ‸UNIQUE) WITH (connector = 'blackhole')`, "a UNIQUE constraint on a relation with a connector"},
	{`CREATE SINK x (a int ‸CHECK (a > 0)) WITH (connector = 'blackhole')`, "a CHECK constraint on a relation with a connector"},
	{`‸CREATE TEMP TABLE x (a int)`, "CREATE TEMPORARY TABLE"},
	{`CREATE TABLE x AS ‸SELECT 1`, "CREATE TABLE … AS"},
	{`‸CREATE TEMP VIEW x AS SELECT 1`, "CREATE TEMPORARY VIEW"},
	{`CREATE VIEW w AS WITH d AS (‸DELETE FROM t RETURNING *) SELECT * FROM d`, "a data-modifying statement in WITH"},
	{`CREATE INDEX ON ‸v (a)`, "an index on a view"},
	{`COPY t FROM '/etc/passwd'`, "COPY with a file of the server"},
	{`COPY t FROM STDIN WITH (‸ENCODING 'LATIN1')`, "COPY encoding LATIN1"},
	{`EXPLAIN ANALYZE ‸CREATE VIEW z AS SELECT 1`, "EXPLAIN ANALYZE of this statement"},
	{`ALTER TABLE t ‸OWNER TO x`, "ALTER TABLE … OWNER TO"},
	{`ALTER TABLE t ‸ALTER b SET STATISTICS 10`, "ALTER TABLE … ALTER COLUMN"},
	{`ALTER TABLE t ADD CHECK (a > 0) ‸NOT VALID`, "NOT VALID"},
	{`‸ALTER SYSTEM SET work_mem = '1MB'`, "ALTER SYSTEM"},
	{`‸LISTEN x`, "LISTEN"},
	{`‸NOTIFY x`, "NOTIFY"},
	{`‸USE x`, "USE"},
	{`SELECT '(a)\1' ‸~ '(a)\1'`, "a back reference in a regular expression"},
	{`SELECT ‸date_bin('1 month', now(), now())`, "intervals containing months or years"},
	{`CREATE MATERIALIZED VIEW x AS SELECT * FROM ‸pg_class`, "a continuous query over pg_catalog.pg_class"},
	{`CREATE JOB x AS INSERT INTO t SELECT * FROM u ON CONFLICT (a) DO UPDATE SET b = excluded.b`, "ON CONFLICT DO UPDATE in a job"},
}

// inTransaction are statements that act at once, and so refuse to run in a
// transaction block.
var inTransaction = []string{`FLUSH`, `SAVEPOINT JOB x`, `STOP JOB x`, `PAUSE JOB x`, `RESUME JOB x`, `ALTER JOB x SET (parallelism = 2)`,
	`RESTORE JOB x FROM LATEST`, `DROP SAVEPOINT x`, `DISCARD ALL`}

// TestRefusals checks that what cannot be executed is refused by name and points
// at what is at fault.
func TestRefusals(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (a int PRIMARY KEY, b text)`, `CREATE TABLE u (a int, b text)`, `CREATE VIEW v AS SELECT * FROM t`, `INSERT INTO t VALUES (1, 'x')`)
	for _, r := range refused {
		before, after, marked := strings.Cut(r.sql, "‸")
		_, err := c.conn.Exec(c.ctx, before+after)
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "0A000" {
			t.Errorf("%s\nfailed with %s, want 0A000", r.sql, describe(err))
			continue
		}
		if !strings.Contains(e.Message, r.feature) {
			t.Errorf("%s\nis refused with %q, which does not name %s", r.sql, e.Message, r.feature)
		}
		if want := int32(utf8.RuneCountInString(before)) + 1; e.Position <= 0 || marked && e.Position != want {
			t.Errorf("%s\n(%s) points at %d, want %d", r.sql, e.Message, e.Position, want)
		}
	}
	for _, sql := range inTransaction {
		c.exec("BEGIN")
		_, err := c.conn.Exec(c.ctx, "  "+sql)
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "25001" || e.Position != 3 {
			t.Errorf("%s in a transaction gives %v, position %d", sql, err, e.Position)
		}
		c.exec("ROLLBACK")
	}
}

// TestPositionsInViews checks that an error in what a view computes points at the
// view, not somewhere by an offset in the view's own text.
func TestPositionsInViews(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (a int, b text)`, `INSERT INTO t VALUES (0, 'x')`, `CREATE VIEW v AS SELECT 'a long text' AS x, 1 / a AS y FROM t`)
	if e := c.fails("22012", `SELECT x, y FROM v`); e != nil && e.Position != 18 {
		t.Errorf("the error of a view's column points at %d", e.Position)
	}
	if e := c.fails("42P02", `SELECT a FROM t WHERE a = $1`); e != nil && e.Position != 27 {
		t.Errorf("a parameter nobody gives is said to be at %d", e.Position)
	}
	if e := c.fails("42704", `SELECT * FROM savepoint('nope')`); e != nil && e.Position != 15 {
		t.Errorf("a savepoint that does not exist is said to be at %d", e.Position)
	}
}

// TestSubscribeAtABadRow does what the error of a subscription to a query tells to do.
func TestSubscribeAtABadRow(t *testing.T) {
	c := start(t, "")
	c.exec(`CREATE TABLE t (id int PRIMARY KEY)`, `INSERT INTO t VALUES (1), (2)`)
	const query = `SELECT id, 1 / (id - 1) AS r FROM t`
	if e := c.fails("22012", `SUBSCRIBE TO (`+query+`)`); e != nil {
		contains(t, e.Message, `division by zero in 1 / (id - 1), in the row: {`)
		if want := "A materialized view of the query goes on without such rows, unless bad_data is 'fail'; subscribe to that."; e.Hint != want {
			t.Errorf("the hint is %q", e.Hint)
		}
	}
	c.exec(`CREATE MATERIALIZED VIEW v AS `+query, `BEGIN`, `DECLARE s CURSOR FOR SUBSCRIBE TO v`)
	contains(t, c.one(`FETCH 1 s`), "insert", "| 2 | 1")
	c.exec(`ROLLBACK`)
}
