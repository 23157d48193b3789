package parse

import "github.com/millrace/millrace/sql/ast"

// show takes SHOW ….
func (p *parser) show() ast.Statement {
	s := placed(p.here(), &ast.Show{})
	p.expect("show")
	switch {
	case p.accept("create"):
		s.Kind = "create"
		kind, ok := p.relationKind()
		if !ok {
			p.unexpectedHint("Write SHOW CREATE TABLE name, or the kind that it is.")
		}
		s.Object = kind
		s.Name = p.path()
	case p.cur().isAny("operators", "checkpoints", "savepoints") && (p.peek(1).isWord("for") || p.ahead("savepoints") && p.endsAt(1)):
		s.Kind = p.label().Value
		if p.accept("for", "job") {
			name := p.name()
			s.Job = &name
		} else if !p.atEnd() {
			p.expect("for", "job")
		}
	case p.cur().isAny("columns", "indexes") && p.peek(1).isAny("from", "in", "on"):
		s.Kind = p.label().Value
		p.advance()
		s.Name = p.path()
	case p.showList(s):
	default:
		p.showVariable(s)
	}
	return s
}

// endsAt reports whether the statement ends n tokens on.
func (p *parser) endsAt(n int) bool {
	t := p.peek(n)
	return t.kind == endOfInput || t.is(";")
}

// showList takes SHOW TABLES and its like, with FROM|IN schema and LIKE.
func (p *parser) showList(s *ast.Show) bool {
	words := 1
	kind := p.cur().text
	if p.ahead("materialized", "views") {
		words, kind = 2, "materialized views"
	}
	switch kind {
	case "jobs", "tables", "sources", "sinks", "views", "materialized views", "indexes", "databases", "schemas", "functions",
		"secrets", "connections", "savepoints", "roles", "users", "cursors", "sessions":
	default:
		return false
	}
	if next := p.peek(words); p.cur().kind != identifier || !p.endsAt(words) && !next.isAny("from", "in", "like") {
		return false
	}
	for range words {
		p.advance()
	}
	s.Kind = kind
	if p.acceptAny("from", "in") != "" {
		s.Name = p.path()
	}
	if p.accept("like") {
		s.Like = p.text()
	}
	return true
}

func (p *parser) showVariable(s *ast.Show) {
	s.Kind = "variable"
	switch {
	case p.accept("all"):
		s.Kind = "all"
	case p.accept("time", "zone"):
		s.Variable = "timezone"
	case p.accept("transaction", "isolation", "level"):
		s.Variable = "transaction_isolation"
	case p.accept("session", "authorization"):
		s.Variable = "session_authorization"
	default:
		s.Variable = p.settingName()
	}
}

// describe takes DESCRIBE [kind] name.
func (p *parser) describe() ast.Statement {
	s := placed(p.here(), &ast.Describe{})
	p.advance()
	if !p.endsAt(1) && !p.peek(1).is(".") {
		kind, ok := p.relationKind()
		if !ok {
			p.unexpected()
		}
		s.Kind = kind
	}
	s.Name = p.path()
	return s
}

// explain takes EXPLAIN [ANALYZE] [VERBOSE] [(options)] [STATE] statement, or
// EXPLAIN JOB j.
func (p *parser) explain() ast.Statement {
	s := placed(p.here(), &ast.Explain{})
	p.expect("explain")
	if p.cur().is("(") && !p.queryAhead(p.i) {
		s.Options = p.explainOptions(s)
	} else {
		if p.acceptAny("analyze", "analyse") != "" {
			s.Analyze = true
		}
		if pos := p.here(); p.accept("verbose") {
			s.Options = []ast.Option{{At: ast.At{Pos: pos}, Name: "verbose"}}
		}
	}
	s.State = p.accept("state")
	if p.cur().isWord("job") && isColumnName(p.peek(1)) && p.endsAt(2) {
		p.advance()
		name := p.name()
		s.Job = &name
		return s
	}
	t := p.cur()
	s.Statement = p.statement()
	switch s.Statement.(type) {
	case nil, *ast.Query, *ast.Insert, *ast.Update, *ast.Delete, *ast.CreateJob, *ast.CreateView, *ast.CreateRelation,
		*ast.RestoreJob, *ast.AlterJob, *ast.Subscribe, *ast.Execute, *ast.DeclareCursor, *ast.Merge:
	default:
		p.fail(p.near(t))
	}
	return s
}

func (p *parser) explainOptions(s *ast.Explain) []ast.Option {
	p.expectSymbol("(")
	var list []ast.Option
	for {
		if t := p.cur(); t.kind != identifier || ast.Keyword(t.text) != ast.Plain && !t.isAny("analyze", "analyse", "verbose") {
			p.unexpected()
		}
		o := ast.Option{At: ast.At{Pos: p.here()}, Name: p.label().Value}
		if !p.cur().is(",") && !p.cur().is(")") {
			o.Value = p.simpleValue()
		}
		switch o.Name {
		case "analyze", "analyse":
			s.Analyze = isOn(o.Value)
		default:
			list = append(list, o)
		}
		if !p.acceptSymbol(",") {
			break
		}
	}
	p.expectSymbol(")")
	return list
}

// isOn reads the value of a switch: nothing, TRUE, ON and 1 are on.
func isOn(x ast.Expr) bool {
	switch x := x.(type) {
	case nil:
		return true
	case *ast.Literal:
		return x.Text == "true" || x.Text == "1" || x.Text == "on"
	case *ast.ColumnRef:
		return joinPath(x.Path) == "on"
	}
	return false
}

// subscribe takes SUBSCRIBE [TO] relation|(query) [WITH (…)].
func (p *parser) subscribe() ast.Statement {
	s := placed(p.here(), &ast.Subscribe{})
	p.expect("subscribe")
	p.accept("to")
	if p.cur().is("(") {
		p.expectSymbol("(")
		s.Query = p.query()
		p.expectSymbol(")")
	} else {
		s.Relation = p.path()
	}
	s.Options = p.withOptions()
	return s
}
