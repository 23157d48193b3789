package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// item is one output column of a SELECT.
type item struct {
	expr *scalar.Expr
	name string
	x    ast.Expr // nil for a column of *
}

// selectBlock binds one SELECT; q carries ORDER BY and LIMIT where they are the
// SELECT's own, nil elsewhere.
func (b *binder) selectBlock(sel *ast.Select, q *ast.Query, e env, mode queryMode) (logical.Node, error) {
	if err := refuseInSelect(sel); err != nil {
		return nil, err
	}
	if q == nil {
		q = &ast.Query{At: sel.At}
	}
	if sel.Distinct || len(q.OrderBy) > 0 || q.Limit != nil || q.Skip != nil {
		mode.keepUnknown = false // only a projection on top can be typed later
	}
	s := &selection{level: level{b: b, ctes: e.ctes, outer: e.outer}, sel: sel, q: q, mode: mode}
	return s.bind()
}

// refuseInSelect names the clauses that parse but do not run yet.
func refuseInSelect(sel *ast.Select) error {
	switch {
	case len(sel.DistinctOn) > 0:
		return pgerr.NotSupported(int(sel.DistinctOn[0].Offset()), "DISTINCT ON")
	case sel.Qualify != nil:
		return pgerr.NotSupported(int(sel.Qualify.Offset()), "QUALIFY")
	case sel.GroupAll:
		return pgerr.NotSupported(int(sel.Pos), "GROUP BY DISTINCT")
	}
	return nil
}

// selection is the state of binding one SELECT.
type selection struct {
	level
	sel   *ast.Select
	q     *ast.Query
	mode  queryMode
	node  logical.Node
	items []item
	order []orderKey
	have  *scalar.Expr
	id    string // pinned by a hint
	idPos ast.Pos
}

// orderKey is an ORDER BY key: an output column, or an expression of its own.
type orderKey struct {
	item int
	expr *scalar.Expr // when item is -1
	it   *ast.OrderItem
}

func (s *selection) bind() (logical.Node, error) {
	s.hints()
	steps := []func() error{s.bindFrom, s.bindWhere, s.bindWindow, s.bindItems, s.bindGroupBy, s.bindHaving, s.bindOrderBy, s.aggregate, s.project}
	for _, f := range steps {
		if err := f(); err != nil {
			return nil, err
		}
	}
	return s.node, nil
}

func (s *selection) bindFrom() error {
	s.clause = "FROM"
	from, err := s.fromList(s.sel.From)
	if err != nil {
		return err
	}
	s.node, s.scope = from.node, from.scope
	return nil
}

func (s *selection) bindWhere() error {
	if s.sel.Where == nil {
		return nil
	}
	p, err := s.filter(s.sel.Where, "WHERE")
	if err != nil {
		return err
	}
	return s.addFilter(p)
}

func (s *selection) addFilter(p *scalar.Expr) error {
	width := len(s.node.Fields())
	n, err := s.plant(s.node, p)
	if err != nil {
		return err
	}
	s.node = &logical.Filter{Input: n, Predicate: p}
	if len(n.Fields()) > width {
		s.node = prefix(s.node, width)
	}
	return nil
}

// prefix keeps the first n columns.
func prefix(node logical.Node, n int) logical.Node {
	p := &logical.Project{Input: node}
	for i, f := range node.Fields()[:n] {
		p.Exprs = append(p.Exprs, columnExpr(i, f))
		p.Out = append(p.Out, f)
	}
	return p
}

