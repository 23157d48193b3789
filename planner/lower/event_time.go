package lower

import (
	"slices"

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
