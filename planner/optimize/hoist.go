package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// hoisted has what a scalar subquery's rows are joined with by outer values alone, as it
// is for a subquery in the subquery's condition, joined with a's input instead: a key that
// equals it is then known from an outer value. Nil if there is no such join, or the
// subquery's row is known without it.
func hoisted(a *logical.Apply) logical.Node {
	j, conds, columns := joinedBelow(a.Sub)
	if j == nil || a.When != nil || !hasOuter(j.Condition) || depends(j.Right) || volatile(a.Sub) {
		return nil
	}
	inner, width := len(j.Left.Fields()), len(a.Input.Fields())
	if c := scalar.Columns(j.Condition); len(c) == 0 || c[0] < inner {
		return nil
	}
	if unique(filtered(j.Left, slices.DeleteFunc(slices.Clone(conds), func(c *scalar.Expr) bool { return !below(c, inner) })), nil) {
		return nil
	}
	first := join(logical.LeftJoin, a.Input, j.Right, bound(scalar.Remap(j.Condition, func(c int) int { return c - inner }), a.Args, width))
	first.ID, first.TTL = j.ID, j.TTL
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
	sub := &logical.Project{Input: filtered(j.Left, conds), Out: a.Sub.Fields()}
	for _, x := range columns {
		sub.Exprs = append(sub.Exprs, scalar.Map(x, known))
	}
	answer := a.Out[width]
	second.Sub, second.Out = sub, append(slices.Clone(first.Out), answer)
	return answeredBy(a, &second, columnOf(len(first.Out), answer.Type, answer.Name))
}

// joinedBelow is the left join below n's projections and filters. Their conditions and n's
// columns are over those of the join.
func joinedBelow(n logical.Node) (j *logical.Join, conds, columns []*scalar.Expr) {
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
		default:
			return nil, nil, nil
		}
	}
}
