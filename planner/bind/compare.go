package bind

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// nullDistinct turns x IS [NOT] DISTINCT FROM NULL into a null test.
func (b *binder) nullDistinct(op string, left, right *scalar.Expr, pos int) *scalar.Expr {
	if isNullConst(left) {
		left, right = right, left
	}
	if !isNullConst(right) || left.Type.Kind == types.Unknown {
		return nil
	}
	return b.isNull(left, op == "is distinct from", pos)
}

func isNullConst(e *scalar.Expr) bool { return e.Op == scalar.OpConst && e.Value.Null }

func (b *binder) isNull(e *scalar.Expr, not bool, pos int) *scalar.Expr {
	n := &scalar.Expr{Op: scalar.OpIsNull, Type: types.Of(types.Bool), Args: []*scalar.Expr{e}, Pos: pos}
	b.withText(n, b.inner(e, precIs+1)+" is null", precIs)
	if !not {
		return n
	}
	x := &scalar.Expr{Op: scalar.OpNot, Type: types.Of(types.Bool), Args: []*scalar.Expr{n}, Pos: pos}
	return b.withText(x, b.inner(e, precIs+1)+" is not null", precIs)
}

// compareRows compares two rows field by field, as SQL does.
func (l *level) compareRows(x *ast.Binary, left, right *ast.RowExpr) (*scalar.Expr, error) {
	ls, err := l.rowElems(left.Elems)
	if err != nil {
		return nil, err
	}
	rs, err := l.rowElems(right.Elems)
	if err != nil {
		return nil, err
	}
	if len(ls) != len(rs) {
		return nil, pgerr.New(pgerr.SyntaxError, "unequal number of entries in row expressions").At(int(x.Pos))
	}
	return l.b.rowComparison(x.Op, ls, rs, int(x.Pos))
}

func (b *binder) rowComparison(op string, ls, rs []*scalar.Expr, pos int) (*scalar.Expr, error) {
	if len(ls) == 0 {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "cannot compare rows of zero length").At(pos)
	}
	each := func(op string) ([]*scalar.Expr, error) {
		var out []*scalar.Expr
		for i := range ls {
			e, err := b.infixCall(op, ls[i], rs[i], pos)
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		}
		return out, nil
	}
	var e *scalar.Expr
	switch op {
	case "=", "is not distinct from":
		parts, err := each(op)
		if err != nil {
			return nil, err
		}
		e = b.combine("and", parts, pos)
	case "<>", "!=", "is distinct from":
		parts, err := each(op)
		if err != nil {
			return nil, err
		}
		e = b.combine("or", parts, pos)
	case "<", "<=", ">", ">=":
		strict, err := each(op[:1])
		if err != nil {
			return nil, err
		}
		last, err := b.infixCall(op, ls[len(ls)-1], rs[len(ls)-1], pos)
		if err != nil {
			return nil, err
		}
		equal, err := each("=")
		if err != nil {
			return nil, err
		}
		e = last
		for i := len(ls) - 2; i >= 0; i-- {
			e = b.combine("or", []*scalar.Expr{strict[i], b.combine("and", []*scalar.Expr{equal[i], e}, pos)}, pos)
		}
	default:
		return nil, pgerr.New(pgerr.FeatureNotSupported, "could not determine interpretation of row comparison operator %s", op).At(pos).
			Hint("Row comparison operators must be associated with btree operator families.")
	}
	if len(ls) > 1 {
		e = b.withText(e, "("+b.texts(ls)+") "+op+" ("+b.texts(rs)+")", precOfOperator(op))
	}
	return e, nil
}

// quantified binds x op ANY|ALL (array or subquery).
func (l *level) quantified(x *ast.Quantified) (*scalar.Expr, error) {
	if x.Query != nil {
		return l.quantifiedQuery(x)
	}
	args, err := l.exprs([]ast.Expr{x.X, x.Array})
	if err != nil {
		return nil, err
	}
	word := "any"
	if x.All {
		word = "all"
	}
	op := x.Op
	switch op {
	case "!=":
		op = "<>"
	case "like":
		op = "~~"
	case "not like":
		op = "!~~"
	case "ilike":
		op = "~~*"
	case "not ilike":
		op = "!~~*"
	}
	if args[1].Type.Kind != types.Array && args[1].Type.Kind != types.Unknown {
		return nil, pgerr.New(pgerr.WrongObjectType, "op ANY/ALL (array) requires array on right side").At(int(x.Pos))
	}
	if args[1].Type.Kind == types.Unknown {
		elem := bare(args[0].Type)
		if elem.Kind == types.Unknown || elem.Kind == types.Char && strings.Contains(op, "~") {
			elem = types.Of(types.Text)
		}
		if args[1], err = l.b.coerce(args[1], types.ArrayOf(elem), implicit); err != nil {
			return nil, err
		}
	}
	if err := l.b.likeOperator(op, args); err != nil {
		return nil, err
	}
	c, _ := choose(scalar.Operators(word+" "+op), exprs2types(args), false)
	if c == nil {
		return nil, pgerr.New(pgerr.UndefinedFunction, "operator does not exist: %s %s %s", bare(args[0].Type), x.Op, bare(*args[1].Type.Elem)).At(int(x.Pos)).
			Hint("No operator matches the given name and argument types. You might need to add explicit type casts.")
	}
	e, err := l.b.applyCall(c, args, int(x.Pos))
	if err != nil {
		return nil, err
	}
	return l.b.withText(e, l.b.inner(args[0], precOther+1)+" "+x.Op+" "+word+"("+args[1].Text+")", precOther), nil
}

