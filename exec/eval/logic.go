package eval

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
)

// appendAll is sel, or the first n rows when sel is nil, in dst.
func appendAll(dst []uint16, sel []uint16, n int) []uint16 {
	dst = dst[:0]
	if sel != nil {
		return append(dst, sel...)
	}
	for i := range n {
		dst = append(dst, uint16(i))
	}
	return nonNil(dst)
}

// logicNode is AND or OR in three-valued logic. An argument is evaluated only
// for the rows that the ones before it have not decided.
type logicNode struct {
	args []node
	or   bool
	flat bool // all arguments are cheap, and cannot fail
	cols []*batch.Column
	out  batch.Column
	sel  []uint16
}

func (l *logicNode) eval(f *frame, sel []uint16) *batch.Column {
	l.out.Reset()
	l.out.Resize(f.n)
	if l.flat && l.evalFlat(f, sel) {
		return &l.out
	}
	l.sel = appendAll(l.sel, sel, f.n)
	for _, i := range l.sel {
		l.out.Bool[i] = !l.or
	}
	rest := l.sel
	for _, a := range l.args {
		if len(rest) == 0 {
			break
		}
		c := a.eval(f, rest)
		keep := rest[:0] // a node never keeps the selection it was given
		if !c.HasNulls && !l.out.HasNulls {
			rest = l.decide(c.Bool, rest)
			continue
		}
		for _, i := range rest {
			switch {
			case c.IsNull(int(i)):
				l.out.SetNull(int(i), f.n)
				keep = append(keep, i)
			case c.Bool[i] == l.or: // decided
				l.out.Bool[i] = l.or
				if l.out.HasNulls {
					l.out.Nulls.Clear(int(i))
				}
			default:
				keep = append(keep, i)
			}
		}
		rest = keep
	}
	if l.out.HasNulls {
		for _, i := range rest {
			if l.out.Nulls.Get(int(i)) {
				l.out.Bool[i] = false
			}
		}
	}
	return &l.out
}

// decide takes the answers of an argument where there are no nulls, and returns
// the rows that they leave open.
// hot: no branch on the answer.
func (l *logicNode) decide(answers []bool, rest []uint16) []uint16 {
	in, out, k := bytesOf(answers), bytesOf(l.out.Bool), 0
	open := uint8(1)
	if l.or {
		open = 0
	}
	for _, i := range rest {
		v := in[i]
		out[i] = v
		rest[k] = i
		k += int(v ^ open ^ 1)
	}
	return rest[:k]
}

// evalFlat evaluates all arguments for all rows. It reports false if there are
// nulls among the answers.
func (l *logicNode) evalFlat(f *frame, sel []uint16) bool {
	l.cols = l.cols[:0]
	for _, a := range l.args {
		c := a.eval(f, sel)
		if c.HasNulls {
			return false
		}
		l.cols = append(l.cols, c)
	}
	flatLogic(l.or, l.cols, l.out.Bool, sel, f.n)
	return true
}

type notNode struct {
	arg node
	out batch.Column
}

func (x *notNode) eval(f *frame, sel []uint16) *batch.Column {
	c := x.arg.eval(f, sel)
	x.out.Reset()
	x.out.Resize(f.n)
	src, dst := c.Bool, x.out.Bool
	if c.HasNulls {
		x.out.HasNulls = true
		x.out.Nulls = append(x.out.Nulls[:0], c.Nulls...).Grow(f.n)
	}
	if sel == nil {
		for i := range f.n {
			dst[i] = !src[i] && !x.out.IsNull(i)
		}
		return &x.out
	}
	for _, i := range sel {
		dst[i] = !src[i] && !x.out.IsNull(int(i))
	}
	return &x.out
}

type isNullNode struct {
	arg node
	out batch.Column
}

func (x *isNullNode) eval(f *frame, sel []uint16) *batch.Column {
	c := x.arg.eval(f, sel)
	x.out.Reset()
	x.out.Resize(f.n)
	if !c.HasNulls {
		clear(x.out.Bool)
		return &x.out
	}
	each(f.n, sel, func(i int) { x.out.Bool[i] = c.Nulls.Get(i) })
	return &x.out
}

// caseNode evaluates conditions for the rows that no earlier one took, and each
// branch for the rows that chose it.
type caseNode struct {
	conds, thens []node
	otherwise    node
	out          batch.Column
	rest, hit    []uint16
}

func compileCase(e *scalar.Expr, ctx *Context) (node, error) {
	args, err := compileArgs(e.Args, ctx)
	if err != nil {
		return nil, err
	}
	c := &caseNode{out: batch.Column{Phys: e.Type.Phys()}}
	for i := 0; i+1 < len(args); i += 2 {
		c.conds, c.thens = append(c.conds, args[i]), append(c.thens, args[i+1])
	}
	c.otherwise = args[len(args)-1]
	return c, nil
}

func (c *caseNode) eval(f *frame, sel []uint16) *batch.Column {
	c.out.Reset()
	c.out.Resize(f.n)
	c.rest = appendAll(c.rest, sel, f.n)
	rest := c.rest
	for k, cond := range c.conds {
		if len(rest) == 0 {
			break
		}
		b := cond.eval(f, rest)
		rest = c.split(b, rest)
		if len(c.hit) > 0 {
			scatter(&c.out, c.thens[k].eval(f, c.hit), c.hit, f.n)
		}
	}
	if len(rest) > 0 {
		scatter(&c.out, c.otherwise.eval(f, rest), rest, f.n)
	}
	return &c.out
}

// split puts the rows for which a condition is true into hit and returns the
// others.
// hot: without nulls there is no branch on the answer.
func (c *caseNode) split(b *batch.Column, rest []uint16) []uint16 {
	keep := rest[:0]
	if b.HasNulls {
		c.hit = c.hit[:0]
		for _, i := range rest {
			if b.Bool[i] && !b.IsNull(int(i)) {
				c.hit = append(c.hit, i)
			} else {
				keep = append(keep, i)
			}
		}
		return keep
	}
	if cap(c.hit) < len(rest) {
		c.hit = make([]uint16, 0, batch.Room(len(rest)))
	}
	flags, hit, h, k := bytesOf(b.Bool), c.hit[:len(rest)], 0, 0
	for _, i := range rest {
		v := int(flags[i])
		hit[h] = i
		h += v
		rest[k] = i
		k += 1 - v
	}
	c.hit = hit[:h]
	return rest[:k]
}

// coalesceNode evaluates each argument for the rows that were null so far.
type coalesceNode struct {
	args []node
	out  batch.Column
	rest []uint16
	hit  []uint16
}

func (c *coalesceNode) eval(f *frame, sel []uint16) *batch.Column {
	first := c.args[0].eval(f, sel)
	if !first.HasNulls {
		return first
	}
	c.out.Reset()
	c.out.Resize(f.n)
	c.rest = appendAll(c.rest, sel, f.n)
	rest, col := c.rest, first
	for k := range c.args {
		if k > 0 {
			if len(rest) == 0 {
				break
			}
			col = c.args[k].eval(f, rest)
		}
		keep := rest[:0]
		c.hit = c.hit[:0]
		for _, i := range rest {
			if col.IsNull(int(i)) {
				keep = append(keep, i)
			} else {
				c.hit = append(c.hit, i)
			}
		}
		rest = keep
		scatter(&c.out, col, c.hit, f.n)
	}
	for _, i := range rest {
		c.out.SetNull(int(i), f.n)
		c.out.SetZero(int(i))
	}
	return &c.out
}
