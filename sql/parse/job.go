package parse

import (
	"strings"

	"github.com/millrace/millrace/sql/ast"
)

// createJob takes what follows CREATE JOB.
func (p *parser) createJob(pos ast.Pos) ast.Statement {
	j := placed(pos, &ast.CreateJob{})
	j.IfNotExists = p.ifNotExists()
	j.Name = p.name()
	j.Options = p.withOptions()
	if p.accept("from") {
		from := p.restorePoint()
		j.From = &from
	}
	if p.accept("as") {
		j.Inserts = p.jobQuery()
	} else if j.From == nil {
		p.unexpectedHint("Write CREATE JOB name AS INSERT INTO sink SELECT …, or FROM SAVEPOINT ….")
	}
	for {
		switch {
		case j.Map == nil && p.mapAhead():
			j.Map = p.mapList()
		case j.Options == nil && p.cur().isWord("with"):
			j.Options = p.withOptions()
			if j.Options == nil {
				p.unexpected()
			}
		case p.accept("allow", "non", "restored", "state"):
			j.AllowNonRestored = true
		default:
			return j
		}
	}
}

// jobQuery takes INSERT … or BEGIN INSERT …; … END.
func (p *parser) jobQuery() []*ast.Insert {
	p.inJob = true
	defer func() { p.inJob = false }()
	if !p.accept("begin") {
		if p.queryAhead(p.i) {
			p.unexpectedHint("A job writes to a sink or a table: AS INSERT INTO name SELECT ….")
			return nil
		}
		return []*ast.Insert{p.insertInto()}
	}
	p.accept("statement", "set")
	p.acceptSymbol(";")
	var list []*ast.Insert
	for {
		list = append(list, p.insertInto())
		if !p.acceptSymbol(";") {
			break
		}
		for p.acceptSymbol(";") {
		}
		if p.cur().isWord("end") || p.cur().kind == endOfInput {
			break
		}
	}
	if p.cur().kind == endOfInput {
		p.fail(p.near(p.cur()).Hint("END closes the statement set.").Wrap(ast.ErrOpenSet))
		return list
	}
	p.expect("end")
	return list
}

func (p *parser) mapAhead() bool { return p.cur().isWord("map") && p.peek(1).is("(") }

// mapList takes MAP ( 'old' => 'new' | DISCARD, … ).
func (p *parser) mapList() []ast.MapEntry {
	p.expect("map")
	p.expectSymbol("(")
	list := []ast.MapEntry{}
	for !p.cur().is(")") {
		e := ast.MapEntry{At: ast.At{Pos: p.here()}, Old: p.text()}
		p.expectSymbol("=>")
		if e.Discard = p.accept("discard"); !e.Discard {
			e.New = p.text()
		}
		list = append(list, e)
		if !p.acceptSymbol(",") {
			break
		}
	}
	p.expectSymbol(")")
	return list
}

// savepointRef takes a name or a URL.
func (p *parser) savepointRef() *ast.SavepointRef {
	ref := &ast.SavepointRef{At: ast.At{Pos: p.here()}}
	ref.Name, ref.URL = p.nameOrURL()
	return ref
}

// nameOrURL takes a name, or a string, which is a URL when it has a scheme or a path.
func (p *parser) nameOrURL() (name, url string) {
	if p.cur().kind != stringLiteral {
		return p.name().Value, ""
	}
	s := p.text()
	if strings.ContainsAny(s, ":/") {
		return "", s
	}
	return s, ""
}

// restorePoint takes SAVEPOINT x, CHECKPOINT n, CHECKPOINT 'url' or LATEST.
func (p *parser) restorePoint() ast.RestorePoint {
	from := ast.RestorePoint{At: ast.At{Pos: p.here()}}
	from.Kind = p.acceptAny("savepoint", "checkpoint", "latest")
	switch from.Kind {
	case "latest":
	case "savepoint":
		from.Name, from.URL = p.nameOrURL()
	case "checkpoint":
		if p.cur().kind == stringLiteral {
			from.URL = p.text()
		} else {
			from.N = p.number()
		}
	default:
		p.unexpectedHint("Write SAVEPOINT name, CHECKPOINT number or LATEST.")
	}
	return from
}

