package slt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/test/servers"
)

// Mode is a way to run a script. The answers are the same in all of them.
type Mode struct {
	Name string
	// BatchRows is how many rows a batch has, 0 for the engine's choice.
	BatchRows int
	// Restart kills the server after every step that wrote something: two times at
	// once, then after every job has completed a checkpoint that has all of it.
	Restart bool
	// Parallelism is what jobs have after each start, in turn.
	Parallelism []int
	// Extended sends queries by the extended protocol.
	Extended bool
}

// Modes are the ways every script is run.
var Modes = []Mode{
	{Name: "rows1024", BatchRows: 1024, Parallelism: []int{2}},
	{Name: "rows3", BatchRows: 3, Parallelism: []int{1}, Extended: true},
	{Name: "rows1", BatchRows: 1, Parallelism: []int{2}},
	{Name: "restart", Restart: true, Parallelism: []int{2}},
	{Name: "rescale", Restart: true, Parallelism: []int{1, 3, 2}},
}

// settleMax is how long jobs may take to see what was written.
const settleMax = 60 * time.Second

// runner runs one script in one mode.
type runner struct {
	mode   Mode
	server *servers.Millrace
	conn   *pgconn.PgConn
	dir    string // folder of the script's files

	starts   int
	unseen   bool     // something was written that jobs may not have seen
	finished []string // jobs that are at the end of their input
	session  []string // statements that a new connection repeats

	subscriptions []*subscription
}

// failure is an answer that is not the one expected.
type failure struct {
	record *Record
	text   string
}

// Error says what was expected and what came.
func (f *failure) Error() string { return fmt.Sprintf("line %d: %s", f.record.Line, f.text) }

// RunScript runs a script on a new server whose data is in the folder, and
// returns everything that went other than expected. It puts the rows of
// queries into seen, if that is a map.
func RunScript(ctx context.Context, bin, folder string, s *Script, mode Mode, seen map[*Record][]string) (failures []error) {
	files := filepath.Join(folder, "files")
	if err := os.MkdirAll(files, 0o755); err != nil {
		return []error{err}
	}
	m, err := servers.NewMillrace(bin, filepath.Join(folder, "data"), "--log-level", "warn", "--batch-rows", strconv.Itoa(mode.BatchRows))
	if err != nil {
		return []error{err}
	}
	r := &runner{mode: mode, server: m, dir: files}
	defer m.Kill()
	defer r.unsubscribe()
	if err := r.start(ctx); err != nil {
		return []error{err}
	}
	for _, rec := range s.Records {
		err := r.step(ctx, rec, seen)
		if err == nil {
			continue
		}
		failures = append(failures, err)
		var f *failure
		if !errors.As(err, &f) {
			return append(failures, fmt.Errorf("the server's output:\n%s", m.Log()))
		}
	}
	return failures
}

// start runs the server and connects to it.
func (r *runner) start(ctx context.Context) error {
	parallelism := r.mode.Parallelism[r.starts%len(r.mode.Parallelism)]
	r.starts++
	if err := r.server.Start(ctx, "--parallelism", strconv.Itoa(parallelism)); err != nil {
		return err
	}
	conn, err := pgconn.Connect(ctx, r.server.URL())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	r.conn = conn
	for _, sql := range r.session {
		if _, err := run(ctx, conn, sql); err != nil {
			return fmt.Errorf("repeat %s: %w", sql, err)
		}
	}
	if err := r.resubscribe(ctx); err != nil {
		return err
	}
	return r.awaitFinished(ctx, r.finished)
}

// restart kills the server for real and starts it again.
func (r *runner) restart(ctx context.Context) error {
	if r.mode.Restart && r.starts%3 == 0 {
		if err := awaitCheckpoints(ctx, r.conn); err != nil {
			return err
		}
	}
	r.server.Kill()
	_ = r.conn.Close(ctx) // the other side is gone
	r.unseen = true
	return r.start(ctx)
}

