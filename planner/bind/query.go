package bind

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// env is what a query sees from outside: named subqueries and outer columns.
type env struct {
	ctes  *cteScope
	outer *outer
}

// queryMode says what the surroundings want of a query.
type queryMode struct {
	// keepUnknown leaves untyped literals in the output for the caller to type.
	keepUnknown bool
	// keepOrder keeps an ORDER BY in a continuous query too, for an array of the rows.
	keepOrder bool
	// picked says that ORDER BY has had its effect: DISTINCT ON picked rows by it.
	picked bool
}

// cteScope is a list of WITH queries, innermost first.
type cteScope struct {
	next    *cteScope
	name    string
	pos     ast.Pos
	columns []ast.Name
	query   *ast.Query
	env     env
	first   logical.Node // bound when defined, taken by the first use
	// correlated queries refer to columns of a query around their WITH.
	correlated bool
	// recursive queries refer to themselves; within their second part, working is
	// what they are.
	recursive bool
	working   *logical.Working
	search    *ast.Search
	cycle     *ast.Cycle
	added     int // how many of working's columns SEARCH and CYCLE have added
	// given are the rows of an INSERT, UPDATE or DELETE, nil if it has no RETURNING.
	given  logical.Node
	writes bool
}

func (s *cteScope) find(name string) *cteScope {
	for ; s != nil; s = s.next {
		if s.name == name {
			return s
		}
	}
	return nil
}

type queryResult struct{ node logical.Node }

// query binds a whole query; e is nil at the top.
func (b *binder) query(q *ast.Query, e *env, mode queryMode) (queryResult, error) {
	if e == nil {
		e = &env{}
	}
	node, err := b.queryNode(q, *e, mode)
	return queryResult{node}, err
}

func (b *binder) queryNode(q *ast.Query, e env, mode queryMode) (logical.Node, error) {
	if err := b.enter(q.Pos); err != nil {
		return nil, err
	}
	defer b.leave()
	if q.Locking != "" {
		return nil, pgerr.NotSupported(int(q.LockingPos), q.Locking).
			Hint("Nothing is locked. Leave it out: in a SERIALIZABLE transaction COMMIT fails with 40001 if others have changed what was read, and it is to be tried again.")
	}
	e, err := b.withQueries(q.With, e)
	if err != nil {
		return nil, err
	}
	if hasSubquery(q.Limit) || hasSubquery(q.Skip) {
		return b.countedByQuery(q, e, mode)
	}
	if sel, ok := q.Body.(*ast.Select); ok {
		return b.selectBlock(sel, q, e, mode)
	}
	if len(q.OrderBy) > 0 || q.Limit != nil || q.Skip != nil {
		mode.keepUnknown = false
	}
	inside := mode
	inside.keepOrder = mode.keepOrder && len(q.OrderBy) == 0
	node, err := b.setExpr(q.Body, e, inside)
	if err != nil {
		return nil, err
	}
	keys, err := b.outputOrder(q.OrderBy, node)
	if err != nil {
		return nil, err
	}
	return b.sortAndLimit(node, keys, q, e, scopeOf(node, "", ""), mode)
}

// subquery binds a query within another one.
func (b *binder) subquery(q *ast.Query, e env, mode queryMode) (logical.Node, error) {
	at := func(n Notice) bool { return n.Position == int(q.EmitPos) }
	if q.Emit != "" && !slices.ContainsFunc(b.notices, at) { // of a WITH query that is read twice
		b.warn(q.EmitPos, "EMIT ON WINDOW CLOSE is ignored in a subquery: it belongs at the end of the whole query")
	}
	return b.queryNode(q, e, mode)
}

// withQueries puts the WITH queries in scope, each seeing those before it, or with
// RECURSIVE all of them.
func (b *binder) withQueries(w *ast.With, e env) (env, error) {
	if w == nil {
		return e, nil
	}
	seen := map[string]bool{}
	for i := range w.CTEs {
		c := &w.CTEs[i]
		if seen[c.Name.Value] {
			return e, pgerr.New(pgerr.DuplicateAlias, "WITH query name %q specified more than once", c.Name.Value).At(int(c.Name.Pos))
		}
		seen[c.Name.Value] = true
	}
	order, err := orderOf(w)
	if err != nil {
		return e, err
	}
	for _, c := range order {
		s := &cteScope{next: e.ctes, name: c.Name.Value, pos: c.Name.Pos, columns: c.Columns, query: c.Query, env: e, recursive: c.recursive,
			search: c.Search, cycle: c.Cycle}
		if !c.recursive && (c.Search != nil || c.Cycle != nil) {
			return e, pgerr.New(pgerr.SyntaxError, "WITH query is not recursive").At(int(c.Name.Pos))
		}
		if c.Statement != nil {
			if err := b.write(s, w, c.Statement, e); err != nil {
				return e, err
			}
			e.ctes = s
			continue
		}
		probe := e
		if e.outer != nil {
			probe.outer = &outer{from: e.outer.from}
		}
		node, err := b.cteNode(s, probe)
		if err != nil {
			return e, err
		}
		if s.correlated = e.outer != nil && len(probe.outer.args) > 0; !s.correlated {
			s.first = node
		}
		e.ctes = s
	}
	return e, nil
}

