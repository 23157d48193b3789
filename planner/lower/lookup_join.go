package lower

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// lookup lowers a temporal join by processing time.
func (j *nearestJoin) lookup(n *logical.TemporalJoin) (stream, error) {
	b := j.b
	if err := j.appendOnly(n.Pos, "What a row was joined with when it came is not known any more when it goes."); err != nil {
		return stream{}, err
	}
	if shared := b.sharedSource(j.sides[0].s.op, j.sides[1].s.op); shared != nil {
		return stream{}, pgerr.NotSupported(n.Pos, "a lookup join of "+shared.called+" with what is made of its own rows").
			WithDetail("Both sides would read it at once, and it would be chance which of its rows a row finds.").
			Hint("Give one of the two its own scan of %s with /*+ ID('…') */ after its name.", shared.called)
	}
	j.keysOf(scalar.Conjuncts(n.Condition), func(*scalar.Expr) bool { return true })
	l, r := &j.sides[0], &j.sides[1]
	if err := j.identify(1); err != nil {
		return stream{}, err
	}
	spec := &graph.LookupJoin{Outer: n.Outer, Keys: l.keys}
	j.fill(0)
	j.fill(1)
	spec.Residual = j.residualOver()
	var t graph.Table
	t, spec.Right = j.sideTable(1)
	o := &operator{Operator: graph.Operator{Kind: graph.LookupJoinKind, LookupJoin: spec, Mode: graph.AppendOnly, Inputs: j.inputs(), Tables: []graph.Table{t}}}
	if p := b.ops[r.op]; p.Mode == graph.AppendOnly {
		o.Unbounded = "it keeps all rows of " + p.called + ", which are only added: no state_ttl"
	}
	j.named(o, "lookup_join", n.Pos)
	return j.finishJoin(o, &spec.Output, "lookup"+exprsKey([]*scalar.Expr{spec.Residual})), nil
}

// sharedSource is a source whose rows make rows of x and are on the way to y as well,
// nil for none.
func (b *builder) sharedSource(x, y int) *operator {
	of := func(op int, looked bool) map[int]bool {
		seen := map[int]bool{op: true}
		for i := op; i >= 0; i-- {
			if !seen[i] {
				continue
			}
			for k, in := range b.ops[i].Inputs {
				if b.ops[i].LookupJoin == nil || k == 0 || looked {
					seen[in.Operator] = true
				}
			}
		}
		return seen
	}
	left, right := of(x, false), of(y, true)
	for i, o := range b.ops {
		if left[i] && right[i] && o.source != nil {
			return o
		}
	}
	return nil
}
