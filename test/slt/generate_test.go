package slt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/test/servers"
)

// casesDefault is how many random cases a plain `go test` runs.
const casesDefault = 60

// failuresMax is how many cases may fail before the rest is given up.
const failuresMax = 12

// tablesMax is how many tables a case has at most.
const tablesMax = 2

// caseMax is how long one case may take.
const caseMax = time.Minute

// lanes is how many servers run cases, side by side. It has a part in which settings
// a case begins under, so it does not depend on the machine.
const lanes = 5

// laneOf is the lane of a case. Each has as many cases of one kind as of the other.
func laneOf(i int) int { return i / 2 % lanes }

// duel runs the same statements on Millrace and on PostgreSQL.
type duel struct {
	t        *testing.T
	m        *servers.Millrace
	ours     *pgconn.PgConn
	theirs   *pgconn.PgConn
	url      string   // of PostgreSQL's database
	settings string   // flags of the server that runs
	script   []string // what was run, to be printed when it fails
	wrong    []string // what was other than it should be
}

// TestRandom compares the content of random materialized views, after random
// changes of the tables below them, with what PostgreSQL computes from the same
// tables. Every other case is of tables with event time; MILLRACE_SLT_KIND=timed
// makes all of them so. MILLRACE_SLT_CASES is the number of cases, MILLRACE_SEED
// repeats a run and MILLRACE_SLT_CASE one case of it, on a server that is started
// with the flags of MILLRACE_SLT_SERVER.
func TestRandom(t *testing.T) {
	seed, cases, only := random.Seed(t), casesDefault, -1
	if n, err := strconv.Atoi(os.Getenv("MILLRACE_SLT_CASES")); err == nil {
		cases = n
	}
	if n, err := strconv.Atoi(os.Getenv("MILLRACE_SLT_CASE")); err == nil {
		only, cases = n, n+1
	}
	pg, bin := servers.StartPostgres(t), servers.BuildMillrace(t, "../..")
	var done, failed atomic.Int32
	var wg sync.WaitGroup
	defer wg.Wait()
	for lane := range lanes {
		if only >= 0 && laneOf(only) != lane {
			continue
		}
		d := newDuel(t, pg, bin, fmt.Sprintf("random%d", lane))
		wg.Go(func() {
			defer d.m.Kill()
			err := d.start(t.Context(), rand.New(rand.NewPCG(seed, -uint64(lane))))
			for i := max(only, 0); i < cases && err == nil && failed.Load() < failuresMax; i++ {
				if laneOf(i) != lane {
					continue
				}
				var ok bool
				if ok, err = d.runCase(t.Context(), seed, i); !ok {
					failed.Add(1)
				}
				if n := done.Add(1); n%1000 == 0 {
					t.Logf("%d cases, %d failed", n, failed.Load())
				}
			}
			if err != nil {
				t.Errorf("lane %d is given up: %v", lane, err)
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n >= failuresMax {
		t.Errorf("%d cases failed: the rest is not run", n)
	}
}

func newDuel(t *testing.T, pg *servers.Postgres, bin, database string) *duel {
	t.Helper()
	d := &duel{t: t, url: createDatabase(t.Context(), t, pg, database)}
	var err error
	if d.theirs, err = pgconn.Connect(t.Context(), d.url); err != nil {
		t.Fatal(err)
	}
	if d.m, err = servers.NewMillrace(bin, t.TempDir(), "--log-level", "warn"); err != nil {
		t.Fatal(err)
	}
	return d
}

// runCase runs one case and clears up after it. It reports whether both sides agreed,
// and an error where no further case can be run.
func (d *duel) runCase(ctx context.Context, seed uint64, i int) (ok bool, err error) {
	settings := d.settings
	d.script, d.wrong = nil, nil
	play := []func(context.Context, *rand.Rand) bool{d.play, d.playTimed}[i%2]
	if os.Getenv("MILLRACE_SLT_KIND") == "timed" {
		play = d.playTimed
	}
	ok = play(ctx, rand.New(rand.NewPCG(seed, uint64(i)+1)))
	ok = d.clear(ctx) && ok
	if !ok {
		d.t.Errorf("case %d of seed %d failed: MILLRACE_SEED=%d MILLRACE_SLT_CASE=%d MILLRACE_SLT_SERVER='%s'\n%s\nwhat was run:\n%s;\nthe server's output:\n%s",
			i, seed, seed, i, settings, strings.Join(d.wrong, "\n"), strings.Join(d.script, ";\n"), d.m.Log())
	}
	if !d.ours.IsClosed() && !d.theirs.IsClosed() {
		return ok, nil
	}
	if d.ours.IsClosed() {
		if d.ours, err = pgconn.Connect(ctx, d.m.URL()); err != nil {
			return ok, err
		}
	}
	if d.theirs.IsClosed() { // the time of the case was over
		if d.theirs, err = pgconn.Connect(ctx, d.url); err != nil {
			return ok, err
		}
	}
	d.clear(ctx)
	return ok, nil
}

// fail keeps what was other than it should be. It returns false.
func (d *duel) fail(format string, args ...any) bool {
	d.wrong = append(d.wrong, fmt.Sprintf(format, args...))
	return false
}

// start runs the server under settings of the dice.
func (d *duel) start(ctx context.Context, rng *rand.Rand) error {
	rows := []string{"1", "3", "1024"}[rng.IntN(3)]
	d.settings = "--batch-rows " + rows + " --parallelism " + strconv.Itoa(1+rng.IntN(3))
	if s := os.Getenv("MILLRACE_SLT_SERVER"); s != "" && d.ours == nil {
		d.settings = s
	}
	d.script = append(d.script, "-- start with "+d.settings)
	if err := d.m.Start(ctx, strings.Fields(d.settings)...); err != nil {
		return err
	}
	var err error
	d.ours, err = pgconn.Connect(ctx, d.m.URL())
	return err
}

// play runs one case and reports whether both sides agreed.
func (d *duel) play(ctx context.Context, rng *rand.Rand) bool {
	ctx, cancel := context.WithTimeout(ctx, caseMax)
	defer cancel()
	g := &generator{rng}
	var tables, relations []relation
	for i := range 1 + rng.IntN(tablesMax) {
		r := relation{fmt.Sprintf("t%d", i+1), tableColumns, idsMax}
		tables = append(tables, r)
		if !d.both(ctx, createTable(r.name)) {
			return false
		}
	}
	relations = append(relations, tables...)
	views := 1 + rng.IntN(3)
	made := 0
	for range 6 + rng.IntN(14) {
		if made < views && g.chance(3) {
			made++
			if !d.view(ctx, g, &relations, made) {
				return false
			}
		}
		if !d.both(ctx, g.change(tables[rng.IntN(len(tables))].name)) {
			return false
		}
		switch {
		case g.chance(40):
			if !d.restart(ctx, g) {
				return false
			}
		case g.chance(15):
			if !d.compareAll(ctx, relations) {
				return false
			}
		}
	}
	for ; made < views; made++ {
		if !d.view(ctx, g, &relations, made+1) {
			return false
		}
	}
	return d.compareAll(ctx, relations)
}

// restart kills the server, in one of two cases after checkpoints.
func (d *duel) restart(ctx context.Context, g *generator) bool {
	if g.chance(2) {
		if err := awaitCheckpoints(ctx, d.ours); err != nil {
			return d.fail("%v", err)
		}
	}
	d.m.Kill()
	_ = d.ours.Close(ctx)
	if err := d.start(ctx, g.rng); err != nil {
		return d.fail("%v", err)
	}
	return true
}

// clear drops what a case made.
func (d *duel) clear(ctx context.Context) bool {
	names := slices.Clone(timedNames)
	for i := range tablesMax {
		names = append(names, fmt.Sprintf("t%d", i+1))
	}
	return d.both(ctx, "DROP TABLE IF EXISTS "+strings.Join(names, ", ")+" CASCADE")
}

// view makes a view, and lets later ones read it.
func (d *duel) view(ctx context.Context, g *generator, relations *[]relation, n int) bool {
	q := g.query(*relations, 2)
	name := fmt.Sprintf("v%d", n)
	sql := "CREATE MATERIALIZED VIEW " + name + " AS " + q.sql
	if _, err := run(ctx, d.ours, often(sql)); err != nil && asPgError(err) != nil && asPgError(err).Code == "42710" {
		return true // two operators mean the same, and one needs a pin
	} else if err != nil {
		d.script = append(d.script, sql)
		return d.fail("%s: %v", sql, err)
	}
	d.script = append(d.script, sql)
	if _, err := run(ctx, d.theirs, forPostgres(&Record{SQL: sql})); err != nil {
		return d.fail("PostgreSQL: %s: %v", sql, err)
	}
	*relations = append(*relations, relation{name, q.columns, q.rows})
	return true
}

// both runs a statement on both sides, which must agree on whether it succeeds
// and on how many rows it affects.
func (d *duel) both(ctx context.Context, sql string) bool {
	return d.run(ctx, twin{sql, forPostgres(&Record{SQL: sql})})
}

// run is both with a text for each side.
func (d *duel) run(ctx context.Context, sql twin) bool {
	d.script = append(d.script, sql.ours)
	if sql.ours != sql.theirs {
		d.script = append(d.script, "-- postgres: "+sql.theirs)
	}
	theirs, theirErr := d.theirs.Exec(ctx, sql.theirs).ReadAll()
	ours, ourErr := d.ours.Exec(ctx, sql.ours).ReadAll()
	switch {
	case theirErr == nil && ourErr == nil:
		a, b := theirs[0].CommandTag, ours[0].CommandTag
		if a.RowsAffected() != b.RowsAffected() {
			return d.fail("%s:\nPostgreSQL: %s\nMillrace:   %s", sql.ours, a, b)
		}
		return true
	case theirErr != nil && ourErr != nil && asPgError(theirErr) != nil && asPgError(ourErr) != nil && asPgError(theirErr).Code == asPgError(ourErr).Code:
		return true
	}
	return d.fail("%s:\nPostgreSQL: %v\nMillrace:   %v", sql.ours, theirErr, ourErr)
}

// compareAll compares the content of all relations.
func (d *duel) compareAll(ctx context.Context, relations []relation) bool {
	d.script = append(d.script, "FLUSH")
	if _, err := run(ctx, d.ours, "FLUSH"); err != nil {
		return d.fail("FLUSH: %v", err)
	}
	same := true
	for _, r := range relations {
		same = d.compare(ctx, "SELECT * FROM "+r.name) && same
	}
	return same
}

func (d *duel) compare(ctx context.Context, sql string) bool {
	theirs, err := run(ctx, d.theirs, sql)
	if err != nil {
		return d.fail("PostgreSQL: %s: %v", sql, err)
	}
	ours, err := run(ctx, d.ours, sql)
	if err != nil {
		return d.fail("Millrace: %s: %v", sql, err)
	}
	a, b := Format(theirs, true), Format(ours, true)
	if slices.Equal(a, b) {
		return true
	}
	return d.fail("%s\nPostgreSQL:\n%s\nMillrace:\n%s", sql, strings.Join(a, "\n"), strings.Join(b, "\n"))
}
