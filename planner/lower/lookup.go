package lower

import (
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// pointsMax is how many points a predicate may come to before it counts as true
// everywhere, pointsFew how many are looked up however few rows there are.
const (
	pointsMax = keysMax
	pointsFew = 1000
)

// useIndexes looks rows up instead of reading all of them where a filter over a
// relation, its only reader, compares the first columns of an index with constants,
// and reads no more than a LIMIT asks for where an index has the rows in its order.
// The filter stays.
func useIndexes(g *graph.Graph, opts Options) {
	indexes := opts.Indexes
	if indexes == nil {
		return
	}
	readers := readersOf(g)
	for i := range g.Operators {
		o := &g.Operators[i]
		if o.Kind != graph.FilterKind {
			continue
		}
		n := o.Inputs[0].Operator
		if in := &g.Operators[n]; in.Source != nil && readers[n] == 1 {
			in.Source.Lookup = findRows(in.Source, o.Filter.Predicate, opts)
		}
	}
	for i := range g.Operators {
		if g.Operators[i].Sort != nil {
			useOrder(g, &g.Operators[i], readers, indexes)
		}
	}
	useHashes(g, readers)
}

// wanted is what a filter says about the rows of a relation.
type wanted struct {
	conjuncts []*scalar.Expr
	points    []point
	ranges    map[int]*graph.LookupRange // by column
	outer     bool                       // the values are not known yet
}

func wantedOf(s *graph.Source, predicate *scalar.Expr) *wanted {
	w := &wanted{points: points(s, predicate), ranges: map[int]*graph.LookupRange{}, outer: hasOuter(predicate)}
	if isEverywhere(w.points) {
		w.points = everywhere()
	}
	w.conjuncts = scalar.Conjuncts(predicate)
	for _, x := range w.conjuncts {
		if c, t, r, ok := rangeOf(s, x); ok {
			if w.ranges[c] == nil {
				w.ranges[c] = &graph.LookupRange{}
			}
			narrow(w.ranges[c], r, t)
		}
	}
	return w
}

// findRows uses the index that tells most about the rows wanted: the most columns by
// equality, then a range of the next one; of two that tell the same the first. Where
// there are many points to the rows, it is not worth it.
func findRows(s *graph.Source, predicate *scalar.Expr, opts Options) *graph.Lookup {
	w := wantedOf(s, predicate)
	var best *graph.Lookup
	told, most := 0, pointsFew
	if opts.Rows != nil {
		most = max(most, int(opts.Rows(s.RelationID)/keysEach))
	}
	for _, x := range opts.Indexes(s.RelationID) {
		n := w.equal(x.Columns)
		tells := 2 * n
		if n < len(x.Columns) && w.ranges[x.Columns[n].Column] != nil {
			tells++
		}
		if tells <= told {
			continue
		}
		if l := w.lookup(x, n); len(l.Ranges) <= most {
			best, told = l, tells
		}
	}
	return best
}

// isKnown reports whether an expression has one value that is known when the query runs,
// and is not null as far as one can tell.
func isKnown(x *scalar.Expr) bool {
	switch x.Op {
	case scalar.OpOuter:
		return true
	case scalar.OpConst:
		return !x.Value.Null
	case scalar.OpCall, scalar.OpCast: // whoever has the outer values computes it of them
		return hasOuter(x) && scalar.VolatilityOf(x) == scalar.Immutable &&
			!slices.ContainsFunc(x.Args, func(a *scalar.Expr) bool { return a.Op != scalar.OpConst && !isKnown(a) })
	}
	return false
}

// valueOf is the value of such an expression, any one if it depends on outer values: what
// is made of it has to be made again.
func valueOf(x *scalar.Expr) types.Value {
	if x.Op != scalar.OpConst {
		return types.Value{}
	}
	return *x.Value
}

func hasOuter(x *scalar.Expr) (found bool) {
	scalar.Walk(x, func(e *scalar.Expr) { found = found || e.Op == scalar.OpOuter })
	return found
}

// BindLookups finds the ranges of lookups that depend on outer values, in a graph in
// which these have become constants. It changes what the operators refer to, not the
// operators of another graph.
func BindLookups(g *graph.Graph) {
	for i := range g.Operators {
		f := &g.Operators[i]
		if f.Filter == nil {
			continue
		}
		o := &g.Operators[f.Inputs[0].Operator]
		if o.Source == nil || o.Source.Lookup == nil || !o.Source.Lookup.Outer {
			continue
		}
		s, old := *o.Source, o.Source.Lookup
		w := wantedOf(&s, f.Filter.Predicate)
		x := Index{Name: old.Index, Columns: old.Columns}
		n := w.equal(x.Columns)
		l := w.lookup(x, n)
		l.Ordered, l.Reverse, l.Hash = old.Ordered, old.Reverse, old.Hash
		s.Lookup = l
		switch {
		case slices.ContainsFunc(w.conjuncts, isNever):
			l.Never = true
		case l.Ordered && len(w.points) != 1:
			l.Ranges = nil
		case l.Hash && n < len(x.Columns), !l.Ordered && len(l.Ranges) == 0:
			s.Lookup = nil
		}
		o.Source = &s
	}
}

// isNever reports whether a predicate compares with null, and so is never true.
func isNever(x *scalar.Expr) bool {
	null := func(a *scalar.Expr) bool { return a.Op == scalar.OpConst && a.Value.Null }
	op, _, _ := strings.Cut(x.Func, "(")
	return x.Op == scalar.OpCall && slices.Contains([]string{"=", "<", "<=", ">", ">="}, op) && slices.ContainsFunc(x.Args, null)
}

// equal is how many of the first columns have a value at each of the points.
func (w *wanted) equal(columns []graph.LookupColumn) int {
	for n, c := range columns {
		for _, p := range w.points {
			if _, ok := p[c.Column]; !ok {
				return n
			}
		}
	}
	return len(columns)
}

// lookup is the use of an index whose first n columns have values.
func (w *wanted) lookup(x Index, n int) *graph.Lookup {
	l := &graph.Lookup{Index: x.Name, Columns: x.Columns, Outer: w.outer}
	within := &graph.LookupRange{}
	if n < len(x.Columns) && w.ranges[x.Columns[n].Column] != nil {
		within = w.ranges[x.Columns[n].Column]
	}
	if n == 0 && within.Low == nil && within.High == nil {
		return l
	}
	seen := map[string]bool{}
	var key []byte
	for _, p := range w.points {
		r := graph.LookupRange{Low: within.Low, High: within.High}
		key = key[:0]
		for _, c := range x.Columns[:n] {
			v := p[c.Column]
			r.Equal = append(r.Equal, v)
			key = c.Ordered().AppendValue(key, c.Type.Phys(), &v)
		}
		if len(w.points) > 1 && seen[string(key)] {
			continue // points that differ in other columns
		}
		seen[string(key)] = true
		l.Ranges = append(l.Ranges, r)
	}
	return l
}

// point is values, not null, of some columns of a relation; the others may have
// any.
type point map[int]types.Value

// everywhere is what a predicate comes to that says nothing about equality.
func everywhere() []point { return []point{{}} }

func isEverywhere(list []point) bool {
	for _, p := range list {
		if len(p) == 0 {
			return true
		}
	}
	return len(list) == 0
}

// points is where the predicate may be true: every row for which it is lies at
// one of them.
func points(s *graph.Source, x *scalar.Expr) []point {
	switch {
	case x.Op == scalar.OpAnd:
		return pointsOfAll(s, x.Args)
	case x.Op == scalar.OpOr:
		var out []point
		for _, a := range x.Args {
			if out = append(out, points(s, a)...); len(out) > pointsMax {
				return everywhere()
			}
		}
		return out
	case x.Op == scalar.OpIn:
		var out []point
		for _, v := range x.Args[1:] {
			if c, ok := indexable(s, x.Args[0], v.Type); !ok {
				return everywhere()
			} else if isKnown(v) {
				out = append(out, point{c: valueOf(v)})
			} else if v.Op != scalar.OpConst {
				return everywhere()
			}
		}
		return some(out)
	case x.Op == scalar.OpCall && strings.HasPrefix(x.Func, "any =("):
		return pointsOfArray(s, x.Args[0], x.Args[1])
	case x.Op == scalar.OpCall && strings.HasPrefix(x.Func, "=(") && len(x.Args) == 2:
		a, v := x.Args[0], x.Args[1]
		if isKnown(a) {
			a, v = v, a
		}
		if !isKnown(v) {
			return everywhere()
		}
		if c, ok := indexable(s, a, v.Type); ok {
			return []point{{c: valueOf(v)}}
		}
	}
	return everywhere()
}

// some is the points of a list, if they are few enough. A list without any is
// not worth a lookup.
func some(list []point) []point {
	if len(list) == 0 || len(list) > pointsMax {
		return everywhere()
	}
	return list
}

// pointsOfAll is where all of the predicates may be true. One that has too many
// points to go with the others is left out.
func pointsOfAll(s *graph.Source, args []*scalar.Expr) []point {
	out := everywhere()
	for _, a := range args {
		also := points(s, a)
		if isEverywhere(also) || len(out)*len(also) > pointsMax {
			continue
		}
		both := make([]point, 0, len(out)*len(also))
		for _, p := range out {
			for _, q := range also {
				m := maps.Clone(q)
				maps.Copy(m, p)
				both = append(both, m)
			}
		}
		out = both
	}
	return out
}

// pointsOfArray is where x = ANY (list) may be true.
func pointsOfArray(s *graph.Source, x, list *scalar.Expr) []point {
	if list.Op != scalar.OpConst || list.Value.Null || list.Type.Kind != types.Array {
		return everywhere()
	}
	c, ok := indexable(s, x, *list.Type.Elem)
	if !ok {
		return everywhere()
	}
	a, err := types.DecodeArray(*list.Type.Elem, list.Value.Bytes)
	if err != nil {
		return everywhere() // whoever evaluates it tells
	}
	var out []point
	for _, v := range a.Elems {
		if !v.Null {
			out = append(out, point{c: v})
		}
	}
	return some(out)
}

// indexable is the column of the relation that an expression over its source is, if
// its values have the keys of equal constants of a type.
func indexable(s *graph.Source, x *scalar.Expr, constant types.Type) (int, bool) {
	if x.Op == scalar.OpCast && x.Func == "" && widens(x.Args[0].Type, x.Type) {
		x = x.Args[0]
	}
	if x.Op != scalar.OpColumn || !Indexable(x.Type, constant) {
		return 0, false
	}
	return sourceColumn(s, x.Column)
}

// widens reports whether a cast changes the type and not the value.
func widens(from, to types.Type) bool {
	switch from.Kind {
	case types.Varchar:
		return to.Kind == types.Text
	case types.Int16:
		return to.Kind == types.Int32 || to.Kind == types.Int64
	case types.Int32:
		return to.Kind == types.Int64
	}
	return false
}

// Indexable reports whether indexes have columns of this type, and find a constant of
// the other one there.
func Indexable(column, constant types.Type) bool {
	switch column.Kind {
	case types.Text, types.Varchar:
		return constant.Kind == types.Text || constant.Kind == types.Varchar || constant.Kind == types.Unknown
	case types.Int16, types.Int32, types.Int64:
		return constant.Kind == types.Int16 || constant.Kind == types.Int32 || constant.Kind == types.Int64
	case types.Bool, types.Float32, types.Float64, types.Numeric, types.Bytea, types.Date, types.Time, types.Timestamp, types.TimestampTZ, types.UUID:
		return constant.Kind == column.Kind
	case types.Char:
		return constant.Kind == types.Char
	}
	return false
}
