package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// hasOuter reports whether x reads a value of the enclosing query.
func hasOuter(x *scalar.Expr) bool {
	found := false
	scalar.Walk(x, func(e *scalar.Expr) { found = found || e.Op == scalar.OpOuter })
	return found
}

// depends reports whether some expression in n, subqueries of its own left out,
// reads an outer value, or one is left that could not be joined.
func depends(n logical.Node) bool {
	found := false
	mapExprs(n, func(x *scalar.Expr) *scalar.Expr {
		found = found || hasOuter(x)
		return x
	})
	inputs := n.Inputs()
	if a, ok := n.(*logical.Apply); ok {
		inputs = []logical.Node{a.Input}
	}
	return found || slices.ContainsFunc(inputs, depends)
}

// pull returns n without the conditions that read outer values, and those, over
// its columns. The columns that n had stay the first ones; others may follow. Or
// it says why it cannot.
func pull(n logical.Node) (out logical.Node, conds []*scalar.Expr, why string) {
	if !depends(n) {
		return n, nil, ""
	}
	switch n := n.(type) {
	case *logical.Filter:
		in, conds, why := pull(n.Input)
		if why != "" {
			return nil, nil, why
		}
		here, stay := split(scalar.Conjuncts(n.Predicate), hasOuter)
		for _, x := range here {
			if !isMovable(x) {
				return nil, nil, "a condition on outer values in it is volatile"
			}
		}
		return filtered(in, stay), append(conds, here...), ""
	case *logical.Project:
		return pullProject(n)
	case *logical.Aggregate:
		return pullAggregate(n)
	case *logical.Join:
		return pullJoin(n)
	case *logical.Apply:
		return nil, nil, "a subquery in it cannot be joined"
	case *logical.Sort:
		return pullLimit(n)
	case *logical.TopN:
		return pullTopN(n)
	case *logical.Over:
		return pullOver(n)
	case *logical.Union, *logical.SetOp:
		return pullSets(n)
	}
	return nil, nil, "its FROM depends on outer values"
}

func pullProject(n *logical.Project) (logical.Node, []*scalar.Expr, string) {
	if slices.ContainsFunc(n.Exprs, hasOuter) {
		return nil, nil, "its SELECT list reads an outer value"
	}
	in, conds, why := pull(n.Input)
	if why != "" {
		return nil, nil, why
	}
	fields := in.Fields()
	c := &logical.Project{Input: in, Exprs: slices.Clone(n.Exprs), Out: slices.Clone(n.Out)}
	at := func(col int) int {
		for i, x := range c.Exprs {
			if isColumn(x, col) {
				return i
			}
		}
		c.Exprs, c.Out = append(c.Exprs, columnOf(col, fields[col].Type, fields[col].Name)), append(c.Out, fields[col])
		return len(c.Exprs) - 1
	}
	for i, x := range conds {
		conds[i] = scalar.Remap(x, at)
	}
	return c, conds, ""
}

// pullAggregate groups by the inner side of each condition as well.
func pullAggregate(n *logical.Aggregate) (logical.Node, []*scalar.Expr, string) {
	if len(n.Keys) == 0 {
		return nil, nil, "it aggregates rows that depend on outer values"
	}
	outside := false
	mapExprs(n, func(x *scalar.Expr) *scalar.Expr {
		outside = outside || hasOuter(x)
		return x
	})
	if outside {
		return nil, nil, "GROUP BY or an aggregate in it reads an outer value"
	}
	in, conds, why := pull(n.Input)
	if why != "" {
		return nil, nil, why
	}
	c := *n
	c.Input, c.Keys, c.Out = in, slices.Clone(n.Keys), slices.Clone(n.Out[:len(n.Keys)])
	var at []int // of each condition's key
	for _, x := range conds {
		inner := innerSide(x)
		if inner == nil {
			return nil, nil, "it groups rows that depend on outer values by something else than equality"
		}
		k := slices.IndexFunc(c.Keys, func(y *scalar.Expr) bool { return scalar.Equal(y, inner) })
		if k < 0 {
			k = len(c.Keys)
			c.Keys = append(c.Keys, inner)
			c.Out = append(c.Out, logical.Field{Name: inner.Text, Type: inner.Type, Origin: inner.Text})
		}
		at = append(at, k)
	}
	more := len(c.Keys) - len(n.Keys)
	c.Out = append(c.Out, n.Out[len(n.Keys):]...)
	// The columns that there were come first, then the new keys.
	p := &logical.Project{Input: &c, Out: slices.Clone(n.Out)}
	place := make([]int, len(c.Keys))
	for i, f := range n.Out {
		from := i
		if i >= len(n.Keys) {
			from += more
		} else {
			place[i] = i
		}
		p.Exprs = append(p.Exprs, columnOf(from, f.Type, f.Name))
	}
	for k := len(n.Keys); k < len(c.Keys); k++ {
		place[k] = len(p.Exprs)
		p.Exprs, p.Out = append(p.Exprs, columnOf(k, c.Keys[k].Type, c.Keys[k].Text)), append(p.Out, c.Out[k])
	}
	for i, x := range conds {
		inner := innerSide(x)
		conds[i] = replaced(x, inner, columnOf(place[at[i]], inner.Type, inner.Text))
	}
	return p, conds, ""
}

