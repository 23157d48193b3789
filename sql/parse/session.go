package parse

import (
	"strings"

	"github.com/millrace/millrace/sql/ast"
)

// transaction takes BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK and ABORT;
// ROLLBACK TO is a TransactionSavepoint.
func (p *parser) transaction() ast.Statement {
	pos, t := p.here(), p.cur()
	p.advance()
	verb := map[string]string{"start": "begin", "end": "commit", "abort": "rollback"}[t.text]
	if verb == "" {
		verb = t.text
	}
	s := placed(pos, &ast.Transaction{Verb: verb, Start: t.text == "start"})
	switch t.text {
	case "start":
		p.expect("transaction")
	default:
		p.acceptAny("work", "transaction")
	}
	switch verb {
	case "begin":
		s.Modes = p.transactionModes()
	case "rollback":
		if p.accept("to") {
			p.accept("savepoint")
			return placed(pos, &ast.TransactionSavepoint{Verb: "rollback to", Name: p.name()})
		}
		fallthrough
	default:
		if p.accept("and") {
			s.Chain = !p.accept("no")
			p.expect("chain")
		}
		if t := p.cur(); t.isWord("prepared") {
			p.unsupported(t, "two-phase commit")
		}
	}
	return s
}

// transactionModes takes ISOLATION LEVEL …, READ ONLY, … and gives them back in
// lower case.
func (p *parser) transactionModes() string {
	var modes []string
	for {
		from := p.i
		switch {
		case p.accept("isolation", "level"):
			switch {
			case p.accept("serializable"), p.accept("repeatable", "read"), p.accept("read", "committed"), p.accept("read", "uncommitted"):
			default:
				p.unexpected()
			}
		case p.accept("read", "only"), p.accept("read", "write"), p.accept("deferrable"), p.accept("not", "deferrable"):
		default:
			return strings.Join(modes, ", ")
		}
		if p.err == nil {
			words := make([]string, 0, 4)
			for _, t := range p.toks[from:p.i] {
				words = append(words, t.text)
			}
			modes = append(modes, strings.Join(words, " "))
		}
		p.acceptSymbol(",")
	}
}

// savepoint takes SAVEPOINT x, RELEASE [SAVEPOINT] x, and SAVEPOINT JOB j ….
func (p *parser) savepoint() ast.Statement {
	pos := p.here()
	if p.accept("release") {
		p.accept("savepoint")
		return placed(pos, &ast.TransactionSavepoint{Verb: "release", Name: p.name()})
	}
	p.expect("savepoint")
	if !p.cur().isWord("job") || !isColumnName(p.peek(1)) {
		return placed(pos, &ast.TransactionSavepoint{Verb: "savepoint", Name: p.name()})
	}
	p.advance()
	s := placed(pos, &ast.CreateSavepoint{Job: p.name()})
	if p.accept("as") {
		s.Name = p.savepointName()
	}
	p.savepointTarget(s)
	return s
}

// set takes SET ….
func (p *parser) set() ast.Statement {
	s := placed(p.here(), &ast.Set{})
	p.expect("set")
	if p.ahead("session", "session") {
		p.advance()
	}
	switch {
	case p.ahead("session", "characteristics"):
		p.accept("session", "characteristics")
		p.expect("as", "transaction")
		s.Name = "session characteristics"
		s.Values = p.modesValue()
		return s
	case p.peek(1).isAny("authorization") && p.cur().isWord("session"):
		p.accept("session", "authorization")
		s.Name = "session authorization"
		p.roleValue(s)
		return s
	case p.accept("local"):
		s.Local = true
	case p.cur().isWord("session") && !p.peek(1).is("=") && !p.peek(1).isWord("to"):
		p.advance()
	}
	switch {
	case p.accept("transaction"):
		s.Name = "transaction"
		s.Values = p.modesValue()
	case p.accept("time", "zone"):
		s.Name = "timezone"
		p.timeZone(s)
	case p.cur().isWord("role") && !p.peek(1).is("=") && !p.peek(1).isWord("to"):
		p.advance()
		s.Name = "role"
		p.roleValue(s)
	case p.accept("names"):
		s.Name = "client_encoding"
		if s.Default = p.atEnd() || p.accept("default"); !s.Default {
			s.Values = []ast.Expr{p.simpleValue()}
		}
	case p.accept("schema"):
		s.Name = "search_path"
		s.Values = []ast.Expr{p.simpleValue()}
	case p.accept("constraints"):
		p.unsupported(p.cur(), "SET CONSTRAINTS")
	default:
		s.Name = p.settingName()
		p.settingValue(s)
	}
	return s
}

