package parse

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

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

// ShowLists are what SHOW lists all of.
func ShowLists() []string {
	return []string{"jobs", "tables", "sources", "sinks", "views", "materialized views", "indexes", "databases", "schemas", "functions",
		"secrets", "connections", "savepoints", "roles", "users", "cursors", "sessions"}
}

// showList takes SHOW TABLES and its like, with FROM|IN schema and LIKE.
func (p *parser) showList(s *ast.Show) bool {
	words := 1
	kind := p.cur().text
	if p.ahead("materialized", "views") {
		words, kind = 2, "materialized views"
	}
	if !slices.Contains(ShowLists(), kind) {
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
		if o.Name == "analyse" {
			o.Name = "analyze"
		}
		if !p.cur().is(",") && !p.cur().is(")") {
			o.Value = p.simpleValue()
		}
		p.explainOption(s, o)
		if o.Name != "analyze" {
			list = append(list, o)
		}
		if !p.acceptSymbol(",") {
			break
		}
	}
	p.expectSymbol(")")
	for _, o := range list {
		if on, _ := ast.Switch(o.Value); on && !s.Analyze && (o.Name == "wal" || o.Name == "timing") {
			p.fail(pgerr.New(pgerr.InvalidParameterValue, "EXPLAIN option %s requires ANALYZE", upper(o.Name)).At(p.base + int(o.Pos)))
		}
	}
	return list
}

// explainOption checks an option of EXPLAIN.
func (p *parser) explainOption(s *ast.Explain, o ast.Option) {
	at := p.base + int(o.Pos)
	switch o.Name {
	case "analyze", "verbose", "costs", "buffers", "wal", "settings", "timing", "summary":
		on, ok := ast.Switch(o.Value)
		if !ok {
			p.fail(pgerr.New(pgerr.SyntaxError, "%s requires a Boolean value", o.Name).At(at))
		}
		if o.Name == "analyze" {
			s.Analyze = on
		}
	case "format":
		switch word := strings.ToLower(ast.Word(o.Value)); word {
		case "text":
		case "xml", "json", "yaml":
			p.fail(pgerr.NotSupported(at, "EXPLAIN (FORMAT "+upper(word)+")").Hint("The plan is told as text."))
		case "":
			p.fail(pgerr.New(pgerr.SyntaxError, "format requires a parameter").At(at))
		default:
			p.fail(pgerr.New(pgerr.InvalidParameterValue, `unrecognized value for EXPLAIN option "format": "%s"`, word).At(at))
		}
	default:
		p.fail(pgerr.New(pgerr.SyntaxError, "unrecognized EXPLAIN option %q", o.Name).At(at).
			Hint("EXPLAIN takes ANALYZE, VERBOSE, COSTS, BUFFERS, WAL, SETTINGS, TIMING, SUMMARY and FORMAT TEXT."))
	}
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
