package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// over is n joined with the domain: the domain's columns, then n's, for each of
// the domain's rows those that n has for it. Or it says why there is no such join.
func (d *domain) over(n logical.Node) (logical.Node, string) {
	if !depends(n) {
		if isUnit(n) {
			return d.node, ""
		}
		return join(logical.InnerJoin, d.node, n, nil), ""
	}
	switch n := n.(type) {
	case *logical.Values:
		return d.overValues(n)
	case *logical.FunctionScan:
		if n.Outside() {
			return nil, "it reads what lies outside of the query"
		}
		return &logical.Expand{Input: d.node, Function: n.MapArgs(func(x *scalar.Expr) *scalar.Expr { return d.bind(x) }), Out: d.fields(n.Out)}, ""
	case *logical.Join:
		return d.overJoin(n)
	case *logical.Union:
		c := &logical.Union{Out: d.fields(n.Out)}
		for _, in := range n.All {
			in, why := d.over(in)
			if why != "" {
				return nil, why
			}
			c.All = append(c.All, in)
		}
		return c, ""
	case *logical.SetOp:
		left, right, why := d.overBoth(n.Left, n.Right)
		c := *n
		c.Left, c.Right, c.Out = left, right, d.fields(n.Out)
		return &c, why
	case *logical.Recursive, *logical.Working:
		return nil, "it is a WITH RECURSIVE query"
	case *logical.Window:
		return nil, "rows that depend on outer values are put into time windows in it"
	}
	return d.overOne(n)
}

// overOne is over for what has one input, or reads the outer values on its left
// side alone.
func (d *domain) overOne(n logical.Node) (logical.Node, string) {
	var right []logical.Node
	switch n := n.(type) {
	case *logical.TemporalJoin:
		right = append(right, n.Right)
	case *logical.AsofJoin:
		right = append(right, n.Right)
	}
	if len(right) > 0 && depends(right[0]) {
		return nil, "the right side of a join FOR SYSTEM_TIME AS OF or ASOF in it depends on outer values"
	}
	in, why := d.over(n.Inputs()[0])
	if why != "" {
		return nil, why
	}
	bind := func(x *scalar.Expr) *scalar.Expr { return d.bind(x) }
	switch n := n.(type) {
	case *logical.Filter:
		return filtered(in, []*scalar.Expr{d.bind(n.Predicate)}), ""
	case *logical.Project:
		return &logical.Project{Input: in, Exprs: append(d.own(0), d.bindAll(n.Exprs)...), Out: d.fields(n.Out)}, ""
	case *logical.Aggregate:
		return d.overAggregate(n, in), ""
	case *logical.Sort:
		return d.overSort(n, in)
	case *logical.TopN:
		c := *n
		c.Input, c.Out = in, d.fields(n.Out)
		c.PartitionBy, c.OrderBy = append(d.own(0), d.bindAll(n.PartitionBy)...), d.bindKeys(n.OrderBy)
		return &c, ""
	case *logical.Over:
		c := *n
		c.Input, c.Calls, c.Out = in, nil, d.fields(n.Out)
		c.PartitionBy, c.OrderBy = append(d.own(0), d.bindAll(n.PartitionBy)...), d.bindKeys(n.OrderBy)
		for _, w := range n.Calls {
			c.Calls = append(c.Calls, w.Map(bind))
		}
		return &c, ""
	case *logical.Expand:
		c := *n
		c.Input, c.Function, c.Out = in, n.Function.MapArgs(bind), d.fields(n.Out)
		return &c, ""
	case *logical.Apply:
		c := *n
		c.Input, c.Args, c.Compare, c.Condition, c.Out = in, d.bindAll(n.Args), d.bind(n.Compare), d.bind(n.Condition), d.fields(n.Out)
		return &c, ""
	case *logical.TemporalJoin:
		c := *n
		c.Left, c.Condition, c.Out = in, d.bind(n.Condition), d.fields(n.Out)
		if c.LeftTime >= 0 {
			return nil, "a join FOR SYSTEM_TIME AS OF in it depends on outer values"
		}
		return &c, ""
	case *logical.AsofJoin:
		c := *n
		c.Left, c.Condition, c.Match, c.Out = in, d.bind(n.Condition), d.bind(n.Match), d.fields(n.Out)
		return &c, ""
	}
	return nil, "its FROM depends on outer values"
}

// overValues is over for rows whose cells read outer values.
func (d *domain) overValues(n *logical.Values) (logical.Node, string) {
	u := &logical.Union{Out: d.fields(n.Out)}
	for _, row := range n.Rows {
		u.All = append(u.All, &logical.Project{Input: d.node, Exprs: append(d.own(0), d.bindAll(row)...), Out: u.Out})
	}
	if len(u.All) == 1 {
		return u.All[0], ""
	}
	return u, ""
}