// likeOperator gives a value and an array, whose elements are of another type, the
// types in which the operator compares the two.
func (b *binder) likeOperator(op string, args []*scalar.Expr) (err error) {
	elem := *args[1].Type.Elem
	if args[0].Type.Kind == elem.Kind {
		return nil
	}
	c, _ := choose(scalar.Operators(op), []types.Type{args[0].Type, elem}, true)
	if c == nil || scalar.IsPseudo(c.params[0].Kind) {
		return nil
	}
	if args[0], err = b.coerce(args[0], c.params[0], implicit); err != nil {
		return err
	}
	args[1], err = b.coerce(args[1], types.ArrayOf(c.params[1]), implicit)
	return err
}

func (l *level) isTest(x *ast.IsTest) (*scalar.Expr, error) {
	e, err := l.expr(x.X)
	if err != nil {
		return nil, err
	}
	switch x.Test {
	case "null":
		if e.Type.Kind == types.Unknown {
			if e, err = l.b.coerce(e, types.Of(types.Text), implicit); err != nil {
				return nil, err
			}
		}
		if e.Type.Kind == types.Row {
			return l.b.rowIsNull(e, x.Not, int(x.Pos)), nil
		}
		return l.b.isNull(e, x.Not, int(x.Pos)), nil
	case "true", "false", "unknown":
		not := ""
		if x.Not {
			not = "NOT "
		}
		if e, err = l.b.boolean(e, "IS "+not+upper(x.Test)); err != nil {
			return nil, err
		}
		if x.Test == "unknown" {
			return l.b.isNull(e, x.Not, int(x.Pos)), nil
		}
		op := "is not distinct from"
		if x.Not {
			op = "is distinct from"
		}
		c := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Bool), Value: &types.Value{Bool: x.Test == "true"}, Pos: int(x.Pos), Text: x.Test}
		t, err := l.b.operator(op, "=", []*scalar.Expr{e, c}, int(x.Pos))
		if err != nil {
			return nil, err
		}
		return l.b.withText(t, l.b.inner(e, precIs+1)+" is "+strings.ToLower(not)+x.Test, precIs), nil
	}
	if strings.HasPrefix(x.Test, "json") {
		return l.isJSON(x, e)
	}
	if form, ok := strings.CutSuffix(x.Test, "normalized"); ok {
		return l.isNormalized(x, e, strings.TrimSpace(form))
	}
	return nil, pgerr.NotSupported(int(x.Pos), "IS "+upper(x.Test))
}

func (l *level) like(x *ast.Like) (*scalar.Expr, error) {
	args, err := l.exprs([]ast.Expr{x.X, x.Pattern})
	if err != nil {
		return nil, err
	}
	op := x.Kind
	if op == "similar" {
		op = "similar to"
	}
	if x.Not {
		op = "not " + op
	}
	text := l.b.infix(args[0], op, args[1], precLike)
	if x.Escape != nil {
		esc, err := l.expr(x.Escape)
		if err != nil {
			return nil, err
		}
		text += " escape " + l.b.inner(esc, precLike+1)
		if x.Kind == "similar" {
			args = append(args, esc)
		} else {
			c, _ := choose(scalar.Functions("like_escape"), exprs2types([]*scalar.Expr{args[1], esc}), false)
			if c == nil {
				return nil, noSuchFunction("pg_catalog.like_escape", []*scalar.Expr{args[1], esc}, int(x.Pos), nil)
			}
			if args[1], err = l.b.applyCall(c, []*scalar.Expr{args[1], esc}, int(x.Pos)); err != nil {
				return nil, err
			}
		}
	}
	shown := map[string]string{"like": "~~", "not like": "!~~", "ilike": "~~*", "not ilike": "!~~*", "similar to": "~", "not similar to": "!~"}[op]
	e, err := l.b.operator(op, shown, args, int(x.Pos))
	if err != nil {
		return nil, err
	}
	return l.b.withText(e, text, precLike), nil
}

func (l *level) between(x *ast.Between) (*scalar.Expr, error) {
	args, err := l.exprs([]ast.Expr{x.X, x.Lo, x.Hi})
	if err != nil {
		return nil, err
	}
	b, pos := l.b, int(x.Pos)
	within := func(lo, hi *scalar.Expr) (*scalar.Expr, error) {
		ge, err := b.infixCall(">=", args[0], lo, pos)
		if err != nil {
			return nil, err
		}
		le, err := b.infixCall("<=", args[0], hi, pos)
		if err != nil {
			return nil, err
		}
		return b.combine("and", []*scalar.Expr{ge, le}, pos), nil
	}
	e, err := within(args[1], args[2])
	if err != nil {
		return nil, err
	}
	word := "between "
	if x.Symmetric {
		word = "between symmetric "
		swapped, err := within(args[2], args[1])
		if err != nil {
			return nil, err
		}
		e = b.combine("or", []*scalar.Expr{e, swapped}, pos)
	}
	text := word + b.inner(args[1], precLike+1) + " and " + b.inner(args[2], precLike+1)
	if x.Not {
		e = b.not(e, pos)
		text = "not " + text
	}
	return b.withText(e, b.inner(args[0], precLike+1)+" "+text, precLike), nil
}
