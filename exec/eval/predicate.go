package eval

import (
	"fmt"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Predicate selects the rows for which an expression is true.
type Predicate struct {
	root  selector
	frame frame
}

// selector appends to dst the rows of sel (all when nil) that pass. dst may
// share sel's memory from the same start: it never overtakes.
type selector interface {
	pick(f *frame, sel, dst []uint16) []uint16
}

// CompilePredicate prepares a boolean expression as a filter.
func CompilePredicate(e *scalar.Expr, opts Options) (*Predicate, error) {
	opts.EnsureDefaults()
	shared, rewritten := share([]*scalar.Expr{e})
	memos, err := shared.compile(opts.Context, true)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", name(e), err)
	}
	s, err := compileSelector(rewritten[0], opts.Context)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", name(e), err)
	}
	return &Predicate{root: s, frame: frame{ctx: opts.Context, memos: memos, room: roomBytesMax}}, nil
}

// Derived appends to dst[:0] what the last Select computed on the way, and what
// its batch came with.
func (p *Predicate) Derived(dst []batch.Derived) []batch.Derived {
	dst = derived(p.frame.memos, &p.frame, dst[:0])
	own := len(dst)
carried:
	for _, d := range p.frame.in.Derived {
		for i := range own {
			if dst[i].Expr == d.Expr {
				continue carried
			}
		}
		dst = append(dst, d)
	}
	return dst
}

// Select returns, in the memory of dst, those live rows of in for which the
// expression is true; never nil. If rows failed the error is a RowErrors, and
// they are not among the result.
func (p *Predicate) Select(in *batch.Batch, dst []uint16) ([]uint16, error) {
	f := &p.frame
	f.start(in)
	if cap(dst) < in.N {
		dst = make([]uint16, 0, batch.Room(in.N))
	}
	out := nonNil(p.root.pick(f, in.Sel, dst[:0]))
	if f.full {
		return out[:0], ErrTooLarge
	}
	if len(f.errs) == 0 {
		return out, nil
	}
	kept := out[:0]
	for _, i := range out {
		if !f.failed.Get(int(i)) {
			kept = append(kept, i)
		}
	}
	return kept, f.errs
}

// InParts is Projection.InParts.
func (p *Predicate) InParts(parts bool) { p.frame.inParts(parts) }

func compileSelector(e *scalar.Expr, ctx *Context) (selector, error) {
	switch {
	case e.Op == scalar.OpAnd:
		s := &andSelector{}
		ordered, _ := cheapestFirst(e.Args)
		for _, a := range ordered {
			x, err := compileSelector(a, ctx)
			if err != nil {
				return nil, err
			}
			s.args = append(s.args, x)
		}
		return s, nil
	case e.Op == scalar.OpCall && len(e.Args) == 2:
		if s, err := compileConstSelector(e, ctx); s != nil || err != nil {
			return s, err
		}
	}
	n, err := compile(e, ctx)
	return &boolSelector{arg: n}, err
}

// andSelector narrows the selection step by step.
type andSelector struct{ args []selector }

func (s *andSelector) pick(f *frame, sel, dst []uint16) []uint16 {
	for _, a := range s.args {
		sel = nonNil(a.pick(f, sel, dst[:0]))
		if len(sel) == 0 {
			break
		}
	}
	return sel
}

// boolSelector picks the rows where a boolean expression is true.
type boolSelector struct{ arg node }

func (s *boolSelector) pick(f *frame, sel, dst []uint16) []uint16 {
	c := s.arg.eval(f, sel)
	if !c.HasNulls {
		if sel == nil {
			sel = allRows(f.n)
		}
		return pickTrue(dst, c.Bool, sel)
	}
	if sel == nil {
		for i, ok := range c.Bool[:f.n] {
			if ok && !c.IsNull(i) {
				dst = append(dst, uint16(i))
			}
		}
		return dst
	}
	for _, i := range sel {
		if c.Bool[i] && !c.IsNull(int(i)) {
			dst = append(dst, i)
		}
	}
	return dst
}

// pickTrue appends the rows of sel that are true to dst, which is empty and may
// share sel's memory.
// hot: no branch on the answer.
func pickTrue(dst []uint16, b []bool, sel []uint16) []uint16 {
	if cap(dst) < len(sel) {
		dst = make([]uint16, 0, batch.Room(len(sel)))
	}
	dst = dst[:len(sel)]
	flags, k := bytesOf(b), 0
	for _, i := range sel {
		dst[k] = i
		k += int(flags[i])
	}
	return dst[:k]
}

