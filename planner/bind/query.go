package bind

import (
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
}

// cteScope is a list of WITH queries, innermost first.
type cteScope struct {
	next    *cteScope
	name    string
	columns []ast.Name
	query   *ast.Query
	env     env
	first   logical.Node // bound when defined, taken by the first use
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
		return nil, pgerr.NotSupported(int(q.Pos), q.Locking)
	}
	e, err := b.withQueries(q.With, e)
	if err != nil {
		return nil, err
	}
	if sel, ok := q.Body.(*ast.Select); ok {
		return b.selectBlock(sel, q, e, mode)
	}
	if len(q.OrderBy) > 0 || q.Limit != nil || q.Skip != nil {
		mode.keepUnknown = false
	}
	node, err := b.setExpr(q.Body, e, mode)
	if err != nil {
		return nil, err
	}
	keys, err := b.outputOrder(q.OrderBy, node)
	if err != nil {
		return nil, err
	}
	return b.sortAndLimit(node, keys, q)
}

// withQueries puts the WITH queries in scope, each seeing those before it.
func (b *binder) withQueries(w *ast.With, e env) (env, error) {
	if w == nil {
		return e, nil
	}
	if w.Recursive {
		for i := range w.CTEs {
			if mentionsRelation(w.CTEs[i].Query, w.CTEs[i].Name.Value) {
				return e, pgerr.NotSupported(int(w.CTEs[i].Name.Pos), "WITH RECURSIVE")
			}
		}
	}
	seen := map[string]bool{}
	for i := range w.CTEs {
		c := &w.CTEs[i]
		if seen[c.Name.Value] {
			return e, pgerr.New(pgerr.DuplicateAlias, "WITH query name %q specified more than once", c.Name.Value).At(int(c.Name.Pos))
		}
		seen[c.Name.Value] = true
		s := &cteScope{next: e.ctes, name: c.Name.Value, columns: c.Columns, query: c.Query, env: e}
		if c.Query == nil {
			return e, pgerr.NotSupported(int(c.Name.Pos), "a data-modifying statement in WITH")
		}
		node, err := b.queryNode(c.Query, e, queryMode{})
		if err != nil {
			return e, err
		}
		s.first = node
		e.ctes = s
	}
	return e, nil
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
		return b.queryNode(x.Query, e, mode)
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
	if len(l.pending) > 0 || len(l.srf) > 0 {
		return b.valuesAsUnion(n, l, mode)
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
			v, err := b.coerce(n.Rows[r][c], t, implicit)
			if err != nil {
				return nil, err
			}
			n.Rows[r][c] = v
		}
		n.Out = append(n.Out, logical.Field{Name: columnName(c), Type: t, Origin: columnName(c)})
	}
	return n, nil
}

