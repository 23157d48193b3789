package clients

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/server"
)

func bg() context.Context { return context.Background() }

// code is the SQLSTATE of an error, "" of none.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// run sends a simple query string and gives what comes back: rows as (a,b),
// command tags, and the SQLSTATE of an error.
func run(c *pgx.Conn, sql string) string {
	var out []string
	r := c.PgConn().Exec(bg(), sql)
	for r.NextResult() {
		rows := r.ResultReader()
		for rows.NextRow() {
			var row []string
			for _, v := range rows.Values() {
				if v == nil {
					row = append(row, "null")
				} else {
					row = append(row, string(v))
				}
			}
			out = append(out, "("+strings.Join(row, ",")+")")
		}
		if tag, err := rows.Close(); err == nil {
			out = append(out, tag.String())
		}
	}
	if err := r.Close(); err != nil {
		out = append(out, "!"+code(err))
	}
	return strings.Join(out, " ")
}

// script runs statements of two connections, a and b, in turn.
func script(t *testing.T, a, b *pgx.Conn, steps [][3]string) {
	t.Helper()
	for _, s := range steps {
		c := a
		if s[0] == "b" {
			c = b
		}
		if got := run(c, s[1]); got != s[2] {
			t.Errorf("%s: %s\n got %s\nwant %s", s[0], s[1], got, s[2])
		}
	}
}

func TestTransactionsSeeTheirOwnChanges(t *testing.T) {
	s := start(t, server.Options{})
	a, b := connect(t, s), connect(t, s)
	script(t, a, b, [][3]string{
		{"a", "CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL); INSERT INTO t VALUES (1, 'one'), (2, 'two')", "CREATE TABLE INSERT 0 2"},
		{"a", "BEGIN; INSERT INTO t VALUES (3, 'three'); SELECT count(*) FROM t", "BEGIN INSERT 0 1 (3) SELECT 1"},
		{"b", "SELECT count(*) FROM t", "(2) SELECT 1"},
		{"a", "UPDATE t SET v = v || '!' WHERE id >= 2; SELECT * FROM t ORDER BY id", "UPDATE 2 (1,one) (2,two!) (3,three!) SELECT 3"},
		{"a", "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 'uno'); SELECT v FROM t WHERE id = 1", "DELETE 1 INSERT 0 1 (uno) SELECT 1"},
		{"a", "SAVEPOINT x; DELETE FROM t; SELECT count(*) FROM t", "SAVEPOINT DELETE 3 (0) SELECT 1"},
		{"a", "ROLLBACK TO x; SELECT count(*) FROM t", "ROLLBACK (3) SELECT 1"},
		{"a", "INSERT INTO t VALUES (4, 'a') ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING v", "(a) INSERT 0 1"},
		{"a", "INSERT INTO t VALUES (4, 'b') ON CONFLICT (id) DO UPDATE SET v = t.v || excluded.v RETURNING v", "(ab) INSERT 0 1"},
		{"a", "INSERT INTO t VALUES (4, 'c'), (5, 'd'), (5, 'e') ON CONFLICT DO NOTHING RETURNING id", "(5) INSERT 0 1"},
		{"a", "INSERT INTO t VALUES (6, 'c'), (6, 'd') ON CONFLICT (id) DO UPDATE SET v = 'x'", "!21000"},
		{"a", "ROLLBACK TO x; INSERT INTO t VALUES (3, 'again')", "ROLLBACK !23505"},
		{"a", "SELECT 1", "!25P02"},
		{"a", "ROLLBACK TO x; INSERT INTO t VALUES (9, NULL)", "ROLLBACK !23502"},
		{"a", "ROLLBACK TO x; COMMIT", "ROLLBACK COMMIT"},
		{"b", "SELECT * FROM t ORDER BY id", "(1,uno) (2,two!) (3,three!) SELECT 3"},
		// Several statements in one query string are one transaction, too.
		{"a", "INSERT INTO t VALUES (7, 'x'); UPDATE t SET v = 'y' WHERE id = 7; SELECT v FROM t WHERE id = 7", "INSERT 0 1 UPDATE 1 (y) SELECT 1"},
		{"a", "DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (1, 'x')", "DELETE 1 !23505"},
		{"b", "SELECT count(*) FROM t", "(4) SELECT 1"},
		// The first match of a join counts.
		{"a", "UPDATE t SET v = j.v FROM (VALUES (7, 'p'), (7, 'p')) AS j (id, v) WHERE t.id = j.id", "UPDATE 1"},
		{"a", "DELETE FROM t USING (VALUES (7), (7)) AS j (id) WHERE t.id = j.id", "DELETE 1"},
	})
}

