package parse

import "github.com/millrace/millrace/sql/ast"

// selectBlock writes one SELECT … HAVING, without the ORDER BY.
func (r *rewriter) selectBlock() {
	t := r.cur()
	r.advance()
	s := placed(r.at(t), &ast.Select{})
	for r.cur().kind == hint {
		s.Hints = append(s.Hints, r.hints()...)
	}
	r.emit("SELECT", t.pos)
	distinctOn := 0
	r.markCall(t.pos, &selectHead{sel: s, fill: func(a []ast.Expr) {
		take := taker{a}
		s.DistinctOn = take.many(distinctOn)
	}})
	if r.accept("distinct") {
		s.Distinct = true
		if r.accept("on") {
			s.Distinct = false
			r.expectSymbol("(")
			l := list{r: r}
			for {
				l.expr()
				if !r.acceptSymbol(",") {
					break
				}
			}
			r.expectSymbol(")")
			distinctOn = l.n
		}
	} else {
		r.accept("all")
	}
	r.emit(")", t.pos)
	r.selectItems()
	if r.cur().isWord("into") {
		r.unsupported(r.cur(), "SELECT INTO")
	}
	if from := r.cur(); r.accept("from") {
		r.emit("FROM", from.pos)
		r.tableList()
	} else if r.cur().isAny("where", "group", "having", "window", "qualify") { // for which TiDB wants a FROM
		r.emit("FROM", from.pos)
		r.mark(from.pos, buildTable(func(*ast.Query) ast.TableExpr { return nil }))
	}
	if where := r.cur(); r.accept("where") {
		r.emit("WHERE", where.pos)
		r.expr()
	}
	if r.cur().isWord("group") {
		r.groupBy(s)
	}
	r.havingAndWindows()
}

// selectItems writes the select list, each item after a comma.
func (r *rewriter) selectItems() {
	if r.selectListEnds() {
		return
	}
	for {
		t := r.cur()
		r.emit(",", t.pos)
		if r.acceptSymbol("*") {
			r.mark(t.pos, placed(r.at(t), &ast.Star{}))
		} else {
			r.expr()
			if r.bareLabelAhead() || r.accept("as") {
				r.emit("AS", t.pos)
				r.mark(r.cur().pos, r.label())
			}
		}
		if !r.acceptSymbol(",") {
			return
		}
	}
}

// selectListEnds reports whether the select list is empty, which PostgreSQL allows.
func (r *rewriter) selectListEnds() bool {
	t := r.cur()
	return t.isAny("from", "where", "group", "having", "union", "except", "intersect") || t.is(")") || r.atEnd()
}

// bareLabelAhead reports whether the next token labels a select item without AS.
func (r *rewriter) bareLabelAhead() bool {
	t := r.cur()
	if t.kind == quoted {
		return true
	}
	return t.kind == identifier && !ast.NeedsAs(t.text) && !r.clauseAhead()
}

// clauseAhead reports whether a clause of Millrace's own begins at the cursor.
// Its first word is not reserved in PostgreSQL, so it could be an alias too.
func (c *cursor) clauseAhead() bool {
	switch c.cur().text {
	case "emit":
		return c.ahead("emit", "on", "window")
	case "qualify":
		return c.peek(1).kind != endOfInput && !c.peek(1).is(",") && !c.peek(1).is(")") && !c.peek(1).is(";")
	case "asof":
		return c.peek(1).isAny("join", "left")
	case "match_recognize":
		return c.peek(1).is("(")
	case "format":
		return c.peek(1).isAny("canonical", "native")
	case "claim":
		return c.inJob
	case "no":
		return c.inJob && c.peek(1).isWord("claim")
	case "allow":
		return c.inJob && c.peek(1).isWord("non")
	case "map":
		return c.inJob && c.peek(1).is("(") && c.peek(2).kind == stringLiteral
	}
	return false
}

// groupExpr carries a grouping construct through the decoder.
type groupExpr struct {
	ast.Expr
	item ast.GroupItem
}

