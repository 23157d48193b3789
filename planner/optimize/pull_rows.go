package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// keySides are the inner sides of conditions that are all equalities of a value
// with an outer one of its type: the rows of each outer value are a partition by
// them. It reports false if some condition is something else.
func keySides(conds []*scalar.Expr) (by []*scalar.Expr, ok bool) {
	for _, x := range conds {
		inner := innerSide(x)
		if inner == nil || x.Args[0].Type.Kind != x.Args[1].Type.Kind && !(x.Args[0].Type.IsInteger() && x.Args[1].Type.IsInteger()) {
			return nil, false
		}
		if !slices.ContainsFunc(by, func(y *scalar.Expr) bool { return scalar.Equal(inner, y) }) {
			by = append(by, inner)
		}
	}
	return by, true
}

// pullLimit makes the first rows for each outer value the first rows of each
// partition. An order alone means nothing to who joins the rows.
func pullLimit(n *logical.Sort) (logical.Node, []*scalar.Expr, string) {
	if n.Limit == nil && n.Skip == nil {
		return pull(n.Input)
	}
	t, ok := limited(n).(*logical.TopN)
	if !ok {
		return nil, nil, notConstant
	}
	return pullTopN(t)
}

const notConstant = "its LIMIT or OFFSET is no constant"

func pullTopN(n *logical.TopN) (logical.Node, []*scalar.Expr, string) {
	if slices.ContainsFunc(n.PartitionBy, hasOuter) || slices.ContainsFunc(n.OrderBy, ordersByOuter) {
		return nil, nil, "its ORDER BY reads an outer value"
	}
	in, conds, why := pull(n.Input)
	if why != "" {
		return nil, nil, why
	}
	by, ok := keySides(conds)
	if !ok {
		return nil, nil, "it has ORDER BY with LIMIT and depends on outer values by something else than equality"
	}
	c := *n
	c.Input, c.PartitionBy = in, append(by, n.PartitionBy...)
	return beside(&c, n.Input, n.Out, conds)
}

func ordersByOuter(k scalar.SortKey) bool { return hasOuter(k.X) }

func pullOver(n *logical.Over) (logical.Node, []*scalar.Expr, string) {
	outside := slices.ContainsFunc(n.PartitionBy, hasOuter) || slices.ContainsFunc(n.OrderBy, ordersByOuter)
	for _, w := range n.Calls {
		w.Map(func(x *scalar.Expr) *scalar.Expr {
			outside = outside || hasOuter(x)
			return x
		})
	}
	if outside {
		return nil, nil, "a window function in it reads an outer value"
	}
	in, conds, why := pull(n.Input)
	if why != "" {
		return nil, nil, why
	}
	by, ok := keySides(conds)
	if !ok {
		return nil, nil, "it has window functions and depends on outer values by something else than equality"
	}
	c := *n
	c.Input, c.PartitionBy = in, append(by, n.PartitionBy...)
	return beside(&c, n.Input, n.Out, conds)
}

// beside finishes a node whose columns are those of its input and others: it has
// new columns in its input, behind those of was. The columns that it had come
// first, then the new ones.
func beside(n logical.Node, was logical.Node, out []logical.Field, conds []*scalar.Expr) (logical.Node, []*scalar.Expr, string) {
	width := len(was.Fields())
	in := n.Inputs()[0].Fields()
	more := len(in) - width
	fields := append(append(slices.Clone(out[:width]), in[width:]...), out[width:]...)
	switch n := n.(type) {
	case *logical.TopN:
		n.Out = fields
	case *logical.Over:
		n.Out = fields
	}
	if more == 0 || len(out) == width {
		return n, conds, ""
	}
	p := &logical.Project{Input: n}
	add := func(from, to int) {
		for i := from; i < to; i++ {
			p.Exprs, p.Out = append(p.Exprs, columnOf(i, fields[i].Type, fields[i].Name)), append(p.Out, fields[i])
		}
	}
	add(0, width)
	add(len(in), len(fields))
	add(width, len(in))
	for i, x := range conds {
		conds[i] = scalar.Remap(x, func(c int) int {
			if c >= width {
				c += len(out) - width
			}
			return c
		})
	}
	return p, conds, ""
}

// pullSets takes what depends on outer values out of the sides of UNION, INTERSECT
// or EXCEPT, if that is the same equalities on each: their inner sides become
// columns by which the sides are told apart.
func pullSets(n logical.Node) (logical.Node, []*scalar.Expr, string) {
	const differ = "the sides of a UNION, INTERSECT or EXCEPT in it depend on outer values in different ways"
	width := len(n.Fields())
	var first []*scalar.Expr
	var inputs []logical.Node
	for i, in := range n.Inputs() {
		in, conds, why := pull(in)
		if why != "" {
			return nil, nil, why
		}
		if _, ok := keySides(conds); !ok {
			return nil, nil, differ
		}
		p := shaped(in, in.Fields()[:width]).(*logical.Project)
		if i == 0 {
			first = conds
		} else if conds = inOrderOf(first, conds); conds == nil {
			return nil, nil, differ
		}
		for _, x := range conds {
			inner := innerSide(x)
			p.Exprs = append(p.Exprs, inner)
			p.Out = append(p.Out[:len(p.Out):len(p.Out)], logical.Field{Name: inner.Text, Type: inner.Type, Origin: inner.Text})
		}
		inputs = append(inputs, p)
	}
	out := slices.Clone(n.Fields())
	conds := make([]*scalar.Expr, len(first))
	for i, x := range first {
		inner := innerSide(x)
		conds[i] = replaced(x, inner, columnOf(width+i, inner.Type, inner.Text))
		out = append(out, logical.Field{Name: inner.Text, Type: inner.Type, Origin: inner.Text})
	}
	switch c := withInputs(n, inputs).(type) {
	case *logical.Union:
		c.Out = out
		return c, conds, ""
	case *logical.SetOp:
		c.Out = out
		return c, conds, ""
	}
	return nil, nil, differ
}

// inOrderOf are the conditions of list in the order of others with the same outer
// sides and types; nil if they are no such ones.
func inOrderOf(others, list []*scalar.Expr) []*scalar.Expr {
	outerOf := func(x *scalar.Expr) *scalar.Expr {
		if innerSide(x) == x.Args[0] {
			return x.Args[1]
		}
		return x.Args[0]
	}
	if len(list) != len(others) {
		return nil
	}
	list = slices.Clone(list)
	for i, o := range others {
		at := slices.IndexFunc(list[i:], func(x *scalar.Expr) bool {
			return x.Func == o.Func && scalar.Equal(outerOf(x), outerOf(o)) && innerSide(x).Type.Equal(innerSide(o).Type)
		})
		if at < 0 {
			return nil
		}
		list[i], list[i+at] = list[i+at], list[i]
	}
	return list
}
