package lower

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
)

// wanders reports whether versions of a row that cols identify may come from
// several tasks: the rows lie by other columns, which a change may change.
func (b *builder) wanders(op int, cols []int) bool {
	o := b.ops[op]
	switch {
	case o.Mode == graph.AppendOnly || o.source != nil:
		return false
	case o.spread.known:
		return slices.ContainsFunc(o.spread.cols, func(c int) bool { return !slices.Contains(cols, c) })
	}
	switch o.Kind {
	case graph.FilterKind, graph.WindowKind:
		return b.wanders(o.Inputs[0].Operator, cols)
	case graph.ProjectKind:
		var under []int
		for _, c := range cols {
			under = append(under, columnsOf(o, c)...)
		}
		return b.wanders(o.Inputs[0].Operator, under)
	case graph.UnionKind:
		return slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return b.wanders(in.Operator, cols) })
	}
	return slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return in.Exchange.Kind == graph.Hash })
}

// columnsOf is the input column that column c of a projection is, if it is one.
func columnsOf(o *operator, c int) []int {
	if x := o.Project.Exprs[c]; x.Op == scalar.OpColumn {
		return []int{x.Column}
	}
	return nil
}

// consolidated adds up the changes of op by key.
func (b *builder) consolidated(op int, key []int) int {
	in := b.ops[op]
	o := &operator{
		Operator: graph.Operator{Kind: graph.ConsolidateKind, Inputs: []graph.Input{b.hashed(op, key)}, Mode: in.Mode, Fields: in.Fields, UpsertKey: key,
			Consolidate: &graph.Consolidate{Key: key}},
		base: "consolidate", pos: -1, called: in.called, origins: in.origins, attrs: in.attrs, spread: spread{known: true, cols: key},
	}
	return b.add(o, "")
}