// bindItems binds the select list with * expanded.
func (s *selection) bindItems() error {
	s.clause = "SELECT"
	s.aggs = &aggregation{}
	for i := range s.sel.Items {
		it := &s.sel.Items[i]
		switch x := it.X.(type) {
		case *ast.Star:
			if err := s.star(x); err != nil {
				return err
			}
			continue
		case *ast.FieldAccess:
			if x.Field.Value == "" {
				if err := s.expandRow(x); err != nil {
					return err
				}
				continue
			}
		}
		s.allowSRF = true
		e, err := s.expr(it.X)
		s.allowSRF = false
		if err != nil {
			return err
		}
		if e.Type.Kind == types.Unknown && !s.mode.keepUnknown {
			if e, err = s.b.coerce(e, types.Of(types.Text), implicit); err != nil {
				return err
			}
		}
		name := figureName(it.X)
		if it.Alias != nil {
			name = it.Alias.Value
		}
		s.items = append(s.items, item{expr: e, name: name, x: it.X})
	}
	return nil
}

// star expands * and t.*.
func (s *selection) star(x *ast.Star) error {
	pos := x.Pos
	if len(x.Qualifier) == 0 {
		if len(s.sel.From) == 0 {
			return pgerr.New(pgerr.SyntaxError, "SELECT * with no tables specified is not valid").At(int(pos))
		}
		for i := range s.scope.cols {
			if c := &s.scope.cols[i]; !c.qualified && c.name != "" {
				s.items = append(s.items, item{expr: c.at(pos), name: c.name})
			}
		}
		return nil
	}
	relation := x.Qualifier.Last().Value
	schema := ""
	if len(x.Qualifier) > 1 {
		schema = x.Qualifier[len(x.Qualifier)-2].Value
	}
	at := &s.level
	for at != nil && !at.scope.hasRelation(schema, relation) {
		if at.outer == nil {
			at = nil
		} else {
			at = at.outer.from
		}
	}
	if at == nil {
		if e, err := s.resolvePath(x.Qualifier); err == nil && e != nil && e.Type.Kind == types.Row {
			return s.rowFields(e)
		}
		return s.undefinedColumn(append(append(ast.Path(nil), x.Qualifier...), ast.Name{At: x.At, Value: "*"}))
	}
	for i := range at.scope.cols {
		c := &at.scope.cols[i]
		if c.relation == relation && !c.merged && c.name != "" && (schema == "" || c.schema == schema) {
			s.items = append(s.items, item{expr: s.carryIn(at, c.at(pos)), name: c.name})
		}
	}
	return nil
}

// expandRow expands (x).*.
func (s *selection) expandRow(x *ast.FieldAccess) error {
	e, err := s.expr(x.X)
	if err != nil {
		return err
	}
	if e.Type.Kind != types.Row {
		return pgerr.New(pgerr.WrongObjectType, "type %s is not composite", bare(e.Type)).At(int(x.Pos))
	}
	return s.rowFields(e)
}

func (s *selection) rowFields(e *scalar.Expr) error {
	for _, f := range e.Type.Fields {
		v, err := s.b.fieldOf(e, ast.Name{Value: f.Name})
		if err != nil {
			return err
		}
		s.items = append(s.items, item{expr: v, name: f.Name})
	}
	return nil
}

// itemNamed finds an output column by name, -1 for none.
func (s *selection) itemNamed(x *ast.ColumnRef, clause string) (int, error) {
	found := -1
	for i := range s.items {
		if s.items[i].name != x.Path[0].Value {
			continue
		}
		if found >= 0 && !exprEqual(s.items[found].expr, s.items[i].expr) {
			return 0, pgerr.New(pgerr.AmbiguousColumn, "%s %q is ambiguous", clause, s.items[i].name).At(int(x.Pos))
		}
		if found < 0 {
			found = i
		}
	}
	return found, nil
}

func (s *selection) bindHaving() error {
	if s.sel.Having == nil {
		return nil
	}
	p, err := s.filter(s.sel.Having, "HAVING")
	if err != nil {
		return err
	}
	s.have = p
	return nil
}

// bindOrderBy binds ORDER BY: ordinals, output names, else expressions over the
// input.
func (s *selection) bindOrderBy() error {
	s.clause = "ORDER BY"
	for i := range s.q.OrderBy {
		it := &s.q.OrderBy[i]
		key, err := s.orderKey(it)
		if err != nil {
			return err
		}
		s.order = append(s.order, key)
	}
	return nil
}

