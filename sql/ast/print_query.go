package ast

import "strings"

func (p *printer) subquery(q *Query) {
	p.put("(")
	p.query(q)
	p.put(")")
}

func (p *printer) query(q *Query) {
	p.with(q.With)
	p.setExpr(q.Body, 0)
	p.orderBy(q.OrderBy)
	if q.Limit != nil && !q.WithTies {
		p.put(" LIMIT ")
		p.expr(q.Limit, 0)
	}
	if q.Skip != nil {
		p.put(" OFFSET ")
		p.expr(q.Skip, 0)
	}
	if q.Limit != nil && q.WithTies {
		p.put(" FETCH FIRST ")
		p.expr(q.Limit, bindAdd)
		p.put(" ROWS WITH TIES")
	}
	p.flag(q.Locking != "", " "+q.Locking)
	p.flag(q.Emit != "", " EMIT ON "+strings.ToUpper(q.Emit))
}

func (p *printer) search(s *Search) {
	if s == nil {
		return
	}
	how := "BREADTH"
	if s.Depth {
		how = "DEPTH"
	}
	p.put(" SEARCH ", how, " FIRST BY ")
	p.each(len(s.Columns), func(i int) { p.name(s.Columns[i]) })
	p.put(" SET ")
	p.name(s.Set)
}

func (p *printer) cycle(c *Cycle) {
	if c == nil {
		return
	}
	p.put(" CYCLE ")
	p.each(len(c.Columns), func(i int) { p.name(c.Columns[i]) })
	p.put(" SET ")
	p.name(c.Mark)
	if c.To != nil {
		p.put(" TO ")
		p.expr(c.To, bindOther)
		p.put(" DEFAULT ")
		p.expr(c.Default, bindOther)
	}
	p.put(" USING ")
	p.name(c.Path)
}

func (p *printer) with(w *With) {
	if w == nil {
		return
	}
	p.put("WITH ")
	p.flag(w.Recursive, "RECURSIVE ")
	p.each(len(w.CTEs), func(i int) {
		c := w.CTEs[i]
		p.name(c.Name)
		if len(c.Columns) > 0 {
			p.put(" ")
			p.names(c.Columns)
		}
		p.put(" AS ")
		if c.Materialized != nil {
			p.flag(!*c.Materialized, "NOT ")
			p.put("MATERIALIZED ")
		}
		if c.Statement == nil {
			p.subquery(c.Query)
			p.search(c.Search)
			p.cycle(c.Cycle)
			return
		}
		p.put("(")
		p.statement(c.Statement)
		p.put(")")
	})
	p.put(" ")
}

// setExpr writes a body, in parentheses if it is a set operation that binds
// less tightly than least.
func (p *printer) setExpr(body SetExpr, least int) {
	switch b := body.(type) {
	case *Select:
		p.selectBlock(b)
	case *Values:
		p.put("VALUES ")
		p.each(len(b.Rows), func(i int) {
			p.put("(")
			p.exprs(b.Rows[i])
			p.put(")")
		})
	case *Nested:
		p.subquery(b.Query)
	case *SetOp:
		level := 1
		if b.Op == "intersect" {
			level = 2
		}
		p.flag(level < least, "(")
		p.setExpr(b.L, level)
		p.put(" ", strings.ToUpper(b.Op), " ")
		p.flag(b.All, "ALL ")
		p.setExpr(b.R, level+1)
		p.flag(level < least, ")")
	}
}

func (p *printer) selectBlock(s *Select) {
	p.put("SELECT ")
	p.hints(s.Hints)
	p.flag(s.Distinct, "DISTINCT ")
	if len(s.DistinctOn) > 0 {
		p.put("DISTINCT ON (")
		p.exprs(s.DistinctOn)
		p.put(") ")
	}
	p.selectItems(s.Items)
	if len(s.From) > 0 {
		p.put(" FROM ")
		p.tables(s.From)
	}
	p.where(s.Where)
	if s.GroupItems {
		p.put(" GROUP BY ALL")
	}
	if len(s.GroupBy) > 0 {
		p.put(" GROUP BY ")
		p.flag(s.GroupAll, "DISTINCT ")
		p.each(len(s.GroupBy), func(i int) { p.groupItem(s.GroupBy[i]) })
	}
	if s.Having != nil {
		p.put(" HAVING ")
		p.expr(s.Having, 0)
	}
	if len(s.Windows) > 0 {
		p.put(" WINDOW ")
		p.each(len(s.Windows), func(i int) {
			p.name(s.Windows[i].Name)
			p.put(" AS ")
			p.window(&s.Windows[i].Spec)
		})
	}
	if s.Qualify != nil {
		p.put(" QUALIFY ")
		p.expr(s.Qualify, 0)
	}
}

