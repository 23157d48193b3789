package slt

import (
	"fmt"
	"strings"
)

// intervalJoin joins rows whose times are near.
func (g *timed) intervalJoin() timedView {
	a, b := g.oneOf("e1", "e2"), g.oneOf("e1", "e2")
	left, right := qualified("a", tableColumns), qualified("b", tableColumns)
	both := append(append([]column{}, left...), right...)
	on := "a.k = b.k"
	if g.chance(3) {
		k := kind(g.rng.IntN(int(boolean)))
		on = g.of(left, k) + " = " + g.of(right, k)
	}
	on += " AND " + g.oneOf(
		"a.ts BETWEEN b.ts - INTERVAL '3' SECOND AND b.ts + INTERVAL '2' SECOND",
		"b.ts BETWEEN a.ts AND a.ts + INTERVAL '4' SECOND",
		"a.ts = b.ts",
		"a.ts > b.ts - INTERVAL '2' SECOND AND a.ts < b.ts",
		"b.ts >= a.ts - INTERVAL '5' SECOND AND b.ts <= a.ts - INTERVAL '1' SECOND")
	if g.chance(3) {
		on += " AND " + g.expr(both, boolean, 1)
	}
	before := " AND a.ts < " + closed
	if g.chance(3) {
		list, cols := g.pick(left, 2, "c")
		sql := "SELECT " + strings.Join(list, ", ") + " FROM " + a + " a WHERE " + g.oneOf("", "NOT ") + "EXISTS (SELECT 1 FROM " + b + " b WHERE " + on + ")" + before
		return timedView{sql: same(sql), atEnd: true, query: query{columns: cols, rows: 50}}
	}
	list, cols := g.pick(both, 1+g.rng.IntN(3), "c")
	how := g.oneOf(" JOIN ", " LEFT JOIN ")
	sql := "SELECT " + strings.Join(list, ", ") + " FROM " + a + " a" + how + b + " b ON " + on + " WHERE true" + before
	return timedView{sql: same(sql), atEnd: how != " JOIN ", query: query{columns: cols, rows: 100}}
}

// versionColumns are those of r1.
var versionColumns = []column{{"k", integer}, {"v", integer}, {"t", text}, {"n", decimal}, {"b", boolean}}

// temporalJoin joins rows with the versions of their time.
func (g *timed) temporalJoin() timedView {
	a := g.oneOf("e1", "e2")
	both := append(qualified("a", tableColumns), qualified("b", versionColumns)...)
	key := g.oneOf("a.k", "a.k", "a.v")
	extra := ""
	if g.chance(3) {
		extra = g.expr(both, boolean, 1)
	}
	list, cols := g.pick(both, 1+g.rng.IntN(3), "c")
	head := "SELECT " + strings.Join(list, ", ") + " FROM " + a + " a"
	how := g.oneOf(" JOIN ", " LEFT JOIN ")
	before := " WHERE a.ts < " + closed
	if how == " LEFT JOIN " { // what can match nothing does not wait
		before += " OR a.ts IS NULL OR " + key + " IS NULL"
	}
	and, on := "", "true"
	if extra != "" {
		and, on = " AND "+extra, extra
	}
	sql := twin{
		head + how + "r1 FOR SYSTEM_TIME AS OF a.ts AS b ON " + key + " = b.k" + and,
		head + how + "LATERAL (SELECT * FROM (SELECT * FROM r1 h WHERE h.k = " + key + " AND h.since <= a.ts ORDER BY since DESC, seq DESC LIMIT 1) h WHERE NOT dead) AS b ON " + on + before,
	}
	return timedView{sql: sql, atEnd: true, query: query{columns: cols, rows: 50}}
}