func (r *runner) step(ctx context.Context, rec *Record, seen map[*Record][]string) error {
	switch rec.Verb {
	case "file":
		return os.WriteFile(filepath.Join(r.dir, rec.Names[0]), []byte(rec.SQL+"\n"), 0o644)
	case "restart":
		return r.restart(ctx)
	case "settle":
		if err := awaitCheckpoints(ctx, r.conn); err != nil {
			return fmt.Errorf("line %d: %w", rec.Line, err)
		}
		r.unseen = false
		return nil
	case "finish":
		r.finished = append(r.finished, rec.Names...)
		return r.awaitFinished(ctx, rec.Names)
	case "query", "copy":
		return r.query(ctx, rec, seen)
	case "subscribe":
		return r.subscribe(ctx, rec)
	case "changes":
		return r.changes(ctx, rec, seen)
	case "elsewhere":
		return r.elsewhere(ctx, rec)
	}
	return r.statement(ctx, rec, seen)
}

// jobHead is how the definition of a job begins that has no options.
var jobHead = regexp.MustCompile(`(?i)^(CREATE (?:MATERIALIZED VIEW|JOB) \w+\s*(?:\([^)]*\)\s*)?)AS\b`)

// often gives a job without options frequent checkpoints.
func often(sql string) string {
	return jobHead.ReplaceAllString(sql, "${1}WITH (checkpoint_interval = '100ms') AS")
}

func (r *runner) sql(rec *Record) string {
	sql := strings.ReplaceAll(rec.SQL, "${dir}", "file://"+r.dir)
	if r.mode.Restart && !rec.Fails {
		sql = often(sql)
	}
	return sql
}

// awaitCheckpoints waits until every job that runs has read what was written and
// completed a checkpoint that began after that.
func awaitCheckpoints(ctx context.Context, conn *pgconn.PgConn) error {
	if _, err := run(ctx, conn, "FLUSH"); err != nil {
		return fmt.Errorf("FLUSH before a kill: %w", err)
	}
	without := "SELECT name FROM millrace.jobs j WHERE state = 'running' AND options ? 'checkpoint_interval' AND NOT EXISTS (" +
		"SELECT FROM millrace.checkpoints c WHERE c.job_id = j.id AND c.state = 'complete' AND c.started >= TIMESTAMPTZ '" + time.Now().UTC().Format("2006-01-02 15:04:05.000000+00") + "')"
	for deadline := time.Now().Add(settleMax); ; time.Sleep(10 * time.Millisecond) {
		rows, err := run(ctx, conn, without)
		if err != nil {
			return fmt.Errorf("read the jobs' checkpoints: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no job completes checkpoints: %s", Format(rows, false))
		}
	}
}

func (r *runner) statement(ctx context.Context, rec *Record, seen map[*Record][]string) error {
	results, err := r.conn.Exec(ctx, r.sql(rec)).ReadAll()
	if rec.Fails {
		if f := checkError(rec, err); f != "" && seen == nil {
			return &failure{rec, f}
		}
		if err != nil && seen != nil {
			seen[rec] = []string{errorLine(err)}
		}
		return nil
	}
	if err != nil {
		if asPgError(err) == nil {
			return fmt.Errorf("line %d: %w", rec.Line, err)
		}
		return &failure{rec, describe(err) + "\n" + rec.SQL}
	}
	wrote := false
	for _, res := range results {
		switch verb, _, _ := strings.Cut(res.CommandTag.String(), " "); verb {
		case "SET", "PREPARE", "DEALLOCATE":
			r.session = append(r.session, rec.SQL)
		default:
			wrote = wrote || writes(res.CommandTag, rec.SQL)
		}
	}
	return r.barrier(ctx, wrote)
}

// writingWith is a query whose WITH changes something.
var writingWith = regexp.MustCompile(`(?i)^WITH\b.*\bAS \((INSERT|UPDATE|DELETE)\b`)

// writes reports whether a statement may have changed something durable.
func writes(tag pgconn.CommandTag, sql string) bool {
	if writingWith.MatchString(sql) {
		return true
	}
	switch verb, _, _ := strings.Cut(tag.String(), " "); verb {
	case "SELECT", "SHOW", "EXPLAIN", "BEGIN", "ROLLBACK", "SAVEPOINT", "RELEASE", "DECLARE", "FETCH", "MOVE", "CLOSE", "FLUSH", "DISCARD", "RESET", "":
		return false
	}
	return true
}

// barrier follows each step: in the modes with restarts the server is killed if
// the step wrote something.
func (r *runner) barrier(ctx context.Context, wrote bool) error {
	if !wrote || r.conn.TxStatus() != 'I' {
		return nil
	}
	r.unseen = true
	if r.mode.Restart {
		return r.restart(ctx)
	}
	return nil
}

