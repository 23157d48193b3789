package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
)

// overFunction binds the call of an OVER: a window function, or an aggregate.
// The placeholder has the call's arguments, and its filter if it has one.
func (l *level) overFunction(name string, x *ast.Call) (*overCall, *scalar.Expr, error) {
	pos := int(x.Pos)
	overloads := scalar.WindowFunctions(name)
	switch {
	case len(overloads) == 0 && !isAggregate(name):
		if len(scalar.Functions(name)) == 0 {
			args, err := l.exprs(x.Args)
			if err != nil {
				return nil, nil, err
			}
			return nil, nil, noSuchFunction(name, args, pos, scalar.Names())
		}
		return nil, nil, pgerr.New(pgerr.WrongObjectType, "OVER specified, but %s is not a window function nor an aggregate function", name).At(pos)
	case x.Distinct:
		return nil, nil, pgerr.New(pgerr.FeatureNotSupported, "DISTINCT is not implemented for window functions").At(pos)
	case len(x.OrderBy) > 0:
		return nil, nil, pgerr.New(pgerr.FeatureNotSupported, "aggregate ORDER BY is not implemented for window functions").At(pos)
	case len(x.WithinGroup) > 0:
		return nil, nil, pgerr.New(pgerr.FeatureNotSupported, "OVER is not supported for ordered-set aggregate %s", name).At(pos)
	case x.IgnoreNulls && !ignoresNulls[name]:
		return nil, nil, pgerr.New(pgerr.FeatureNotSupported, "function %s does not take IGNORE NULLS", name).At(pos).
			Hint("It is for lag, lead, first_value, last_value and nth_value. FILTER leaves rows out of an aggregate.")
	}
	if len(overloads) == 0 {
		return l.overAggregate(name, x)
	}
	if x.Filter != nil {
		return nil, nil, pgerr.New(pgerr.FeatureNotSupported, "FILTER is not implemented for non-aggregate window functions").At(pos)
	}
	args, err := l.exprs(x.Args)
	if err != nil {
		return nil, nil, err
	}
	c, ambiguous := choose(overloads, exprs2types(args), false)
	if c == nil {
		if ambiguous {
			return nil, nil, pgerr.New(pgerr.AmbiguousFunction, "function %s(%s) is not unique", name, typeList(args)).At(pos).
				Hint("Could not choose a best candidate function. You might need to add explicit type casts.")
		}
		return nil, nil, noSuchFunction(name, args, pos, nil)
	}
	call, err := l.b.applyCall(c, args, pos)
	if err != nil {
		return nil, nil, err
	}
	o := &overCall{args: len(call.Args)}
	o.call = scalar.WindowCall{Func: c.f.Key, Type: call.Type, Pos: pos, IgnoreNulls: x.IgnoreNulls, Text: name + "(" + l.b.texts(args) + ")"}
	if x.IgnoreNulls {
		o.call.Text += " ignore nulls"
	}
	return o, &scalar.Expr{Op: opOver, Args: call.Args, Type: call.Type, Pos: pos}, nil
}

// ignoresNulls are the window functions that can be told to leave out nulls.
var ignoresNulls = map[string]bool{"lag": true, "lead": true, "first_value": true, "last_value": true, "nth_value": true}

func (l *level) overAggregate(name string, x *ast.Call) (*overCall, *scalar.Expr, error) {
	a, err := l.aggregateCall(name, x)
	if err != nil {
		return nil, nil, err
	}
	o := &overCall{args: len(a.Args), filter: a.Filter != nil}
	o.call = scalar.WindowCall{Func: a.Func, Aggregate: true, Type: a.Type, Pos: a.Pos, Text: a.Text}
	e := &scalar.Expr{Op: opOver, Args: a.Args[:len(a.Args):len(a.Args)], Type: a.Type, Pos: a.Pos}
	if a.Filter != nil {
		e.Args = append(e.Args, a.Filter)
	}
	return o, e, nil
}
