package slt

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// kind is a type of the generated expressions.
type kind int

const (
	integer kind = iota
	text
	decimal
	boolean
	kinds
)

// column is a column that an expression may use.
type column struct {
	name string
	kind kind
}

// generator makes random statements over small domains, so that groups meet,
// rows come back and nulls are frequent. Nothing it makes can fail: no overflow,
// no division by zero.
type generator struct {
	rng *rand.Rand
}

func (g *generator) oneOf(list ...string) string { return list[g.rng.IntN(len(list))] }

// chance is true in one of n cases.
func (g *generator) chance(n int) bool { return g.rng.IntN(n) == 0 }

// tableColumns are the columns of every generated table beside its key.
var tableColumns = []column{{"id", integer}, {"k", integer}, {"v", integer}, {"t", text}, {"n", decimal}, {"b", boolean}}

func createTable(name string) string {
	return "CREATE TABLE " + name + " (id int PRIMARY KEY, k int, v int, t text, n numeric(8,2), b boolean)"
}

// value is a constant of a kind, often null.
func (g *generator) value(k kind) string {
	if g.chance(6) {
		return "NULL"
	}
	return g.constant(k)
}

func (g *generator) constant(k kind) string {
	switch k {
	case integer:
		return fmt.Sprint(g.rng.IntN(12) - 3)
	case text:
		return g.oneOf("'a'", "'b'", "'ab'", "'B'", "''", "'é'")
	case decimal:
		return g.oneOf("0.5", "-1.25", "2.50", "10.0", "7.75", "0.0")
	}
	return g.oneOf("true", "false")
}

// of picks a column of a kind, or a constant where there is none.
func (g *generator) of(cols []column, k kind) string {
	var names []string
	for _, c := range cols {
		if c.kind == k {
			names = append(names, c.name)
		}
	}
	if len(names) == 0 {
		return g.constant(k)
	}
	return names[g.rng.IntN(len(names))]
}

// expr is an expression of a kind; depth bounds what it is made of.
func (g *generator) expr(cols []column, k kind, depth int) string {
	if depth == 0 || g.chance(3) {
		return g.of(cols, k)
	}
	x := func(k kind) string { return g.expr(cols, k, depth-1) }
	if g.chance(5) {
		switch g.rng.IntN(3) {
		case 0:
			return "CASE WHEN " + x(boolean) + " THEN " + x(k) + " ELSE " + x(k) + " END"
		case 1:
			return "coalesce(" + x(k) + ", " + g.constant(k) + ")"
		}
		return "nullif(" + x(k) + ", " + g.constant(k) + ")"
	}
	switch k {
	case integer:
		return g.integerExpr(x)
	case text:
		return g.textExpr(x)
	case decimal:
		return g.decimalExpr(x)
	}
	return g.condition(x)
}

func (g *generator) integerExpr(x func(kind) string) string {
	switch g.rng.IntN(6) {
	case 0:
		return "(" + x(integer) + " " + g.oneOf("+", "-") + " " + x(integer) + ")"
	case 1:
		return "(" + x(integer) + " % " + g.oneOf("2", "3", "5") + ")"
	case 2:
		return "(" + x(integer) + " / " + g.oneOf("2", "3", "-4") + ")"
	case 3:
		return "length(" + x(text) + ")"
	case 4:
		return g.oneOf("abs(", "-(") + x(integer) + ")"
	}
	return g.oneOf("greatest(", "least(") + x(integer) + ", " + x(integer) + ")"
}

func (g *generator) textExpr(x func(kind) string) string {
	switch g.rng.IntN(4) {
	case 0:
		return "(" + x(text) + " || " + g.constant(text) + ")"
	case 1:
		return g.oneOf("upper(", "lower(", "reverse(") + x(text) + ")"
	case 2:
		return "left(" + x(text) + ", " + g.oneOf("1", "2", "-1") + ")"
	}
	return "cast(" + x(integer) + " AS text)"
}

func (g *generator) decimalExpr(x func(kind) string) string {
	switch g.rng.IntN(4) {
	case 0:
		return "(" + x(decimal) + " " + g.oneOf("+", "-") + " " + x(decimal) + ")"
	case 1:
		return "round(" + x(decimal) + " * " + g.constant(decimal) + ", 2)"
	case 2:
		return "(" + x(integer) + " * 0.5)"
	}
	return g.oneOf("abs(", "floor(", "ceil(") + x(decimal) + ")"
}

