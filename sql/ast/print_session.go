package ast

import "strings"

func (p *printer) explain(s *Explain) {
	p.put("EXPLAIN ")
	if len(s.Options) == 0 {
		p.flag(s.Analyze, "ANALYZE ")
	} else {
		p.put("(")
		p.flag(s.Analyze, "analyze, ")
		p.each(len(s.Options), func(i int) {
			p.put(s.Options[i].Name)
			if v := s.Options[i].Value; v != nil {
				p.put(" ")
				p.optionValue(v)
			}
		})
		p.put(") ")
	}
	p.flag(s.State, "STATE ")
	if s.Job != nil {
		p.put("JOB ")
		p.name(*s.Job)
		return
	}
	p.statement(s.Statement)
}

func (p *printer) subscribe(s *Subscribe) {
	p.put("SUBSCRIBE TO ")
	if s.Query != nil {
		p.subquery(s.Query)
	} else {
		p.path(s.Relation)
	}
	p.withOptions(s.Options)
}

func (p *printer) transaction(s *Transaction) {
	p.put(strings.ToUpper(s.Verb))
	p.flag(s.Modes != "", " "+strings.ToUpper(s.Modes))
	p.flag(s.Chain, " AND CHAIN")
}

func (p *printer) set(s *Set) {
	switch {
	case s.System:
		p.put("ALTER SYSTEM SET ")
	case s.Local:
		p.put("SET LOCAL ")
	default:
		p.put("SET ")
	}
	modes := func() string {
		if lit, ok := s.Values[0].(*Literal); ok {
			return strings.ToUpper(lit.Text)
		}
		return ""
	}
	switch s.Name {
	case "transaction":
		p.put("TRANSACTION ", modes())
		return
	case "session characteristics":
		p.put("SESSION CHARACTERISTICS AS TRANSACTION ", modes())
		return
	case "session authorization":
		p.put("SESSION AUTHORIZATION ")
	default:
		p.optionName(s.Name)
		p.put(" TO ")
	}
	if s.Default {
		p.put("DEFAULT")
		return
	}
	p.each(len(s.Values), func(i int) { p.optionValue(s.Values[i]) })
}

func (p *printer) show(s *Show) {
	p.put("SHOW ")
	switch s.Kind {
	case "variable":
		p.optionName(s.Variable)
		return
	case "create":
		p.put("CREATE ", s.Object.upper(), " ")
		p.path(s.Name)
		return
	}
	p.put(strings.ToUpper(s.Kind))
	if s.Job != nil {
		p.put(" FOR JOB ")
		p.name(*s.Job)
	}
	if len(s.Name) > 0 {
		p.put(" FROM ")
		p.path(s.Name)
	}
	p.flag(s.Like != "", " LIKE "+QuoteString(s.Like))
}

func (p *printer) declareCursor(s *DeclareCursor) {
	p.put("DECLARE ")
	p.name(s.Name)
	p.flag(s.Binary, " BINARY")
	p.flag(s.Modes != "", " "+strings.ToUpper(s.Modes))
	p.flag(s.Scroll, " SCROLL")
	p.put(" CURSOR ")
	p.flag(s.Hold, "WITH HOLD ")
	p.put("FOR ")
	p.statement(s.Statement)
}

func (p *printer) fetch(s *Fetch) {
	if s.Move {
		p.put("MOVE ")
	} else {
		p.put("FETCH ")
	}
	p.put(strings.ToUpper(s.Direction), " ")
	switch s.Direction {
	case "next", "prior", "first", "last":
	default:
		if s.All {
			p.put("ALL ")
		} else {
			p.int(s.Count)
			p.put(" ")
		}
	}
	p.put("FROM ")
	p.name(s.Cursor)
	p.withOptions(s.Options)
}

func (p *printer) prepare(s *Prepare) {
	p.put("PREPARE ")
	p.name(s.Name)
	if len(s.Types) > 0 {
		p.put(" (")
		p.each(len(s.Types), func(i int) { p.typeName(s.Types[i]) })
		p.put(")")
	}
	p.put(" AS ")
	p.statement(s.Statement)
}

func (p *printer) execute(s *Execute) {
	p.put("EXECUTE ")
	p.name(s.Name)
	if len(s.Args) > 0 {
		p.put(" (")
		p.exprs(s.Args)
		p.put(")")
	}
}
