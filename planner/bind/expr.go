package bind

import (
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
	case directArg:
		return l.directArg(x)
	case countValue:
		return l.carryIn(x.at, x.e), nil
	case *ast.Default:
		return nil, pgerr.New(pgerr.SyntaxError, "DEFAULT is not allowed in this context").At(int(x.Pos))
	case *ast.Star:
		return l.starValue(x)
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

func (l *level) typedAll(list []ast.Expr) ([]*scalar.Expr, error) {
	out := make([]*scalar.Expr, len(list))
	for i, x := range list {
		e, err := l.typed(x)
		if err != nil {
			return nil, err
		}
		out[i] = e
	}
	return out, nil
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
	return l.b.infixCall(x.Op, comparedID(args[0], args[1]), comparedID(args[1], args[0]), int(x.Pos))
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
