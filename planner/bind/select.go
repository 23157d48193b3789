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
	if q == nil {
		q = &ast.Query{At: sel.At}
	}
	if sel.Distinct || len(sel.DistinctOn) > 0 || sel.Qualify != nil || len(q.OrderBy) > 0 || q.Limit != nil || q.Skip != nil {
		mode.keepUnknown = false // only a projection on top can be typed later
	}
	s := &selection{level: level{b: b, ctes: e.ctes, outer: e.outer}, sel: sel, q: q, mode: mode}
	return s.bind()
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
	on    []orderKey // DISTINCT ON
	have  *scalar.Expr
	keep  *scalar.Expr // QUALIFY
	id    string       // pinned by a hint
	idPos ast.Pos
}

// orderKey is an ORDER BY key: an output column, or an expression of its own.
type orderKey struct {
	item int
	expr *scalar.Expr // when item is -1
	it   *ast.OrderItem
	key  scalar.SortKey // once the output is there
}

func (s *selection) bind() (logical.Node, error) {
	s.hints()
	if err := s.bindFrom(); err != nil {
		return nil, err
	}
	from := bound{s.node, s.scope}
	steps := []func() error{s.bindWhere, s.bindWindow, s.bindItems, s.bindGroupBy, s.bindHaving, s.bindQualify, s.bindOrderBy,
		s.bindDistinctOn, s.aggregate, s.project}
	for _, f := range steps {
		if err := f(); err != nil {
			return nil, err
		}
	}
	s.keepFor(from.node, from.scope)
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
	n := s.plantAsked(s.node, askedByFilter(p), p)
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

// itemsMax bounds a select list, as in PostgreSQL; result messages count columns
// in 16 bits.
const itemsMax = 1664

// bindItems binds the select list with * expanded.
func (s *selection) bindItems() error {
	if len(s.sel.Items) > itemsMax {
		return tooManyItems(s.sel.Items[itemsMax].X)
	}
	s.clause = "SELECT"
	s.aggs = &aggregation{}
	if err := s.namedWindows(); err != nil {
		return err
	}
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
	if len(s.items) > itemsMax {
		return tooManyItems(s.sel.Items[0].X)
	}
	return nil
}

func tooManyItems(at ast.Expr) error {
	return pgerr.New(pgerr.TooManyColumns, "target lists can have at most %d entries", itemsMax).At(int(at.Offset()))
}

// star expands * and t.*.
func (s *selection) star(x *ast.Star) error {
	if len(x.Qualifier) > 0 {
		items, err := s.starItems(x)
		s.items = append(s.items, items...)
		return err
	}
	if len(s.sel.From) == 0 {
		return pgerr.New(pgerr.SyntaxError, "SELECT * with no tables specified is not valid").At(int(x.Pos))
	}
	for i := range s.scope.cols {
		if c := &s.scope.cols[i]; !c.qualified && !c.system && c.name != "" {
			s.items = append(s.items, item{expr: c.at(x.Pos), name: c.name})
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
	items, err := s.rowFields(e)
	s.items = append(s.items, items...)
	return err
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
	over := s.overs
	s.overs = nil
	p, err := s.filter(s.sel.Having, "HAVING")
	s.overs = over
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
		key, err := s.orderKey(it.X, "ORDER BY")
		if err != nil {
			return err
		}
		key.it = it
		s.order = append(s.order, key)
	}
	return nil
}

func (s *selection) orderKey(x ast.Expr, clause string) (orderKey, error) {
	switch x := x.(type) {
	case *ast.Literal:
		i, err := ordinal(x, len(s.items), clause)
		return orderKey{item: i}, err
	case *ast.ColumnRef:
		if len(x.Path) == 1 {
			i, err := s.itemNamed(x, clause)
			if err != nil || i >= 0 {
				return orderKey{item: i}, err
			}
		}
	}
	s.allowSRF = true
	e, err := s.typed(x)
	s.allowSRF = false
	if err != nil {
		return orderKey{}, err
	}
	if s.sel.Distinct || len(s.sel.DistinctOn) > 0 {
		for i := range s.items {
			s.repeat([]*scalar.Expr{e}, queriesIn([]*scalar.Expr{s.items[i].expr}))
		}
	}
	for i := range s.items {
		if exprEqual(s.items[i].expr, e) {
			return orderKey{item: i}, nil
		}
	}
	if s.sel.Distinct {
		return orderKey{}, pgerr.New(pgerr.InvalidColumnReference, "for SELECT DISTINCT, ORDER BY expressions must appear in select list").At(e.Pos)
	}
	return orderKey{item: -1, expr: e}, nil
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
