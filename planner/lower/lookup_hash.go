package lower

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
)

// useHashes has the rows of a relation kept by their values in the columns that a
// subquery compares with outer values for equality, where no index finds them: it may
// be run once for each row around it. What an index has above or below an outer value
// is too much.
func useHashes(g *graph.Graph, readers []int) {
	for i := range g.Operators {
		o := &g.Operators[i]
		if o.Kind != graph.FilterKind {
			continue
		}
		n := o.Inputs[0].Operator
		s := g.Operators[n].Source
		if s == nil || readers[n] != 1 || s.Connector != "" && s.Connector != "view" || s.Lookup != nil && !isHalf(s.Lookup) {
			continue
		}
		if l := hashOf(s, wantedOf(s, o.Filter.Predicate)); len(l.Columns) > 0 {
			s.Lookup = l
		}
	}
}

// isHalf reports whether an index tells only where the rows begin or end.
func isHalf(l *graph.Lookup) bool {
	if l.Ordered || !l.Outer || len(l.Ranges) != 1 {
		return false
	}
	r := l.Ranges[0]
	return len(r.Equal) == 0 && (r.Low == nil) != (r.High == nil)
}

// hashOf is by the columns that have to be equal to an outer value.
func hashOf(s *graph.Source, w *wanted) *graph.Lookup {
	l := &graph.Lookup{Hash: true, Outer: true}
	for _, x := range w.conjuncts {
		if !hasOuter(x) {
			continue
		}
		list := points(s, x)
		if isEverywhere(list) || len(list) > 1 {
			continue
		}
		for _, c := range s.Physical {
			if _, ok := list[0][c.Column]; ok && c.Metadata == "" && !has(l.Columns, c.Column) {
				l.Columns = append(l.Columns, graph.LookupColumn{Column: c.Column, Type: c.Type})
			}
		}
	}
	slices.SortFunc(l.Columns, func(a, b graph.LookupColumn) int { return a.Column - b.Column })
	return l
}
