package slt

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// playTimed runs one case of tables with event time, and reports whether both
// sides agreed.
func (d *duel) playTimed(ctx context.Context, rng *rand.Rand) bool {
	ctx, cancel := context.WithTimeout(ctx, caseMax)
	defer cancel()
	g := newTimed(&generator{rng})
	for _, sql := range g.tables() {
		if !d.run(ctx, sql) {
			return false
		}
	}
	var relations, late []relation // late are those to compare at the end
	for _, name := range timedNames[:4] {
		relations = append(relations, relation{name, tableColumns, 2 * idsMax})
	}
	views := 2 + rng.IntN(3)
	made := 0
	for range 8 + rng.IntN(16) {
		// A view sees what is there in any order: where time goes on, it comes first.
		for made < views && (g.goesOn || g.chance(3)) {
			made++
			if !d.timedView(ctx, g, &relations, &late, made) {
				return false
			}
		}
		if !d.run(ctx, g.change()) {
			return false
		}
		switch {
		case g.chance(40):
			if !d.restart(ctx, g.generator) {
				return false
			}
		case g.chance(15):
			if !d.compareAll(ctx, relations) {
				return false
			}
		}
	}
	for ; made < views; made++ {
		if !d.timedView(ctx, g, &relations, &late, made+1) {
			return false
		}
	}
	if g.chance(2) && !d.compareAll(ctx, relations) {
		return false
	}
	for _, sql := range g.end() {
		if !d.run(ctx, sql) {
			return false
		}
	}
	return d.compareAll(ctx, append(relations, late...))
}

// timedView makes a view, and lets later ones read it.
func (d *duel) timedView(ctx context.Context, g *timed, relations, late *[]relation, n int) bool {
	v := g.view(*relations)
	name := fmt.Sprintf("v%d", n)
	sql := twin{often("CREATE MATERIALIZED VIEW " + name + " AS " + v.sql.ours), "CREATE VIEW " + name + " AS " + v.sql.theirs}
	d.script = append(d.script, sql.ours, "-- postgres: "+sql.theirs)
	if _, err := run(ctx, d.ours, sql.ours); err != nil && asPgError(err) != nil && asPgError(err).Code == "42710" {
		return true // two operators mean the same, and one needs a pin
	} else if err != nil {
		return d.fail("%s: %v", sql.ours, err)
	}
	if _, err := run(ctx, d.theirs, sql.theirs); err != nil {
		return d.fail("PostgreSQL: %s: %v", sql.theirs, err)
	}
	r := relation{name, v.query.columns, v.query.rows}
	switch {
	case v.atEnd:
		*late = append(*late, r)
	default:
		*relations = append(*relations, r)
	}
	return true
}
