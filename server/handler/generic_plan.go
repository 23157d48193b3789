package handler

import (
	"slices"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/lower"
	"github.com/millrace/millrace/planner/optimize"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/types"
)

// A generic plan (PostgreSQL's term) is the graph of a prepared query for all values of
// its parameters. The values and the indexes that they ask for come in at each execution;
// names, types and operators are found once. Planning anew costs several times what the
// rest of a point read does.

// planBasis is what a plan depends on beside the statement.
type planBasis struct {
	catalog  *catalog.Snapshot // nil: changed by the transaction
	database string
	zone     string
	path     []string
}

func (h *Handler) basisOf(s *session.Session) planBasis {
	b := planBasis{catalog: h.Snapshot(s), database: s.Database, zone: s.TimeZone().Name(), path: s.SearchPath()}
	if b.catalog != h.opt.Catalog.Snapshot() {
		b.catalog = nil
	}
	return b
}

// holds reports whether what was planned on a basis is good on the one of now.
func (b planBasis) holds(now planBasis) bool {
	return now.catalog != nil && b.catalog == now.catalog && b.database == now.database && b.zone == now.zone && slices.Equal(b.path, now.path)
}

// isGeneric reports whether a bound query has a generic plan: values of parameters change
// expressions in its operators and the indexes they use, and nothing else does.
func isGeneric(n logical.Node) bool {
	switch n := n.(type) {
	case *logical.Scan:
		return n.Relation.Kind == catalog.MaterializedView || n.Relation.IsOwnTable()
	case *logical.Filter, *logical.Project:
	case *logical.Aggregate:
		for _, a := range n.Aggregates {
			if slices.ContainsFunc(a.Args, hasParameter) || hasParameter(a.Filter) || slices.ContainsFunc(a.OrderBy, hasParameterKey) {
				return false
			}
		}
		if slices.ContainsFunc(n.Keys, hasParameter) {
			return false
		}
	case *logical.Sort:
		if hasParameter(n.Limit) || hasParameter(n.Skip) || slices.ContainsFunc(n.Keys, hasParameterKey) {
			return false
		}
	default:
		return false
	}
	return !slices.ContainsFunc(n.Inputs(), func(in logical.Node) bool { return !isGeneric(in) })
}

func hasParameterKey(k scalar.SortKey) bool { return hasParameter(k.X) }

func hasParameter(x *scalar.Expr) (found bool) {
	scalar.Walk(x, func(e *scalar.Expr) { found = found || e.Op == scalar.OpParam })
	return found
}

// withParameters is a generic plan for values of the parameters.
func (h *Handler) withParameters(s *session.Session, generic *graph.Graph, params []types.Value) *graph.Graph {
	return lower.WithIndexes(generic.MapExprs(optimize.LateParameters(params, optimizeOptions)), h.lowerOptions(s))
}
