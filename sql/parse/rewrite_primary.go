package parse

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// primary writes an operand with its subscripts, fields and casts. As in
// PostgreSQL, only names, parameters and parentheses take subscripts and fields.
func (r *rewriter) primary() {
	start := r.nextPiece()
	indirect := false
	switch t := r.cur(); t.kind {
	case integerNumber:
		r.literal(ast.IntegerLiteral, t.text)
	case decimalNumber:
		r.literal(ast.DecimalLiteral, t.text)
	case stringLiteral:
		r.literal(ast.StringLiteral, t.text)
	case bitString:
		r.literal(ast.BitLiteral, t.text)
	case parameter:
		n := parameterNumber(t)
		if n == 0 {
			r.fail(pgerr.New(pgerr.UndefinedParameter, "there is no parameter $%s", t.text).At(t.pos))
		}
		r.advance()
		r.mark(t.pos, placed(r.at(t), &ast.Param{N: n}))
		indirect = true
	case punctuation:
		if !t.is("(") {
			r.unexpected()
			break
		}
		indirect = r.parenthesis()
	case quoted:
		if r.typedLiteralAhead() {
			r.typedLiteral()
		} else {
			indirect = r.nameOrCall()
		}
	case identifier:
		indirect = r.word()
	default:
		r.unexpected()
	}
	r.postfix(start, indirect)
}

// literal writes the current token as a constant.
func (r *rewriter) literal(k ast.LiteralKind, text string) {
	t := r.cur()
	r.advance()
	r.mark(t.pos, placed(r.at(t), &ast.Literal{Kind: k, Text: text}))
}

// parenthesis writes ( query ), ( expression ) or a row. The parentheses around
// an expression are not kept: every operator gets its own. It reports whether
// subscripts may follow.
func (r *rewriter) parenthesis() bool {
	t := r.cur()
	if r.queryAhead(r.i) {
		r.subquery()
		return true
	}
	r.advance()
	start := r.nextPiece()
	r.expr()
	row := r.cur().is(",")
	if row {
		pos := r.at(t)
		r.openCall(start, t.pos, buildExpr(func(a []ast.Expr) ast.Expr { return placed(pos, &ast.RowExpr{Elems: a}) }))
		for r.acceptSymbol(",") {
			r.emit(",", t.pos)
			r.expr()
		}
		r.emit(")", t.pos)
	}
	r.expectSymbol(")")
	return !row
}

// postfix writes casts around what begins at piece start, and subscripts and
// fields while indirect.
func (r *rewriter) postfix(start int32, indirect bool) {
	count, chained := 0, false
	for {
		t := r.cur()
		pos := r.at(t)
		subscript := t.is("[") && indirect
		switch {
		case t.is("::"):
			r.advance()
			indirect = false
			ty := r.typeName()
			r.openCall(start, t.pos, buildExpr(func(a []ast.Expr) ast.Expr { return placed(pos, &ast.Cast{X: a[0], Type: ty}) }))
		case subscript:
			r.subscript(start, chained)
		case t.is(".") && indirect && (r.peek(1).isName() || r.peek(1).is("*")):
			r.advance()
			var field ast.Name
			if !r.acceptSymbol("*") {
				field = r.label()
			}
			r.openCall(start, t.pos, buildExpr(func(a []ast.Expr) ast.Expr { return placed(pos, &ast.FieldAccess{X: a[0], Field: field}) }))
		default:
			r.height += count
			return
		}
		r.emit(")", t.pos)
		chained = subscript
		if count++; count > heightMax {
			r.tooComplex()
		}
	}
}

// subscript writes [i] or [lo:hi] up to but without the closing parenthesis;
// chained says that another one stands right before it.
func (r *rewriter) subscript(start int32, chained bool) {
	t := r.cur()
	r.advance()
	pos, lower, upper, slice := r.at(t), false, false, false
	r.openCall(start, t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
		take := taker{a}
		s := placed(pos, &ast.Subscript{X: take.one(), Slice: slice, Chained: chained})
		if lower {
			s.Index = take.one()
		}
		if upper {
			s.Upper = take.one()
		}
		return s
	}))
	if !r.cur().is(":") {
		lower = true
		r.emit(",", t.pos)
		r.expr()
	}
	if r.acceptSymbol(":") {
		slice = true
		if upper = !r.cur().is("]"); upper {
			r.emit(",", t.pos)
			r.expr()
		}
	}
	r.expectSymbol("]")
}

