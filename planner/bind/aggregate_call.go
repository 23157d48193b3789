package bind

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// orderedSet are the aggregates that are written with WITHIN GROUP; the value
// that they are over is their last argument.
var orderedSet = map[string]bool{"percentile_cont": true, "percentile_disc": true, "mode": true}

// aggregateCall binds an aggregate's arguments, order and filter.
func (l *level) aggregateCall(name string, x *ast.Call) (*scalar.Aggregate, error) {
	if err := checkAggregateForm(name, x); err != nil {
		return nil, err
	}
	b, pos := l.b, int(x.Pos)
	order, within := x.OrderBy, false
	if len(x.WithinGroup) > 0 {
		order, within = x.WithinGroup, orderedSet[name]
	}
	args, err := l.exprs(x.Args)
	if err != nil {
		return nil, err
	}
	if within {
		e, err := l.expr(order[0].X)
		if err != nil {
			return nil, err
		}
		args = append(args, e)
	}
	c, ambiguous := choose(scalar.AggregateFunctions(name), exprs2types(args), false)
	if c == nil {
		if ambiguous {
			return nil, pgerr.New(pgerr.AmbiguousFunction, "function %s(%s) is not unique", name, typeList(args)).At(pos).
				Hint("Could not choose a best candidate function. You might need to add explicit type casts.")
		}
		return nil, noSuchFunction(name, args, pos, nil)
	}
	call, err := b.applyCall(c, args, pos)
	if err != nil {
		return nil, err
	}
	a := &scalar.Aggregate{Func: c.f.Key, Args: call.Args, Distinct: x.Distinct, Type: call.Type, Pos: pos}
	if within {
		k := sortKey(call.Args[len(args)-1], &order[0])
		if err := orderable(k.X); err != nil {
			return nil, err
		}
		a.OrderBy = []scalar.SortKey{k}
	} else if err := l.aggregateOrder(a, args, order); err != nil {
		return nil, err
	}
	if err := comparable(a, args); err != nil {
		return nil, err
	}
	text := b.aggregateText(name, x, args, a, within)
	if x.IgnoreNulls { // what FILTER says in more words
		filter := ast.Expr(&ast.IsTest{X: x.Args[0], Test: "null", Not: true})
		if x.Filter != nil {
			filter = &ast.Binary{Op: "and", L: x.Filter, R: filter}
		}
		c := *x
		c.Filter, c.IgnoreNulls = filter, false
		x = &c
	}
	if x.Filter != nil {
		saved := l.clause
		l.clause = "FILTER"
		f, err := l.condition(x.Filter, "FILTER")
		l.clause = saved
		if err != nil {
			return nil, err
		}
		a.Filter = f
		text += " filter (where " + f.Text + ")"
	}
	a.Text = text
	return a, nil
}

// checkAggregateForm refuses what an aggregate cannot be written with.
func checkAggregateForm(name string, x *ast.Call) error {
	pos := int(x.Pos)
	switch {
	case x.Star && name != "count":
		return pgerr.New(pgerr.UndefinedFunction, "function %s() does not exist", name).At(pos).
			Hint("No function matches the given name and argument types. You might need to add explicit type casts.")
	case len(x.Args) == 0 && !x.Star && name == "count":
		return pgerr.New(pgerr.WrongObjectType, "count(*) must be used to call a parameterless aggregate function").At(pos)
	case x.Variadic:
		return pgerr.NotSupported(pos, "VARIADIC")
	case x.IgnoreNulls && len(x.Args) != 1:
		return pgerr.New(pgerr.FeatureNotSupported, "IGNORE NULLS in an aggregate is for those of one argument").At(pos).
			Hint("Write FILTER (WHERE … IS NOT NULL).")
	case len(x.WithinGroup) > 0 && len(x.OrderBy) > 0:
		return pgerr.New(pgerr.SyntaxError, "cannot use multiple ORDER BY clauses with WITHIN GROUP").At(int(x.WithinGroup[0].Pos))
	case len(x.WithinGroup) > 0 && orderedSet[name]:
		switch {
		case x.Distinct:
			return pgerr.New(pgerr.SyntaxError, "cannot use DISTINCT with WITHIN GROUP").At(pos)
		case len(x.WithinGroup) > 1:
			return pgerr.New(pgerr.UndefinedFunction, "%s takes one ordered argument, not %d", name, len(x.WithinGroup)).At(int(x.WithinGroup[1].Pos))
		}
	case len(x.WithinGroup) > 0 && name != "listagg":
		return pgerr.New(pgerr.UndefinedFunction, "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP", name).At(pos).
			Hint("Write the order into the call: %s(x ORDER BY y).", name)
	case orderedSet[name]:
		code := pgerr.UndefinedFunction // for PostgreSQL counts the ordered argument too
		if len(x.Args) > 0 && name == "mode" || len(x.Args) > 1 {
			code = pgerr.WrongObjectType
		}
		return pgerr.New(code, "WITHIN GROUP is required for ordered-set aggregate %s", name).At(pos)
	}
	return nil
}