func (s *selection) orderKey(it *ast.OrderItem) (orderKey, error) {
	switch x := it.X.(type) {
	case *ast.Literal:
		i, err := ordinal(x, len(s.items), "ORDER BY")
		return orderKey{item: i, it: it}, err
	case *ast.ColumnRef:
		if len(x.Path) == 1 {
			i, err := s.itemNamed(x, "ORDER BY")
			if err != nil || i >= 0 {
				return orderKey{item: i, it: it}, err
			}
		}
	}
	e, err := s.typed(it.X)
	if err != nil {
		return orderKey{}, err
	}
	for i := range s.items {
		if exprEqual(s.items[i].expr, e) {
			return orderKey{item: i, it: it}, nil
		}
	}
	if s.sel.Distinct {
		return orderKey{}, pgerr.New(pgerr.InvalidColumnReference, "for SELECT DISTINCT, ORDER BY expressions must appear in select list").At(e.Pos)
	}
	return orderKey{item: -1, expr: e, it: it}, nil
}

// project computes the output, removes copies for DISTINCT, sorts and cuts.
func (s *selection) project() error {
	var all []*scalar.Expr
	for i := range s.items {
		all = append(all, s.items[i].expr)
	}
	for i := range s.order {
		if s.order[i].expr != nil {
			all = append(all, s.order[i].expr)
		}
	}
	n, err := s.plant(s.node, all...)
	if err != nil {
		return err
	}
	if n, err = s.plantNumbers(n, all); err != nil {
		return err
	}
	if n, err = s.plantFunction(n, all); err != nil {
		return err
	}
	in := n.Fields()
	p := &logical.Project{Input: n}
	add := func(e *scalar.Expr, name string) {
		f := logical.Field{Name: name, Type: e.Type, Origin: e.Text}
		if e.Op == scalar.OpColumn {
			f = in[e.Column]
			f.Name, f.Relation, f.Type = name, "", e.Type
			f.Origin = e.Text
		}
		f.ProcTime = f.ProcTime || e.Op == scalar.OpCall && e.Func == "proctime()"
		p.Exprs = append(p.Exprs, e)
		p.Out = append(p.Out, f)
	}
	for i := range s.items {
		add(s.items[i].expr, s.items[i].name)
	}
	var keys []scalar.SortKey
	hidden := 0
	for i := range s.order {
		o := &s.order[i]
		c := o.item
		if c < 0 {
			c = len(s.items) + hidden
			hidden++
			add(o.expr, "?column?")
		}
		keys = append(keys, sortKey(&scalar.Expr{Op: scalar.OpColumn, Column: c, Type: p.Exprs[c].Type, Text: p.Exprs[c].Text, Pos: int(o.it.Pos)}, o.it))
	}
	s.node = p
	if s.sel.Distinct {
		if err := s.distinct(); err != nil {
			return err
		}
	}
	if s.node, err = s.b.sortAndLimit(s.node, keys, s.q); err != nil {
		return err
	}
	if hidden > 0 {
		if _, sorted := s.node.(*logical.Sort); sorted {
			s.node = prefix(s.node, len(s.items))
		} else {
			p.Exprs, p.Out = p.Exprs[:len(s.items)], p.Out[:len(s.items)]
		}
	}
	return s.pinLeftover()
}

func (s *selection) distinct() error {
	for i := range s.items {
		if _, ok := scalar.Comparison("=", s.items[i].expr.Type); !ok {
			return pgerr.New(pgerr.UndefinedFunction, "could not identify an equality operator for type %s", bare(s.items[i].expr.Type)).At(s.items[i].expr.Pos)
		}
	}
	d := distinctOf(s.node)
	d.ID = s.id
	s.takeID()
	s.node = d
	return nil
}
