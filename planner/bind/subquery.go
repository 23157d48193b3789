package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// opQuery stands for subquery number Column of the level until an Apply for it is
// planted below the expression. Its arguments are the outer references, then the
// comparison of ANY and ALL, in which opSub stands for the subquery's columns.
// Neither leaves this package.
const (
	opQuery scalar.Op = "bind.query"
	opSub   scalar.Op = "bind.sub"
)

// pendingQuery is a subquery in an expression that waits for its Apply.
type pendingQuery struct {
	kind       logical.ApplyKind
	node       logical.Node
	outerCount int
	typ        types.Type
	text       string
	query      *ast.Query // as it was written, nil where that is not all
}

// sameQuery reports whether two expressions stand for subqueries of this level that
// were written in the same words, over the same values.
func (l *level) sameQuery(x, y *scalar.Expr) bool {
	p, q := l.pending[x.Column], l.pending[y.Column]
	return p == q || p.query != nil && q.query != nil && p.kind == q.kind && exprsEqual(x.Args, y.Args) && ast.PrintQuery(p.query) == ast.PrintQuery(q.query)
}

// query binds a subquery of an expression.
func (l *level) query(q *ast.Query, mode queryMode) (logical.Node, *outer, error) {
	if l.inAgg {
		// It would have to be evaluated below the aggregation, which plant does.
		defer func(was bool) { l.inAgg = was }(l.inAgg)
		l.inAgg = false
	}
	o := &outer{from: l}
	node, err := l.b.subquery(q, env{ctes: l.ctes, outer: o}, mode)
	return node, o, err
}

// wait records a bound subquery and gives the expression that stands for it.
func (l *level) wait(p *pendingQuery, o *outer, compare *scalar.Expr, pos ast.Pos) *scalar.Expr {
	p.outerCount = len(o.args)
	l.pending = append(l.pending, p)
	e := &scalar.Expr{Op: opQuery, Column: len(l.pending) - 1, Type: p.typ, Text: p.text, Pos: int(pos)}
	e.Args = append(e.Args, o.args...)
	if compare != nil {
		e.Args = append(e.Args, compare)
	}
	return e
}

// exists binds EXISTS (subquery).
func (l *level) exists(x *ast.Exists) (*scalar.Expr, error) {
	node, o, err := l.query(x.Query, queryMode{})
	if err != nil {
		return nil, err
	}
	return l.wait(&pendingQuery{kind: logical.ExistsApply, node: node, typ: boolType, text: "exists(subquery)", query: x.Query}, o, nil, x.Pos), nil
}

// subquery binds a scalar subquery or ARRAY(subquery).
func (l *level) subquery(x *ast.Subquery) (*scalar.Expr, error) {
	node, o, err := l.query(x.Query, queryMode{keepOrder: x.Array})
	if err != nil {
		return nil, err
	}
	fields := node.Fields()
	if len(fields) != 1 {
		return nil, pgerr.New(pgerr.SyntaxError, "subquery must return only one column").At(int(x.Pos))
	}
	p := &pendingQuery{kind: logical.ScalarApply, node: node, typ: fields[0].Type, text: "(subquery)", query: x.Query}
	if x.Array {
		p.kind, p.text = logical.ArrayApply, "array(subquery)"
		if p.typ.Kind != types.Array {
			p.typ = types.ArrayOf(fields[0].Type)
		}
	}
	return l.wait(p, o, nil, x.Pos), nil
}

// inQuery binds x [NOT] IN (subquery), which is x = ANY.
func (l *level) inQuery(x *ast.In) (*scalar.Expr, error) {
	e, err := l.anyQuery(x.X, "=", false, x.Query, x.Pos)
	if err != nil || !x.Not {
		return e, err
	}
	return l.b.not(e, int(x.Pos)), nil
}

func (l *level) quantifiedQuery(x *ast.Quantified) (*scalar.Expr, error) {
	return l.anyQuery(x.X, x.Op, x.All, x.Query, x.Pos)
}

