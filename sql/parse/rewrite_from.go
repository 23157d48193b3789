package parse

import "github.com/millrace/millrace/sql/ast"

// tableList writes the elements of FROM.
func (r *rewriter) tableList() {
	for {
		r.tableExpr()
		t := r.cur()
		if !r.acceptSymbol(",") {
			return
		}
		r.emit(",", t.pos)
	}
}

// tableExpr writes a table with all that is joined to it. It returns the outermost
// join, if it is one that may get an alias.
func (r *rewriter) tableExpr() *ast.Join {
	r.enter()
	defer r.leave()
	start := r.nextPiece()
	j := r.tablePrimary()
	if outer := r.joins(start, false); outer != nil {
		return outer
	}
	return j
}

// joins writes the joins after a table. As the right side of a join that still
// needs its ON, a table takes only those joins that have theirs before it:
// a JOIN b JOIN c ON x ON y is a JOIN (b JOIN c ON x) ON y. It returns the last one.
func (r *rewriter) joins(start int32, needsOn bool) (last *ast.Join) {
	for count := 0; ; count++ {
		if needsOn && r.cur().isAny("on", "using", "match_condition") || !r.joinAhead() {
			return last
		}
		if count > depthMax {
			r.tooComplex()
			return nil
		}
		last = r.join(start)
	}
}

func (r *rewriter) joinAhead() bool {
	t := r.cur()
	return t.isAny("join", "inner", "cross", "left", "right", "full", "natural") ||
		r.ahead("asof", "join") || r.ahead("asof", "left", "join")
}

// join writes one join; every join gets parentheses and a mark as its condition.
func (r *rewriter) join(start int32) *ast.Join {
	t := r.cur()
	j := placed(r.at(t), &ast.Join{Kind: "inner"})
	asof := r.accept("asof")
	j.Natural = !asof && r.accept("natural")
	if w := r.acceptAny("inner", "cross", "left", "right", "full"); w != "" {
		j.Kind = w
		if w != "inner" && w != "cross" {
			r.accept("outer")
		}
	}
	if asof {
		j.Kind = map[string]string{"inner": "asof", "left": "left asof"}[j.Kind]
	}
	r.expect("join")
	r.open(start, t.pos)
	switch j.Kind {
	case "left", "right":
		r.emit(j.Kind, t.pos)
	}
	r.emit("JOIN", t.pos)
	r.enter()
	right := r.nextPiece()
	r.tablePrimary()
	qualified := !j.Natural && j.Kind != "cross"
	if qualified {
		r.joins(right, true)
	}
	r.leave()
	match, on := false, false
	r.emit("ON", t.pos)
	r.markCall(t.pos, buildJoin(func(left, right ast.TableExpr, args []ast.Expr) ast.TableExpr {
		take := taker{args}
		j.L, j.R = left, right
		if match {
			j.Match = take.one()
		}
		if on {
			j.On = take.one()
		}
		return j
	}))
	if qualified {
		l := &list{r: r}
		if match = r.accept("match_condition"); match {
			l.expr()
		}
		switch {
		case r.accept("on"):
			on = true
			l.expr()
		case r.accept("using"):
			j.Using = r.names()
			if r.cur().isWord("as") {
				r.advance()
				name := r.name()
				j.Merged = &name
			}
		case !match:
			r.unexpected()
		}
	}
	r.emit(") )", t.pos)
	return j
}

// tablePrimary writes a relation, a subquery, a function or a parenthesised join,
// which it returns unless that has an alias.
func (r *rewriter) tablePrimary() (join *ast.Join) {
	t := r.cur()
	lateral := r.accept("lateral")
	start := r.nextPiece()
	switch {
	case r.cur().is("(") && r.queryAhead(r.i):
		r.subquery()
		d := placed(r.at(t), &ast.Derived{Lateral: lateral, Alias: r.alias(false)})
		r.emit("AS", t.pos)
		r.mark(t.pos, buildTable(func(q *ast.Query) ast.TableExpr {
			d.Query = q
			return d
		}))
	case r.cur().is("(") && !lateral:
		r.advance()
		join = r.tableExpr()
		closing := r.cur()
		r.expectSymbol(")")
		if a := r.alias(false); a != nil {
			if join == nil { // PostgreSQL takes no parentheses around anything else
				r.fail(r.near(closing))
			} else {
				join.Alias = a
			}
			return nil
		}
	case r.cur().isWord("table") && r.peek(1).is("("):
		r.advance()
		r.advance()
		f := placed(r.at(t), &ast.TableFunc{Lateral: lateral})
		r.tableFunction(f, t, ")")
	case r.ahead("rows", "from") && r.peek(2).is("("):
		r.advance()
		r.advance()
		r.advance()
		f := placed(r.at(t), &ast.TableFunc{Lateral: lateral})
		r.tableFunction(f, t, ")")
	default:
		r.relation(t, lateral)
	}
	if m := r.cur(); m.isWord("match_recognize") && r.peek(1).is("(") {
		r.matchRecognize(start)
		return nil
	}
	return join
}

