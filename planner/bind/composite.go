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
			e, err = l.expr(el)
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

func (l *level) subscript(x *ast.Subscript) (*scalar.Expr, error) {
	b, pos := l.b, int(x.Pos)
	base, err := l.expr(x.X)
	if err != nil {
		return nil, err
	}
	bound := func(i ast.Expr) (*scalar.Expr, error) {
		if i == nil {
			return b.nullOf(types.Of(types.Int32), pos), nil
		}
		e, err := l.expr(i)
		if err != nil || base.Type.Kind != types.Array {
			return e, err
		}
		if !b.canCoerce(e.Type, types.Of(types.Int32), assignment) {
			return nil, pgerr.New(pgerr.DatatypeMismatch, "array subscript must have type integer").At(e.Pos)
		}
		return b.coerce(e, types.Of(types.Int32), assignment)
	}
	if base.Type.Kind != types.Array && base.Type.Kind != types.JSONB {
		return nil, pgerr.New(pgerr.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", bare(base.Type)).At(base.Pos)
	}
	if x.Slice {
		if base.Type.Kind == types.JSONB {
			return nil, pgerr.New(pgerr.DatatypeMismatch, "jsonb subscript does not support slices").At(pos)
		}
		lo, err := bound(x.Index)
		if err != nil {
			return nil, err
		}
		hi, err := bound(x.Upper)
		if err != nil {
			return nil, err
		}
		e := &scalar.Expr{Op: scalar.OpCall, Func: "slice(anyarray,integer,integer)", Type: base.Type, Args: []*scalar.Expr{base, lo, hi}, Pos: pos}
		text := func(x ast.Expr, e *scalar.Expr) string {
			if x == nil {
				return ""
			}
			return e.Text
		}
		return b.withText(e, b.inner(base, precPostfix)+"["+text(x.Index, lo)+":"+text(x.Upper, hi)+"]", precPostfix), nil
	}
	i, err := bound(x.Index)
	if err != nil {
		return nil, err
	}
	c, _ := choose(scalar.Functions("subscript"), exprs2types([]*scalar.Expr{base, i}), false)
	if c == nil {
		return nil, pgerr.New(pgerr.DatatypeMismatch, "subscript type %s is not supported", bare(i.Type)).At(i.Pos)
	}
	e, err := b.applyCall(c, []*scalar.Expr{base, i}, pos)
	if err != nil {
		return nil, err
	}
	return b.withText(e, b.inner(base, precPostfix)+"["+i.Text+"]", precPostfix), nil
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