// intConstSelector compares integers, dates or times with a constant.
type intConstSelector struct {
	arg node
	op  comparison
	k   int64
}

// stringConstSelector tests a string for equality with a constant.
type stringConstSelector struct {
	arg    node
	k      string
	negate bool
}

// compileConstSelector gives nil when e is not a comparison with a constant on
// the right or left that has its own loop.
func compileConstSelector(e *scalar.Expr, ctx *Context) (selector, error) {
	fn := scalar.ByKey(e.Func)
	if fn == nil || !fn.Operator {
		return nil, nil
	}
	op, ok := comparisons[fn.Name]
	a, b := e.Args[0], e.Args[1]
	if !ok || a.Type.IsTime() && a.Type.Kind != b.Type.Kind {
		return nil, nil
	}
	if a.Op == scalar.OpConst && b.Op != scalar.OpConst {
		a, b = b, a
		op.swap = !op.swap
	}
	if b.Op != scalar.OpConst || b.Value == nil || b.Value.Null {
		return nil, nil
	}
	t := a.Type
	plain := (t.IsString() && t.Kind != types.Char && b.Type.Kind != types.Char) && op.equal
	decimal := t.Kind == types.Numeric && b.Type.Kind == types.Numeric
	if t.Phys() != types.PhysInt && !plain && !decimal {
		return nil, nil
	}
	n, err := compile(a, ctx)
	if err != nil {
		return nil, err
	}
	if plain && op.equal && !op.negate {
		if l, err := compileLowered(e, a, []*scalar.Expr{b}, ctx); l != nil || err != nil {
			return &boolSelector{arg: l}, err
		}
	}
	if plain {
		return &stringConstSelector{arg: n, k: b.Value.Bytes, negate: op.negate}, nil
	}
	if decimal {
		return newDecimalConst(n, op, b.Value.Dec), nil
	}
	return &intConstSelector{arg: n, op: op, k: b.Value.Int}, nil
}

func (s *intConstSelector) pick(f *frame, sel, dst []uint16) []uint16 {
	c := s.arg.eval(f, sel)
	if sel != nil {
		dst = s.narrow(c, sel, dst)
	} else {
		dst = s.scan(c, f.n, dst)
	}
	if !c.HasNulls {
		return dst
	}
	kept := dst[:0]
	for _, i := range dst {
		if !c.Nulls.Get(int(i)) {
			kept = append(kept, i)
		}
	}
	return kept
}

// hot: no branch on the answer, so that selectivity does not matter.
func (s *intConstSelector) scan(c *batch.Column, n int, dst []uint16) []uint16 {
	v, k, neg, j := c.Int[:n], s.k, s.op.negate, 0
	dst = dst[:n]
	switch {
	case s.op.equal:
		for i := range v {
			dst[j] = uint16(i)
			if (v[i] == k) != neg {
				j++
			}
		}
	case s.op.swap:
		for i := range v {
			dst[j] = uint16(i)
			if (k < v[i]) != neg {
				j++
			}
		}
	default:
		for i := range v {
			dst[j] = uint16(i)
			if (v[i] < k) != neg {
				j++
			}
		}
	}
	return dst[:j]
}

func (s *intConstSelector) narrow(c *batch.Column, sel, dst []uint16) []uint16 {
	v, k, neg, j := c.Int, s.k, s.op.negate, 0
	dst = dst[:len(sel)]
	switch {
	case s.op.equal:
		for _, i := range sel {
			dst[j] = i
			if (v[i] == k) != neg {
				j++
			}
		}
	case s.op.swap:
		for _, i := range sel {
			dst[j] = i
			if (k < v[i]) != neg {
				j++
			}
		}
	default:
		for _, i := range sel {
			dst[j] = i
			if (v[i] < k) != neg {
				j++
			}
		}
	}
	return dst[:j]
}

func (s *stringConstSelector) pick(f *frame, sel, dst []uint16) []uint16 {
	c := s.arg.eval(f, sel)
	size := uint32(len(s.k))
	test := func(i int) bool {
		return (c.Views[i].Len == size && c.Str(i) == s.k) != s.negate && !c.IsNull(i)
	}
	if sel == nil {
		for i := range f.n {
			if test(i) {
				dst = append(dst, uint16(i))
			}
		}
		return dst
	}
	for _, i := range sel {
		if test(int(i)) {
			dst = append(dst, i)
		}
	}
	return dst
}
