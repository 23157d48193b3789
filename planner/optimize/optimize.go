// Package optimize rewrites bound trees into ones that mean the same and cost
// less, one rule a file. It decides nothing about execution and evaluates
// nothing itself: constants are folded by a function that is passed in. Ids and
// state columns do not depend on what it does.
package optimize

import (
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Options are what rules depend on besides the tree.
type Options struct {
	// Evaluate computes an expression without columns. It reports false where it
	// cannot, errors included: those are for the moment a row meets them. Nil:
	// constants are not folded.
	Evaluate func(*scalar.Expr) (types.Value, bool)
}

// Node optimizes a query over finished data.
func Node(n logical.Node, opts Options) logical.Node { return optimize(n, opts) }

func optimize(n logical.Node, opts Options) logical.Node {
	n = fold(n, opts)
	n = flattenUnions(n)
	n = expandAll(leftDeep(gatherNested(n)))
	n = avoidCrosses(pushFilters(n))
	n = mergeProjects(transform(n, limitFirst))
	return prune(n)
}

// continuous optimizes a query that follows changes.
func continuous(n logical.Node, opts Options) logical.Node {
	n = guardApplies(fold(n, opts))
	n = flattenUnions(n)
	n = unnest(decorrelate(leftDeep(gatherArrays(n))))
	n = pushFilters(n)
	n = avoidCrosses(orderJoins(n))
	n = mergeProjects(n)
	return prune(topN(prune(n)))
}

// Live optimizes a query whose changes somebody reads as they happen.
func Live(n logical.Node, opts Options) logical.Node { return continuous(n, opts) }

// Sink optimizes one INSERT of a job.
func Sink(n *logical.Sink, opts Options) *logical.Sink {
	c := *n
	c.Input = continuous(n.Input, opts)
	return &c
}

// Materialize optimizes the query of a materialized view.
func Materialize(n *logical.Materialize, opts Options) *logical.Materialize {
	c := *n
	c.Input = continuous(n.Input, opts)
	return &c
}

// Parameters puts values in the place of parameters.
func Parameters(n logical.Node, values []types.Value) logical.Node {
	return transform(n, func(n logical.Node) logical.Node {
		return mapExprs(n, func(x *scalar.Expr) *scalar.Expr {
			return scalar.Map(x, func(e *scalar.Expr) *scalar.Expr { return parameter(e, values) })
		})
	})
}

// parameter is the value of e if that is a parameter which has one.
func parameter(e *scalar.Expr, values []types.Value) *scalar.Expr {
	if e.Op != scalar.OpParam || e.Column >= len(values) {
		return e
	}
	c := *e
	c.Op, c.Column, c.Value = scalar.OpConst, 0, &values[e.Column]
	return &c
}

// LateParameters puts values in the place of parameters of a tree that was optimized
// without them, and computes what is constant then. It is to be mapped over expressions.
func LateParameters(values []types.Value, opts Options) func(*scalar.Expr) *scalar.Expr {
	return func(e *scalar.Expr) *scalar.Expr { return opts.simplify(parameter(e, values)) }
}
