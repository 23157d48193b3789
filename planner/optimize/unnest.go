package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// unnest makes joins of the subqueries that decorrelate has left, from the outside
// in: of each with the domain of what it depends on. What stays an Apply says why.
func unnest(n logical.Node) logical.Node {
	var a *logical.Apply
	f, filter := n.(*logical.Filter)
	if filter {
		a, _ = f.Input.(*logical.Apply)
	} else {
		a, _ = n.(*logical.Apply)
	}
	if a == nil {
		var inputs []logical.Node
		for _, in := range n.Inputs() {
			inputs = append(inputs, unnest(in))
		}
		return withInputs(n, inputs)
	}
	c := *a
	if c.Input = unnest(a.Input); hasApply(c.Input) {
		return over(f, &c) // refused in any case
	}
	if filter {
		if joined := domainFilter(f, &c); joined != nil {
			return unnest(joined)
		}
	}
	joined, why := domainJoin(&c)
	if why != "" {
		c.Why = why
		return over(f, &c)
	}
	return over(f, unnest(joined))
}

// over is the filter over another input, or that input if there is no filter.
func over(f *logical.Filter, in logical.Node) logical.Node {
	if f == nil {
		return in
	}
	return &logical.Filter{Input: in, Predicate: f.Predicate}
}

func hasApply(n logical.Node) bool {
	_, ok := n.(*logical.Apply)
	return ok || slices.ContainsFunc(n.Inputs(), hasApply)
}

// domainFilter is domainJoin for a condition that is the subquery's answer or its
// negation, nil if there is none.
func domainFilter(f *logical.Filter, a *logical.Apply) logical.Node {
	var flag *scalar.Expr
	var rest []*scalar.Expr
	for _, x := range scalar.Conjuncts(f.Predicate) {
		if width := len(a.Input.Fields()); flag == nil && (isColumn(x, width) || x.Op == scalar.OpNot && isColumn(x.Args[0], width)) {
			flag = x
		} else {
			rest = append(rest, x)
		}
	}
	if flag == nil || a.Kind != logical.ExistsApply && a.Kind != logical.AnyApply && a.Kind != logical.AllApply {
		return nil
	}
	d, sub, why := domainSub(a, nil)
	if why != "" {
		return nil
	}
	c := *a // the comparison is over the input and the subquery's columns, which the domain's stand before
	width := len(a.Input.Fields())
	c.Compare = scalar.Remap(a.Compare, func(col int) int {
		if col >= width {
			col += d.width()
		}
		return col
	})
	n := semiOrAnti(&c, sub, d.same(d.values, width), flag.Op == scalar.OpNot)
	if n == nil {
		return nil
	}
	return filtered(n, rest)
}

const volatileInside = "it depends on outer values and has a volatile function"

// domainSub is a's subquery joined with the domain of its arguments and more.
func domainSub(a *logical.Apply, more []*scalar.Expr) (*domain, logical.Node, string) {
	if volatile(a.Sub) {
		return nil, nil, volatileInside
	}
	d, why := domainOf(a.Input, append(slices.Clone(a.Args), more...))
	if why != "" {
		return nil, nil, why
	}
	sub := a.Sub
	if a.Kind == logical.ExistsApply {
		sub = withoutColumns(sub)
	}
	sub, why = d.over(sub)
	return d, sub, why
}

// volatile reports whether some expression in n is.
func volatile(n logical.Node) bool {
	found := false
	mapExprs(n, func(x *scalar.Expr) *scalar.Expr {
		found = found || !isMovable(x)
		return x
	})
	return found || slices.ContainsFunc(n.Inputs(), volatile)
}

