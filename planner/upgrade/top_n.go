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

// numbering is how a top-N numbers its rows, and which it gives out. One of rows that
// only come keeps those up to the last one, and takes back none beyond.
func numbering(o *graph.Operator) string {
	t := o.TopN
	if !t.Retractable {
		return fmt.Sprintf("%s from %d", t.Func, t.From)
	}
	s := fmt.Sprintf("%s %d-%d", t.Func, t.From, t.To)
	if t.WithTies {
		s += " with ties"
	}
	return s + " (" + orderText(o, t.Order) + ")"
}

// stateName is what the state calls an input column of a top-N or OVER.
func stateName(o *graph.Operator, column int) string {
	var keys []int
	switch {
	case o.TopN != nil:
		keys = slices.Concat(o.TopN.Keys, o.TopN.RowKey)
	case o.Over != nil:
		keys = slices.Concat(o.Over.Keys, o.Over.RowKey)
	}
	t, names := &o.Tables[0], map[int]string{}
	for _, c := range keys {
		if _, twice := names[c]; !twice {
			names[c] = t.Keys[len(names)].Name
		}
	}
	if name, ok := names[column]; ok {
		return name
	}
	at := 0
	for c := range column {
		if _, isKey := names[c]; !isKey {
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
