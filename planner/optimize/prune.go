package optimize

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// prune removes columns and aggregates that nobody reads, down into the scans.
func prune(root logical.Node) logical.Node {
	n, _ := pruneNode(root, everything(root))
	return n
}

// pruneNode returns n with at least the columns needed, and where each old column
// is now, -1 for gone. The order stays.
func pruneNode(n logical.Node, need []bool) (logical.Node, []int) {
	switch n := n.(type) {
	case *logical.Scan:
		return pruneScan(n, need)
	case *logical.Filter:
		in := copyOf(need)
		mark(in, n.Predicate)
		input, to := pruneNode(n.Input, in)
		return &logical.Filter{Input: input, Predicate: moved(n.Predicate, to)}, to
	case *logical.Project:
		return pruneProject(n, need)
	case *logical.Window:
		return pruneWindow(n, need)
	case *logical.Aggregate:
		return pruneAggregate(n, need)
	case *logical.Union:
		return pruneUnion(n, need)
	case *logical.Sort:
		in := copyOf(need)
		for _, k := range n.Keys {
			mark(in, k.X)
		}
		c := *n
		var to []int
		c.Input, to = pruneNode(n.Input, in)
		c.Keys = nil
		for _, k := range n.Keys {
			k.X = moved(k.X, to)
			c.Keys = append(c.Keys, k)
		}
		return &c, to
	case *logical.Over:
		return pruneOver(n, need)
	case *logical.TopN:
		return pruneTopN(n, need)
	case *logical.Expand:
		return pruneExpand(n, need)
	case *logical.Join:
		return pruneJoin(n, need)
	case *logical.TemporalJoin:
		return pruneTemporalJoin(n, need)
	case *logical.AsofJoin:
		return pruneAsofJoin(n, need)
	case *logical.Apply:
		return pruneApply(n, need)
	}
	var inputs []logical.Node
	for _, in := range n.Inputs() {
		inputs = append(inputs, exactly(in, everything(in)))
	}
	return withInputs(n, inputs), same(len(n.Fields()))
}

func pruneScan(n *logical.Scan, need []bool) (logical.Node, []int) {
	if !anyOf(need) && len(need) > 0 { // rows must be counted by something
		need = copyOf(need)
		need[cheapest(n)] = true
	}
	c := *n
	c.Columns, c.Out = nil, nil
	to := numbered(need)
	for i, col := range n.Columns {
		if need[i] {
			c.Columns, c.Out = append(c.Columns, col), append(c.Out, n.Out[i])
		}
	}
	return &c, to
}

// cheapest is the column that costs least to read.
func cheapest(n *logical.Scan) int {
	for i, c := range n.Columns {
		generated := c < len(n.Generated) && n.Generated[c] != nil
		if !generated && n.Out[i].Type.Phys() == types.PhysInt {
			return i
		}
	}
	return 0
}

func pruneProject(n *logical.Project, need []bool) (logical.Node, []int) {
	in := make([]bool, len(n.Input.Fields()))
	for i, x := range n.Exprs {
		if need[i] {
			mark(in, x)
		}
	}
	input, to := pruneNode(n.Input, in)
	c := logical.Project{Input: input}
	for i, x := range n.Exprs {
		if need[i] {
			c.Exprs, c.Out = append(c.Exprs, moved(x, to)), append(c.Out, n.Out[i])
		}
	}
	return &c, numbered(need)
}

func pruneWindow(n *logical.Window, need []bool) (logical.Node, []int) {
	width := len(n.Input.Fields())
	in := copyOf(need[:width])
	in[n.TimeColumn] = true
	for _, p := range n.PartitionBy {
		in[p] = true
	}
	input, to := pruneNode(n.Input, in)
	c := *n
	c.Input, c.TimeColumn, c.PartitionBy, c.Out = input, to[n.TimeColumn], nil, nil
	for _, p := range n.PartitionBy {
		c.PartitionBy = append(c.PartitionBy, to[p])
	}
	out := append([]int(nil), to...)
	for i := range n.Out {
		if i < width && to[i] < 0 {
			continue
		}
		if i >= width {
			out = append(out, len(c.Out))
		}
		c.Out = append(c.Out, n.Out[i])
	}
	return &c, out
}

func pruneAggregate(n *logical.Aggregate, need []bool) (logical.Node, []int) {
	in := make([]bool, len(n.Input.Fields()))
	for _, k := range n.Keys {
		mark(in, k)
	}
	need = copyOf(need)
	for i := range n.Keys {
		need[i] = true
	}
	keys := len(n.Keys)
	for i, a := range n.Aggregates {
		if need[keys+i] {
			mark(in, a.Args...)
			mark(in, a.Filter)
			for _, k := range a.OrderBy {
				mark(in, k.X)
			}
		}
	}
	input, to := pruneNode(n.Input, in)
	c := *n
	c.Input, c.Keys, c.Aggregates, c.Out = input, nil, nil, nil
	for i, k := range n.Keys {
		c.Keys, c.Out = append(c.Keys, moved(k, to)), append(c.Out, n.Out[i])
	}
	for i, a := range n.Aggregates {
		if !need[keys+i] {
			continue
		}
		a.Filter = moved(a.Filter, to)
		var args []*scalar.Expr
		for _, x := range a.Args {
			args = append(args, moved(x, to))
		}
		var order []scalar.SortKey
		for _, k := range a.OrderBy {
			k.X = moved(k.X, to)
			order = append(order, k)
		}
		a.Args, a.OrderBy = args, order
		c.Aggregates, c.Out = append(c.Aggregates, a), append(c.Out, n.Out[keys+i])
	}
	return &c, numbered(need)
}

