package lower

import (
	"slices"
	"sort"
	"strings"

	"github.com/millrace/millrace/planner/graph"
)

// giveRoles appends to each id of the group what the operator serves: the sinks
// it feeds; for sinks, the relation it is fed from. Where that is the same, the
// side that it is on of what brings them together tells them apart, or the
// conditions on its rows.
func giveRoles(ops []*operator, group []int) error {
	for _, i := range group {
		o := ops[i]
		if o.pinned {
			return duplicateID(o)
		}
		o.Role = o.called
		if o.Kind != graph.SinkKind {
			o.Role = strings.Join(feeds(ops, i), "+")
		}
	}
	// A SELECT may have several subqueries over the same relation, which cannot
	// all be pinned: what is frozen of their joins begins with the condition.
	refine := []func([]*operator, int) string{ownSide, sideOf, where, readBy}
	if ops[group[0]].Kind == graph.JoinKind {
		refine = []func([]*operator, int) string{where, ownSide, sideOf, readBy}
	}
	for _, more := range refine {
		same := map[string]int{}
		for _, i := range group {
			same[ops[i].Role]++
		}
		added := map[int]string{}
		for _, i := range group {
			if same[ops[i].Role] > 1 {
				added[i] = more(ops, i)
			}
		}
		for i, role := range added {
			ops[i].Role += role
		}
	}
	taken := map[string]bool{}
	for _, i := range group {
		o := ops[i]
		if taken[o.Role] {
			return duplicateID(o)
		}
		taken[o.Role] = true
		o.ID = o.base + "." + o.Role
	}
	return nil
}

// ownSide is which input operator i is, by way of operators of one input and unions,
// of the first one above that has a left and a right one.
func ownSide(ops []*operator, i int) string {
	_, s := sideAbove(ops, i)
	return s
}

// sideOf names the operator that ownSide is about.
func sideOf(ops []*operator, i int) string {
	if at, s := sideAbove(ops, i); s != "" {
		return " of " + at.base
	}
	return ""
}

func sideAbove(ops []*operator, i int) (*operator, string) {
	for k := i + 1; k < len(ops); k++ {
		n := slices.IndexFunc(ops[k].Inputs, func(in graph.Input) bool { return in.Operator == i })
		switch {
		case n < 0:
		case read(ops, i) > 1: // by several, so that no side is its own
			return nil, ""
		case ops[k].Join != nil || ops[k].SetOp != nil:
			return ops[k], [2]string{".left", ".right"}[n]
		default:
			i = k
		}
	}
	return nil, ""
}

// read is how many inputs an operator is.
func read(ops []*operator, i int) (n int) {
	for _, o := range ops {
		for _, in := range o.Inputs {
			if in.Operator == i {
				n++
			}
		}
	}
	return n
}

// where is a role by conditions.
func where(ops []*operator, i int) string {
	if c := conditions(ops, i); c != "" {
		return " where " + c
	}
	return ""
}

// readBy names the next operator with state above, if one alone reads operator i: one
// of several grouping sets, say.
func readBy(ops []*operator, i int) string {
	for read(ops, i) == 1 {
		i = slices.IndexFunc(ops, func(o *operator) bool {
			return slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return in.Operator == i })
		})
		if keepsState(ops[i].Kind) {
			return " for " + ops[i].base
		}
	}
	return ""
}

// conditions are the filters right below operator i, and the condition of its own.
func conditions(ops []*operator, i int) string {
	var out []string
	if j := ops[i].Join; j != nil && j.Residual != nil {
		out = append(out, j.Residual.Text)
	}
	for _, in := range ops[i].Inputs {
		o := ops[in.Operator]
		for o.Kind == graph.FilterKind || o.Kind == graph.ProjectKind || o.Kind == graph.ContendersKind || o.Kind == graph.ChallengersKind {
			if o.Filter != nil {
				out = append(out, o.Filter.Predicate.Text)
			}
			o = ops[o.Inputs[0].Operator]
		}
	}
	return strings.Join(out, " and ")
}

// feeds lists the relations that rows of operator i end up in.
func feeds(ops []*operator, i int) []string {
	reached := map[int]bool{i: true}
	var out []string
	for k := i + 1; k < len(ops); k++ {
		for _, in := range ops[k].Inputs {
			if !reached[in.Operator] || reached[k] {
				continue
			}
			reached[k] = true
			switch {
			case ops[k].Sink != nil:
				out = append(out, shortRelation(ops[k].Sink.Relation))
			case ops[k].Materialize != nil:
				out = append(out, shortRelation(ops[k].Materialize.Relation))
			}
		}
	}
	sort.Strings(out)
	return slices.Compact(out)
}

func shortRelation(name string) string { return strings.TrimPrefix(name, "public.") }