// valuesAsUnion serves VALUES rows that hold subqueries.
func (b *binder) valuesAsUnion(n *logical.Values, l *level, mode queryMode) (logical.Node, error) {
	if len(n.Rows) != 1 {
		return nil, pgerr.NotSupported(n.Rows[0][0].Pos, "a subquery in VALUES with several rows")
	}
	var node logical.Node = &logical.Values{Rows: [][]*scalar.Expr{{}}}
	node, err := l.plant(node, n.Rows[0]...)
	if err != nil {
		return nil, err
	}
	p := &logical.Project{Input: node}
	for c, v := range n.Rows[0] {
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

// setOp binds UNION, INTERSECT and EXCEPT.
func (b *binder) setOp(x *ast.SetOp, e env) (logical.Node, error) {
	if x.Op != "union" && b.opts.Continuous {
		return nil, pgerr.NotSupported(int(x.Pos), upper(x.Op)+" in a continuous query")
	}
	parts := []ast.SetExpr{x.L, x.R}
	if x.Op == "union" && x.All {
		parts = flattenUnionAll(x, nil)
	}
	nodes := make([]logical.Node, len(parts))
	for i, p := range parts {
		n, err := b.setExpr(p, e, queryMode{keepUnknown: true})
		if err != nil {
			return nil, err
		}
		if i > 0 && len(n.Fields()) != len(nodes[0].Fields()) {
			return nil, pgerr.New(pgerr.SyntaxError, "each %s query must have the same number of columns", upper(x.Op)).At(int(p.Offset()))
		}
		nodes[i] = n
	}
	out, err := b.unify(nodes, upper(x.Op))
	if err != nil {
		return nil, err
	}
	switch {
	case x.Op != "union":
		return &logical.SetOp{Kind: logical.SetOpKind(x.Op), All: x.All, Left: nodes[0], Right: nodes[1], Out: out}, nil
	case x.All:
		return &logical.Union{All: nodes, Out: out}, nil
	}
	return distinctOf(&logical.Union{All: nodes, Out: out}), nil
}

// flattenUnionAll lists the branches of a chain of UNION ALL from left to right.
func flattenUnionAll(x ast.SetExpr, parts []ast.SetExpr) []ast.SetExpr {
	if u, ok := x.(*ast.SetOp); ok && u.Op == "union" && u.All {
		return flattenUnionAll(u.R, flattenUnionAll(u.L, parts))
	}
	return append(parts, x)
}

// unify casts the columns of all nodes to common types and gives the fields of
// the result, named after the first.
func (b *binder) unify(nodes []logical.Node, what string) ([]logical.Field, error) {
	first := nodes[0].Fields()
	out := make([]logical.Field, len(first))
	for c := range first {
		col := make([]*scalar.Expr, len(nodes))
		out[c] = first[c]
		for i, n := range nodes {
			f := n.Fields()[c]
			col[i] = outputExpr(n, c)
			if i > 0 && f.Origin != out[c].Origin {
				out[c].Origin = out[c].Name
			}
			out[c].TimeAttr = out[c].TimeAttr && f.TimeAttr
			out[c].ProcTime = out[c].ProcTime && f.ProcTime
			if f.WindowBound != out[c].WindowBound {
				out[c].WindowBound = ""
			}
		}
		out[c].Relation = ""
		t, err := b.commonType(col, what)
		if err != nil {
			return nil, err
		}
		if t.Kind == types.Unknown {
			t = types.Of(types.Text)
		}
		out[c].Type = t
	}
	for i, n := range nodes {
		want := make([]types.Type, len(out))
		for c := range out {
			want[c] = out[c].Type
		}
		cast, err := b.coerceOutput(n, want, implicit, nil)
		if err != nil {
			return nil, err
		}
		nodes[i] = cast
	}
	return out, nil
}

// outputExpr stands for an output column of a node when types are compared; it
// carries the position of the expression behind it.
func outputExpr(n logical.Node, c int) *scalar.Expr {
	f := n.Fields()[c]
	e := columnExpr(c, f)
	switch n := n.(type) {
	case *logical.Project:
		e.Pos = n.Exprs[c].Pos
	case *logical.Values:
		e.Pos = n.Rows[0][c].Pos
	}
	return e
}

// coerceOutput casts the columns of a node to the types wanted; untyped literals
// are read as the type. Invalid means leave as it is. The error of a column
// comes from fail, if there is one.
func (b *binder) coerceOutput(n logical.Node, want []types.Type, ctx castContext, fail func(c int, e *scalar.Expr, want types.Type) error) (logical.Node, error) {
	fields := n.Fields()
	same := true
	for c := range want {
		if want[c].Kind != types.Invalid && !fields[c].Type.Equal(want[c]) {
			same = false
		}
	}
	if same {
		return n, nil
	}
	cast := func(e *scalar.Expr, c int) (*scalar.Expr, error) {
		if want[c].Kind == types.Invalid || want[c].Kind == types.Unknown {
			return e, nil
		}
		if fail != nil && !b.canCoerce(e.Type, want[c], ctx) {
			return nil, fail(c, e, want[c])
		}
		return b.coerce(e, want[c], ctx)
	}
	outField := func(c int, e *scalar.Expr) logical.Field {
		f := fields[c]
		f.Type = e.Type
		return f
	}
	switch n := n.(type) {
	case *logical.Project:
		p := &logical.Project{Input: n.Input}
		for c, e := range n.Exprs {
			v, err := cast(e, c)
			if err != nil {
				return nil, err
			}
			p.Exprs = append(p.Exprs, v)
			p.Out = append(p.Out, outField(c, v))
		}
		return p, nil
	case *logical.Values:
		v := &logical.Values{Out: append([]logical.Field(nil), n.Out...)}
		for _, row := range n.Rows {
			var cells []*scalar.Expr
			for c, e := range row {
				x, err := cast(e, c)
				if err != nil {
					return nil, err
				}
				cells = append(cells, x)
				v.Out[c].Type = x.Type
			}
			v.Rows = append(v.Rows, cells)
		}
		return v, nil
	}
	p := &logical.Project{Input: n}
	for c, f := range fields {
		e := columnExpr(c, f)
		v, err := cast(e, c)
		if err != nil {
			return nil, err
		}
		p.Exprs = append(p.Exprs, v)
		p.Out = append(p.Out, outField(c, v))
	}
	return p, nil
}

// distinctOf keeps one copy of each row.
func distinctOf(n logical.Node) *logical.Aggregate {
	a := &logical.Aggregate{Input: n}
	for i, f := range n.Fields() {
		a.Keys = append(a.Keys, columnExpr(i, f))
		f.Relation = ""
		f.TimeAttr = false
		a.Out = append(a.Out, f)
	}
	return a
}

// outputOrder binds an ORDER BY that can only name output columns.
func (b *binder) outputOrder(items []ast.OrderItem, n logical.Node) ([]scalar.SortKey, error) {
	var keys []scalar.SortKey
	for i := range items {
		it := &items[i]
		c := -1
		switch x := it.X.(type) {
		case *ast.Literal:
			k, err := ordinal(x, len(n.Fields()), "ORDER BY")
			if err != nil {
				return nil, err
			}
			c = k
		case *ast.ColumnRef:
			if len(x.Path) == 1 {
				for k, f := range n.Fields() {
					if f.Name != x.Path[0].Value {
						continue
					}
					if c >= 0 {
						return nil, pgerr.New(pgerr.AmbiguousColumn, "ORDER BY %q is ambiguous", f.Name).At(int(x.Pos))
					}
					c = k
				}
			}
			if c < 0 {
				l := &level{b: b, scope: scopeOf(n, "", "")}
				return nil, l.undefinedColumn(x.Path)
			}
		}
		if c < 0 {
			return nil, pgerr.New(pgerr.FeatureNotSupported, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause").At(int(it.X.Offset())).
				WithDetail("Only result column names can be used, not expressions or functions.").
				Hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
		}
		keys = append(keys, sortKey(columnExpr(c, n.Fields()[c]), it))
	}
	return keys, nil
}

func sortKey(x *scalar.Expr, it *ast.OrderItem) scalar.SortKey {
	k := scalar.SortKey{X: x, Desc: it.Desc, NullsFirst: it.Desc}
	if it.NullsFirst != nil {
		k.NullsFirst = *it.NullsFirst
	}
	return k
}

// sortAndLimit adds ORDER BY, LIMIT and OFFSET to a node. A continuous query has
// no order to keep, so that an ORDER BY alone falls away.
func (b *binder) sortAndLimit(n logical.Node, keys []scalar.SortKey, q *ast.Query) (logical.Node, error) {
	l := &level{b: b}
	limit, err := l.rowCount(q.Limit, "LIMIT")
	if err != nil {
		return nil, err
	}
	skip, err := l.rowCount(q.Skip, "OFFSET")
	if err != nil {
		return nil, err
	}
	if q.WithTies && len(keys) == 0 {
		return nil, pgerr.New(pgerr.SyntaxError, "WITH TIES cannot be specified without ORDER BY clause").At(int(q.Pos))
	}
	if limit == nil && skip == nil && (len(keys) == 0 || b.opts.Continuous) {
		if len(keys) > 0 && len(b.viewing) == 0 {
			b.warn(q.OrderBy[0].Pos, "ORDER BY has no effect in a continuous query")
		}
		return n, nil
	}
	if b.opts.Continuous {
		x, what := q.Limit, "LIMIT"
		if x == nil {
			x, what = q.Skip, "OFFSET"
		}
		return nil, pgerr.NotSupported(int(x.Offset()), what+" in a continuous query")
	}
	for _, k := range keys {
		if err := orderable(k.X); err != nil {
			return nil, err
		}
	}
	return &logical.Sort{Input: n, Keys: keys, Limit: limit, Skip: skip, WithTies: q.WithTies}, nil
}

func orderable(x *scalar.Expr) error {
	if _, ok := scalar.Comparison("<", x.Type); !ok && x.Type.Kind != types.Row {
		return pgerr.New(pgerr.UndefinedFunction, "could not identify an ordering operator for type %s", x.Type).At(x.Pos).
			Hint("Use an explicit ordering operator or modify the query.")
	}
	return nil
}

// rowCount binds the argument of LIMIT or OFFSET, nil for none.
func (l *level) rowCount(x ast.Expr, clause string) (*scalar.Expr, error) {
	if x == nil {
		return nil, nil
	}
	if lit, ok := x.(*ast.Literal); ok && lit.Kind == ast.NullLiteral {
		return nil, nil
	}
	l.clause = clause
	if c := firstColumn(x); c != nil {
		return nil, pgerr.New(pgerr.InvalidColumnReference, "argument of %s must not contain variables", clause).At(int(c.Pos))
	}
	e, err := l.expr(x)
	if err != nil {
		return nil, err
	}
	if len(l.pending) > 0 {
		return nil, pgerr.NotSupported(int(x.Offset()), "a subquery in "+clause)
	}
	if !l.b.canCoerce(e.Type, types.Of(types.Int64), assignment) || e.Type.Kind != types.Unknown && !e.Type.IsNumber() {
		return nil, pgerr.New(pgerr.DatatypeMismatch, "argument of %s must be type bigint, not type %s", clause, e.Type).At(e.Pos)
	}
	e, err = l.b.coerce(e, types.Of(types.Int64), assignment)
	if err != nil {
		return nil, err
	}
	if e.Op == scalar.OpConst && !e.Value.Null && e.Value.Int < 0 {
		code := pgerr.InvalidRowCountInLimit
		if clause == "OFFSET" {
			code = pgerr.InvalidRowCountInOffset
		}
		return nil, pgerr.New(code, "%s must not be negative", clause).At(e.Pos)
	}
	return e, nil
}