// settingName takes the name of a session variable, in lower case.
func (p *parser) settingName() string {
	return strings.ToLower(p.optionName())
}

// settingValue takes = or TO, then DEFAULT or values.
func (p *parser) settingValue(s *ast.Set) {
	if !p.acceptSymbol("=") && !p.accept("to") {
		p.unexpected()
		return
	}
	if p.accept("default") {
		s.Default = true
		return
	}
	for {
		s.Values = append(s.Values, p.optionValue())
		if !p.acceptSymbol(",") {
			return
		}
	}
}

func (p *parser) modesValue() []ast.Expr {
	pos, t := p.here(), p.cur()
	modes := p.transactionModes()
	if modes == "" {
		p.fail(p.near(t))
	}
	return []ast.Expr{placed(pos, &ast.Literal{Kind: ast.StringLiteral, Text: modes})}
}

func (p *parser) timeZone(s *ast.Set) {
	switch {
	case p.accept("default"), p.cur().isWord("local") && p.accept("local"):
		s.Default = true
	case p.cur().isWord("interval"):
		s.Values = []ast.Expr{p.expr()}
	default:
		s.Values = []ast.Expr{p.simpleValue()}
	}
}

func (p *parser) roleValue(s *ast.Set) {
	if s.Default = p.accept("none") || p.accept("default"); !s.Default {
		s.Values = []ast.Expr{p.simpleValue()}
	}
}

// reset takes RESET name|ALL.
func (p *parser) reset() ast.Statement {
	s := placed(p.here(), &ast.Reset{})
	p.expect("reset")
	switch {
	case p.accept("time", "zone"):
		s.Name = "timezone"
	case p.accept("transaction", "isolation", "level"):
		s.Name = "transaction_isolation"
	case p.accept("session", "authorization"):
		s.Name = "session authorization"
	default:
		s.Name = p.settingName()
	}
	return s
}

func (p *parser) use() ast.Statement {
	s := placed(p.here(), &ast.Use{})
	p.expect("use")
	s.Name = p.name()
	return s
}

func (p *parser) discard() ast.Statement {
	s := placed(p.here(), &ast.Discard{})
	p.expect("discard")
	if s.What = p.acceptAny("all", "plans", "sequences", "temporary", "temp"); s.What == "" {
		p.unexpected()
	}
	return s
}

func (p *parser) listen() ast.Statement {
	s := placed(p.here(), &ast.Listen{Verb: p.cur().text})
	p.advance()
	if s.Verb == "unlisten" && p.acceptSymbol("*") {
		s.Channel = "*"
		return s
	}
	s.Channel = p.name().Value
	if s.Verb == "notify" && p.acceptSymbol(",") {
		s.Payload = p.text()
	}
	return s
}

// cancel takes CANCEL|KILL [JOB|QUERY] name.
func (p *parser) cancel() ast.Statement {
	s := placed(p.here(), &ast.Cancel{})
	p.advance()
	if s.Kind = p.acceptAny("job", "query", "session"); s.Kind == "" {
		s.Kind = "query"
	}
	switch t := p.cur(); t.kind {
	case stringLiteral, integerNumber:
		p.advance()
		s.Name = t.text
	default:
		s.Name = p.name().Value
	}
	return s
}

func (p *parser) analyze() ast.Statement {
	s := placed(p.here(), &ast.Analyze{Verb: p.cur().text})
	if s.Verb == "analyse" {
		s.Verb = "analyze"
	}
	p.advance()
	s.Rest = p.rest()
	return s
}

func (p *parser) lock() ast.Statement {
	s := placed(p.here(), &ast.Lock{})
	p.expect("lock")
	if p.atEnd() {
		p.unexpected()
	}
	s.Rest = p.rest()
	return s
}

func (p *parser) callStatement() ast.Statement {
	s := placed(p.here(), &ast.CallStatement{})
	p.expect("call")
	t := p.cur()
	call, ok := p.expr().(*ast.Call)
	if !ok {
		p.fail(p.near(t))
	}
	s.Call = call
	return s
}

func (p *parser) do() ast.Statement {
	s := placed(p.here(), &ast.Do{})
	p.expect("do")
	if p.accept("language") {
		p.label()
	}
	s.Body = p.text()
	if p.accept("language") {
		p.label()
	}
	return s
}
