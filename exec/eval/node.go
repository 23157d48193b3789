package eval

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// compile turns an expression into its node.
func compile(e *scalar.Expr, ctx *Context) (node, error) {
	switch e.Op {
	case scalar.OpColumn:
		if e.Column >= sharedColumns {
			return sharedNode{e.Column - sharedColumns}, nil
		}
		return columnNode{e.Column}, nil
	case scalar.OpConst:
		v := types.NullValue
		if e.Value != nil {
			v = *e.Value
		}
		return newConst(e.Type, v), nil
	case scalar.OpCall:
		return compileCall(e, ctx)
	case scalar.OpCast:
		return compileCast(e, ctx)
	case scalar.OpAnd, scalar.OpOr:
		ordered, flat := cheapestFirst(e.Args)
		args, err := compileArgs(ordered, ctx)
		return &logicNode{args: args, or: e.Op == scalar.OpOr, flat: flat && len(args) > 1, out: batch.Column{Phys: types.PhysBool}}, err
	case scalar.OpNot, scalar.OpIsNull:
		a, err := compile(e.Args[0], ctx)
		out := batch.Column{Phys: types.PhysBool}
		if e.Op == scalar.OpNot {
			return &notNode{arg: a, out: out}, err
		}
		return &isNullNode{arg: a, out: out}, err
	case scalar.OpCase:
		return compileCase(e, ctx)
	case scalar.OpIn:
		return compileIn(e, ctx)
	case scalar.OpParam:
		return nil, pgerr.New(pgerr.UndefinedParameter, "there is no parameter $%d", e.Column+1).At(e.Pos)
	}
	return nil, pgerr.New(pgerr.InternalError, "unknown expression node %q", e.Op)
}

