package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// lateralJoin is a join with a subquery that depends on the left side.
func lateralJoin(a *logical.Apply) (logical.Node, string) {
	if depends(a.Sub) {
		p := peel(a.Sub)
		if g, ok := p.core.(*logical.Aggregate); ok && len(g.Keys) == 0 {
			return lateralAggregate(a, g, p)
		}
		if slices.ContainsFunc(p.exprs, hasOuter) {
			return lateralComputed(a, p)
		}
	}
	sub, conds, why := subquery(a)
	if why != "" {
		return nil, why
	}
	j := join(joinKindOf(a), a.Input, sub, scalar.And(append(conds, a.Condition)...))
	j.ID, j.TTL = a.ID, [2]int64{a.TTL, a.TTL}
	return shaped(j, a.Out), ""
}

func joinKindOf(a *logical.Apply) logical.JoinKind {
	if a.Kind == logical.LeftApply {
		return logical.LeftJoin
	}
	return logical.InnerJoin
}

// peeled is a subquery without the projections and filters on top of it: both are
// over the columns of core.
type peeled struct {
	core  logical.Node
	exprs []*scalar.Expr // the subquery's columns
	conds []*scalar.Expr
}

func peel(n logical.Node) peeled {
	p := peeled{core: n}
	for i, f := range n.Fields() {
		p.exprs = append(p.exprs, columnOf(i, f.Type, f.Name))
	}
	for {
		switch n := p.core.(type) {
		case *logical.Project:
			if slices.ContainsFunc(n.Exprs, func(x *scalar.Expr) bool { return !isMovable(x) }) {
				return p
			}
			p.exprs, p.conds = substituted(p.exprs, n.Exprs), substituted(p.conds, n.Exprs)
			p.core = n.Input
		case *logical.Filter:
			if !isMovable(n.Predicate) {
				return p
			}
			p.conds, p.core = append(p.conds, scalar.Conjuncts(n.Predicate)...), n.Input
		default:
			return p
		}
	}
}

func substituted(list, columns []*scalar.Expr) []*scalar.Expr {
	var out []*scalar.Expr
	for _, x := range list {
		out = append(out, scalar.Substitute(x, columns))
	}
	return out
}

// lateralAggregate joins with an aggregate without keys, which has one row, of
// which HAVING and the join's condition may keep nothing.
func lateralAggregate(a *logical.Apply, g *logical.Aggregate, p peeled) (logical.Node, string) {
	j, cols, why := aggregateJoin(a, g)
	if why != "" {
		return nil, why
	}
	return overAggregate(a, j, cols, p), ""
}

// overAggregate is a's input, the left side of j, with what is computed over an
// aggregate without keys, whose columns are cols over j's right side.
func overAggregate(a *logical.Apply, j *logical.Join, cols []*scalar.Expr, p peeled) logical.Node {
	width := len(a.Input.Fields())
	over := func(list []*scalar.Expr) []*scalar.Expr {
		out := substituted(list, cols)
		for i, x := range out {
			out[i] = bound(x, a.Args, width)
		}
		return out
	}
	outs, keep := over(p.exprs), over(p.conds)
	keep = append(keep, onOutputs(a, outs)...)
	if a.Kind == logical.CrossApply {
		return paired(a, filtered(j, keep), outs)
	}
	if found := scalar.And(keep...); found != nil {
		for i, x := range outs {
			outs[i] = caseOf(found, x, null(x.Type))
		}
	}
	return paired(a, j, outs)
}

// lateralComputed joins with what a subquery computes its columns from, since some
// of them depend on outer values.
func lateralComputed(a *logical.Apply, p peeled) (logical.Node, string) {
	sub, conds, why := pull(filtered(p.core, p.conds))
	if why != "" {
		return nil, why
	}
	width := len(a.Input.Fields())
	for i, x := range conds {
		conds[i] = bound(x, a.Args, width)
	}
	outs := make([]*scalar.Expr, len(p.exprs))
	for i, x := range p.exprs {
		outs[i] = bound(x, a.Args, width)
	}
	conds = append(conds, onOutputs(a, outs)...)
	if a.Kind == logical.LeftApply {
		sub = marked(sub)
	}
	j := join(joinKindOf(a), a.Input, sub, scalar.And(conds...))
	j.ID, j.TTL = a.ID, [2]int64{a.TTL, a.TTL}
	if a.Kind == logical.LeftApply {
		for i, x := range outs {
			if p.exprs[i].Op != scalar.OpColumn {
				outs[i] = caseOf(missing(j), null(x.Type), x)
			}
		}
	}
	return paired(a, j, outs), ""
}

// onOutputs is the condition of a LATERAL join with what the subquery's columns
// are computed from.
func onOutputs(a *logical.Apply, outs []*scalar.Expr) []*scalar.Expr {
	if isTrue(a.Condition) {
		return nil
	}
	var cols []*scalar.Expr
	for i, f := range a.Input.Fields() {
		cols = append(cols, columnOf(i, f.Type, f.Name))
	}
	return scalar.Conjuncts(scalar.Substitute(a.Condition, append(cols, outs...)))
}

// paired is a's input, the left side of n, with columns computed over n.
func paired(a *logical.Apply, n logical.Node, outs []*scalar.Expr) logical.Node {
	p := &logical.Project{Input: n, Out: a.Out}
	for i, f := range a.Input.Fields() {
		p.Exprs = append(p.Exprs, columnOf(i, f.Type, f.Name))
	}
	p.Exprs = append(p.Exprs, outs...)
	return p
}
