package bind

import (
	"slices"
	"strconv"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// bindGroupBy binds the group keys: input columns first, then output names and
// ordinals, as PostgreSQL does.
func (s *selection) bindGroupBy() error {
	s.clause, s.allowSRF = "GROUP BY", true
	defer func() { s.allowSRF = false }()
	if s.sel.GroupItems {
		return s.groupByItems()
	}
	sets, err := s.sets(s.sel.GroupBy)
	if err != nil {
		return err
	}
	if s.sel.GroupAll { // GROUP BY DISTINCT
		for i := 0; i < len(sets); i++ {
			if slices.ContainsFunc(sets[:i], func(x groupingSet) bool { return slices.Equal(x, sets[i]) }) {
				sets = slices.Delete(sets, i, i+1)
				i--
			}
		}
	}
	if len(sets) != 1 || len(sets[0]) != len(s.aggs.keys) {
		s.aggs.sets = sets
	}
	return nil
}

// groupByItems is GROUP BY ALL: by each output column that holds no aggregate.
func (s *selection) groupByItems() error {
	for i := range s.items {
		e := s.items[i].expr
		if e.Op == scalar.OpConst || !walk(e, func(x *scalar.Expr) bool { return x.Op != opAggregate && x.Op != opOver }) {
			continue
		}
		if _, err := s.addKey(e); err != nil {
			return err
		}
	}
	return nil
}

// addKey returns which of the group keys k is, and adds it when it is not there.
func (s *selection) addKey(k *scalar.Expr) (int, error) {
	for i, have := range s.aggs.keys {
		if exprEqual(have, k) {
			return i, nil
		}
	}
	if _, ok := scalar.Comparison("=", k.Type); !ok {
		return 0, pgerr.New(pgerr.UndefinedFunction, "could not identify an equality operator for type %s", bare(k.Type)).At(k.Pos)
	}
	s.aggs.keys = append(s.aggs.keys, k)
	return len(s.aggs.keys) - 1, nil
}

func (s *selection) groupKeys(x ast.Expr) ([]*scalar.Expr, error) {
	switch x := x.(type) {
	case *ast.RowExpr:
		if x.Explicit {
			break
		}
		var keys []*scalar.Expr
		for _, el := range x.Elems {
			k, err := s.groupKeys(el)
			if err != nil {
				return nil, err
			}
			keys = append(keys, k...)
		}
		return keys, nil
	case *ast.Literal:
		i, err := ordinal(x, len(s.items), "GROUP BY")
		if err != nil {
			return nil, err
		}
		return s.itemKey(i, x.Pos)
	case *ast.ColumnRef:
		if len(x.Path) == 1 {
			if c, _ := s.scope.find("", "", x.Path[0].Value); c == nil {
				i, err := s.itemNamed(x, "GROUP BY")
				if err != nil {
					return nil, err
				}
				if i >= 0 {
					return s.itemKey(i, x.Pos)
				}
			}
		}
	case *ast.Call:
		if keys := s.windowKeys(x); keys != nil {
			return keys, nil
		}
	}
	k, err := s.typed(x)
	if err != nil {
		return nil, err
	}
	return []*scalar.Expr{k}, nil
}

// itemKey groups by an output column, which must not hold an aggregate.
func (s *selection) itemKey(i int, pos ast.Pos) ([]*scalar.Expr, error) {
	e := s.items[i].expr
	if c, ok := s.items[i].x.(*ast.Call); ok {
		if keys := s.windowKeys(c); keys != nil {
			return keys, nil
		}
	}
	if !walk(e, func(x *scalar.Expr) bool { return x.Op != opOver }) {
		return nil, pgerr.New(pgerr.WindowingError, "window functions are not allowed in GROUP BY").At(e.Pos)
	}
	if !walk(e, func(x *scalar.Expr) bool { return x.Op != opAggregate }) {
		return nil, pgerr.New(pgerr.GroupingError, "aggregate functions are not allowed in GROUP BY").At(e.Pos)
	}
	if e.Type.Kind == types.Unknown {
		v, err := s.b.coerce(e, types.Of(types.Text), implicit)
		if err != nil {
			return nil, err
		}
		s.items[i].expr, e = v, v
	}
	return []*scalar.Expr{e}, nil
}

// ordinal reads GROUP BY 1 and ORDER BY 1.
func ordinal(x *ast.Literal, n int, clause string) (int, error) {
	if x.Kind != ast.IntegerLiteral {
		return 0, pgerr.New(pgerr.SyntaxError, "non-integer constant in %s", clause).At(int(x.Pos))
	}
	i, err := strconv.Atoi(x.Text)
	if err != nil || i < 1 || i > n {
		return 0, pgerr.New(pgerr.InvalidColumnReference, "%s position %s is not in select list", clause, x.Text).At(int(x.Pos))
	}
	return i - 1, nil
}

// aggregate adds the aggregation, when there is one, and rewrites everything
// after it to its output.
func (s *selection) aggregate() error {
	if len(s.sel.GroupBy) == 0 && s.have == nil && len(s.aggs.list) == 0 && !s.aggs.asked && !s.sel.GroupItems {
		return nil
	}
	repeated := s.repeatedQueries()
	if s.window != nil && s.window.rowtime {
		at, err := s.addKey(s.windowColumn(2, s.window.pos))
		if err != nil {
			return err
		}
		for i, set := range s.aggs.sets {
			s.aggs.sets[i] = set.with(groupingSet{at})
		}
	}
	s.completeKeys()
	if err := s.plantKeys(); err != nil {
		return err
	}
	inside := append(slices.Clone(s.aggs.keys), repeated...)
	by := askedIn(append(s.outside(), s.aggs.keys...)...)
	for i := range s.aggs.list {
		by.inAggregate(&s.aggs.list[i], func(x *scalar.Expr) { inside = append(inside, x) })
	}
	n := s.plantAsked(s.node, by, inside...)
	var err error
	for i := range s.items {
		if s.items[i].expr, err = s.regroup(s.items[i].expr); err != nil {
			return err
		}
	}
	for i := range s.order {
		if s.order[i].expr, err = s.regroup(s.order[i].expr); err != nil {
			return err
		}
	}
	for i := range s.on {
		if s.on[i].expr, err = s.regroup(s.on[i].expr); err != nil {
			return err
		}
	}
	for _, e := range []**scalar.Expr{&s.have, &s.keep} {
		if *e, err = s.regroup(*e); err != nil {
			return err
		}
	}
	for _, f := range s.srf {
		for i := range f.args {
			if f.planted {
				break
			}
			if f.args[i], err = s.regroup(f.args[i]); err != nil {
				return err
			}
		}
	}
	for _, e := range s.aggs.direct {
		if _, err := s.regroup(e); err != nil {
			return err
		}
	}
	if s.aggs.sets != nil {
		s.node = s.aggs.union(s.b, n, s.id)
	} else {
		for i, call := range s.aggs.list {
			s.aggs.list[i] = s.b.withDirect(call, nil)
		}
		s.node = s.aggs.build(n, s.id)
	}
	s.takeID()
	s.planted = nil
	if s.have != nil {
		return s.addFilter(s.have)
	}
	return nil
}

// repeatedQueries are the subqueries outside of aggregates that repeat one in a group
// key, which they are made to refer to.
func (s *selection) repeatedQueries() []*scalar.Expr {
	if keys := queriesIn(s.aggs.keys); len(keys) > 0 {
		return s.repeat(s.outside(), keys)
	}
	return nil
}

// repeat makes the subqueries in list that repeat one of others refer to that one,
// and gives those.
func (s *selection) repeat(list, others []*scalar.Expr) (repeated []*scalar.Expr) {
	for _, x := range slices.Backward(queriesIn(list)) { // inner ones first
		if i := slices.IndexFunc(others, func(k *scalar.Expr) bool { return s.sameQuery(k, x) }); i >= 0 {
			x.Column = others[i].Column
			repeated = append(repeated, x)
		}
	}
	return repeated
}

// queriesIn are the subqueries in expressions, outer ones first.
func queriesIn(list []*scalar.Expr) (found []*scalar.Expr) {
	for _, e := range list {
		walk(e, func(x *scalar.Expr) bool {
			if x.Op == opQuery {
				found = append(found, x)
			}
			return true
		})
	}
	return found
}

// outside are the query's expressions over groups: those outside of aggregates.
func (s *selection) outside() []*scalar.Expr {
	out := []*scalar.Expr{s.have, s.keep}
	for i := range s.items {
		out = append(out, s.items[i].expr)
	}
	for _, k := range slices.Concat(s.order, s.on) {
		out = append(out, k.expr)
	}
	return out
}

// completeKeys adds the columns that a primary key among the group keys
// determines and that the query uses outside of aggregates.
func (s *selection) completeKeys() {
	for i := range s.dependents {
		d := &s.dependents[i]
		d.grouped = len(d.primary) > 0 && !slices.ContainsFunc(d.primary, func(c int) bool { return !s.inEachSet(c) })
	}
	any := false
	for _, d := range s.dependents {
		any = any || d.grouped
	}
	if !any {
		return
	}
	use := func(e *scalar.Expr) {
		s.usedColumns(e, func(x *scalar.Expr) {
			for _, d := range s.dependents {
				if d.grouped && x.Column >= d.first && x.Column < d.end {
					if at, err := s.addKey(x); err == nil {
						for i, set := range s.aggs.sets {
							s.aggs.sets[i] = set.with(groupingSet{at})
						}
					}
				}
			}
		})
	}
	for _, e := range s.outside() {
		use(e)
	}
}

// inEachSet reports whether rows are grouped by a column in every grouping set.
func (s *selection) inEachSet(column int) bool {
	at := slices.IndexFunc(s.aggs.keys, func(k *scalar.Expr) bool { return k.Op == scalar.OpColumn && k.Column == column })
	return at >= 0 && !slices.ContainsFunc(s.aggs.sets, func(set groupingSet) bool { return !slices.Contains(set, at) })
}

// usedColumns calls f for the columns of e that no group key covers.
func (s *selection) usedColumns(e *scalar.Expr, f func(*scalar.Expr)) {
	if e == nil || e.Op == opAggregate {
		return
	}
	for _, k := range s.aggs.keys {
		if exprEqual(k, e) {
			return
		}
	}
	if e.Op == scalar.OpColumn {
		f(e)
		return
	}
	for _, a := range e.Args {
		s.usedColumns(a, f)
	}
}
