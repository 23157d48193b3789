package slt

import (
	"fmt"
	"strings"
)

// rowsOfAll is the estimate above which relations are not joined: a random
// case is to find errors, not to measure joins.
const rowsOfAll = 2000

// source is what a query reads, its columns, and about how many rows it has.
func (g *generator) source(relations []relation, depth int) (from string, cols []column, rows int) {
	r := relations[g.rng.IntN(len(relations))]
	if depth == 0 {
		return r.name, r.columns, r.rows
	}
	switch g.rng.IntN(11) {
	case 0, 1:
		q := g.query(relations, depth-1)
		return "(" + q.sql + ") AS q", q.columns, q.rows
	case 2:
		q := g.setOperation(relations, depth-1)
		return "(" + q.sql + ") AS q", q.columns, q.rows
	case 3, 4, 5:
		return g.join(relations, depth)
	case 6:
		q := g.ranked(relations, depth-1)
		return "(" + q.sql + ") AS q", q.columns, q.rows
	case 7, 8:
		return g.lateral(relations, depth)
	}
	return r.name, r.columns, r.rows
}

// qualified are the columns of a relation under an alias.
func qualified(alias string, cols []column) []column {
	out := make([]column, len(cols))
	for i, c := range cols {
		out[i] = column{alias + "." + c.name, c.kind}
	}
	return out
}

// side is one input of a join.
func (g *generator) side(relations []relation, depth int, alias string) (from string, cols []column, rows int) {
	r := relations[g.rng.IntN(len(relations))]
	if depth > 0 && g.chance(3) {
		q := g.query(relations, depth-1)
		return "(" + q.sql + ") AS " + alias, qualified(alias, q.columns), q.rows
	}
	return r.name + " AS " + alias, qualified(alias, r.columns), r.rows
}

// join joins two or three relations.
func (g *generator) join(relations []relation, depth int) (from string, cols []column, rows int) {
	from, cols, rows = g.side(relations, depth-1, "a")
	for _, alias := range []string{"b", "c"}[:1+g.rng.IntN(4)/3] {
		right, theirs, n := g.side(relations, depth-1, alias)
		if rows*n/4 > rowsOfAll {
			break
		}
		if rows*n < 400 && g.chance(12) {
			from, rows = from+" CROSS JOIN "+right, rows*n
			cols = append(cols, theirs...)
			continue
		}
		on, equal := g.joinCondition(cols, theirs)
		if rows*n > rowsOfAll && !equal {
			break
		}
		how := g.oneOf(" JOIN ", " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ")
		if !equal && how == " FULL JOIN " {
			how = " LEFT JOIN " // PostgreSQL makes full joins by hash or merge only
		}
		from += how + right + " ON " + on
		cols, rows = append(cols, theirs...), max(rows, n, rows*n/4)
	}
	return from, cols, rows
}

// joinCondition says whether two columns must be equal.
func (g *generator) joinCondition(left, right []column) (on string, equal bool) {
	both := append(append([]column{}, left...), right...)
	l := left[g.rng.IntN(len(left))]
	for _, i := range g.rng.Perm(len(right)) {
		if right[i].kind != l.kind || g.chance(10) {
			continue
		}
		on, equal = l.name+" = "+right[i].name, true
		break
	}
	if !equal {
		k := kind(g.rng.IntN(int(boolean)))
		return g.of(left, k) + g.oneOf(" < ", " >= ", " = ") + g.of(right, k), false
	}
	if g.chance(3) {
		on += " AND " + g.expr(both, boolean, 1)
	}
	return on, equal
}

// ranked is a query that keeps the best rows of each group, or the first of
// equal ones. Rows of one rank are either all kept or alike in all columns.
func (g *generator) ranked(relations []relation, depth int) query {
	from, in, rows := g.source(relations, depth)
	var list, names []string
	var cols []column
	for i := range 2 + g.rng.IntN(2) {
		k := kind(g.rng.IntN(int(kinds)))
		cols = append(cols, column{fmt.Sprintf("c%d", i+1), k})
		names = append(names, cols[i].name)
		list = append(list, g.typed(g.expr(in, k, 1), k)+" AS "+cols[i].name)
	}
	inner := "SELECT " + strings.Join(list, ", ") + " FROM " + from
	partition := ""
	if g.chance(2) {
		partition = "PARTITION BY " + names[0] + " "
	}
	all := strings.Join(names, ", ")
	switch g.rng.IntN(4) {
	case 0:
		return query{fmt.Sprintf("SELECT DISTINCT ON (%s) %s FROM (%s) AS i ORDER BY %s", names[0], all, inner, g.sorted(names)), cols, rows}
	case 1:
		call := g.oneOf("RANK()", "DENSE_RANK()")
		return query{fmt.Sprintf("SELECT %s FROM (SELECT *, %s OVER (%sORDER BY %s) AS r FROM (%s) AS i) AS o WHERE r <= %d",
			all, call, partition, g.sorted(names[len(names)-1:]), inner, 1+g.rng.IntN(3)), cols, rows}
	case 2:
		call, k := g.overCall(cols)
		out := column{fmt.Sprintf("c%d", len(cols)+1), k}
		return query{fmt.Sprintf("SELECT %s, %s AS %s FROM (%s) AS i", all, g.typed(call+" OVER ("+partition+"ORDER BY "+g.sorted(names)+g.frame()+")", k), out.name, inner), append(cols, out), rows}
	}
	rank, kept := "", cols
	if g.chance(2) {
		rank, kept = ", r::int AS r", append(cols, column{"r", integer})
	}
	return query{fmt.Sprintf("SELECT %s%s FROM (SELECT *, ROW_NUMBER() OVER (%sORDER BY %s) AS r FROM (%s) AS i) AS o WHERE r <= %d",
		all, rank, partition, g.sorted(names), inner, 1+g.rng.IntN(4)), kept, rows}
}