// grouped is an aggregate whose input is joined with the domain, by the domain's
// columns as well.
func (d *domain) grouped(n *logical.Aggregate, in logical.Node) *logical.Aggregate {
	c := *n
	c.Input, c.Keys, c.Aggregates, c.Out = in, append(d.own(0), d.bindAll(n.Keys)...), nil, d.fields(n.Out)
	for _, a := range n.Aggregates {
		a.Args, a.Filter, a.OrderBy = d.bindAll(a.Args), d.bind(a.Filter), d.bindKeys(a.OrderBy)
		c.Aggregates = append(c.Aggregates, a)
	}
	return &c
}

// overAggregate groups by the domain as well. An aggregate without keys has a row
// for each of the domain's, those that no row is for among them.
func (d *domain) overAggregate(n *logical.Aggregate, in logical.Node) logical.Node {
	c := d.grouped(n, in)
	if len(n.Keys) > 0 {
		return c
	}
	width := d.width()
	j := join(logical.LeftJoin, d.node, c, scalar.And(d.same(d.own(0), width)...))
	return &logical.Project{Input: j, Exprs: append(d.own(0), ofNone(n, 2*width)...), Out: d.fields(n.Out)}
}

func (d *domain) overSort(n *logical.Sort, in logical.Node) (logical.Node, string) {
	if n.Limit == nil && n.Skip == nil {
		return in, ""
	}
	c := *n
	c.Input, c.Keys = in, d.bindKeys(n.Keys)
	t, ok := limited(&c).(*logical.TopN)
	if !ok {
		return nil, notConstant
	}
	t.PartitionBy = d.own(0)
	return t, ""
}

func (d *domain) overBoth(l, r logical.Node) (left, right logical.Node, why string) {
	if left, why = d.over(l); why == "" {
		right, why = d.over(r)
	}
	return left, right, why
}

// overJoin joins one side with the domain where that is enough, so that the other
// is not repeated, and both within it elsewhere.
func (d *domain) overJoin(n *logical.Join) (logical.Node, string) {
	width, left := d.width(), len(n.Left.Fields())
	only := n.Kind == logical.SemiJoin || n.Kind == logical.AntiJoin
	c := *n
	c.Condition = d.bind(n.Condition)
	var why string
	switch {
	case !depends(n.Right) && n.Kind != logical.RightJoin && n.Kind != logical.FullJoin:
		c.Left, why = d.over(n.Left)
		c.Out = d.fields(n.Out)
		return &c, why
	case !depends(n.Left) && (n.Kind == logical.InnerJoin || n.Kind == logical.RightJoin):
		if c.Right, why = d.over(n.Right); why != "" {
			return nil, why
		}
		// The left columns, the domain's, the right ones.
		c.Condition = scalar.Remap(c.Condition, func(col int) int {
			switch {
			case col < width:
				return left + col
			case col < width+left:
				return col - width
			}
			return col
		})
		c.Out = append(slices.Clone(n.Left.Fields()), c.Right.Fields()...)
		p := &logical.Project{Input: &c, Exprs: d.own(left), Out: d.fields(n.Out)}
		for i, f := range n.Out {
			at := i
			if i >= left {
				at += width
			}
			p.Exprs = append(p.Exprs, columnOf(at, f.Type, f.Name))
		}
		return p, ""
	}
	if c.Left, c.Right, why = d.overBoth(n.Left, n.Right); why != "" {
		return nil, why
	}
	at := width + left // of the right side's copy of the domain
	c.Condition = scalar.Remap(c.Condition, func(col int) int {
		if col >= at {
			col += width
		}
		return col
	})
	if c.Condition = scalar.And(append(d.same(d.own(0), at), scalar.Conjuncts(c.Condition)...)...); only {
		c.Out = d.fields(n.Out)
		return &c, ""
	}
	c.Out = append(slices.Clone(c.Left.Fields()), c.Right.Fields()...)
	p := &logical.Project{Input: &c, Exprs: d.eitherOf(n.Kind, at), Out: d.fields(n.Out)}
	for i, f := range n.Out {
		from := width + i
		if i >= left {
			from += width
		}
		p.Exprs = append(p.Exprs, columnOf(from, f.Type, f.Name))
	}
	return p, ""
}

// eitherOf are the domain's columns of a join of which both sides have them: those
// of a side that has a row.
func (d *domain) eitherOf(kind logical.JoinKind, at int) []*scalar.Expr {
	switch kind {
	case logical.RightJoin:
		return d.own(at)
	case logical.FullJoin:
		out := d.own(0)
		for i, r := range d.own(at) {
			out[i] = caseOf(isNull(out[i]), r, out[i])
		}
		return out
	}
	return d.own(0)
}