func pruneUnion(n *logical.Union, need []bool) (logical.Node, []int) {
	if !anyOf(need) && len(need) > 0 {
		need = copyOf(need)
		need[0] = true
	}
	c := logical.Union{}
	for i, f := range n.Out {
		if need[i] {
			c.Out = append(c.Out, f)
		}
	}
	for _, in := range n.All {
		c.All = append(c.All, exactly(in, need))
	}
	return &c, numbered(need)
}

func pruneJoin(n *logical.Join, need []bool) (logical.Node, []int) {
	width := len(n.Left.Fields())
	all := make([]bool, width+len(n.Right.Fields()))
	copy(all, need) // semi and anti joins have the left columns only
	mark(all, n.Condition)
	left, toLeft := pruneNode(n.Left, all[:width])
	right, toRight := pruneNode(n.Right, all[width:])
	leftWidth := len(left.Fields())
	to := append([]int(nil), toLeft...)
	for _, t := range toRight {
		if t >= 0 {
			t += leftWidth
		}
		to = append(to, t)
	}
	c := *n
	c.Left, c.Right, c.Condition, c.Out, c.Hidden = left, right, moved(n.Condition, to), nil, nil
	for i, f := range n.Out {
		if to[i] >= 0 {
			c.Out, c.Hidden = append(c.Out, f), append(c.Hidden, !need[i])
		}
	}
	return &c, to[:len(need)]
}

// pruneExpand prunes the rows that are repeated; the function keeps its columns.
func pruneExpand(n *logical.Expand, need []bool) (logical.Node, []int) {
	width := len(n.Input.Fields())
	in := copyOf(need[:width])
	n.Function.MapArgs(func(x *scalar.Expr) *scalar.Expr {
		mark(in, x)
		return x
	})
	input, to := pruneNode(n.Input, in)
	c := *n
	c.Input, c.Function = input, n.Function.MapArgs(func(x *scalar.Expr) *scalar.Expr { return moved(x, to) })
	c.Out = append([]logical.Field(nil), input.Fields()...)
	out := append([]int(nil), to...)
	for i := range n.Function.Out {
		out, c.Out = append(out, len(c.Out)), append(c.Out, n.Out[width+i])
	}
	return &c, out
}

// pruneApply prunes the rows that the subquery is evaluated for; the subquery
// keeps its columns.
func pruneApply(n *logical.Apply, need []bool) (logical.Node, []int) {
	width := len(n.Input.Fields())
	all := make([]bool, width+len(n.Sub.Fields()))
	copy(all, need[:width])
	mark(all, n.Args...)
	mark(all, n.Compare, n.Condition, n.When)
	input, to := pruneNode(n.Input, all[:width])
	left := len(input.Fields())
	both := append([]int(nil), to...)
	for i := range n.Sub.Fields() {
		both = append(both, left+i)
	}
	c := *n
	c.Input, c.Sub = input, exactly(n.Sub, everything(n.Sub))
	c.Args, c.Compare, c.Condition, c.When, c.Out = nil, moved(n.Compare, both), moved(n.Condition, both), moved(n.When, to), nil
	for _, a := range n.Args {
		c.Args = append(c.Args, moved(a, to))
	}
	out := append([]int(nil), to...)
	for i, f := range n.Out {
		switch {
		case i >= width:
			out = append(out, len(c.Out))
		case to[i] < 0:
			continue
		}
		c.Out = append(c.Out, f)
	}
	return &c, out
}

// exactly prunes n to the columns needed and no others.
func exactly(n logical.Node, need []bool) logical.Node {
	fields := n.Fields()
	p, to := pruneNode(n, need)
	have := p.Fields()
	out := &logical.Project{Input: p}
	for i, f := range fields {
		if need[i] {
			out.Exprs = append(out.Exprs, columnOf(to[i], have[to[i]].Type, f.Name))
			out.Out = append(out.Out, f)
		}
	}
	if isIdentity(out) {
		return p
	}
	return out
}

func everything(n logical.Node) []bool {
	need := make([]bool, len(n.Fields()))
	for i := range need {
		need[i] = true
	}
	return need
}

func mark(need []bool, xs ...*scalar.Expr) {
	for _, x := range xs {
		for _, c := range scalar.Columns(x) {
			need[c] = true
		}
	}
}

func moved(x *scalar.Expr, to []int) *scalar.Expr {
	return scalar.Remap(x, func(c int) int { return to[c] })
}

func copyOf(need []bool) []bool { return append([]bool(nil), need...) }

func anyOf(need []bool) bool {
	for _, n := range need {
		if n {
			return true
		}
	}
	return false
}

// numbered gives each needed column its place among the needed ones.
func numbered(need []bool) []int {
	to, n := make([]int, len(need)), 0
	for i := range need {
		to[i] = -1
		if need[i] {
			to[i] = n
			n++
		}
	}
	return to
}

func same(n int) []int {
	to := make([]int, n)
	for i := range to {
		to[i] = i
	}
	return to
}
