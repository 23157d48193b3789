package eval

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// nullIfNode is its first argument where that does not equal the second, which may
// be of another type.
type nullIfNode struct {
	first *onceNode
	equal node
	out   batch.Column
	keep  []uint16
}

// onceNode is an argument that two nodes read: it gives the second what it gave
// the first.
type onceNode struct {
	arg node
	col *batch.Column
}

func (o *onceNode) eval(*frame, []uint16) *batch.Column { return o.col }

func compileNullIf(e *scalar.Expr, args []node, ctx *Context) (node, error) {
	first := &onceNode{arg: args[0]}
	eq := &scalar.Expr{Op: scalar.OpCall, Type: types.Of(types.Bool), Args: e.Args, Pos: e.Pos, Text: e.Text}
	equal, err := compileComparison(eq, "=", []node{first, args[1]}, ctx)
	return &nullIfNode{first: first, equal: equal, out: batch.Column{Phys: e.Type.Phys()}}, err
}

func (x *nullIfNode) eval(f *frame, sel []uint16) *batch.Column {
	c := x.first.arg.eval(f, sel)
	x.first.col = c
	equal := x.equal.eval(f, sel)
	x.out.Reset()
	x.out.Resize(f.n)
	x.keep = x.keep[:0]
	each(f.n, sel, func(i int) {
		if equal.Bool[i] && !equal.IsNull(i) {
			x.out.SetNull(i, f.n)
			x.out.SetZero(i)
			return
		}
		x.keep = append(x.keep, uint16(i))
	})
	scatter(&x.out, c, x.keep, f.n)
	return &x.out
}
