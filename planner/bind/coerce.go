package bind

import (
	"math"
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// castContext is where a value's type is changed.
type castContext uint8

const (
	implicit castContext = iota
	assignment
	explicit
)

func (c castContext) allows(cast scalar.CastContext) bool {
	switch c {
	case implicit:
		return cast == scalar.ImplicitCast
	case assignment:
		return cast >= scalar.AssignmentCast
	}
	return cast >= scalar.ExplicitCast
}

func (b *binder) canCoerce(from, to types.Type, ctx castContext) bool {
	return ctx.allows(scalar.CastBetween(from, to))
}

// coerce gives e the type t: untyped literals are read as t, parameters without
// a type take it, everything else is cast. The caller has checked that the cast
// is allowed; if not, the error is PostgreSQL's for CAST.
func (b *binder) coerce(e *scalar.Expr, t types.Type, ctx castContext) (*scalar.Expr, error) {
	if e.Type.Equal(t) {
		return e, nil
	}
	if e.Type.Kind == types.Unknown {
		switch e.Op {
		case scalar.OpConst:
			return b.literalAs(e, t, ctx)
		case scalar.OpParam:
			return b.paramAs(e, t, ctx)
		}
	}
	if !b.canCoerce(e.Type, t, ctx) {
		return nil, pgerr.New(pgerr.CannotCoerce, "cannot cast type %s to %s", e.Type, t).At(e.Pos)
	}
	if e.Type.Kind == t.Kind && unmodified(t) {
		return e, nil
	}
	if e.Op == scalar.OpConst {
		if v := widenConst(e, t); v != nil {
			return b.withText(v, e.Text, b.precOf(e)), nil
		}
	}
	if e.Op == scalar.OpCall && e.Func == "row(any...)" && t.Kind == types.Row {
		return b.coerceRow(e, t, ctx)
	}
	c := &scalar.Expr{Op: scalar.OpCast, Type: t, Args: []*scalar.Expr{e}, Pos: e.Pos}
	if ctx == assignment && limitsText(t) {
		c.Func = "assign"
	}
	return b.withText(c, e.Text, b.precOf(e)), nil
}

// share coerces a branch to the type that all branches have, so that each says of its
// own that it may be a char of any length, which is told apart in keys.
func (b *binder) share(e *scalar.Expr, t types.Type, ctx castContext) (*scalar.Expr, error) {
	if e.Type.Kind != types.Char || t.Kind != types.Char || t.HasPrecision || e.Type.Equal(t) {
		return b.coerce(e, t, ctx)
	}
	c := &scalar.Expr{Op: scalar.OpCast, Type: t, Args: []*scalar.Expr{e}, Pos: e.Pos}
	return b.withText(c, e.Text, b.precOf(e)), nil
}

func (b *binder) coerceRow(e *scalar.Expr, t types.Type, ctx castContext) (*scalar.Expr, error) {
	row := *e
	row.Type, row.Args = t, nil
	for i, a := range e.Args {
		v, err := b.coerce(a, t.Fields[i].Type, ctx)
		if err != nil {
			return nil, err
		}
		row.Args = append(row.Args, v)
	}
	return &row, nil
}

// unmodified reports whether a value of t's kind is a value of t as it is.
func unmodified(t types.Type) bool {
	switch t.Kind {
	case types.Array, types.Row:
		return t.Kind == types.Row && len(t.Fields) == 0
	}
	return !t.HasPrecision
}

// limitsText reports whether t is varchar(n), char(n) or an array of these.
func limitsText(t types.Type) bool {
	if t.Kind == types.Array {
		t = *t.Elem
	}
	return t.HasPrecision && (t.Kind == types.Varchar || t.Kind == types.Char)
}

// literalBytesMax is how long a document, array or row may be that is read while a query is
// planned. A longer one is read by who runs the query, within its memory and until it is
// cancelled.
const literalBytesMax = 1 << 20

// literalAs reads an untyped literal as a value of type t.
func (b *binder) literalAs(e *scalar.Expr, t types.Type, ctx castContext) (*scalar.Expr, error) {
	if plain := bare(t); !e.Value.Null && !t.Equal(plain) && (t.Kind == types.Array || ctx == explicit && limitsText(t)) {
		// A cast cuts what is too long, reading it as the type would refuse it. And a
		// number of an interval type is in its unit, but not within an array.
		v, err := b.literalAs(e, plain, ctx)
		if err != nil {
			return nil, err
		}
		return b.coerce(v, t, ctx)
	}
	c := &scalar.Expr{Op: scalar.OpConst, Type: t, Pos: e.Pos}
	if e.Value.Null {
		c.Value = &types.Value{Null: true}
		return b.withText(c, e.Text, b.precOf(e)), nil
	}
	if len(e.Value.Bytes) > literalBytesMax && (t.Kind == types.JSONB || t.Kind == types.Array || t.Kind == types.Row) {
		text, err := b.literalAs(e, types.Of(types.Text), ctx)
		if err != nil {
			return nil, err
		}
		return b.coerce(text, t, explicit)
	}
	v, err := b.parseText(e.Value.Bytes, t)
	if err != nil {
		return nil, pgerr.From(err).At(e.Pos)
	}
	c.Value = &v
	text := e.Text
	if t.Kind == types.IntervalK {
		text = quoteText(b.formatValue(v, t))
	}
	return b.withText(c, text, b.precOf(e)), nil
}

// paramAs fixes the type of a parameter at its first use that needs one.
func (b *binder) paramAs(e *scalar.Expr, t types.Type, ctx castContext) (*scalar.Expr, error) {
	p := &b.params[e.Column]
	if !p.given {
		p.typ, p.given = bare(t), true
	}
	typed := *e
	typed.Type = p.typ
	if p.typ.Kind != t.Kind {
		ctx = explicit
	}
	return b.coerce(&typed, t, ctx)
}

// widenConst converts a constant number without loss of meaning; nil when the
// cast has to be evaluated.
func widenConst(e *scalar.Expr, t types.Type) *scalar.Expr {
	if t.HasPrecision || !e.Type.IsInteger() && e.Type.Kind != types.Unknown {
		return nil
	}
	v := *e.Value
	switch t.Kind {
	case types.Int16:
		if !v.Null && (v.Int < math.MinInt16 || v.Int > math.MaxInt16) {
			return nil
		}
	case types.Int32, types.OID:
		if !v.Null && (v.Int < math.MinInt32 || v.Int > math.MaxInt32) {
			return nil
		}
	case types.Int64:
	case types.Float64:
		v = types.Value{Null: v.Null, Float: float64(v.Int)}
	case types.Numeric:
		n := v.Int
		v = types.Value{Null: v.Null}
		if !v.Null {
			v.Dec = types.Decimal{Hi: n >> 63, Lo: uint64(n)}
		}
	default:
		return nil
	}
	return &scalar.Expr{Op: scalar.OpConst, Type: t, Value: &v, Pos: e.Pos}
}

// commonType is PostgreSQL's select_common_type: the type that the branches of a
// CASE, the rows of VALUES or the sides of a UNION share. It is Unknown when all
// are untyped literals.
func (b *binder) commonType(exprs []*scalar.Expr, what string) (types.Type, error) {
	t, at := common(exprs2types(exprs))
	if at >= 0 && t.Kind == types.Row && exprs[at].Type.Kind == types.Row {
		return t, pgerr.NotSupported(exprs[at].Pos, what+" of rows whose fields have different types").Hint("Cast the fields so that each has one type.")
	}
	if at >= 0 {
		return t, pgerr.New(pgerr.DatatypeMismatch, "%s types %s and %s cannot be matched", what, bare(t), bare(exprs[at].Type)).At(exprs[at].Pos)
	}
	return t, nil
}

func exprs2types(exprs []*scalar.Expr) []types.Type {
	out := make([]types.Type, len(exprs))
	for i, e := range exprs {
		out[i] = e.Type
	}
	return out
}

// common finds the common type; at is the first one that does not fit, else -1.
func common(list []types.Type) (t types.Type, at int) {
	t = types.Of(types.Unknown)
	same := true
	for i, n := range list {
		if n.Kind == types.Unknown {
			same = false // a literal has no modifiers
			continue
		}
		if t.Kind == types.Unknown {
			t = n
			continue
		}
		if n.Equal(t) {
			continue
		}
		if n.Kind == t.Kind {
			if n.Kind == types.Array {
				e, bad := common([]types.Type{*t.Elem, *n.Elem})
				if bad >= 0 {
					return t, i
				}
				t = types.ArrayOf(e)
				continue
			}
			if n.Kind == types.Row {
				ok := false
				if t, ok = commonRow(t, n); !ok {
					return t, i
				}
				continue
			}
			same = false
			continue
		}
		if scalar.Category(n.Kind) != scalar.Category(t.Kind) {
			return t, i
		}
		if scalar.Category(n.Kind) == 'U' {
			return t, i
		}
		same = false
		if !scalar.Preferred(t.Kind) && scalar.CastBetween(t, n) == scalar.ImplicitCast && scalar.CastBetween(n, t) != scalar.ImplicitCast {
			t = n
		}
	}
	if !same {
		t = bare(t)
	}
	for i, n := range list {
		if n.Kind != types.Unknown && n.Kind != t.Kind && scalar.CastBetween(n, t) != scalar.ImplicitCast {
			return t, i
		}
	}
	return t, -1
}

// commonRow finds the type of rows that shows the values of both types as they are,
// which PostgreSQL's records do, as each has types of its own. The names are t's.
func commonRow(t, n types.Type) (types.Type, bool) {
	if len(t.Fields) == 0 || len(t.Fields) != len(n.Fields) {
		return t, len(t.Fields) == 0
	}
	t.Fields = slices.Clone(t.Fields)
	for i := range t.Fields {
		f, g := t.Fields[i].Type, n.Fields[i].Type
		exact := func(t types.Type) bool { return t.IsInteger() || t.Kind == types.Numeric }
		text := func(t types.Type) bool { return t.Kind == types.Text || t.Kind == types.Varchar }
		ok := true
		switch {
		case f.Equal(g):
		case f.Kind == types.Row && g.Kind == types.Row:
			f, ok = commonRow(f, g)
		case f.Kind == g.Kind && f.Kind != types.Char && f.Kind != types.Array:
			f = bare(f)
		case exact(f) && exact(g) || text(f) && text(g):
			f, _ = common([]types.Type{f, g})
		default:
			return t, false
		}
		if !ok {
			return t, false
		}
		t.Fields[i].Type = f
	}
	return t, true
}

// bare drops a type's modifiers.
func bare(t types.Type) types.Type {
	t.HasPrecision, t.Precision, t.Scale = false, 0, 0
	if t.Kind == types.Array {
		return types.ArrayOf(bare(*t.Elem))
	}
	return t
}

// exprEqual reports whether two expressions mean the same.
func exprEqual(a, b *scalar.Expr) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a == b {
		return true
	}
	if a.Op != b.Op || a.Column != b.Column || a.Func != b.Func || len(a.Args) != len(b.Args) || !a.Type.Equal(b.Type) {
		return false
	}
	if (a.Value == nil) != (b.Value == nil) || a.Value != nil && *a.Value != *b.Value {
		return false
	}
	for i := range a.Args {
		if !exprEqual(a.Args[i], b.Args[i]) {
			return false
		}
	}
	return true
}

