package parse

import "github.com/millrace/millrace/sql/ast"

// specialForm writes the calls that have a grammar of their own, as calls of the
// functions that PostgreSQL makes of them. It reports false, and takes nothing,
// for an ordinary call.
func (r *rewriter) specialForm() bool {
	t := r.cur()
	switch t.text {
	case "cast", "try_cast":
		r.cast()
	case "row":
		r.row()
	case "extract":
		r.extract()
	case "substring":
		r.substring()
	case "position":
		r.position()
	case "overlay":
		r.overlay()
	case "trim":
		r.trim()
	case "floor", "ceil", "ceiling":
		return r.floorTo()
	case "timestampadd", "timestampdiff":
		return r.unitFirst()
	case "normalize":
		r.normalize()
	case "current_timestamp", "current_time", "localtimestamp", "localtime":
		r.form(t.text, "keyword", func(l *list) { l.expr() })
	case "treat", "xmlelement", "xmlforest", "xmlparse", "xmlpi", "xmlroot", "xmlserialize":
		r.unsupported(t, t.text)
	default:
		return false
	}
	return true
}

// form writes a call of the named function whose arguments body writes. The form
// is dropped when body says that the call was an ordinary one.
func (r *rewriter) form(name, form string, body func(l *list)) *ast.Call {
	t := r.cur()
	pos := r.at(t)
	c := placed(pos, &ast.Call{Name: pathAt(pos, name), Form: form})
	r.markCall(t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
		c.Args = a
		return c
	}))
	r.advance()
	r.expectSymbol("(")
	body(&list{r: r})
	r.expectSymbol(")")
	r.emit(")", t.pos)
	return c
}

// word writes a word as a string argument.
func (l *list) word(t *token) {
	l.next()
	l.r.mark(t.pos, placed(l.r.at(t), &ast.Literal{Kind: ast.StringLiteral, Text: t.text}))
	l.r.advance()
}

// integer writes an argument that the form leaves out.
func (l *list) integer(text string) {
	l.next()
	t := l.r.cur()
	l.r.mark(t.pos, placed(l.r.at(t), &ast.Literal{Kind: ast.IntegerLiteral, Text: text}))
}

func (r *rewriter) cast() {
	t := r.cur()
	r.advance()
	r.expectSymbol("(")
	var ty ast.TypeName
	pos, try := r.at(t), t.text == "try_cast"
	r.markCall(t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
		return placed(pos, &ast.Cast{X: a[0], Type: ty, Try: try})
	}))
	r.expr()
	r.expect("as")
	ty = r.typeName()
	r.expectSymbol(")")
	r.emit(")", t.pos)
}

func (r *rewriter) row() {
	t := r.cur()
	r.advance()
	pos := r.at(t)
	r.markCall(t.pos, buildExpr(func(a []ast.Expr) ast.Expr { return placed(pos, &ast.RowExpr{Elems: a, Explicit: true}) }))
	r.expectSymbol("(")
	l := list{r: r}
	for !r.cur().is(")") {
		l.expr()
		if !r.acceptSymbol(",") {
			break
		}
	}
	r.expectSymbol(")")
	r.emit(")", t.pos)
}

// extract is EXTRACT(field FROM x).
func (r *rewriter) extract() {
	r.form("extract", "extract", func(l *list) {
		if t := r.cur(); !t.isName() && t.kind != stringLiteral {
			r.unexpected()
			return
		}
		l.word(r.cur())
		r.expect("from")
		l.expr()
	})
}

// substring is SUBSTRING(x FROM a FOR b) or SIMILAR, or an ordinary call.
func (r *rewriter) substring() {
	ordinary, similar := false, false
	c := r.form("substring", "substring", func(l *list) {
		l.expr()
		switch {
		case r.accept("from"):
			l.expr()
			if r.accept("for") {
				l.expr()
			}
		case r.accept("for"):
			l.integer("1")
			l.expr()
			if r.cur().isWord("from") {
				r.unexpectedHint("Write FROM before FOR.")
			}
		case r.accept("similar"):
			l.expr()
			r.expect("escape")
			l.expr()
			similar = true
		default:
			ordinary = true
			r.moreArguments(l)
		}
	})
	if similar {
		c.Form = "substring similar"
	}
	if ordinary {
		c.Form = ""
	}
}

