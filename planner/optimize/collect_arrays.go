package optimize

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// collectArrays replaces array_agg and string_agg over finished data by arrays of
// subqueries: catalog queries need them, and no operator keeps lists as state.
// With GROUP BY the subquery runs once for each group.
func collectArrays(n logical.Node) logical.Node {
	return transform(n, func(n logical.Node) logical.Node {
		a, ok := n.(*logical.Aggregate)
		if !ok || !slices.ContainsFunc(a.Aggregates, collects) {
			return n
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

// arrays adds one array for each aggregate that collects to the rows of the
// others, then makes the results of them: null where nothing was collected.
func arrays(a *logical.Aggregate) logical.Node {
	row, places := groups(a)
	out := &logical.Project{Out: a.Out}
	for i, k := range a.Keys {
		out.Exprs = append(out.Exprs, columnOf(i, k.Type, a.Out[i].Name))
	}
	handed := outers(a)
	in, args := ofGroup(a, len(handed))
	handed = append(handed, args...)
	for i, c := range a.Aggregates {
		if !collects(c) {
			out.Exprs = append(out.Exprs, columnOf(places[i], c.Type, a.Out[len(a.Keys)+i].Name))
			continue
		}
		t := types.ArrayOf(c.Args[0].Type)
		at := len(row.Fields())
		row = &logical.Apply{Kind: logical.ArrayApply, Input: row, Sub: collected(in, c), Args: slices.Clone(handed),
			Out: append(row.Fields()[:at:at], logical.Field{Name: "list", Type: t})}
		out.Exprs = append(out.Exprs, listResult(c, columnOf(at, t, "list")))
	}
	out.Input = row
	return out
}

// groups is a's rows with the aggregates that do not collect, and the place of
// each of those among its columns.
func groups(a *logical.Aggregate) (logical.Node, map[int]int) {
	rest := &logical.Aggregate{Input: a.Input, Keys: a.Keys, Out: a.Out[:len(a.Keys):len(a.Keys)], ID: a.ID}
	places := map[int]int{}
	for i, c := range a.Aggregates {
		if !collects(c) {
			places[i] = len(rest.Out)
			rest.Aggregates = append(rest.Aggregates, c)
			rest.Out = append(rest.Out, a.Out[len(a.Keys)+i])
		}
	}
	if len(rest.Out) > 0 {
		return rest, places
	}
	boolean := types.Of(types.Bool)
	return &logical.Values{Rows: [][]*scalar.Expr{{{Op: scalar.OpConst, Type: boolean, Value: &types.Value{Bool: true}, Pos: -1}}},
		Out: []logical.Field{{Name: "row", Type: boolean}}}, places
}

// ofGroup is a's input cut down to the rows of one group, whose keys are the
// outer values from number next on: args says where they come from.
func ofGroup(a *logical.Aggregate, next int) (in logical.Node, args []*scalar.Expr) {
	if len(a.Keys) == 0 {
		return a.Input, nil
	}
	mine := &scalar.Expr{Op: scalar.OpCall, Func: "row(any...)", Type: types.Of(types.Row), Pos: -1, Text: "row"}
	for i, k := range a.Keys {
		mine.Args = append(mine.Args, k)
		mine.Type.Fields = append(mine.Type.Fields, types.Field{Name: a.Out[i].Name, Type: k.Type})
		args = append(args, columnOf(i, k.Type, a.Out[i].Name))
	}
	theirs := *mine
	theirs.Args = nil
	for i, k := range a.Keys {
		theirs.Args = append(theirs.Args, &scalar.Expr{Op: scalar.OpOuter, Column: next + i, Type: k.Type, Pos: -1, Text: a.Out[i].Name})
	}
	same := &scalar.Expr{Op: scalar.OpCall, Func: "is not distinct from(record,record)", Type: types.Of(types.Bool),
		Args: []*scalar.Expr{mine, &theirs}, Pos: -1, Text: "of the group"}
	return filtered(a.Input, []*scalar.Expr{same}), args
}

// listResult is the aggregate's value for a list.
func listResult(c scalar.Aggregate, list *scalar.Expr) *scalar.Expr {
	x := list
	if strings.HasPrefix(c.Func, "string_agg") {
		x = &scalar.Expr{Op: scalar.OpCall, Func: "array_to_string(anyarray,text)", Type: c.Type, Args: []*scalar.Expr{list, c.Args[1]}, Pos: c.Pos, Text: c.Text}
	}
	one := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int32), Value: &types.Value{Int: 1}, Pos: -1, Text: "1"}
	length := &scalar.Expr{Op: scalar.OpCall, Func: "array_length(anyarray,integer)", Type: types.Of(types.Int32), Args: []*scalar.Expr{list, one}, Pos: -1}
	empty := &scalar.Expr{Op: scalar.OpIsNull, Type: types.Of(types.Bool), Args: []*scalar.Expr{length}, Pos: -1}
	null := &scalar.Expr{Op: scalar.OpConst, Type: c.Type, Value: &types.Value{Null: true}, Pos: -1, Text: "null"}
	return &scalar.Expr{Op: scalar.OpCase, Type: c.Type, Args: []*scalar.Expr{empty, null, x}, Pos: c.Pos, Text: c.Text}
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

// outers hands the enclosing subquery's outer values that n uses on, under the
// same numbers.
func outers(n logical.Node) []*scalar.Expr {
	found := outersIn(n)
	highest := -1
	for i := range found {
		highest = max(highest, i)
	}
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

// outersIn finds the outer values that n uses.
func outersIn(n logical.Node) map[int]*scalar.Expr {
	found := map[int]*scalar.Expr{}
	see := func(x *scalar.Expr) *scalar.Expr {
		scalar.Walk(x, func(e *scalar.Expr) {
			if e.Op == scalar.OpOuter {
				found[e.Column] = e
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
	visit(n)
	return found
}
