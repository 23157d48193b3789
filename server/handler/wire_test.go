package handler_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/server"
)

// testMax is how long a test may take.
const testMax = 2 * time.Minute

// client is a server with one connection to it.
type client struct {
	t    *testing.T
	ctx  context.Context
	data string
	// objects is where state goes, "" for the data folder.
	objects string
	server  *server.Server
	conn    *pgx.Conn
	clock   *shiftedClock

	mu      sync.Mutex
	notices []string
	told    []*pgconn.Notice // the same, whole
}

// shiftedClock is the system's clock some time later.
type shiftedClock struct {
	clock.System
	by atomic.Int64
}

// Now implements clock.Clock.
func (c *shiftedClock) Now() time.Time { return c.System.Now().Add(time.Duration(c.by.Load())) }

// later moves the server's clock on, and lets every job begin an epoch then.
func (c *client) later(d time.Duration) {
	c.t.Helper()
	c.clock.by.Add(int64(d))
	c.exec(`FLUSH`)
}

// start runs a server on a data folder until the test ends; "" is a new folder.
func start(t *testing.T, data string) *client {
	t.Helper()
	if data == "" {
		data = t.TempDir()
	}
	c := &client{t: t, data: data}
	c.begin()
	return c
}

// begin runs the server until the test ends.
func (c *client) begin() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testMax)
	c.ctx = ctx
	c.t.Cleanup(cancel)
	c.boot()
	c.t.Cleanup(c.stop)
}

func (c *client) boot() {
	c.t.Helper()
	if c.clock == nil {
		c.clock = &shiftedClock{}
	}
	s, err := server.Start(c.ctx, server.Options{Clock: c.clock, Listen: "127.0.0.1:0", Data: c.data, Objects: c.objects, Parallelism: 2})
	if err != nil {
		c.t.Fatal(err)
	}
	c.server = s
	config, err := pgx.ParseConfig("postgres://millrace@" + s.Addr().String() + "/millrace")
	if err != nil {
		c.t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.notices, c.told = append(c.notices, n.Message), append(c.told, n)
	}
	if c.conn, err = pgx.ConnectConfig(c.ctx, config); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) stop() {
	if c.server == nil {
		return
	}
	_ = c.conn.Close(context.Background())
	c.server.Shutdown(context.Background())
	c.server = nil
}

// restart ends the server in good order and starts another on the same data.
func (c *client) restart() {
	c.t.Helper()
	c.stop()
	c.boot()
}

// exec runs statements that must succeed.
func (c *client) exec(sql ...string) {
	c.t.Helper()
	for _, q := range sql {
		if _, err := c.conn.Exec(c.ctx, q); err != nil {
			c.t.Fatalf("%s\n%s", q, describe(err))
		}
	}
}

// fails runs a statement that must fail with that code, and returns the error.
func (c *client) fails(code, sql string) *pgconn.PgError {
	c.t.Helper()
	_, err := c.conn.Exec(c.ctx, sql)
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != code {
		c.t.Fatalf("%s\nfailed with %s, want %s", sql, describe(err), code)
	}
	return e
}

// query returns the rows of a query, their values joined by " | ".
func (c *client) query(sql string) []string {
	c.t.Helper()
	out, err := c.rows(sql)
	if err != nil {
		c.t.Fatalf("%s\n%s", sql, describe(err))
	}
	return out
}

func (c *client) rows(sql string) ([]string, error) {
	rows, err := c.conn.Query(c.ctx, sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []string{}
	for rows.Next() {
		var cells []string
		for _, v := range rows.RawValues() {
			if v == nil {
				cells = append(cells, "-")
			} else {
				cells = append(cells, string(v))
			}
		}
		out = append(out, strings.Join(cells, " | "))
	}
	return out, rows.Err()
}

// expect compares a query's rows.
func (c *client) expect(sql string, want ...string) {
	c.t.Helper()
	if got := c.query(sql); strings.Join(got, "\n") != strings.Join(want, "\n") {
		c.t.Fatalf("%s\ngot:\n%s\nwant:\n%s", sql, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// eventually waits until a query has these rows.
func (c *client) eventually(sql string, want ...string) {
	c.t.Helper()
	var got []string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got = c.query(sql); strings.Join(got, "\n") == strings.Join(want, "\n") {
			return
		}
	}
	c.t.Fatalf("%s\nstill:\n%s\nwant:\n%s", sql, strings.Join(got, "\n"), strings.Join(want, "\n"))
}

// one returns the only value of a query.
func (c *client) one(sql string) string {
	c.t.Helper()
	rows := c.query(sql)
	if len(rows) != 1 {
		c.t.Fatalf("%s\nhas %d rows", sql, len(rows))
	}
	return rows[0]
}

// noticed returns the notices since the last call.
func (c *client) noticed() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := strings.Join(c.notices, "\n")
	c.notices, c.told = nil, nil
	return out
}

func describe(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return fmt.Sprint(err)
	}
	return fmt.Sprintf("%s: %s (at %d)\nDETAIL: %s\nHINT: %s", e.Code, e.Message, e.Position, e.Detail, e.Hint)
}

// contains checks that a text has all the parts.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in:\n%s", p, text)
		}
	}
}

// writeFile makes a file and its folder.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}
