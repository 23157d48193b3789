package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// leftDeep joins first with the left side of a join that depends on outer values, and
// then with its right side: a, (LATERAL b JOIN c) becomes (a, LATERAL b) JOIN c, so
// that c is not read for each row of a.
func leftDeep(n logical.Node) logical.Node {
	return transform(n, func(n logical.Node) logical.Node {
		if a, ok := n.(*logical.Apply); ok && a.Kind == logical.CrossApply {
			return leftDeepApply(a)
		}
		return n
	})
}

func leftDeepApply(a *logical.Apply) logical.Node {
	width := len(a.Input.Fields())
	bind := func(x *scalar.Expr) *scalar.Expr {
		if x == nil {
			return nil
		}
		return bound(x, a.Args, width)
	}
	first := func(left logical.Node) logical.Node {
		return leftDeepApply(&logical.Apply{Kind: logical.CrossApply, Input: a.Input, Sub: left, Args: a.Args, TTL: a.TTL, Pos: a.Pos,
			Out: slices.Concat(a.Input.Fields(), left.Fields())})
	}
	var n logical.Node
	switch sub := a.Sub.(type) {
	case *logical.Join:
		if sub.Kind != logical.InnerJoin && sub.Kind != logical.LeftJoin || !depends(sub.Left) || depends(sub.Right) {
			return a
		}
		c := *sub
		c.Left, c.Condition, c.Out = first(sub.Left), bind(sub.Condition), a.Out
		if c.ID == "" {
			c.ID = a.ID
		}
		n = &c
	case *logical.Apply:
		if sub.Kind != logical.CrossApply && sub.Kind != logical.LeftApply || !depends(sub.Input) {
			return a
		}
		c := *sub
		c.Input, c.Args, c.Condition, c.Out = first(sub.Input), nil, bind(sub.Condition), a.Out
		for _, x := range sub.Args {
			c.Args = append(c.Args, bind(x))
		}
		if c.ID == "" {
			c.ID = a.ID
		}
		n = &c
	default:
		return a
	}
	return filtered(n, scalar.Conjuncts(a.Condition))
}
