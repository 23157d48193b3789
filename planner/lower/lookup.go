package lower

import (
	"maps"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// pointsMax is how many points a predicate may come to before it counts as true
// everywhere.
const pointsMax = 1000

// useIndexes looks rows up instead of reading all of them where a filter over a
// relation, its only reader, compares the columns of an index, or the first of
// them, with constants. The filter stays.
func useIndexes(g *graph.Graph, indexes func(relation string) []Index) {
	if indexes == nil {
		return
	}
	readers := make([]int, len(g.Operators))
	for i := range g.Operators {
		for _, in := range g.Operators[i].Inputs {
			readers[in.Operator]++
		}
	}
	for i := range g.Operators {
		o := &g.Operators[i]
		if o.Kind != graph.FilterKind {
			continue
		}
		n := o.Inputs[0].Operator
		if in := &g.Operators[n]; in.Source != nil && readers[n] == 1 {
			if wanted := points(in.Source, o.Filter.Predicate); !isEverywhere(wanted) {
				in.Source.Lookup = lookup(indexes(in.Source.RelationID), wanted)
			}
		}
	}
}

// lookup uses the index that tells most about the points, of two that tell the
// same the first.
func lookup(indexes []Index, wanted []point) *graph.Lookup {
	var best *graph.Lookup
	for _, x := range indexes {
		n := len(x.Columns)
		for _, p := range wanted {
			for i := range n {
				if _, ok := p[x.Columns[i]]; !ok {
					n = i
					break
				}
			}
		}
		if n > 0 && (best == nil || n > len(best.Columns)) {
			best = &graph.Lookup{Index: x.Name, Columns: x.Columns[:n]}
		}
	}
	if best == nil {
		return nil
	}
	for _, p := range wanted {
		key := make([]types.Value, len(best.Columns))
		for i, c := range best.Columns {
			key[i] = p[c]
		}
		best.Keys = append(best.Keys, key)
	}
	return best
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
			} else if !v.Value.Null {
				out = append(out, point{c: *v.Value})
			}
		}
		return some(out)
	case x.Op == scalar.OpCall && strings.HasPrefix(x.Func, "any =("):
		return pointsOfArray(s, x.Args[0], x.Args[1])
	case x.Op == scalar.OpCall && strings.HasPrefix(x.Func, "=(") && len(x.Args) == 2:
		a, v := x.Args[0], x.Args[1]
		if a.Op == scalar.OpConst {
			a, v = v, a
		}
		if v.Op != scalar.OpConst || v.Value.Null {
			return everywhere()
		}
		if c, ok := indexable(s, a, v.Type); ok {
			return []point{{c: *v.Value}}
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
// its values have the hashes of equal constants of a type.
func indexable(s *graph.Source, x *scalar.Expr, constant types.Type) (int, bool) {
	if x.Op == scalar.OpCast && x.Func == "" && widens(x.Args[0].Type, x.Type) {
		x = x.Args[0]
	}
	if x.Op != scalar.OpColumn || !Hashes(x.Type, constant) {
		return 0, false
	}
	c := x.Column
	if s.Exprs != nil {
		if s.Exprs[c].Op != scalar.OpColumn {
			return 0, false
		}
		c = s.Exprs[c].Column
	}
	return s.Physical[c].Column, s.Physical[c].Metadata == ""
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

// Hashes reports whether a constant that is equal to a value in a column of this
// type has the same hash.
func Hashes(column, constant types.Type) bool {
	switch column.Kind {
	case types.Text, types.Varchar:
		return constant.Kind == types.Text || constant.Kind == types.Varchar || constant.Kind == types.Unknown
	case types.Int16, types.Int32, types.Int64:
		return constant.Kind == types.Int16 || constant.Kind == types.Int32 || constant.Kind == types.Int64
	case types.Bool, types.Float32, types.Float64, types.Numeric, types.Bytea, types.Date, types.Time, types.Timestamp, types.TimestampTZ, types.UUID:
		return constant.Kind == column.Kind
	}
	return false
}
