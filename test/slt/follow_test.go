package slt

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/test/servers"
)

// followedDefault is how many random views a plain `go test` follows.
const followedDefault = 30

// contentOf is what a relation has, as COPY writes it.
func contentOf(ctx context.Context, conn *pgconn.PgConn, relation string) (map[string]int, error) {
	var b bytes.Buffer
	if _, err := conn.CopyTo(ctx, &b, "COPY (SELECT * FROM "+relation+") TO STDOUT"); err != nil {
		return nil, fmt.Errorf("read %s: %w", relation, err)
	}
	rows := map[string]int{}
	for line := range strings.Lines(b.String()) {
		rows[strings.TrimSuffix(line, "\n")]++
	}
	return rows, nil
}

// TestFollow follows random views while their tables change: by a subscription to
// the view with its rows, by one without, by one to its query, which sees every
// change that the operators emit, and by a table without a key that a job fills,
// which fails if something is taken back that it does not have. Every other view is
// of tables with event time. MILLRACE_FOLLOWED is the number of views, MILLRACE_SEED
// repeats a run.
func TestFollow(t *testing.T) {
	seed, views := random.Seed(t), followedDefault
	if n, err := strconv.Atoi(os.Getenv("MILLRACE_FOLLOWED")); err == nil {
		views = n
	}
	m, err := servers.NewMillrace(servers.BuildMillrace(t, "../.."), t.TempDir(), "--log-level", "warn")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	for i := range views {
		c := &followed{m: m, g: &generator{rand.New(rand.NewPCG(seed, uint64(i)+1))}}
		if i%2 == 1 {
			c.timed = newTimed(c.g)
			c.timed.dated = true // the job that fills a table takes no row for bad
		}
		if err := c.play(t.Context()); err != nil {
			t.Errorf("view %d of seed %d: %v\nwhat was run:\n%s;\nthe server's output:\n%s", i, seed, err, strings.Join(c.script, ";\n"), m.Log())
			return
		}
	}
}

// followed is one view with its followers.
type followed struct {
	m         *servers.Millrace
	g         *generator
	timed     *timed // of a view of tables with event time
	conn      *pgconn.PgConn
	query     string
	followers []*follower
	script    []string
}

