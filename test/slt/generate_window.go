package slt

import (
	"fmt"
	"strings"
)

// window says how rows come to windows, in seconds.
type window struct {
	kind        string
	step, size  int
	partitioned string // columns of SESSION
}

func (g *timed) spec() window {
	switch g.rng.IntN(4) {
	case 0:
		return window{kind: "TUMBLE", step: 10, size: []int{5, 10, 20}[g.rng.IntN(3)]}
	case 1:
		return window{kind: "HOP", step: 5, size: []int{5, 10, 15}[g.rng.IntN(3)]}
	case 2:
		return window{kind: "CUMULATE", step: 5, size: []int{5, 15, 20}[g.rng.IntN(3)]}
	}
	return window{kind: "SESSION", size: []int{1, 2, 5}[g.rng.IntN(3)], partitioned: g.oneOf("", "k", "k", "t", "(k, b)")}
}

// of is the rows of a relation, or of a query over one, in their windows.
func (w window) of(rows twin) twin {
	in := rows.in("(SELECT * FROM %s AS w0 WHERE ts IS NOT NULL) AS w1")
	seconds := func(n int) string { return fmt.Sprintf("INTERVAL '%d' SECOND", n) }
	bin := func(n int) string { return "date_bin(" + seconds(n) + ", ts, TIMESTAMP '2000-01-01')" }
	var ours, theirs string
	switch w.kind {
	case "TUMBLE":
		ours = "TUMBLE(" + rows.ours + ", ts, " + seconds(w.size) + ")"
		theirs = "SELECT *, " + bin(w.size) + " AS window_start, " + bin(w.size) + " + " + seconds(w.size) + " AS window_end FROM " + in.theirs
	case "HOP":
		ours = "HOP(" + rows.ours + ", ts, " + seconds(w.step) + ", " + seconds(w.size) + ")"
		theirs = "SELECT w1.*, s AS window_start, s + " + seconds(w.size) + " AS window_end FROM " + in.theirs +
			", LATERAL generate_series(" + bin(w.step) + " - " + seconds(w.size-w.step) + ", " + bin(w.step) + ", " + seconds(w.step) + ") AS s"
	case "CUMULATE":
		ours = "CUMULATE(" + rows.ours + ", ts, " + seconds(w.step) + ", " + seconds(w.size) + ")"
		theirs = "SELECT w1.*, " + bin(w.size) + " AS window_start, s AS window_end FROM " + in.theirs +
			", LATERAL generate_series(" + bin(w.step) + " + " + seconds(w.step) + ", " + bin(w.size) + " + " + seconds(w.size) + ", " + seconds(w.step) + ") AS s"
	default:
		by, keys := "", ""
		if w.partitioned != "" {
			by, keys = " PARTITION BY "+w.partitioned, "PARTITION BY "+strings.Trim(w.partitioned, "()")+" "
		}
		ours = "SESSION(TABLE " + rows.ours + by + ", DESCRIPTOR(ts), " + seconds(w.size) + ")"
		theirs = "SELECT *, min(ts) OVER (" + keys + ", w_nr) AS window_start, max(ts) OVER (" + keys + ", w_nr) + " + seconds(w.size) + " AS window_end FROM " +
			"(SELECT *, count(*) FILTER (WHERE w_new) OVER (" + keys + "ORDER BY ts, w_id) AS w_nr FROM " +
			"(SELECT *, (ts - lag(ts) OVER (" + keys + "ORDER BY ts, w_id) <= " + seconds(w.size) + ") IS NOT TRUE AS w_new FROM " +
			"(SELECT *, row_number() OVER () AS w_id FROM " + in.theirs + ") AS w2) AS w3) AS w4"
		if keys == "" {
			theirs = strings.ReplaceAll(theirs, "(, w_nr)", "(PARTITION BY w_nr)")
		}
	}
	return twin{ours, "(" + theirs + ")"}
}

// eventRows is a relation with event time, or a query that keeps it.
func (g *timed) eventRows(w window) twin {
	r := g.oneOf("e1", "e2", "c1", "c2")
	if w.kind == "SESSION" || !g.chance(4) {
		return same(r)
	}
	switch g.rng.IntN(3) {
	case 0:
		return same("(SELECT * FROM " + r + " WHERE " + g.expr(tableColumns, boolean, 1) + ")")
	case 1:
		return same("(SELECT * FROM " + g.oneOf("e1", "c1") + " UNION ALL SELECT * FROM " + g.oneOf("e2", "c2") + ")")
	}
	return same("(SELECT a.id, a.k, b.v, b.t, a.n, b.b, a.ts FROM e1 a JOIN e2 b ON a.k = b.k AND a.ts BETWEEN b.ts - INTERVAL '2' SECOND AND b.ts + INTERVAL '3' SECOND)")
}

// windowed is rows in windows.
func (g *timed) windowed(w window) twin { return w.of(g.eventRows(w)).in("%s AS w") }

