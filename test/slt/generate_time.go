package slt

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// twin is SQL as Millrace reads it, and what means the same to PostgreSQL.
type twin struct{ ours, theirs string }

// same is SQL that both read.
func same(sql string) twin { return twin{sql, sql} }

// in puts a twin into a text, at %s.
func (t twin) in(format string) twin {
	return twin{strings.Replace(format, "%s", t.ours, 1), strings.Replace(format, "%s", t.theirs, 1)}
}

// timed makes queries and changes of tables with event time. No row is ever late,
// so that the result depends on the rows alone. Either nothing closes before the
// end, and rows come and change in any order, or time goes on: rows come at about
// the same time, and only those change whose windows are all open.
type timed struct {
	*generator
	goesOn bool
	dated  bool      // every row has a time
	now    time.Time // of the newest rows
	ids    int
	// versions are the keys of r1 that have had one, replaced says that one of them is gone.
	versions map[string]bool
	replaced bool
}

// The watermark is lag behind, closing is the time of the row that closes all that
// came before closed.
var (
	firstTime = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	lag       = map[bool]string{false: "1 day", true: "5 seconds"}
)

const (
	closed  = "TIMESTAMP '2024-01-02'"
	closing = "TIMESTAMP '2024-02-01'"
)

func newTimed(g *generator) *timed {
	return &timed{generator: g, goesOn: g.chance(2), now: firstTime, versions: map[string]bool{}}
}

// timedNames are the tables of a case: e1 and e2 only grow, c1 and c2 change, and r1
// has versions.
var timedNames = []string{"e1", "e2", "c1", "c2", "r1"}

// tables creates them. PostgreSQL keeps all versions of r1.
func (g *timed) tables() []twin {
	var all []twin
	for _, name := range timedNames[:4] {
		key, only := "", " APPEND ONLY"
		if name[0] == 'c' {
			key, only = " PRIMARY KEY", ""
		}
		all = append(all, twin{
			"CREATE TABLE " + name + " (id int" + key + ", k int, v int, t text, n numeric(8,2), b boolean, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '" + lag[g.goesOn] + "')" + only,
			"CREATE TABLE " + name + " (id int" + key + ", k int, v int, t text, n numeric(8,2), b boolean, ts timestamp)",
		})
	}
	return append(all, twin{
		"CREATE TABLE r1 (k int PRIMARY KEY, v int, t text, n numeric(8,2), b boolean, since timestamp, WATERMARK FOR since AS since - INTERVAL '" + lag[g.goesOn] + "')",
		"CREATE TABLE r1 (k int, v int, t text, n numeric(8,2), b boolean, since timestamp, seq serial, dead boolean DEFAULT false)",
	})
}

// at is a time of a new row.
func (g *timed) at() string {
	at := firstTime.Add(time.Duration(g.rng.IntN(120)) * 500 * time.Millisecond)
	if g.goesOn {
		at = g.now.Add(time.Duration(g.rng.IntN(9)-4) * 500 * time.Millisecond)
	}
	return "TIMESTAMP '" + at.Format("2006-01-02 15:04:05.000") + "'"
}

// open is a condition on rows that may change.
func (g *timed) open(table string) string {
	if !g.goesOn {
		return "true"
	}
	return table + ".ts >= TIMESTAMP '" + g.now.Add(-2*time.Second).Format("2006-01-02 15:04:05.000") + "'"
}

// change changes a table, or lets time go on.
func (g *timed) change() twin {
	if g.goesOn {
		g.now = g.now.Add(time.Duration(g.rng.IntN(5)) * 500 * time.Millisecond)
	}
	name := timedNames[g.rng.IntN(len(timedNames))]
	switch {
	case name == "r1":
		return g.version()
	case name[0] == 'e' || g.chance(2):
		return same(g.rows(name))
	case g.chance(3):
		return same("DELETE FROM " + name + " WHERE " + g.open(name) + " AND " + g.expr(tableColumns, boolean, 1) + fmt.Sprintf(" AND id %% 3 = %d", g.rng.IntN(3)))
	}
	sets := []string{"k = " + g.value(integer), "v = " + g.value(integer), "t = " + g.value(text), "n = " + g.value(decimal), "b = " + g.value(boolean), "ts = " + g.at()}
	g.rng.Shuffle(len(sets), func(i, j int) { sets[i], sets[j] = sets[j], sets[i] })
	return same("UPDATE " + name + " SET " + strings.Join(sets[:1+g.rng.IntN(3)], ", ") + " WHERE " + g.open(name) + " AND " + g.expr(tableColumns, boolean, 1))
}

// rows inserts rows.
func (g *timed) rows(name string) string {
	var rows []string
	for _, id := range g.rng.Perm(idsMax)[:1+g.rng.IntN(6)] {
		if name[0] == 'e' {
			g.ids++
			id = g.ids % 40 // at least unique for some time
		}
		row := []string{fmt.Sprint(id + 1)}
		for _, c := range tableColumns[1:] {
			row = append(row, g.value(c.kind))
		}
		at := g.at()
		if g.chance(25) && !g.dated {
			at = "NULL"
		}
		rows = append(rows, "("+strings.Join(append(row, at), ", ")+")")
	}
	sql := "INSERT INTO " + name + " VALUES " + strings.Join(rows, ", ")
	if name[0] == 'c' {
		sql += " ON CONFLICT (id) DO " + g.oneOf("NOTHING", "UPDATE SET v = excluded.v, t = excluded.t, ts = excluded.ts WHERE "+g.open(name))
	}
	return sql
}

