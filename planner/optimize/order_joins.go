package optimize

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// orderJoins reorders inner joins of which one would pair every row with every
// other, so that each side added is tied to what is there by an equality, if there
// is one. Other joins stay as they are written.
func orderJoins(n logical.Node) logical.Node {
	j, ok := n.(*logical.Join)
	if !ok || !isInner(j) {
		var inputs []logical.Node
		for _, in := range n.Inputs() {
			inputs = append(inputs, orderJoins(in))
		}
		return withInputs(n, inputs)
	}
	c := &cluster{}
	c.add(j)
	for i := range c.leaves {
		c.leaves[i] = orderJoins(c.leaves[i])
	}
	return c.build(j)
}

func isInner(n logical.Node) bool {
	j, ok := n.(*logical.Join)
	return ok && j.Kind == logical.InnerJoin && j.ID == "" && j.TTL == [2]int64{}
}

// cluster is a tree of inner joins: what it joins, and the conditions, over the
// columns of all leaves in order.
type cluster struct {
	leaves []logical.Node
	starts []int // first column of each leaf
	width  int
	conds  []*scalar.Expr
	cross  bool // some join has no equality between its sides
}

// add takes a tree in, whose columns begin at width.
func (c *cluster) add(n logical.Node) {
	if !isInner(n) {
		c.leaves, c.starts = append(c.leaves, n), append(c.starts, c.width)
		c.width += len(n.Fields())
		return
	}
	j, from := n.(*logical.Join), c.width
	c.add(j.Left)
	middle := c.width
	c.add(j.Right)
	tied := false
	for _, x := range scalar.Conjuncts(j.Condition) {
		x = scalar.Remap(x, func(k int) int { return k + from })
		c.conds = append(c.conds, x)
		tied = tied || c.ties(x, func(col int) bool { return col < middle }, func(col int) bool { return col >= middle })
	}
	c.cross = c.cross || !tied
}

// ties reports whether x is an equality of columns on one side with columns on the
// other.
func (c *cluster) ties(x *scalar.Expr, one, other func(col int) bool) bool {
	if x.Op != scalar.OpCall || !strings.HasPrefix(x.Func, "=(") || len(x.Args) != 2 {
		return false
	}
	all := func(x *scalar.Expr, in func(int) bool) bool {
		cols := scalar.Columns(x)
		return len(cols) > 0 && !slices.ContainsFunc(cols, func(k int) bool { return !in(k) })
	}
	l, r := x.Args[0], x.Args[1]
	return all(l, one) && all(r, other) || all(l, other) && all(r, one)
}

func (c *cluster) leafOf(col int) int {
	i, found := slices.BinarySearch(c.starts, col)
	if !found {
		i--
	}
	for i+1 < len(c.starts) && c.starts[i+1] == c.starts[i] {
		i++
	}
	return i
}

func (c *cluster) build(j *logical.Join) logical.Node {
	if !c.cross || len(c.leaves) < 3 {
		return c.asWritten(j)
	}
	place := make([]int, c.width) // of each column in the tree so far
	placed := make([]bool, len(c.leaves))
	var tree logical.Node
	left := slices.Clone(c.conds)
	for range c.leaves {
		i := c.next(placed)
		placed[i] = true
		at := 0
		if tree != nil {
			at = len(tree.Fields())
		}
		for k := range c.leaves[i].Fields() {
			place[c.starts[i]+k] = at + k
		}
		if tree == nil {
			tree = c.leaves[i]
			continue
		}
		now, later := split(left, func(x *scalar.Expr) bool {
			return !slices.ContainsFunc(scalar.Columns(x), func(col int) bool { return !placed[c.leafOf(col)] })
		})
		left = later
		for k, x := range now {
			now[k] = scalar.Remap(x, func(col int) int { return place[col] })
		}
		tree = join(logical.InnerJoin, tree, c.leaves[i], scalar.And(now...))
	}
	p := &logical.Project{Input: tree, Out: j.Out}
	for i, f := range j.Out {
		p.Exprs = append(p.Exprs, columnOf(place[i], f.Type, f.Name))
	}
	return p
}

// next is the first leaf that is tied to those that are placed, or else the first.
func (c *cluster) next(placed []bool) int {
	first := slices.Index(placed, false)
	if first == 0 {
		return 0
	}
	for i, is := range placed {
		if is {
			continue
		}
		for _, x := range c.conds {
			if c.ties(x, func(col int) bool { return placed[c.leafOf(col)] }, func(col int) bool { return c.leafOf(col) == i }) {
				return i
			}
		}
	}
	return first
}

// asWritten is the tree with its leaves reordered within.
func (c *cluster) asWritten(n logical.Node) logical.Node {
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