func (g *generator) condition(x func(kind) string) string {
	k := kind(g.rng.IntN(int(boolean)))
	switch g.rng.IntN(8) {
	case 0:
		return "(" + x(boolean) + g.oneOf(" AND ", " OR ") + x(boolean) + ")"
	case 1:
		return "(NOT " + x(boolean) + ")"
	case 2:
		return "(" + x(kind(g.rng.IntN(int(kinds)))) + g.oneOf(" IS NULL", " IS NOT NULL") + ")"
	case 3:
		return "(" + x(integer) + g.oneOf(" IN ", " NOT IN ") + "(" + g.value(integer) + ", " + g.constant(integer) + "))"
	case 4:
		return "(" + x(text) + g.oneOf(" LIKE ", " NOT LIKE ") + g.oneOf("'a%'", "'%b'", "'_'", "''") + ")"
	case 5:
		return "(" + x(integer) + " BETWEEN " + g.constant(integer) + " AND " + x(integer) + ")"
	case 6:
		return "(" + x(k) + g.oneOf(" IS DISTINCT FROM ", " IS NOT DISTINCT FROM ") + x(k) + ")"
	}
	return "(" + x(k) + g.oneOf(" = ", " <> ", " < ", " >= ") + x(k) + ")"
}

// aggregate is a call of an aggregate and the kind of its result.
func (g *generator) aggregate(cols []column) (call string, k kind) {
	arg := g.rng.IntN(int(kinds))
	k = kind(arg)
	x := g.typed(g.expr(cols, k, 1), k)
	distinct := ""
	if g.chance(4) {
		distinct = "DISTINCT "
	}
	switch pick := g.rng.IntN(6); {
	case pick == 0:
		call, k = "count(*)", integer
	case pick == 5:
		return g.listAggregate(x, k, distinct)
	case pick == 1:
		call, k = "count("+distinct+x+")", integer
	case k == boolean:
		call = g.oneOf("bool_and(", "bool_or(") + x + ")"
	case pick == 2 || k == text:
		call = g.oneOf("min(", "max(") + distinct + x + ")"
	case pick == 3:
		call = "sum(" + distinct + x + ")"
		if k == integer {
			call = "CAST(" + call + " AS int)"
		}
	default:
		call, k = "round(avg("+distinct+x+"), 3)", decimal
	}
	if g.chance(4) && !strings.Contains(call, "(sum") && !strings.HasPrefix(call, "round") && !strings.HasPrefix(call, "CAST") {
		call += " FILTER (WHERE " + g.expr(cols, boolean, 2) + ")"
	}
	return call, k
}

// listAggregate is an aggregate that keeps its values. Its order is total, so
// that there is one result.
func (g *generator) listAggregate(x string, of kind, distinct string) (call string, k kind) {
	switch g.rng.IntN(4) {
	case 0:
		x = "CAST(" + x + " AS text)"
		return "string_agg(" + distinct + x + ", '|' ORDER BY " + x + ")", text
	case 1:
		return "CAST(array_agg(" + distinct + x + " ORDER BY " + x + g.oneOf("", " DESC") + ") AS text)", text
	case 2:
		if of == integer || of == decimal {
			return "CAST(round(" + g.oneOf("stddev_pop(", "var_samp(") + x + "), 2) AS numeric(12,2))", decimal
		}
	}
	if of == boolean {
		return "count(" + distinct + x + ")", integer
	}
	return "percentile_disc(0.5) WITHIN GROUP (ORDER BY " + x + ")", of
}

// relation is something that a generated query may read. The number of its rows
// is a guess that keeps joins small.
type relation struct {
	name    string
	columns []column
	rows    int
}

// query is a generated query, with what is known of its result.
type query struct {
	sql     string
	columns []column
	rows    int
}