// aggregateOrder binds the ORDER BY within a call. With DISTINCT it must name
// arguments, which args are as they are written: the call may have cast them.
func (l *level) aggregateOrder(a *scalar.Aggregate, args []*scalar.Expr, order []ast.OrderItem) error {
	for i := range order {
		e, err := l.typed(order[i].X)
		if err != nil {
			return err
		}
		if err := orderable(e); err != nil {
			return err
		}
		named := func(x *scalar.Expr) bool { return exprEqual(x, e) }
		if at := slices.IndexFunc(args, named); a.Distinct && at >= 0 {
			e = a.Args[at]
		} else if a.Distinct && !slices.ContainsFunc(a.Args, named) {
			return pgerr.New(pgerr.InvalidColumnReference, "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list").At(e.Pos)
		}
		a.OrderBy = append(a.OrderBy, sortKey(e, &order[i]))
	}
	return nil
}

// comparable checks that the arguments have the operators that the aggregate
// goes by, and that the names of an object's members are scalars.
func comparable(a *scalar.Aggregate, args []*scalar.Expr) error {
	if name, _, _ := strings.Cut(a.Func, "("); strings.HasSuffix(name, "_object_agg") {
		switch a.Args[0].Type.Kind {
		case types.Array, types.Row, types.JSONB:
			return pgerr.New(pgerr.InvalidParameterValue, "key value must be scalar, not array, composite, or json").At(args[0].Pos)
		}
	}
	if !a.Distinct && !strings.HasPrefix(a.Func, "approx_count_distinct(") {
		return nil
	}
	for i, x := range a.Args {
		if _, ok := scalar.Comparison("=", x.Type); !ok && x.Type.Kind != types.Row {
			return pgerr.New(pgerr.UndefinedFunction, "could not identify an equality operator for type %s", bare(args[i].Type)).At(args[i].Pos)
		}
	}
	return nil
}

// aggregateText is the call in canonical form, without its filter.
func (b *binder) aggregateText(name string, x *ast.Call, args []*scalar.Expr, a *scalar.Aggregate, within bool) string {
	var keys []string
	for _, k := range a.OrderBy {
		s := k.X.Text
		if k.Desc {
			s += " desc"
		}
		if k.NullsFirst != k.Desc {
			s += map[bool]string{true: " nulls first", false: " nulls last"}[k.NullsFirst]
		}
		keys = append(keys, s)
	}
	by := ""
	if len(keys) > 0 {
		by = "order by " + strings.Join(keys, ", ")
	}
	switch {
	case within:
		return name + "(" + b.texts(args[:len(args)-1]) + ") within group (" + by + ")"
	case x.Star:
		return name + "(*)"
	}
	s := name + "("
	if x.Distinct {
		s += "distinct "
	}
	s += b.texts(args)
	if by != "" {
		s += " " + by
	}
	return s + ")"
}
