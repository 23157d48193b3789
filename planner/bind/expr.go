package bind

import (
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// expr binds a scalar expression over the level's scope. Its type is Unknown for
// an untyped literal, which the caller gives a type to.
func (l *level) expr(x ast.Expr) (*scalar.Expr, error) {
	if err := l.b.enter(x.Offset()); err != nil {
		return nil, err
	}
	defer l.b.leave()
	switch x := x.(type) {
	case *ast.Literal:
		return l.b.literal(x)
	case *ast.ColumnRef:
		return l.columnRef(x)
	case *ast.Param:
		return l.b.param(x)
	case *ast.Unary:
		return l.unary(x)
	case *ast.Binary:
		return l.binary(x)
	case *ast.Quantified:
		return l.quantified(x)
	case *ast.IsTest:
		return l.isTest(x)
	case *ast.Like:
		return l.like(x)
	case *ast.Between:
		return l.between(x)
	case *ast.In:
		return l.in(x)
	case *ast.Exists:
		return l.exists(x)
	case *ast.Subquery:
		return l.subquery(x)
	case *ast.Case:
		return l.caseExpr(x)
	case *ast.Cast:
		return l.cast(x)
	case *ast.IntervalLiteral:
		return l.b.interval(x)
	case *ast.Call:
		return l.call(x)
	case *ast.ArrayExpr:
		return l.array(x)
	case *ast.RowExpr:
		return l.row(x)
	case *ast.Subscript:
		return l.subscript(x)
	case *ast.FieldAccess:
		return l.fieldAccess(x)
	case *ast.Collate:
		return l.collate(x)
	case *ast.Default:
		return nil, pgerr.New(pgerr.SyntaxError, "DEFAULT is not allowed in this context").At(int(x.Pos))
	case *ast.Star:
		return nil, pgerr.New(pgerr.SyntaxError, "\"*\" is not allowed in this context").At(int(x.Pos))
	case *ast.Descriptor:
		return nil, pgerr.New(pgerr.SyntaxError, "DESCRIPTOR is allowed as an argument of a window table function only").At(int(x.Pos))
	case *ast.TableArg:
		return nil, pgerr.New(pgerr.SyntaxError, "TABLE is allowed as an argument of a table function only").At(int(x.Pos))
	}
	return nil, pgerr.NotSupported(int(x.Offset()), "this kind of expression")
}

func (l *level) exprs(list []ast.Expr) ([]*scalar.Expr, error) {
	out := make([]*scalar.Expr, len(list))
	for i, x := range list {
		e, err := l.expr(x)
		if err != nil {
			return nil, err
		}
		out[i] = e
	}
	return out, nil
}

// typed binds an expression whose untyped literals are text.
func (l *level) typed(x ast.Expr) (*scalar.Expr, error) {
	e, err := l.expr(x)
	if err != nil || e.Type.Kind != types.Unknown {
		return e, err
	}
	return l.b.coerce(e, types.Of(types.Text), implicit)
}

// condition binds a boolean; what names it in the error message.
func (l *level) condition(x ast.Expr, what string) (*scalar.Expr, error) {
	e, err := l.expr(x)
	if err != nil {
		return nil, err
	}
	return l.b.boolean(e, what)
}

func (b *binder) boolean(e *scalar.Expr, what string) (*scalar.Expr, error) {
	if e.Type.Kind != types.Bool && e.Type.Kind != types.Unknown {
		return nil, pgerr.New(pgerr.DatatypeMismatch, "argument of %s must be type boolean, not type %s", what, bare(e.Type)).At(e.Pos)
	}
	return b.coerce(e, types.Of(types.Bool), implicit)
}

// filter binds WHERE, HAVING or ON.
func (l *level) filter(x ast.Expr, clause string) (*scalar.Expr, error) {
	l.clause = clause
	return l.condition(x, clause)
}

func (l *level) unary(x *ast.Unary) (*scalar.Expr, error) {
	if lit, ok := x.X.(*ast.Literal); ok && x.Op == "-" && (lit.Kind == ast.IntegerLiteral || lit.Kind == ast.DecimalLiteral) && !strings.HasPrefix(lit.Text, "-") {
		c := *lit
		c.Text = "-" + lit.Text
		c.Pos = x.Pos
		return l.b.literal(&c)
	}
	e, err := l.expr(x.X)
	if err != nil {
		return nil, err
	}
	if x.Op == "not" {
		if e, err = l.b.boolean(e, "NOT"); err != nil {
			return nil, err
		}
		return l.b.not(e, int(x.Pos)), nil
	}
	c, err := l.b.operator(x.Op, x.Op, []*scalar.Expr{e}, int(x.Pos))
	if err != nil {
		return nil, err
	}
	return l.b.withText(c, x.Op+l.b.inner(e, precUnary), precUnary), nil
}

func (b *binder) not(e *scalar.Expr, pos int) *scalar.Expr {
	n := &scalar.Expr{Op: scalar.OpNot, Type: types.Of(types.Bool), Args: []*scalar.Expr{e}, Pos: pos}
	return b.withText(n, "not "+b.inner(e, precNot), precNot)
}

func (l *level) binary(x *ast.Binary) (*scalar.Expr, error) {
	if x.Op == "and" || x.Op == "or" {
		return l.connective(x)
	}
	lr, lrow := x.L.(*ast.RowExpr)
	rr, rrow := x.R.(*ast.RowExpr)
	if lrow && rrow {
		return l.compareRows(x, lr, rr)
	}
	if sub, ok := x.R.(*ast.Subquery); ok && lrow && !sub.Array {
		return l.compareRowQuery(x, lr, sub)
	}
	args, err := l.exprs([]ast.Expr{x.L, x.R})
	if err != nil {
		return nil, err
	}
	return l.b.infixCall(x.Op, args[0], args[1], int(x.Pos))
}

// infixCall applies an infix operator and names the result.
func (b *binder) infixCall(op string, left, right *scalar.Expr, pos int) (*scalar.Expr, error) {
	shown := op
	switch op {
	case "!=":
		op, shown = "<>", "<>"
	case "is distinct from", "is not distinct from":
		if e := b.nullDistinct(op, left, right, pos); e != nil {
			return e, nil
		}
		shown = "="
	case "at time zone":
		return b.atTimeZone(left, right, pos)
	}
	e, err := b.operator(op, shown, []*scalar.Expr{left, right}, pos)
	if err != nil {
		return nil, err
	}
	p := precOfOperator(op)
	return b.withText(e, b.infix(left, op, right, p), p), nil
}

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

func (b *binder) atTimeZone(value, zone *scalar.Expr, pos int) (*scalar.Expr, error) {
	if value.Type.Kind == types.Unknown || value.Type.Kind == types.Date {
		v, err := b.coerce(value, types.Of(types.TimestampTZ), implicit)
		if err != nil {
			return nil, err
		}
		value = v
	}
	e, err := b.operator("at time zone", "at time zone", []*scalar.Expr{value, zone}, pos)
	if err != nil {
		return nil, noSuchFunction("pg_catalog.timezone", []*scalar.Expr{zone, value}, pos, nil)
	}
	return b.withText(e, b.infix(value, "at time zone", zone, precZone), precZone), nil
}

// connective binds a chain of AND or OR as one node.
func (l *level) connective(x *ast.Binary) (*scalar.Expr, error) {
	var parts []ast.Expr
	stack := []ast.Expr{x}
	for len(stack) > 0 {
		e := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if n, ok := e.(*ast.Binary); ok && n.Op == x.Op {
			stack = append(stack, n.R, n.L)
			continue
		}
		parts = append(parts, e)
	}
	args := make([]*scalar.Expr, len(parts))
	for i, p := range parts {
		e, err := l.condition(p, upper(x.Op))
		if err != nil {
			return nil, err
		}
		args[i] = e
	}
	return l.b.combine(x.Op, args, int(x.Pos)), nil
}

// combine joins booleans by "and" or "or".
func (b *binder) combine(op string, args []*scalar.Expr, pos int) *scalar.Expr {
	if len(args) == 1 {
		return args[0]
	}
	e := &scalar.Expr{Op: scalar.OpAnd, Type: types.Of(types.Bool), Args: args, Pos: pos}
	prec := precAnd
	if op == "or" {
		e.Op, prec = scalar.OpOr, precOr
	}
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = b.inner(a, prec)
	}
	return b.withText(e, strings.Join(parts, " "+op+" "), prec)
}

