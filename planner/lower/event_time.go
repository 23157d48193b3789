package lower

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// risesFrom is attr.rises of x, over columns with these attributes.
func (b *builder) risesFrom(x *scalar.Expr, in []attr) int {
	c, ok := scalar.Rising(x)
	if !ok || x.Op == scalar.OpColumn {
		return 0
	}
	a, from := in[c], column(0, x.Type, "")
	switch {
	case a.time && !a.proc:
		from = b.columnOf(x, c)
	case a.rises > 0:
		from = b.rising[a.rises-1]
	default:
		return 0
	}
	f := scalar.Map(x, func(e *scalar.Expr) *scalar.Expr {
		if e.Op == scalar.OpColumn {
			return from
		}
		return e
	})
	key := exprKey(f)
	at := slices.IndexFunc(b.rising, func(e *scalar.Expr) bool { return exprKey(e) == key })
	if at < 0 {
		at = len(b.rising)
		b.rising = append(b.rising, f)
	}
	return at + 1
}

// columnOf is column c of x as the only column of a row.
func (b *builder) columnOf(x *scalar.Expr, c int) *scalar.Expr {
	out := column(0, x.Type, "watermark")
	scalar.Walk(x, func(e *scalar.Expr) {
		if e.Op == scalar.OpColumn && e.Column == c {
			out = column(0, e.Type, "watermark")
		}
	})
	return out
}

// retimed makes column at of s, if it is computed from an event time, the event time of
// the rows from here on, by which windows go.
func (b *builder) retimed(s stream, at int) (stream, error) {
	f := s.attrs[at].rises
	if f == 0 || b.bounded {
		return s, nil
	}
	s.attrs = slices.Clone(s.attrs)
	for i, a := range s.attrs {
		if a.rises != f && !a.proc { // the watermark may be ahead of it
			s.attrs[i] = attr{}
		}
	}
	for i, a := range s.attrs {
		if a.rises == f {
			s.attrs[i] = attr{time: true}
		}
	}
	o := b.newProject(s)
	o.Project.Time = b.rising[f-1]
	i := b.add(o, exprsKey(o.Project.Exprs)+"|"+exprKey(o.Project.Time))
	return stream{op: i, exprs: b.identity(i).exprs, names: s.names, attrs: s.attrs}, nil
}

// wantTime notes of the unions below n by which of their columns windows go that go by
// column c of n.
func (b *builder) wantTime(n logical.Node, c int) {
	follow := func(in logical.Node, x *scalar.Expr) {
		if c, ok := scalar.Rising(x); ok {
			b.wantTime(in, c)
		}
	}
	switch n := n.(type) {
	case *logical.Project:
		follow(n.Input, n.Exprs[c])
	case *logical.Aggregate:
		if c < len(n.Keys) && !groupsByWindow(n) { // whose groups come when that closes
			follow(n.Input, n.Keys[c])
		}
	case *logical.Union:
		if _, ok := b.times[n]; ok {
			return
		}
		b.times[n] = c
		for _, in := range n.All {
			b.wantTime(in, c)
		}
	default: // what has its inputs' columns, then its own
		for _, in := range n.Inputs() {
			width := len(in.Fields())
			if c < width {
				b.wantTime(in, c)
				return
			}
			c -= width
		}
	}
}

// groupsByWindow reports whether a bound of a window is a key of n.
func groupsByWindow(n *logical.Aggregate) bool {
	in := n.Input.Fields()
	return slices.ContainsFunc(n.Keys, func(k *scalar.Expr) bool {
		return k.Op == scalar.OpColumn && (in[k.Column].WindowBound == "start" || in[k.Column].WindowBound == "end")
	})
}

// branches are the inputs of a union, in place. Where windows go by a column of it that
// they compute differently, the watermark of each goes through its own expression, and
// that of the union is the least.
func (b *builder) branches(n *logical.Union) ([]stream, error) {
	out := make([]stream, len(n.All))
	at, wanted := b.times[n]
	same := true
	for i, branch := range n.All {
		s, err := b.node(branch)
		if err != nil {
			return nil, err
		}
		if wanted {
			a := s.attrs[at]
			wanted = a.rises > 0 || a.time && !a.proc
			same = same && (i == 0 || a == out[0].attrs[at])
		}
		out[i] = s
	}
	for i, s := range out {
		var err error
		if wanted && !same {
			if s, err = b.resolve(s); err == nil {
				s, err = b.retimed(s, at)
			}
		}
		if err == nil {
			out[i], err = b.place(s)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// or is what is known of a column of rows of which some have x and some y.
func (x attr) or(y attr) attr {
	if x == y {
		return x
	}
	out := sameWindow(x, y)
	if x.time && y.time && x.proc == y.proc {
		out.time, out.proc = true, x.proc
	}
	return out
}
