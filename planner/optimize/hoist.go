package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// hoisted has what a scalar subquery's rows are joined with by outer values alone, as it
// is for a subquery in the subquery's condition, joined with a's input instead: a key that
// equals it is then known from an outer value. So has a subquery there that is no join yet.
// Nil if there is no such thing, or the subquery's row is known without it.
func hoisted(a *logical.Apply) logical.Node {
	top, conds, columns := joinedBelow(a.Sub)
	if top == nil || a.When != nil || volatile(a.Sub) {
		return nil
	}
	left, first := joinedWith(a, top)
	if first == nil {
		return nil
	}
	inner, width := len(left.Fields()), len(a.Input.Fields())
	if unique(filtered(left, slices.DeleteFunc(slices.Clone(conds), func(c *scalar.Expr) bool { return !below(c, inner) })), nil) {
		return nil
	}
	second := *a
	second.Input, second.Args = first, slices.Clone(a.Args)
	outer := map[int]*scalar.Expr{}
	known := func(x *scalar.Expr) *scalar.Expr {
		if x.Op != scalar.OpColumn || x.Column < inner {
			return x
		}
		if outer[x.Column] == nil {
			outer[x.Column] = &scalar.Expr{Op: scalar.OpOuter, Column: len(second.Args), Type: x.Type, Pos: -1, Text: x.Text}
			second.Args = append(second.Args, columnOf(width+x.Column-inner, x.Type, x.Text))
		}
		return outer[x.Column]
	}
	for i, c := range conds {
		conds[i] = scalar.Map(c, known)
	}
	sub := &logical.Project{Input: filtered(left, conds), Out: a.Sub.Fields()}
	for _, x := range columns {
		sub.Exprs = append(sub.Exprs, scalar.Map(x, known))
	}
	answer := a.Out[width]
	second.Sub, second.Out = sub, append(slices.Clone(first.Fields()), answer)
	return answeredBy(a, &second, columnOf(len(first.Fields()), answer.Type, answer.Name))
}

// joinedWith has a's input with what top joins with its left side, by outer values alone;
// first is nil if top reads that side.
func joinedWith(a *logical.Apply, top logical.Node) (left, first logical.Node) {
	width := len(a.Input.Fields())
	switch top := top.(type) {
	case *logical.Join:
		inner := len(top.Left.Fields())
		if c := scalar.Columns(top.Condition); len(c) == 0 || c[0] < inner || !hasOuter(top.Condition) || depends(top.Right) {
			return nil, nil
		}
		j := join(logical.LeftJoin, a.Input, top.Right, bound(scalar.Remap(top.Condition, func(c int) int { return c - inner }), a.Args, width))
		j.ID, j.TTL = top.ID, top.TTL
		return top.Left, j
	case *logical.Apply:
		c := *top
		c.Input, c.Args, c.Why = a.Input, nil, ""
		for _, x := range top.Args {
			if len(scalar.Columns(x)) > 0 {
				return nil, nil
			}
			c.Args = append(c.Args, bound(x, a.Args, width))
		}
		c.Out = append(slices.Clone(a.Input.Fields()), top.Out[len(top.Input.Fields()):]...)
		return top.Input, &c
	}
	return nil, nil
}

// joinedBelow is the left join, or scalar subquery, below n's projections and filters. Their
// conditions and n's columns are over those of the join.
func joinedBelow(n logical.Node) (top logical.Node, conds, columns []*scalar.Expr) {
	for i, f := range n.Fields() {
		columns = append(columns, columnOf(i, f.Type, f.Name))
	}
	for {
		switch m := n.(type) {
		case *logical.Project:
			for _, list := range [][]*scalar.Expr{conds, columns} {
				for i, x := range list {
					list[i] = scalar.Substitute(x, m.Exprs)
				}
			}
			n = m.Input
		case *logical.Filter:
			conds = append(conds, scalar.Conjuncts(m.Predicate)...)
			n = m.Input
		case *logical.Join:
			if m.Kind == logical.LeftJoin {
				return m, conds, columns
			}
			return nil, nil, nil
		case *logical.Apply:
			if m.Kind == logical.ScalarApply && m.When == nil {
				return m, conds, columns
			}
			return nil, nil, nil
		default:
			return nil, nil, nil
		}
	}
}