func (r *rewriter) moreArguments(l *list) {
	for r.acceptSymbol(",") {
		l.expr()
	}
}

// position is POSITION(a IN b), which is position(b, a).
func (r *rewriter) position() {
	t := r.cur()
	pos := r.at(t)
	c := placed(pos, &ast.Call{Name: pathAt(pos, "position")})
	r.markCall(t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
		c.Args = a
		if c.Form != "" {
			c.Args = []ast.Expr{a[1], a[0]}
		}
		return c
	}))
	r.advance()
	r.expectSymbol("(")
	l := &list{r: r}
	l.next()
	r.climb(precOther)
	if r.accept("in") {
		c.Form = "position"
		l.next()
		r.climb(precOther)
	} else {
		r.moreArguments(l)
	}
	r.expectSymbol(")")
	r.emit(")", t.pos)
}

// overlay is OVERLAY(x PLACING y FROM a [FOR b]), or an ordinary call.
func (r *rewriter) overlay() {
	ordinary := false
	c := r.form("overlay", "overlay", func(l *list) {
		l.expr()
		if !r.accept("placing") {
			ordinary = true
			r.moreArguments(l)
			return
		}
		l.expr()
		r.expect("from")
		l.expr()
		if r.accept("for") {
			l.expr()
		}
	})
	if ordinary {
		c.Form = ""
	}
}

// trim is TRIM([BOTH|LEADING|TRAILING] [chars FROM] x), which is btrim, ltrim or
// rtrim with the characters last.
func (r *rewriter) trim() {
	t := r.cur()
	pos := r.at(t)
	c := placed(pos, &ast.Call{Form: "trim"})
	charsFirst := false
	r.markCall(t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
		if charsFirst {
			a = append(a[1:len(a):len(a)], a[0])
		}
		c.Args = a
		return c
	}))
	r.advance()
	r.expectSymbol("(")
	side := r.acceptAny("both", "leading", "trailing")
	c.Name = pathAt(pos, map[string]string{"": "btrim", "both": "btrim", "leading": "ltrim", "trailing": "rtrim"}[side])
	l := &list{r: r}
	if !r.accept("from") {
		l.expr()
		if r.accept("from") {
			charsFirst = true
			l.expr()
		}
	} else {
		l.expr()
	}
	r.moreArguments(l)
	r.expectSymbol(")")
	r.emit(")", t.pos)
}

// floorTo is FLOOR(ts TO unit), or an ordinary call.
func (r *rewriter) floorTo() bool {
	open := r.peek(1)
	if open.match < 2 || !r.toks[open.match-2].isWord("to") || !r.toks[open.match-1].isName() {
		return false
	}
	r.form(r.cur().text, "floor to", func(l *list) {
		l.expr()
		r.expect("to")
		l.word(r.cur())
	})
	return true
}

// unitFirst is a call whose first argument is a word, such as
// TIMESTAMPADD(DAY, 1, ts), or an ordinary call.
func (r *rewriter) unitFirst() bool {
	if !r.peek(2).isName() || !r.peek(3).is(",") {
		return false
	}
	r.form(r.cur().text, "unit first", func(l *list) {
		l.word(r.cur())
		r.moreArguments(l)
	})
	return true
}

func (r *rewriter) normalize() {
	r.form("normalize", "", func(l *list) {
		l.expr()
		if r.cur().is(",") && r.peek(1).isAny("nfc", "nfd", "nfkc", "nfkd") {
			r.advance()
			l.word(r.cur())
		}
	})
}
