package upgrade

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
)

// joinsDiffer says why the state of join o cannot be that of n, "" when it can.
// Both sides must go on, since a row is there on account of both. A condition that
// matches were counted by must stay the same.
func joinsDiffer(o, n *graph.Operator, renamed bool) string {
	switch {
	case o.Join.Kind != n.Join.Kind:
		return fmt.Sprintf("it was a %s join and is now a %s join", o.Join.Kind, n.Join.Kind)
	case len(o.Tables) != 2 || len(n.Tables) != 2:
		return ""
	}
	for i := range o.Tables {
		if why := keysDiffer(&o.Tables[i], &n.Tables[i], renamed); why != "" {
			return [2]string{"left: ", "right: "}[i] + why
		}
		if a, b := o.Join.Sides[i], n.Join.Sides[i]; a.Matches != b.Matches || a.Matches && !sameCondition(o, n) {
			return "its condition was another one"
		}
	}
	return ""
}

// sameCondition compares two residuals by the names of the state columns that
// they read.
func sameCondition(o, n *graph.Operator) bool {
	was, is := joinColumns(o), joinColumns(n)
	var same func(x, y *scalar.Expr) bool
	same = func(x, y *scalar.Expr) bool {
		if x == nil || y == nil {
			return x == y
		}
		if x.Op == scalar.OpColumn && y.Op == scalar.OpColumn {
			return x.Column < len(was) && y.Column < len(is) && was[x.Column] == is[y.Column]
		}
		if len(x.Args) != len(y.Args) {
			return false
		}
		for i := range x.Args {
			if !same(x.Args[i], y.Args[i]) {
				return false
			}
		}
		a, b := *x, *y
		a.Args, b.Args = nil, nil
		return scalar.Equal(&a, &b)
	}
	return same(o.Join.Residual, n.Join.Residual)
}

// joinColumns names the columns of a join's inputs, left ones first, by its state.
func joinColumns(o *graph.Operator) (names []string) {
	for i, t := range o.Tables {
		keys := len(o.Join.LeftKeys)
		columns := append(append([]graph.Column(nil), t.Keys...), t.Columns...)
		if o.Join.Sides[i].Identity == graph.ByNumber {
			columns = append(columns[:keys], columns[keys+1:]...)
		}
		if o.Join.Sides[i].Identity == graph.ByCopies {
			columns = columns[:len(columns)-1]
		}
		if o.Join.Sides[i].Matches {
			columns = columns[:len(columns)-1]
		}
		for _, c := range columns {
			names = append(names, t.Name+"."+c.Name)
		}
	}
	return names
}

// leftOut says which rows do not come to the sides of a join, though its condition lets
// them, "" for none.
func leftOut(g *graph.Graph, o *graph.Operator) (sides [2]string) {
	for i, in := range o.Inputs {
		switch below := &g.Operators[in.Operator]; {
		case below.Contenders != nil:
			sides[i] = "rows that were not the best of their window"
		case below.Challengers != nil:
			sides[i] = beaten(below)
		}
	}
	return sides
}

// beaten says which rows challengers leave out.
func beaten(o *graph.Operator) string {
	c := o.Challengers
	var alike, order []string
	for _, at := range c.Alike {
		alike = append(alike, o.Fields[at].Name)
	}
	for _, k := range c.Order {
		word := "lesser "
		if k.Desc {
			word = "greater "
		}
		order = append(order, word+o.Fields[k.Column].Name)
	}
	sep := ", then "
	if c.Each {
		sep = " and "
	}
	return "rows beside others of the same " + strings.Join(alike, ", ") + " with " + strings.Join(order, sep)
}

// missingJoined says which rows an otherwise fitting join, or set operation, would have
// kept and the old one did not, because they could match nothing any more.
func (c *comparison) missingJoined(o, n *graph.Operator) (missing []string) {
	if o.SetOp != nil && n.SetOp != nil {
		if was, is := o.SetOp.Expiry, n.SetOp.Expiry; was != nil && (is == nil || is.Column != was.Column || is.Shift > was.Shift) {
			return []string{"rows that were out of time"}
		}
	}
	if o.Join == nil || n.Join == nil || o.Join.Sides == nil || n.Join.Sides == nil {
		return nil
	}
	for i, side := range []string{"left", "right"} {
		if was := c.old.leftOut[o.ID][i]; was != "" && was != c.new.leftOut[n.ID][i] {
			missing = append(missing, side+" "+was)
		}
		was, is := o.Join.Sides[i].Expiry, n.Join.Sides[i].Expiry
		if was != nil && !was.Forever && (is == nil || is.Forever || is.Keep > was.Keep) {
			missing = append(missing, side+" rows that were out of time")
		}
	}
	return missing
}
