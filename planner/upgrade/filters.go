package upgrade

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
)

// filters are the conditions that rows which may change have to meet on their way from
// the operators with state above o to it. What rows that only come have met is past; a
// row that changes is taken back by the filters of the day.
func filters(g *graph.Graph, o *graph.Operator) (texts []string) {
	for _, in := range o.Inputs {
		from := &g.Operators[in.Operator]
		if from.Mode == graph.AppendOnly || from.Source != nil || len(from.Tables) > 0 {
			continue
		}
		if from.Filter != nil {
			for _, x := range scalar.Conjuncts(from.Filter.Predicate) {
				texts = append(texts, x.Text)
			}
		}
		texts = append(texts, filters(g, from)...)
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// refiltered compares the filters above an operator whose state goes on: missing are rows
// that the new query would have let pass, and kept others that it would not have.
func (c *comparison) refiltered(o, n *graph.Operator) (missing, kept string) {
	was, is := c.old.filters[o.ID], c.new.filters[n.ID]
	without := func(list, of []string) string {
		list = slices.DeleteFunc(slices.Clone(list), func(text string) bool { return slices.Contains(of, text) })
		return strings.Join(list, " and ")
	}
	if gone := without(was, is); gone != "" {
		missing = "rows that " + gone + " left out"
	}
	if added := without(is, was); added != "" {
		kept = "rows that came before stay, whether or not " + added
	}
	return missing, kept
}
