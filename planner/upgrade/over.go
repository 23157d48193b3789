package upgrade

import (
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
)

// topNRows names the rows of a top-N among what is computed.
const topNRows = "top-N"

// computed is what comes to an operator that is computed anew whenever a row changes,
// from all rows of a partition: the results of window functions that it tells rows apart
// by, and the rows of a top-N; by name, with what each is computed of. What was taken in
// as it was before an edit is taken back as it is after.
func computed(g *graph.Graph, o *graph.Operator) map[string][]string {
	out := map[string][]string{}
	if o.Sink != nil { // it is told by what its rows are written as
		return nil
	}
	for port, in := range o.Inputs {
		columns, keyed := tellApart(g, o, port)
		from := map[string][]string{}
		collectComputed(g, &g.Operators[in.Operator], columns, from)
		if keyed { // what stays of a top-N is told with that, and there is no other row of the key
			delete(from, topNRows)
		}
		for name, list := range from {
			out[name] = append(out[name], list...)
		}
	}
	for _, list := range out {
		slices.Sort(list)
	}
	return out
}

// collectComputed adds what is computed anew of those columns of an operator.
func collectComputed(g *graph.Graph, o *graph.Operator, columns []int, out map[string][]string) {
	add := func(name, of string) {
		if !slices.Contains(out[name], of) {
			out[name] = append(out[name], of)
		}
	}
	switch {
	case o.Mode == graph.AppendOnly:
	case o.Over != nil:
		for i, c := range results(o) {
			if slices.Contains(columns, len(o.Fields)-len(o.Over.Calls)+i) {
				add(c.name, c.of)
			}
		}
	case o.TopN != nil:
		add(topNRows, numbering(o))
	case o.Join != nil:
		collectOuter(g, o, columns, out)
	case o.Source != nil || len(o.Tables) > 0:
	case o.Kind == graph.UnionKind:
		for _, in := range o.Inputs {
			collectComputed(g, &g.Operators[in.Operator], columns, out)
		}
	default:
		for _, in := range o.Inputs {
			from := &g.Operators[in.Operator]
			collectComputed(g, from, readBy(o, columns, len(from.Fields)), out)
		}
	}
}

// collectOuter is collectComputed of the rows that pass a join by themselves and are not
// kept, as their keys are null.
func collectOuter(g *graph.Graph, o *graph.Operator, columns []int, out map[string][]string) {
	left := len(g.Operators[o.Inputs[0].Operator].Fields)
	var of [2][]int
	for _, c := range columns {
		if o.Join.Output != nil {
			c = o.Join.Output[c]
		}
		if c < left {
			of[0] = append(of[0], c)
		} else {
			of[1] = append(of[1], c-left)
		}
	}
	for port, in := range o.Inputs {
		if o.Join.Outer(port) && len(o.Join.LeftKeys) > 0 {
			from := map[string][]string{}
			collectComputed(g, &g.Operators[in.Operator], of[port], from)
			delete(from, topNRows)
			for name, list := range from {
				name += " where the key of the join is null"
				out[name] = append(out[name], list...)
			}
		}
	}
}

// readBy lists the columns of a stateless operator's input that it makes columns of its
// own from. What filters test is part of their text.
func readBy(o *graph.Operator, columns []int, width int) (out []int) {
	switch {
	case o.Project != nil:
		for _, c := range columns {
			out = append(out, scalar.Columns(o.Project.Exprs[c])...)
		}
		return out
	case o.Filter != nil, o.Consolidate != nil:
		return columns
	}
	return all(width)
}

// carried is what comes to input port of a join that is computed anew.
func carried(g *graph.Graph, o *graph.Operator, port int) map[string][]string {
	out := map[string][]string{}
	from := &g.Operators[o.Inputs[port].Operator]
	collectComputed(g, from, all(len(from.Fields)), out)
	delete(out, topNRows)
	return out
}

// stale has a join whose rows have keys, and come as others than before, take back what
// it took in.
func (c *comparison) stale(o, n *graph.Operator) {
	if o.Join == nil || n.Join == nil || o.Join.Sides == nil || n.Join.Sides == nil {
		return
	}
	for i := range n.Join.Sides {
		if s := &n.Join.Sides[i]; s.Identity == graph.ByKey {
			s.Stale = o.Join.Sides[i].Stale || otherwise(c.old.carried[o.ID][i], c.new.carried[n.ID][i]) != ""
		}
	}
}