// word writes an operand that begins with an unquoted word. It reports whether
// subscripts may follow.
func (r *rewriter) word() bool {
	t, next := r.cur(), r.peek(1)
	switch t.text {
	case "null":
		r.literal(ast.NullLiteral, "")
	case "true", "false":
		r.literal(ast.BoolLiteral, t.text)
	case "default":
		r.advance()
		r.mark(t.pos, placed(r.at(t), &ast.Default{}))
	case "case":
		r.caseExpr()
	case "exists":
		r.exists()
	case "array":
		r.array()
	case "interval":
		if next.kind != stringLiteral && !(next.is("(") && r.peek(2).kind == integerNumber && r.peek(4).kind == stringLiteral) {
			if next.kind == integerNumber {
				r.advance()
				r.unexpectedHint("Write the amount as a string: INTERVAL '%s' %s.", next.text, r.src[r.peek(1).pos:r.peek(1).end])
				return false
			}
			return r.nameOrCall()
		}
		r.interval()
	case "map":
		if next.is("[") {
			r.unsupported(t, "MAP[…]")
			return false
		}
		return r.nameOrCall()
	default:
		switch {
		case r.typedLiteralAhead():
			r.typedLiteral()
		case next.is("(") && r.specialForm():
		case !next.is("(") && r.valueFunction():
		default:
			return r.nameOrCall()
		}
	}
	return false
}

// caseExpr is native in TiDB.
func (r *rewriter) caseExpr() {
	t := r.cur()
	r.advance()
	r.emit("CASE", t.pos)
	if !r.cur().isWord("when") {
		r.expr()
	}
	if !r.cur().isWord("when") {
		r.unexpected()
	}
	for r.accept("when") {
		r.emit("WHEN", t.pos)
		r.expr()
		r.expect("then")
		r.emit("THEN", t.pos)
		r.expr()
	}
	if r.accept("else") {
		r.emit("ELSE", t.pos)
		r.expr()
	}
	r.expect("end")
	r.emit("END", t.pos)
}

func (r *rewriter) exists() {
	t := r.cur()
	r.advance()
	if !r.queryAhead(r.i) || !r.cur().is("(") {
		r.unexpected()
		return
	}
	pos := r.at(t)
	r.markCall(t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
		sub, _ := a[0].(*ast.Subquery)
		return placed(pos, &ast.Exists{Query: sub.Query})
	}))
	r.subquery()
	r.emit(")", t.pos)
}

// array writes ARRAY[…] and ARRAY(query).
func (r *rewriter) array() {
	t := r.cur()
	r.advance()
	if r.cur().is("[") {
		r.arrayElements(t)
		return
	}
	if !r.cur().is("(") || !r.queryAhead(r.i) {
		r.unexpected()
		return
	}
	pos := r.at(t)
	r.markCall(t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
		sub, _ := a[0].(*ast.Subquery)
		return placed(pos, &ast.Subquery{Query: sub.Query, Array: true})
	}))
	r.subquery()
	r.emit(")", t.pos)
}

func (r *rewriter) arrayElements(t *token) {
	r.enter()
	defer r.leave()
	pos := r.at(t)
	r.markCall(t.pos, buildExpr(func(a []ast.Expr) ast.Expr { return placed(pos, &ast.ArrayExpr{Elems: a}) }))
	r.expectSymbol("[")
	l := list{r: r}
	for !r.cur().is("]") {
		l.next()
		if r.cur().is("[") {
			r.arrayElements(r.cur())
		} else {
			r.expr()
		}
		if !r.acceptSymbol(",") {
			break
		}
	}
	r.expectSymbol("]")
	r.emit(")", t.pos)
}

