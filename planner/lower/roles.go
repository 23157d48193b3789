package lower

import (
	"slices"
	"sort"
	"strconv"
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
	short := map[int]string{}
	for _, i := range group {
		short[i] = ops[i].Role
	}
	for _, more := range refine {
		for _, i := range alike(ops, group) {
			ops[i].Role += more(ops, i)
		}
	}
	// A view that is read in several places cannot be pinned in each.
	for _, i := range alike(ops, group) {
		ops[i].Role = short[i] + way(ops, i)
	}
	// All of them end up together: what they are made of is left.
	for _, i := range alike(ops, group) {
		ops[i].Role = short[i] + order(ops[i]) + over(ops, i)
	}
	for _, i := range alike(ops, group) {
		ops[i].Role += way(ops, i)
	}
	numberTwins(ops, group)
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

// alike are those of the group whose role another one has too.
func alike(ops []*operator, group []int) (out []int) {
	n := map[string]int{}
	for _, i := range group {
		n[ops[i].Role]++
	}
	for _, i := range group {
		if n[ops[i].Role] > 1 {
			out = append(out, i)
		}
	}
	return out
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

// way lists the operators with state that the rows of operator i come to, and to which
// side of them, on all ways to where they end up.
func way(ops []*operator, i int) string {
	memo := map[int][]string{}
	var from func(i int) []string
	from = func(i int) []string {
		if list, ok := memo[i]; ok {
			return list
		}
		var out []string
		for k := i + 1; k < len(ops); k++ {
			for n, in := range ops[k].Inputs {
				if in.Operator != i {
					continue
				}
				step := ""
				switch o := ops[k]; {
				case len(o.Inputs) == 2 && o.Kind != graph.UnionKind:
					step = [2]string{" left of ", " right of "}[n] + o.base
				case len(o.Inputs) == 1 && keepsState(o.Kind):
					step = " for " + o.base
				}
				rest := from(k)
				if len(rest) == 0 {
					rest = []string{""}
				}
				for _, r := range rest {
					out = append(out, step+r)
				}
			}
		}
		sort.Strings(out)
		out = slices.Compact(out)
		memo[i] = out[:min(len(out), waysMax)]
		return memo[i]
	}
	list := from(i)
	if len(list) == 1 && list[0] == "" {
		return ""
	}
	return strings.Join(list, " and")
}

// order is which of the ordered rows a top-N keeps.
func order(o *operator) string {
	n := o.TopN
	if n == nil {
		return ""
	}
	var out strings.Builder
	for k, key := range n.Order {
		out.WriteString([2]string{" order by ", ", "}[min(k, 1)] + o.origins[key.Column])
		if key.Desc {
			out.WriteString(" desc")
		}
		if key.NullsFirst != key.Desc {
			out.WriteString(map[bool]string{true: " nulls first", false: " nulls last"}[key.NullsFirst])
		}
	}
	return out.String() + ", " + n.Func + " " + strconv.FormatInt(n.From, 10) + "-" + strconv.FormatInt(n.To, 10)
}

// over names the operators with state that the rows of operator i come from, with the
// conditions on their rows.
func over(ops []*operator, i int) string {
	var out []string
	var below func(i int)
	below = func(i int) {
		for _, in := range ops[i].Inputs {
			if o := ops[in.Operator]; o.Kind != graph.SourceKind && keepsState(o.Kind) {
				out = append(out, o.base+where(ops, in.Operator))
			} else {
				below(in.Operator)
			}
		}
	}
	below(i)
	if out = slices.Compact(out); len(out) == 0 || len(out) > waysMax {
		return ""
	}
	return " over " + strings.Join(out, ", ")
}

// waysMax bounds how many ways an id lists.
const waysMax = 4

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
