package bind

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// in binds x IN (list). A list of constants of one type is one node, anything
// else a chain of comparisons.
func (l *level) in(x *ast.In) (*scalar.Expr, error) {
	if x.Query != nil {
		return l.inQuery(x)
	}
	b, pos := l.b, int(x.Pos)
	if row, ok := x.X.(*ast.RowExpr); ok {
		return l.rowIn(x, row)
	}
	left, err := l.expr(x.X)
	if err != nil {
		return nil, err
	}
	list, err := l.exprs(x.List)
	if err != nil {
		return nil, err
	}
	texts := b.texts(list)
	if err := b.alike(left, list); err != nil {
		return nil, err
	}
	e, err := b.inConstants(left, list, pos)
	if err != nil {
		return nil, err
	}
	if e == nil {
		var parts []*scalar.Expr
		for _, v := range list {
			eq, err := b.infixCall("=", left, v, pos)
			if err != nil {
				return nil, err
			}
			parts = append(parts, eq)
		}
		e = b.combine("or", parts, pos)
	}
	op := "in"
	if x.Not {
		e, op = b.not(e, pos), "not in"
	}
	return b.withText(e, b.inner(left, precLike+1)+" "+op+" ("+texts+")", precLike), nil
}

// alike gives what reads no column in a list, if it is more than one value, the type
// that all of it has in common with the left side, as PostgreSQL does: it compares
// the left side with an array of these.
func (b *binder) alike(left *scalar.Expr, list []*scalar.Expr) error {
	all, at := []*scalar.Expr{left}, []int{}
	for i, v := range list {
		reads := false
		if scalar.Walk(v, func(e *scalar.Expr) { reads = reads || e.Op == scalar.OpColumn }); !reads {
			all, at = append(all, v), append(at, i)
		}
	}
	t, differs := common(exprs2types(all))
	if len(at) < 2 || differs >= 0 || t.Kind == types.Array || t.Kind == types.Row {
		return nil
	}
	if t = bare(t); t.Kind == types.Unknown {
		t = types.Of(types.Text)
	}
	for _, i := range at {
		v, err := b.coerce(list[i], t, implicit)
		if err != nil {
			return err
		}
		list[i] = v
	}
	return nil
}

// inConstants makes the one-node form of a list of constants, or nil when the
// comparisons with each of them are not of one type.
func (b *binder) inConstants(left *scalar.Expr, list []*scalar.Expr, pos int) (*scalar.Expr, error) {
	t, differs := common(exprs2types(append([]*scalar.Expr{left}, list...)))
	if t = bare(t); t.Kind == types.Unknown {
		t = types.Of(types.Text)
	}
	if _, ok := scalar.Comparison("=", t); !ok || differs >= 0 || t.Kind == types.Array || t.Kind == types.Row {
		return nil, nil
	}
	seen := map[types.Kind]bool{}
	for _, v := range list {
		if seen[v.Type.Kind] {
			continue
		}
		seen[v.Type.Kind] = true
		c, _ := choose(scalar.Operators("="), []types.Type{left.Type, v.Type}, true)
		if c == nil || c.params[0].Kind == c.params[1].Kind && c.params[0].Kind != t.Kind {
			return nil, nil
		}
	}
	for _, v := range list {
		if v.Op != scalar.OpConst {
			return nil, nil
		}
	}
	l, err := b.coerce(left, t, implicit)
	if err != nil {
		return nil, err
	}
	in := &scalar.Expr{Op: scalar.OpIn, Type: types.Of(types.Bool), Args: []*scalar.Expr{l}, Pos: pos}
	for _, v := range list {
		c, err := b.coerce(v, t, implicit)
		if err != nil {
			return nil, err
		}
		if c.Op != scalar.OpConst {
			return nil, nil
		}
		in.Args = append(in.Args, c)
	}
	return in, nil
}

func (l *level) rowIn(x *ast.In, row *ast.RowExpr) (*scalar.Expr, error) {
	b, pos := l.b, int(x.Pos)
	ls, err := l.exprs(row.Elems)
	if err != nil {
		return nil, err
	}
	var parts []*scalar.Expr
	var texts []string
	for _, v := range x.List {
		r, ok := v.(*ast.RowExpr)
		if !ok || len(r.Elems) != len(ls) {
			return nil, pgerr.New(pgerr.SyntaxError, "unequal number of entries in row expressions").At(int(v.Offset()))
		}
		rs, err := l.exprs(r.Elems)
		if err != nil {
			return nil, err
		}
		eq, err := b.rowComparison("=", ls, rs, pos)
		if err != nil {
			return nil, err
		}
		parts = append(parts, eq)
		texts = append(texts, "("+b.texts(rs)+")")
	}
	e, op := b.combine("or", parts, pos), "in"
	if x.Not {
		e, op = b.not(e, pos), "not in"
	}
	return b.withText(e, "("+b.texts(ls)+") "+op+" ("+strings.Join(texts, ", ")+")", precLike), nil
}
