package graph

import (
	"slices"

	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// Bound says what keeps a state table from growing for ever.
type Bound struct {
	Kind BoundKind
	// TTL is, of ByTTL, how long an entry stays, in microseconds.
	TTL int64
	// Why is, of NoBound, why the table grows.
	Why string
}

// BoundKind names a bound.
type BoundKind string

// The bounds. ByKeys tables have a row for each key, or row, that is there in the
// input at a time; those bound ByGroup go with a row of the operator's first table.
const (
	ByWindow    BoundKind = "window"
	ByWatermark BoundKind = "watermark"
	ByTTL       BoundKind = "ttl"
	ByKeys      BoundKind = "key count"
	ByGroup     BoundKind = "group"
	ByView      BoundKind = "rows of the view"
	OneRow      BoundKind = "one row"
	ByConstants BoundKind = "constant rows"
	NoBound     BoundKind = "unbounded"
)

// Bounds says, by table, what bounds the state of operator i of the plan, if the
// job's state_ttl is that many microseconds.
func (g *Graph) Bounds(i int, job int64) []Bound {
	o := &g.Operators[i]
	out := make([]Bound, len(o.Tables))
	ttl := o.Lifetimes(job)
	for t := range out {
		if ttl != nil && ttl[t] > 0 {
			out[t] = Bound{Kind: ByTTL, TTL: ttl[t]}
			continue
		}
		if o.Materialize == nil && g.ofConstants(o, t) {
			out[t] = Bound{Kind: ByConstants}
			continue
		}
		out[t] = g.bound(o, t, job)
		if out[t].Kind == ByGroup && out[0].Kind == ByTTL {
			out[t] = out[0]
		}
	}
	return out
}

// ofConstants reports whether a table of o keeps nothing but rows that are constant.
func (g *Graph) ofConstants(o *Operator, table int) bool {
	switch {
	case o.Join != nil && o.Join.Sides != nil, o.AsofJoin != nil, o.TemporalJoin != nil:
		return g.constant(o.Inputs[table].Operator)
	case o.LookupJoin != nil:
		return g.constant(o.Inputs[1].Operator)
	}
	for _, in := range o.Inputs {
		if !g.constant(in.Operator) {
			return false
		}
	}
	return len(o.Inputs) > 0
}

// bound is what bounds a table without a lifetime.
func (g *Graph) bound(o *Operator, table int, job int64) Bound {
	kind := ByKeys
	switch {
	case o.Materialize != nil:
		return Bound{Kind: ByView}
	case o.WindowAggregate != nil, o.TopN != nil && o.TopN.Window != nil, o.Over != nil && o.Over.Window != nil:
		kind = ByWindow
	case o.Over != nil && o.Over.Progress != nil:
		return Bound{Kind: ByWatermark}
	case o.Join != nil && o.Join.Sides != nil:
		if !o.Join.Sides[table].Expiry.never() {
			return Bound{Kind: ByWatermark}
		}
		if in := o.Inputs[table].Operator; g.Operators[in].Mode != AppendOnly {
			return g.changesBound(in, job)
		}
		if why := o.Join.Sides[table].Unbounded; why != "" {
			return Bound{Kind: NoBound, Why: why}
		}
	case o.SetOp != nil && o.SetOp.Expiry != nil:
		return Bound{Kind: ByWatermark}
	case o.TemporalJoin != nil && (table == 0 || o.TemporalJoin.Keys == 0):
		return Bound{Kind: ByWatermark}
	case o.AsofJoin != nil:
		return g.asofBound(o, table)
	case o.Aggregate != nil:
		return o.Aggregate.bound(o, table)
	case o.TopN != nil && !o.TopN.Retractable && g.Ties(o):
		return Bound{Kind: NoBound, Why: "it keeps all rows that are equal in the order: no window in the keys and no state_ttl"}
	}
	if o.Unbounded != "" {
		return Bound{Kind: NoBound, Why: o.Unbounded}
	}
	return Bound{Kind: kind}
}

// changesBound is that of a table that has the rows of an operator that changes them:
// there are as many as that one has, and if it joins, more and more when its own state
// grows.
func (g *Graph) changesBound(i int, job int64) Bound {
	o := &g.Operators[i]
	for o.Join == nil && len(o.Inputs) == 1 && len(o.Tables) == 0 {
		i = o.Inputs[0].Operator
		o = &g.Operators[i]
	}
	if o.Join == nil || o.Join.Sides == nil {
		return Bound{Kind: ByKeys}
	}
	tables := g.Bounds(i, job)
	if o.Join.Kind == logical.SemiJoin || o.Join.Kind == logical.AntiJoin {
		tables = tables[:1] // the rows are those of the left side
	}
	for _, b := range tables {
		if b.Kind == NoBound {
			return Bound{Kind: NoBound, Why: "it keeps all rows of " + o.ID + ", whose state grows without bound"}
		}
	}
	return Bound{Kind: ByKeys}
}

// asofBound is that of a side of an ASOF join. Left rows that wait for something after
// them may wait for ever, and of each key the last row before all others stays.
func (g *Graph) asofBound(o *Operator, table int) Bound {
	expires := o.AsofJoin.Sides[table].Expiry != nil
	switch {
	case expires && ((table == 1) != o.AsofJoin.Back() || o.AsofJoin.Keys == 0 && o.AsofJoin.Back()):
		return Bound{Kind: ByWatermark}
	case !expires && g.Operators[o.Inputs[table].Operator].Mode != AppendOnly || o.Unbounded == "":
		return Bound{Kind: ByKeys}
	}
	return Bound{Kind: NoBound, Why: o.Unbounded}
}

// bound is that of a table of o, an aggregate without a window.
func (a *Aggregate) bound(o *Operator, table int) Bound {
	switch {
	case table == 0 && a.Global:
		return Bound{Kind: OneRow}
	case table > 0 && table <= len(a.Distincts) && !a.Retractable:
		return Bound{Kind: NoBound, Why: "it keeps every different value: no window in the keys and no state_ttl"}
	case table > 0 && !a.Retractable:
		if a.First(table) || table > len(o.Tables)-1-len(a.Sketches) {
			return Bound{Kind: ByGroup}
		}
		kept := "every different value"
		if a.KeepsRows(table) {
			kept = "every row"
		}
		return Bound{Kind: NoBound, Why: "it keeps " + kept + " of each group, which the aggregate needs: no window in the keys"}
	case table > 0:
		return Bound{Kind: ByGroup}
	case o.Unbounded != "":
		return Bound{Kind: NoBound, Why: o.Unbounded}
	}
	return Bound{Kind: ByKeys}
}

// First reports whether a table, of an append-only input, is a list that keeps one
// row of each group.
func (a *Aggregate) First(table int) bool {
	list := table - 1 - len(a.Distincts)
	return list >= 0 && list < len(a.Lists) && a.Lists[list].First != nil
}

// KeepsRows reports whether a table, of an append-only input, is a list of all rows of
// each group, and not only of the values that are different for all that read it.
func (a *Aggregate) KeepsRows(table int) bool {
	list := table - 1 - len(a.Distincts)
	return list >= 0 && list < len(a.Lists) && a.Lists[list].First == nil && slices.ContainsFunc(a.Accumulators, func(x Accumulator) bool {
		return x.List != nil && x.List.List == list && !x.List.Distinct && x.Func != "mode"
	})
}

// Ties reports whether any number of rows of a group may be among the first ones of a
// top-N, as they are equal in its order.
func (g *Graph) Ties(o *Operator) bool {
	if o.TopN.Func == "row_number" && !o.TopN.WithTies {
		return false
	}
	key := g.Operators[o.Inputs[0].Operator].UpsertKey
	return key == nil || slices.ContainsFunc(key, func(c int) bool {
		return !slices.Contains(o.TopN.Keys, c) && !slices.ContainsFunc(o.TopN.Order, func(k SortKey) bool { return k.Column == c })
	})
}

// stringBytes is what a string of a row is taken to be long.
const stringBytes = 24

// RowBytes is about how much memory a row of the table takes, with its part of the
// indexes.
func (t *Table) RowBytes() int {
	n := 8 + 12 // the header, and the index at its usual load
	if t.Local > 0 {
		n += 12 // the links between rows of one key
	}
	for _, list := range [][]Column{t.Keys, t.Columns} {
		for _, c := range list {
			p := c.Type.Phys()
			n += p.RowWidth()
			if p == types.PhysBytes {
				n += stringBytes
			}
		}
	}
	return n
}

// Crosses reports whether the operator pairs all rows of two streams of inserts:
// what it emits grows with their product.
func (g *Graph) Crosses(o *Operator) bool {
	if o.Join == nil || o.Join.Sides == nil || len(o.Join.LeftKeys) > 0 || o.Join.Kind == logical.SemiJoin || o.Join.Kind == logical.AntiJoin {
		return false
	}
	for i, in := range o.Inputs {
		if g.Operators[in.Operator].Mode != AppendOnly || g.constant(in.Operator) || !o.Join.Sides[i].Expiry.never() {
			return false
		}
	}
	return true
}

// Pairs reports whether the operator pairs all rows of its sides, neither of which is known
// to have few.
func (g *Graph) Pairs(o *Operator) bool {
	return o.Join != nil && len(o.Join.LeftKeys) == 0 && o.Join.Residual == nil && !o.Join.AtEnd &&
		o.Join.Kind != logical.SemiJoin && o.Join.Kind != logical.AntiJoin && !g.Few(o.Inputs[0].Operator) && !g.Few(o.Inputs[1].Operator)
}

// Compares reports whether the operator compares all rows of its sides, neither of which is
// known to have few.
func (g *Graph) Compares(o *Operator) bool {
	return o.Join != nil && len(o.Join.LeftKeys) == 0 && o.Join.Residual != nil && !o.Join.AtEnd &&
		!g.Few(o.Inputs[0].Operator) && !g.Few(o.Inputs[1].Operator)
}

// Few reports whether an operator's rows are few at any time.
func (g *Graph) Few(i int) bool {
	o := &g.Operators[i]
	switch {
	case o.Aggregate != nil && g.oneGroup(o), o.TopN != nil && len(o.TopN.Keys) == 0 && o.TopN.To <= fewRows:
		return true
	case o.Kind == FilterKind, o.Kind == ProjectKind, o.Kind == ConsolidateKind, o.Kind == UpsertKind:
		return g.Few(o.Inputs[0].Operator)
	}
	return g.constant(i)
}

// oneGroup reports whether all keys of an aggregate are constants.
func (g *Graph) oneGroup(o *Operator) bool {
	in := &g.Operators[o.Inputs[0].Operator]
	return !slices.ContainsFunc(o.Aggregate.Keys, func(k int) bool { return in.Project == nil || in.Project.Exprs[k].Op != scalar.OpConst })
}
