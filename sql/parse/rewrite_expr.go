package parse

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// PostgreSQL's operator precedences, from loose to tight.
const (
	precNone = iota
	precOr
	precAnd
	precNot
	precIs
	precCompare
	precPattern // BETWEEN, IN, LIKE, ILIKE, SIMILAR TO
	precOther   // every operator that is not named here
	precAdd
	precMultiply
	precPower
	precAt // AT TIME ZONE
	precCollate
	precSign // a sign before its operand
	precCast // :: after anything else than an operand, such as a IS NULL::text
)

// infix returns the precedence of the operator at the cursor, precNone if there
// is none.
func (r *rewriter) infix() int {
	t := r.cur()
	if t.kind == operator {
		switch t.text {
		case "=", "<>", "<", ">", "<=", ">=":
			return precCompare
		case "+", "-":
			return precAdd
		case "*", "/", "%":
			return precMultiply
		case "^":
			return precPower
		case "=>":
			return precNone
		}
		return precOther
	}
	if t.kind != identifier {
		if t.is("::") {
			return precCast
		}
		return precNone
	}
	switch t.text {
	case "or":
		return precOr
	case "and":
		return precAnd
	case "is", "isnull", "notnull":
		return precIs
	case "in", "like", "ilike", "between":
		return precPattern
	case "similar":
		if r.peek(1).isWord("to") {
			return precPattern
		}
	case "not":
		if r.peek(1).isAny("in", "like", "ilike", "between", "similar") {
			return precPattern
		}
	case "operator":
		if r.peek(1).is("(") {
			return precOther
		}
	case "overlaps":
		return precOther
	case "at":
		if r.ahead("at", "time", "zone") || r.ahead("at", "local") {
			return precAt
		}
	case "collate":
		return precCollate
	}
	return precNone
}

// expr writes one expression.
func (r *rewriter) expr() { r.climb(precOr) }

// climb writes an expression whose operators bind at least as tightly as least.
// A prefix operator takes what binds tighter than itself even where it stands
// after a tighter one, as in PostgreSQL's grammar: a * NOT b = c is a * (NOT (b = c)).
func (r *rewriter) climb(least int) {
	r.enter()
	defer r.leave()
	outer := r.height
	r.height = 0
	start := r.nextPiece()
	r.prefix()
	height := r.height + 1
	nonassoc := precNone // a level that may not come twice in a row
	for {
		prec := r.infix()
		if prec == precNone || prec < least {
			break
		}
		if prec == nonassoc {
			r.unexpected()
			break
		}
		r.height = 0
		nonassoc = r.operation(start, prec)
		height = max(height, r.height) + 1
		if height > heightMax {
			r.tooComplex()
		}
	}
	r.height = max(outer, height)
}

// prefix writes an operand with the operators before it.
func (r *rewriter) prefix() {
	t := r.cur()
	switch {
	case t.isWord("not"):
		r.advance()
		r.emit("( NOT", t.pos)
		r.climb(precNot)
		r.emit(")", t.pos)
	case t.is("-") || t.is("+"):
		r.advance()
		r.emit("(", t.pos)
		r.emit(t.text, t.pos)
		r.climb(precSign)
		r.emit(")", t.pos)
	case t.is("?"):
		r.unexpectedHint("Parameters are written $1, $2 and so on.")
	case r.infix() == precOther && !t.isWord("overlaps"):
		op := r.operatorName()
		pos := r.at(t)
		r.markCall(t.pos, buildExpr(func(a []ast.Expr) ast.Expr { return placed(pos, &ast.Unary{Op: op, X: a[0]}) }))
		r.climb(precAdd)
		r.emit(")", t.pos)
	default:
		r.primary()
	}
}