// anyQuery binds x op ANY|ALL (subquery); x may be a row.
func (l *level) anyQuery(x ast.Expr, op string, all bool, q *ast.Query, pos ast.Pos) (*scalar.Expr, error) {
	left := []ast.Expr{x}
	if row, ok := x.(*ast.RowExpr); ok {
		left = row.Elems
	}
	ls, err := l.exprs(left)
	if err != nil {
		return nil, err
	}
	node, o, err := l.query(q, queryMode{})
	if err != nil {
		return nil, err
	}
	fields := node.Fields()
	if len(fields) > len(ls) {
		return nil, pgerr.New(pgerr.SyntaxError, "subquery has too many columns").At(int(pos))
	}
	if len(fields) < len(ls) {
		return nil, pgerr.New(pgerr.SyntaxError, "subquery has too few columns").At(int(pos))
	}
	rs := make([]*scalar.Expr, len(fields))
	for i, f := range fields {
		rs[i] = &scalar.Expr{Op: opSub, Column: i, Type: f.Type, Text: textOfOrigin(f), Pos: int(pos)}
	}
	var compare *scalar.Expr
	if len(ls) == 1 {
		compare, err = l.b.infixCall(op, ls[0], rs[0], int(pos))
	} else {
		compare, err = l.b.rowComparison(op, ls, rs, int(pos))
	}
	if err != nil {
		return nil, err
	}
	p := &pendingQuery{kind: logical.AnyApply, node: node, typ: boolType, text: ls[0].Text + " " + op + " any(subquery)", query: q}
	if all {
		p.kind, p.text = logical.AllApply, ls[0].Text+" "+op+" all(subquery)"
	}
	return l.wait(p, o, compare, pos), nil
}

// compareRowQuery binds (a, b) op (subquery of one row): a scalar subquery whose
// one column is the comparison, with the row's values as outer ones.
func (l *level) compareRowQuery(x *ast.Binary, row *ast.RowExpr, sub *ast.Subquery) (*scalar.Expr, error) {
	pos := int(x.Pos)
	ls, err := l.exprs(row.Elems)
	if err != nil {
		return nil, err
	}
	node, o, err := l.query(sub.Query, queryMode{})
	if err != nil {
		return nil, err
	}
	fields := node.Fields()
	if len(fields) > len(ls) {
		return nil, pgerr.New(pgerr.SyntaxError, "subquery has too many columns").At(pos)
	}
	if len(fields) < len(ls) {
		return nil, pgerr.New(pgerr.SyntaxError, "subquery has too few columns").At(pos)
	}
	var outs, cols []*scalar.Expr
	for i, e := range ls {
		if e.Op != scalar.OpConst { // a constant is one in the subquery as well, and may still be untyped
			o.args = append(o.args, e)
			e = &scalar.Expr{Op: scalar.OpOuter, Column: len(o.args) - 1, Type: e.Type, Text: e.Text, Pos: e.Pos}
		}
		outs, cols = append(outs, e), append(cols, columnExpr(i, fields[i]))
	}
	compare, err := l.b.rowComparison(x.Op, outs, cols, pos)
	if err != nil {
		return nil, err
	}
	p := &logical.Project{Input: node, Exprs: []*scalar.Expr{compare}, Out: []logical.Field{{Name: "?column?", Type: boolType, Origin: compare.Text}}}
	return l.wait(&pendingQuery{kind: logical.ScalarApply, node: p, typ: boolType, text: "row " + x.Op + " (subquery)"}, o, nil, x.Pos), nil
}