// tellApart lists the columns of an input by which an operator finds what it has of a
// row that is taken back; keyed, it takes the rest from that.
func tellApart(g *graph.Graph, o *graph.Operator, port int) (columns []int, keyed bool) {
	in := &g.Operators[o.Inputs[port].Operator]
	switch {
	case o.Materialize != nil && o.Materialize.Key != nil:
		return o.Materialize.Key, true
	case o.TopN != nil && o.TopN.Retractable:
		return append(slices.Clone(o.TopN.Keys), o.TopN.RowKey...), !o.TopN.Copies
	case o.Over != nil:
		return append(slices.Clone(o.Over.Keys), o.Over.RowKey...), !o.Over.Copies
	case o.Join != nil && o.Join.Sides != nil && o.Join.Sides[port].Identity == graph.ByKey:
		columns = slices.Clone(in.UpsertKey)
		for _, k := range [][]*scalar.Expr{o.Join.LeftKeys, o.Join.RightKeys}[port] {
			columns = append(columns, scalar.Columns(k)...)
		}
		return columns, true
	case aggregateOf(o) != nil:
		return aggregated(aggregateOf(o)), false
	}
	return all(len(in.Fields)), o.Materialize != nil
}

// aggregated lists the input columns that an aggregate reads.
func aggregated(a *graph.Aggregate) []int {
	out := slices.Clone(a.Keys)
	for _, acc := range a.Accumulators {
		out = append(append(out, acc.Arg, acc.Filter), acc.With...)
	}
	for _, d := range a.Distincts {
		out = append(append(out, d.Arg), d.Filters...)
	}
	for _, l := range a.Lists {
		out = append(append(out, l.Args...), l.Filters...)
	}
	return slices.DeleteFunc(out, func(c int) bool { return c < 0 })
}

func all(width int) (out []int) {
	for c := range width {
		out = append(out, c)
	}
	return out
}

// result is a window function's, and what it is computed of.
type result struct{ name, of string }

// results are those of an operator's window functions.
func results(o *graph.Operator) (out []result) {
	order := orderText(o, o.Over.Order)
	if order != "" {
		order = "order by " + order
	}
	fields := o.Fields[len(o.Fields)-len(o.Over.Calls):]
	for i, c := range o.Over.Calls {
		out = append(out, result{fields[i].Name, "over (" + strings.TrimSpace(order+" "+c.Frame.Text()) + ")"})
	}
	return out
}

// otherwise lists what has the same name on both sides and is computed otherwise.
func otherwise(was, is map[string][]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if was[name] != nil && !slices.Equal(was[name], is[name]) {
			out = append(out, name+" was "+strings.Join(was[name], ", ")+" and is now "+strings.Join(is[name], ", "))
		}
	}
	return strings.Join(out, ", ")
}

// recomputed says which results of window functions came to an operator's state as others
// than they are now taken back as, "" for none.
func (c *comparison) recomputed(o, n *graph.Operator) string {
	text := otherwise(c.old.computed[o.ID], c.new.computed[n.ID])
	if text == "" || aggregateOf(n) != nil {
		return text
	}
	return "rows that came before may stay when they change or go: " + text + "; " + c.anew(o)
}

// retold says which results of window functions the rows that came out before do not
// have, "" for none.
func retold(o, n *graph.Operator) string {
	if o.Over == nil || n.Over == nil || n.Mode == graph.AppendOnly {
		return ""
	}
	was := map[string][]string{}
	for _, r := range results(o) {
		was[r.name] = append(was[r.name], r.of)
	}
	var out []string
	for _, r := range results(n) {
		switch before := was[r.name]; {
		case before == nil:
			out = append(out, r.name+" "+r.of+" is new")
		case !slices.Contains(before, r.of):
			out = append(out, r.name+" was "+strings.Join(before, ", ")+" and is now "+r.of)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "rows that came out before stay as they are until their own results change: " + strings.Join(out, ", ")
}

// unfilled says which window functions go by columns that the rows which are there have
// nothing in, and lists what else starts empty.
func unfilled(n *graph.Operator, added []string) (why string, others []string) {
	if n.Over == nil || len(n.Tables) == 0 {
		return "", added
	}
	first, told := len(n.Fields)-len(n.Over.Calls), map[string][]string{}
	for i, call := range n.Over.Calls {
		read := aggregated(&graph.Aggregate{Accumulators: call.Accumulators})
		if call.List != nil && call.List.Filter >= 0 {
			read = append(read, call.List.Filter)
		}
		for _, c := range append(read, call.Args...) {
			if name := stateName(n, c); !slices.Contains(told[name], n.Fields[first+i].Name) {
				told[name] = append(told[name], n.Fields[first+i].Name)
			}
		}
	}
	var out []string
	for _, name := range added {
		column, _, _ := strings.Cut(name, " (")
		if told[column] == nil {
			others = append(others, name)
			continue
		}
		out = append(out, strings.Join(told[column], " and ")+" finds null for "+name)
	}
	if out != nil {
		why = "in rows that came before, until they change, " + strings.Join(out, ", ")
	}
	return why, others
}
