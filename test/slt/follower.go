package slt

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// follower applies a stream of changes, row by row. It never forgives a row that
// is taken back and is not there.
type follower struct {
	name string
	conn *pgconn.PgConn
	done chan struct{}

	mu   sync.Mutex
	rest []byte
	rows map[string]int
	bad  string
}

// follow subscribes, by a SUBSCRIBE or a COPY of one. The rows are what the reader
// has already, as the stream writes them.
func follow(ctx context.Context, url, name, sql string, rows map[string]int) (*follower, error) {
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	f := &follower{name: name, conn: conn, rows: rows, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		err := f.read(ctx, sql)
		f.mu.Lock()
		defer f.mu.Unlock()
		if pg := asPgError(err); pg != nil && pg.Code != "57014" && pg.Code != "57P01" {
			f.bad = err.Error()
		}
	}()
	return f, nil
}

// read reads until it is cancelled.
func (f *follower) read(ctx context.Context, sql string) error {
	if strings.HasPrefix(sql, "COPY") {
		_, err := f.conn.CopyTo(ctx, f, sql)
		return err
	}
	results := f.conn.Exec(ctx, sql)
	for results.NextResult() {
		for r := results.ResultReader(); r.NextRow(); {
			line := formatRow(r.Values())
			f.mu.Lock()
			f.apply(line)
			f.mu.Unlock()
		}
	}
	return results.Close()
}

// Write implements io.Writer: data is lines of a COPY.
func (f *follower) Write(data []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rest = append(f.rest, data...)
	for {
		at := bytes.IndexByte(f.rest, '\n')
		if at < 0 {
			return len(data), nil
		}
		f.apply(string(f.rest[:at]))
		f.rest = f.rest[at+1:]
	}
}

// apply takes one change: its op, its epoch, and the row.
func (f *follower) apply(line string) {
	op, rest, _ := strings.Cut(line, "\t")
	_, row, _ := strings.Cut(rest, "\t")
	switch op {
	case "insert", "update_after":
		if f.rows[row]++; f.rows[row] == 0 {
			delete(f.rows, row)
		}
	case "delete", "update_before":
		if f.rows[row] <= 0 && f.bad == "" {
			f.bad = "takes back a row that is not there: " + line
		}
		if f.rows[row]--; f.rows[row] == 0 {
			delete(f.rows, row)
		}
	case "progress":
	default:
		f.bad = "unknown change " + line
	}
}

// has waits until the follower's rows are these.
func (f *follower) has(want map[string]int) error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		f.mu.Lock()
		bad, same, got := f.bad, maps.Equal(f.rows, want), fmt.Sprint(f.rows)
		f.mu.Unlock()
		switch {
		case bad != "":
			return fmt.Errorf("%s: %s", f.name, bad)
		case same:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%s does not come to the content:\n%v\nit has\n%s", f.name, want, got)
		}
	}
}

func (f *follower) stop() {
	_ = f.conn.CancelRequest(context.Background())
	select {
	case <-f.done:
	case <-time.After(5 * time.Second):
	}
	_ = f.conn.Close(context.Background())
}