func TestDefinitionsAndRowsInOneTransaction(t *testing.T) {
	s := start(t, server.Options{})
	a, b := connect(t, s), connect(t, s)
	script(t, a, b, [][3]string{
		{"a", "CREATE TABLE log (n int)", "CREATE TABLE"},
		{"a", "BEGIN; CREATE TABLE t (id int PRIMARY KEY, v text)", "BEGIN CREATE TABLE"},
		{"a", "INSERT INTO t VALUES (1, 'x'); UPDATE t SET v = 'y'; SELECT * FROM t", "INSERT 0 1 UPDATE 1 (1,y) SELECT 1"},
		{"a", "INSERT INTO log VALUES (1)", "INSERT 0 1"},
		{"b", "SELECT * FROM t", "!42P01"},
		{"a", "SAVEPOINT x; CREATE TABLE u (n int); INSERT INTO u VALUES (1); ROLLBACK TO x; SELECT * FROM u", "SAVEPOINT CREATE TABLE INSERT 0 1 ROLLBACK !42P01"},
		{"a", "ROLLBACK TO x; CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t", "ROLLBACK CREATE MATERIALIZED VIEW"},
		{"a", "COMMIT", "COMMIT"},
		{"b", "SELECT * FROM t; FLUSH", "(1,y) SELECT 1 FLUSH"},
		{"b", "SELECT * FROM m", "(1) SELECT 1"},
		{"a", "BEGIN; CREATE TABLE gone (n int); INSERT INTO log VALUES (2); INSERT INTO gone VALUES (1); ROLLBACK", "BEGIN CREATE TABLE INSERT 0 1 INSERT 0 1 ROLLBACK"},
		{"b", "SELECT * FROM log; SELECT * FROM gone", "(1) SELECT 1 !42P01"},
		// Two make the same table: the one that comes later leaves no rows either.
		{"a", "BEGIN; CREATE TABLE pair (n int); INSERT INTO log VALUES (3)", "BEGIN CREATE TABLE INSERT 0 1"},
		{"b", "CREATE TABLE pair (n int)", "CREATE TABLE"},
		{"a", "COMMIT", "!42P07"},
		{"b", "SELECT * FROM log", "(1) SELECT 1"},
		// And a conflict of rows takes back the definition.
		{"a", "BEGIN; CREATE TABLE third (n int); UPDATE t SET v = 'a' WHERE id = 1", "BEGIN CREATE TABLE UPDATE 1"},
		{"b", "UPDATE t SET v = 'b' WHERE id = 1", "UPDATE 1"},
		{"a", "COMMIT; SELECT * FROM third", "!40001"},
		{"a", "SELECT * FROM third", "!42P01"},
		{"a", "CREATE TABLE third (n int); DROP TABLE third", "CREATE TABLE DROP TABLE"},
	})
}

func TestIsolationLevels(t *testing.T) {
	s := start(t, server.Options{})
	a, b := connect(t, s), connect(t, s)
	script(t, a, b, [][3]string{
		{"a", "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 10), (2, 20)", "CREATE TABLE INSERT 0 2"},
		{"a", "BEGIN; SELECT sum(n) FROM t", "BEGIN (30) SELECT 1"},
		{"b", "UPDATE t SET n = 11 WHERE id = 1", "UPDATE 1"},
		{"a", "SELECT sum(n) FROM t; UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n; COMMIT", "(31) SELECT 1 (12) UPDATE 1 COMMIT"},
		{"a", "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT sum(n) FROM t", "BEGIN (32) SELECT 1"},
		{"b", "UPDATE t SET n = 0 WHERE id = 1", "UPDATE 1"},
		{"a", "SELECT sum(n) FROM t; UPDATE t SET n = 21 WHERE id = 2; SELECT sum(n) FROM t", "(32) SELECT 1 UPDATE 1 (33) SELECT 1"},
		{"a", "UPDATE t SET n = n + 1 WHERE id = 1", "!40001"},
		{"a", "ROLLBACK", "ROLLBACK"},
		// Write skew: both read the sum, each changes another row.
		{"a", "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(n) FROM t; UPDATE t SET n = 1 WHERE id = 1", "BEGIN (20) SELECT 1 UPDATE 1"},
		{"b", "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(n) FROM t; UPDATE t SET n = 2 WHERE id = 2; COMMIT", "BEGIN (20) SELECT 1 UPDATE 1 COMMIT"},
		{"a", "COMMIT", "!40001"},
		{"a", "BEGIN; SELECT 1; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT sum(n) FROM t; SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
			"BEGIN (1) SELECT 1 SET (2) SELECT 1 !25001"},
		{"a", "ROLLBACK", "ROLLBACK"},
	})
}