// innerSide is the side of an equality that reads no outer values, if the other
// reads nothing else; nil if x is no such equality.
func innerSide(x *scalar.Expr) *scalar.Expr {
	if x.Op != scalar.OpCall || len(x.Func) < 2 || x.Func[:2] != "=(" || len(x.Args) != 2 {
		return nil
	}
	for i, a := range x.Args {
		if b := x.Args[1-i]; !hasOuter(a) && len(scalar.Columns(b)) == 0 && len(scalar.Columns(a)) > 0 {
			return a
		}
	}
	return nil
}

// replaced is the call x with another argument in the place of old.
func replaced(x, old, by *scalar.Expr) *scalar.Expr {
	c := *x
	c.Args = slices.Clone(x.Args)
	for i, a := range c.Args {
		if a == old {
			c.Args[i] = by
		}
	}
	return &c
}

func pullJoin(n *logical.Join) (logical.Node, []*scalar.Expr, string) {
	inner := n.Kind == logical.InnerJoin
	if !inner && (depends(n.Right) || n.Condition != nil && hasOuter(n.Condition) || n.Kind == logical.RightJoin || n.Kind == logical.FullJoin) {
		return nil, nil, "an outer, semi or anti join in it depends on outer values"
	}
	left, conds, why := pull(n.Left)
	if why != "" {
		return nil, nil, why
	}
	right, rightConds, why := pull(n.Right)
	if why != "" {
		return nil, nil, why
	}
	was, is := len(n.Left.Fields()), len(left.Fields())
	shift := func(x *scalar.Expr) *scalar.Expr {
		return scalar.Remap(x, func(c int) int {
			if c >= was {
				c += is - was
			}
			return c
		})
	}
	here, stay := split(scalar.Conjuncts(shift(n.Condition)), hasOuter)
	for _, x := range rightConds {
		conds = append(conds, scalar.Remap(x, func(c int) int { return c + is }))
	}
	conds = append(conds, here...)
	c := *n
	c.Left, c.Right, c.Condition = left, right, scalar.And(stay...)
	c.Out = slices.Clone(left.Fields())
	only := n.Kind == logical.SemiJoin || n.Kind == logical.AntiJoin
	if !only {
		c.Out = append(c.Out, right.Fields()...)
	}
	// The columns that there were come first.
	order := make([]int, 0, len(c.Out))
	for i := range was {
		order = append(order, i)
	}
	if !only {
		for i := range n.Right.Fields() {
			order = append(order, is+i)
		}
	}
	for i := range c.Out {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	p := &logical.Project{Input: &c}
	to := make([]int, len(c.Out))
	for i, from := range order {
		f := c.Out[from]
		to[from] = i
		p.Exprs, p.Out = append(p.Exprs, columnOf(from, f.Type, f.Name)), append(p.Out, f)
	}
	for i, x := range conds {
		conds[i] = scalar.Remap(x, func(c int) int { return to[c] })
	}
	return p, conds, ""
}