// columnsOf binds a subquery of one row whose columns are wanted one by one: a
// scalar subquery for each.
func (l *level) columnsOf(x *ast.Subquery, want int) ([]*scalar.Expr, error) {
	node, o, err := l.query(x.Query, queryMode{})
	if err != nil {
		return nil, err
	}
	fields := node.Fields()
	if len(fields) != want {
		return nil, pgerr.New(pgerr.SyntaxError, "number of columns does not match number of values").At(int(x.Pos))
	}
	var out []*scalar.Expr
	for i, f := range fields {
		one := &logical.Project{Input: node, Exprs: []*scalar.Expr{columnExpr(i, f)}, Out: []logical.Field{f}}
		own := &outer{from: o.from}
		for _, a := range o.args {
			c := *a
			own.args = append(own.args, &c)
		}
		out = append(out, l.wait(&pendingQuery{kind: logical.ScalarApply, node: one, typ: f.Type, text: "(subquery)"}, own, nil, x.Pos))
	}
	return out, nil
}

// plant puts an Apply over node for each subquery in the expressions and turns
// what stood for them, in place, into columns.
func (l *level) plant(node logical.Node, exprs ...*scalar.Expr) (logical.Node, error) {
	return l.plantAsked(node, askedIn(exprs...), exprs...), nil
}

// plantAsked is plant for expressions that ask for the subqueries' answers as told.
func (l *level) plantAsked(node logical.Node, by *asked, exprs ...*scalar.Expr) logical.Node {
	for _, e := range exprs {
		var waiting []*scalar.Expr
		walk(e, func(x *scalar.Expr) bool {
			if x.Op == opQuery {
				waiting = append(waiting, x)
			}
			return true
		})
		// Inner ones first: they may be outer arguments of the others.
		// One that stands in several places, as the operand of BETWEEN does, has become
		// a column in all of them by the second.
		for i := len(waiting) - 1; i >= 0; i-- {
			node = l.plantOne(node, by, waiting[i])
		}
	}
	return node
}

// plantOne plants a subquery unless it has been. Over finished data those that decide
// whether it is asked for go first; elsewhere the order is in the names of what is kept.
func (l *level) plantOne(node logical.Node, by *asked, x *scalar.Expr) logical.Node {
	if x.Op != opQuery {
		return node
	}
	if id := x.Column; !l.b.opts.Continuous && !by.waits[id] {
		by.waits[id] = true // one that stands in several places may decide about itself
		for _, y := range by.deciding(id) {
			if y.Op == opQuery && !by.waits[y.Column] {
				node = l.plantOne(node, by, y)
			}
		}
		delete(by.waits, id)
		if x.Op != opQuery {
			return node
		}
	}
	return l.apply(node, x, by, by.when(x.Column, computable))
}

// plantedQuery is a subquery that has its Apply.
type plantedQuery struct {
	column int // of the node it was planted on
	apply  *logical.Apply
	asked  *asked
}

// apply adds the Apply for one subquery that is asked for when a condition is true, nil
// for always, once for each node.
func (l *level) apply(node logical.Node, x *scalar.Expr, by *asked, when *scalar.Expr) logical.Node {
	id := x.Column
	p := l.pending[id]
	width := len(node.Fields())
	become := func(c int) {
		*x = scalar.Expr{Op: scalar.OpColumn, Column: c, Type: p.typ, Text: p.text, Pos: x.Pos}
	}
	if q, ok := l.planted[id]; ok && q.column < width {
		if q.asked != by { // also for others
			q.apply.When = nil
		}
		become(q.column)
		return node
	}
	a := &logical.Apply{Kind: p.kind, Input: node, Sub: p.node, Args: x.Args[:p.outerCount], When: when, Pos: x.Pos}
	if len(x.Args) > p.outerCount {
		a.Compare, _ = l.b.rewrite(x.Args[p.outerCount], func(s *scalar.Expr) (*scalar.Expr, error) {
			if s.Op != opSub {
				return nil, nil
			}
			c := *s
			c.Op, c.Column = scalar.OpColumn, width+s.Column
			return &c, nil
		})
	}
	a.Out = append(append([]logical.Field(nil), node.Fields()...), logical.Field{Name: "?column?", Type: p.typ, Origin: p.text})
	if l.planted == nil {
		l.planted = map[int]plantedQuery{}
	}
	l.planted[id] = plantedQuery{width, a, by}
	become(width)
	return a
}