// relation writes a named relation or a function that stands for a table.
func (r *rewriter) relation(t *token, lateral bool) {
	n := 1
	for r.peek(n).is(".") && r.peek(n+1).isName() {
		n += 2
	}
	if r.peek(n).is("(") && !r.cur().isWord("only") || n == 1 && r.valueFunctionAhead() {
		r.tableFunction(placed(r.at(t), &ast.TableFunc{Lateral: lateral}), t, "")
		return
	}
	if lateral {
		r.unexpected()
		return
	}
	ref := placed(r.at(t), &ast.TableRef{})
	if r.cur().isWord("only") {
		ref.Only = r.accept("only")
		if r.acceptSymbol("(") {
			ref.Name = r.path()
			r.expectSymbol(")")
		}
	}
	if ref.Name == nil {
		ref.Name = r.path()
		r.acceptSymbol("*")
	}
	for r.cur().kind == hint {
		ref.Hints = append(ref.Hints, r.hints()...)
	}
	if r.ahead("for", "system_time", "as", "of") {
		r.systemTime(ref, t)
		return
	}
	ref.Alias = r.alias(false)
	if r.ahead("for", "system_time", "as", "of") {
		r.systemTime(ref, t)
		return
	}
	if r.cur().isWord("tablesample") {
		r.unsupported(r.cur(), "TABLESAMPLE")
	}
	r.mark(t.pos, buildTable(func(*ast.Query) ast.TableExpr { return ref }))
}

// systemTime writes t FOR SYSTEM_TIME AS OF x as a subquery that selects x.
func (r *rewriter) systemTime(ref *ast.TableRef, t *token) {
	r.accept("for", "system_time", "as", "of")
	r.emit("( SELECT", t.pos)
	r.markCall(t.pos, buildBody(func(a []ast.Expr) ast.SetExpr {
		ref.SystemAt = a[0]
		return nil
	}))
	r.expr()
	r.emit(") ) AS", t.pos)
	if ref.Alias == nil {
		ref.Alias = r.alias(false)
	}
	r.mark(t.pos, buildTable(func(*ast.Query) ast.TableExpr { return ref }))
}

// tableFunction writes function calls, up to closing if that is not empty, as a
// subquery that selects them.
func (r *rewriter) tableFunction(f *ast.TableFunc, t *token, closing string) {
	r.emit("( SELECT", t.pos)
	r.markCall(t.pos, buildBody(func(a []ast.Expr) ast.SetExpr {
		for _, x := range a {
			call, ok := x.(*ast.Call)
			if !ok {
				r.fail(r.near(t))
			}
			f.Calls = append(f.Calls, call)
		}
		return nil
	}))
	l := list{r: r}
	for {
		l.next()
		if !r.valueFunction() && (!r.cur().isName() || r.nameOrCall()) {
			r.unexpected()
		}
		if closing != "" && r.accept("as") {
			for len(f.Columns) < l.n-1 {
				f.Columns = append(f.Columns, nil)
			}
			a := &ast.Alias{}
			r.aliasColumns(a, true)
			if len(a.Types) == 0 {
				r.unexpected()
			}
			f.Columns = append(f.Columns, a)
		}
		if closing == "" || !r.acceptSymbol(",") {
			break
		}
	}
	if closing != "" {
		r.expectSymbol(closing)
	}
	r.emit(") ) AS", t.pos)
	f.Ordinality = r.accept("with", "ordinality")
	f.Alias = r.alias(true)
	r.mark(t.pos, buildTable(func(*ast.Query) ast.TableExpr { return f }))
}

// matchRecognize keeps MATCH_RECOGNIZE (…) as text around the table before it.
func (r *rewriter) matchRecognize(start int32) {
	t := r.cur()
	m := placed(r.at(t), &ast.MatchRecognize{})
	r.advance()
	m.Text = r.balanced()
	m.Alias = r.alias(false)
	r.open(start, t.pos)
	r.emit("JOIN", t.pos)
	r.mark(t.pos, buildTable(func(*ast.Query) ast.TableExpr { return nil }))
	r.emit("ON", t.pos)
	r.markCall(t.pos, buildJoin(func(input, _ ast.TableExpr, _ []ast.Expr) ast.TableExpr {
		m.Input = input
		return m
	}))
	r.emit(") )", t.pos)
}

// alias takes [AS] name [(col, …)]; a function may define columns with types.
func (r *rewriter) alias(function bool) *ast.Alias {
	as := r.accept("as")
	t := r.cur()
	if function && as && t.is("(") {
		a := &ast.Alias{}
		r.aliasColumns(a, true)
		return a
	}
	if !as && (!isColumnName(t) || t.kind == identifier && (r.clauseAhead() || r.cur().isWord("match_condition") && r.peek(1).is("("))) {
		return nil
	}
	a := &ast.Alias{Name: r.name()}
	if r.cur().is("(") {
		r.aliasColumns(a, function)
	}
	return a
}

func (r *rewriter) aliasColumns(a *ast.Alias, typed bool) {
	r.expectSymbol("(")
	for {
		a.Columns = append(a.Columns, r.name())
		if typed && !r.cur().is(",") && !r.cur().is(")") {
			a.Types = append(a.Types, r.typeName())
		}
		if !r.acceptSymbol(",") {
			break
		}
	}
	if len(a.Types) > 0 && len(a.Types) != len(a.Columns) {
		r.unexpected()
	}
	r.expectSymbol(")")
}
