package bind

import (
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// asked says, of each subquery that waits in some expressions, for which rows they ask
// for its answer: CASE, COALESCE, AND and OR do not get to all of what they are over, and
// what they do not get to is no error. A subquery has a place in the expressions, or
// several, and at each the conditions that have been decided before, outer ones first.
type asked struct {
	places map[int][][]*scalar.Expr
	waits  map[int]bool // for those that decide about it
}

// askedIn are the places in expressions that are computed for all rows.
func askedIn(exprs ...*scalar.Expr) *asked {
	a := &asked{places: map[int][][]*scalar.Expr{}, waits: map[int]bool{}}
	for _, x := range exprs {
		a.in(x, nil)
	}
	return a
}

// askedByFilter are the places in a condition that has to be true. Where it has parts
// that must all be, those without subqueries go first by themselves.
func askedByFilter(p *scalar.Expr) *asked { return askedIn(scalar.Conjuncts(p)...) }

// askedByJoin are those in the condition of a join that keeps rows without a partner,
// whose subqueries are answered before.
func askedByJoin(cond *scalar.Expr) *asked {
	a := askedIn()
	var with, before []*scalar.Expr
	for _, x := range scalar.Conjuncts(cond) {
		if hasQuery(x) {
			with = append(with, x)
		} else {
			before = append(before, decided(x, true))
		}
	}
	for _, x := range with {
		a.in(x, before)
	}
	return a
}

// in notes the places in x, which is computed for rows for which the conditions when,
// one after the other, are true.
func (a *asked) in(x *scalar.Expr, when []*scalar.Expr) {
	if x == nil || !hasQuery(x) {
		return
	}
	when = slices.Clip(when) // each place has a list of its own
	and := func(cond *scalar.Expr) { when = append(when, cond) }
	name, _, _ := strings.Cut(x.Func, "(")
	switch {
	case x.Op == opQuery:
		a.places[x.Column] = append(a.places[x.Column], when)
	case x.Op == scalar.OpAnd || x.Op == scalar.OpOr:
		for _, arg := range x.Args {
			a.in(arg, when)
			and(decided(arg, x.Op == scalar.OpAnd))
		}
		return
	case x.Op == scalar.OpCase || x.Op == scalar.OpCall && name == "if":
		for i := 0; i+1 < len(x.Args); i += 2 {
			a.in(x.Args[i], when)
			a.in(x.Args[i+1], append(slices.Clip(when), x.Args[i]))
			and(decided(x.Args[i], false))
		}
		a.in(x.Args[len(x.Args)-1], when)
		return
	case x.Op == scalar.OpCall && (name == "coalesce" || name == "ifnull"):
		for _, arg := range x.Args {
			a.in(arg, when)
			and(&scalar.Expr{Op: scalar.OpIsNull, Type: boolType, Args: []*scalar.Expr{arg}, Pos: -1, Text: arg.Text + " is null"})
		}
		return
	}
	for _, arg := range x.Args {
		a.in(arg, when)
	}
}

// inAggregate notes the places in a call, whose arguments are for the rows that pass its
// filter, and calls each for its expressions.
func (a *asked) inAggregate(call *scalar.Aggregate, each func(*scalar.Expr)) {
	var when []*scalar.Expr
	if call.Filter != nil {
		when = append(when, call.Filter)
	}
	inside := func(x *scalar.Expr, when []*scalar.Expr) {
		a.in(x, when)
		each(x)
	}
	for _, x := range call.Args {
		inside(x, when)
	}
	if call.Filter != nil {
		inside(call.Filter, nil)
	}
	for _, k := range call.OrderBy {
		inside(k.X, when)
	}
}

// decided is whether x leaves it open what comes after it: it is not false, or it is not
// true.
func decided(x *scalar.Expr, and bool) *scalar.Expr {
	if and {
		x = &scalar.Expr{Op: scalar.OpNot, Type: boolType, Args: []*scalar.Expr{x}, Pos: -1, Text: "not (" + x.Text + ")"}
	}
	return boolCase(x, false)
}

// boolCase is then where x is true, and its contrary elsewhere, also where x is null.
func boolCase(x *scalar.Expr, then bool) *scalar.Expr {
	yes, no := strconv.FormatBool(then), strconv.FormatBool(!then)
	return &scalar.Expr{Op: scalar.OpCase, Type: boolType, Pos: -1, Text: "case when " + x.Text + " then " + yes + " else " + no + " end",
		Args: []*scalar.Expr{x, constantExpr(types.Bool, types.Value{Bool: then}, yes), constantExpr(types.Bool, types.Value{Bool: !then}, no)}}
}

// when is the condition under which the answer of a subquery is asked for, as far as it
// can be computed here, nil for always.
func (a *asked) when(query int, here func(*scalar.Expr) bool) *scalar.Expr {
	var places []*scalar.Expr
	for _, conds := range a.places[query] {
		var kept []*scalar.Expr
		whole := true
		for _, x := range conds {
			if !here(x) || !whole && !scalar.CannotFail(x) {
				whole = false
				continue
			}
			kept = append(kept, x)
		}
		if len(kept) == 0 {
			return nil
		}
		for i, x := range kept[:len(kept)-1] {
			kept[i] = boolCase(x, true) // AND goes on after a null
		}
		if p := scalar.And(kept...); !slices.ContainsFunc(places, func(q *scalar.Expr) bool { return scalar.Equal(p, q) }) {
			places = append(places, p)
		}
	}
	if len(places) < 2 {
		return slices.Concat(places, []*scalar.Expr{nil})[0]
	}
	any := &scalar.Expr{Op: scalar.OpOr, Type: boolType, Args: places, Pos: -1}
	for i, p := range places {
		if i > 0 {
			any.Text += " or "
		}
		any.Text += p.Text
	}
	return any
}

// deciding are the subqueries in the conditions under which one is asked for, those first
// that others depend on.
func (a *asked) deciding(query int) (list []*scalar.Expr) {
	for _, conds := range a.places[query] {
		for _, c := range conds {
			from := len(list)
			walk(c, func(x *scalar.Expr) bool {
				if x.Op == opQuery {
					list = slices.Insert(list, from, x)
				}
				return true
			})
		}
	}
	return list
}

// computable reports whether x has no part that waits to become a column, and is no other
// when it is computed again.
func computable(x *scalar.Expr) bool {
	return walk(x, func(e *scalar.Expr) bool { return !strings.HasPrefix(string(e.Op), "bind.") }) && scalar.VolatilityOf(x) != scalar.Volatile
}
