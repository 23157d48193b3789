package upgrade

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
)

// filters are the conditions that rows which may change have to meet on their way from
// the operators with state above o to it, and pairs of them to come out of o if it is a
// join. What rows that only come have met is past, unless they are kept to meet others; a
// row that changes is taken back by the filters of the day.
func filters(g *graph.Graph, o *graph.Operator) []string {
	return filtersAbove(g, o, false)
}

// meets reports whether an operator keeps the rows of its input i to meet others.
func meets(o *graph.Operator, i int) bool {
	return o.Join != nil || o.AsofJoin != nil || o.SetOp != nil || o.LookupJoin != nil && i == 1
}

// filtersAbove is filters; kept says that rows are, to meet others.
func filtersAbove(g *graph.Graph, o *graph.Operator, kept bool) (texts []string) {
	if o.Join != nil && o.Join.Residual != nil && o.Mode != graph.AppendOnly {
		for _, x := range scalar.Conjuncts(o.Join.Residual) {
			texts = append(texts, x.Text)
		}
	}
	for i, in := range o.Inputs {
		from, kept := &g.Operators[in.Operator], kept || meets(o, i)
		if from.Mode == graph.AppendOnly && !kept || from.Source != nil || len(from.Tables) > 0 {
			continue
		}
		if from.Filter != nil {
			for _, x := range scalar.Conjuncts(from.Filter.Predicate) {
				texts = append(texts, x.Text)
			}
		}
		texts = append(texts, filtersAbove(g, from, kept)...)
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

// unionColumns tells of the UNION ALLs between the operators with state above o and it
// what each column is in each branch: by what the branch reads and the column's name.
func unionColumns(g *graph.Graph, o *graph.Operator) map[string]string {
	out := map[string]string{}
	for _, in := range o.Inputs {
		from := &g.Operators[in.Operator]
		if from.Source != nil || len(from.Tables) > 0 {
			continue
		}
		maps.Copy(out, unionColumns(g, from))
		if from.Kind != graph.UnionKind {
			continue
		}
		for _, branch := range from.Inputs {
			b := &g.Operators[branch.Operator]
			for i, f := range from.Fields {
				text := b.Fields[i].Name
				if b.Project != nil {
					text = b.Project.Exprs[i].Text
				}
				key := f.Name + " of " + strings.ReplaceAll(strings.Join(reads(g, branch.Operator), ", "), "public.", "")
				if out[key] != "" && out[key] != text { // of several branches alike
					text = ""
				}
				out[key] = text
			}
		}
	}
	return out
}

// redefined says which columns of a UNION ALL are others than they were in the rows that
// o's state is of, "" for none.
func (c *comparison) redefined(o, n *graph.Operator) string {
	was, is := c.old.unions[o.ID], c.new.unions[n.ID]
	var out []string
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if was[key] != "" && is[key] != "" && was[key] != is[key] {
			out = append(out, fmt.Sprintf("%s was %s and is now %s", key, was[key], is[key]))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "rows that came before stay as they were: " + strings.Join(out, ", ")
}
