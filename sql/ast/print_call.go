package ast

import "strings"

// call writes a function call in the form in which it was written.
func (p *printer) call(c *Call) {
	if c.Form != "" && p.form(c) {
		return
	}
	p.functionName(c.Name)
	p.put("(")
	p.flag(c.Distinct, "DISTINCT ")
	p.flag(c.Star, "*")
	p.each(len(c.Args), func(i int) {
		p.flag(c.Variadic && i == len(c.Args)-1, "VARIADIC ")
		if c.ArgNames != nil && c.ArgNames[i] != "" {
			p.put(QuoteName(c.ArgNames[i]), " => ")
		}
		p.expr(c.Args[i], 0)
	})
	p.orderBy(c.OrderBy)
	p.put(")")
	if c.WithinGroup != nil {
		p.put(" WITHIN GROUP (")
		p.put(strings.TrimPrefix(printed(func(q *printer) { q.orderBy(c.WithinGroup) }), " "))
		p.put(")")
	}
	if c.Filter != nil {
		p.put(" FILTER (WHERE ")
		p.expr(c.Filter, 0)
		p.put(")")
	}
	p.flag(c.IgnoreNulls, " IGNORE NULLS")
	if c.Over != nil {
		p.put(" OVER ")
		if isBareReference(c.Over) {
			p.put(QuoteName(c.Over.Ref))
		} else {
			p.window(c.Over)
		}
	}
}

func printed(write func(*printer)) string {
	var p printer
	write(&p)
	return p.b.String()
}

func isBareReference(w *Window) bool {
	return w.Ref != "" && w.PartitionBy == nil && w.OrderBy == nil && w.Frame == nil
}

// functionName writes a function's name, quoted where the word has a grammar of
// its own.
func (p *printer) functionName(path Path) {
	if len(path) != 1 {
		p.path(path)
		return
	}
	switch name := path[0].Value; name {
	case "cast", "row", "extract", "trim", "exists", "interval", "treat", "values", "setof", "national":
		p.put(`"`, name, `"`)
	default:
		if class := Keyword(name); class != Plain && class != ReservedKeyword {
			p.put(name)
		} else {
			p.name(path[0])
		}
	}
}

// form writes a special form; it reports false when the arguments do not fit it.
func (p *printer) form(c *Call) bool {
	a := c.Args
	between := func(words ...string) {
		p.put(strings.ToUpper(c.Name.Last().Value), "(")
		for i, x := range a {
			if i > 0 {
				p.put(" ", words[i-1], " ")
			}
			p.expr(x, 0)
		}
		p.put(")")
	}
	switch {
	case c.Form == "keyword" && len(a) == 0:
		p.put(strings.ToUpper(c.Name.Last().Value))
	case c.Form == "keyword":
		between()
	case c.Form == "extract" && len(a) == 2:
		p.put("EXTRACT(")
		p.word(a[0])
		p.put(" FROM ")
		p.expr(a[1], 0)
		p.put(")")
	case c.Form == "floor to" && len(a) == 2:
		p.put(strings.ToUpper(c.Name.Last().Value), "(")
		p.expr(a[0], 0)
		p.put(" TO ")
		p.word(a[1])
		p.put(")")
	case c.Form == "unit first" && len(a) > 0:
		p.put(strings.ToUpper(c.Name.Last().Value), "(")
		p.word(a[0])
		for _, x := range a[1:] {
			p.put(", ")
			p.expr(x, 0)
		}
		p.put(")")
	case c.Form == "substring" && (len(a) == 2 || len(a) == 3):
		between("FROM", "FOR")
	case c.Form == "substring similar" && len(a) == 3:
		between("SIMILAR", "ESCAPE")
	case c.Form == "overlay" && (len(a) == 3 || len(a) == 4):
		between("PLACING", "FROM", "FOR")
	case c.Form == "position" && len(a) == 2:
		p.put("POSITION(")
		p.expr(a[1], bindOther)
		p.put(" IN ")
		p.expr(a[0], bindOther)
		p.put(")")
	case c.Form == "overlaps" && len(a) == 4:
		p.put("(")
		p.exprs(a[:2])
		p.put(") OVERLAPS (")
		p.exprs(a[2:])
		p.put(")")
	case c.Form == "trim" && len(a) > 0:
		side := map[string]string{"btrim": "BOTH", "ltrim": "LEADING", "rtrim": "TRAILING"}[c.Name.Last().Value]
		p.put("TRIM(", side, " ")
		if len(a) == 2 {
			p.expr(a[1], 0)
			p.put(" ")
		}
		p.put("FROM ")
		p.expr(a[0], 0)
		p.put(")")
	default:
		return false
	}
	return true
}

// word writes a string literal that stands for a word, such as the field of
// EXTRACT.
func (p *printer) word(x Expr) {
	if lit, ok := x.(*Literal); ok && isSimpleName(lit.Text) {
		p.put(lit.Text)
		return
	}
	p.expr(x, 0)
}

func (p *printer) orderBy(items []OrderItem) {
	if len(items) == 0 {
		return
	}
	p.put(" ORDER BY ")
	p.each(len(items), func(i int) { p.orderItem(items[i]) })
}

func (p *printer) orderItem(item OrderItem) {
	p.expr(item.X, 0)
	p.flag(item.Desc, " DESC")
	if item.NullsFirst != nil {
		if *item.NullsFirst {
			p.put(" NULLS FIRST")
		} else {
			p.put(" NULLS LAST")
		}
	}
}

func (p *printer) window(w *Window) {
	p.put("(")
	var parts []string
	if w.Ref != "" {
		parts = append(parts, QuoteName(w.Ref))
	}
	if len(w.PartitionBy) > 0 {
		parts = append(parts, printed(func(q *printer) {
			q.put("PARTITION BY ")
			q.exprs(w.PartitionBy)
		}))
	}
	if len(w.OrderBy) > 0 {
		parts = append(parts, printed(func(q *printer) { q.orderBy(w.OrderBy) })[1:])
	}
	if w.Frame != nil {
		parts = append(parts, printed(func(q *printer) { q.frame(w.Frame) }))
	}
	p.put(strings.Join(parts, " "), ")")
}

func (p *printer) frame(f *Frame) {
	p.put(strings.ToUpper(f.Unit), " BETWEEN ")
	p.frameBound(f.Start)
	p.put(" AND ")
	p.frameBound(f.End)
	p.flag(f.Exclude != "", " EXCLUDE "+strings.ToUpper(f.Exclude))
}

func (p *printer) frameBound(b FrameBound) {
	if b.Offset != nil {
		p.expr(b.Offset, 0)
		p.put(" ")
	}
	p.put(strings.ToUpper(b.Kind))
}