// version gives a key of r1 a new version, or ends the one that it has. Versions
// come in the order of their times.
func (g *timed) version() twin {
	if !g.goesOn {
		g.now = g.now.Add(time.Duration(g.rng.IntN(8)) * 500 * time.Millisecond)
	}
	since := "TIMESTAMP '" + g.now.Format("2006-01-02 15:04:05.000") + "'"
	k := fmt.Sprint(g.rng.IntN(12) - 3)
	g.replaced, g.versions[k] = g.replaced || g.versions[k], true
	if g.chance(5) && !g.goesOn {
		return twin{"DELETE FROM r1 WHERE k = " + k, "INSERT INTO r1 SELECT k, v, t, n, b, since, nextval('r1_seq_seq'), true FROM (SELECT * FROM r1 WHERE k = " + k + " ORDER BY since DESC, seq DESC LIMIT 1) AS x WHERE NOT dead"}
	}
	values := "(" + strings.Join([]string{k, g.value(integer), g.value(text), g.value(decimal), g.value(boolean), since}, ", ") + ")"
	return twin{
		"INSERT INTO r1 VALUES " + values + " ON CONFLICT (k) DO UPDATE SET v = excluded.v, t = excluded.t, n = excluded.n, b = excluded.b, since = excluded.since",
		"INSERT INTO r1 VALUES " + values,
	}
}

// end moves the watermark of all tables past everything.
func (g *timed) end() (all []twin) {
	for _, name := range timedNames[:4] {
		all = append(all, same("INSERT INTO "+name+" VALUES (999, NULL, NULL, NULL, NULL, NULL, "+closing+")"))
	}
	return append(all, same("INSERT INTO r1 VALUES (-99, NULL, NULL, NULL, NULL, "+closing+")"))
}

// timedView is a query on the tables, and what it gives. atEnd: only once all is
// closed do both sides say the same.
type timedView struct {
	sql   twin
	atEnd bool
	query query // of plain columns, for others to read
}

// asQuery is the view's query alone.
func (v timedView) asQuery() query {
	v.query.sql = v.sql.ours
	return v.query
}

// view is a random query.
func (g *timed) view(relations []relation) timedView {
	switch g.rng.IntN(12) {
	case 0, 1, 2:
		return g.windowAggregate(g.windowed(g.spec()))
	case 3:
		return g.windowJoin()
	case 4:
		return g.windowTop()
	case 5:
		return g.windowOfWindows()
	case 6:
		return g.intervalJoin()
	case 7:
		if !g.replaced { // a new view knows the versions that there are, not those before
			return g.temporalJoin()
		}
	case 8:
		return g.asofJoin()
	case 9:
		return g.qualify(relations)
	case 10:
		return g.rangeFrame()
	}
	q := g.query(relations, 2)
	return timedView{sql: same(q.sql), query: q}
}

// aggregates is some calls, FIRST_VALUE and LAST_VALUE among them, and the columns
// that they make.
func (g *timed) aggregates(cols []column) (list []twin, out []column) {
	for i := range 1 + g.rng.IntN(3) {
		as := fmt.Sprintf("a%d", i+1)
		if !g.chance(4) {
			call, k := g.aggregate(cols)
			list, out = append(list, same(g.typed(call, k)+" AS "+as)), append(out, column{as, k})
			continue
		}
		k := kind(g.rng.IntN(int(kinds)))
		x := g.typed(g.expr(cols, k, 1), k)
		order, back := g.totalOrder(cols)
		by, filter, call := order, "", "first_value("
		if g.chance(2) {
			by, call = back, "last_value("
		}
		if g.chance(3) {
			filter = " FILTER (WHERE " + g.expr(cols, boolean, 1) + ")"
		}
		list = append(list, twin{call + x + " ORDER BY " + order + ")" + filter + " AS " + as, "(array_agg(" + x + " ORDER BY " + by + ")" + filter + ")[1] AS " + as})
		out = append(out, column{as, k})
	}
	return list, out
}

// totalOrder orders by all columns, and the other way round.
func (g *timed) totalOrder(cols []column) (order, back string) {
	var a, b []string
	for _, i := range g.rng.Perm(len(cols)) {
		how := g.rng.IntN(4)
		a = append(a, cols[i].name+[]string{"", " DESC", " NULLS FIRST", " DESC NULLS LAST"}[how])
		b = append(b, cols[i].name+[]string{" DESC", "", " DESC NULLS LAST", " NULLS FIRST"}[how])
	}
	return strings.Join(a, ", "), strings.Join(b, ", ")
}

// pick is some expressions over columns, with names.
func (g *timed) pick(cols []column, n int, name string) (list []string, out []column) {
	for i := range n {
		k := kind(g.rng.IntN(int(kinds)))
		out = append(out, column{fmt.Sprintf("%s%d", name, i+1), k})
		list = append(list, g.typed(g.expr(cols, k, 1), k)+" AS "+out[i].name)
	}
	return list, out
}

// selecting joins a SELECT list of twins.
func selecting(list []twin) twin {
	var out twin
	for i, x := range list {
		if i > 0 {
			out.ours, out.theirs = out.ours+", ", out.theirs+", "
		}
		out.ours, out.theirs = out.ours+x.ours, out.theirs+x.theirs
	}
	return out
}

func twins(list []string) (out []twin) {
	for _, x := range list {
		out = append(out, same(x))
	}
	return out
}

// emit ends a query that is written when its windows close; at is the end of the
// window as PostgreSQL's query has it.
func (v timedView) emit(g *timed, at string) timedView {
	if g.chance(2) {
		v.sql.ours += " EMIT ON WINDOW CLOSE"
		v.sql.theirs = "SELECT * FROM (" + v.sql.theirs + ") AS z WHERE " + at + " < " + closed
		v.atEnd = true
	}
	return v
}

// without leaves out names.
func without(cols []column, names ...string) []column {
	return slices.DeleteFunc(slices.Clone(cols), func(c column) bool { return slices.Contains(names, c.name) })
}
