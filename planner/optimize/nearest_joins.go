package optimize

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// Joins that choose among the right side's rows, by a time or by what is nearest,
// let conditions through to their left side only: fewer rows on the right would be
// another choice.

// ofLeft accepts conditions on the left side of n.
func ofLeft(n logical.Node) func(x *scalar.Expr) bool {
	width := len(n.Inputs()[0].Fields())
	return func(x *scalar.Expr) bool { return isMovable(x) && below(x, width) }
}

func pruneTemporalJoin(n *logical.TemporalJoin, need []bool) (logical.Node, []int) {
	all := copyOf(need)
	mark(all, n.Condition)
	width := len(n.Left.Fields())
	if !n.Processing() {
		all[n.LeftTime], all[width+n.RightTime] = true, true
	}
	c := *n
	var to []int
	c.Left, c.Right, to = pruneSides(n.Left, n.Right, all)
	c.Condition = moved(n.Condition, to)
	if !n.Processing() {
		c.LeftTime, c.RightTime = to[n.LeftTime], to[width+n.RightTime]-len(c.Left.Fields())
	}
	c.Out, c.Hidden = prunedOut(n.Out, need, to)
	return &c, to
}

func pruneAsofJoin(n *logical.AsofJoin, need []bool) (logical.Node, []int) {
	all := copyOf(need)
	mark(all, n.Condition, n.Match)
	c := *n
	var to []int
	c.Left, c.Right, to = pruneSides(n.Left, n.Right, all)
	c.Condition, c.Match = moved(n.Condition, to), moved(n.Match, to)
	c.Out, c.Hidden = prunedOut(n.Out, need, to)
	return &c, to
}

// pruneSides prunes both sides of a join and says where their columns are.
func pruneSides(l, r logical.Node, need []bool) (left, right logical.Node, to []int) {
	width := len(l.Fields())
	left, to = pruneNode(l, need[:width])
	right, toRight := pruneNode(r, need[width:])
	leftWidth := len(left.Fields())
	to = append([]int(nil), to...)
	for _, t := range toRight {
		if t >= 0 {
			t += leftWidth
		}
		to = append(to, t)
	}
	return left, right, to
}

// prunedOut is what is left of a join's columns; those that nobody needs are hidden.
func prunedOut(out []logical.Field, need []bool, to []int) (left []logical.Field, hidden []bool) {
	for i, f := range out {
		if to[i] >= 0 {
			left, hidden = append(left, f), append(hidden, !need[i])
		}
	}
	return left, hidden
}
