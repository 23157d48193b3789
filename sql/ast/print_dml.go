package ast

import "strings"

func (p *printer) insert(s *Insert) {
	p.with(s.With)
	p.put("INSERT ")
	p.hints(s.Hints)
	p.put("INTO ")
	p.path(s.Target)
	p.targetAlias(s.Alias)
	if len(s.Columns) > 0 {
		p.put(" ")
		p.names(s.Columns)
	}
	p.flag(s.Overriding != "", " OVERRIDING "+strings.ToUpper(s.Overriding)+" VALUE")
	if s.Query == nil {
		p.put(" DEFAULT VALUES")
	} else {
		p.put(" ")
		p.query(s.Query)
	}
	if s.OnConflict != nil {
		p.onConflict(s.OnConflict)
	}
	p.returning(s.Returning)
}

func (p *printer) targetAlias(n *Name) {
	if n != nil {
		p.put(" AS ")
		p.name(*n)
	}
}

func (p *printer) onConflict(c *OnConflict) {
	p.put(" ON CONFLICT")
	if len(c.Columns) > 0 {
		p.put(" ")
		p.names(c.Columns)
		p.where(c.Predicate)
	}
	p.flag(c.Constraint != "", " ON CONSTRAINT "+QuoteName(c.Constraint))
	if !c.DoUpdate {
		p.put(" DO NOTHING")
		return
	}
	p.put(" DO UPDATE SET ")
	p.assignments(c.Set)
	p.where(c.Where)
}

func (p *printer) assignments(list []Assignment) {
	p.each(len(list), func(i int) {
		if targets := list[i].Targets; len(targets) == 1 {
			p.target(&targets[0])
		} else {
			p.put("(")
			p.each(len(targets), func(k int) { p.target(&targets[k]) })
			p.put(")")
		}
		p.put(" = ")
		p.expr(list[i].X, 0)
	})
}

func (p *printer) target(t *Target) {
	p.name(t.Name)
	for _, part := range t.Parts {
		if part.Subscript != nil {
			p.bounds(part.Subscript)
			continue
		}
		p.put(".")
		p.name(part.Field)
	}
}

func (p *printer) returning(items []SelectItem) {
	if len(items) > 0 {
		p.put(" RETURNING ")
		p.selectItems(items)
	}
}

func (p *printer) update(s *Update) {
	p.with(s.With)
	p.put("UPDATE ")
	p.path(s.Target)
	p.targetAlias(s.Alias)
	p.put(" SET ")
	p.assignments(s.Set)
	if len(s.From) > 0 {
		p.put(" FROM ")
		p.tables(s.From)
	}
	p.where(s.Where)
	p.returning(s.Returning)
}

func (p *printer) delete(s *Delete) {
	p.with(s.With)
	p.put("DELETE FROM ")
	p.path(s.Target)
	p.targetAlias(s.Alias)
	if len(s.Using) > 0 {
		p.put(" USING ")
		p.tables(s.Using)
	}
	p.where(s.Where)
	p.returning(s.Returning)
}

func (p *printer) copyStatement(s *Copy) {
	p.put("COPY ")
	if s.Query != nil {
		p.put("(")
		p.statement(s.Query)
		p.put(")")
	} else {
		p.path(s.Relation)
	}
	if len(s.Columns) > 0 {
		p.put(" ")
		p.names(s.Columns)
	}
	standard := " TO STDOUT"
	direction := " TO "
	if s.From {
		standard, direction = " FROM STDIN", " FROM "
	}
	if s.File == "" {
		p.put(standard)
	} else {
		p.put(direction, QuoteString(s.File))
	}
	p.copyOptions(s)
	p.where(s.Where)
}

func (p *printer) copyOptions(s *Copy) {
	if len(s.Options) == 0 {
		return
	}
	p.put(" WITH (")
	p.each(len(s.Options), func(i int) {
		p.put(QuoteName(s.Options[i].Name))
		switch v := s.Options[i].Value.(type) {
		case nil:
		case *RowExpr:
			p.put(" (")
			p.exprs(v.Elems)
			p.put(")")
		default:
			p.put(" ")
			p.optionValue(v)
		}
	})
	p.put(")")
}
