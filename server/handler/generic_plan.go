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

// genericPlan is the graph of a prepared query for all values of its parameters
// (PostgreSQL's term). The values and the indexes that they ask for come in at each
// execution; names, types and operators are found once. Planning anew costs several
// times what the rest of a point read does.
type genericPlan struct {
	basis planBasis
	graph *graph.Graph // nil: the query has none
}

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

func (b planBasis) equal(o planBasis) bool {
	return b.catalog == o.catalog && b.database == o.database && b.zone == o.zone && slices.Equal(b.path, o.path)
}

// newGenericPlan plans a bound query, if values cannot change more than expressions in
// its operators and the indexes they use, and other relations' sizes nothing.
func (h *Handler) newGenericPlan(basis planBasis, root logical.Node) (*genericPlan, error) {
	p := &genericPlan{basis: basis}
	if basis.catalog == nil || !isGeneric(root) {
		return p, nil
	}
	var err error
	p.graph, err = lower.Generic(optimize.Node(root, optimizeOptions), lower.Options{})
	return p, err
}

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

// good reports whether the plan is one for statements with that basis.
func (p *genericPlan) good(basis planBasis) bool {
	return p != nil && p.graph != nil && basis.catalog != nil && p.basis.equal(basis)
}

// with is the graph for values of the parameters.
func (p *genericPlan) with(h *Handler, s *session.Session, params []types.Value) *graph.Graph {
	g := p.graph.MapExprs(optimize.LateParameters(params, optimizeOptions))
	return lower.WithIndexes(g, h.lowerOptions(s))
}
