package parse

import "github.com/millrace/millrace/sql/ast"

// prepare takes PREPARE name [(types)] AS statement.
func (p *parser) prepare() ast.Statement {
	s := placed(p.here(), &ast.Prepare{})
	p.expect("prepare")
	s.Name = p.name()
	if p.acceptSymbol("(") {
		for {
			s.Types = append(s.Types, p.typeName())
			if !p.acceptSymbol(",") {
				break
			}
		}
		p.expectSymbol(")")
	}
	p.expect("as")
	t := p.cur()
	s.Statement = p.statement()
	switch s.Statement.(type) {
	case nil, *ast.Query, *ast.Insert, *ast.Update, *ast.Delete, *ast.Merge:
	default:
		p.fail(p.near(t))
	}
	return s
}

// execute takes EXECUTE name [(args)].
func (p *parser) execute() ast.Statement {
	s := placed(p.here(), &ast.Execute{})
	p.expect("execute")
	s.Name = p.name()
	if p.acceptSymbol("(") {
		s.Args = p.exprList()
		p.expectSymbol(")")
	}
	return s
}

func (p *parser) deallocate() ast.Statement {
	s := placed(p.here(), &ast.Deallocate{})
	p.expect("deallocate")
	p.accept("prepare")
	if s.All = p.accept("all"); !s.All {
		s.Name = p.name()
	}
	return s
}

// declare takes DECLARE c [BINARY] [[NO] SCROLL] CURSOR [WITH HOLD] FOR ….
func (p *parser) declare() ast.Statement {
	s := placed(p.here(), &ast.DeclareCursor{})
	p.expect("declare")
	s.Name = p.name()
	for !p.cur().isWord("cursor") {
		switch {
		case p.accept("binary"):
			s.Binary = true
		case p.accept("scroll"):
			s.Scroll = true
		case p.accept("no", "scroll"):
			s.Modes = "no scroll"
		case p.acceptAny("insensitive", "asensitive") != "":
		default:
			p.unexpected()
			return s
		}
	}
	p.expect("cursor")
	if p.accept("with", "hold") {
		s.Hold = true
	} else {
		p.accept("without", "hold")
	}
	p.expect("for")
	if p.cur().isWord("subscribe") {
		s.Statement = p.subscribe()
	} else if q := p.query(); q != nil {
		s.Statement = q
	}
	return s
}

// fetch takes FETCH|MOVE [direction] [count] [FROM|IN] c [WITH (…)].
func (p *parser) fetch() ast.Statement {
	s := placed(p.here(), &ast.Fetch{Move: p.cur().isWord("move"), Direction: "forward", Count: 1})
	p.advance()
	if isColumnName(p.cur()) && (p.endsAt(1) || p.peek(1).isWord("with")) {
		s.Cursor = p.name()
		s.Options = p.withOptions()
		return s
	}
	switch w := p.acceptAny("next", "prior", "first", "last", "absolute", "relative", "forward", "backward"); w {
	case "":
		p.fetchCount(s)
	case "absolute", "relative":
		s.Direction = w
		s.Count = p.number()
	case "forward", "backward":
		s.Direction = w
		p.fetchCount(s)
	default:
		s.Direction = w
	}
	p.acceptAny("from", "in")
	s.Cursor = p.name()
	s.Options = p.withOptions()
	return s
}

func (p *parser) fetchCount(s *ast.Fetch) {
	switch t := p.cur(); {
	case p.accept("all"):
		s.All = true
	case t.kind == integerNumber || t.is("-") || t.is("+"):
		s.Count = p.number()
	}
}

func (p *parser) closeCursor() ast.Statement {
	s := placed(p.here(), &ast.CloseCursor{})
	p.expect("close")
	if s.All = p.accept("all"); !s.All {
		s.Name = p.name()
	}
	return s
}
