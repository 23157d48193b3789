package optimize

import (
	"strings"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// collectArrays replaces array_agg and string_agg without GROUP BY, over finished
// data, by arrays of subqueries: catalog queries need them, and no operator
// keeps lists as state. Where another aggregate stands beside them, nothing is
// changed.
func collectArrays(n logical.Node) logical.Node {
	return transform(n, func(n logical.Node) logical.Node {
		a, ok := n.(*logical.Aggregate)
		if !ok || len(a.Keys) > 0 || len(a.Aggregates) == 0 {
			return n
		}
		for _, c := range a.Aggregates {
			if !collects(c) {
				return n
			}
		}
		return arrays(a)
	})
}

func collects(c scalar.Aggregate) bool {
	name, _, _ := strings.Cut(c.Func, "(")
	switch name {
	case "array_agg":
		return c.Args[0].Type.Kind != types.Array
	case "string_agg":
		return c.Args[0].Type.Kind == types.Text && c.Args[1].Op == scalar.OpConst
	}
	return false
}

// arrays adds one array for each aggregate to a single row, then makes the
// results of them: null where nothing was collected.
func arrays(a *logical.Aggregate) logical.Node {
	boolean := types.Of(types.Bool)
	var row logical.Node = &logical.Values{Rows: [][]*scalar.Expr{{{Op: scalar.OpConst, Type: boolean, Value: &types.Value{Bool: true}, Pos: -1}}}, Out: []logical.Field{{Name: "row", Type: boolean}}}
	out := &logical.Project{Out: a.Out}
	for _, c := range a.Aggregates {
		t := types.ArrayOf(c.Args[0].Type)
		at := len(row.Fields())
		sub := collected(a.Input, c)
		row = &logical.Apply{Kind: logical.ArrayApply, Input: row, Sub: sub, Args: outers(sub),
			Out: append(row.Fields()[:at:at], logical.Field{Name: "list", Type: t})}
		list := columnOf(at, t, "list")
		x := list
		if strings.HasPrefix(c.Func, "string_agg") {
			x = &scalar.Expr{Op: scalar.OpCall, Func: "array_to_string(anyarray,text)", Type: c.Type, Args: []*scalar.Expr{list, c.Args[1]}, Pos: c.Pos, Text: c.Text}
		}
		one := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int32), Value: &types.Value{Int: 1}, Pos: -1, Text: "1"}
		length := &scalar.Expr{Op: scalar.OpCall, Func: "array_length(anyarray,integer)", Type: types.Of(types.Int32), Args: []*scalar.Expr{list, one}, Pos: -1}
		empty := &scalar.Expr{Op: scalar.OpIsNull, Type: boolean, Args: []*scalar.Expr{length}, Pos: -1}
		null := &scalar.Expr{Op: scalar.OpConst, Type: c.Type, Value: &types.Value{Null: true}, Pos: -1, Text: "null"}
		out.Exprs = append(out.Exprs, &scalar.Expr{Op: scalar.OpCase, Type: c.Type, Args: []*scalar.Expr{empty, null, x}, Pos: c.Pos, Text: c.Text})
	}
	out.Input = row
	return out
}

// collected are the values that c sees, in its order.
func collected(in logical.Node, c scalar.Aggregate) logical.Node {
	var conds []*scalar.Expr
	if c.Filter != nil {
		conds = append(conds, c.Filter)
	}
	x := c.Args[0]
	if strings.HasPrefix(c.Func, "string_agg") {
		null := &scalar.Expr{Op: scalar.OpIsNull, Type: types.Of(types.Bool), Args: []*scalar.Expr{x}, Pos: -1, Text: x.Text + " is null"}
		conds = append(conds, &scalar.Expr{Op: scalar.OpNot, Type: types.Of(types.Bool), Args: []*scalar.Expr{null}, Pos: -1, Text: x.Text + " is not null"})
	}
	in = filtered(in, conds)
	field := []logical.Field{{Name: "value", Type: x.Type, Origin: x.Text}}
	if c.Distinct {
		distinct := &logical.Aggregate{Input: in, Keys: []*scalar.Expr{x}, Out: field}
		desc := len(c.OrderBy) > 0 && c.OrderBy[0].Desc
		return &logical.Sort{Input: distinct, Keys: []scalar.SortKey{{X: columnOf(0, x.Type, "value"), Desc: desc, NullsFirst: desc}}}
	}
	if len(c.OrderBy) > 0 {
		in = &logical.Sort{Input: in, Keys: c.OrderBy}
	}
	return &logical.Project{Input: in, Exprs: []*scalar.Expr{x}, Out: field}
}

// outers hands the enclosing subquery's outer values on to sub, under the same
// numbers.
func outers(sub logical.Node) []*scalar.Expr {
	found := map[int]*scalar.Expr{}
	highest := -1
	see := func(x *scalar.Expr) *scalar.Expr {
		scalar.Walk(x, func(e *scalar.Expr) {
			if e.Op == scalar.OpOuter {
				found[e.Column] = e
				highest = max(highest, e.Column)
			}
		})
		return x
	}
	var visit func(n logical.Node)
	visit = func(n logical.Node) {
		if a, ok := n.(*logical.Apply); ok {
			for _, x := range a.Args {
				see(x)
			}
			visit(a.Input)
			return
		}
		mapExprs(n, see)
		for _, in := range n.Inputs() {
			visit(in)
		}
	}
	visit(sub)
	var out []*scalar.Expr
	for i := range highest + 1 {
		x := found[i]
		if x == nil { // a hole in the numbers: anything will do
			x = &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Bool), Value: &types.Value{Null: true}, Pos: -1, Text: "null"}
		}
		out = append(out, x)
	}
	return out
}
