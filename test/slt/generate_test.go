package slt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
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

// duel runs the same statements on Millrace and on PostgreSQL.
type duel struct {
	t      *testing.T
	m      *servers.Millrace
	ours   *pgconn.PgConn
	theirs *pgconn.PgConn
	script []string // what was run, to be printed when it fails
}

// TestRandom compares the content of random materialized views, after random
// changes of the tables below them, with what PostgreSQL computes from the same
// tables. Every other case is of tables with event time; MILLRACE_SLT_KIND=timed
// makes all of them so. MILLRACE_SLT_CASES is the number of cases, MILLRACE_SEED
// repeats a run and MILLRACE_SLT_CASE one case of it.
func TestRandom(t *testing.T) {
	seed, cases, only := random.Seed(t), casesDefault, -1
	if n, err := strconv.Atoi(os.Getenv("MILLRACE_SLT_CASES")); err == nil {
		cases = n
	}
	if n, err := strconv.Atoi(os.Getenv("MILLRACE_SLT_CASE")); err == nil {
		only, cases = n, n+1
	}
	ctx := context.Background()
	pg := servers.StartPostgres(t)
	d := &duel{t: t}
	var err error
	if d.theirs, err = pgconn.Connect(ctx, createDatabase(ctx, t, pg, "random")); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.theirs.Close(ctx) }()
	if d.m, err = servers.NewMillrace(servers.BuildMillrace(t, "../.."), t.TempDir(), "--log-level", "warn"); err != nil {
		t.Fatal(err)
	}
	defer d.m.Kill()
	d.start(ctx, rand.New(rand.NewPCG(seed, 0)))
	failed := 0
	for i := max(only, 0); i < cases; i++ {
		rng := rand.New(rand.NewPCG(seed, uint64(i)+1))
		play := []func(context.Context, *rand.Rand) bool{d.play, d.playTimed}[i%2]
		if os.Getenv("MILLRACE_SLT_KIND") == "timed" {
			play = d.playTimed
		}
		if ok, left := play(ctx, rng), d.clear(ctx); !ok || !left {
			failed++
			t.Errorf("case %d of seed %d failed: MILLRACE_SEED=%d MILLRACE_SLT_CASE=%d; what was run:\n%s;\nthe server's output:\n%s",
				i, seed, seed, i, strings.Join(d.script, ";\n"), d.m.Log())
		}
		if d.ours.IsClosed() {
			if d.ours, err = pgconn.Connect(ctx, d.m.URL()); err != nil {
				t.Fatal(err)
			}
			d.clear(ctx)
		}
		if d.theirs.IsClosed() { // the time of the case was over
			if d.theirs, err = pgconn.Connect(ctx, pg.URL("random")); err != nil {
				t.Fatal(err)
			}
			d.clear(ctx)
		}
		if (i+1)%1000 == 0 {
			t.Logf("%d cases, %d failed", i+1, failed)
		}
		if failed == failuresMax {
			t.Fatalf("%d cases failed: the rest is not run", failed)
		}
	}
}

// start runs the server under settings of the dice.
func (d *duel) start(ctx context.Context, rng *rand.Rand) {
	d.t.Helper()
	rows := []string{"1", "3", "1024"}[rng.IntN(3)]
	parallelism := strconv.Itoa(1 + rng.IntN(3))
	d.script = append(d.script, "-- start with --batch-rows "+rows+" --parallelism "+parallelism)
	if err := d.m.Start(ctx, "--batch-rows", rows, "--parallelism", parallelism); err != nil {
		d.t.Fatal(err)
	}
	var err error
	if d.ours, err = pgconn.Connect(ctx, d.m.URL()); err != nil {
		d.t.Fatal(err)
	}
}

// play runs one case and reports whether both sides agreed.
func (d *duel) play(ctx context.Context, rng *rand.Rand) bool {
	ctx, cancel := context.WithTimeout(ctx, caseMax)
	defer cancel()
	d.script = d.script[:0]
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
			d.t.Error(err)
			return false
		}
	}
	d.m.Kill()
	_ = d.ours.Close(ctx)
	d.start(ctx, g.rng)
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
		d.t.Errorf("%s: %v", sql, err)
		return false
	}
	d.script = append(d.script, sql)
	if _, err := run(ctx, d.theirs, forPostgres(&Record{SQL: sql})); err != nil {
		d.t.Errorf("PostgreSQL: %s: %v", sql, err)
		return false
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
			d.t.Errorf("%s:\nPostgreSQL: %s\nMillrace:   %s", sql.ours, a, b)
			return false
		}
		return true
	case theirErr != nil && ourErr != nil && asPgError(theirErr) != nil && asPgError(ourErr) != nil && asPgError(theirErr).Code == asPgError(ourErr).Code:
		return true
	}
	d.t.Errorf("%s:\nPostgreSQL: %v\nMillrace:   %v", sql.ours, theirErr, ourErr)
	return false
}

// compareAll compares the content of all relations.
func (d *duel) compareAll(ctx context.Context, relations []relation) bool {
	d.script = append(d.script, "FLUSH")
	if _, err := run(ctx, d.ours, "FLUSH"); err != nil {
		d.t.Errorf("FLUSH: %v", err)
		return false
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
		d.t.Errorf("PostgreSQL: %s: %v", sql, err)
		return false
	}
	ours, err := run(ctx, d.ours, sql)
	if err != nil {
		d.t.Errorf("Millrace: %s: %v", sql, err)
		return false
	}
	a, b := Format(theirs, true), Format(ours, true)
	if slices.Equal(a, b) {
		return true
	}
	d.t.Errorf("%s\nPostgreSQL:\n%s\nMillrace:\n%s", sql, strings.Join(a, "\n"), strings.Join(b, "\n"))
	return false
}