// play makes the view, changes its tables and looks at the followers now and then.
func (c *followed) play(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := c.start(ctx); err != nil {
		return err
	}
	defer func() {
		c.leave()
		if err == nil {
			err = c.run(ctx, "DROP TABLE IF EXISTS filled, t1, t2, "+strings.Join(timedNames, ", ")+" CASCADE")
		}
		_ = c.conn.Close(ctx)
		c.m.Kill()
	}()
	relations, err := c.tables(ctx)
	if err != nil {
		return err
	}
	for range 4 {
		if c.timed != nil && c.timed.goesOn {
			break // a view sees what is there in any order
		}
		if err := c.change(ctx); err != nil {
			return err
		}
	}
	if made, err := c.make(ctx, relations); err != nil || !made {
		return err
	}
	for round := range 3 {
		if err := c.follow(ctx); err != nil {
			return err
		}
		for range 4 + c.g.rng.IntN(10) {
			if err := c.change(ctx); err != nil {
				return err
			}
			if c.g.chance(4) {
				if err := c.compare(ctx); err != nil {
					return err
				}
			}
		}
		if err := c.compare(ctx); err != nil {
			return err
		}
		if round == 2 && c.timed != nil {
			if err := c.end(ctx); err != nil {
				return err
			}
		}
		c.leave()
		if round == 1 {
			_ = c.conn.Close(ctx)
			c.m.Kill()
			if err := c.start(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// tables makes the tables, and says what a view may read.
func (c *followed) tables(ctx context.Context) (relations []relation, err error) {
	var all []string
	names := []string{"t1", "t2"}
	for _, name := range names {
		all = append(all, createTable(name))
	}
	if c.timed != nil {
		names, all = timedNames[:4], nil
		for _, sql := range c.timed.tables() {
			all = append(all, sql.ours)
		}
	}
	for _, sql := range all {
		if err := c.run(ctx, sql); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		relations = append(relations, relation{name, tableColumns, idsMax})
	}
	return relations, nil
}

// end lets event time pass everything, and compares once more.
func (c *followed) end(ctx context.Context) error {
	for _, sql := range c.timed.end() {
		if err := c.run(ctx, sql.ours); err != nil {
			return err
		}
	}
	return c.compare(ctx)
}

func (c *followed) start(ctx context.Context) error {
	rows, parallelism := c.g.oneOf("1", "3", "1024"), c.g.oneOf("1", "2", "3")
	c.script = append(c.script, "-- start with --batch-rows "+rows+" --parallelism "+parallelism)
	if err := c.m.Start(ctx, "--batch-rows", rows, "--parallelism", parallelism); err != nil {
		return err
	}
	var err error
	c.conn, err = pgconn.Connect(ctx, c.m.URL())
	return err
}

func (c *followed) run(ctx context.Context, sql string) error {
	c.script = append(c.script, sql)
	_, err := run(ctx, c.conn, sql)
	if err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// change changes a table, or fails as a duplicate does.
func (c *followed) change(ctx context.Context) error {
	sql := ""
	if c.timed != nil {
		sql = c.timed.change().ours
	} else {
		sql = c.g.change(c.g.oneOf("t1", "t2"))
	}
	c.script = append(c.script, sql)
	if _, err := run(ctx, c.conn, sql); err != nil && (asPgError(err) == nil || asPgError(err).Code != "23505" && asPgError(err).Code != "21000") {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// make makes the view, a table without a key, and a job that fills it. It reports
// false where two operators mean the same, and one needs a pin.
func (c *followed) make(ctx context.Context, relations []relation) (bool, error) {
	var q query
	if c.timed != nil {
		q = c.timed.view(relations).asQuery()
	} else {
		q = c.g.query(relations, 2)
	}
	c.query = q.sql
	sql := "CREATE MATERIALIZED VIEW v AS " + q.sql
	c.script = append(c.script, sql)
	if _, err := run(ctx, c.conn, often(sql)); err != nil {
		if pg := asPgError(err); pg != nil && pg.Code == "42710" {
			return false, nil
		}
		return false, fmt.Errorf("%s: %w", sql, err)
	}
	filled, err := c.columnsOf(ctx, "v")
	if err != nil {
		return false, err
	}
	if err := c.run(ctx, "CREATE TABLE filled ("+filled+")"); err != nil {
		return false, err
	}
	return true, c.run(ctx, "CREATE JOB fill WITH (checkpoint_interval = '50ms', bad_data = 'fail') AS INSERT INTO filled "+q.sql)
}

// columnsOf are the columns of a relation as CREATE TABLE takes them, without limits:
// numerics keep the scale that each has.
func (c *followed) columnsOf(ctx context.Context, relation string) (string, error) {
	rows, err := run(ctx, c.conn, "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = '"+relation+"'::regclass AND attnum > 0 ORDER BY attnum")
	var cols []string
	for _, row := range rows {
		cols = append(cols, string(row[0])+" "+string(row[1]))
	}
	return strings.Join(cols, ", "), err
}

// asksAnew reports whether the view's query, asked now, comes to what the view has,
// which has followed the tables from their beginning.
func (c *followed) asksAnew() bool {
	return c.timed == nil || !c.timed.goesOn && !strings.Contains(c.query, "FOR SYSTEM_TIME")
}

func (c *followed) follow(ctx context.Context) error {
	if err := c.run(ctx, "FLUSH"); err != nil {
		return err
	}
	known, err := contentOf(ctx, c.conn, "v")
	if err != nil {
		return err
	}
	for _, s := range []struct {
		name, what string
		rows       map[string]int
	}{
		{"the view with its rows", "v", map[string]int{}},
		{"the view without its rows", "v WITH (snapshot = false, progress = true)", known},
		{"the query", "(" + c.query + ") WITH (progress = true)", map[string]int{}},
	} {
		if s.name == "the query" && !c.asksAnew() {
			continue
		}
		f, err := follow(ctx, c.m.URL(), s.name, "COPY (SUBSCRIBE TO "+s.what+") TO STDOUT", s.rows)
		if err != nil {
			return err
		}
		c.followers = append(c.followers, f)
	}
	return c.followers[0].has(known)
}

func (c *followed) compare(ctx context.Context) error {
	if err := c.run(ctx, "FLUSH"); err != nil {
		return err
	}
	want, err := contentOf(ctx, c.conn, "v")
	if err != nil {
		return err
	}
	for _, f := range c.followers {
		if err := f.has(want); err != nil {
			return err
		}
	}
	if c.timed != nil { // a job writes windows when they close, a view as they fill
		return c.fills(ctx)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got, err := contentOf(ctx, c.conn, "filled")
		if err != nil {
			return err
		}
		if maps.Equal(got, want) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the table that a job fills does not come to the content:\n%v\nit has\n%v", want, got)
		}
	}
}

// fills reports an error if the job that fills the table has failed.
func (c *followed) fills(ctx context.Context) error {
	rows, err := run(ctx, c.conn, "SELECT state, failure FROM millrace.jobs WHERE name = 'fill'")
	if err == nil && (len(rows) != 1 || string(rows[0][0]) != "running") {
		err = fmt.Errorf("the job that fills a table: %s", Format(rows, false))
	}
	return err
}

func (c *followed) leave() {
	for _, f := range c.followers {
		f.stop()
	}
	c.followers = nil
}
