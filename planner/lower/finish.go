package lower

import (
	"slices"
	"strconv"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// finish settles what grew while branches were lowered and numbers the operators.
func (b *builder) finish() (*graph.Graph, error) {
	for _, o := range b.ops {
		if o.family != nil {
			o.family.guardArguments()
		}
	}
	if err := b.currentWatermarks(); err != nil {
		return nil, err
	}
	if err := b.volatileCalls(); err != nil {
		return nil, err
	}
	for _, o := range b.ops {
		switch {
		case o.source != nil:
			b.finishSource(o)
		case o.family != nil:
			o.family.supplementsLast()
			o.Tables = o.family.tables()
			if a := o.family.agg; a.Global && len(o.Tables) > 1 && !b.bounded {
				o.Unbounded = "it keeps every different value: no window in the keys and no state_ttl"
			}
		case o.Kind == graph.FilterKind:
			in := b.ops[o.Inputs[0].Operator]
			o.Fields, o.UpsertKey, o.TimeColumn, o.attrs, o.origins = in.Fields, in.UpsertKey, in.TimeColumn, in.attrs, in.origins
		case o.Kind == graph.UpsertKind:
			b.finishUpsert(o)
		}
		if o.Fields == nil {
			o.Fields = []types.Field{}
		}
	}
	kept := settleChallengers(b.prune())
	if err := b.identify(kept); err != nil {
		return nil, err
	}
	g := &graph.Graph{Version: graph.Version, Bounded: b.bounded}
	for _, o := range kept {
		if o.Pos = o.pos; o.Pos < 0 && len(o.Inputs) > 0 { // the nearest place there is
			o.Pos = g.Operators[o.Inputs[0].Operator].Pos
		}
		g.Operators = append(g.Operators, o.Operator)
	}
	return g, nil
}

// prune leaves out projections that change nothing, contenders that may be measured by
// too few rows, and operators that nobody reads, and renumbers the inputs.
func (b *builder) prune() []*operator {
	to := make([]int, len(b.ops)) // what stands for an operator
	read := make([]bool, len(b.ops))
	for i, o := range b.ops {
		to[i] = i
		if o.Kind == graph.ProjectKind {
			in := to[o.Inputs[0].Operator]
			if o.Project.Time == nil && isIdentity(o.Project.Exprs, len(b.ops[in].Fields)) {
				to[i] = in
			}
		}
		if o.rival != nil && !o.rival.fair() {
			to[i] = to[o.Inputs[0].Operator]
		}
		for k := range o.Inputs {
			o.Inputs[k].Operator = to[o.Inputs[k].Operator]
			// A batch without columns is worth less than one with too many.
			if in := b.ops[o.Inputs[k].Operator]; o.readsOnly() && in.Kind == graph.ProjectKind && len(in.Fields) == 0 && in.Project.Time == nil {
				o.Inputs[k].Operator = in.Inputs[0].Operator
			}
		}
	}
	for i := len(b.ops) - 1; i >= 0; i-- {
		o := b.ops[i]
		switch o.Kind {
		case graph.SinkKind, graph.MaterializeKind, graph.CollectKind:
			read[i] = true
		}
		if !read[i] {
			continue
		}
		for _, in := range o.Inputs {
			read[in.Operator] = true
		}
	}
	var kept []*operator
	number := map[int]int{}
	for i, o := range b.ops {
		if !read[i] || to[i] != i {
			continue
		}
		for k := range o.Inputs {
			o.Inputs[k].Operator = number[o.Inputs[k].Operator]
		}
		number[i] = len(kept)
		kept = append(kept, o)
	}
	return kept
}

// readsOnly says whether columns that o does not read may be there too: none of them
// becomes a column of its own.
func (o *operator) readsOnly() bool {
	return o.Kind == graph.AggregateKind || o.Kind == graph.ProjectKind
}

func isIdentity(exprs []*scalar.Expr, width int) bool {
	if len(exprs) != width {
		return false
	}
	for i, x := range exprs {
		if x.Op != scalar.OpColumn || x.Column != i {
			return false
		}
	}
	return true
}

// keepsState reports whether an operator's id must be stable.
func keepsState(k graph.Kind) bool {
	switch k {
	case graph.SourceKind, graph.AggregateKind, graph.WindowAggregateKind, graph.SinkKind, graph.MaterializeKind, graph.JoinKind, graph.SetOpKind,
		graph.TopNKind, graph.OverKind, graph.UpsertKind, graph.AsofJoinKind, graph.TemporalJoinKind, graph.LookupJoinKind:
		return true
	}
	return false
}

// identify gives every operator its id. Operators with state that mean the same
// are told apart by role; the others are numbered.
func (b *builder) identify(ops []*operator) error {
	same := map[string][]int{}
	for i, o := range ops {
		same[o.base] = append(same[o.base], i)
	}
	for i, o := range ops {
		group := same[o.base]
		if len(group) == 1 {
			o.ID = o.base
			continue
		}
		if b.bounded || !keepsState(o.Kind) {
			o.ID = o.base
			if n := slices.Index(group, i); n > 0 {
				o.ID += "#" + strconv.Itoa(n+1)
			}
			continue
		}
		if group[0] == i {
			if err := giveRoles(ops, group); err != nil {
				return err
			}
		}
	}
	taken := map[string]bool{}
	for _, o := range ops {
		if taken[o.ID] {
			return duplicateID(o)
		}
		taken[o.ID] = true
	}
	return nil
}

func duplicateID(o *operator) error {
	if o.pinned {
		return pgerr.New(pgerr.DuplicateObject, "operator id %q is given twice", o.base).At(o.pos)
	}
	return pgerr.New(pgerr.DuplicateObject, "operator id %q would be given to several operators", o.base).At(o.pos).
		Hint("Pin an id of its own for each with a hint after SELECT: /*+ ID('…') */.")
}