// query is a random query; its columns are named c1, c2, ….
func (g *generator) query(relations []relation, depth int) query {
	if depth > 0 && g.chance(8) {
		return g.ranked(relations, depth)
	}
	from, in, rows := g.source(relations, depth)
	where := ""
	if g.chance(2) {
		where = " WHERE " + g.filter(relations, in, 2)
	}
	var list []string
	var cols []column
	add := func(x string, k kind) {
		cols = append(cols, column{fmt.Sprintf("c%d", len(cols)+1), k})
		list = append(list, x+" AS "+cols[len(cols)-1].name)
	}
	if g.chance(3) { // rows, not groups
		for range 1 + g.rng.IntN(3) {
			k := kind(g.rng.IntN(int(kinds)))
			add(g.typed(g.expr(in, k, 2), k), k)
		}
		distinct := ""
		if g.chance(3) {
			distinct = "DISTINCT "
		}
		return query{"SELECT " + distinct + strings.Join(list, ", ") + " FROM " + from + where, cols, rows}
	}
	var keys, keyed []string
	for range g.rng.IntN(3) {
		k := kind(g.rng.IntN(int(kinds)))
		keyed = append(keyed, g.typed(g.expr(in, k, 1), k))
		add(keyed[len(keyed)-1], k)
		keys = append(keys, fmt.Sprint(len(cols)))
	}
	for range 1 + g.rng.IntN(3) {
		add(g.aggregate(in))
	}
	sql := "SELECT " + strings.Join(list, ", ") + " FROM " + from + where
	if by := strings.Join(keys, ", "); len(keys) > 0 && keyed[0] != keyed[len(keyed)-1] && g.chance(3) {
		sql += " GROUP BY " + g.oneOf("ROLLUP ("+by+")", "CUBE ("+by+")", "GROUPING SETS (("+by+"), ("+keys[0]+"))")
	} else if len(keys) > 0 {
		sql += " GROUP BY " + by
	} else {
		rows = 1
	}
	if g.chance(3) {
		call, k := g.aggregate(in)
		sql += " HAVING " + call + g.oneOf(" IS NOT NULL", " IS DISTINCT FROM "+g.constant(k), " >= "+g.constant(k))
	}
	return query{sql, cols, rows}
}

// typed keeps constants from being of no type, and from being taken for a
// position in GROUP BY, and gives equal decimals one text.
func (g *generator) typed(x string, k kind) string {
	return "CAST(" + x + " AS " + [...]string{"int", "text", "numeric(12,2)", "boolean"}[k] + ")"
}

// idsMax bounds the keys of the generated rows.
const idsMax = 25

// change is a random statement that changes a table.
func (g *generator) change(table string) string {
	switch pick := g.rng.IntN(10); {
	case pick < 5:
		return g.insert(table)
	case pick < 8:
		sets := []string{"k = ", "v = ", "t = ", "n = ", "b = "}
		g.rng.Shuffle(len(sets), func(i, j int) { sets[i], sets[j] = sets[j], sets[i] })
		sets = sets[:1+g.rng.IntN(3)]
		for i, s := range sets {
			k := map[byte]kind{'k': integer, 'v': integer, 't': text, 'n': decimal, 'b': boolean}[s[0]]
			x := g.value(k)
			switch {
			case g.chance(2):
			case k == integer:
				x = "(" + g.expr(tableColumns, k, 2) + ") % 20"
			case k == decimal:
				x = "mod(" + g.expr(tableColumns, k, 1) + ", 50)"
			case k == text:
				x = "left(" + g.expr(tableColumns, k, 1) + ", 4)"
			default:
				x = g.expr(tableColumns, k, 2)
			}
			sets[i] += x
		}
		return "UPDATE " + table + " SET " + strings.Join(sets, ", ") + " WHERE " + g.expr(tableColumns, boolean, 2)
	case pick == 8 && g.chance(6):
		return "TRUNCATE " + table
	}
	return "DELETE FROM " + table + " WHERE " + g.expr(tableColumns, boolean, 2) + fmt.Sprintf(" AND id %% 3 = %d", g.rng.IntN(3))
}

func (g *generator) insert(table string) string {
	var rows []string
	for _, id := range g.rng.Perm(idsMax)[:1+g.rng.IntN(6)] {
		row := []string{fmt.Sprint(id + 1)}
		for _, c := range tableColumns[1:] {
			row = append(row, g.value(c.kind))
		}
		rows = append(rows, "("+strings.Join(row, ", ")+")")
	}
	sql := "INSERT INTO " + table + " VALUES " + strings.Join(rows, ", ")
	switch g.rng.IntN(5) {
	case 0: // may fail, and then changes nothing
	case 1:
		sql += " ON CONFLICT DO NOTHING"
	default:
		sql += " ON CONFLICT (id) DO UPDATE SET " + g.oneOf("v = excluded.v", "k = "+table+".k + 1, t = excluded.t", "n = excluded.n, b = NOT "+table+".b",
			"k = excluded.k, v = excluded.v, t = excluded.t, n = excluded.n, b = excluded.b")
		if g.chance(3) {
			sql += " WHERE " + table + ".v IS DISTINCT FROM excluded.v"
		}
	}
	return sql
}
