package slt

import (
	"fmt"
	"strings"
)

// lateral joins a relation with a subquery that depends on its rows.
func (g *generator) lateral(relations []relation, depth int) (from string, cols []column, rows int) {
	from, cols, rows = g.side(relations, depth-1, "a")
	body, theirs, n := g.dependent(relations, cols, depth-1, rowsOfAll/max(rows, 1))
	cols, rows = append(cols, qualified("l", theirs)...), rows*n
	body = "LATERAL (" + body + ") AS l"
	on := "true"
	if g.chance(3) {
		on = g.expr(cols, boolean, 1)
	}
	switch g.rng.IntN(5) {
	case 0:
		return from + " CROSS JOIN " + body, cols, rows
	case 1:
		return from + ", " + body, cols, rows
	case 2:
		return from + " JOIN " + body + " ON " + on, cols, rows
	}
	return from + " LEFT JOIN " + body + " ON " + on, cols, rows
}

// inner is what a subquery reads. Its columns have names that hide none of the
// outer query.
func (g *generator) inner(relations []relation, depth int) (from string, cols []column, rows int) {
	r := relations[g.rng.IntN(len(relations))]
	if from = r.name; depth > 0 && g.chance(4) {
		q := g.query(relations, depth-1)
		from, r.columns, r.rows = "("+q.sql+")", q.columns, q.rows
	}
	var names []string
	for i, c := range r.columns {
		names = append(names, fmt.Sprintf("x%d", i+1))
		cols = append(cols, column{names[i], c.kind})
	}
	return from + " AS s (" + strings.Join(names, ", ") + ")", cols, r.rows
}

// link is a condition of an inner and an outer column, mostly that they are equal.
func (g *generator) link(outer, inner []column) string {
	k := inner[g.rng.IntN(len(inner))].kind
	l := g.of(inner, k) + g.oneOf(" = ", " = ", " = ", " = ", " IS NOT DISTINCT FROM ", " <= ", " <> ") + g.of(outer, k)
	switch g.rng.IntN(8) {
	case 0:
		return l + " AND " + g.expr(append(append([]column{}, inner...), outer...), boolean, 1)
	case 1:
		return l + " AND " + g.link(outer, inner)
	case 2:
		return l + " AND " + g.expr(inner, boolean, 1)
	}
	return l
}

// dependent is a query that depends on columns of an outer one, and about how many
// rows, of most, it has for each outer row.
func (g *generator) dependent(relations []relation, outer []column, depth, most int) (sql string, cols []column, rows int) {
	all, inner, n := g.inner(relations, depth)
	from := all + " WHERE " + g.link(outer, inner)
	if pick := g.rng.IntN(8); pick < 3 || n > most {
		return g.dependentGroups(from, outer, inner, pick == 0)
	}
	both := append(append([]column{}, inner...), outer...)
	var list, names []string
	for i := range 1 + g.rng.IntN(3) {
		k := kind(g.rng.IntN(int(kinds)))
		in := inner
		if g.chance(5) {
			in = both
		}
		cols = append(cols, column{fmt.Sprintf("d%d", i+1), k})
		names = append(names, cols[i].name)
		list = append(list, g.typed(g.expr(in, k, 1), k)+" AS "+names[i])
	}
	columns := strings.Join(list, ", ")
	sql = "SELECT " + columns + " FROM " + from
	switch g.rng.IntN(7) {
	case 0:
		return sql, cols, n
	case 1:
		return "SELECT DISTINCT " + columns + " FROM " + from, cols, n
	case 2:
		set := g.oneOf(" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT ALL ")
		return sql + set + "SELECT " + columns + " FROM " + all + " WHERE " + g.link(outer, inner), cols, n
	case 3:
		call, k := g.overCall(cols)
		out := column{fmt.Sprintf("d%d", len(cols)+1), k}
		return "SELECT *, " + g.typed(call+" OVER (ORDER BY "+g.sorted(names)+")", k) + " AS " + out.name + " FROM (" + sql + ") AS i", append(cols, out), n
	}
	limit := 1 + g.rng.IntN(3)
	return fmt.Sprintf("%s ORDER BY %s LIMIT %d%s", sql, g.sorted(names), limit, g.oneOf("", "", " OFFSET 1")), cols, min(limit, n)
}

// dependentGroups is a dependent query that aggregates.
func (g *generator) dependentGroups(from string, outer, inner []column, keyed bool) (sql string, cols []column, rows int) {
	var list []string
	by := ""
	if rows = 1; keyed {
		k := kind(g.rng.IntN(int(kinds)))
		cols = append(cols, column{"d1", k})
		list = append(list, g.typed(g.expr(inner, k, 1), k)+" AS d1")
		by, rows = " GROUP BY 1", 3
	}
	for range 1 + g.rng.IntN(2) {
		call, k := g.aggregate(inner)
		if g.chance(5) {
			call = "coalesce(" + g.typed(call, k) + ", " + g.typed(g.of(outer, k), k) + ")"
		}
		cols = append(cols, column{fmt.Sprintf("d%d", len(cols)+1), k})
		list = append(list, g.typed(call, k)+" AS "+cols[len(cols)-1].name)
	}
	if g.chance(3) {
		call, k := g.aggregate(inner)
		by += " HAVING " + call + g.oneOf(" IS NOT NULL", " IS DISTINCT FROM "+g.constant(k), " >= "+g.typed(g.of(outer, k), k))
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + from + by, cols, rows
}

// sorted orders by all of names: rows that it leaves in any order are alike.
func (g *generator) sorted(names []string) string {
	var by []string
	for _, n := range names {
		by = append(by, n+g.oneOf("", " DESC", " NULLS FIRST", " DESC NULLS LAST"))
	}
	return strings.Join(by, ", ")
}

// firstOf is a condition on the first rows of a dependent subquery.
func (g *generator) firstOf(relations []relation, outer []column) string {
	from, inner, _ := g.inner(relations, 0)
	k := inner[g.rng.IntN(len(inner))].kind
	x := g.typed(g.of(inner, k), k)
	sub := "(SELECT " + x + " FROM " + from + " WHERE " + g.link(outer, inner) + " ORDER BY " + g.sorted([]string{"1"})
	switch g.rng.IntN(3) {
	case 0:
		return g.oneOf("EXISTS ", "NOT EXISTS ") + sub + g.oneOf(" LIMIT 1", " LIMIT 2 OFFSET 1", " OFFSET 2") + ")"
	case 1:
		return "(" + g.typed(g.of(outer, k), k) + g.oneOf(" IN ", " NOT IN ") + sub + fmt.Sprintf(" LIMIT %d))", 1+g.rng.IntN(3))
	}
	return "(" + g.typed(g.of(outer, k), k) + g.oneOf(" = ", " >= ", " IS DISTINCT FROM ") + sub + " LIMIT 1" + g.oneOf("", " OFFSET 1") + "))"
}
