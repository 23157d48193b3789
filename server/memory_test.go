package server_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/server"
)

// small is the limit of a server that is easily filled.
const small = 384 << 20

func startSmall(t *testing.T) (connect func() *pgx.Conn) {
	t.Helper()
	ctx := context.Background()
	runtime.GC() // what tests before left is not this server's
	s, err := server.Start(ctx, server.Options{Listen: "127.0.0.1:0", Data: t.TempDir(), MemoryLimit: small})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(ctx) })
	return func() *pgx.Conn {
		conn, err := pgx.Connect(ctx, "postgres://millrace@"+s.Addr().String()+"/millrace")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(ctx) })
		return conn
	}
}

func exec(ctx context.Context, t *testing.T, conn *pgx.Conn, list ...string) {
	t.Helper()
	for _, sql := range list {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func number(ctx context.Context, t *testing.T, conn *pgx.Conn, sql string) (n int64) {
	t.Helper()
	if err := conn.QueryRow(ctx, sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// counting waits until the job beside has counted on.
func counting(ctx context.Context, t *testing.T, conn *pgx.Conn, what string) {
	t.Helper()
	before := number(ctx, t, conn, "SELECT n FROM counted")
	for range 200 {
		if number(ctx, t, conn, "SELECT n FROM counted") > before {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%s: the job beside does not count on", what)
}

// givenBack waits until nobody but the job beside holds memory.
func givenBack(ctx context.Context, t *testing.T, conn *pgx.Conn, what string) {
	t.Helper()
	var held int64
	for range 200 {
		if held = number(ctx, t, conn, "SELECT coalesce(sum(bytes), 0)::bigint FROM millrace.memory WHERE kind <> 'server' AND operator IS NULL"); held < 8<<20 {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Errorf("%s: %d bytes are still held", what, held)
}

const beside = `CREATE SOURCE b WITH (connector = 'nexmark', stream = 'bid', rows_per_second = '5000')`

// TestKillers runs statements that want all memory there is: each fails, by its own
// limit or by the server's, nothing else does, and the memory comes back.
func TestKillers(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	connect := startSmall(t)
	conn, watcher := connect(), connect()
	exec(ctx, t, conn, beside, `CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM b`, `CREATE TABLE taken(a bigint)`,
		`SET query_memory_limit = '40MB'`)
	counting(ctx, t, watcher, "at first")
	for name, c := range map[string]struct{ sql, code, part string }{
		"string_agg of one":      {`SELECT length(string_agg(repeat('x', 1000000), ',')) FROM generate_series(1, 2000)`, "5[34]", ""},
		"string_agg":             {`SELECT length(string_agg(repeat('x', 100000 + g), ',')) FROM generate_series(1, 20000) g`, "53200", "aggregate"},
		"array_agg":              {`SELECT array_length(array_agg(g), 1) FROM generate_series(1, 100000000) g`, "53200", "aggregate"},
		"json_agg":               {`SELECT length(json_agg(repeat('x', 100000 + g))::text) FROM generate_series(1, 20000) g`, "53200", "aggregate"},
		"json_object_agg":        {`SELECT length(json_object_agg(g, repeat('x', 100000 + g))::text) FROM generate_series(1, 20000) g`, "53200", "aggregate"},
		"its small fields":       {`SELECT length(jsonb_object_agg(g, 1)::text) FROM generate_series(1, 100000000) g`, "53200", "aggregate"},
		"array_agg of arrays":    {`SELECT array_length(array_agg(ARRAY[g, g, g]), 1) FROM generate_series(1, 100000000) g`, "53200", "aggregate"},
		"sort":                   {`SELECT max(g) FROM (SELECT g FROM generate_series(1, 100000000) g ORDER BY -g OFFSET 1) x`, "53200", "sort"},
		"distinct":               {`SELECT count(*) FROM (SELECT DISTINCT g FROM generate_series(1, 100000000) g) x`, "53200", "aggregate"},
		"group":                  {`SELECT g, count(*) FROM generate_series(1, 100000000) g GROUP BY g`, "53200", "aggregate"},
		"hash join":              {`SELECT count(*) FROM generate_series(1, 100000000) a JOIN generate_series(1, 100000000) b ON a = b`, "53200", "join"},
		"union":                  {`SELECT g FROM generate_series(1, 100000000) g EXCEPT SELECT g FROM generate_series(1, 2) g`, "53200", ""},
		"window":                 {`SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY g DESC) AS r FROM generate_series(1, 100000000) g) x`, "53200", ""},
		"recursion":              {`WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n FROM r, generate_series(1, 10)) SELECT count(*) FROM r`, "53200", "recursive"},
		"rows to write":          {`INSERT INTO taken SELECT g FROM generate_series(1, 100000000) g`, "53200", "rows to write"},
		"a JSON document":        {`SELECT jsonb_array_length(('[' || repeat('1,', 20000000 + g) || '1]')::jsonb) FROM generate_series(1, 1) g`, "53200", "values asked for"},
		"a literal":              {`SELECT jsonb_array_length('[` + strings.Repeat("1,", 5000000) + `1]')`, "53200", "values asked for"},
		"its elements":           {`SELECT count(*) FROM generate_series(1, 1) g, json_array_elements_text(('[' || repeat('1,', 20000000 + g) || '1]')::json) e`, "53200", ""},
		"an array":               {`SELECT array_length(('{' || repeat('1,', 20000000 + g) || '1}')::bigint[], 1) FROM generate_series(1, 1) g`, "53200", "values asked for"},
		"functions side by side": {`SELECT array_agg(a) FROM ROWS FROM (generate_series(1, 100000000), generate_series(1, 100000000)) AS f(a, b)`, "53200", "aggregate"},
	} {
		_, err := conn.Exec(ctx, c.sql)
		e := (*pgconn.PgError)(nil)
		switch {
		case !errors.As(err, &e) || !regexp.MustCompile("^"+c.code).MatchString(e.Code):
			t.Errorf("%s: %v, want %s", name, err, c.code)
		case !strings.Contains(e.Detail+e.Message, c.part):
			t.Errorf("%s: %s, %s; want %q in it", name, e.Message, e.Detail, c.part)
		case c.code == "53200" && e.Hint == "":
			t.Errorf("%s: there is no hint", name)
		}
		counting(ctx, t, watcher, name)
		givenBack(ctx, t, watcher, name)
	}
	exec(ctx, t, conn, `CREATE TABLE texts(x text)`)
	_, err := conn.Exec(ctx, `INSERT INTO texts VALUES ($1)`, strings.Repeat("x", 12<<20))
	if e := (*pgconn.PgError)(nil); !errors.As(err, &e) || e.Code != "53200" || !strings.Contains(e.Detail, "parameters asked for 48 MB") {
		t.Errorf("a large row: %v, want that there is no room for it", err)
	}
	exec(ctx, t, conn, `INSERT INTO texts VALUES (repeat('x', 100))`)
	counting(ctx, t, watcher, "a large row")
	largeTransactions(ctx, t, conn, watcher)
	givenBack(ctx, t, watcher, "a large row")
	if n := number(ctx, t, watcher, `SELECT count(*) FROM taken`); n != 0 {
		t.Errorf("%d rows of a statement that failed are there", n)
	}
	// Large values pass by where nobody keeps them.
	if n := number(ctx, t, conn, `SELECT count(*) FROM generate_series(1, 300) g WHERE length(repeat('x', 1000000 + g)) > 5`); n != 300 {
		t.Errorf("%d large values were counted, want 300", n)
	}
}

// largeTransactions changes more rows in one transaction than it may hold, by statements
// that are small each, and by COPY.
func largeTransactions(ctx context.Context, t *testing.T, conn, watcher *pgx.Conn) {
	t.Helper()
	for what, change := range map[string]func() error{
		"statements": func() (err error) {
			for i := 0; err == nil && i < 100; i++ {
				_, err = conn.Exec(ctx, `INSERT INTO taken SELECT g FROM generate_series(1, 10000) g`)
			}
			return err
		},
		"COPY": func() error {
			_, err := conn.PgConn().CopyFrom(ctx, strings.NewReader(strings.Repeat("12345\n", 1000000)), "COPY taken FROM STDIN")
			return err
		},
	} {
		exec(ctx, t, conn, "BEGIN")
		e := (*pgconn.PgError)(nil)
		if err := change(); !errors.As(err, &e) || e.Code != "53200" || !strings.Contains(e.Detail, "changed rows") || !strings.Contains(e.Hint, "smaller parts") {
			t.Errorf("a transaction of many rows by %s: %v, want that it holds too much", what, err)
		}
		if n := number(ctx, t, watcher, `SELECT count(*) FROM millrace.memory WHERE kind = 'transaction' AND bytes > 0`); n != 0 {
			t.Errorf("the failed transaction by %s still holds memory", what)
		}
		exec(ctx, t, conn, "ROLLBACK")
	}
}

// TestServerLimit lets statements without limits of their own fill the server: who grows
// is stopped, the job beside goes on.
func TestServerLimit(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	connect := startSmall(t)
	conn, watcher := connect(), connect()
	exec(ctx, t, conn, beside, `CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM b`, `SET query_memory_limit = '1TB'`)
	counting(ctx, t, watcher, "at first")
	_, err := conn.Exec(ctx, `SELECT count(*) FROM generate_series(1, 200000000) a JOIN generate_series(1, 200000000) b ON a = b`)
	if e := (*pgconn.PgError)(nil); !errors.As(err, &e) || e.Code != "53200" || !strings.Contains(e.Message, "the server has come to its limit of 384 MB") {
		t.Errorf("%v, want that the server has come to its limit", err)
	}
	counting(ctx, t, watcher, "after a query")
	givenBack(ctx, t, watcher, "after a query")

	// Cursors that nobody reads on give their memory back when they must.
	exec(ctx, t, conn, "BEGIN")
	for i := range 20 {
		exec(ctx, t, conn, fmt.Sprintf("DECLARE c%d CURSOR FOR SELECT g FROM generate_series(1, 600000) g ORDER BY -g", i))
		if _, err := conn.Exec(ctx, fmt.Sprintf("FETCH 1 FROM c%d", i)); err != nil {
			break
		}
	}
	counting(ctx, t, watcher, "beside cursors")
	_, _ = conn.Exec(ctx, "ROLLBACK") // it may have been told why it failed
	givenBack(ctx, t, watcher, "after cursors")
}

// TestMemoryBudget stops a job that holds more than its budget: it has failed, does not
// start by itself, keeps its checkpoint, and goes on with a larger budget.
func TestMemoryBudget(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	conn := startSmall(t)()
	exec(ctx, t, conn, beside, `CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM b`,
		`CREATE TABLE s(a bigint, b bigint, d bigint)`,
		`CREATE MATERIALIZED VIEW wide WITH (memory_budget = '20MB', checkpoint_interval = '200ms') AS SELECT g FROM s, generate_series(s.a, s.b, s.d) g`,
		`INSERT INTO s VALUES (1, 1000, 1)`, `FLUSH`)
	for number(ctx, t, conn, `SELECT coalesce(last_checkpoint, 0) FROM millrace.jobs WHERE name = 'wide'`) < 3 {
		time.Sleep(20 * time.Millisecond)
	}
	if n := number(ctx, t, conn, `SELECT limit_bytes FROM millrace.memory WHERE job = 'wide' AND operator IS NULL`); n != 20<<20 {
		t.Errorf("the budget is %d bytes, want 20 MB", n)
	}
	exec(ctx, t, conn, `INSERT INTO s VALUES (2000, 1500000, 1)`)
	var state, failure string
	for range 400 {
		if err := conn.QueryRow(ctx, `SELECT state, coalesce(failure, '') FROM millrace.jobs WHERE name = 'wide'`).Scan(&state, &failure); err != nil {
			t.Fatal(err)
		}
		if state == "failed" {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	if state != "failed" || !strings.Contains(failure, `job "wide" holds more than its memory_budget, 20 MB`) || !strings.Contains(failure, "materialize(wide)") ||
		!strings.Contains(failure, "RESUME JOB wide") {
		t.Fatalf("the job is %s: %s", state, failure)
	}
	counting(ctx, t, conn, "after the job")
	givenBack(ctx, t, conn, "after the job")
	starts := number(ctx, t, conn, `SELECT count(*) FROM millrace.job_events WHERE job = 'wide' AND kind = 'started'`)
	exec(ctx, t, conn, `ALTER JOB wide SET (memory_budget = '200MB')`)
	if n := number(ctx, t, conn, `SELECT count(*) FROM millrace.job_events WHERE job = 'wide' AND kind = 'started'`); n != starts {
		t.Errorf("the job started %d times, want %d before it is resumed", n, starts)
	}
	exec(ctx, t, conn, `RESUME JOB wide`)
	for range 400 {
		if n := number(ctx, t, conn, `SELECT count(*) FROM wide`); n == 1000+1498001 {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Error("the job did not go on")
}
