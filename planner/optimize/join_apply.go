package optimize

import (
	"strings"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// joinApply is the join for a subquery whose answer is a column like any other; or
// it says why there is none.
func joinApply(a *logical.Apply) (n logical.Node, why string) {
	switch a.Kind {
	case logical.ScalarApply:
		return scalarJoin(a)
	case logical.AllApply:
		return nil, "ALL is followed only as a condition of WHERE, HAVING or ON by itself"
	case logical.CrossApply, logical.LeftApply:
		return lateralJoin(a)
	}
	sub, conds, why := subquery(a)
	if why != "" {
		return nil, why
	}
	if a.Kind == logical.ExistsApply {
		return existsJoin(a, sub, conds)
	}
	return inJoin(a, sub, conds)
}

// subquery pulls what depends on outer values out of a's subquery. The conditions
// are over a's input columns followed by those of the subquery.
func subquery(a *logical.Apply) (sub logical.Node, conds []*scalar.Expr, why string) {
	sub = a.Sub
	if a.Kind == logical.ExistsApply {
		sub = withoutColumns(sub)
	}
	sub, conds, why = pull(sub)
	if why != "" {
		return nil, nil, why
	}
	width := len(a.Input.Fields())
	for i, c := range conds {
		conds[i] = bound(c, a.Args, width)
	}
	return sub, conds, ""
}

// withoutColumns is a subquery of which it matters only whether it has rows.
func withoutColumns(n logical.Node) logical.Node {
	for {
		switch m := n.(type) {
		case *logical.Project:
			n = m.Input
		case *logical.Sort:
			if t, ok := limited(m).(*logical.TopN); !ok || t.From > 1 || t.To < 1 || !depends(m) {
				return n
			}
			n = m.Input
		default:
			return n
		}
	}
}

// bound is x, over a subquery's columns, over the outer columns followed by those.
func bound(x *scalar.Expr, args []*scalar.Expr, width int) *scalar.Expr {
	x = scalar.Remap(x, func(c int) int { return c + width })
	return scalar.Map(x, func(e *scalar.Expr) *scalar.Expr {
		if e.Op == scalar.OpOuter {
			return args[e.Column]
		}
		return e
	})
}

// join makes a join with all columns of both sides.
func join(kind logical.JoinKind, left, right logical.Node, cond *scalar.Expr) *logical.Join {
	j := &logical.Join{Kind: kind, Left: left, Right: right, Condition: cond}
	j.Out = append(append(j.Out, left.Fields()...), right.Fields()...)
	return j
}

// shaped cuts the columns of n to those of out, the first ones.
func shaped(n logical.Node, out []logical.Field) logical.Node {
	p := &logical.Project{Input: n, Out: out}
	for i, f := range out {
		p.Exprs = append(p.Exprs, columnOf(i, f.Type, f.Name))
	}
	return p
}

// answeredBy is a's input, the left side of n, with the answer x.
func answeredBy(a *logical.Apply, n logical.Node, x *scalar.Expr) logical.Node {
	p := &logical.Project{Input: n, Out: a.Out}
	for i, f := range a.Input.Fields() {
		p.Exprs = append(p.Exprs, columnOf(i, f.Type, f.Name))
	}
	p.Exprs = append(p.Exprs, x)
	return p
}

const notEqualities = "it depends on outer values by something else than equality, outside of a condition by itself"

// marked adds a column that is true to n, and so null where an outer join has no
// row of n.
func marked(n logical.Node) logical.Node {
	p := &logical.Project{Input: n}
	for i, f := range n.Fields() {
		p.Exprs, p.Out = append(p.Exprs, columnOf(i, f.Type, f.Name)), append(p.Out, f)
	}
	p.Exprs = append(p.Exprs, constant(true))
	p.Out = append(p.Out, logical.Field{Name: "found", Type: types.Of(types.Bool), Origin: "found"})
	return p
}

// missing tells that the last column of a left join, which marked made, is null.
func missing(j *logical.Join) *scalar.Expr {
	return isNull(columnOf(len(j.Out)-1, types.Of(types.Bool), "found"))
}

// existsJoin joins with the outer values for which there are rows.
func existsJoin(a *logical.Apply, sub logical.Node, conds []*scalar.Expr) (logical.Node, string) {
	width := len(a.Input.Fields())
	by, all := equalities(conds, width)
	if !all {
		return nil, notEqualities
	}
	j := join(logical.LeftJoin, a.Input, marked(grouped(sub, by)), scalar.And(sameKeys(by, width)...))
	j.ID, j.TTL = a.ID, [2]int64{a.TTL, a.TTL}
	return answeredBy(a, j, not(missing(j))), ""
}

// inJoin joins with the values that there are, and with whether there are any and
// nulls among them: x IN (S) is null if x is not in S but one of the two is null.
func inJoin(a *logical.Apply, sub logical.Node, conds []*scalar.Expr) (logical.Node, string) {
	width := len(a.Input.Fields())
	in, ok := equalityOf(a.Compare, width)
	by, all := equalities(conds, width)
	if !ok || !all {
		return nil, notEqualities
	}
	with := append(append([]equality(nil), by...), in)
	values := join(logical.LeftJoin, a.Input, marked(grouped(sub, with)), scalar.And(sameKeys(with, width)...))
	values.ID = a.ID
	found := not(missing(values))
	x, sure := in.outer, constant(false)
	if !nullable(a.Input, x) && !nullable(sub, in.inner) {
		return answeredBy(a, values, found), ""
	}
	at := len(values.Out)
	g := nullsOf(sub, by, in.inner)
	groups := join(logical.LeftJoin, values, g, scalar.And(sameKeys(by, at)...))
	hasNulls := columnOf(len(groups.Out)-1, types.Of(types.Bool), "has nulls")
	unknown := or(hasNulls, scalar.And(isNull(x), not(isNull(hasNulls))))
	return answeredBy(a, groups, caseOf(found, constant(true), unknown, null(types.Of(types.Bool)), sure)), ""
}

// scalarJoin is the join for (SELECT x …): with an aggregate over all rows or
// those of the same outer values, or with the one row of a key.
func scalarJoin(a *logical.Apply) (logical.Node, string) {
	sub := a.Sub
	x := columnOf(0, a.Out[len(a.Out)-1].Type, "")
	for {
		p, ok := sub.(*logical.Project)
		if !ok {
			break
		}
		x, sub = scalar.Substitute(x, p.Exprs), p.Input
	}
	if g, ok := sub.(*logical.Aggregate); ok && len(g.Keys) == 0 {
		j, cols, why := aggregateJoin(a, g)
		if why != "" {
			return nil, why
		}
		return answeredBy(a, j, bound(scalar.Substitute(x, cols), a.Args, len(a.Input.Fields()))), ""
	}
	width := len(a.Input.Fields())
	sub, conds, why := pull(sub)
	if why != "" {
		return nil, why
	}
	for i, c := range conds {
		conds[i] = bound(c, a.Args, width)
	}
	var by []*scalar.Expr
	for _, c := range conds {
		if e, ok := equalityOf(c, width); ok {
			by = append(by, e.inner)
		}
	}
	if !unique(sub, by) {
		return nil, logical.SeveralRows
	}
	j := join(logical.LeftJoin, a.Input, marked(sub), scalar.And(conds...))
	j.ID, j.TTL = a.ID, [2]int64{a.TTL, a.TTL}
	answer := bound(x, a.Args, width)
	if x.Op != scalar.OpColumn {
		answer = caseOf(missing(j), null(x.Type), answer)
	}
	return answeredBy(a, j, answer), ""
}

// aggregateJoin joins with an aggregate without keys. Of the join's right side,
// cols are the aggregate's columns: of no rows, counts are 0 and others null.
func aggregateJoin(a *logical.Apply, g *logical.Aggregate) (j *logical.Join, cols []*scalar.Expr, why string) {
	width := len(a.Input.Fields())
	for _, call := range g.Aggregates {
		for _, e := range append(append([]*scalar.Expr(nil), call.Args...), call.Filter) {
			if e != nil && hasOuter(e) {
				return nil, nil, "an aggregate in it reads an outer value"
			}
		}
		for _, k := range call.OrderBy {
			if hasOuter(k.X) {
				return nil, nil, "an aggregate in it is ordered by an outer value"
			}
		}
	}
	sub, conds, why := pull(g.Input)
	if why != "" {
		return nil, nil, why
	}
	c := *g
	if len(conds) == 0 {
		c.Input = sub
		j = join(logical.InnerJoin, a.Input, &c, nil)
		j.ID, j.TTL = a.ID, [2]int64{a.TTL, a.TTL}
		for i, f := range g.Out {
			cols = append(cols, columnOf(i, f.Type, f.Origin))
		}
		return j, cols, ""
	}
	for i, e := range conds {
		conds[i] = bound(e, a.Args, width)
	}
	by, all := equalities(conds, width)
	if !all {
		return nil, nil, "it aggregates rows that depend on outer values by something else than equality"
	}
	k := grouped(sub, by)
	k.Aggregates, k.Out = g.Aggregates, append(k.Out, g.Out...)
	j = join(logical.LeftJoin, a.Input, k, scalar.And(sameKeys(by, width)...))
	j.ID, j.TTL = a.ID, [2]int64{a.TTL, a.TTL}
	return j, ofNone(g, len(by)), ""
}

// ofNone are the columns of an aggregate on the right side of a left join, where
// they begin at column from: of no rows, counts are 0.
func ofNone(g *logical.Aggregate, from int) []*scalar.Expr {
	cols := make([]*scalar.Expr, len(g.Aggregates))
	for i, call := range g.Aggregates {
		f := g.Out[len(g.Keys)+i]
		cols[i] = columnOf(from+i, f.Type, f.Origin)
		if countsNone(call.Func) {
			zero := &scalar.Expr{Op: scalar.OpConst, Type: f.Type, Value: &types.Value{}, Pos: -1, Text: "0"}
			cols[i] = caseOf(isNull(cols[i]), zero, cols[i])
		}
	}
	return cols
}

// countsNone reports whether an aggregate of no rows is 0.
func countsNone(fn string) bool {
	name, _, _ := strings.Cut(fn, "(")
	return name == "count" || name == "regr_count" || name == "approx_count_distinct"
}
