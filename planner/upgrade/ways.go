package upgrade

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
)

// ways are how rows that may change, or are kept to meet others, come to operator o, by what
// they come from, a source or an operator with state: once for each branch of a UNION ALL, and for each row of the
// functions that repeat them.
func ways(g *graph.Graph, o *graph.Operator) map[string][]string {
	out := map[string][]string{}
	var follow func(o *graph.Operator, kept bool, calls string)
	follow = func(o *graph.Operator, kept bool, calls string) {
		for i, in := range o.Inputs {
			from, kept := &g.Operators[in.Operator], kept || meets(o, i)
			switch {
			case from.Mode == graph.AppendOnly && !kept:
			case from.Source != nil || len(from.Tables) > 0:
				out[from.ID] = append(out[from.ID], calls)
			case from.Expand != nil:
				follow(from, kept, calls+" for each row of "+from.Expand.Function.Call())
			default:
				follow(from, kept, calls)
			}
		}
	}
	follow(o, false, "")
	for _, list := range out {
		slices.Sort(list)
	}
	return out
}

// repeated says which rows come more or less often to an operator that goes on than they
// came before, so that they are taken back otherwise than they came, "" for none.
func (c *comparison) repeated(o, n *graph.Operator) string {
	was, is := c.old.ways[o.ID], c.new.ways[n.ID]
	var out []string
	for _, id := range slices.Sorted(maps.Keys(is)) {
		before := was[c.from[id]]
		if before != nil && !slices.Equal(before, is[id]) {
			out = append(out, fmt.Sprintf("those of %s came %s and come now %s", id, often(before), often(is[id])))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "rows that came before did not come as they do now: " + strings.Join(out, ", ")
}

// often puts ways into words.
func often(ways []string) string {
	var out []string
	for i := 0; i < len(ways); {
		n := 1
		for i+n < len(ways) && ways[i+n] == ways[i] {
			n++
		}
		times := fmt.Sprintf("%d times", n)
		if n < 3 {
			times = [...]string{1: "once", 2: "twice"}[n]
		}
		out = append(out, times+ways[i])
		i += n
	}
	return strings.Join(out, " and ")
}
