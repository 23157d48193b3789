package lower_test

import (
	"testing"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/lower"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// TestLookupsByNullReadNothing binds comparisons with NULL that was an outer value: no row
// is wanted, by an index or a hash.
func TestLookupsByNullReadNothing(t *testing.T) {
	integer := types.Of(types.Int64)
	bound := func(op string, hash bool) *graph.Lookup {
		predicate := &scalar.Expr{Op: scalar.OpCall, Func: op + "(bigint, bigint)", Type: types.Of(types.Bool), Args: []*scalar.Expr{
			{Op: scalar.OpColumn, Type: integer}, {Op: scalar.OpConst, Type: integer, Value: &types.Value{Null: true}}}}
		g := &graph.Graph{Operators: []graph.Operator{
			{Kind: graph.SourceKind, Source: &graph.Source{Physical: []graph.PhysicalColumn{{Name: "k", Type: integer}},
				Lookup: &graph.Lookup{Index: "i", Columns: []graph.LookupColumn{{Type: integer}}, Outer: true, Hash: hash}}},
			{Kind: graph.FilterKind, Inputs: []graph.Input{{}}, Filter: &graph.Filter{Predicate: predicate}},
		}}
		lower.BindLookups(g)
		return g.Operators[0].Source.Lookup
	}
	for _, op := range []string{"=", "<", "<=", ">", ">="} {
		for _, hash := range []bool{false, true} {
			if l := bound(op, hash); l == nil || !l.Never {
				t.Errorf("k %s NULL reads %+v, hash %v", op, l, hash)
			}
		}
	}
	if l := bound("is distinct from", false); l != nil {
		t.Errorf("k IS DISTINCT FROM NULL reads %+v", l)
	}
}
