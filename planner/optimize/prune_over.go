package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// pruneOver drops calls that nobody reads, and the node with the last of them.
func pruneOver(n *logical.Over, need []bool) (logical.Node, []int) {
	width := len(n.Input.Fields())
	if !anyOf(need[width:]) {
		input, to := pruneNode(n.Input, need[:width])
		return input, append(slices.Clone(to), sequenceOf(-1, len(n.Calls))...)
	}
	in := copyOf(need[:width])
	mark(in, n.PartitionBy...)
	keepWindowEnd(in, n.Input.Fields(), n.PartitionBy) // it may become a TopN
	for _, k := range n.OrderBy {
		mark(in, k.X)
	}
	for i, w := range n.Calls {
		if need[width+i] {
			mark(in, w.Args...)
			mark(in, w.Filter)
		}
	}
	input, to := pruneKept(n.Input, in)
	c := *n
	c.Input, c.Calls, c.Out = input, nil, keptFields(n.Out[:width], to)
	c.PartitionBy, c.OrderBy = movedAll(n.PartitionBy, to), movedKeys(n.OrderBy, to)
	out := slices.Clone(to)
	for i, w := range n.Calls {
		if !need[width+i] {
			out = append(out, -1)
			continue
		}
		out = append(out, len(c.Out))
		c.Calls = append(c.Calls, w.Map(func(x *scalar.Expr) *scalar.Expr { return moved(x, to) }))
		c.Out = append(c.Out, n.Out[width+i])
	}
	return &c, out
}

// pruneTopN drops the number when nobody reads it.
func pruneTopN(n *logical.TopN, need []bool) (logical.Node, []int) {
	width := len(n.Input.Fields())
	in := copyOf(need[:width])
	mark(in, n.PartitionBy...)
	keepWindowEnd(in, n.Input.Fields(), n.PartitionBy)
	for _, k := range n.OrderBy {
		mark(in, k.X)
	}
	input, to := pruneKept(n.Input, in)
	c := *n
	c.Input, c.Out = input, keptFields(n.Out[:width], to)
	c.PartitionBy, c.OrderBy = movedAll(n.PartitionBy, to), movedKeys(n.OrderBy, to)
	out := slices.Clone(to)
	if n.Numbered {
		if c.Numbered = need[width]; c.Numbered {
			out = append(out, len(c.Out))
			c.Out = append(c.Out, n.Out[width])
		} else {
			out = append(out, -1)
		}
	}
	return &c, out
}

// keepWindowEnd keeps the ends of windows that rows are partitioned by the starts
// of: they say when the rows are done with.
func keepWindowEnd(need []bool, fields []logical.Field, by []*scalar.Expr) {
	starts := slices.ContainsFunc(by, func(x *scalar.Expr) bool {
		return x.Op == scalar.OpColumn && fields[x.Column].WindowBound == "start"
	})
	for i, f := range fields {
		need[i] = need[i] || starts && f.WindowBound == "end"
	}
}

// pruneKept prunes an input whose rows are kept: no column stays that nobody reads.
func pruneKept(n logical.Node, need []bool) (logical.Node, []int) {
	if !anyOf(need) {
		return pruneNode(n, need)
	}
	return exactly(n, need), numbered(need)
}

// keptFields are those that still have a place; places are in order.
func keptFields(fields []logical.Field, to []int) []logical.Field {
	var out []logical.Field
	for i, f := range fields {
		if to[i] >= 0 {
			out = append(out, f)
		}
	}
	return out
}

func movedAll(xs []*scalar.Expr, to []int) []*scalar.Expr {
	var out []*scalar.Expr
	for _, x := range xs {
		out = append(out, moved(x, to))
	}
	return out
}

func movedKeys(keys []scalar.SortKey, to []int) []scalar.SortKey {
	var out []scalar.SortKey
	for _, k := range keys {
		k.X = moved(k.X, to)
		out = append(out, k)
	}
	return out
}

func sequenceOf(v, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = v
	}
	return out
}