// asofJoin joins rows with the nearest one. Where several may be, nothing is asked
// of it but how near it is.
func (g *timed) asofJoin() timedView {
	a, b := g.oneOf("e1", "c1", "c2"), g.oneOf("c1", "c2")
	left, right := qualified("a", tableColumns), qualified("b", tableColumns)
	by, of := "b.id", g.oneOf("a.v", "a.id", "a.k")
	if g.chance(2) {
		b = g.oneOf("e1", "e2", "c1")
		by, of = "b.ts", "a.ts"
	}
	op := g.oneOf(">=", ">", "<=", "<")
	order := by + map[byte]string{'>': " DESC", '<': ""}[op[0]]
	k := kind(g.rng.IntN(int(kinds)))
	on := g.of(left, k) + " = " + g.of(right, k)
	if g.chance(3) {
		on += " AND " + g.expr(right, boolean, 1)
	}
	near := of + " " + op + " " + by
	how := g.oneOf(" JOIN ", " LEFT JOIN ")
	var list []string
	var cols []column
	if by == "b.ts" {
		list, cols = g.pick(left, 1+g.rng.IntN(2), "c")
		list = append(list, "b.ts AS bts")
	} else {
		list, cols = g.pick(append(left, right...), 1+g.rng.IntN(3), "c")
	}
	head := "SELECT " + strings.Join(list, ", ") + " FROM " + a + " a"
	ours := head + " ASOF" + how + b + " b ON " + on + " AND " + near
	if g.chance(3) {
		ours = head + " ASOF" + how + b + " b MATCH_CONDITION (" + near + ") ON " + on
	}
	return timedView{sql: twin{ours, head + how + "LATERAL (SELECT * FROM " + b + " b WHERE " + on + " AND " + near + " ORDER BY " + order + " LIMIT 1) AS b ON true"}, query: query{columns: cols, rows: 60}}
}

// qualify keeps rows by a window function.
func (g *timed) qualify(relations []relation) timedView {
	from, in, rows := g.source(relations, 1)
	list, cols := g.pick(in, 2+g.rng.IntN(2), "c")
	var names []string
	for _, c := range cols {
		names = append(names, c.name)
	}
	all := strings.Join(names, ", ")
	partition := ""
	if g.chance(2) {
		partition = "PARTITION BY c1 "
	}
	call, k := g.overCall(cols)
	over := g.typed(call+" OVER ("+partition+"ORDER BY "+g.sorted(names)+g.frame()+")", k)
	test := g.oneOf(" IS NOT NULL", " IS DISTINCT FROM "+g.constant(k), " >= "+g.typed(g.constant(k), k))
	if k == integer && g.chance(2) {
		test = fmt.Sprintf(" <= %d", 1+g.rng.IntN(3))
	}
	inner := "(SELECT " + strings.Join(list, ", ") + " FROM " + from + ") AS i"
	return timedView{sql: twin{
		"SELECT " + all + " FROM " + inner + " QUALIFY " + over + test,
		"SELECT " + all + " FROM (SELECT *, " + over + " AS x FROM " + inner + ") AS o WHERE x" + test,
	}, query: query{columns: cols, rows: rows}}
}

// rangeFrame computes over rows that are near in time.
func (g *timed) rangeFrame() timedView {
	r := g.oneOf("e1", "e2", "c1", "c2")
	call := g.oneOf("count(*)", "sum(v)", "min(t)", "max(n)", "bool_and(b)", "count(k)", "avg(v)")
	start := g.oneOf("INTERVAL '5' SECOND PRECEDING", "INTERVAL '1' SECOND PRECEDING", "UNBOUNDED PRECEDING", "CURRENT ROW")
	end := g.oneOf("CURRENT ROW", "CURRENT ROW", "INTERVAL '2' SECOND FOLLOWING", "UNBOUNDED FOLLOWING")
	unit := "RANGE"
	if g.chance(3) {
		unit, start, end = "GROUPS", g.oneOf("2 PRECEDING", "1 PRECEDING"), g.oneOf("CURRENT ROW", "1 FOLLOWING")
	}
	emits := r[0] == 'e' && unit == "RANGE" && end == "CURRENT ROW" && start[0] == 'I' && g.chance(2)
	partition, order := g.oneOf("", "PARTITION BY k ", "PARTITION BY t, b "), "ts"+g.oneOf("", "", " DESC", " NULLS FIRST")
	if emits {
		order = "ts"
	}
	sql := "SELECT id, k, v, t, ts AS at, " + call + " OVER (" + partition + "ORDER BY " + order + " " + unit + " BETWEEN " + start + " AND " + end + ") AS x FROM " + r
	v := timedView{sql: same(sql), query: query{columns: without(tableColumns, "n", "b"), rows: 60}}
	if emits {
		v.sql.ours += " EMIT ON WINDOW CLOSE"
		v.sql.theirs = "SELECT * FROM (" + sql + ") AS z WHERE at < " + closed
		v.atEnd = true
	}
	return v
}