// cteNode binds a WITH query.
func (b *binder) cteNode(c *cteScope, e env) (logical.Node, error) {
	if c.given != nil {
		return c.given, nil
	}
	if c.recursive {
		return b.recursiveQuery(c, e)
	}
	return b.subquery(c.query, e, queryMode{})
}

// setExpr binds the body of a query that is not a plain SELECT with its own
// ORDER BY.
func (b *binder) setExpr(x ast.SetExpr, e env, mode queryMode) (logical.Node, error) {
	if err := b.enter(x.Offset()); err != nil {
		return nil, err
	}
	defer b.leave()
	switch x := x.(type) {
	case *ast.Select:
		return b.selectBlock(x, nil, e, mode)
	case *ast.Values:
		return b.values(x, e, mode)
	case *ast.Nested:
		return b.subquery(x.Query, e, mode)
	case *ast.SetOp:
		return b.setOp(x, e)
	}
	return nil, pgerr.NotSupported(int(x.Offset()), "this kind of query")
}

// values binds VALUES: the types of each column are unified over the rows.
func (b *binder) values(x *ast.Values, e env, mode queryMode) (logical.Node, error) {
	l := &level{b: b, ctes: e.ctes, outer: e.outer, clause: "VALUES"}
	n := &logical.Values{}
	for _, row := range x.Rows {
		if len(row) != len(x.Rows[0]) {
			return nil, pgerr.New(pgerr.SyntaxError, "VALUES lists must all be the same length").At(int(row[0].Offset()))
		}
		var out []*scalar.Expr
		for _, cell := range row {
			if d, ok := cell.(*ast.Default); ok {
				return nil, pgerr.New(pgerr.SyntaxError, "DEFAULT is not allowed in this context").At(int(d.Pos))
			}
			v, err := l.expr(cell)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		n.Rows = append(n.Rows, out)
	}
	return b.finishValues(n, l, mode)
}

func (b *binder) finishValues(n *logical.Values, l *level, mode queryMode) (logical.Node, error) {
	if len(l.pending) > 0 {
		if len(n.Rows) == 1 {
			return b.valueWithQueries(n.Rows[0], l, mode)
		}
		mode.keepUnknown = false
	}
	for c := range n.Rows[0] {
		col := make([]*scalar.Expr, len(n.Rows))
		for r := range n.Rows {
			col[r] = n.Rows[r][c]
		}
		t, err := b.commonType(col, "VALUES")
		if err != nil {
			return nil, err
		}
		if t.Kind == types.Unknown {
			if !mode.keepUnknown {
				t = types.Of(types.Text)
			}
		}
		for r := range n.Rows {
			if t.Kind == types.Unknown {
				continue
			}
			v, err := b.share(n.Rows[r][c], t, implicit)
			if err != nil {
				return nil, err
			}
			n.Rows[r][c] = v
		}
		n.Out = append(n.Out, logical.Field{Name: columnName(c), Type: t, Origin: columnName(c)})
	}
	if len(l.pending) > 0 {
		return b.valuesOver(n, l)
	}
	return n, nil
}

// valuesOver serves VALUES with subqueries, whose answers make one row that all
// cells are computed from.
func (b *binder) valuesOver(n *logical.Values, l *level) (logical.Node, error) {
	sub := &logical.Values{Out: n.Out}
	var args []*scalar.Expr
	for _, row := range n.Rows {
		var cells []*scalar.Expr
		for _, v := range row {
			if v.Op != scalar.OpConst {
				args = append(args, v)
				v = &scalar.Expr{Op: scalar.OpOuter, Column: len(args) - 1, Type: v.Type, Text: v.Text, Pos: v.Pos}
			}
			cells = append(cells, v)
		}
		sub.Rows = append(sub.Rows, cells)
	}
	in, err := l.plant(&logical.Values{Rows: [][]*scalar.Expr{{}}}, args...)
	if err != nil {
		return nil, err
	}
	width := len(in.Fields())
	a := &logical.Apply{Kind: logical.CrossApply, Input: in, Sub: sub, Args: args, Pos: n.Rows[0][0].Pos,
		Out: append(append([]logical.Field(nil), in.Fields()...), n.Out...)}
	p := &logical.Project{Input: a, Out: n.Out}
	for i, f := range n.Out {
		p.Exprs = append(p.Exprs, columnExpr(width+i, f))
	}
	return p, nil
}

// valueWithQueries serves a VALUES row that holds subqueries.
func (b *binder) valueWithQueries(row []*scalar.Expr, l *level, mode queryMode) (logical.Node, error) {
	node, err := l.plant(&logical.Values{Rows: [][]*scalar.Expr{{}}}, row...)
	if err != nil {
		return nil, err
	}
	p := &logical.Project{Input: node}
	for c, v := range row {
		if v.Type.Kind == types.Unknown && !mode.keepUnknown {
			if v, err = b.coerce(v, types.Of(types.Text), implicit); err != nil {
				return nil, err
			}
		}
		p.Exprs = append(p.Exprs, v)
		p.Out = append(p.Out, logical.Field{Name: columnName(c), Type: v.Type, Origin: columnName(c)})
	}
	return p, nil
}