// domainJoin is the join for a subquery by way of its domain.
func domainJoin(a *logical.Apply) (logical.Node, string) {
	width := len(a.Input.Fields())
	switch a.Kind {
	case logical.AnyApply, logical.AllApply:
		return domainAny(a)
	case logical.ScalarApply:
		if h := hoisted(a); h != nil {
			return decorrelate(h), ""
		}
		if !unique(a.Sub, nil) {
			return nil, logical.SeveralRows
		}
	}
	if a.Kind != logical.ExistsApply && len(a.Args) > 0 {
		p := peel(a.Sub)
		if g, ok := p.core.(*logical.Aggregate); ok && len(g.Keys) == 0 {
			return domainAggregate(a, g, p)
		}
	}
	d, sub, why := domainSub(a, nil)
	if why != "" {
		return nil, why
	}
	on := d.same(d.values, width)
	kind := logical.LeftJoin
	if a.Kind == logical.CrossApply {
		kind = logical.InnerJoin
	}
	if a.Kind == logical.ExistsApply {
		g := &logical.Aggregate{Input: sub, Keys: d.own(0), Out: d.out}
		if d.width() == 0 {
			g = grouped(sub, nil)
		}
		j := domainJoined(a, kind, marked(g), on)
		return answeredBy(a, j, not(missing(j))), ""
	}
	if !isTrue(a.Condition) {
		on = append(on, scalar.Remap(a.Condition, func(col int) int {
			if col >= width {
				col += d.width()
			}
			return col
		}))
	}
	j := domainJoined(a, kind, sub, on)
	p := &logical.Project{Input: j, Out: a.Out}
	for i, f := range a.Out {
		at := i
		if i >= width {
			at += d.width()
		}
		p.Exprs = append(p.Exprs, columnOf(at, f.Type, f.Name))
	}
	return p, ""
}

// domainAggregate is the join for an aggregate without keys, by way of the rows
// that it has for the domain: where there are none, the outer join tells.
func domainAggregate(a *logical.Apply, g *logical.Aggregate, p peeled) (logical.Node, string) {
	if volatile(g) {
		return nil, volatileInside
	}
	d, why := domainOf(a.Input, a.Args)
	if why != "" {
		return nil, why
	}
	in, why := d.over(g.Input)
	if why != "" {
		return nil, why
	}
	j := domainJoined(a, logical.LeftJoin, d.grouped(g, in), d.same(d.values, len(a.Input.Fields())))
	return overAggregate(a, j, ofNone(g, d.width()), p), ""
}

func domainJoined(a *logical.Apply, kind logical.JoinKind, sub logical.Node, on []*scalar.Expr) *logical.Join {
	j := join(kind, a.Input, sub, scalar.And(on...))
	j.ID, j.TTL = a.ID, [2]int64{a.TTL, a.TTL}
	return j
}

// domainAny is the join for x op ANY|ALL (subquery) as a value: with whether some
// row of those for the outer values and x answers it, and whether one is null.
func domainAny(a *logical.Apply) (logical.Node, string) {
	width := len(a.Input.Fields())
	var more []*scalar.Expr
	for _, c := range scalar.Columns(a.Compare) {
		if c < width {
			f := a.Input.Fields()[c]
			more = append(more, columnOf(c, f.Type, origin(f)))
		}
	}
	d, sub, why := domainSub(a, more)
	if why != "" {
		return nil, why
	}
	compare := scalar.Map(a.Compare, func(x *scalar.Expr) *scalar.Expr {
		if x.Op != scalar.OpColumn {
			return x
		}
		if x.Column >= width {
			return columnOf(d.width()+x.Column-width, x.Type, x.Text)
		}
		i := slices.IndexFunc(more, func(m *scalar.Expr) bool { return m.Column == x.Column })
		return d.args[len(a.Args)+i]
	})
	answer := a.Kind == logical.AnyApply
	if !answer {
		compare = not(compare)
	}
	g := &logical.Aggregate{Input: sub, Keys: d.own(0), Out: slices.Clone(d.out)}
	if d.width() == 0 {
		g = grouped(sub, nil)
	}
	for _, x := range []*scalar.Expr{compare, isNull(compare)} {
		g.Aggregates = append(g.Aggregates, scalar.Aggregate{Func: "bool_or(boolean)", Args: []*scalar.Expr{x}, Type: types.Of(types.Bool), Pos: -1, Text: "bool_or(" + x.Text + ")"})
		g.Out = append(g.Out, logical.Field{Name: "bool_or", Type: types.Of(types.Bool), Origin: "bool_or(" + x.Text + ")"})
	}
	j := domainJoined(a, logical.LeftJoin, g, d.same(d.values, width))
	some := func(back int) *scalar.Expr { return columnOf(len(j.Out)-back, types.Of(types.Bool), "bool_or") }
	return answeredBy(a, j, caseOf(some(2), constant(answer), some(1), null(types.Of(types.Bool)), constant(!answer))), ""
}

func origin(f logical.Field) string {
	if f.Origin != "" {
		return f.Origin
	}
	return f.Name
}
