package upgrade

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
)

// values matches constant rows by what they are: ids of theirs are numbers, and
// all that is kept of them is that they were delivered. Ones that stay must not
// come again, new ones come now, and with those that went nothing is lost.
func (c *comparison) values(old, new *graph.Graph) {
	taken := map[int]bool{}
	for i := range new.Operators {
		n := &new.Operators[i]
		if n.Values == nil {
			continue
		}
		v := Verdict{Operator: n.ID, Kind: n.Kind, Result: Empty, Why: "new: its rows come now"}
		for k := range old.Operators {
			if o := &old.Operators[k]; o.Values != nil && !taken[k] && sameRows(constants(old, k), constants(new, i)) {
				taken[k] = true
				c.plan.Operators[n.ID] = o.ID
				v.Result, v.Why, v.From = Kept, "", o.ID
				break
			}
		}
		c.plan.Verdicts = append(c.plan.Verdicts, v)
	}
	for k := range old.Operators {
		if o := &old.Operators[k]; o.Values != nil && !taken[k] {
			c.plan.Verdicts = append(c.plan.Verdicts, Verdict{Operator: o.ID, From: o.ID, Kind: o.Kind, Result: Dropped, Why: "its rows have come, and are no part of the new query"})
		}
	}
}

// constants are the expressions that rows of constants are made by: those of
// operator i and of the projections and filters right above.
func constants(g *graph.Graph, i int) [][]*scalar.Expr {
	out := append([][]*scalar.Expr{}, g.Operators[i].Values.Rows...)
	for k := i + 1; k < len(g.Operators); k++ {
		o := &g.Operators[k]
		if len(o.Inputs) != 1 || o.Inputs[0].Operator != i {
			continue
		}
		switch {
		case o.Project != nil:
			out = append(out, o.Project.Exprs)
		case o.Filter != nil:
			out = append(out, []*scalar.Expr{o.Filter.Predicate})
		default:
			return out
		}
		i = k
	}
	return out
}

func sameRows(a, b [][]*scalar.Expr) bool {
	return slices.EqualFunc(a, b, func(x, y []*scalar.Expr) bool { return slices.EqualFunc(x, y, scalar.Equal) })
}
