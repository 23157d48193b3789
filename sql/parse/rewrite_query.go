package parse

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// query writes [WITH …] body [ORDER BY …] [LIMIT …] … as one SELECT of TiDB's.
// Its first select item is a mark that says what the SELECT stands for.
func (r *rewriter) query() {
	r.enter()
	defer r.leave()
	if r.cur().isWord("with") {
		r.with()
	}
	r.setOperations(1)
	r.queryTail()
}

// with writes WITH name AS (query), ….
func (r *rewriter) with() {
	t := r.cur()
	r.advance()
	recursive := r.accept("recursive")
	r.emit("WITH", t.pos)
	l := list{r: r}
	for {
		l.next()
		name := r.cur()
		m := &cteMark{with: r.at(t), recursive: recursive}
		m.cte.Name = r.name()
		if r.cur().is("(") {
			m.cte.Columns = r.names()
		}
		r.mark(name.pos, m)
		r.expect("as")
		if not := r.accept("not", "materialized"); not || r.accept("materialized") {
			yes := !not
			m.cte.Materialized = &yes
		}
		r.emit("AS", name.pos)
		if !r.queryAhead(r.i) && r.peek(1).isAny("insert", "update", "delete", "merge") {
			m.cte.Statement = r.dataStatement()
		} else {
			r.parenthesizedQuery()
		}
		m.cte.Search, m.cte.Cycle = r.search(), r.cycle()
		if !r.acceptSymbol(",") {
			return
		}
	}
}

// dataStatement takes an INSERT, UPDATE or DELETE in parentheses. To TiDB it is a
// query of nothing.
func (r *rewriter) dataStatement() ast.Statement {
	t := r.cur()
	r.expectSymbol("(")
	st := (&parser{r.cursor}).statement()
	r.expectSymbol(")")
	r.emit("( SELECT", t.pos)
	r.markCall(t.pos, buildBody(func([]ast.Expr) ast.SetExpr { return &ast.Values{} }))
	r.emit(") )", t.pos)
	return st
}

// parenthesizedQuery writes a subquery where nothing else may stand.
func (r *rewriter) parenthesizedQuery() {
	if !r.cur().is("(") {
		r.unexpected()
		return
	}
	if !r.queryAhead(r.i) {
		r.advance()
		r.unexpected()
		return
	}
	r.subquery()
}

// setOperations writes terms that UNION and EXCEPT (level 1) or INTERSECT (level
// 2) combine, each combination as a marked call of two subqueries.
func (r *rewriter) setOperations(level int) {
	start := r.nextPiece()
	r.setOperand(level)
	for count := 0; ; count++ {
		t := r.cur()
		if level == 1 && !t.isAny("union", "except") || level == 2 && !t.isWord("intersect") {
			return
		}
		if count > depthMax {
			r.tooComplex()
			return
		}
		r.advance()
		all := r.accept("all")
		if !all {
			r.accept("distinct")
		}
		pos, op := r.at(t), t.text
		r.open(start, t.pos)
		r.openCall(start, t.pos, buildBody(func(a []ast.Expr) ast.SetExpr {
			return placed(pos, &ast.SetOp{Op: op, All: all, L: operand(a[0]), R: operand(a[1])})
		}))
		r.before(start, piece{text: "SELECT", mark: -1, src: int32(t.pos)})
		r.emit(") , (", t.pos)
		r.setOperand(level)
		r.emit(") )", t.pos)
	}
}

func (r *rewriter) setOperand(level int) {
	if level == 1 {
		r.setOperations(2)
	} else {
		r.term()
	}
}

// operand is the body of a decoded subquery.
func operand(x ast.Expr) ast.SetExpr {
	sub, ok := x.(*ast.Subquery)
	if !ok {
		return nil
	}
	q := sub.Query
	if q.With == nil && q.OrderBy == nil && q.Limit == nil && q.Skip == nil && q.Locking == "" && q.Emit == "" {
		return q.Body
	}
	return placed(q.Pos, &ast.Nested{Query: q})
}

// term writes one SELECT, VALUES, TABLE or parenthesised query.
func (r *rewriter) term() {
	switch t := r.cur(); {
	case t.isWord("select"):
		r.selectBlock()
	case t.isWord("values"):
		r.values()
	case t.isWord("table"):
		r.advance()
		sel := placed(r.at(t), &ast.Select{Items: []ast.SelectItem{{X: placed(r.at(t), &ast.Star{})}}})
		ref := &ast.TableRef{Only: r.accept("only")}
		ref.Pos = r.here()
		ref.Name = r.path()
		r.acceptSymbol("*")
		sel.From = []ast.TableExpr{ref}
		r.emit("SELECT", t.pos)
		r.markCall(t.pos, buildBody(func([]ast.Expr) ast.SetExpr { return sel }))
		r.emit(")", t.pos)
	case t.is("("):
		r.emit("SELECT", t.pos)
		r.markCall(t.pos, buildBody(func(a []ast.Expr) ast.SetExpr { return operand(a[0]) }))
		r.parenthesizedQuery()
		r.emit(")", t.pos)
	default:
		r.unexpected()
	}
}

