package bind

import (
	"strconv"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

func (l *level) array(x *ast.ArrayExpr) (*scalar.Expr, error) {
	return l.arrayOf(x, types.Type{})
}

// arrayOf binds ARRAY[…]; elem is the type its elements are cast to, Invalid to
// find a common one.
func (l *level) arrayOf(x *ast.ArrayExpr, elem types.Type) (*scalar.Expr, error) {
	b, pos := l.b, int(x.Pos)
	var args []*scalar.Expr
	for _, el := range x.Elems {
		var e *scalar.Expr
		var err error
		if nested, ok := el.(*ast.ArrayExpr); ok {
			e, err = l.arrayOf(nested, elem)
		} else {
			e, err = l.exprAs(el, elem, explicit)
		}
		if err != nil {
			return nil, err
		}
		args = append(args, e)
	}
	t := elem
	if elem.Kind == types.Invalid {
		if len(args) == 0 {
			return nil, pgerr.New(pgerr.IndeterminateDatatype, "cannot determine type of empty array").At(pos).
				Hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
		}
		var err error
		if t, err = b.commonType(args, "ARRAY"); err != nil {
			return nil, err
		}
		if t.Kind == types.Unknown {
			t = types.Of(types.Text)
		}
	}
	text := "array[" + b.texts(args) + "]"
	out := types.ArrayOf(t)
	if t.Kind == types.Array {
		out = t
	}
	for i, a := range args {
		want := t
		if a.Type.Kind == types.Array && t.Kind != types.Array {
			want = types.ArrayOf(t)
		}
		v, err := b.coerce(a, want, explicit)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	if len(args) == 0 {
		v, err := b.parseText("{}", out)
		if err != nil {
			return nil, pgerr.From(err).At(pos)
		}
		return b.withText(&scalar.Expr{Op: scalar.OpConst, Type: out, Value: &v, Pos: pos}, text, precAtom), nil
	}
	e := &scalar.Expr{Op: scalar.OpCall, Func: "array(anycompatible...)", Type: out, Args: args, Pos: pos}
	return b.withText(e, text, precAtom), nil
}

// exprAs binds x where a value of type t is wanted: a row constructor becomes a row of
// that type, everything else is left to coerce.
func (l *level) exprAs(x ast.Expr, t types.Type, ctx castContext) (*scalar.Expr, error) {
	if r, ok := x.(*ast.RowExpr); ok && t.Kind == types.Row && len(t.Fields) > 0 {
		return l.rowOf(r, t, ctx)
	}
	return l.expr(x)
}

// rowOf binds ROW(…) as a value of a row type, field by field.
func (l *level) rowOf(x *ast.RowExpr, t types.Type, ctx castContext) (*scalar.Expr, error) {
	b := l.b
	bad := func(detail string, args ...any) error {
		return pgerr.New(pgerr.CannotCoerce, "cannot cast type record to %s", bare(t)).At(int(x.Pos)).WithDetail(detail, args...)
	}
	args, err := l.rowElemsAs(x.Elems, t.Fields, ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case len(args) < len(t.Fields):
		return nil, bad("Input has too few columns.")
	case len(args) > len(t.Fields):
		return nil, bad("Input has too many columns.")
	}
	e := &scalar.Expr{Op: scalar.OpCall, Func: "row(any...)", Type: t, Pos: int(x.Pos)}
	for i, a := range args {
		f := t.Fields[i].Type
		if !b.canCoerce(a.Type, f, ctx) {
			return nil, bad("Cannot cast type %s to %s in column %d.", bare(a.Type), bare(f), i+1)
		}
		v, err := b.coerce(a, f, ctx)
		if err != nil {
			return nil, err
		}
		e.Args = append(e.Args, v)
	}
	return b.withText(e, "row("+b.texts(args)+")", precAtom), nil
}

func (l *level) row(x *ast.RowExpr) (*scalar.Expr, error) {
	args, err := l.rowElems(x.Elems)
	if err != nil {
		return nil, err
	}
	e := &scalar.Expr{Op: scalar.OpCall, Func: "row(any...)", Type: types.Of(types.Row), Pos: int(x.Pos)}
	for i, a := range args {
		if a.Type.Kind == types.Unknown {
			if a, err = l.b.coerce(a, types.Of(types.Text), implicit); err != nil {
				return nil, err
			}
		}
		e.Args = append(e.Args, a)
		e.Type.Fields = append(e.Type.Fields, types.Field{Name: "f" + strconv.Itoa(i+1), Type: a.Type})
	}
	return l.b.withText(e, "row("+l.b.texts(args)+")", precAtom), nil
}

func (l *level) fieldAccess(x *ast.FieldAccess) (*scalar.Expr, error) {
	if x.Field.Value == "" {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "row expansion via \"*\" is not supported here").At(int(x.Pos))
	}
	e, err := l.expr(x.X)
	if err != nil {
		return nil, err
	}
	f, err := l.b.fieldOf(e, x.Field)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, pgerr.New(pgerr.WrongObjectType, "column notation .%s applied to type %s, which is not a composite type", x.Field.Value, bare(e.Type)).At(e.Pos)
	}
	return f, nil
}

// fieldOf takes a field of a row value; nil when e is no row.
func (b *binder) fieldOf(e *scalar.Expr, name ast.Name) (*scalar.Expr, error) {
	if e.Type.Kind != types.Row {
		return nil, nil
	}
	for i, f := range e.Type.Fields {
		if f.Name == name.Value {
			return b.fieldAt(e, i), nil
		}
	}
	var names []string
	for _, f := range e.Type.Fields {
		names = append(names, f.Name)
	}
	err := pgerr.New(pgerr.UndefinedColumn, "column %q not found in data type %s", name.Value, e.Type).At(int(name.Pos))
	if near := nearest(name.Value, names); near != "" {
		return nil, err.Hint("Perhaps you meant %q.", near)
	}
	return nil, err
}

// fieldAt is the i-th field of a row.
func (b *binder) fieldAt(e *scalar.Expr, i int) *scalar.Expr {
	if e.Op == scalar.OpCall && e.Func == "row(any...)" {
		return e.Args[i]
	}
	f := e.Type.Fields[i]
	n := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int32), Value: &types.Value{Int: int64(i + 1)}, Pos: -1, Text: strconv.Itoa(i + 1)}
	x := &scalar.Expr{Op: scalar.OpCall, Func: "field(record,integer)", Type: f.Type, Args: []*scalar.Expr{e, n}, Pos: e.Pos}
	return b.withText(x, b.inner(e, precPostfix)+"."+f.Name, precPostfix)
}

// rowIsNull is IS [NOT] NULL of a row: what holds of all its fields.
func (b *binder) rowIsNull(e *scalar.Expr, not bool, pos int) *scalar.Expr {
	if len(e.Type.Fields) == 0 && e.Op != scalar.OpCall { // nothing is known of them
		return b.isNull(e, not, pos)
	}
	parts := make([]*scalar.Expr, len(e.Type.Fields))
	for i := range parts {
		parts[i] = b.isNull(b.fieldAt(e, i), not, pos)
	}
	return b.combine("and", parts, pos)
}
