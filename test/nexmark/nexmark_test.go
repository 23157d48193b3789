// Package nexmark runs the queries of the Nexmark benchmark on a server, as
// materialized views and as jobs that write files, and compares what they give
// with what PostgreSQL computes from the same rows. How fast they are is not
// looked at.
package nexmark

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/test/servers"
)

// eventsEnv sets how many mixed events there are.
const eventsEnv = "MILLRACE_NEXMARK_EVENTS"

// eventSeconds is how much event time the events cover: ten of the longest windows.
const eventSeconds = 100

// finishMax is how long a thousand events may take all queries together.
const finishMax = 500 * time.Millisecond

// server is a server as a process of its own, with a connection to it.
type server struct {
	*servers.Millrace
	conn *pgx.Conn
	// files is the folder that jobs write to.
	files string
}

func (s *server) start(t *testing.T, parallelism int) {
	t.Helper()
	ctx := context.Background()
	err := s.Start(ctx, "--parallelism", strconv.Itoa(parallelism))
	if err == nil {
		s.conn, err = pgx.Connect(ctx, s.URL())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) kill() {
	if s.conn != nil {
		_ = s.conn.Close(context.Background())
	}
	s.Kill()
}

// TestQueries runs all queries at once: in one task each, in three, and with
// the server killed while they run and started again at another parallelism.
func TestQueries(t *testing.T) {
	ctx := context.Background()
	events := 50_000
	if n, err := strconv.Atoi(os.Getenv(eventsEnv)); err == nil && n > 0 {
		events = n
	}
	oracle, err := pgx.Connect(ctx, servers.StartPostgres(t).CreateDatabase(t, "nexmark"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = oracle.Close(ctx) }()
	must(t, oracle, oracleSchema)
	bin := servers.BuildMillrace(t, "../..")
	loaded := false
	want := map[string]digest{}
	for _, run := range []struct {
		name        string
		parallelism int
		killed      bool
	}{{"one task", 1, false}, {"three tasks", 3, false}, {"killed", 3, true}} {
		t.Run(run.name, func(t *testing.T) {
			m, err := servers.NewMillrace(bin, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			s := &server{Millrace: m, files: t.TempDir()}
			t.Cleanup(func() {
				s.kill()
				if t.Failed() {
					t.Logf("the server's output:\n%s", m.Log())
				}
			})
			s.start(t, run.parallelism)
			perSecond := 0
			if run.killed {
				perSecond = events / 5
			}
			s.declare(t, events, perSecond)
			if !loaded {
				load(t, s.conn, oracle)
				loaded = true
				for _, q := range queries {
					want[q.name] = digestOf(t, oracle, q.answer())
				}
			}
			most := 20*time.Second + time.Duration(events/1000)*finishMax
			began := time.Now()
			deadline := began.Add(most)
			s.createAll(t)
			if run.killed {
				time.Sleep(2 * time.Second)
				s.mustRun(t)
				s.kill()
				s.start(t, 1)
			}
			s.waitFinished(t, most)
			t.Logf("%d events: the jobs finished within %s", events, time.Since(began).Round(time.Millisecond))
			for _, q := range queries {
				s.compare(t, oracle, q, want[q.name], deadline)
			}
		})
	}
}

// declare creates the streams, and the table that q13 joins.
func (s *server) declare(t *testing.T, events, perSecond int) {
	t.Helper()
	source := func(name, stream, columns string) {
		must(t, s.conn, fmt.Sprintf(`CREATE SOURCE %s (%sWATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND) WITH (connector = 'nexmark',
			stream = '%s', events = '%d', event_rate = '%d', rows_per_second = '%d')`, name, columns, stream, events, max(1, events/eventSeconds), perSecond))
	}
	source("bid", "bid", "")
	source("auction", "auction", "")
	source("person", "person", "")
	must(t, s.conn, `CREATE TABLE side_input (key bigint PRIMARY KEY, value varchar)`)
	must(t, s.conn, `INSERT INTO side_input SELECT n, 'value ' || n FROM generate_series(0, 9999) AS g (n) WHERE n % 3 <> 0`)
}

// createAll starts every query as a view, and some as jobs too.
func (s *server) createAll(t *testing.T) {
	t.Helper()
	for _, q := range queries {
		must(t, s.conn, "CREATE MATERIALIZED VIEW "+q.name+" WITH (checkpoint_interval = '500ms') AS "+q.sql)
		if q.sink == "" {
			continue
		}
		must(t, s.conn, fmt.Sprintf(`CREATE SINK %s_files (%s) WITH (connector = 'object', path = 'file://%s', format = 'json')`, q.name, q.sink, s.folder(q)))
		must(t, s.conn, fmt.Sprintf(`CREATE JOB %s_job WITH (checkpoint_interval = '500ms') AS INSERT INTO %s_files %s`, q.name, q.name, q.sql))
	}
}

// unfinished returns the jobs that still run. A view's job goes on after the end
// of its input.
func (s *server) unfinished(t *testing.T) []string {
	t.Helper()
	rows, err := s.conn.Query(context.Background(), `SELECT name, state FROM millrace.jobs`)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	var name, state string
	_, err = pgx.ForEachRow(rows, []any{&name, &state}, func() error {
		if state == "failed" {
			return fmt.Errorf("job %s failed", name)
		}
		if state != "finished" && strings.HasSuffix(name, "_job") {
			left = append(left, name+" "+state)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// mustRun checks that the queries are still being computed.
func (s *server) mustRun(t *testing.T) {
	t.Helper()
	if len(s.unfinished(t)) == 0 {
		t.Error("all jobs have finished already")
	}
}

func (s *server) waitFinished(t *testing.T, most time.Duration) {
	t.Helper()
	left := s.unfinished(t)
	for deadline := time.Now().Add(most); len(left) > 0; left = s.unfinished(t) {
		if time.Now().After(deadline) {
			t.Fatalf("not finished within %s: %s", most, strings.Join(left, ", "))
		}
		time.Sleep(100 * time.Millisecond)
	}
	must(t, s.conn, "FLUSH")
}

// compare checks a view, and the files of its job, against PostgreSQL.
func (s *server) compare(t *testing.T, oracle *pgx.Conn, q query, want digest, deadline time.Time) {
	t.Helper()
	read := q.read
	if read == "" {
		read = "SELECT * FROM " + q.name
	}
	if want.rows == 0 {
		t.Errorf("%s: no rows to compare", q.name)
	}
	got := digestOf(t, s.conn, read)
	for got != want && time.Now().Before(deadline) { // a view does not say that its input has ended
		time.Sleep(100 * time.Millisecond)
		got = digestOf(t, s.conn, read)
	}
	if got != want {
		t.Errorf("%s: %d rows, PostgreSQL has %d: %s", q.name, got.rows, want.rows, difference(lines(t, s.conn, read), lines(t, oracle, q.answer())))
	} else {
		t.Logf("%s: %d rows, all as PostgreSQL says", q.name, want.rows)
	}
	if q.sink != "" {
		if written := s.written(t, q); digestOfLines(written) != want {
			t.Errorf("%s: its files: %s", q.name, difference(written, lines(t, oracle, q.answer())))
		}
	}
}

// answer is the query in PostgreSQL's SQL.
func (q query) answer() string {
	if q.oracle != "" {
		return q.oracle
	}
	return q.sql
}

// load copies the rows of the streams from the server to PostgreSQL.
func load(t *testing.T, from, to *pgx.Conn) {
	t.Helper()
	ctx := context.Background()
	for _, name := range []string{"bid", "auction", "person", "side_input"} {
		r, w := io.Pipe()
		go func() {
			_, err := from.PgConn().CopyTo(ctx, w, "COPY (SELECT * FROM "+name+") TO STDOUT")
			w.CloseWithError(err)
		}()
		tag, err := to.PgConn().CopyFrom(ctx, r, "COPY "+name+" FROM STDIN")
		if err != nil {
			t.Fatalf("copy %s: %v", name, err)
		}
		t.Logf("%s: %d rows", name, tag.RowsAffected())
	}
	must(t, to, "ANALYZE")
}

func must(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