// values writes VALUES (…), … as one flat list.
func (r *rewriter) values() {
	t := r.cur()
	r.advance()
	var widths []int
	pos := r.at(t)
	r.emit("SELECT", t.pos)
	r.markCall(t.pos, buildBody(func(a []ast.Expr) ast.SetExpr {
		take := taker{a}
		v := placed(pos, &ast.Values{Rows: make([][]ast.Expr, len(widths))})
		for i, w := range widths {
			v.Rows[i] = take.many(w)
		}
		return v
	}))
	l := list{r: r}
	for {
		row, from := r.cur(), l.n
		if row.isWord("row") {
			r.unexpectedHint("Write the rows without ROW: VALUES (1, 'a'), (2, 'b').")
		}
		r.expectSymbol("(")
		first := r.cur()
		for {
			l.expr()
			if !r.acceptSymbol(",") {
				break
			}
		}
		r.expectSymbol(")")
		widths = append(widths, l.n-from)
		if widths[0] != l.n-from {
			r.fail(pgerr.New(pgerr.SyntaxError, "VALUES lists must all be the same length").At(first.pos))
		}
		if !r.acceptSymbol(",") {
			break
		}
	}
	r.emit(")", t.pos)
}

// queryTail writes what follows a query's body as one mark in ORDER BY.
func (r *rewriter) queryTail() {
	if !r.cur().isAny("order", "limit", "offset", "fetch", "for", "emit") {
		return
	}
	t := r.cur()
	tail := &ast.Query{}
	var fills []func(*taker, *ast.Query)
	r.emit("ORDER BY", t.pos)
	r.markCall(t.pos, &clauseTail{inQuery: func(a []ast.Expr, q *ast.Query) {
		take := &taker{a}
		q.WithTies, q.Locking, q.LockingPos, q.Emit, q.EmitPos = tail.WithTies, tail.Locking, tail.LockingPos, tail.Emit, tail.EmitPos
		for _, fill := range fills {
			fill(take, q)
		}
	}})
	l := &list{r: r}
	if t.isWord("order") {
		items := r.orderBy(l)
		fills = append(fills, func(take *taker, q *ast.Query) {
			take.orderBy(items)
			q.OrderBy = items
		})
	}
	var limit, skip bool
	for {
		t := r.cur()
		switch {
		case t.isAny("limit", "fetch") && !limit:
			limit = true
			fills = append(fills, r.limit(l, tail))
		case t.isWord("offset") && !skip:
			skip = true
			r.advance()
			l.expr()
			r.acceptAny("row", "rows")
			fills = append(fills, func(take *taker, q *ast.Query) { q.Skip = take.one() })
		case t.isWord("for") && r.peek(1).isAny("update", "share", "no", "key"):
			r.locking(tail)
		case r.ahead("emit", "on", "window", "close"):
			r.accept("emit", "on", "window", "close")
			tail.Emit, tail.EmitPos = "window close", ast.Pos(t.pos)
		default:
			r.emit(")", t.pos)
			return
		}
	}
}

// limit writes LIMIT n, LIMIT ALL or FETCH FIRST [n] ROWS ONLY|WITH TIES.
func (r *rewriter) limit(l *list, tail *ast.Query) func(*taker, *ast.Query) {
	take := func(take *taker, q *ast.Query) { q.Limit = take.one() }
	if r.accept("limit") {
		if r.accept("all") || r.cur().isWord("null") {
			r.accept("null")
			return func(*taker, *ast.Query) {}
		}
		l.expr()
		if r.cur().is(",") {
			r.fail(pgerr.New(pgerr.SyntaxError, "LIMIT #,# syntax is not supported").At(r.cur().pos).
				Hint("Use separate LIMIT and OFFSET clauses."))
		}
		return take
	}
	r.expect("fetch")
	if r.acceptAny("first", "next") == "" {
		r.unexpected()
	}
	if r.cur().isAny("row", "rows") {
		l.integer("1")
	} else {
		l.next()
		r.climb(precAdd)
	}
	if r.acceptAny("row", "rows") == "" {
		r.unexpected()
	}
	if r.accept("with", "ties") {
		tail.WithTies = true
	} else {
		r.expect("only")
	}
	return take
}

// locking takes FOR UPDATE and its like.
func (r *rewriter) locking(tail *ast.Query) {
	from := r.cur().pos
	r.expect("for")
	switch {
	case r.accept("update"), r.accept("share"), r.accept("no", "key", "update"), r.accept("key", "share"):
	default:
		r.unexpected()
	}
	if r.accept("of") {
		r.paths()
	}
	if !r.accept("nowait") {
		r.accept("skip", "locked")
	}
	if r.err != nil {
		return
	}
	if tail.Locking != "" {
		tail.Locking += " "
	} else {
		tail.LockingPos = r.place(from)
	}
	tail.Locking += r.src[from:r.toks[r.i-1].end]
}