// groupByEnds reports whether nothing follows GROUP BY ALL that could be grouped by.
func (r *rewriter) groupByEnds() bool {
	t := r.cur()
	return r.atEnd() || t.is(")") || t.is(";") || r.clauseAhead() ||
		t.isAny("having", "window", "qualify", "order", "limit", "offset", "fetch", "union", "except", "intersect", "for")
}

func (r *rewriter) groupBy(s *ast.Select) {
	t := r.cur()
	r.expect("group", "by")
	if r.accept("distinct") {
		s.GroupAll = true
	} else if r.accept("all") && r.groupByEnds() {
		s.GroupItems = true
		return
	}
	r.emit("GROUP BY", t.pos)
	l := list{r: r}
	for {
		l.next()
		r.groupItem()
		if !r.acceptSymbol(",") {
			break
		}
	}
	if r.ahead("with", "rollup") || r.ahead("with", "cube") {
		r.unexpectedHint("Write GROUP BY ROLLUP (a, b).")
	}
}

// groupItem writes one element of GROUP BY.
func (r *rewriter) groupItem() {
	r.enter()
	defer r.leave()
	t := r.cur()
	kind := ""
	switch {
	case t.isWord("grouping") && r.peek(1).isWord("sets"):
		r.advance()
		kind = "grouping sets"
	case t.isAny("rollup", "cube") && r.peek(1).is("("):
		kind = t.text
	case t.is("(") && r.peek(1).is(")"):
		r.advance()
		r.advance()
		item := ast.GroupItem{At: ast.At{Pos: r.at(t)}, Kind: "empty"}
		r.markCall(t.pos, buildExpr(func([]ast.Expr) ast.Expr { return groupExpr{item: item} }))
		r.emit(")", t.pos)
		return
	default:
		r.expr()
		return
	}
	pos := r.at(t)
	r.advance()
	r.expectSymbol("(")
	r.markCall(t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
		return groupExpr{item: ast.GroupItem{At: ast.At{Pos: pos}, Kind: kind, Sets: groupItems(a)}}
	}))
	l := list{r: r}
	for {
		l.next()
		r.groupItem()
		if !r.acceptSymbol(",") {
			break
		}
	}
	r.expectSymbol(")")
	r.emit(")", t.pos)
}

func groupItems(xs []ast.Expr) []ast.GroupItem {
	items := make([]ast.GroupItem, len(xs))
	for i, x := range xs {
		if g, ok := x.(groupExpr); ok {
			items[i] = g.item
		} else {
			items[i] = ast.GroupItem{At: ast.At{Pos: x.Offset()}, Kind: "expr", X: x}
		}
	}
	return items
}

// havingAndWindows writes HAVING, WINDOW and QUALIFY as one mark in HAVING.
func (r *rewriter) havingAndWindows() {
	if !r.cur().isAny("having", "window", "qualify") {
		return
	}
	t := r.cur()
	var fills []func(*taker, *ast.Select)
	r.emit("HAVING", t.pos)
	r.markCall(t.pos, &clauseTail{inSelect: func(a []ast.Expr, s *ast.Select) {
		take := &taker{a}
		for _, fill := range fills {
			fill(take, s)
		}
	}})
	l := &list{r: r}
	if r.accept("having") {
		l.expr()
		fills = append(fills, func(take *taker, s *ast.Select) { s.Having = take.one() })
	}
	for {
		switch {
		case r.accept("window"):
			windows := r.namedWindows(l)
			fills = append(fills, func(take *taker, s *ast.Select) {
				for i := range windows {
					fillWindow(take, &windows[i].Spec)
				}
				s.Windows = append(s.Windows, windows...)
			})
		case r.accept("qualify"):
			l.expr()
			fills = append(fills, func(take *taker, s *ast.Select) { s.Qualify = take.one() })
		default:
			r.emit(")", t.pos)
			return
		}
	}
}

func (r *rewriter) namedWindows(l *list) []ast.NamedWindow {
	var windows []ast.NamedWindow
	for {
		w := ast.NamedWindow{Name: r.name()}
		r.expect("as")
		w.Spec = *r.window(l)
		windows = append(windows, w)
		if !r.acceptSymbol(",") {
			return windows
		}
	}
}