func TestConflictsAtCommit(t *testing.T) {
	s := start(t, server.Options{})
	a, b := connect(t, s), connect(t, s)
	script(t, a, b, [][3]string{
		{"a", "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 10), (2, 20)", "CREATE TABLE INSERT 0 2"},
		{"a", "BEGIN; UPDATE t SET n = n + 1 WHERE id = 1", "BEGIN UPDATE 1"},
		{"b", "UPDATE t SET n = n + 1 WHERE id = 1", "UPDATE 1"},
		{"a", "COMMIT", "!40001"},
		{"a", "BEGIN; INSERT INTO t VALUES (5, 1) ON CONFLICT DO NOTHING", "BEGIN INSERT 0 1"},
		{"b", "INSERT INTO t VALUES (5, 2)", "INSERT 0 1"},
		{"a", "COMMIT", "!40001"},
		{"a", "BEGIN; INSERT INTO t VALUES (6, 1)", "BEGIN INSERT 0 1"},
		{"b", "INSERT INTO t VALUES (6, 2)", "INSERT 0 1"},
		{"a", "COMMIT", "!23505"},
		{"b", "SELECT * FROM t ORDER BY id", "(1,11) (2,20) (5,2) (6,2) SELECT 4"},
	})
}

// TestConcurrentCounters: single statements are never refused, and what RETURNING
// told is what was committed.
func TestConcurrentCounters(t *testing.T) {
	s := start(t, server.Options{})
	setup := connect(t, s)
	if got := run(setup, "CREATE TABLE c (id int PRIMARY KEY, n bigint); INSERT INTO c VALUES (1, 0), (2, 0), (3, 0)"); !strings.HasSuffix(got, "INSERT 0 3") {
		t.Fatal(got)
	}
	const writers, times = 12, 40
	var mu sync.Mutex
	told := map[int64]bool{}
	var wg sync.WaitGroup
	for w := range writers {
		c := connect(t, s)
		wg.Go(func() {
			for range times {
				var n int64
				var err error
				switch w % 3 {
				case 0: // extended protocol, with the answer
					err = c.QueryRow(bg(), "UPDATE c SET n = n + $1 WHERE id = 1 RETURNING n", 1).Scan(&n)
				case 1: // simple protocol
					err = c.QueryRow(bg(), "UPDATE c SET n = n + 1 WHERE id = 1 RETURNING n", pgx.QueryExecModeSimpleProtocol).Scan(&n)
				case 2: // explicit, with retries
					err = retry(func() error {
						return pgx.BeginFunc(bg(), c, func(tx pgx.Tx) error {
							if err := tx.QueryRow(bg(), "SELECT n + 1 FROM c WHERE id = 1").Scan(&n); err != nil {
								return err
							}
							tag, err := tx.Exec(bg(), "UPDATE c SET n = $1 WHERE id = 1 AND n = $1 - 1", n)
							if err == nil && tag.RowsAffected() == 0 {
								return &pgconn.PgError{Code: "40001"}
							}
							return err
						})
					})
				}
				if err == nil {
					_, err = c.Exec(bg(), "INSERT INTO c VALUES (2, 1) ON CONFLICT (id) DO UPDATE SET n = c.n + 1")
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if told[n] {
					t.Errorf("%d was told twice", n)
				}
				told[n] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got, want := run(setup, "SELECT n FROM c ORDER BY id"), fmt.Sprintf("(%d) (%d) (0) SELECT 3", writers*times, writers*times); got != want {
		t.Errorf("counters are %s, want %s", got, want)
	}
}

func retry(f func() error) error {
	for {
		if err := f(); code(err) != "40001" {
			return err
		}
	}
}

// TestTransfers moves amounts between accounts in transactions; the sum is the
// same in every cut that anybody reads, and in a view over the table.
func TestTransfers(t *testing.T) {
	s := start(t, server.Options{})
	setup := connect(t, s)
	if got := run(setup, "CREATE TABLE account (id int PRIMARY KEY, amount bigint); INSERT INTO account SELECT i, 1000 FROM generate_series(1, 8) AS g (i); CREATE MATERIALIZED VIEW total AS SELECT sum(amount) AS amount, count(*) AS n FROM account"); strings.Contains(got, "!") {
		t.Fatal(got)
	}
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 2 {
		c := connect(t, s)
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := run(c, "SELECT sum(amount), count(*) FROM account; SELECT amount, n FROM total"); got != "(8000,8) SELECT 1 (8000,8) SELECT 1" {
					t.Error("a reader sees", got)
					return
				}
			}
		})
	}
	for w := range 6 {
		c := connect(t, s)
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for range 40 {
				from, to, amount := 1+r.IntN(8), 1+r.IntN(8), r.IntN(100)
				err := retry(func() error {
					return pgx.BeginFunc(bg(), c, func(tx pgx.Tx) error {
						if _, err := tx.Exec(bg(), "UPDATE account SET amount = amount - $1 WHERE id = $2", amount, from); err != nil {
							return err
						}
						_, err := tx.Exec(bg(), "UPDATE account SET amount = amount + $1 WHERE id = $2", amount, to)
						return err
					})
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	if got := run(setup, "FLUSH; SELECT amount, n FROM total; SELECT sum(amount) FROM account"); got != "FLUSH (8000,8) SELECT 1 (8000) SELECT 1" {
		t.Error(got)
	}
}
