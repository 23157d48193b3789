package slt

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// subscription is what a record "subscribe" follows.
type subscription struct {
	name, sql string
	follower  *follower
}

// subscribe begins to follow.
func (r *runner) subscribe(ctx context.Context, rec *Record) error {
	f, err := follow(ctx, r.server.URL(), rec.Names[0], rec.SQL, map[string]int{})
	if err != nil {
		return fmt.Errorf("line %d: %w", rec.Line, err)
	}
	r.subscriptions = append(r.subscriptions, &subscription{rec.Names[0], rec.SQL, f})
	return nil
}

// resubscribe follows anew after a restart: the rows come again.
func (r *runner) resubscribe(ctx context.Context) error {
	for _, s := range r.subscriptions {
		s.follower.stop()
		if s.follower.bad != "" {
			return fmt.Errorf("subscription %s: %s", s.name, s.follower.bad)
		}
		var err error
		if s.follower, err = follow(ctx, r.server.URL(), s.name, s.sql, map[string]int{}); err != nil {
			return fmt.Errorf("subscription %s: %w", s.name, err)
		}
	}
	return nil
}

// unsubscribe ends all subscriptions.
func (r *runner) unsubscribe() {
	for _, s := range r.subscriptions {
		s.follower.stop()
	}
}

// changes waits until a subscription has come to the rows that are expected.
func (r *runner) changes(ctx context.Context, rec *Record, seen map[*Record][]string) error {
	at := slices.IndexFunc(r.subscriptions, func(s *subscription) bool { return s.name == rec.Names[0] })
	if at < 0 {
		return fmt.Errorf("line %d: there is no subscription %s", rec.Line, rec.Names[0])
	}
	if err := r.settle(ctx, rec); err != nil {
		return err
	}
	f := r.subscriptions[at].follower
	got, bad := f.lines()
	patience := settleMax
	if seen != nil {
		patience = time.Second
	}
	for deadline := time.Now().Add(patience); bad == "" && !rec.matches(got) && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
		got, bad = f.lines()
	}
	if bad != "" {
		return &failure{rec, bad}
	}
	return r.judge(rec, got, seen)
}

// lines are the rows that a follower has, as scripts write them.
func (f *follower) lines() (lines []string, bad string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for row, n := range f.rows {
		values := strings.Split(row, "\t")
		for i, v := range values {
			switch v {
			case `\N`:
				values[i] = "NULL"
			case "":
				values[i] = "(empty)"
			}
		}
		for range n {
			lines = append(lines, strings.Join(values, "\t"))
		}
	}
	slices.Sort(lines)
	return lines, f.bad
}

// elsewhere runs a statement on a connection of its own, as somebody else does.
func (r *runner) elsewhere(ctx context.Context, rec *Record) error {
	conn, err := pgconn.Connect(ctx, r.server.URL())
	if err != nil {
		return fmt.Errorf("line %d: connect: %w", rec.Line, err)
	}
	defer func() { _ = conn.Close(ctx) }()
	r.unseen = true
	if _, err := run(ctx, conn, r.sql(rec)); err != nil {
		return &failure{rec, describe(err) + "\n" + rec.SQL}
	}
	return nil
}

// copied is the statement whose rows a COPY writes, or sql itself.
func copied(sql string) string {
	inner, ok := strings.CutPrefix(sql, "COPY (")
	if !ok && strings.HasPrefix(sql, "COPY ") {
		return "SELECT"
	}
	return inner
}

// copyOut runs a COPY … TO STDOUT and returns its lines.
func copyOut(ctx context.Context, conn *pgconn.PgConn, sql string, sorted bool) ([]string, error) {
	var b bytes.Buffer
	if _, err := conn.CopyTo(ctx, &b, sql); err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	if sorted {
		slices.Sort(lines)
	}
	return lines, nil
}

// hideEpochs puts "-" for the epochs of changes, which depend on the clock.
func hideEpochs(res *pgconn.Result) {
	if len(res.FieldDescriptions) < 2 || res.FieldDescriptions[0].Name != "op" || res.FieldDescriptions[1].Name != "epoch" {
		return
	}
	for _, row := range res.Rows {
		row[1] = []byte("-")
	}
}
