package parse

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// call writes a function call from its opening parenthesis on. ORDER BY, FILTER,
// OVER and so on become further arguments of one marked call, in source order;
// the mark knows how many of each there are.
func (r *rewriter) call(t *token, name ast.Path) {
	if len(name) == 1 && name[0].Value == "descriptor" && t.kind == identifier && r.descriptor(t) {
		return
	}
	c := placed(r.at(t), &ast.Call{Name: name})
	args, filter := 0, false
	r.markCall(t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
		take := taker{a}
		c.Args = take.many(args)
		take.orderBy(c.OrderBy)
		take.orderBy(c.WithinGroup)
		if filter {
			c.Filter = take.one()
		}
		if c.Over != nil {
			fillWindow(&take, c.Over)
		}
		return c
	}))
	l := &list{r: r}
	r.expectSymbol("(")
	switch {
	case r.cur().is("*"):
		r.advance()
		c.Star = true
	case !r.cur().is(")"):
		if r.acceptAny("distinct", "all") == "distinct" {
			c.Distinct = true
		}
		r.arguments(l, c)
		args = l.n
		if r.cur().isWord("order") {
			c.OrderBy = r.orderBy(l)
		}
	}
	r.expectSymbol(")")
	if r.accept("within", "group") {
		r.expectSymbol("(")
		c.WithinGroup = r.orderBy(l)
		r.expectSymbol(")")
	}
	if r.cur().isWord("filter") && r.peek(1).is("(") {
		filter = true
		r.advance()
		r.advance()
		r.expect("where")
		l.expr()
		r.expectSymbol(")")
	}
	if !r.accept("respect", "nulls") {
		c.IgnoreNulls = r.accept("ignore", "nulls")
	}
	if over := r.cur(); r.accept("over") {
		if r.cur().is("(") {
			c.Over = r.window(l)
		} else {
			c.Over = &ast.Window{Ref: r.name().Value}
		}
		c.Over.Pos = r.at(over)
	}
	r.emit(")", t.pos)
}

// arguments writes the arguments of a call, which may be named, or tables.
func (r *rewriter) arguments(l *list, c *ast.Call) {
	for {
		if r.accept("variadic") {
			c.Variadic = true
		}
		name := ""
		if t := r.cur(); t.isName() && (r.peek(1).is("=>") || r.peek(1).is(":=")) {
			name = r.label().Value
			r.advance()
		}
		if name != "" && c.ArgNames == nil {
			c.ArgNames = make([]string, l.n)
		}
		if c.ArgNames != nil {
			if name == "" {
				r.fail(pgerr.New(pgerr.SyntaxError, "positional argument cannot follow named argument").At(r.cur().pos))
			}
			c.ArgNames = append(c.ArgNames, name)
		}
		l.next()
		start, t := r.nextPiece(), r.cur()
		if t.isWord("table") {
			r.tableArgument()
		} else {
			r.expr()
		}
		if r.ahead("partition", "by") {
			r.partitioned(start, t)
		}
		if !r.acceptSymbol(",") {
			return
		}
	}
}

// tableArgument writes TABLE t or TABLE (query).
func (r *rewriter) tableArgument() {
	t := r.cur()
	pos := r.at(t)
	r.advance()
	if r.cur().is("(") && r.queryAhead(r.i) {
		r.markCall(t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
			sub, _ := a[0].(*ast.Subquery)
			return placed(pos, &ast.TableArg{Query: sub.Query})
		}))
		r.subquery()
		r.emit(")", t.pos)
		return
	}
	if r.acceptSymbol("(") {
		r.mark(t.pos, placed(pos, &ast.TableArg{Relation: r.path()}))
		r.expectSymbol(")")
		return
	}
	r.mark(t.pos, placed(pos, &ast.TableArg{Relation: r.path()}))
}

// partitioned writes PARTITION BY x or (x, …) around a table argument.
func (r *rewriter) partitioned(start int32, t *token) {
	pos := r.at(t)
	r.openCall(start, t.pos, buildExpr(func(a []ast.Expr) ast.Expr {
		arg := &ast.TableArg{}
		switch x := a[0].(type) {
		case *ast.TableArg:
			arg = x
		case *ast.ColumnRef:
			arg.Relation = x.Path
		case *ast.Subquery:
			arg.Query = x.Query
		default:
			r.fail(r.near(t))
		}
		arg.Pos = pos
		arg.PartitionBy = a[1:]
		if row, ok := a[1].(*ast.RowExpr); ok {
			arg.PartitionBy = row.Elems
		}
		return arg
	}))
	r.expect("partition", "by")
	r.emit(",", t.pos)
	r.expr()
	r.emit(")", t.pos)
}