// walk calls f for e and everything in it, outermost first, until f is false.
func walk(e *scalar.Expr, f func(*scalar.Expr) bool) bool {
	if e == nil {
		return true
	}
	if !f(e) {
		return false
	}
	for _, a := range e.Args {
		if !walk(a, f) {
			return false
		}
	}
	return true
}

// rewrite copies e with f applied to each part from the outside; where f gives
// nil the part is kept and its arguments are rewritten.
func (b *binder) rewrite(e *scalar.Expr, f func(*scalar.Expr) (*scalar.Expr, error)) (*scalar.Expr, error) {
	if e == nil {
		return nil, nil
	}
	r, err := f(e)
	if err != nil || r != nil {
		return r, err
	}
	if len(e.Args) == 0 {
		return e, nil
	}
	out := *e
	out.Args = make([]*scalar.Expr, len(e.Args))
	for i, a := range e.Args {
		if out.Args[i], err = b.rewrite(a, f); err != nil {
			return nil, err
		}
	}
	if p, ok := b.prec[e]; ok {
		b.prec[&out] = p
	}
	return &out, nil
}

// shift moves the columns of e by n.
func (b *binder) shift(e *scalar.Expr, n int) *scalar.Expr {
	if n == 0 || e == nil {
		return e
	}
	out, _ := b.rewrite(e, func(x *scalar.Expr) (*scalar.Expr, error) {
		if x.Op != scalar.OpColumn {
			return nil, nil
		}
		c := *x
		c.Column += n
		return &c, nil
	})
	return out
}
