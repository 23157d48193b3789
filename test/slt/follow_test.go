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
// which fails if something is taken back that it does not have. MILLRACE_FOLLOWED
// is the number of views, MILLRACE_SEED repeats a run.
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
			err = c.run(ctx, "DROP TABLE t1, t2 CASCADE; DROP TABLE IF EXISTS filled CASCADE")
		}
		_ = c.conn.Close(ctx)
		c.m.Kill()
	}()
	var relations []relation
	for _, name := range []string{"t1", "t2"} {
		relations = append(relations, relation{name, tableColumns, idsMax})
		if err := c.run(ctx, createTable(name)); err != nil {
			return err
		}
	}
	for range 4 {
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
	sql := c.g.change(c.g.oneOf("t1", "t2"))
	c.script = append(c.script, sql)
	if _, err := run(ctx, c.conn, sql); err != nil && (asPgError(err) == nil || asPgError(err).Code != "23505" && asPgError(err).Code != "21000") {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// make makes the view, a table without a key, and a job that fills it. It reports
// false where two operators mean the same, and one needs a pin.
func (c *followed) make(ctx context.Context, relations []relation) (bool, error) {
	q := c.g.query(relations, 2)
	c.query = q.sql
	sql := "CREATE MATERIALIZED VIEW v AS " + q.sql
	c.script = append(c.script, sql)
	if _, err := run(ctx, c.conn, often(sql)); err != nil {
		if pg := asPgError(err); pg != nil && pg.Code == "42710" {
			return false, nil
		}
		return false, fmt.Errorf("%s: %w", sql, err)
	}
	var cols []string
	for _, col := range q.columns {
		cols = append(cols, col.name+" "+[...]string{"int", "text", "numeric", "boolean"}[col.kind])
	}
	if err := c.run(ctx, "CREATE TABLE filled ("+strings.Join(cols, ", ")+")"); err != nil {
		return false, err
	}
	return true, c.run(ctx, "CREATE JOB fill WITH (checkpoint_interval = '50ms', bad_data = 'fail') AS INSERT INTO filled "+q.sql)
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

func (c *followed) leave() {
	for _, f := range c.followers {
		f.stop()
	}
	c.followers = nil
}
