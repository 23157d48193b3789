package operator

import (
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// TestAnyOfIsEquality tells which comparisons of x = (a, b) with a subquery's rows are
// looked up: equalities of types whose values have keys, each between the two sides.
func TestAnyOfIsEquality(t *testing.T) {
	kinds := []types.Kind{types.Int32, types.Text, types.Int64, types.JSONB, types.Date, types.Timestamp, types.Char, types.Numeric}
	const width = 8
	var fields []types.Field
	for _, k := range kinds {
		fields = append(fields, types.Field{Type: types.Of(k)})
	}
	column := func(c int) *scalar.Expr {
		return &scalar.Expr{Op: scalar.OpColumn, Column: c, Type: types.Of(kinds[c%width])}
	}
	compare := func(key string, x, y int) *scalar.Expr {
		return &scalar.Expr{Op: scalar.OpCall, Func: key, Type: types.Of(types.Bool), Args: []*scalar.Expr{column(x), column(y)}}
	}
	of := func(op scalar.Op, args ...*scalar.Expr) *scalar.Expr {
		return &scalar.Expr{Op: op, Type: types.Of(types.Bool), Args: args}
	}
	for _, c := range []struct {
		name    string
		kind    logical.ApplyKind
		compare *scalar.Expr
		want    bool
	}{
		{"one column", logical.AnyApply, compare("=(integer,integer)", 0, 8), true},
		{"the other way round", logical.AnyApply, compare("=(integer,integer)", 8, 0), true},
		{"integers", logical.AnyApply, compare("=(integer,bigint)", 0, 10), true},
		{"numeric", logical.AnyApply, compare("=(numeric,numeric)", 7, 15), true},
		{"char", logical.AnyApply, compare("=(char,char)", 6, 14), true},
		{"rows", logical.AnyApply, of(scalar.OpAnd, compare("=(integer,integer)", 0, 8), compare("=(text,text)", 1, 9)), true},
		{"not all of them equalities", logical.AnyApply, of(scalar.OpAnd, compare("=(integer,integer)", 0, 8), compare("<(text,text)", 1, 9)), false},
		{"one of them", logical.AnyApply, of(scalar.OpOr, compare("=(integer,integer)", 0, 8), compare("=(text,text)", 1, 9)), false},
		{"unequal to all", logical.AllApply, of(scalar.OpOr, compare("<>(integer,integer)", 0, 8), compare("<>(text,text)", 1, 9)), true},
		{"equal to all", logical.AllApply, compare("=(integer,integer)", 0, 8), false},
		{"unequal to any", logical.AnyApply, compare("<>(integer,integer)", 0, 8), false},
		{"one side", logical.AnyApply, compare("=(integer,bigint)", 0, 2), false},
		{"JSON", logical.AnyApply, compare("=(jsonb,jsonb)", 3, 11), false},
		{"dates and times", logical.AnyApply, compare("=(date,timestamp)", 4, 13), false},
	} {
		op := &graph.Operator{ID: "x", Apply: &graph.Apply{Kind: c.kind, Compare: c.compare}}
		a, err := newAnyOf(op, &Env{Inputs: [][]types.Field{fields}})
		if err != nil || (a != nil) != c.want {
			t.Errorf("%s: set %v, error %v", c.name, a != nil, err)
		}
	}
}

// TestAnyOfCountsMemory counts each different value and each row with a null.
func TestAnyOfCountsMemory(t *testing.T) {
	var held memory.Meter
	x := &scalar.Expr{Op: scalar.OpCall, Func: "=(integer,integer)", Type: types.Of(types.Bool), Args: []*scalar.Expr{
		{Op: scalar.OpColumn, Type: types.Of(types.Int32)}, {Op: scalar.OpColumn, Column: 1, Type: types.Of(types.Int32)}}}
	a, err := newAnyOf(&graph.Operator{ID: "x", Apply: &graph.Apply{Kind: logical.AnyApply, Compare: x}}, &Env{Inputs: [][]types.Field{{{Type: types.Of(types.Int32)}}}})
	if err != nil || a == nil {
		t.Fatalf("no set: %v", err)
	}
	rows := batch.New([]types.Phys{types.PhysInt}, 0)
	for i := range 3000 {
		rows.Cols[0].Append(types.Value{Int: int64(i % 2000), Null: i >= 2900})
		rows.N++
	}
	s, size, err := a.set(rows, &held)
	if err != nil || len(s.keys) != 2000 || s.nulls.N != 100 {
		t.Fatalf("%d keys, %d rows with nulls, error %v", len(s.keys), s.nulls.N, err)
	}
	if least := int64(2000*(9+setKeyBytes) + 100*16); size < least {
		t.Errorf("%d bytes counted, at least %d are held", size, least)
	}
}
