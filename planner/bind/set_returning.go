package bind

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// opFunction stands for set-returning function number Column of a select list
// until the list is built. It never leaves this package.
const opFunction scalar.Op = "bind.function"

// pendingFunction is a set-returning function in a select list.
type pendingFunction struct {
	node *logical.FunctionScan
	args []*scalar.Expr // over the select's input
	// first is the function's first column among those of all functions.
	first   int
	planted bool
}

// setReturning binds a set-returning function in a select list: the row is
// repeated for each of the function's rows. Several run side by side, the shorter
// ones filled up with nulls.
func (l *level) setReturning(name string, x *ast.Call) (*scalar.Expr, error) {
	pos := int(x.Pos)
	if l.noSRF != "" && l.allowSRF {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "set-returning functions are not allowed in %s", l.noSRF).At(pos).
			Hint("You might be able to move the set-returning function into a LATERAL FROM item.")
	}
	if !l.allowSRF || l.inAgg {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "set-returning functions are not allowed in %s", l.clauseName()).At(pos)
	}
	l.allowSRF = false
	args, err := l.callArgs(name, x)
	l.allowSRF = true
	if err != nil {
		return nil, err
	}
	n, err := l.b.functionNode(name, tableFunction(name), args, pos)
	if err != nil {
		return nil, err
	}
	if len(n.Out) == 0 {
		return nil, pgerr.NotSupported(pos, "reading an operator's state here")
	}
	e := &scalar.Expr{Op: opFunction, Column: len(l.srf), Type: types.Of(types.Row), Pos: pos, Text: name + "(" + l.b.texts(args) + ")"}
	if len(n.Out) == 1 {
		e.Type = n.Out[0].Type
	} else {
		for _, f := range n.Out {
			e.Type.Fields = append(e.Type.Fields, types.Field{Name: f.Name, Type: f.Type})
		}
	}
	for i, have := range l.srf {
		if have.node.Func == n.Func && exprsEqual(have.args, n.Args) {
			e.Column = i
			return e, nil
		}
	}
	l.srf = append(l.srf, &pendingFunction{node: n, args: n.Args})
	return e, nil
}

// withoutSRF refuses set-returning functions until what it returns is called, as
// they would be evaluated whether the expression needs them or not.
func (l *level) withoutSRF(expression string) func() {
	before := l.noSRF
	l.noSRF = expression
	return func() { l.noSRF = before }
}

func exprsEqual(a, b []*scalar.Expr) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !exprEqual(a[i], b[i]) {
			return false
		}
	}
	return true
}

// plantFunction repeats the rows of node for the select list's set-returning
// functions, but those that groups were made by, and turns what stood for them into
// their columns.
func (l *level) plantFunction(node logical.Node, exprs []*scalar.Expr) (logical.Node, error) {
	var fns []*pendingFunction
	for _, f := range l.srf {
		if !f.planted {
			fns = append(fns, f)
		}
	}
	return l.plantFunctions(node, fns, exprs)
}

// plantKeys repeats rows for the set-returning functions among the group keys,
// before groups are made of them.
func (s *selection) plantKeys() error {
	var fns []*pendingFunction
	exprs := slices.Clone(s.aggs.keys)
	for _, k := range exprs {
		walk(k, func(x *scalar.Expr) bool {
			if x.Op == opFunction && !slices.Contains(fns, s.srf[x.Column]) {
				fns = append(fns, s.srf[x.Column])
			}
			return true
		})
	}
	for i := range s.items {
		exprs = append(exprs, s.items[i].expr)
	}
	for _, k := range slices.Concat(s.order, s.on) {
		exprs = append(exprs, k.expr)
	}
	node, err := s.plantFunctions(s.node, fns, exprs)
	s.node = node
	return err
}

func (l *level) plantFunctions(node logical.Node, fns []*pendingFunction, exprs []*scalar.Expr) (logical.Node, error) {
	if len(fns) == 0 {
		return node, nil
	}
	var outerArgs []*scalar.Expr
	var sub *logical.FunctionScan
	for _, f := range fns {
		n, err := l.plant(node, f.args...)
		if err != nil {
			return nil, err
		}
		node, f.planted = n, true
		scan := *f.node
		scan.Args = make([]*scalar.Expr, len(f.args))
		for i, a := range f.args {
			scan.Args[i] = &scalar.Expr{Op: scalar.OpOuter, Column: len(outerArgs), Type: a.Type, Text: a.Text, Pos: a.Pos}
			outerArgs = append(outerArgs, a)
		}
		if sub == nil {
			scan.Out = append([]logical.Field(nil), scan.Out...)
			sub = &scan
			continue
		}
		f.first = len(sub.Out)
		sub.Beside, sub.Out = append(sub.Beside, &scan), append(sub.Out, scan.Out...)
	}
	width := len(node.Fields())
	for _, e := range exprs {
		walk(e, func(x *scalar.Expr) bool {
			if x.Op == opFunction && slices.Contains(fns, l.srf[x.Column]) {
				f := l.srf[x.Column]
				*x = *functionValue(x, f.node, width+f.first)
			}
			return true
		})
	}
	out := append(append([]logical.Field(nil), node.Fields()...), sub.Fields()...)
	return &logical.Apply{Kind: logical.CrossApply, Input: node, Sub: sub, Args: outerArgs, Out: out}, nil
}

// numbered adds the row number as the last column.
func numbered(n *logical.FunctionScan) *logical.FunctionScan {
	n.Ordinality = true
	n.Out = append(append([]logical.Field(nil), n.Out...), logical.Field{Name: "ordinality", Type: types.Of(types.Int64), Origin: "ordinality"})
	return n
}

func functionValue(x *scalar.Expr, n *logical.FunctionScan, first int) *scalar.Expr {
	if len(n.Out) == 1 {
		return &scalar.Expr{Op: scalar.OpColumn, Column: first, Type: x.Type, Text: x.Text, Pos: x.Pos}
	}
	row := &scalar.Expr{Op: scalar.OpCall, Func: "row(any...)", Type: x.Type, Text: x.Text, Pos: x.Pos}
	for i, f := range n.Out {
		row.Args = append(row.Args, columnExpr(first+i, f))
	}
	return row
}
