package eval

import (
	"slices"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// valueSet is constants that values are looked for among: hashed if they are integers
// or plain strings, in their order if what is equal may differ.
type valueSet struct {
	typ     types.Type
	size    int
	hasNull bool
	few     []int64 // instead of ints when there are few
	ints    map[int64]struct{}
	strs    map[string]struct{}
	ordered []types.Value
}

func newValueSet(t types.Type, list []types.Value) *valueSet {
	s := &valueSet{typ: t, size: len(list)}
	var values []types.Value
	for _, v := range list {
		if v.Null {
			s.hasNull = true
			continue
		}
		values = append(values, v)
	}
	switch {
	case t.Phys() == types.PhysInt && len(values) <= 8:
		s.few = []int64{}
		for _, v := range values {
			s.few = append(s.few, v.Int)
		}
	case t.Phys() == types.PhysInt:
		s.ints = make(map[int64]struct{}, len(values))
		for _, v := range values {
			s.ints[v.Int] = struct{}{}
		}
	case t.IsString() && t.Kind != types.Char, t.Kind == types.Bytea:
		s.strs = make(map[string]struct{}, len(values))
		for _, v := range values {
			s.strs[v.Bytes] = struct{}{}
		}
	default:
		s.ordered = values
		slices.SortFunc(s.ordered, s.compare)
	}
	return s
}

func (s *valueSet) compare(a, b types.Value) int { return types.Compare(s.typ, &a, &b) }

// has reports whether the value of row i, not null, is one of the constants.
func (s *valueSet) has(c *batch.Column, i int) (hit bool) {
	switch {
	case s.few != nil:
		for _, k := range s.few {
			hit = hit || k == c.Int[i]
		}
	case s.ints != nil:
		_, hit = s.ints[c.Int[i]]
	case s.strs != nil:
		_, hit = s.strs[c.Str(i)]
	default:
		_, hit = slices.BinarySearchFunc(s.ordered, c.Peek(i), s.compare)
	}
	return hit
}

// find is value IN (constants) for the rows of sel, in out.
func (s *valueSet) find(c, out *batch.Column, sel []uint16, n int) {
	each(n, sel, func(i int) {
		null := c.IsNull(i)
		hit := !null && s.has(c, i)
		out.Bool[i] = hit
		if null && s.size > 0 || !hit && s.hasNull {
			out.SetNull(i, n)
		}
	})
}

// inNode is x IN (constants).
type inNode struct {
	arg node
	set *valueSet
	out batch.Column
}

func compileIn(e *scalar.Expr, ctx *Context) (node, error) {
	if n, err := compileLowered(e, e.Args[0], e.Args[1:], ctx); n != nil || err != nil {
		return n, err
	}
	a, err := compile(e.Args[0], ctx)
	if err != nil {
		return nil, err
	}
	var list []types.Value
	for _, v := range e.Args[1:] {
		if v.Value == nil {
			list = append(list, types.NullValue)
			continue
		}
		list = append(list, *v.Value)
	}
	return &inNode{arg: a, set: newValueSet(e.Args[0].Type, list), out: batch.Column{Phys: types.PhysBool}}, nil
}

func (x *inNode) eval(f *frame, sel []uint16) *batch.Column {
	c := x.arg.eval(f, sel)
	x.out.Reset()
	x.out.Resize(f.n)
	x.set.find(c, &x.out, sel, f.n)
	return &x.out
}

// inListNode is x = ANY (list), or NOT of it: x <> ALL (list), of a list that reads no
// column. The list is computed once for a batch, and once for all if it stays the same.
type inListNode struct {
	expr  *scalar.Expr
	arg   node
	list  *Program
	stays bool
	not   bool

	known bool
	bytes string    // the list
	set   *valueSet // nil of a null list
	out   batch.Column
}

// compileInList gives nil when the list is of the row.
func compileInList(e *scalar.Expr, args []node, not bool, ctx *Context) node {
	list := e.Args[1]
	volatility := scalar.VolatilityOf(list)
	if volatility == scalar.Volatile || len(scalar.Columns(list)) > 0 || list.Type.Kind != types.Array {
		return nil
	}
	p := &Program{root: args[1], typ: list.Type, frame: frame{ctx: ctx, room: roomBytesMax}}
	return &inListNode{expr: e, arg: args[0], list: p, stays: volatility == scalar.Immutable, not: not, out: batch.Column{Phys: types.PhysBool}}
}

func (x *inListNode) eval(f *frame, sel []uint16) *batch.Column {
	c := x.arg.eval(f, sel)
	x.out.Reset()
	x.out.Resize(f.n)
	if err := x.compute(f.ctx); err != nil {
		each(f.n, sel, func(i int) { f.fail(x.expr, i, err) })
		return &x.out
	}
	if x.set == nil {
		each(f.n, sel, func(i int) { x.out.SetNull(i, f.n) })
		return &x.out
	}
	x.set.find(c, &x.out, sel, f.n)
	if x.not {
		each(f.n, sel, func(i int) { x.out.Bool[i] = !x.out.Bool[i] && !x.out.IsNull(i) })
	}
	return &x.out
}

// compute finds out what the list is.
func (x *inListNode) compute(ctx *Context) error {
	if x.known && x.stays {
		return nil
	}
	c, err := x.list.Eval(&batch.Batch{N: 1})
	if err != nil {
		return err
	}
	if c.IsNull(0) {
		x.known, x.set = true, nil
		return nil
	}
	if x.known && x.set != nil && c.Str(0) == x.bytes {
		return nil
	}
	list := c.Value(0).Bytes
	if len(list) >= heldMin {
		give, err := ctx.Hold(types.ListBytes(list))
		if err != nil {
			return err
		}
		defer give()
	}
	elem := *x.list.typ.Elem
	a, err := types.DecodeArray(elem, list)
	if err != nil {
		return err
	}
	x.known, x.bytes, x.set = true, list, newValueSet(elem, a.Elems)
	return nil
}
