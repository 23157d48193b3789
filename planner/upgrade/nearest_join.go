package upgrade

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/planner/graph"
)

// nearestJoinsDiffer says why the state of a join that chooses among the right side's
// rows cannot be that of another, "" when it can. What has been emitted must still be
// what follows from the state.
func nearestJoinsDiffer(o, n *graph.Operator, renamed bool) string {
	if o.Kind != n.Kind {
		return ""
	}
	switch o.Kind {
	case graph.AsofJoinKind:
		was, is := asofText(o), asofText(n)
		switch {
		case o.AsofJoin.Outer != n.AsofJoin.Outer:
			return outerText(o.AsofJoin.Outer, n.AsofJoin.Outer)
		case was != is:
			return fmt.Sprintf("it matched %s and now matches %s", was, is)
		}
		if why := tiesDiffer(o, n); why != "" {
			return why
		}
		for i := range o.AsofJoin.Sides {
			if (o.AsofJoin.Sides[i].Expiry == nil) && n.AsofJoin.Sides[i].Expiry != nil {
				continue // rows that are kept go in time
			}
			if o.AsofJoin.Sides[i].Expiry != nil && n.AsofJoin.Sides[i].Expiry == nil {
				return "rows that the watermark has passed were forgotten, and now count"
			}
		}
	case graph.TemporalJoinKind:
		if was, is := inputName(o, 0, o.TemporalJoin.LeftTime), inputName(n, 0, n.TemporalJoin.LeftTime); was != is {
			return fmt.Sprintf("it went by %s and now goes by %s", was, is)
		}
	case graph.LookupJoinKind:
	default:
		return ""
	}
	for i := range o.Tables {
		if i < len(n.Tables) {
			if why := keysDiffer(&o.Tables[i], &n.Tables[i], renamed); why != "" {
				return o.Tables[i].Name + ": " + why
			}
		}
	}
	return ""
}

// tiesDiffer says why of equally near rows of an ASOF join another one would be taken:
// where a row has no key its columns decide, in their order. A new one does not, since
// all rows that are there have a null in it.
func tiesDiffer(o, n *graph.Operator) string {
	if o.AsofJoin.Sides[1].Identity != graph.ByNumber {
		return ""
	}
	is := n.Tables[1].Columns
	for _, c := range o.Tables[1].Columns {
		at := slices.IndexFunc(is, func(x graph.Column) bool { return x.Name == c.Name })
		if at < 0 {
			return fmt.Sprintf("of rows that are equally near the columns of the right side decide, which were (%s) and are now (%s)", columnNames(o.Tables[1].Columns), columnNames(n.Tables[1].Columns))
		}
		is = is[at+1:]
	}
	return ""
}

func outerText(was, is bool) string {
	name := map[bool]string{false: "an inner", true: "a left"}
	return fmt.Sprintf("it was %s join and is now %s join", name[was], name[is])
}

// asofText is what an ASOF join compares, by the names of its state columns.
func asofText(o *graph.Operator) string {
	a := o.AsofJoin
	return inputName(o, 0, a.Times[0]) + " " + a.Match + " " + inputName(o, 1, a.Times[1])
}

// inputName is what the state of side i calls an input column.
func inputName(o *graph.Operator, side, column int) string {
	t := &o.Tables[side]
	keys := 0
	numbered := t.Unindexed
	switch {
	case o.AsofJoin != nil:
		keys = o.AsofJoin.Keys
	case o.TemporalJoin != nil:
		keys = o.TemporalJoin.Keys
	}
	if numbered && column >= keys {
		column++ // the number of the row
	}
	if column < len(t.Keys) {
		return t.Keys[column].Name
	}
	if column -= len(t.Keys); column < len(t.Columns) {
		return t.Columns[column].Name
	}
	return ""
}
