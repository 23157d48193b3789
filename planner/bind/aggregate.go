package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
)

// opAggregate stands for aggregate number Column of the level until the
// aggregation is built. It never leaves this package.
const opAggregate scalar.Op = "bind.aggregate"

// aggregation collects the aggregates of one SELECT.
type aggregation struct {
	list []scalar.Aggregate
	keys []*scalar.Expr
	// sets are the grouping sets, nil for the one of all keys; groupings are the
	// keys of each GROUPING(…) call, whose columns come last.
	sets      []groupingSet
	groupings [][]int
	asked     bool // there is such a call
	// direct are arguments that must not depend on a group's single rows.
	direct []*scalar.Expr
}

func isAggregate(name string) bool { return len(scalar.AggregateFunctions(name)) > 0 }

// aggregate binds a call of an aggregate function; the result refers to it. An
// aggregate is of the innermost query whose columns it is over, the one that it
// stands in if it is over none: sum(t.v) within a subquery of a query over t is an
// aggregate of that query, and an outer value to the subquery.
func (l *level) aggregate(name string, x *ast.Call) (*scalar.Expr, error) {
	if l.outer == nil {
		return l.ownAggregate(name, x)
	}
	t := l.tryOut()
	a, err := l.aggregateOver(name, x)
	owner := t.innermost()
	if err != nil {
		return nil, err
	}
	if owner == l {
		return l.addAggregate(a, int(x.Pos))
	}
	if l.b.rebound++; l.b.rebound > reboundMax {
		return nil, pgerr.New(pgerr.StatementTooComplex, "more than %d aggregates of outer queries", reboundMax).At(int(x.Pos))
	}
	t.undo()
	e, err := owner.ownAggregate(name, x)
	if err != nil {
		return nil, err
	}
	return l.carryIn(owner, e), nil
}

// ownAggregate binds an aggregate that is of this level.
func (l *level) ownAggregate(name string, x *ast.Call) (*scalar.Expr, error) {
	if err := l.allowsAggregate(int(x.Pos)); err != nil {
		return nil, err
	}
	a, err := l.aggregateOver(name, x)
	if err != nil {
		return nil, err
	}
	return l.addAggregate(a, int(x.Pos))
}

// aggregateOver binds what an aggregate is over.
func (l *level) aggregateOver(name string, x *ast.Call) (*scalar.Aggregate, error) {
	defer func(in, argument bool) { l.inAgg, l.argument = in, argument }(l.inAgg, l.argument)
	l.inAgg, l.argument = true, true
	return l.aggregateCall(name, x)
}

// allowsAggregate checks that an aggregate of this level may stand where it does.
func (l *level) allowsAggregate(pos int) error {
	switch {
	case l.argument:
		return pgerr.New(pgerr.GroupingError, "aggregate function calls cannot be nested").At(pos)
	case l.aggs == nil:
		return pgerr.New(pgerr.GroupingError, "aggregate functions are not allowed in %s", l.clauseName()).At(pos)
	case l.recursive:
		return pgerr.New(pgerr.InvalidRecursion, "aggregate functions are not allowed in a recursive query's recursive term").At(pos)
	}
	return nil
}

// addAggregate refers to an aggregate, which is computed once however often it
// is written.
func (l *level) addAggregate(a *scalar.Aggregate, pos int) (*scalar.Expr, error) {
	if err := l.allowsAggregate(pos); err != nil {
		return nil, err
	}
	for i := range l.aggs.list {
		if aggregateEqual(&l.aggs.list[i], a) {
			return aggregateRef(i, a, pos), nil
		}
	}
	l.aggs.list = append(l.aggs.list, *a)
	return aggregateRef(len(l.aggs.list)-1, a, pos), nil
}

func aggregateRef(i int, a *scalar.Aggregate, pos int) *scalar.Expr {
	return &scalar.Expr{Op: opAggregate, Column: i, Type: a.Type, Text: a.Text, Pos: pos}
}

func (l *level) clauseName() string {
	if l.clause == "" {
		return "this context"
	}
	switch l.clause {
	case "ON":
		return "JOIN conditions"
	case "FROM":
		return "functions in FROM"
	case "LATERAL":
		return "FROM clause of their own query level"
	}
	return l.clause
}

func aggregateEqual(a, b *scalar.Aggregate) bool {
	if a.Func != b.Func || a.Distinct != b.Distinct || len(a.Args) != len(b.Args) || len(a.OrderBy) != len(b.OrderBy) || !exprEqual(a.Filter, b.Filter) {
		return false
	}
	for i := range a.Args {
		if !exprEqual(a.Args[i], b.Args[i]) {
			return false
		}
	}
	for i := range a.OrderBy {
		x, y := a.OrderBy[i], b.OrderBy[i]
		if x.Desc != y.Desc || x.NullsFirst != y.NullsFirst || !exprEqual(x.X, y.X) {
			return false
		}
	}
	return true
}

// build makes the Aggregate node over n.
func (a *aggregation) build(n logical.Node, id string) *logical.Aggregate {
	agg := &logical.Aggregate{Input: n, Keys: a.keys, Aggregates: a.list, ID: id}
	in := n.Fields()
	start, end := false, false
	for _, k := range a.keys {
		if k.Op == scalar.OpColumn {
			start = start || in[k.Column].WindowBound == "start"
			end = end || in[k.Column].WindowBound == "end"
		}
	}
	for _, k := range a.keys {
		f := logical.Field{Name: "?column?", Type: k.Type, Origin: k.Text}
		if k.Op == scalar.OpColumn {
			f = in[k.Column]
			f.Relation = ""
			f.ProcTime = f.ProcTime && start && end
		} else if c, ok := scalar.Rising(k); ok {
			f.Rises = in[c].Timed()
		}
		agg.Out = append(agg.Out, f)
	}
	for i := range a.list {
		agg.Out = append(agg.Out, logical.Field{Name: a.list[i].Text, Type: a.list[i].Type, Origin: a.list[i].Text})
	}
	return agg
}

// regroup rewrites an expression over the input into one over the aggregation's
// output: keys and aggregates become columns, any other column is an error.
func (l *level) regroup(e *scalar.Expr) (*scalar.Expr, error) {
	a := l.aggs
	return l.b.rewrite(e, func(x *scalar.Expr) (*scalar.Expr, error) {
		if x.Op == opAggregate {
			return &scalar.Expr{Op: scalar.OpColumn, Column: len(a.keys) + x.Column, Type: x.Type, Text: x.Text, Pos: x.Pos}, nil
		}
		if x.Op == opGrouping {
			return a.groupingColumn(x)
		}
		for i, k := range a.keys {
			// A constant within an expression is that constant in every grouping set.
			if exprEqual(k, x) && (x.Op != scalar.OpConst || x == e) {
				c := &scalar.Expr{Op: scalar.OpColumn, Column: i, Type: x.Type, Pos: x.Pos}
				return l.b.withText(c, x.Text, l.b.precOf(x)), nil
			}
		}
		if x.Op == scalar.OpColumn {
			return nil, pgerr.New(pgerr.GroupingError, "column %q must appear in the GROUP BY clause or be used in an aggregate function", l.columnLabel(x.Column)).At(x.Pos)
		}
		return nil, nil
	})
}

func (l *level) columnLabel(i int) string {
	for _, c := range l.scope.cols {
		if c.expr.Op == scalar.OpColumn && c.expr.Column == i && c.name != "" && !c.merged {
			if c.relation == "" {
				return c.name
			}
			return c.relation + "." + c.name
		}
	}
	return "?column?"
}
