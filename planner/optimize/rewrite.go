package optimize

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// transform returns n with f applied to every node, inputs first.
func transform(n logical.Node, f func(logical.Node) logical.Node) logical.Node {
	var inputs []logical.Node
	for _, in := range n.Inputs() {
		inputs = append(inputs, transform(in, f))
	}
	return f(withInputs(n, inputs))
}

// withInputs returns a copy of n over other inputs with the same columns.
func withInputs(n logical.Node, in []logical.Node) logical.Node {
	switch n := n.(type) {
	case *logical.Filter:
		c := *n
		c.Input = in[0]
		return &c
	case *logical.Project:
		c := *n
		c.Input = in[0]
		return &c
	case *logical.Window:
		c := *n
		c.Input = in[0]
		return &c
	case *logical.Aggregate:
		c := *n
		c.Input = in[0]
		return &c
	case *logical.Union:
		c := *n
		c.All = in
		return &c
	case *logical.Sort:
		c := *n
		c.Input = in[0]
		return &c
	case *logical.Over:
		c := *n
		c.Input = in[0]
		return &c
	case *logical.TopN:
		c := *n
		c.Input = in[0]
		return &c
	case *logical.Join:
		c := *n
		c.Left, c.Right = in[0], in[1]
		return &c
	case *logical.TemporalJoin:
		c := *n
		c.Left, c.Right = in[0], in[1]
		return &c
	case *logical.AsofJoin:
		c := *n
		c.Left, c.Right = in[0], in[1]
		return &c
	case *logical.SetOp:
		c := *n
		c.Left, c.Right = in[0], in[1]
		return &c
	case *logical.Apply:
		c := *n
		c.Input, c.Sub = in[0], in[1]
		return &c
	case *logical.Expand:
		c := *n
		c.Input = in[0]
		return &c
	case *logical.Recursive:
		c := *n
		c.Initial, c.Step = in[0], in[1]
		return &c
	}
	return n
}

// mapExprs returns n with f applied to each of its expressions.
func mapExprs(n logical.Node, f func(*scalar.Expr) *scalar.Expr) logical.Node {
	optional := func(x *scalar.Expr) *scalar.Expr {
		if x == nil {
			return nil
		}
		return f(x)
	}
	all := func(xs []*scalar.Expr) []*scalar.Expr {
		var out []*scalar.Expr
		for _, x := range xs {
			out = append(out, f(x))
		}
		return out
	}
	keys := func(ks []scalar.SortKey) []scalar.SortKey {
		var out []scalar.SortKey
		for _, k := range ks {
			k.X = f(k.X)
			out = append(out, k)
		}
		return out
	}
	switch n := n.(type) {
	case *logical.Values:
		c := *n
		c.Rows = nil
		for _, r := range n.Rows {
			c.Rows = append(c.Rows, all(r))
		}
		return &c
	case *logical.FunctionScan:
		return n.MapArgs(f)
	case *logical.Expand:
		c := *n
		c.Function = n.Function.MapArgs(f)
		return &c
	case *logical.Filter:
		c := *n
		c.Predicate = f(n.Predicate)
		return &c
	case *logical.Project:
		c := *n
		c.Exprs = all(n.Exprs)
		return &c
	case *logical.Aggregate:
		c := *n
		c.Keys, c.Aggregates = all(n.Keys), nil
		for _, a := range n.Aggregates {
			a.Args, a.Filter, a.OrderBy = all(a.Args), optional(a.Filter), keys(a.OrderBy)
			c.Aggregates = append(c.Aggregates, a)
		}
		return &c
	case *logical.Sort:
		c := *n
		c.Keys, c.Limit, c.Skip = keys(n.Keys), optional(n.Limit), optional(n.Skip)
		return &c
	case *logical.Over:
		c := *n
		c.PartitionBy, c.OrderBy, c.Calls = all(n.PartitionBy), keys(n.OrderBy), nil
		for _, w := range n.Calls {
			c.Calls = append(c.Calls, w.Map(f))
		}
		return &c
	case *logical.TopN:
		c := *n
		c.PartitionBy, c.OrderBy = all(n.PartitionBy), keys(n.OrderBy)
		return &c
	case *logical.Join:
		c := *n
		c.Condition = optional(n.Condition)
		return &c
	case *logical.TemporalJoin:
		c := *n
		c.Condition = optional(n.Condition)
		return &c
	case *logical.AsofJoin:
		c := *n
		c.Condition, c.Match = optional(n.Condition), f(n.Match)
		return &c
	case *logical.Apply:
		c := *n
		c.Args, c.Compare, c.Condition, c.When = all(n.Args), optional(n.Compare), optional(n.Condition), optional(n.When)
		return &c
	}
	return n
}

// costlyCalls is how many calls an expression may have to be computed twice.
const costlyCalls = 2

// movable reports whether x may be computed elsewhere, and once more.
func movable(x *scalar.Expr) bool {
	calls := 0
	scalar.Walk(x, func(e *scalar.Expr) {
		if e.Op == scalar.OpCall || e.Op == scalar.OpCase {
			calls++
		}
	})
	return calls <= costlyCalls && scalar.VolatilityOf(x) != scalar.Volatile
}

// isPlain reports whether x costs nothing.
func isPlain(x *scalar.Expr) bool { return x.Op == scalar.OpColumn || x.Op == scalar.OpConst }

func columnOf(i int, t types.Type, name string) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpColumn, Column: i, Type: t, Pos: -1, Text: name}
}
