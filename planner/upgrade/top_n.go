package upgrade

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
)

// unfitTopN says why a top-N cannot take over the rows of another, "" when it can.
// Over a changelog all rows are kept, and any order and number will do. Else they
// are those that came first in the old order.
func unfitTopN(o, n *graph.Operator) string {
	was, is := o.TopN, n.TopN
	switch {
	case was == nil || is == nil || was.Retractable && is.Retractable:
		return ""
	case was.Retractable != is.Retractable:
		return "its input was append-only, and is no longer, or the other way round"
	case was.Arrival != is.Arrival || orderText(o, was.Order) != orderText(n, is.Order):
		return fmt.Sprintf("its order was (%s) and is now (%s)", orderText(o, was.Order), orderText(n, is.Order))
	}
	return ""
}

// missingRows says which rows an otherwise fitting top-N or OVER would have kept and the
// old one did not, "" for none.
func missingRows(o, n *graph.Operator) string {
	if o.Over != nil && n.Over != nil && o.Over.Progress != nil && n.Over.Progress != nil &&
		(o.Over.Progress.Rows < n.Over.Progress.Rows || o.Over.Progress.Micros < n.Over.Progress.Micros) {
		return "rows further back than the old frames"
	}
	was, is := o.TopN, n.TopN
	if was == nil || is == nil || was.Func == is.Func && was.To >= is.To && (was.WithTies || !is.WithTies) {
		return ""
	}
	return fmt.Sprintf("rows beyond %s %d", was.Func, was.To)
}

// reranked says that rows which a top-N has given out may be none of its any more, ""
// where all of them are.
func reranked(o, n *graph.Operator) string {
	was, is := o.TopN, n.TopN
	if was == nil || is == nil || was.Func == is.Func && was.From >= is.From && was.To <= is.To && (is.WithTies || !was.WithTies) &&
		was.Arrival == is.Arrival && orderText(o, was.Order) == orderText(n, is.Order) {
		return ""
	}
	return fmt.Sprintf("rows that came out before stay, whether or not their %s is %d-%d", is.Func, is.From, is.To)
}

// stateName is what the state calls an input column of an append-only top-N.
func stateName(o *graph.Operator, column int) string {
	keys, t := o.TopN.Keys, &o.Tables[0]
	if i := slices.Index(keys, column); i >= 0 {
		return t.Keys[i].Name
	}
	at := 0
	for c := range column {
		if !slices.Contains(keys, c) {
			at++
		}
	}
	if at < len(t.Columns) {
		return t.Columns[at].Name
	}
	return "arrival" // the order is not kept
}

// orderText names an order by the columns of the operator's state.
func orderText(o *graph.Operator, order []graph.SortKey) string {
	var out []string
	for _, k := range order {
		s := stateName(o, k.Column)
		if k.Desc {
			s += " desc"
		}
		if k.NullsFirst != k.Desc {
			s += map[bool]string{true: " nulls first", false: " nulls last"}[k.NullsFirst]
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}
