package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
)

// orderJoins reorders inner joins of which one would pair every row with every
// other, so that each side added is tied to what is there by an equality, if there
// is one. Other joins stay as they are written.
func orderJoins(n logical.Node) logical.Node {
	return inClusters(n, false, func(c *cluster) []int {
		if !c.untied || len(c.leaves) < 3 {
			return nil
		}
		order, _ := c.order((*joinCondition).tied)
		return order
	})
}

// avoidCrosses reorders inner joins, also ones within subqueries that are nothing but
// joins, if that leaves fewer of them without any condition. A side of one row at the
// most needs none. Other joins, and those with volatile conditions, stay as they are
// written.
func avoidCrosses(n logical.Node) logical.Node {
	return inClusters(n, true, func(c *cluster) []int {
		if c.crosses == 0 || len(c.leaves) < 3 || slices.ContainsFunc(c.conds, func(x *joinCondition) bool { return !isMovable(x.x) }) {
			return nil
		}
		order, crosses := c.order((*joinCondition).tied, (*joinCondition).connected)
		if crosses >= c.crosses {
			return nil
		}
		return order
	})
}

// inClusters has the joins of each cluster in n in the order of leaves that choose
// returns, or as they are written if that is nil.
func inClusters(n logical.Node, through bool, choose func(*cluster) []int) logical.Node {
	if !isInner(n) {
		var inputs []logical.Node
		for _, in := range n.Inputs() {
			inputs = append(inputs, inClusters(in, through, choose))
		}
		return withInputs(n, inputs)
	}
	c := &cluster{through: through}
	c.out, _ = c.add(n)
	order := choose(c)
	for i := range c.leaves {
		c.leaves[i] = inClusters(c.leaves[i], through, choose)
	}
	if order == nil {
		return c.asWritten(n)
	}
	return c.build(order, n.Fields())
}

// order begins with the first leaf and goes on with the first one that is related to
// those before by a condition, by the first relation that any is, or else the first.
// It says how many joins without any condition that makes.
func (c *cluster) order(relations ...func(x *joinCondition, placed []bool) int) (order []int, crosses int) {
	placed, row := make([]bool, len(c.leaves)), true
	next := func() (leaf int, related bool) {
		for _, relation := range relations {
			leaf = -1
			for _, x := range c.conds {
				if i := relation(x, placed); i >= 0 && (leaf < 0 || i < leaf) {
					leaf = i
				}
			}
			if leaf >= 0 {
				return leaf, true
			}
		}
		return slices.Index(placed, false), false
	}
	for range c.leaves {
		leaf, related := next()
		one := c.isRow(leaf)
		if !related && !row && !one {
			crosses++
		}
		order, placed[leaf], row = append(order, leaf), true, row && one
	}
	return order, crosses
}