func (r *runner) query(ctx context.Context, rec *Record, seen map[*Record][]string) error {
	if r.unseen && r.conn.TxStatus() == 'I' {
		if err := r.settle(ctx, rec); err != nil {
			return err
		}
	}
	got, tag, err := r.read(ctx, rec)
	for deadline := time.Now().Add(settleMax); rec.Await && seen == nil && err == nil && !rec.matches(got) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
		got, tag, err = r.read(ctx, rec)
	}
	if err != nil {
		if asPgError(err) == nil {
			return fmt.Errorf("line %d: %w", rec.Line, err)
		}
		return &failure{rec, describe(err) + "\n" + rec.SQL}
	}
	if err := r.barrier(ctx, writes(tag, copied(rec.SQL))); err != nil {
		return err
	}
	return r.judge(rec, got, seen)
}

// read runs a query or a COPY once.
func (r *runner) read(ctx context.Context, rec *Record) (rows []string, tag pgconn.CommandTag, err error) {
	if rec.Verb == "copy" {
		rows, err = copyOut(ctx, r.conn, r.sql(rec), rec.Sorted)
		verb, _, _ := strings.Cut(copied(rec.SQL), " ")
		return rows, pgconn.NewCommandTag(verb), err
	}
	var res pgconn.Result
	if r.mode.Extended {
		res = *r.conn.ExecParams(ctx, r.sql(rec), nil, nil, nil, nil).Read()
		err = res.Err
	} else {
		var all []*pgconn.Result
		if all, err = r.conn.Exec(ctx, r.sql(rec)).ReadAll(); err == nil {
			res = *all[len(all)-1]
		}
	}
	if err != nil {
		return nil, pgconn.CommandTag{}, err
	}
	hideEpochs(&res)
	return Format(res.Rows, rec.Sorted), res.CommandTag, nil
}

// judge compares rows with those expected, or keeps them for a rewrite.
func (r *runner) judge(rec *Record, got []string, seen map[*Record][]string) error {
	if seen != nil {
		seen[rec] = got
		return nil
	}
	if rec.matches(got) {
		return nil
	}
	return &failure{rec, fmt.Sprintf("%s\nexpected:\n%s\ngot:\n%s", rec.SQL, strings.Join(rec.Expected, "\n"), strings.Join(got, "\n"))}
}

// settle waits until every job has seen what was written.
func (r *runner) settle(ctx context.Context, rec *Record) error {
	ctx, cancel := context.WithTimeout(ctx, settleMax)
	defer cancel()
	if _, err := run(ctx, r.conn, "FLUSH"); err != nil {
		return fmt.Errorf("line %d: FLUSH: %w", rec.Line, err)
	}
	r.unseen = false
	return nil
}

// awaitFinished waits until these jobs have come to the end of their input.
func (r *runner) awaitFinished(ctx context.Context, names []string) error {
	for _, name := range names {
		deadline := time.Now().Add(settleMax)
		for {
			rows, err := run(ctx, r.conn, "SELECT state, failure FROM millrace.jobs WHERE name = '"+name+"'")
			if err != nil {
				return fmt.Errorf("state of job %s: %w", name, err)
			}
			if len(rows) == 0 || string(rows[0][0]) == "finished" {
				break // a job that was dropped has nothing left to do
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("job %s is %s (%s) and does not finish", name, rows[0][0], rows[0][1])
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return nil
}

// checkError compares an error with the one a record expects.
func checkError(rec *Record, err error) string {
	pg := asPgError(err)
	switch {
	case err == nil:
		return "this should fail with " + rec.Code + ":\n" + rec.SQL
	case pg == nil:
		return err.Error()
	case pg.Code != rec.Code,
		rec.Position != "" && rec.Position != "@"+strconv.Itoa(int(pg.Position)),
		!strings.Contains(pg.Message, rec.Message):
		return fmt.Sprintf("expected error %s %s %s, got %s\n%s", rec.Code, rec.Position, rec.Message, describe(err), rec.SQL)
	}
	return ""
}

func describe(err error) string {
	pg := asPgError(err)
	if pg == nil {
		return err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", errorLine(err), pg.Message, pg.Hint))
}

func asPgError(err error) *pgconn.PgError {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg
	}
	return nil
}
