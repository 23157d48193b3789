package upgrade

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// written are the expressions, by column, that tell which row of a sink a change is of:
// those of its key, or without a key all of them. A sink to which rows only come needs
// none.
func written(g *graph.Graph, o *graph.Operator) map[string]string {
	if o.Sink == nil || o.Mode == graph.AppendOnly {
		return nil
	}
	out := map[string]string{}
	for i, to := range o.Sink.Columns {
		if o.Sink.PrimaryKey == nil || slices.Contains(o.Sink.PrimaryKey, to) {
			out[o.Sink.Schema[to].Name] = made(g, &g.Operators[o.Inputs[0].Operator], i)
		}
	}
	return out
}

// made is the expression that column i of an operator is made by, as it is written, ""
// if it has none.
func made(g *graph.Graph, o *graph.Operator, i int) string {
	if out := joinOutput(o); out != nil {
		return madeBySide(g, o, out[i])
	}
	switch {
	case o.Project != nil:
		return madeBy(g, &g.Operators[o.Inputs[0].Operator], o.Project.Exprs[i])
	case passes(g, o, i):
		return made(g, &g.Operators[o.Inputs[0].Operator], i)
	case o.Kind == graph.UnionKind:
		text := made(g, &g.Operators[o.Inputs[0].Operator], i)
		for _, in := range o.Inputs[1:] {
			if made(g, &g.Operators[in.Operator], i) != text {
				return ""
			}
		}
		return text
	case o.TopN != nil:
		return o.TopN.Func + "()"
	case o.Window != nil:
		return o.Fields[i].Name // window_start, window_end, window_time
	case o.Expand != nil:
		return fmt.Sprintf("column %d of %s", i-len(g.Operators[o.Inputs[0].Operator].Fields)+1, o.Expand.Function.Call())
	case o.Source != nil:
		return o.Fields[i].Name
	case o.Over != nil && len(o.Tables) > 0:
		if first := len(o.Fields) - len(o.Over.Calls); i >= first {
			r := results(o)[i-first]
			return r.name + " " + r.of
		}
	}
	a := aggregateOf(o)
	if a == nil {
		return ""
	}
	if first := len(o.Fields) - len(a.Outputs); i >= first {
		out := a.Outputs[i-first]
		name, _, _ := strings.Cut(a.Accumulators[out.Accumulators[0]].Name, sinceWord)
		if out.Func != "value" {
			_, of, _ := strings.Cut(name, "(")
			name = out.Func + "(" + of
		}
		return name
	}
	if o.Aggregate != nil {
		if key := made(g, &g.Operators[o.Inputs[0].Operator], o.Aggregate.Keys[i]); key != "" {
			return key
		}
	}
	return o.Fields[i].Name
}

// madeBy is made of an expression over the columns of an operator.
func madeBy(g *graph.Graph, in *graph.Operator, x *scalar.Expr) string {
	if x.Op == scalar.OpCast && x.Text == x.Args[0].Text { // for the sink's type
		x = x.Args[0]
	}
	switch {
	case x.Op == scalar.OpColumn:
		return made(g, in, x.Column)
	case x.Op == scalar.OpConst && x.Text == "": // of a grouping set
		return "a constant"
	}
	var sides []string
	for _, c := range scalar.Columns(x) {
		if _, side, joined := strings.Cut(made(g, in, c), sideWord); joined && !slices.Contains(sides, side) {
			sides = append(sides, side)
		}
	}
	if len(sides) == 0 {
		return x.Text
	}
	return x.Text + sideWord + strings.Join(sides, " and ")
}

// passes reports whether column i of an operator is column i of its input.
func passes(g *graph.Graph, o *graph.Operator, i int) bool {
	switch {
	case o.Filter != nil, o.Contenders != nil, o.Challengers != nil, o.Kind == graph.ConsolidateKind, o.Kind == graph.UpsertKind:
		return true
	case o.TopN != nil, o.Window != nil, o.Expand != nil, o.Over != nil && len(o.Tables) > 0:
		return i < len(g.Operators[o.Inputs[0].Operator].Fields)
	}
	return false
}

// joinOutput are the columns of both inputs, left ones first, that a join puts out, nil of
// other operators.
func joinOutput(o *graph.Operator) []int {
	switch {
	case o.Join != nil:
		return o.Join.Output
	case o.AsofJoin != nil:
		return o.AsofJoin.Output
	case o.TemporalJoin != nil:
		return o.TemporalJoin.Output
	case o.LookupJoin != nil:
		return o.LookupJoin.Output
	}
	return nil
}

// madeBySide is made of a column of a join's inputs, with the side that it is of: the left
// one, if an inner join has the two equal.
func madeBySide(g *graph.Graph, o *graph.Operator, c int) string {
	left := len(g.Operators[o.Inputs[0].Operator].Fields)
	if j := o.Join; j != nil && j.Kind == logical.InnerJoin {
		is := func(x *scalar.Expr) bool { return x.Op == scalar.OpColumn && x.Column == c-left }
		if k := slices.IndexFunc(j.RightKeys, is); k >= 0 && j.LeftKeys[k].Op == scalar.OpColumn {
			c = j.LeftKeys[k].Column
		}
	}
	side := 0
	if c >= left {
		side, c = 1, c-left
	}
	text := made(g, &g.Operators[o.Inputs[side].Operator], c)
	if text == "" || strings.Contains(text, sideWord) {
		return text
	}
	return text + sideWord + sideName(g, o, side)
}

// sideWord stands in what a column is made by before the side of a join that has it. It is
// shown as "of".
const sideWord = "\x00"

// madeAlike reports whether two columns are made alike: that one is of a side of a join, and
// the other of no join, makes no difference.
func madeAlike(x, y string) bool {
	a, of, joined := strings.Cut(x, sideWord)
	b, by, both := strings.Cut(y, sideWord)
	return a == b && (of == by || !joined || !both)
}

// sideName is what a side of a join reads, unless the other one reads the same.
func sideName(g *graph.Graph, o *graph.Operator, side int) string {
	read := reads(g, o.Inputs[side].Operator)
	if slices.Equal(read, reads(g, o.Inputs[1-side].Operator)) {
		return [2]string{"the left side", "the right side"}[side]
	}
	return strings.ReplaceAll(strings.Join(read, ", "), "public.", "")
}

// rewritten says which columns of a sink were written otherwise, so that rows which were
// written before cannot be taken back, "" for none.
func (c *comparison) rewritten(o, n *graph.Operator) string {
	was, is := c.old.written[o.ID], c.new.written[n.ID]
	if was == nil || is == nil {
		return ""
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(was)), maps.Keys(is))
	slices.Sort(names)
	var out []string
	for _, name := range slices.Compact(names) {
		before, there := was[name]
		if !there {
			before = "null"
		}
		now, there := is[name]
		if !there {
			now = "null"
		}
		if before != "" && now != "" && !madeAlike(before, now) {
			out = append(out, strings.ReplaceAll(fmt.Sprintf("%s was %s and is now %s", name, before, now), sideWord, " of "))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "rows that were written before stay when they change or go: " + strings.Join(out, ", ")
}
