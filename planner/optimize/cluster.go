package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// cluster is a tree of inner joins: what it joins, and the conditions.
type cluster struct {
	through bool // choices of columns between the joins are of the tree too
	leaves  []logical.Node
	leafOf  []int // of each column of all leaves in order
	starts  []int // first column of each leaf
	conds   []*joinCondition
	out     []int // the tree's columns
	untied  bool  // some join has no equality between its sides
	crosses int   // joins without any condition
}

func isInner(n logical.Node) bool {
	j, ok := n.(*logical.Join)
	return ok && j.Kind == logical.InnerJoin && j.ID == "" && j.TTL == [2]int64{}
}

// chosen is the joins that n chooses columns of, if it is a part of the tree.
func (c *cluster) chosen(n logical.Node) *logical.Project {
	p, ok := n.(*logical.Project)
	if ok && c.through && plainColumns(p) && (isInner(p.Input) || c.chosen(p.Input) != nil) {
		return p
	}
	return nil
}

// add takes a tree in and returns where its columns are, and whether it has one row
// at the most.
func (c *cluster) add(n logical.Node) (out []int, row bool) {
	if p := c.chosen(n); p != nil {
		in, row := c.add(p.Input)
		for _, x := range p.Exprs {
			out = append(out, in[x.Column])
		}
		return out, row
	}
	if !isInner(n) {
		c.leaves, c.starts = append(c.leaves, n), append(c.starts, len(c.leafOf))
		for range n.Fields() {
			out = append(out, len(c.leafOf))
			c.leafOf = append(c.leafOf, len(c.leaves)-1)
		}
		return out, c.isRow(len(c.leaves) - 1)
	}
	j := n.(*logical.Join)
	left, leftRow := c.add(j.Left)
	middle := len(c.leaves)
	right, rightRow := c.add(j.Right)
	out = slices.Concat(left, right)
	isLeft := make([]bool, len(c.leaves))
	for i := range middle {
		isLeft[i] = true
	}
	tied, connected := false, leftRow || rightRow
	for _, x := range scalar.Conjuncts(j.Condition) {
		cond := c.condition(moved(x, out))
		c.conds = append(c.conds, cond)
		tied, connected = tied || cond.ties(isLeft), connected || cond.connects(isLeft)
	}
	c.untied = c.untied || !tied
	if !connected {
		c.crosses++
	}
	return out, leftRow && rightRow
}

// isRow reports whether a leaf has one row at the most. It does not look into joins,
// which takes long for many of them.
func (c *cluster) isRow(leaf int) bool {
	for n := c.leaves[leaf]; ; n = n.Inputs()[0] {
		switch n.(type) {
		case *logical.Filter, *logical.Project, *logical.Sort:
		case *logical.Scan, *logical.Values, *logical.Aggregate:
			return unique(c.leaves[leaf], nil)
		default:
			return false
		}
	}
}

// build joins the leaves in an order, for the tree's columns.
func (c *cluster) build(order []int, out []logical.Field) logical.Node {
	place := make([]int, len(c.leafOf)) // of each column in the tree so far
	placed := make([]bool, len(c.leaves))
	var tree logical.Node
	left := c.conds
	for _, i := range order {
		placed[i] = true
		at := 0
		if tree != nil {
			at = len(tree.Fields())
		}
		for col := range c.leaves[i].Fields() {
			place[c.starts[i]+col] = at + col
		}
		if tree == nil {
			tree = c.leaves[i]
			continue
		}
		var now []*scalar.Expr
		var later []*joinCondition
		for _, x := range left {
			if x.isWithin(placed) {
				now = append(now, moved(x.x, place))
			} else {
				later = append(later, x)
			}
		}
		left = later
		tree = join(logical.InnerJoin, tree, c.leaves[i], scalar.And(now...))
	}
	p := &logical.Project{Input: tree, Out: out}
	for i, f := range out {
		p.Exprs = append(p.Exprs, columnOf(place[c.out[i]], f.Type, f.Name))
	}
	return p
}

// asWritten is the tree with its leaves reordered within.
func (c *cluster) asWritten(n logical.Node) logical.Node {
	if p := c.chosen(n); p != nil {
		q := *p
		q.Input = c.asWritten(p.Input)
		return &q
	}
	if !isInner(n) {
		leaf := c.leaves[0]
		c.leaves = c.leaves[1:]
		return leaf
	}
	j := *n.(*logical.Join)
	j.Left = c.asWritten(j.Left)
	j.Right = c.asWritten(j.Right)
	return &j
}
