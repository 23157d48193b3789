package parse

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

func (p *parser) insert() ast.Statement {
	if s := p.insertInto(); s != nil {
		return s
	}
	return nil
}

// insertInto takes INSERT INTO ….
func (p *parser) insertInto() *ast.Insert {
	s := placed(p.here(), &ast.Insert{})
	p.expect("insert")
	for p.cur().kind == hint {
		s.Hints = append(s.Hints, p.hints()...)
	}
	if p.cur().isWord("overwrite") {
		p.unsupported(p.cur(), "INSERT OVERWRITE")
	}
	p.expect("into")
	s.Target = p.path()
	if p.accept("as") {
		name := p.name()
		s.Alias = &name
	}
	if p.cur().is("(") && !p.queryAhead(p.i) {
		s.Columns = p.names()
	}
	if p.accept("overriding") {
		s.Overriding = p.acceptAny("system", "user")
		if s.Overriding == "" {
			p.unexpected()
		}
		p.expect("value")
	}
	if !p.accept("default", "values") {
		s.Query = p.query()
	}
	if p.cur().isWord("on") {
		s.OnConflict = p.onConflict()
	}
	s.Returning = p.returning()
	return s
}

// onConflict takes ON CONFLICT [(cols) [WHERE …]] DO NOTHING | DO UPDATE SET ….
func (p *parser) onConflict() *ast.OnConflict {
	c := &ast.OnConflict{At: ast.At{Pos: p.here()}}
	p.expect("on", "conflict")
	switch {
	case p.accept("on", "constraint"):
		c.Constraint = p.name().Value
	case p.cur().is("("):
		c.Columns = p.names()
		if p.accept("where") {
			c.Predicate = p.expr()
		}
	}
	p.expect("do")
	if p.accept("nothing") {
		return c
	}
	p.expect("update", "set")
	c.DoUpdate = true
	if c.Columns == nil && c.Constraint == "" {
		p.fail(pgerr.New(pgerr.SyntaxError, "ON CONFLICT DO UPDATE requires inference specification or constraint name").
			At(int(c.Pos)).Hint("For example, ON CONFLICT (column_name)."))
	}
	c.Set = p.assignments()
	if p.accept("where") {
		c.Where = p.expr()
	}
	return c
}

// assignments takes col = x, (a, b) = row, ….
func (p *parser) assignments() []ast.Assignment {
	var list []ast.Assignment
	for {
		a := ast.Assignment{At: ast.At{Pos: p.here()}}
		if p.acceptSymbol("(") {
			for more := true; more; more = p.acceptSymbol(",") {
				a.Targets = append(a.Targets, p.target())
			}
			p.expectSymbol(")")
		} else {
			a.Targets = []ast.Target{p.target()}
		}
		p.expectSymbol("=")
		a.X = p.expr()
		list = append(list, a)
		if !p.acceptSymbol(",") {
			return list
		}
	}
}

// target takes a column with the subscripts and fields of a part of it.
func (p *parser) target() ast.Target {
	t := ast.Target{Name: p.name()}
	for {
		var part ast.TargetPart
		switch {
		case p.cur().is("["):
			part.Subscript = p.bounds()
		case p.acceptSymbol("."):
			part.Field = p.name()
		default:
			return t
		}
		if len(t.Parts) == heightMax {
			p.tooComplex()
		}
		t.Parts = append(t.Parts, part)
	}
}

// bounds takes [i] or [lo:hi].
func (p *parser) bounds() *ast.Subscript {
	s := placed(p.here(), &ast.Subscript{})
	p.expectSymbol("[")
	if !p.cur().is(":") {
		s.Index = p.expr()
	}
	if p.acceptSymbol(":") {
		s.Slice = true
		if !p.cur().is("]") {
			s.Upper = p.expr()
		}
	}
	p.expectSymbol("]")
	return s
}

// returning takes [RETURNING items], by way of a SELECT of them.
func (p *parser) returning() []ast.SelectItem {
	if !p.cur().isWord("returning") {
		return nil
	}
	p.advance()
	r := newRewriter(p.cursor)
	if r.selectListEnds() {
		p.unexpected()
		return nil
	}
	sel := &ast.Select{}
	r.emit("SELECT", p.cur().pos)
	r.markCall(p.cur().pos, &selectHead{sel: sel, fill: func([]ast.Expr) {}})
	r.emit(")", p.cur().pos)
	r.selectItems()
	r.finish()
	return sel.Items
}

// tables takes the list of FROM or USING in UPDATE and DELETE.
func (p *parser) tables() []ast.TableExpr {
	r := newRewriter(p.cursor)
	sel := &ast.Select{}
	r.emit("SELECT", p.cur().pos)
	r.markCall(p.cur().pos, &selectHead{sel: sel, fill: func([]ast.Expr) {}})
	r.emit(") FROM", p.cur().pos)
	r.tableList()
	r.finish()
	return sel.From
}

// targetAlias takes [[AS] name] after the target of UPDATE and DELETE.
func (p *parser) targetAlias() *ast.Name {
	if !p.accept("as") && (!isColumnName(p.cur()) || p.cur().isWord("set")) {
		return nil
	}
	name := p.name()
	return &name
}

func (p *parser) update() ast.Statement {
	s := placed(p.here(), &ast.Update{})
	p.expect("update")
	p.accept("only")
	s.Target = p.path()
	s.Alias = p.targetAlias()
	p.expect("set")
	s.Set = p.assignments()
	if p.accept("from") {
		s.From = p.tables()
	}
	s.Where = p.where()
	s.Returning = p.returning()
	return s
}

