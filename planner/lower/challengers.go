package lower

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// challenge is an inner join of which only extrema or a first row of groups are asked,
// as in "the best bid on each auction while it was open". Rows of a side that have the
// same values in all columns that say what they match and which group they come to are
// alike; one of them that another is ahead of need not come to the join.
type challenge struct {
	ops  []*operator
	join int
	left int // columns of the left side
	// exprs are the columns of what was reached so far above the join, over its inputs'.
	exprs []*scalar.Expr
	alike [2][]int
	order []challengeKey
	each  bool
}

// challengeKey is a column of the join's inputs that says who is ahead.
type challengeKey struct {
	column int
	desc   bool
}

// mayChallenge puts challengers below the sides whose rows they may be able to tell.
// Whether they are is known when all that reads the join is lowered.
func (j *regularJoin) mayChallenge() {
	b := j.b
	if b.bounded || j.n.Kind != logical.InnerJoin {
		return
	}
	for i := range j.sides {
		s := &j.sides[i]
		in := b.ops[s.op]
		if s.keys == 0 || s.identity != graph.ByNumber || in.Mode != graph.AppendOnly || in.rival != nil {
			continue
		}
		o := &operator{
			Operator: graph.Operator{Kind: graph.ChallengersKind, Inputs: []graph.Input{forward(s.op)}, Mode: graph.AppendOnly,
				Fields: slices.Clone(in.Fields), UpsertKey: in.UpsertKey},
			base: "challengers(" + in.called + ")", pos: -1, called: in.called,
			origins: in.origins, attrs: in.attrs, spread: in.spread,
		}
		s.op = b.add(o, o.base)
	}
}

// settleChallengers decides what challengers go by, and leaves out those that are for
// nothing.
func settleChallengers(ops []*operator) []*operator {
	for i, o := range ops {
		if o.Join == nil || o.Join.Kind != logical.InnerJoin || o.Join.Sides == nil || o.Join.AtEnd {
			continue
		}
		c := challenge{ops: ops, join: i, left: len(ops[o.Inputs[0].Operator].Fields)}
		if !c.climb() {
			continue
		}
		for side, in := range o.Inputs {
			if below := ops[in.Operator]; below.Kind == graph.ChallengersKind && read(ops, in.Operator) == 1 {
				below.Challengers = c.spec(side)
			}
		}
	}
	var kept []*operator
	to := make([]int, len(ops))
	for i, o := range ops {
		for k := range o.Inputs {
			o.Inputs[k].Operator = to[o.Inputs[k].Operator]
		}
		if o.Kind == graph.ChallengersKind && o.Challengers == nil {
			to[i] = o.Inputs[0].Operator
			continue
		}
		to[i] = len(kept)
		kept = append(kept, o)
	}
	return kept
}

// climb follows the join's rows up to what asks for extrema or a first row, noting
// what their columns are used for. It reports false if they are used for more.
func (c *challenge) climb() bool {
	o := c.ops[c.join]
	c.uses(o.Join.Residual)
	if o.Join.Residual != nil && scalar.VolatilityOf(o.Join.Residual) == scalar.Volatile || expiring(o) {
		return false
	}
	for i, s := range o.Join.Sides {
		c.alike[i] = append(c.alike[i], sequence(0, len(o.Join.LeftKeys))...)
		if e := s.Expiry; e != nil {
			if e.Column >= 0 {
				c.alike[i] = append(c.alike[i], e.Column)
			}
			if e.Until != nil {
				c.alike[i] = append(c.alike[i], *e.Until)
			}
		}
	}
	for k, at := range o.Join.Output {
		c.exprs = append(c.exprs, column(at, o.Fields[k].Type, ""))
	}
	for at := c.join; ; {
		above := slices.IndexFunc(c.ops, func(x *operator) bool {
			return slices.ContainsFunc(x.Inputs, func(in graph.Input) bool { return in.Operator == at })
		})
		if above < 0 || read(c.ops, at) != 1 || expiring(c.ops[above]) {
			return false
		}
		switch o := c.ops[above]; {
		case o.Filter != nil:
			x := scalar.Substitute(o.Filter.Predicate, c.exprs)
			if c.uses(x); scalar.VolatilityOf(x) == scalar.Volatile {
				return false
			}
		case o.Project != nil:
			if !c.project(o.Project.Exprs) {
				return false
			}
		case o.Kind == graph.AggregateKind:
			return c.extrema(o.Aggregate)
		case o.TopN != nil:
			return c.first(o.TopN)
		default:
			return false
		}
		at = above
	}
}