func compileArgs(args []*scalar.Expr, ctx *Context) ([]node, error) {
	nodes := make([]node, len(args))
	for i, a := range args {
		n, err := compile(a, ctx)
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return nodes, nil
}

// columnNode is a column of the input, passed on without a copy.
type columnNode struct{ i int }

func (c columnNode) eval(f *frame, _ []uint16) *batch.Column { return f.in.Cols[c.i] }

// constNode is a constant in as many rows as have been asked for so far.
type constNode struct {
	v   types.Value
	col batch.Column
}

func newConst(t types.Type, v types.Value) *constNode {
	return &constNode{v: v, col: batch.Column{Phys: t.Phys()}}
}

func (c *constNode) eval(f *frame, _ []uint16) *batch.Column {
	have := c.col.Len()
	if f.n <= have {
		return &c.col
	}
	c.col.Resize(f.n)
	if c.v.Null {
		for i := have; i < f.n; i++ {
			c.col.SetNull(i, f.n)
			c.col.SetZero(i)
		}
		return &c.col
	}
	var view batch.View
	if c.col.Phys == types.PhysBytes {
		if have > 0 {
			view = c.col.Views[0]
		} else {
			view = c.col.AddStr(c.v.Bytes)
		}
	}
	for i := have; i < f.n; i++ {
		if c.col.Phys == types.PhysBytes {
			c.col.Views[i] = view
		} else {
			c.col.SetValue(i, c.v)
		}
	}
	return &c.col
}

// kernel fills c.out from c.cols for the rows of sel. Strict calls have no null
// among them.
type kernel func(f *frame, c *call, sel []uint16)

// call applies a kernel to its arguments.
type call struct {
	expr   *scalar.Expr
	args   []node
	cols   []*batch.Column
	out    batch.Column
	kernel kernel
	strict bool
	sel    []uint16
}

func newCall(e *scalar.Expr, args []node, k kernel, strict bool) *call {
	return &call{expr: e, args: args, cols: make([]*batch.Column, len(args)), out: batch.Column{Phys: e.Type.Phys()}, kernel: k, strict: strict}
}

func (c *call) eval(f *frame, sel []uint16) *batch.Column {
	for i, a := range c.args {
		c.cols[i] = a.eval(f, sel)
	}
	c.out.Reset()
	c.out.Resize(f.n)
	if c.strict {
		sel = c.dropNulls(f, sel)
	}
	c.kernel(f, c, sel)
	return &c.out
}

// dropNulls marks the rows in which an argument is null and leaves them out.
func (c *call) dropNulls(f *frame, sel []uint16) []uint16 {
	words := (f.n + 63) / 64
	for _, a := range c.cols {
		if !a.HasNulls {
			continue
		}
		if !c.out.HasNulls {
			c.out.HasNulls = true
			c.out.Nulls = c.out.Nulls[:0].Grow(f.n)
		}
		for w := range min(words, len(a.Nulls)) {
			c.out.Nulls[w] |= a.Nulls[w]
		}
	}
	if !c.out.HasNulls {
		return sel
	}
	c.sel = c.sel[:0]
	nulls := c.out.Nulls
	if sel == nil {
		for i := range f.n {
			if nulls.Get(i) {
				c.out.SetZero(i)
			} else {
				c.sel = append(c.sel, uint16(i))
			}
		}
	} else {
		for _, i := range sel {
			if nulls.Get(int(i)) {
				c.out.SetZero(int(i))
			} else {
				c.sel = append(c.sel, i)
			}
		}
	}
	return nonNil(c.sel)
}

// nonNil keeps an empty selection from meaning all rows.
func nonNil(sel []uint16) []uint16 {
	if sel == nil {
		return []uint16{}
	}
	return sel
}

// null makes row i of the result null.
func (c *call) null(f *frame, i int) {
	c.out.SetNull(i, f.n)
	c.out.SetZero(i)
}

// fail records an error for row i and makes the result null.
func (c *call) fail(f *frame, i int, err error) {
	f.fail(c.expr, i, err)
	c.null(f, i)
}

// each calls fn for every row of sel. For cold kernels.
func each(n int, sel []uint16, fn func(i int)) {
	if sel == nil {
		for i := range n {
			fn(i)
		}
		return
	}
	for _, i := range sel {
		fn(int(i))
	}
}

// cast wraps a node so that its value becomes another type, for kernels that
// want equal types.
func castNode(n node, from, to types.Type, ctx *Context) (node, error) {
	if from.Kind == to.Kind {
		return n, nil
	}
	e := &scalar.Expr{Op: scalar.OpCast, Type: to, Pos: -1, Args: []*scalar.Expr{{Op: scalar.OpColumn, Type: from}}}
	return castOf(e, n, ctx)
}

// scatter copies the rows of sel from src to the same places in dst, strings
// into dst's arena.
func scatter(dst, src *batch.Column, sel []uint16, n int) {
	switch dst.Phys {
	case types.PhysBool:
		scatterTyped(dst.Bool, src.Bool, sel)
	case types.PhysInt:
		scatterTyped(dst.Int, src.Int, sel)
	case types.PhysFloat:
		scatterTyped(dst.Float, src.Float, sel)
	case types.PhysDecimal:
		scatterTyped(dst.Dec, src.Dec, sel)
	case types.PhysInterval:
		scatterTyped(dst.Interval, src.Interval, sel)
	case types.PhysUUID:
		scatterTyped(dst.UUID, src.UUID, sel)
	case types.PhysBytes:
		last, place := batch.View{}, batch.View{}
		for _, i := range sel {
			v := src.Views[i]
			if v != last { // constants are copied once
				place = batch.View{Off: uint32(len(dst.Arena)), Len: v.Len}
				dst.Arena = append(dst.Arena, src.Arena[v.Off:v.Off+v.Len]...)
				last = v
			}
			dst.Views[i] = place
		}
	}
	if src.HasNulls {
		for _, i := range sel {
			if src.Nulls.Get(int(i)) {
				dst.SetNull(int(i), n)
				dst.SetZero(int(i))
			}
		}
	}
}

func scatterTyped[T any](dst, src []T, sel []uint16) {
	for _, i := range sel {
		dst[i] = src[i]
	}
}
