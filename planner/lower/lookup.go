package lower

import (
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// useIndexes looks rows up instead of reading all of them where a filter over a
// relation, its only reader, compares all columns of an index with constants. The
// filter stays.
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
			if wanted := constants(in.Source, o.Filter.Predicate); len(wanted) > 0 {
				in.Source.Lookup = lookup(indexes(in.Source.RelationID), wanted)
			}
		}
	}
}

// lookup uses the first index whose columns all have wanted values.
func lookup(indexes []Index, wanted map[int]*scalar.Expr) *graph.Lookup {
	for _, x := range indexes {
		l := &graph.Lookup{Index: x.Name, Columns: x.Columns}
		for _, c := range x.Columns {
			if v := wanted[c]; v != nil {
				l.Values = append(l.Values, v)
			}
		}
		if len(l.Values) > 0 && len(l.Values) == len(x.Columns) {
			return l
		}
	}
	return nil
}

// constants is what columns of the relation must be equal to for the predicate to
// be true.
func constants(s *graph.Source, predicate *scalar.Expr) map[int]*scalar.Expr {
	out := map[int]*scalar.Expr{}
	for _, p := range scalar.Conjuncts(predicate) {
		if p.Op != scalar.OpCall || !strings.HasPrefix(p.Func, "=(") || len(p.Args) != 2 {
			continue
		}
		x, v := p.Args[0], p.Args[1]
		if x.Op == scalar.OpConst {
			x, v = v, x
		}
		if x.Op != scalar.OpColumn || v.Op != scalar.OpConst || v.Value.Null || !Hashes(x.Type, v.Type) {
			continue
		}
		c := x.Column
		if s.Exprs != nil {
			if s.Exprs[c].Op != scalar.OpColumn {
				continue
			}
			c = s.Exprs[c].Column
		}
		out[s.Physical[c].Column] = v
	}
	return out
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