// compareRows compares two rows field by field, as SQL does.
func (l *level) compareRows(x *ast.Binary, left, right *ast.RowExpr) (*scalar.Expr, error) {
	if len(left.Elems) != len(right.Elems) {
		return nil, pgerr.New(pgerr.SyntaxError, "unequal number of entries in row expressions").At(int(x.Pos))
	}
	ls, err := l.exprs(left.Elems)
	if err != nil {
		return nil, err
	}
	rs, err := l.exprs(right.Elems)
	if err != nil {
		return nil, err
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
		if elem.Kind == types.Unknown {
			elem = types.Of(types.Text)
		}
		if args[1], err = l.b.coerce(args[1], types.ArrayOf(elem), implicit); err != nil {
			return nil, err
		}
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

func (l *level) isTest(x *ast.IsTest) (*scalar.Expr, error) {
	if row, ok := x.X.(*ast.RowExpr); ok && x.Test == "null" {
		args, err := l.exprs(row.Elems)
		if err != nil {
			return nil, err
		}
		var parts []*scalar.Expr
		for _, a := range args {
			parts = append(parts, l.b.isNull(a, x.Not, int(x.Pos)))
		}
		return l.b.combine("and", parts, int(x.Pos)), nil
	}
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
	var e *scalar.Expr
	all := append([]*scalar.Expr{left}, list...)
	if t, at := common(exprs2types(all)); at < 0 {
		e, err = b.inConstants(left, list, bare(t), pos)
		if err != nil {
			return nil, err
		}
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

// inConstants makes the one-node form, or nil when the list does not allow it.
func (b *binder) inConstants(left *scalar.Expr, list []*scalar.Expr, t types.Type, pos int) (*scalar.Expr, error) {
	if t.Kind == types.Unknown {
		t = types.Of(types.Text)
	}
	if _, ok := scalar.Comparison("=", t); !ok || t.Kind == types.Array || t.Kind == types.Row {
		return nil, nil
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

func (l *level) caseExpr(x *ast.Case) (*scalar.Expr, error) {
	b, pos := l.b, int(x.Pos)
	var text strings.Builder
	text.WriteString("case")
	var operand *scalar.Expr
	if x.Operand != nil {
		e, err := l.typed(x.Operand)
		if err != nil {
			return nil, err
		}
		operand = e
		text.WriteString(" " + e.Text)
	}
	var conds, results []*scalar.Expr
	for _, w := range x.Whens {
		var cond *scalar.Expr
		var err error
		if operand != nil {
			v, err := l.expr(w.Cond)
			if err != nil {
				return nil, err
			}
			text.WriteString(" when " + v.Text)
			if cond, err = b.infixCall("=", operand, v, int(w.Cond.Offset())); err != nil {
				return nil, err
			}
		} else {
			if cond, err = l.condition(w.Cond, "CASE/WHEN"); err != nil {
				return nil, err
			}
			text.WriteString(" when " + cond.Text)
		}
		r, err := l.expr(w.Then)
		if err != nil {
			return nil, err
		}
		text.WriteString(" then " + r.Text)
		conds, results = append(conds, cond), append(results, r)
	}
	other := b.nullOf(types.Of(types.Unknown), pos)
	if x.Else != nil {
		e, err := l.expr(x.Else)
		if err != nil {
			return nil, err
		}
		other = e
		text.WriteString(" else " + e.Text)
	}
	text.WriteString(" end")
	all := append([]*scalar.Expr{other}, results...)
	t, err := b.commonType(all, "CASE")
	if err != nil {
		return nil, err
	}
	if t.Kind == types.Unknown {
		t = types.Of(types.Text)
	}
	for i := range all {
		if all[i], err = b.coerce(all[i], t, implicit); err != nil {
			return nil, err
		}
	}
	c := &scalar.Expr{Op: scalar.OpCase, Type: t, Pos: pos}
	for i := range conds {
		c.Args = append(c.Args, conds[i], all[i+1])
	}
	c.Args = append(c.Args, all[0])
	return b.withText(c, text.String(), precAtom), nil
}

func (b *binder) nullOf(t types.Type, pos int) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpConst, Type: t, Value: &types.Value{Null: true}, Pos: pos, Text: "null"}
}

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
	args, err := l.exprs(x.Elems)
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
		if f.Name != name.Value {
			continue
		}
		n := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int32), Value: &types.Value{Int: int64(i + 1)}, Pos: -1, Text: strconv.Itoa(i + 1)}
		x := &scalar.Expr{Op: scalar.OpCall, Func: "field(record,integer)", Type: f.Type, Args: []*scalar.Expr{e, n}, Pos: e.Pos}
		return b.withText(x, b.inner(e, precPostfix)+"."+f.Name, precPostfix), nil
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

func (l *level) collate(x *ast.Collate) (*scalar.Expr, error) {
	switch c := x.Collation.Last().Value; strings.ToLower(c) {
	case "default", "c", "posix", "ucs_basic", "c.utf-8", "c.utf8":
	default:
		return nil, pgerr.New(pgerr.UndefinedObject, "collation %q for encoding \"UTF8\" does not exist", c).At(int(x.Collation.Offset()))
	}
	e, err := l.expr(x.X)
	if err != nil {
		return nil, err
	}
	if !e.Type.IsString() {
		return nil, pgerr.New(pgerr.DatatypeMismatch, "collations are not supported by type %s", bare(e.Type)).At(int(x.Pos))
	}
	return e, nil
}
