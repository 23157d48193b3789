package optimize

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// A join computes what a subquery reads of outer values for all rows, also for those
// that never ask for the subquery's answer: where that may fail, it must not.

// guardApplies puts the conditions under which subqueries are asked for into them, around
// what may fail there because of an outer value. Afterwards no Apply has any.
func guardApplies(n logical.Node) logical.Node {
	if a, ok := n.(*logical.Apply); ok && a.When != nil {
		n = guardApply(a)
	}
	var inputs []logical.Node
	for _, in := range n.Inputs() {
		inputs = append(inputs, guardApplies(in))
	}
	return withInputs(n, inputs)
}

func guardApply(a *logical.Apply) *logical.Apply {
	c := *a
	c.When = nil
	width := len(a.Input.Fields())
	beside := &guard{when: a.When, outside: func(x *scalar.Expr) bool { return x.Op == scalar.OpColumn && x.Column < width }}
	c.Compare, c.Args = beside.expr(a.Compare), nil
	for _, x := range a.Args {
		c.Args = append(c.Args, beside.expr(x))
	}
	guardSub(&c, a.When, func(*scalar.Expr) bool { return true })
	return &c
}

// guard is a condition around expressions that may fail because of what they read from
// outside of the subquery that they are in.
type guard struct {
	when    *scalar.Expr
	outside func(column *scalar.Expr) bool
	found   bool // something that may fail
}

// guardSub guards a's subquery by a condition over the input, which becomes an argument
// if there is something to guard: what reads those of the arguments that are from outside.
func guardSub(a *logical.Apply, when *scalar.Expr, outside func(arg *scalar.Expr) bool) (guarded bool) {
	at := len(a.Args)
	g := &guard{when: &scalar.Expr{Op: scalar.OpOuter, Column: at, Type: when.Type, Pos: -1, Text: when.Text}}
	args := a.Args
	g.outside = func(x *scalar.Expr) bool { return x.Op == scalar.OpOuter && outside(args[x.Column]) }
	if sub := g.node(a.Sub); g.found {
		a.Sub, a.Args = sub, append(slices.Clip(args), when)
	}
	return g.found
}

// node is n, with what is below it, guarded.
func (g *guard) node(n logical.Node) logical.Node {
	m := mapExprs(n, g.expr)
	var inputs []logical.Node
	_, isApply := n.(*logical.Apply)
	for i, in := range n.Inputs() {
		if !isApply || i == 0 {
			in = g.node(in)
		}
		inputs = append(inputs, in)
	}
	m = withInputs(m, inputs)
	if isApply {
		g.found = guardSub(m.(*logical.Apply), g.when, g.reads) || g.found // of the copy
	}
	return m
}

// reads reports whether x reads something from outside.
func (g *guard) reads(x *scalar.Expr) bool {
	found := false
	scalar.Walk(x, func(e *scalar.Expr) { found = found || g.outside(e) })
	return found
}

// expr is x with null in the place of what is not to be computed.
func (g *guard) expr(x *scalar.Expr) *scalar.Expr {
	if x == nil || !g.reads(x) {
		return x
	}
	if scalar.MayFail(x) {
		g.found = true
		return caseOf(g.when, x, null(x.Type))
	}
	c := *x
	c.Args = nil
	for _, a := range x.Args {
		c.Args = append(c.Args, g.expr(a))
	}
	return &c
}
