package optimize

import (
	"reflect"
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// pushFilters moves each condition as far down as it can be decided, and leaves
// one filter where several end up.
func pushFilters(n logical.Node) logical.Node { return push(n, nil) }

// push returns n under the conditions, which are over n's columns.
func push(n logical.Node, conds []*scalar.Expr) logical.Node {
	switch n := n.(type) {
	case *logical.Filter:
		return push(n.Input, append(scalar.Conjuncts(n.Predicate), conds...))
	case *logical.Project:
		return pushProject(n, conds)
	case *logical.Union:
		c := *n
		var stay []*scalar.Expr
		c.All, stay = pushBranches(n.All, conds)
		return filtered(&c, stay)
	case *logical.Window:
		width := len(n.Input.Fields())
		down, stay := split(conds, func(x *scalar.Expr) bool {
			return isMovable(x) && below(x, width) && (n.Spec.Kind != logical.Session || n.ByGroup || isOfColumns(x, n.PartitionBy))
		})
		c := *n
		c.Input = push(n.Input, down)
		return filtered(&c, stay)
	case *logical.Aggregate:
		keys := len(n.Keys)
		down, stay := split(conds, func(x *scalar.Expr) bool {
			return keys > 0 && isMovable(x) && below(x, keys) && len(scalar.Columns(x)) > 0 && substitutable(x, n.Keys)
		})
		for i, x := range down {
			down[i] = scalar.Substitute(x, n.Keys)
		}
		c := *n
		c.Input = push(n.Input, down)
		return filtered(&c, stay)
	case *logical.Over:
		down, stay := split(conds, func(x *scalar.Expr) bool { return isMovable(x) && isOfPartition(x, n.PartitionBy) })
		c := *n
		c.Input = push(n.Input, down)
		return filtered(&c, stay)
	case *logical.TopN:
		down, stay := split(conds, func(x *scalar.Expr) bool { return isMovable(x) && isOfPartition(x, n.PartitionBy) })
		c := *n
		c.Input = push(n.Input, down)
		return filtered(&c, stay)
	case *logical.Sort:
		c := *n
		if n.Limit == nil && n.Skip == nil {
			c.Input = push(n.Input, conds)
			return &c
		}
		c.Input = push(n.Input, nil)
		return filtered(&c, conds)
	case *logical.Expand:
		width := len(n.Input.Fields())
		down, stay := split(conds, func(x *scalar.Expr) bool { return isMovable(x) && below(x, width) })
		c := *n
		c.Input = push(n.Input, down)
		return filtered(&c, stay)
	case *logical.Join:
		return pushJoin(n, conds)
	case *logical.TemporalJoin:
		left, stay := split(conds, ofLeft(n))
		c := *n
		c.Left, c.Right = push(n.Left, left), push(n.Right, nil)
		return filtered(&c, stay)
	case *logical.AsofJoin:
		left, stay := split(conds, ofLeft(n))
		c := *n
		c.Left, c.Right = push(n.Left, left), push(n.Right, nil)
		return filtered(&c, stay)
	case *logical.SetOp:
		c := *n
		sides, stay := pushBranches(n.Inputs(), conds)
		c.Left, c.Right = sides[0], sides[1]
		return filtered(&c, stay)
	case *logical.Apply:
		width := len(n.Input.Fields())
		down, stay := split(conds, func(x *scalar.Expr) bool { return isMovable(x) && below(x, width) })
		c := *n
		c.Input, c.Sub = push(n.Input, down), push(n.Sub, nil)
		return filtered(&c, stay)
	}
	return filtered(n, conds)
}

func pushProject(n *logical.Project, conds []*scalar.Expr) logical.Node {
	down, stay := split(conds, func(x *scalar.Expr) bool { return isMovable(x) && substitutable(x, n.Exprs) })
	for i, x := range down {
		down[i] = scalar.Substitute(x, n.Exprs)
	}
	c := *n
	c.Input = push(n.Input, down)
	return filtered(&c, stay)
}

// pushBranches moves conditions into branches, but where that would make several of
// the different values that branches share, each with conditions of its own.
func pushBranches(branches []logical.Node, conds []*scalar.Expr) (out []logical.Node, stay []*scalar.Expr) {
	down, stay := split(conds, isMovable)
	pushed := func(down []*scalar.Expr) (out []logical.Node) {
		for _, in := range branches {
			out = append(out, push(in, down))
		}
		return out
	}
	if out = pushed(down); len(down) > 0 && parts(branches, out) {
		return pushed(nil), conds
	}
	return out, stay
}

// parts reports whether what is grouped without aggregates alike in several of the
// branches before is not so after.
func parts(before, after []logical.Node) bool {
	var was, is []*logical.Aggregate
	for i := range before {
		was, is = append(was, distincts(before[i])...), append(is, distincts(after[i])...)
	}
	for i := range was {
		for j := range i {
			if reflect.DeepEqual(was[i], was[j]) && !reflect.DeepEqual(is[i], is[j]) {
				return true
			}
		}
	}
	return false
}

// distincts are the aggregations in n that compute nothing.
func distincts(n logical.Node) (list []*logical.Aggregate) {
	if g, ok := n.(*logical.Aggregate); ok && len(g.Aggregates) == 0 {
		list = append(list, g)
	}
	for _, in := range n.Inputs() {
		list = append(list, distincts(in)...)
	}
	return list
}

// pushJoin moves conditions to the sides they are about. A condition on the
// side that an outer join fills with nulls stays above it.
func pushJoin(n *logical.Join, conds []*scalar.Expr) logical.Node {
	width := len(n.Left.Fields())
	left := func(x *scalar.Expr) bool { return isMovable(x) && below(x, width) }
	right := func(x *scalar.Expr) bool { return isMovable(x) && above(x, width) }
	var toLeft, toRight, on []*scalar.Expr
	keepLeft := n.Kind == logical.InnerJoin || n.Kind == logical.LeftJoin || n.Kind == logical.SemiJoin || n.Kind == logical.AntiJoin
	keepRight := n.Kind == logical.InnerJoin || n.Kind == logical.RightJoin
	stay := conds
	if keepLeft {
		toLeft, stay = split(stay, left)
	}
	if keepRight {
		toRight, stay = split(stay, right)
	}
	if n.Kind == logical.InnerJoin {
		on, stay = split(stay, isMovable)
	}
	on = append(scalar.Conjuncts(n.Condition), on...)
	var more []*scalar.Expr
	if n.Kind == logical.InnerJoin || n.Kind == logical.RightJoin || n.Kind == logical.SemiJoin {
		more, on = split(on, left)
		toLeft = append(toLeft, more...)
	}
	if n.Kind == logical.InnerJoin || n.Kind == logical.LeftJoin || n.Kind == logical.SemiJoin || n.Kind == logical.AntiJoin {
		more, on = split(on, right)
		toRight = append(toRight, more...)
	}
	for i, x := range toRight {
		toRight[i] = scalar.Remap(x, func(c int) int { return c - width })
	}
	c := *n
	c.Left, c.Right, c.Condition = push(n.Left, toLeft), push(n.Right, toRight), scalar.And(on...)
	return filtered(&c, stay)
}

func filtered(n logical.Node, conds []*scalar.Expr) logical.Node {
	if p := scalar.And(conds...); p != nil {
		return &logical.Filter{Input: n, Predicate: p}
	}
	return n
}

func split(conds []*scalar.Expr, down func(*scalar.Expr) bool) (yes, no []*scalar.Expr) {
	for _, x := range conds {
		if down(x) {
			yes = append(yes, x)
		} else {
			no = append(no, x)
		}
	}
	return yes, no
}

// isOfPartition reports whether x keeps or drops whole partitions.
func isOfPartition(x *scalar.Expr, by []*scalar.Expr) bool {
	cols := scalar.Columns(x)
	for _, c := range cols {
		if !slices.ContainsFunc(by, func(p *scalar.Expr) bool { return p.Op == scalar.OpColumn && p.Column == c }) {
			return false
		}
	}
	return len(cols) > 0
}

func isOfColumns(x *scalar.Expr, by []int) bool {
	cols := scalar.Columns(x)
	return len(cols) > 0 && !slices.ContainsFunc(cols, func(c int) bool { return !slices.Contains(by, c) })
}

// isMovable: a volatile condition is decided where it is written.
func isMovable(x *scalar.Expr) bool { return scalar.VolatilityOf(x) != scalar.Volatile }

func below(x *scalar.Expr, width int) bool {
	c := scalar.Columns(x)
	return len(c) == 0 || c[len(c)-1] < width
}

func above(x *scalar.Expr, width int) bool {
	c := scalar.Columns(x)
	return len(c) > 0 && c[0] >= width
}

// substitutable reports whether the columns that x reads may be computed here too.
func substitutable(x *scalar.Expr, exprs []*scalar.Expr) bool {
	for _, c := range scalar.Columns(x) {
		if !movable(exprs[c]) {
			return false
		}
	}
	return true
}
