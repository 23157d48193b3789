package optimize

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// expand makes what a lateral subquery reads no relation for, functions in FROM
// above all, a part of its input: each row is repeated for the function's rows,
// which needs no state. It reports false where the subquery is no such one.
func expand(a *logical.Apply) (logical.Node, bool) {
	left := a.Kind == logical.LeftApply
	if a.Kind != logical.CrossApply && !left || left && !isTrue(a.Condition) {
		return nil, false
	}
	n, ok := expanded(a, a.Sub, left)
	if !ok {
		return nil, false
	}
	if !left {
		n = filtered(n, scalar.Conjuncts(a.Condition))
	}
	return shaped(n, a.Out), true
}

// expandAll is expand for a query over finished data, where it saves running the
// subquery for each row.
func expandAll(n logical.Node) logical.Node {
	return transform(n, func(n logical.Node) logical.Node {
		if a, ok := n.(*logical.Apply); ok {
			if e, ok := expand(a); ok {
				return e
			}
		}
		return n
	})
}

// expandJoin is expand for a join with such a subquery that depends on nothing.
func expandJoin(j *logical.Join) (logical.Node, bool) {
	kinds := map[logical.JoinKind]logical.ApplyKind{logical.InnerJoin: logical.CrossApply, logical.LeftJoin: logical.LeftApply}
	if j.Kind == logical.InnerJoin && isUnit(j.Left) {
		return filtered(j.Right, scalar.Conjuncts(j.Condition)), true
	}
	kind, ok := kinds[j.Kind]
	if !ok || depends(j.Right) {
		return nil, false
	}
	if _, one := j.Left.(*logical.FunctionScan); one { // neither side has rows of its own
		return nil, false
	}
	return expand(&logical.Apply{Kind: kind, Input: j.Left, Sub: j.Right, Condition: j.Condition, Out: j.Out})
}

// overUnit leaves out the one row without columns that a subquery was joined to.
func overUnit(p *logical.Project) logical.Node {
	if j, ok := p.Input.(*logical.Join); ok && j.Kind == logical.InnerJoin && isUnit(j.Left) {
		c := *p
		c.Input = filtered(j.Right, scalar.Conjuncts(j.Condition))
		return &c
	}
	return p
}

// isUnit reports whether n is one row without columns: what a SELECT without FROM
// reads.
func isUnit(n logical.Node) bool {
	v, ok := n.(*logical.Values)
	return ok && len(v.Rows) == 1 && len(v.Rows[0]) == 0
}

func isTrue(x *scalar.Expr) bool {
	return x == nil || x.Op == scalar.OpConst && x.Value != nil && !x.Value.Null && x.Value.Bool
}

// expanded is a's input with sub's columns after its own.
func expanded(a *logical.Apply, sub logical.Node, left bool) (logical.Node, bool) {
	width := len(a.Input.Fields())
	switch sub := sub.(type) {
	case *logical.FunctionScan:
		if sub.Outside() {
			return nil, false
		}
		e := &logical.Expand{Input: a.Input, Left: left}
		e.Function = sub.MapArgs(func(x *scalar.Expr) *scalar.Expr { return bound(x, a.Args, width) })
		e.Out = append(append(e.Out, a.Input.Fields()...), sub.Out...)
		return e, true
	case *logical.Values:
		return a.Input, isUnit(sub)
	case *logical.Filter:
		in, ok := expanded(a, sub.Input, left)
		if !ok || left {
			return nil, false
		}
		return filtered(in, []*scalar.Expr{bound(sub.Predicate, a.Args, width)}), true
	case *logical.Project:
		in, ok := expanded(a, sub.Input, left)
		if _, still := sub.Input.(*logical.Values); !ok || left && !still && !plainColumns(sub) {
			return nil, false // what it computes is null for a row without any
		}
		p := &logical.Project{Input: in}
		for i, f := range a.Input.Fields() {
			p.Exprs, p.Out = append(p.Exprs, columnOf(i, f.Type, f.Name)), append(p.Out, f)
		}
		for i, x := range sub.Exprs {
			p.Exprs, p.Out = append(p.Exprs, bound(x, a.Args, width)), append(p.Out, sub.Out[i])
		}
		return p, true
	}
	return nil, false
}

func plainColumns(p *logical.Project) bool {
	for _, x := range p.Exprs {
		if x.Op != scalar.OpColumn {
			return false
		}
	}
	return true
}
