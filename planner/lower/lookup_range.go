package lower

import (
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// rangeOf is a column and the values of it, of a type, for which a predicate may be
// true: those of a comparison with a constant, or of LIKE 'start%'.
func rangeOf(s *graph.Source, x *scalar.Expr) (column int, t types.Type, r *graph.LookupRange, ok bool) {
	if x.Op != scalar.OpCall || len(x.Args) != 2 {
		return
	}
	op, _, _ := strings.Cut(x.Func, "(")
	a, v := x.Args[0], x.Args[1]
	if isKnown(a) {
		a, v = v, a
		op = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]
	}
	if !isKnown(v) {
		return
	}
	if column, ok = indexable(s, a, v.Type); !ok {
		return
	}
	b := &graph.LookupBound{Value: valueOf(v), Inclusive: op == ">=" || op == "<="}
	switch op {
	case ">", ">=":
		r = &graph.LookupRange{Low: b}
	case "<", "<=":
		r = &graph.LookupRange{High: b}
	case "~~":
		r = startRange(a.Type, b.Value.Bytes)
	}
	return column, v.Type, r, r != nil
}

// startRange is the strings that begin as a pattern of LIKE does, nil for all.
func startRange(t types.Type, pattern string) *graph.LookupRange {
	if t.Kind == types.Char {
		return nil
	}
	var start []byte
	for i := 0; i < len(pattern) && pattern[i] != '%' && pattern[i] != '_'; i++ {
		if pattern[i] == '\\' {
			if i++; i == len(pattern) {
				return nil // whoever evaluates it tells
			}
		}
		start = append(start, pattern[i])
	}
	if len(start) == 0 {
		return nil
	}
	b := &graph.LookupBound{Value: types.Value{Bytes: string(start)}, Inclusive: true, Start: true}
	return &graph.LookupRange{Low: b, High: b}
}

// narrow takes from r what is not in the other range of values of a type.
func narrow(r, other *graph.LookupRange, t types.Type) {
	tighter := func(a, b *graph.LookupBound, sign int) *graph.LookupBound {
		switch {
		case a == nil:
			return b
		case b == nil || a.Start || b.Start:
			return a
		}
		if c := types.Compare(t, &a.Value, &b.Value) * sign; c < 0 || c == 0 && a.Inclusive {
			return b
		}
		return a
	}
	r.Low, r.High = tighter(r.Low, other.Low, 1), tighter(r.High, other.High, -1)
}

// exact reports whether the rows that a lookup finds are just those for which the
// filter is true.
func (w *wanted) exact(s *graph.Source, l *graph.Lookup) bool {
	if l.Outer {
		return false
	}
	n := 0
	if len(l.Ranges) > 0 {
		n = len(l.Ranges[0].Equal)
	}
	used := map[int]bool{}
	for _, x := range w.conjuncts {
		if c, _, r, ok := rangeOf(s, x); ok {
			if r.Low != nil && r.Low.Start || n >= len(l.Columns) || l.Columns[n].Column != c {
				return false
			}
			continue
		}
		of := points(s, x)
		if x.Op == scalar.OpOr || isEverywhere(of) || len(of[0]) != 1 {
			return false
		}
		for c := range of[0] {
			if used[c] || !has(l.Columns[:n], c) {
				return false
			}
			used[c] = true
		}
	}
	return true
}

func has(columns []graph.LookupColumn, c int) bool {
	for i := range columns {
		if columns[i].Column == c {
			return true
		}
	}
	return false
}

// orderedMax is how many rows in the order of an index may be wanted: for many of
// them it costs less to read all rows and to sort.
const orderedMax = 10_000

// useOrder lets ORDER BY … LIMIT read the rows in the order of an index.
func useOrder(g *graph.Graph, sort *graph.Operator, readers []int, indexes func(relation string) []Index) {
	spec := sort.Sort
	if len(spec.Keys) == 0 || spec.Limit < 0 || spec.WithTies || spec.Limit > orderedMax || spec.Skip > orderedMax {
		return
	}
	keys := append([]graph.SortKey(nil), spec.Keys...)
	var filter *scalar.Expr
	in := sort.Inputs[0].Operator
	for ; g.Operators[in].Source == nil; in = g.Operators[in].Inputs[0].Operator {
		o := &g.Operators[in]
		switch {
		case readers[in] != 1 || o.Filter == nil && o.Project == nil:
			return
		case o.Filter != nil && filter != nil:
			return
		case o.Filter != nil:
			filter = o.Filter.Predicate
			continue
		}
		for i := range keys {
			x := o.Project.Exprs[keys[i].Column]
			if x.Op != scalar.OpColumn || filter != nil {
				return
			}
			keys[i].Column = x.Column
		}
	}
	s := g.Operators[in].Source
	if readers[in] != 1 || s.Connector != "" && s.Connector != "view" {
		return
	}
	for i, k := range keys {
		c, ok := sourceColumn(s, k.Column)
		if !ok {
			return
		}
		keys[i].Column = c
	}
	w := &wanted{points: everywhere(), ranges: map[int]*graph.LookupRange{}}
	if filter != nil {
		w = wantedOf(s, filter)
	}
	l := w.orderedLookup(s, keys, indexes(s.RelationID))
	if l == nil {
		return
	}
	if w.exact(s, l) {
		l.Enough = spec.Limit + spec.Skip
	}
	s.Lookup, sort.Sort = l, &graph.Sort{Limit: spec.Limit, Skip: spec.Skip}
}

// orderedLookup finds the rows by an index that has them in an order. One that has
// the rest of the columns may have to be read to its end before there are enough of
// the rows wanted: it is used only if it leaves out what the best other one does.
func (w *wanted) orderedLookup(s *graph.Source, keys []graph.SortKey, indexes []Index) *graph.Lookup {
	for _, x := range indexes {
		n := w.equal(x.Columns)
		if len(w.points) != 1 {
			n = 0
		}
		reverse, ok := inOrder(x.Columns, n, keys)
		if !ok {
			continue
		}
		l := w.lookup(x, n)
		if len(w.points) != 1 && n == 0 {
			if l.Ranges != nil {
				l.Ranges = l.Ranges[:1]
			}
		}
		l.Ordered, l.Reverse = true, reverse
		if !w.exact(s, l) && (len(l.Ranges) == 0 || s.Lookup == nil || s.Lookup.Index != x.Name) {
			continue
		}
		return l
	}
	return nil
}

// inOrder reports whether the rows with one value in each of the first n columns of
// an index are in an order, or in the reverse one.
func inOrder(columns []graph.LookupColumn, n int, keys []graph.SortKey) (reverse, ok bool) {
	at, begun := n, false
	for _, k := range keys {
		if has(columns[:at], k.Column) {
			continue // its value is the same in all rows, or was told by a key before
		}
		if at == len(columns) || columns[at].Column != k.Column {
			return false, false
		}
		c := columns[at]
		back := c.Desc != k.Desc
		if (c.NullsFirst != k.NullsFirst) != back || begun && back != reverse {
			return false, false
		}
		reverse, begun, at = back, true, at+1
	}
	return reverse, true
}

// sourceColumn is the relation's column that a source's column is.
func sourceColumn(s *graph.Source, c int) (int, bool) {
	if s.Exprs != nil {
		if s.Exprs[c].Op != scalar.OpColumn {
			return 0, false
		}
		c = s.Exprs[c].Column
	}
	return s.Physical[c].Column, s.Physical[c].Metadata == ""
}