// expiring reports whether what an operator keeps of an input has a lifetime of its own.
func expiring(o *operator) bool {
	return slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return in.StateTTL > 0 })
}

// project passes a projection. What is computed there may fail, and must do so for rows
// that are alike alike.
func (c *challenge) project(exprs []*scalar.Expr) bool {
	out := make([]*scalar.Expr, len(exprs))
	for i, x := range exprs {
		if out[i] = scalar.Substitute(x, c.exprs); scalar.VolatilityOf(x) == scalar.Volatile {
			return false
		}
		if out[i].Op != scalar.OpColumn {
			c.uses(out[i])
		}
	}
	c.exprs = out
	return true
}

// uses notes that rows must be the same in what x reads to be alike.
func (c *challenge) uses(x *scalar.Expr) {
	for _, at := range scalar.Columns(x) {
		side, at := c.side(at)
		c.alike[side] = append(c.alike[side], at)
	}
}

func (c *challenge) side(at int) (side, column int) {
	if at >= c.left {
		return 1, at - c.left
	}
	return 0, at
}

// extrema notes what aggregates need, if they are all extrema.
func (c *challenge) extrema(a *graph.Aggregate) bool {
	if len(a.Distincts)+len(a.Lists)+len(a.Sketches) > 0 || len(a.Outputs) == 0 {
		return false
	}
	for _, k := range a.Keys {
		c.uses(c.exprs[k])
	}
	for _, out := range a.Outputs {
		acc := &a.Accumulators[out.Accumulators[0]]
		if out.Func != "value" || acc.Func != "max" && acc.Func != "min" || acc.Arg < 0 || len(acc.With)+len(out.Specials) > 0 {
			return false
		}
		if acc.Filter >= 0 {
			c.uses(c.exprs[acc.Filter])
		}
		c.goesBy(c.exprs[acc.Arg], acc.Func == "max")
	}
	c.each = true
	return true
}

// first notes what the first row of a group is found by. Order decides alone: where it
// does not, all columns do.
func (c *challenge) first(t *graph.TopN) bool {
	if !t.Single() || t.Arrival {
		return false
	}
	for _, k := range t.Keys {
		c.uses(c.exprs[k])
	}
	for _, k := range t.Order {
		c.goesBy(c.exprs[k.Column], k.Desc)
	}
	return true
}

// goesBy notes that a value says which rows are ahead.
func (c *challenge) goesBy(x *scalar.Expr, desc bool) {
	if x.Op != scalar.OpColumn || !graph.Ranks(x.Type) {
		c.uses(x)
		return
	}
	c.order = append(c.order, challengeKey{x.Column, desc})
}

// alikeMax is how many columns rows may have to be the same in: with more, few are.
const alikeMax = 8

// spec is who challenges among the rows of a side, nil if that cannot be said.
func (c *challenge) spec(side int) *graph.Challengers {
	join := c.ops[c.join].Join
	alike := slices.Clone(c.alike[side])
	slices.Sort(alike)
	s := &graph.Challengers{Alike: slices.Compact(alike), Each: c.each}
	for _, k := range c.order {
		of, at := c.side(k.column)
		key := graph.SortKey{Column: at, Desc: k.desc}
		if of == side && !slices.Contains(s.Alike, at) && !slices.Contains(s.Order, key) {
			s.Order = append(s.Order, key)
		}
	}
	if len(s.Order) == 0 || len(s.Alike) > alikeMax {
		return nil
	}
	if e := join.Sides[side].Expiry; e != nil && e.Column >= 0 {
		s.Late = e
	}
	return s
}
