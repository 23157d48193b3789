package graph

import (
	"slices"

	"github.com/millrace/millrace/planner/scalar"
)

// MapExprs is g with f applied to all expressions in which values may stand that are not
// known when a bounded graph is made: outer values and parameters. Inner expressions come
// first; what belongs to nested Applies' own subqueries stays.
func (g *Graph) MapExprs(f func(*scalar.Expr) *scalar.Expr) *Graph {
	c := *g
	c.Operators = slices.Clone(g.Operators)
	for i := range c.Operators {
		c.Operators[i].mapExprs(f)
	}
	return &c
}

func (op *Operator) mapExprs(f func(*scalar.Expr) *scalar.Expr) {
	one := func(x *scalar.Expr) *scalar.Expr { return scalar.Map(x, f) }
	all := func(xs []*scalar.Expr) []*scalar.Expr {
		var out []*scalar.Expr
		for _, x := range xs {
			out = append(out, one(x))
		}
		return out
	}
	switch {
	case op.Source != nil:
		s := *op.Source
		s.Exprs = all(s.Exprs)
		op.Source = &s
	case op.Values != nil:
		v := Values{}
		for _, row := range op.Values.Rows {
			v.Rows = append(v.Rows, all(row))
		}
		op.Values = &v
	case op.Filter != nil:
		op.Filter = &Filter{Predicate: one(op.Filter.Predicate)}
	case op.Project != nil:
		op.Project = &Project{Exprs: all(op.Project.Exprs), Time: one(op.Project.Time)}
	case op.Sort != nil:
		s := *op.Sort
		s.LimitBy, s.SkipBy = one(s.LimitBy), one(s.SkipBy)
		op.Sort = &s
	case op.Join != nil:
		j := *op.Join
		j.LeftKeys, j.RightKeys, j.Residual = all(j.LeftKeys), all(j.RightKeys), one(j.Residual)
		op.Join = &j
	case op.Apply != nil:
		a := *op.Apply
		a.Args, a.Compare, a.Condition, a.When = all(a.Args), one(a.Compare), one(a.Condition), one(a.When)
		op.Apply = &a
	case op.FunctionScan != nil:
		op.FunctionScan = op.FunctionScan.mapArgs(all)
	case op.Expand != nil:
		e := *op.Expand
		e.Function = *e.Function.mapArgs(all)
		op.Expand = &e
	case op.Recursive != nil:
		r := *op.Recursive
		r.Initial, r.Step = r.Initial.MapExprs(f), r.Step.MapExprs(f)
		op.Recursive = &r
	}
}

func (f *FunctionScan) mapArgs(all func([]*scalar.Expr) []*scalar.Expr) *FunctionScan {
	c := *f
	c.Args, c.Beside = all(f.Args), nil
	for i := range f.Beside {
		c.Beside = append(c.Beside, *f.Beside[i].mapArgs(all))
	}
	return &c
}