// descriptor writes DESCRIPTOR(col, …) if nothing but names stands in it.
func (r *rewriter) descriptor(t *token) bool {
	for n := 1; !r.peek(n).is(")"); n++ {
		if x := r.peek(n); !x.isName() && !x.is(",") && !x.is(".") {
			return false
		}
	}
	if r.peek(1).is(")") {
		return false
	}
	r.expectSymbol("(")
	columns := r.paths()
	r.expectSymbol(")")
	r.mark(t.pos, placed(r.at(t), &ast.Descriptor{Columns: columns}))
	return true
}

// orderBy writes the expressions of an ORDER BY and returns items without them.
func (r *rewriter) orderBy(l *list) []ast.OrderItem {
	r.expect("order", "by")
	var items []ast.OrderItem
	for {
		item := ast.OrderItem{At: ast.At{Pos: r.here()}}
		l.expr()
		switch {
		case r.accept("asc"):
		case r.accept("desc"):
			item.Desc = true
		case r.cur().isWord("using"):
			r.unsupported(r.cur(), "ORDER BY … USING")
		}
		item.NullsFirst = r.nullsOrder()
		items = append(items, item)
		if !r.acceptSymbol(",") {
			return items
		}
	}
}

// nullsOrder takes NULLS FIRST|LAST.
func (c *cursor) nullsOrder() *bool {
	if !c.accept("nulls") {
		return nil
	}
	first := c.accept("first")
	if !first {
		c.expect("last")
	}
	return &first
}

// window writes ( [base] [PARTITION BY …] [ORDER BY …] [frame] ) and returns the
// window without its expressions, for fillWindow.
func (r *rewriter) window(l *list) *ast.Window {
	w := &ast.Window{}
	w.Pos = r.here()
	r.expectSymbol("(")
	if isColumnName(r.cur()) && !r.ahead("partition", "by") && !r.cur().isAny("rows", "range", "groups") {
		w.Ref = r.name().Value
	}
	if r.accept("partition", "by") {
		from := l.n
		for {
			l.expr()
			if !r.acceptSymbol(",") {
				break
			}
		}
		w.PartitionBy = make([]ast.Expr, l.n-from)
	}
	if r.cur().isWord("order") {
		w.OrderBy = r.orderBy(l)
	}
	if unit := r.acceptAny("rows", "range", "groups"); unit != "" {
		w.Frame = r.frame(l, unit)
	}
	r.expectSymbol(")")
	return w
}

func (r *rewriter) frame(l *list, unit string) *ast.Frame {
	f := &ast.Frame{Unit: unit, End: ast.FrameBound{Kind: "current row"}}
	if r.accept("between") {
		f.Start = r.frameBound(l)
		r.expect("and")
		f.End = r.frameBound(l)
	} else {
		f.Start = r.frameBound(l)
	}
	if r.accept("exclude") {
		switch {
		case r.accept("current", "row"):
			f.Exclude = "current row"
		case r.accept("no", "others"):
		default:
			if f.Exclude = r.acceptAny("group", "ties"); f.Exclude == "" {
				r.unexpected()
			}
		}
	}
	return f
}

func (r *rewriter) frameBound(l *list) ast.FrameBound {
	switch {
	case r.accept("current", "row"):
		return ast.FrameBound{Kind: "current row"}
	case r.accept("unbounded"):
		w := r.acceptAny("preceding", "following")
		if w == "" {
			r.unexpected()
		}
		return ast.FrameBound{Kind: "unbounded " + w}
	}
	l.expr()
	w := r.acceptAny("preceding", "following")
	if w == "" {
		r.unexpected()
	}
	return ast.FrameBound{Kind: w}
}

// fillWindow puts decoded expressions where window left them out.
func fillWindow(take *taker, w *ast.Window) {
	copy(w.PartitionBy, take.many(len(w.PartitionBy)))
	take.orderBy(w.OrderBy)
	if w.Frame == nil {
		return
	}
	for _, b := range []*ast.FrameBound{&w.Frame.Start, &w.Frame.End} {
		if b.Kind == "preceding" || b.Kind == "following" {
			b.Offset = take.one()
		}
	}
}