func (p *parser) where() ast.Expr {
	if !p.accept("where") {
		return nil
	}
	if p.ahead("current", "of") {
		p.unsupported(p.cur(), "WHERE CURRENT OF")
		return nil
	}
	return p.expr()
}

func (p *parser) delete() ast.Statement {
	s := placed(p.here(), &ast.Delete{})
	p.expect("delete", "from")
	p.accept("only")
	s.Target = p.path()
	s.Alias = p.targetAlias()
	if p.accept("using") {
		s.Using = p.tables()
	}
	s.Where = p.where()
	s.Returning = p.returning()
	return s
}

func (p *parser) merge() ast.Statement {
	s := placed(p.here(), &ast.Merge{})
	p.expect("merge")
	if !p.cur().isWord("into") {
		p.unexpected()
	}
	s.Rest = p.rest()
	return s
}

func (p *parser) truncate() ast.Statement {
	s := placed(p.here(), &ast.Truncate{})
	p.expect("truncate")
	p.accept("table")
	s.Names = p.paths()
	if s.RestartIdentity = p.accept("restart", "identity"); !s.RestartIdentity {
		p.accept("continue", "identity")
	}
	p.acceptAny("cascade", "restrict")
	return s
}

// copyStatement takes COPY t|(query or change) FROM|TO STDIN|STDOUT|'file' ….
func (p *parser) copyStatement() ast.Statement {
	s := placed(p.here(), &ast.Copy{})
	p.expect("copy")
	if p.cur().is("(") {
		switch next := p.peek(1); {
		case next.isWord("subscribe"):
			p.advance()
			s.Query = p.subscribe()
			p.expectSymbol(")")
		case next.isAny("insert", "update", "delete"):
			p.advance()
			s.Query = p.statement()
			p.expectSymbol(")")
		default:
			p.expectSymbol("(")
			if q := p.query(); q != nil {
				s.Query = q
			}
			p.expectSymbol(")")
		}
	} else {
		s.Relation = p.path()
		if p.cur().is("(") {
			s.Columns = p.names()
		}
	}
	t := p.cur()
	s.From = p.acceptAny("from", "to") == "from"
	if !t.isAny("from", "to") || s.From && s.Query != nil {
		p.fail(p.near(t))
	}
	switch {
	case p.cur().kind == stringLiteral:
		s.File = p.text()
	case p.cur().isWord("program"):
		p.unsupported(p.cur(), "COPY … PROGRAM")
	case p.acceptAny("stdin", "stdout") == "":
		p.unexpected()
	}
	p.copyOptions(s)
	if t := p.cur(); p.accept("where") {
		if !s.From {
			p.fail(pgerr.New(pgerr.SyntaxError, "WHERE clause not allowed with COPY TO").At(t.pos))
		}
		s.Where = p.expr()
	}
	return s
}

// copyOptions takes [WITH] (format csv, …) or the older list of words.
func (p *parser) copyOptions(s *ast.Copy) {
	p.accept("with")
	if p.cur().is("(") {
		p.advance()
		for !p.cur().is(")") {
			s.Options = append(s.Options, p.copyOption())
			if !p.acceptSymbol(",") {
				break
			}
		}
		p.expectSymbol(")")
		return
	}
	for {
		pos := p.here()
		word := func(name, value string) {
			x := placed(pos, &ast.Literal{Kind: ast.StringLiteral, Text: value})
			s.Options = append(s.Options, ast.Option{At: ast.At{Pos: pos}, Name: name, Value: x})
		}
		switch {
		case p.accept("binary"):
			word("format", "binary")
		case p.accept("csv"):
			word("format", "csv")
		case p.accept("header"):
			word("header", "true")
		case p.cur().isWord("force"):
			s.Options = append(s.Options, p.forceOption())
		case p.cur().isAny("delimiter", "delimiters", "null", "quote", "escape", "encoding"):
			name := p.label().Value
			p.accept("as")
			if name == "delimiters" {
				name = "delimiter"
			}
			word(name, p.text())
		default:
			return
		}
	}
}

// copyOption takes one option of the parenthesised list, such as FORCE_QUOTE (a, b).
func (p *parser) copyOption() ast.Option {
	o := ast.Option{At: ast.At{Pos: p.here()}, Name: p.label().Value}
	switch t := p.cur(); {
	case t.is(",") || t.is(")"):
	case t.is("*"):
		p.advance()
		o.Value = placed(p.at(t), &ast.Star{})
	case t.is("("):
		o.Value = columnRow(p.at(t), p.names())
	default:
		o.Value = p.simpleValue()
	}
	return o
}

// forceOption takes FORCE QUOTE columns|*, FORCE NOT NULL columns or FORCE NULL
// columns of the older list of words.
func (p *parser) forceOption() ast.Option {
	o := ast.Option{At: ast.At{Pos: p.here()}}
	p.expect("force")
	switch {
	case p.accept("not", "null"):
		o.Name = "force_not_null"
	case p.accept("null"):
		o.Name = "force_null"
	default:
		p.expect("quote")
		o.Name = "force_quote"
	}
	t := p.cur()
	if o.Name == "force_quote" && p.acceptSymbol("*") {
		o.Value = placed(p.at(t), &ast.Star{})
		return o
	}
	var names []ast.Name
	for more := true; more; more = p.acceptSymbol(",") {
		names = append(names, p.name())
	}
	o.Value = columnRow(p.at(t), names)
	return o
}

func columnRow(pos ast.Pos, names []ast.Name) *ast.RowExpr {
	row := placed(pos, &ast.RowExpr{})
	for _, n := range names {
		row.Elems = append(row.Elems, placed(n.Pos, &ast.ColumnRef{Path: ast.Path{n}}))
	}
	return row
}