// windowAggregate aggregates the rows of windows.
func (g *timed) windowAggregate(from twin) timedView {
	keyed, keys := g.pick(tableColumns, g.rng.IntN(3), "k")
	twice := len(keyed) == 2 && strings.TrimSuffix(keyed[0], "1") == strings.TrimSuffix(keyed[1], "2") // PostgreSQL takes two positions for two keys
	var by []string
	for i := range keyed {
		by = append(by, fmt.Sprint(i+1))
	}
	calls, results := g.aggregates(tableColumns)
	list := append(append(twins(keyed), calls...), same("window_start AS ws"), same("window_end AS we"))
	sql := selecting(list).in("SELECT %s FROM ")
	sql = twin{sql.ours + from.ours, sql.theirs + from.theirs}
	tail := ""
	if g.chance(3) {
		tail = " WHERE " + g.expr(tableColumns, boolean, 1)
	}
	tail += " GROUP BY window_start, window_end"
	switch {
	case len(keys) == 2 && !twice && g.chance(3):
		tail += g.oneOf(", ROLLUP (", ", CUBE (", ", GROUPING SETS ((1), ") + strings.Join(by, ", ") + ")"
	case len(keys) > 0:
		tail += ", " + strings.Join(by, ", ")
	}
	if g.chance(4) {
		call, k := g.aggregate(tableColumns)
		tail += " HAVING " + call + g.oneOf(" IS NOT NULL", " IS DISTINCT FROM "+g.constant(k))
	}
	v := timedView{sql: twin{sql.ours + tail, sql.theirs + tail}, query: query{columns: append(keys, results...), rows: 80}}
	return v.emit(g, "we")
}

// windowJoin joins the rows of equal windows.
func (g *timed) windowJoin() timedView {
	w := g.spec()
	for w.kind == "SESSION" { // those of both sides are other ones
		w = g.spec()
	}
	a, b := w.of(g.eventRows(w)).in("%s AS a"), w.of(g.eventRows(w)).in("%s AS b")
	left, right := qualified("a", tableColumns), qualified("b", tableColumns)
	on := "a.window_start = b.window_start AND a.window_end = b.window_end"
	k := kind(g.rng.IntN(int(boolean)))
	if !g.chance(6) {
		on += " AND " + g.of(left, k) + " = " + g.of(right, k)
	}
	both := append(append([]column{}, left...), right...)
	if g.chance(3) { // semi and anti
		list, cols := g.pick(left, 2, "c")
		head, tail := "SELECT "+strings.Join(list, ", ")+", a.window_end AS we FROM ", " WHERE "+on
		if g.chance(2) {
			tail += " AND " + g.expr(both, boolean, 1)
		}
		not := g.oneOf(" WHERE EXISTS (SELECT 1 FROM ", " WHERE NOT EXISTS (SELECT 1 FROM ")
		v := timedView{sql: twin{head + a.ours + not + b.ours + tail + ")", head + a.theirs + not + b.theirs + tail + ")"}, query: query{columns: cols, rows: 50}}
		return v.emit(g, "we")
	}
	how := g.oneOf(" JOIN ", " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ")
	if how != " FULL JOIN " && g.chance(3) {
		on += " AND " + g.expr(both, boolean, 1)
	}
	list, cols := g.pick(both, 1+g.rng.IntN(3), "c")
	head := "SELECT " + strings.Join(list, ", ") + ", coalesce(a.window_end, b.window_end) AS we FROM "
	v := timedView{sql: twin{head + a.ours + how + b.ours + " ON " + on, head + a.theirs + how + b.theirs + " ON " + on}, query: query{columns: cols, rows: 100}}
	return v.emit(g, "we")
}

// windowTop keeps the first rows of windows.
func (g *timed) windowTop() timedView {
	list, cols := g.pick(tableColumns, 2+g.rng.IntN(2), "c")
	from := g.windowed(g.spec())
	var names []string
	for _, c := range cols {
		names = append(names, c.name)
	}
	all := strings.Join(names, ", ")
	partition := "PARTITION BY " + g.oneOf("window_start, window_end", "window_start, window_end", "window_end, window_start, c1")
	order := g.sorted(names)
	head, tail := "SELECT "+all+", window_start AS ws, window_end AS we FROM (SELECT *, ", ""
	switch g.rng.IntN(3) {
	case 0:
		head += g.oneOf("RANK()", "DENSE_RANK()")
		order = g.sorted(names[len(names)-1:])
	default:
		head += "ROW_NUMBER()"
	}
	head += " OVER (" + partition + " ORDER BY " + order + ") AS r FROM (SELECT window_start, window_end, " + strings.Join(list, ", ") + " FROM "
	tail = fmt.Sprintf(") AS i) AS o WHERE r <= %d", 1+g.rng.IntN(3))
	v := timedView{sql: twin{head + from.ours + tail, head + from.theirs + tail}, query: query{columns: cols, rows: 50}}
	return v.emit(g, "we")
}

// windowOfWindows aggregates what windows give, in wider ones.
func (g *timed) windowOfWindows() timedView {
	w := window{kind: g.oneOf("TUMBLE", "HOP", "CUMULATE"), step: 5, size: 5 * (1 + g.rng.IntN(2))}
	rows := w.of(g.eventRows(w)).in("%s AS w")
	key := g.typed(g.expr(tableColumns, integer, 1), integer)
	call := []string{g.typed("count(*)", integer), g.typed("max("+g.of(tableColumns, text)+")", text), "min(CAST(n AS numeric(12,2)))", "bool_or(b)"}
	inner := twin{
		"(SELECT window_time AS ts, " + key + " AS k, " + call[0] + " AS v, " + call[1] + " AS t, " + call[2] + " AS n, " + call[3] + " AS b, CAST(count(DISTINCT id) AS int) AS id FROM " + rows.ours + " GROUP BY window_start, window_end, window_time, 2)",
		"(SELECT window_end - INTERVAL '1 microsecond' AS ts, " + key + " AS k, " + call[0] + " AS v, " + call[1] + " AS t, " + call[2] + " AS n, " + call[3] + " AS b, CAST(count(DISTINCT id) AS int) AS id FROM " + rows.theirs + " GROUP BY window_start, window_end, 2)",
	}
	outer := window{kind: g.oneOf("TUMBLE", "HOP"), step: 10, size: 20}
	return g.windowAggregate(outer.of(inner).in("%s AS w"))
}
