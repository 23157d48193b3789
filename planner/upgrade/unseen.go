package upgrade

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
)

// begunLate tells what is wrong with what was added to an aggregate over rows that
// change, or with what it took in that is computed otherwise now, "" if rows only come: it
// is asked to take away rows that it has not seen. It also has the aggregate n leave those
// alone.
func (c *comparison) begunLate(o, n *graph.Operator, added bool) string {
	was, is := aggregateOf(o), aggregateOf(n)
	if was == nil || is == nil || !is.Retractable {
		return ""
	}
	is.Unseen = was.Unseen || added
	if !added {
		return ""
	}
	until := "wrong in groups that are there, until they have lost all their rows"
	if is.Global {
		until = "wrong"
	}
	return "over rows that change it is " + until + "; " + c.anew(o)
}

// anew tells how an operator is begun anew, with those that its rows come from.
func (c *comparison) anew(o *graph.Operator) string {
	var discard []string
	for _, id := range c.above(o.ID) {
		discard = append(discard, literal(id)+" => DISCARD")
	}
	return "MAP (" + strings.Join(discard, ", ") + ") begins it anew"
}

// above is an operator of the old graph and those that its rows come from.
func (c *comparison) above(id string) []string {
	list := []string{id}
	for i := 0; i < len(list); i++ {
		for _, in := range c.old.inputs[list[i]] {
			if !slices.Contains(list, in) {
				list = append(list, in)
			}
		}
	}
	return list
}
