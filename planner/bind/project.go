package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// bindQualify binds QUALIFY, which filters by window functions: input columns
// first, then output names.
func (s *selection) bindQualify() error {
	if s.sel.Qualify == nil {
		return nil
	}
	s.alias = func(x *ast.ColumnRef) (*scalar.Expr, error) {
		i, err := s.itemNamed(x, "QUALIFY")
		if err != nil || i < 0 {
			return nil, err
		}
		return s.items[i].expr, nil
	}
	p, err := s.filter(s.sel.Qualify, "QUALIFY")
	s.alias = nil
	if err != nil {
		return err
	}
	if len(s.overs.list) == 0 {
		return pgerr.New(pgerr.WindowingError, "QUALIFY needs a window function in the SELECT list or in its condition").At(int(s.sel.Qualify.Offset())).
			Hint("Conditions without window functions belong in WHERE or HAVING.")
	}
	s.keep = p
	return nil
}

// bindDistinctOn binds DISTINCT ON, whose keys are what ORDER BY begins with.
func (s *selection) bindDistinctOn() error {
	s.clause = "DISTINCT ON"
	for _, x := range s.sel.DistinctOn {
		k, err := s.orderKey(x, "DISTINCT ON")
		if err != nil {
			return err
		}
		for _, o := range s.order {
			s.repeat([]*scalar.Expr{k.expr}, queriesIn([]*scalar.Expr{s.keyExpr(o)}))
		}
		e := s.keyExpr(k)
		if _, ok := scalar.Comparison("=", e.Type); !ok {
			return pgerr.New(pgerr.UndefinedFunction, "could not identify an equality operator for type %s", bare(e.Type)).At(e.Pos)
		}
		if s.isOn(k) {
			continue
		}
		s.on = append(s.on, k)
	}
	met := map[int]bool{}
	for _, o := range s.order {
		if len(met) == len(s.on) {
			break
		}
		at := s.findOn(o)
		if at < 0 {
			return pgerr.New(pgerr.InvalidColumnReference, "SELECT DISTINCT ON expressions must match initial ORDER BY expressions").At(int(s.sel.DistinctOn[0].Offset()))
		}
		met[at] = true
	}
	return nil
}

func (s *selection) keyExpr(k orderKey) *scalar.Expr {
	if k.item >= 0 {
		return s.items[k.item].expr
	}
	return k.expr
}

func (s *selection) findOn(k orderKey) int {
	for i, on := range s.on {
		if exprEqual(s.keyExpr(on), s.keyExpr(k)) {
			return i
		}
	}
	return -1
}

func (s *selection) isOn(k orderKey) bool { return s.findOn(k) >= 0 }

// project computes the output, removes copies for DISTINCT, sorts and cuts.
func (s *selection) project() error {
	n, err := s.plantAll()
	if err != nil {
		return err
	}
	p := &logical.Project{Input: n}
	for i := range s.items {
		project(p, s.items[i].expr, s.items[i].name)
	}
	column := func(k *orderKey) *scalar.Expr {
		c := k.item
		if c < 0 {
			c = len(p.Exprs)
			project(p, k.expr, "?column?")
		}
		return &scalar.Expr{Op: scalar.OpColumn, Column: c, Type: p.Exprs[c].Type, Text: p.Exprs[c].Text, Pos: p.Exprs[c].Pos}
	}
	var keys, within []scalar.SortKey
	for i := range s.order {
		k := sortKey(column(&s.order[i]), s.order[i].it)
		k.X.Pos = int(s.order[i].it.Pos)
		keys = append(keys, k)
		if !s.isOn(s.order[i]) {
			within = append(within, k)
		}
	}
	var by []*scalar.Expr
	for i := range s.on {
		by = append(by, column(&s.on[i]))
	}
	s.node = p
	switch {
	case s.sel.Distinct:
		err = s.distinct()
	case len(by) > 0:
		err = s.distinctOn(by, within)
	}
	if err != nil {
		return err
	}
	mode := s.mode
	mode.picked = len(by) > 0
	if s.node, err = s.b.sortAndLimit(s.node, keys, s.q, env{ctes: s.ctes, outer: s.outer}, s.scope, mode); err != nil {
		return err
	}
	switch {
	case s.node == logical.Node(p):
		p.Exprs, p.Out = p.Exprs[:len(s.items)], p.Out[:len(s.items)]
	case len(s.node.Fields()) > len(s.items):
		s.node = prefix(s.node, len(s.items))
	}
	return s.pinLeftover()
}

// plantAll puts below the select list what its subqueries, window functions and
// set-returning functions need, and carries QUALIFY out.
func (s *selection) plantAll() (logical.Node, error) {
	var all []*scalar.Expr
	for i := range s.items {
		all = append(all, s.items[i].expr)
	}
	for _, list := range [][]orderKey{s.order, s.on} {
		for i := range list {
			if list[i].expr != nil {
				all = append(all, list[i].expr)
			}
		}
	}
	with := all
	if s.keep != nil {
		with = append(all[:len(all):len(all)], s.keep)
	}
	n, err := s.plant(s.node, with...)
	if err != nil {
		return nil, err
	}
	n = s.plantOvers(n, with)
	if s.keep != nil {
		n = &logical.Filter{Input: n, Predicate: s.keep}
	}
	return s.plantFunction(n, all)
}

// project adds a column to p.
func project(p *logical.Project, e *scalar.Expr, name string) {
	f := logical.Field{Name: name, Type: e.Type, Origin: e.Text}
	if e.Op == scalar.OpColumn {
		f = p.Input.Fields()[e.Column]
		f.Name, f.Relation, f.Type = name, "", e.Type
		f.Origin = e.Text
	}
	if c, ok := scalar.Rising(e); ok {
		f.Rises = p.Input.Fields()[c].Timed()
	}
	f.ProcTime = f.ProcTime || e.Op == scalar.OpCall && e.Func == "proctime()"
	p.Exprs = append(p.Exprs, e)
	p.Out = append(p.Out, f)
}

// distinctOn keeps the first row in order of each partition.
func (s *selection) distinctOn(by []*scalar.Expr, order []scalar.SortKey) error {
	for _, k := range order {
		if err := orderable(k.X); err != nil {
			return err
		}
	}
	pos := int(s.sel.DistinctOn[0].Offset())
	n := numberRows(s.node, by, order, pos)
	n.ID = s.id
	s.takeID()
	last := len(n.Out) - 1
	one := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int64), Value: &types.Value{Int: 1}, Pos: pos, Text: "1"}
	first, err := s.b.infixCall("<=", columnExpr(last, n.Out[last]), one, pos)
	if err != nil {
		return err
	}
	s.node = prefix(&logical.Filter{Input: n, Predicate: first}, last)
	return nil
}