// interval writes INTERVAL 'text' [fields] [(p)] or INTERVAL(p) 'text'.
func (r *rewriter) interval() {
	t := r.cur()
	r.advance()
	x := placed(r.at(t), &ast.IntervalLiteral{Precision: r.intervalPrecision()})
	x.Text = r.text()
	x.Fields = r.intervalFields()
	if p := r.intervalPrecision(); p >= 0 {
		x.Precision = p
	}
	r.mark(t.pos, x)
}

// typedLiteralAhead reports whether a type and then a string come next.
func (r *rewriter) typedLiteralAhead() bool {
	n := 1
	switch t := r.cur(); t.text {
	case "double":
		if r.peek(n).isWord("precision") {
			n++
		}
	case "character", "char", "bit":
		if r.peek(n).isWord("varying") {
			n++
		}
	case "time", "timestamp", "timestamptz", "timetz", "varchar", "numeric", "decimal", "dec", "float":
	default:
		for r.peek(n).is(".") && r.peek(n+1).isName() {
			n += 2
		}
		return r.peek(n).kind == stringLiteral && ast.Keyword(t.text) != ast.ReservedKeyword
	}
	if r.peek(n).is("(") && r.peek(n+1).kind == integerNumber && r.peek(n).match > 0 {
		n = r.peek(n).match + 1 - r.i
	}
	if r.peek(n).isAny("with", "without") && r.peek(n+1).isWord("time") && r.peek(n+2).isWord("zone") {
		n += 3
	}
	return r.peek(n).kind == stringLiteral
}

func (r *rewriter) typedLiteral() {
	t := r.cur()
	ty := r.typeName()
	value := r.cur()
	if ty.Name == "interval" && ty.ArrayDims == 0 {
		x := placed(r.at(t), &ast.IntervalLiteral{Text: r.text(), Fields: ty.Interval, Precision: -1})
		if len(ty.Modifiers) > 0 {
			x.Precision = ty.Modifiers[0]
		}
		r.mark(t.pos, x)
		return
	}
	x := placed(r.at(value), &ast.Literal{Kind: ast.StringLiteral, Text: r.text()})
	r.mark(t.pos, placed(r.at(t), &ast.Cast{X: x, Type: ty, Typed: true}))
}

// valueFunctionAhead reports whether one of the functions stands next that are
// called without parentheses.
func (r *rewriter) valueFunctionAhead() bool {
	t := r.cur()
	switch t.text {
	case "current_timestamp", "current_date", "current_time", "localtimestamp", "localtime", "current_user", "current_role",
		"session_user", "current_catalog", "current_schema", "user":
		return t.kind == identifier && !r.peek(1).is(".") && !r.peek(1).is("(")
	}
	return false
}

// valueFunction writes the functions that are called without parentheses.
func (r *rewriter) valueFunction() bool {
	t := r.cur()
	if !r.valueFunctionAhead() {
		return false
	}
	r.advance()
	pos := r.at(t)
	r.mark(t.pos, placed(pos, &ast.Call{Name: pathAt(pos, t.text), Form: "keyword"}))
	return true
}

// nameOrCall writes a name, t.*, or a function call. It reports whether it was a
// name.
func (r *rewriter) nameOrCall() bool {
	t := r.cur()
	if t.kind == identifier {
		class := ast.Keyword(t.text)
		if class == ast.ReservedKeyword || class == ast.FunctionKeyword && !r.peek(1).is("(") {
			r.noName()
			return false
		}
	}
	path := ast.Path{r.label()}
	for r.cur().is(".") && r.peek(1).isName() {
		r.advance()
		path = append(path, r.label())
	}
	switch {
	case r.cur().is("("):
		r.call(t, path)
	case r.cur().is(".") && r.peek(1).is("*"):
		r.advance()
		r.advance()
		r.mark(t.pos, placed(r.at(t), &ast.Star{Qualifier: path}))
	case r.cur().is("."):
		r.advance()
		r.unexpected()
	default:
		r.mark(t.pos, placed(r.at(t), &ast.ColumnRef{Path: path}))
		return true
	}
	return false
}