// operation writes the operator at the cursor around what was written from piece
// start on, and its right operand. It returns its level if that does not associate.
func (r *rewriter) operation(start int32, prec int) int {
	t := r.cur()
	switch prec {
	case precOr, precAnd:
		r.advance()
		r.native(start, t, prec+1)
	case precCompare, precAdd, precMultiply, precPower:
		if r.quantified(start, prec) {
			return precNone
		}
		r.advance()
		r.native(start, t, prec+1)
		if prec == precCompare {
			return precCompare
		}
	case precOther:
		if t.isWord("overlaps") {
			r.overlaps(start)
			return precNone
		}
		if r.quantified(start, prec) {
			return precNone
		}
		r.binary(start, t, r.operatorName(), precAdd)
	case precAt:
		r.atTimeZone(start)
	case precCollate:
		r.advance()
		pos, collation := r.at(t), r.anyPath()
		r.openCall(start, t.pos, buildExpr(func(a []ast.Expr) ast.Expr { return placed(pos, &ast.Collate{X: a[0], Collation: collation}) }))
		r.emit(")", t.pos)
	case precCast:
		r.postfix(start, false)
	case precIs:
		return r.isTest(start)
	case precPattern:
		return r.pattern(start)
	}
	return precNone
}

// native writes an operator that TiDB knows with the same meaning.
func (r *rewriter) native(start int32, op *token, least int) {
	r.open(start, op.pos)
	r.emit(op.text, op.pos)
	r.climb(least)
	r.emit(")", op.pos)
}

// binary writes an operator as a marked call.
func (r *rewriter) binary(start int32, t *token, op string, least int) {
	pos := r.at(t)
	r.openCall(start, t.pos, buildExpr(func(a []ast.Expr) ast.Expr { return placed(pos, &ast.Binary{Op: op, L: a[0], R: a[1]}) }))
	r.emit(",", t.pos)
	r.climb(least)
	r.emit(")", t.pos)
}

// operatorName takes an operator, also OPERATOR(schema.op).
func (r *rewriter) operatorName() string {
	t := r.cur()
	r.advance()
	if t.kind == operator {
		return t.text
	}
	r.expectSymbol("(")
	for r.cur().isName() && r.peek(1).is(".") {
		r.advance()
		r.advance()
	}
	op := r.cur()
	if op.kind != operator {
		r.unexpected()
		return ""
	}
	r.advance()
	r.expectSymbol(")")
	return op.text
}

// quantified writes x op ANY|SOME|ALL (…), if that is what comes.
func (r *rewriter) quantified(start int32, prec int) bool {
	t := r.cur()
	n := 1
	if t.isWord("operator") {
		n = r.peek(1).match + 1 - r.i
		if n <= 0 {
			return false
		}
	}
	if t.isWord("not") {
		n = 2
	}
	if w := r.peek(n); !w.isAny("any", "some", "all") || !r.peek(n+1).is("(") {
		return false
	}
	var op string
	switch {
	case prec == precPattern:
		if r.accept("not") {
			op = "not "
		}
		op += r.cur().text
		r.advance()
	case t.kind == operator:
		op = t.text
		r.advance()
	default:
		op = r.operatorName()
	}
	all := r.cur().isWord("all")
	r.advance()
	pos := r.at(t)
	r.openCall(start, t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
		q := placed(pos, &ast.Quantified{Op: op, All: all, X: a[0]})
		if sub, ok := a[1].(*ast.Subquery); ok && !sub.Array {
			q.Query = sub.Query
		} else {
			q.Array = a[1]
		}
		return q
	}))
	r.emit(",", t.pos)
	if r.queryAhead(r.i) {
		r.subquery()
	} else {
		r.expectSymbol("(")
		r.expr()
		r.expectSymbol(")")
	}
	r.emit(")", t.pos)
	return true
}

func (r *rewriter) overlaps(start int32) {
	t := r.cur()
	r.advance()
	pos := r.at(t)
	r.openCall(start, t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
		call := placed(pos, &ast.Call{Name: pathAt(pos, "overlaps"), Form: "overlaps"})
		for _, side := range a {
			row, ok := side.(*ast.RowExpr)
			if !ok || len(row.Elems) != 2 {
				r.fail(pgerr.New(pgerr.SyntaxError, "wrong number of parameters on a side of OVERLAPS expression").At(t.pos))
				return call
			}
			call.Args = append(call.Args, row.Elems...)
		}
		return call
	}))
	r.emit(",", t.pos)
	r.climb(precAdd)
	r.emit(")", t.pos)
}

func (r *rewriter) atTimeZone(start int32) {
	t := r.cur()
	r.advance()
	if r.accept("local") {
		r.unsupported(t, "AT LOCAL")
		return
	}
	r.expect("time", "zone")
	r.binary(start, t, "at time zone", precCollate)
}

