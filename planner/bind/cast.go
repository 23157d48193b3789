package bind

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// cast binds CAST(x AS t), x::t, TRY_CAST and typed literals.
func (l *level) cast(x *ast.Cast) (*scalar.Expr, error) {
	b := l.b
	t, err := ResolveType(x.Type)
	named := err != nil
	if named {
		row := b.relationType(x.Type)
		if row == nil {
			return nil, err
		}
		t = *row
	}
	if r, ok := x.X.(*ast.RowExpr); ok && t.Kind == types.Row && len(t.Fields) > 0 && !x.Try {
		e, err := l.rowOf(r, t, explicit)
		if err != nil || named {
			return e, err
		}
		return b.withText(e, e.Text+"::"+shortType(t), precPostfix), nil
	}
	if a, ok := x.X.(*ast.ArrayExpr); ok && t.Kind == types.Array {
		e, err := l.arrayOf(a, *t.Elem)
		if err != nil {
			return nil, err
		}
		if len(a.Elems) == 0 {
			b.withText(e, e.Text+"::"+shortType(t), precPostfix)
		}
		return e, nil
	}
	e, err := l.expr(x.X)
	if err != nil {
		return nil, err
	}
	if r, err := l.registryCast(e, x.Type, t); r != nil || err != nil {
		return r, err
	}
	if inner, ok := registeredType(x.X); ok && e.Type.Kind == types.OID && t.Phys() == types.PhysBytes {
		if name, err := l.registryCast(e, inner, e.Type); err != nil {
			return nil, err
		} else if name != nil {
			e = name
		}
	}
	if id := registeredID(e); id != nil && (t.Kind == types.OID || t.IsInteger()) {
		e = id
	}
	if e.Type.Equal(t) {
		return e, nil
	}
	text := b.inner(e, precPostfix) + "::" + shortType(t)
	if x.Try {
		text = "try_cast(" + e.Text + " as " + shortType(t) + ")"
		return l.tryCast(e, t, text, int(x.Pos))
	}
	if e.Type.Kind != types.Unknown && !b.canCoerce(e.Type, t, explicit) {
		return nil, pgerr.New(pgerr.CannotCoerce, "cannot cast type %s to %s", bare(e.Type), bare(t)).At(int(x.Pos))
	}
	v, err := b.coerce(e, t, explicit)
	if err != nil {
		return nil, err
	}
	if v == e && !e.Type.Equal(t) {
		// Only modifiers fall away: the value stays, the type is the plain one.
		v = &scalar.Expr{Op: scalar.OpCast, Type: t, Args: []*scalar.Expr{e}, Pos: e.Pos}
	}
	if v.Op == scalar.OpConst && (t.Kind == types.IntervalK || x.Typed) && !v.Value.Null {
		text = quoteText(b.formatValue(*v.Value, t)) + "::" + shortType(t)
	}
	c := *v
	return b.withText(&c, text, precPostfix), nil
}

// tryCast is null where CAST would fail.
func (l *level) tryCast(e *scalar.Expr, t types.Type, text string, pos int) (*scalar.Expr, error) {
	if e.Type.Kind == types.Unknown {
		v, err := l.b.coerce(e, types.Of(types.Text), implicit)
		if err != nil {
			return nil, err
		}
		e = v
	}
	if !l.b.canCoerce(e.Type, t, explicit) {
		return nil, pgerr.New(pgerr.CannotCoerce, "cannot cast type %s to %s", bare(e.Type), bare(t)).At(pos)
	}
	c := &scalar.Expr{Op: scalar.OpCast, Func: "try", Type: t, Args: []*scalar.Expr{e}, Pos: pos}
	return l.b.withText(c, text, precAtom), nil
}

// nameRegistered shows the name instead of the object id where a column of the
// result is one that was cast to regclass or one of its kin, or is of such a type.
func (b *binder) nameRegistered(q *ast.Query, node logical.Node) error {
	sel, ok := q.Body.(*ast.Select)
	p, isProject := node.(*logical.Project)
	if !ok || !isProject {
		return nil
	}
	for i, it := range sel.Items {
		if _, star := it.X.(*ast.Star); star || i >= len(p.Exprs) {
			return nil // columns and items differ in number from here on
		}
		if p.Exprs[i].Type.Kind != types.OID {
			continue
		}
		name := ast.TypeName{Name: p.Out[i].Registered}
		if n, ok := registeredType(it.X); ok {
			name = n
		}
		l := &level{b: b}
		e, err := l.registryCast(p.Exprs[i], name, types.Of(types.OID))
		if err != nil {
			return err
		}
		if e != nil {
			p.Exprs[i], p.Out[i].Type = e, e.Type
		}
	}
	return nil
}

// registeredType is the type, regclass or one of its kin, that an expression was cast
// to or made by to_regclass and its like.
func registeredType(x ast.Expr) (ast.TypeName, bool) {
	switch x := x.(type) {
	case *ast.Cast:
		return x.Type, true
	case *ast.Call:
		if name, ok := strings.CutPrefix(x.Name.Last().Value, "to_reg"); ok {
			return ast.TypeName{At: x.At, Name: "reg" + name}, true
		}
	}
	return ast.TypeName{}, false
}

// registeredID is the object id of an expression that shows it by name, as a cast to
// regclass does; nil for others.
func registeredID(e *scalar.Expr) *scalar.Expr {
	switch e.Func {
	case "regclass_text(oid)", "regproc_text(oid)", "regnamespace_text(oid)":
		return e.Args[0]
	}
	return nil
}

// comparedID is e, or the object id that it shows by name if it meets another.
func comparedID(e, other *scalar.Expr) *scalar.Expr {
	if id := registeredID(e); id != nil && other.Type.Kind == types.OID {
		return id
	}
	return e
}

// registryCast binds casts to regclass and its kin: a name becomes an object id;
// an object id becomes the name that PostgreSQL would print. It is nil for other
// types.
func (l *level) registryCast(e *scalar.Expr, name ast.TypeName, t types.Type) (*scalar.Expr, error) {
	var in, out string
	switch systemType(name.Name) {
	case "regclass":
		in, out = "regclass_in", "regclass_text"
	case "regtype":
		in, out = "regtype_in", "format_type"
	case "regnamespace":
		in, out = "regnamespace_in", "regnamespace_text"
	case "regproc", "regprocedure":
		in, out = "regproc_in", "regproc_text"
	case "regrole":
		in, out = "regrole_in", "pg_get_userbyid"
	default:
		return nil, nil
	}
	if t.Kind == types.Array {
		return nil, nil
	}
	args := []*scalar.Expr{e}
	f := in
	if e.Type.Kind == types.OID || e.Type.IsInteger() {
		f = out
		if f == "format_type" {
			args = append(args, l.b.nullOf(types.Of(types.Int32), e.Pos))
		}
	}
	c, _ := choose(scalar.Functions(f), exprs2types(args), false)
	if c == nil {
		return l.b.coerce(e, types.Of(types.OID), explicit)
	}
	r, err := l.b.applyCall(c, args, e.Pos)
	if err != nil {
		return nil, err
	}
	return l.b.withText(r, l.b.inner(e, precPostfix)+"::"+systemType(name.Name), precPostfix), nil
}