// overCall is a window function whose result is the same for equal rows in any order.
func (g *generator) overCall(cols []column) (call string, k kind) {
	c := cols[g.rng.IntN(len(cols))]
	switch g.rng.IntN(8) {
	case 6, 7:
		return g.overList(c, cols)
	case 0:
		return "count(" + g.oneOf("*", c.name) + ")", integer
	case 1:
		return g.oneOf("lag(", "lead(") + c.name + ")", c.kind
	case 2:
		return g.oneOf("first_value(", "last_value(") + c.name + ")", c.kind
	case 3:
		return g.oneOf("rank()", "dense_rank()", "row_number()", "ntile(3)"), integer
	case 4:
		if c.kind != boolean {
			return g.oneOf("min(", "max(") + c.name + ")", c.kind
		}
	case 5:
		if c.kind == integer || c.kind == decimal {
			return "sum(" + c.name + ")", c.kind
		}
	}
	return "count(" + c.name + ")", integer
}

// overList is an aggregate of all rows of a frame, as text. The order of the
// window is total, so that there is one result.
func (g *generator) overList(c column, cols []column) (call string, k kind) {
	call = g.oneOf("string_agg(CAST("+c.name+" AS text), '|')", "array_agg("+c.name+")", "jsonb_agg("+c.name+")", "array_agg("+c.name+")")
	if g.chance(3) {
		call += " FILTER (WHERE " + g.expr(cols, boolean, 1) + ")"
	}
	return call, text
}

// frame is the frame of a window, often the default one.
func (g *generator) frame() string {
	if g.chance(2) {
		return ""
	}
	start := g.oneOf("UNBOUNDED PRECEDING", "2 PRECEDING", "1 PRECEDING", "CURRENT ROW")
	end := g.oneOf("CURRENT ROW", "1 FOLLOWING", "UNBOUNDED FOLLOWING")
	return " " + g.oneOf("ROWS", "GROUPS") + " BETWEEN " + start + " AND " + end + g.oneOf("", "", " EXCLUDE CURRENT ROW", " EXCLUDE TIES", " EXCLUDE GROUP")
}

// setOperation combines two or three queries with the same columns.
func (g *generator) setOperation(relations []relation, depth int) query {
	n := 1 + g.rng.IntN(3)
	var cols []column
	for i := range n {
		cols = append(cols, column{fmt.Sprintf("c%d", i+1), kind(g.rng.IntN(int(kinds)))})
	}
	sql, rows := "", 0
	for i := range 2 + g.rng.IntN(2) {
		from, in, r := g.source(relations, depth)
		var list []string
		for _, c := range cols {
			list = append(list, g.typed(g.expr(in, c.kind, 1), c.kind)+" AS "+c.name)
		}
		if i > 0 {
			sql += g.oneOf(" UNION ALL ", " UNION ALL ", " UNION ", " INTERSECT ", " INTERSECT ALL ", " EXCEPT ", " EXCEPT ALL ")
		}
		sql += "SELECT " + strings.Join(list, ", ") + " FROM " + from
		if g.chance(2) {
			sql += " WHERE " + g.filter(relations, in, 1)
		}
		rows += r
	}
	return query{sql, cols, rows}
}

// filter is a condition which may look into other relations.
func (g *generator) filter(relations []relation, cols []column, depth int) string {
	if !g.chance(5) {
		return g.expr(cols, boolean, depth)
	}
	if g.chance(3) {
		return g.firstOf(relations, cols)
	}
	r := relations[g.rng.IntN(len(relations))]
	var theirs []column // renamed, so that none hides a column of the outer query
	var names []string
	for i, c := range r.columns {
		names = append(names, fmt.Sprintf("x%d", i+1))
		theirs = append(theirs, column{names[i], c.kind})
	}
	k := theirs[g.rng.IntN(len(theirs))].kind
	inner, outer := g.of(theirs, k), g.of(cols, k)
	where := ""
	if g.chance(2) {
		where = " WHERE " + g.expr(theirs, boolean, 1)
	}
	sub := " FROM " + r.name + " AS s (" + strings.Join(names, ", ") + ")"
	switch g.rng.IntN(4) {
	case 0:
		return "(" + outer + g.oneOf(" IN ", " NOT IN ") + "(SELECT " + inner + sub + where + "))"
	case 1:
		return g.oneOf("EXISTS ", "NOT EXISTS ") + "(SELECT 1" + sub + " WHERE " + inner + " = " + outer + strings.Replace(where, " WHERE ", " AND ", 1) + ")"
	case 2:
		return "((SELECT count(*)" + sub + where + ")" + g.oneOf(" > ", " <= ") + fmt.Sprint(g.rng.IntN(10)) + ")"
	}
	if k == boolean {
		k = integer
		inner, outer = g.of(theirs, k), g.of(cols, k)
	}
	return "(" + outer + g.oneOf(" = ", " > ", " <= ") + "(SELECT " + g.oneOf("min(", "max(") + inner + ")" + sub + where + "))"
}