// isTest writes IS [NOT] NULL and its like.
func (r *rewriter) isTest(start int32) int {
	t := r.cur()
	r.advance()
	test, not := "null", false
	switch t.text {
	case "isnull":
	case "notnull":
		not = true
	default:
		not = r.accept("not")
		if r.accept("distinct", "from") {
			op := "is distinct from"
			if not {
				op = "is not distinct from"
			}
			r.binary(start, t, op, precCompare)
			return precIs
		}
		test = r.isWhat()
	}
	pos := r.at(t)
	r.openCall(start, t.pos, buildExpr(func(a []ast.Expr) ast.Expr { return placed(pos, &ast.IsTest{X: a[0], Test: test, Not: not}) }))
	r.emit(")", t.pos)
	return precNone
}

// isWhat takes what follows IS [NOT].
func (r *rewriter) isWhat() string {
	if w := r.acceptAny("null", "true", "false", "unknown", "document", "normalized"); w != "" {
		return w
	}
	if r.peek(1).isWord("normalized") {
		if form := r.acceptAny("nfc", "nfd", "nfkc", "nfkd"); form != "" {
			r.advance()
			return form + " normalized"
		}
	}
	if !r.accept("json") {
		r.unexpected()
		return ""
	}
	test := "json"
	if w := r.acceptAny("value", "array", "object", "scalar"); w != "" {
		test += " " + w
	}
	if r.accept("with", "unique") {
		r.accept("keys")
		test += " with unique keys"
	} else if r.accept("without", "unique") {
		r.accept("keys")
	}
	return test
}

// pattern writes [NOT] IN, BETWEEN, LIKE, ILIKE and SIMILAR TO.
func (r *rewriter) pattern(start int32) int {
	if r.quantified(start, precPattern) {
		return precNone
	}
	t := r.cur()
	pos := r.at(t)
	not := r.accept("not")
	switch w := r.cur(); w.text {
	case "in":
		r.advance()
		r.inList(start, t, not)
		return precNone
	case "between":
		r.advance()
		symmetric := r.acceptAny("symmetric", "asymmetric") == "symmetric"
		r.openCall(start, t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
			return placed(pos, &ast.Between{X: a[0], Lo: a[1], Hi: a[2], Symmetric: symmetric, Not: not})
		}))
		r.emit(",", t.pos)
		r.climb(precOther)
		r.expect("and")
		r.emit(",", t.pos)
		r.climb(precOther)
	default:
		r.advance()
		if w.text == "similar" {
			r.expect("to")
		}
		like := placed(pos, &ast.Like{Kind: w.text, Not: not})
		r.openCall(start, t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
			like.X, like.Pattern = a[0], a[1]
			if len(a) > 2 {
				like.Escape = a[2]
			}
			return like
		}))
		r.emit(",", t.pos)
		r.climb(precOther)
		if r.accept("escape") {
			r.emit(",", t.pos)
			r.climb(precOther)
		}
	}
	r.emit(")", t.pos)
	return precPattern
}

// inList writes what follows [NOT] IN.
func (r *rewriter) inList(start int32, t *token, not bool) {
	r.open(start, t.pos)
	if not {
		r.emit("NOT IN", t.pos)
	} else {
		r.emit("IN", t.pos)
	}
	if r.queryAhead(r.i) {
		r.subquery()
	} else {
		r.expectSymbol("(")
		r.emit("(", t.pos)
		l := list{r: r}
		for {
			l.expr()
			if !r.acceptSymbol(",") {
				break
			}
		}
		r.expectSymbol(")")
		r.emit(")", t.pos)
	}
	r.emit(")", t.pos)
}

// subquery writes ( query ).
func (r *rewriter) subquery() {
	t := r.cur()
	r.expectSymbol("(")
	r.emit("(", t.pos)
	r.query()
	r.expectSymbol(")")
	r.emit(")", t.pos)
}

// anyPath takes a qualified name whose parts may be any words.
func (r *rewriter) anyPath() ast.Path {
	path := ast.Path{r.label()}
	for r.acceptSymbol(".") {
		path = append(path, r.label())
	}
	return path
}