func (p *printer) selectItems(items []SelectItem) {
	p.each(len(items), func(i int) {
		p.expr(items[i].X, 0)
		if items[i].Alias != nil {
			p.put(" AS ")
			p.name(*items[i].Alias)
		}
	})
}

func (p *printer) where(x Expr) {
	if x != nil {
		p.put(" WHERE ")
		p.expr(x, 0)
	}
}

func (p *printer) groupItem(g GroupItem) {
	switch g.Kind {
	case "empty":
		p.put("()")
	case "expr":
		p.expr(g.X, 0)
	default:
		p.put(strings.ToUpper(g.Kind))
		p.flag(g.Kind == "grouping sets", " ")
		p.put("(")
		p.each(len(g.Sets), func(i int) { p.groupItem(g.Sets[i]) })
		p.put(")")
	}
}

func (p *printer) tables(list []TableExpr) {
	p.each(len(list), func(i int) { p.table(list[i]) })
}

func (p *printer) table(t TableExpr) {
	switch t := t.(type) {
	case *TableRef:
		p.flag(t.Only, "ONLY ")
		p.path(t.Name)
		if len(t.Hints) > 0 {
			p.put(" ")
			p.put(strings.TrimSuffix(printed(func(q *printer) { q.hints(t.Hints) }), " "))
		}
		if t.SystemAt != nil {
			p.put(" FOR SYSTEM_TIME AS OF ")
			p.expr(t.SystemAt, 0)
		}
		p.alias(t.Alias)
	case *Derived:
		p.flag(t.Lateral, "LATERAL ")
		p.subquery(t.Query)
		p.alias(t.Alias)
	case *TableFunc:
		p.flag(t.Lateral, "LATERAL ")
		several := len(t.Calls) > 1 || len(t.Columns) > 0
		p.flag(several, "ROWS FROM (")
		p.each(len(t.Calls), func(i int) {
			p.call(t.Calls[i])
			if i < len(t.Columns) {
				p.alias(t.Columns[i])
			}
		})
		p.flag(several, ")")
		p.flag(t.Ordinality, " WITH ORDINALITY")
		p.alias(t.Alias)
	case *Join:
		p.flag(t.Alias != nil, "(")
		p.join(t)
		p.flag(t.Alias != nil, ")")
		p.alias(t.Alias)
	case *MatchRecognize:
		p.joined(t.Input)
		p.put(" MATCH_RECOGNIZE (", t.Text, ")")
		p.alias(t.Alias)
	}
}

// joined writes the right side of a join; a join there needs parentheses.
func (p *printer) joined(t TableExpr) {
	j, nested := t.(*Join)
	nested = nested && j.Alias == nil
	p.flag(nested, "(")
	p.table(t)
	p.flag(nested, ")")
}

func (p *printer) join(j *Join) {
	p.table(j.L)
	p.flag(j.Natural, " NATURAL")
	switch j.Kind {
	case "inner":
	case "left asof":
		p.put(" ASOF LEFT")
	default:
		p.put(" ", strings.ToUpper(j.Kind))
	}
	p.put(" JOIN ")
	p.joined(j.R)
	if j.Match != nil {
		p.put(" MATCH_CONDITION (")
		p.expr(j.Match, 0)
		p.put(")")
	}
	if j.On != nil {
		p.put(" ON ")
		p.expr(j.On, 0)
	}
	if len(j.Using) > 0 {
		p.put(" USING ")
		p.names(j.Using)
		if j.Merged != nil {
			p.put(" AS ")
			p.name(*j.Merged)
		}
	}
}

func (p *printer) alias(a *Alias) {
	if a == nil {
		return
	}
	p.put(" AS ")
	if a.Name.Value != "" {
		p.name(a.Name)
		p.flag(len(a.Columns) > 0, " ")
	}
	if len(a.Columns) == 0 {
		return
	}
	p.put("(")
	p.each(len(a.Columns), func(i int) {
		p.name(a.Columns[i])
		if len(a.Types) > 0 {
			p.put(" ")
			p.typeName(a.Types[i])
		}
	})
	p.put(")")
}
