// Package connectors tests sources, sinks and the handling of bad rows from
// outside: it runs the real server as a process of its own, speaks to it over
// the wire, looks at the files it reads and writes, and kills it in between.
package connectors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/test/servers"
)

// How long a server may take to answer after a start, and what a test waits for
// to come true.
const (
	startMax = 60 * time.Second
	waitMax  = 2 * time.Minute
)

// build compiles the server once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "millrace-connectors-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "millrace")
	cmd := exec.Command("go", "build", "-o", bin, "../../cmd/millrace")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return bin, nil
})

// server is a millrace server as a process of its own.
type server struct {
	t    *testing.T
	bin  string
	data string
	port int
	http int
	env  []string
	cmd  *exec.Cmd
	log  *bytes.Buffer
}

// start runs a server on an empty data folder until the test ends.
func start(t *testing.T, env ...string) *server {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatalf("build the server: %v", err)
	}
	s := &server{t: t, bin: bin, data: t.TempDir(), env: env, log: &bytes.Buffer{}}
	for _, port := range []*int{&s.port, &s.http} {
		if *port, err = servers.FreePort(); err != nil {
			t.Fatal(err)
		}
	}
	s.run()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log)
		}
	})
	return s
}

func (s *server) run() {
	s.t.Helper()
	s.cmd = exec.Command(s.bin, "server", "--data", s.data, "--listen", "127.0.0.1:"+strconv.Itoa(s.port), "--http", "127.0.0.1:"+strconv.Itoa(s.http))
	s.cmd.Env = append(append(os.Environ(), "MILLRACE_PARALLELISM=2"), s.env...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := servers.Launch(s.cmd); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(startMax); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(context.Background(), s.url())
		if err == nil {
			conn.Close(context.Background())
			return
		}
	}
	s.t.Fatalf("the server did not answer within %s; its log:\n%s", startMax, s.log)
}

func (s *server) url() string {
	return fmt.Sprintf("postgres://millrace@127.0.0.1:%d/millrace?sslmode=disable", s.port)
}

// kill ends the server at once, without giving it a chance to save anything.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// restart kills the server and starts it again.
func (s *server) restart() {
	s.t.Helper()
	s.kill()
	s.run()
}

// try runs one statement and returns its rows as lines of text, with | between
// the values.
func (s *server) try(sql string) ([]string, error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range results {
		for _, row := range r.Rows {
			vals := make([]string, len(row))
			for i, v := range row {
				vals[i] = string(v)
				if v == nil {
					vals[i] = "NULL"
				}
			}
			out = append(out, strings.Join(vals, "|"))
		}
	}
	return out, nil
}

// query runs statements that must succeed.
func (s *server) query(sql string) []string {
	s.t.Helper()
	rows, err := s.try(sql)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

// refuse runs a statement that must fail, and checks its SQLSTATE, that the error
// or its hint or detail holds each of the texts, and that its position is where
// at begins in the statement.
func (s *server) refuse(sql, code, at string, texts ...string) {
	s.t.Helper()
	_, err := s.try(sql)
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		s.t.Errorf("%s: %v, not an error with code %s", sql, err, code)
		return
	}
	all := e.Message + " " + e.Detail + " " + e.Hint
	if e.Code != code {
		s.t.Errorf("%s: code %s (%s), want %s", sql, e.Code, all, code)
	}
	for _, text := range texts {
		if !strings.Contains(all, text) {
			s.t.Errorf("%s: %q does not say %q", sql, all, text)
		}
	}
	if want := strings.Index(sql, at) + 1; at != "" && int(e.Position) != want {
		s.t.Errorf("%s: position %d, want %d (%s)", sql, e.Position, want, at)
	}
}

// same compares lines that may come in any order.
func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	got, want = append([]string(nil), got...), append([]string(nil), want...)
	sort.Strings(got)
	sort.Strings(want)
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("%s:\n%s\nwant:\n%s", what, g, w)
	}
}

// eventually waits until the query gives these rows, in any order.
func (s *server) eventually(sql string, want ...string) {
	s.t.Helper()
	var got []string
	var err error
	sort.Strings(want)
	for deadline := time.Now().Add(waitMax); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if got, err = s.try(sql); err != nil {
			continue
		}
		sort.Strings(got)
		if strings.Join(got, "\n") == strings.Join(want, "\n") {
			return
		}
	}
	s.t.Fatalf("%s: %v\n%s\nwant:\n%s\njobs: %v", sql, err, strings.Join(got, "\n"), strings.Join(want, "\n"), s.query("SELECT name, state, failure FROM millrace.jobs"))
}

// state waits until a job is in a state.
func (s *server) state(job, state string) {
	s.t.Helper()
	s.eventually("SELECT state FROM millrace.jobs WHERE name = '"+job+"'", state)
}

// checkpoint waits until a job has completed another checkpoint that began after
// now.
func (s *server) checkpoint(job string) {
	s.t.Helper()
	const newest = "SELECT coalesce(max(n), 0) FROM millrace.checkpoints WHERE state = 'complete' AND job = '%s'"
	n, err := strconv.Atoi(s.query(fmt.Sprintf(newest, job))[0])
	if err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(waitMax); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if now, err := strconv.Atoi(s.query(fmt.Sprintf(newest, job))[0]); err == nil && now >= n+2 {
			return
		}
	}
	s.t.Fatalf("job %s takes no checkpoints: %v", job, s.query("SELECT name, state, failure FROM millrace.jobs"))
}

// metric is the value of a sample of /metrics, by its name with labels.
func (s *server) metric(sample string) string {
	s.t.Helper()
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.http))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(body), "\n") {
		if v, ok := strings.CutPrefix(line, sample+" "); ok {
			return v
		}
	}
	return "none"
}

// write puts a file into a folder at once, as the connector asks for.
func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	hidden := filepath.Join(dir, "."+name)
	if err := os.WriteFile(hidden, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// visible is the lines of all files of a folder that a reader would look at.
func visible(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.Split(strings.TrimRight(string(data), "\n"), "\n")...)
	}
	return out
}

func itoa(n int) string { return strconv.Itoa(n) }

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
