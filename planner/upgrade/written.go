package upgrade

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
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
	switch {
	case o.Project != nil:
		if x := o.Project.Exprs[i]; x.Op != scalar.OpColumn {
			return x.Text
		}
		return made(g, &g.Operators[o.Inputs[0].Operator], o.Project.Exprs[i].Column)
	case o.Filter != nil, o.Kind == graph.ConsolidateKind:
		return made(g, &g.Operators[o.Inputs[0].Operator], i)
	case o.Source != nil:
		return o.Fields[i].Name
	case o.Over != nil && len(o.Tables) > 0:
		if first := len(o.Fields) - len(o.Over.Calls); i >= first {
			r := results(o)[i-first]
			return r.name + " " + r.of
		}
		return made(g, &g.Operators[o.Inputs[0].Operator], i)
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
	return o.Fields[i].Name
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
		if before != now && before != "" && now != "" {
			out = append(out, fmt.Sprintf("%s was %s and is now %s", name, before, now))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "rows that were written before stay when they change or go: " + strings.Join(out, ", ")
}