// stopJob takes STOP JOB j [WITH SAVEPOINT [sp] [TO 'url'] [FORMAT f]] [DRAIN].
func (p *parser) stopJob() ast.Statement {
	s := placed(p.here(), &ast.StopJob{})
	p.expect("stop", "job")
	s.IfExists = p.accept("if", "exists")
	s.Name = p.name()
	if p.accept("with", "savepoint") {
		s.WithSavepoint = true
		if p.cur().kind == stringLiteral {
			s.Savepoint = p.text()
		} else if isColumnName(p.cur()) && !p.cur().isWord("drain") && !p.ahead("format") {
			s.Savepoint = p.name().Value
		}
		if p.accept("to") {
			s.To = p.text()
		}
		s.Format = p.stateFormat()
	}
	s.Drain = p.accept("drain")
	return s
}

// stateFormat takes [FORMAT CANONICAL|NATIVE].
func (p *parser) stateFormat() string {
	if !p.accept("format") {
		return ""
	}
	f := p.acceptAny("canonical", "native")
	if f == "" {
		p.unexpectedHint("The formats are CANONICAL and NATIVE.")
	}
	return f
}

func (p *parser) pauseJob() ast.Statement {
	s := placed(p.here(), &ast.PauseJob{Resume: p.cur().isWord("resume")})
	p.advance()
	p.expect("job")
	s.Name = p.name()
	return s
}

// alterJob takes what follows ALTER JOB.
func (p *parser) alterJob(pos ast.Pos) ast.Statement {
	a := placed(pos, &ast.AlterJob{Name: p.name()})
	switch {
	case p.accept("set"):
		a.Set = p.options()
	case p.accept("reset"):
		a.Reset = p.optionNames()
	case p.accept("rename", "to"):
		name := p.name()
		a.Rename = &name
	case p.accept("as"):
		a.Inserts = p.jobQuery()
		if p.mapAhead() {
			a.Map = p.mapList()
		}
		a.AllowNonRestored = p.accept("allow", "non", "restored", "state")
	default:
		p.unexpectedHint("ALTER JOB takes SET, RESET, AS and RENAME TO.")
	}
	return a
}

// restore takes RESTORE JOB j FROM … with its clauses in any order.
func (p *parser) restore() ast.Statement {
	s := placed(p.here(), &ast.RestoreJob{})
	p.expect("restore")
	if !p.accept("job") {
		p.expect("materialized", "view")
	}
	s.Job = p.name()
	p.expect("from")
	s.From = p.restorePoint()
	for {
		switch {
		case s.Inserts == nil && s.Query == nil && p.accept("as"):
			if p.queryAhead(p.i) {
				p.inJob = true
				s.Query = p.query()
				p.inJob = false
			} else {
				s.Inserts = p.jobQuery()
			}
		case s.Map == nil && p.mapAhead():
			s.Map = p.mapList()
		case p.accept("no", "claim"):
			s.Claim = false
		case p.accept("claim"):
			s.Claim = true
		case p.accept("allow", "non", "restored", "state"):
			s.AllowNonRestored = true
		case s.Options == nil && p.cur().isWord("with") && p.peek(1).is("("):
			s.Options = p.withOptions()
		default:
			return s
		}
	}
}

// createSavepoint takes what follows CREATE SAVEPOINT.
func (p *parser) createSavepoint(pos ast.Pos) ast.Statement {
	s := placed(pos, &ast.CreateSavepoint{})
	if !p.cur().isWord("for") {
		s.Name = p.savepointName()
	}
	p.expect("for", "job")
	s.Job = p.name()
	p.savepointTarget(s)
	return s
}

func (p *parser) savepointName() string {
	if p.cur().kind == stringLiteral {
		return p.text()
	}
	return p.name().Value
}

// savepointTarget takes [TO 'url'] [FORMAT f].
func (p *parser) savepointTarget(s *ast.CreateSavepoint) {
	if p.accept("to") {
		s.To = p.text()
	}
	s.Format = p.stateFormat()
}

func (p *parser) verify() ast.Statement {
	s := placed(p.here(), &ast.VerifySavepoint{})
	p.expect("verify", "savepoint")
	s.Savepoint = *p.savepointRef()
	return s
}

func (p *parser) flush() ast.Statement {
	s := placed(p.here(), &ast.Flush{})
	p.expect("flush")
	return s
}
