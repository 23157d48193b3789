package upgrade

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
)

// adapt gives the outputs of n that would mix accumulators with a past and ones
// without their own copies of the former, so that an aggregate that was added
// counts only what it saw: max(x) beside a kept sum(x) must not go by the sum's
// count of values. thinned says that rows were left out of o's input that come to n:
// what was added then counts those from now on. Where o already had such copies, n
// gets them too. n is changed in place.
func adapt(o, n *graph.Operator, thinned bool) {
	was, is := aggregateOf(o), aggregateOf(n)
	if was == nil || is == nil || len(o.Tables) == 0 || len(n.Tables) == 0 {
		return
	}
	for i := range is.Outputs {
		out := &is.Outputs[i]
		primary := is.Accumulators[out.Accumulators[0]].Name
		before := outputOf(was, out.Func, primary)
		since := before == nil && (thinned || mixed(&o.Tables[0], &n.Tables[0], out))
		for k, a := range out.Accumulators {
			name := is.Accumulators[a].Name
			switch {
			case before != nil && len(before.Accumulators) == len(out.Accumulators):
				name = was.Accumulators[before.Accumulators[k]].Name
			case since && column(&o.Tables[0], &n.Tables[0], a) >= 0:
				name += sinceWord + primary
			}
			out.Accumulators[k] = copied(n, is, a, name)
		}
		for k, a := range out.Specials { // of the values that the accumulators have seen
			name := is.Accumulators[a].Name
			switch {
			case before != nil && len(before.Specials) == len(out.Specials):
				name = was.Accumulators[before.Specials[k]].Name
			case since:
				name += sinceWord + primary
			}
			out.Specials[k] = copied(n, is, a, name)
		}
	}
}

func aggregateOf(o *graph.Operator) *graph.Aggregate {
	if o.WindowAggregate != nil {
		return &o.WindowAggregate.Aggregate
	}
	return o.Aggregate
}

// sinceWord stands in names of copies before what they were made for.
const sinceWord = " since "

// outputOf is the output of function fn over accumulator primary, or its own copy of
// that, nil when there is no such output.
func outputOf(a *graph.Aggregate, fn, primary string) *graph.Output {
	for i := range a.Outputs {
		out := &a.Outputs[i]
		if name := a.Accumulators[out.Accumulators[0]].Name; out.Func == fn && (name == primary || name == primary+sinceWord+primary) {
			return out
		}
	}
	return nil
}

// mixed reports whether out reads both columns that o has and ones it has not.
func mixed(o, n *graph.Table, out *graph.Output) bool {
	old := 0
	for _, a := range out.Accumulators {
		if column(o, n, a) >= 0 {
			old++
		}
	}
	return old > 0 && old < len(out.Accumulators)
}

// column is the column of o that column i of n continues, -1 for none.
func column(o, n *graph.Table, i int) int {
	c := n.Columns[i]
	return slices.IndexFunc(o.Columns, func(x graph.Column) bool { return x.Name == c.Name && x.Type.Equal(c.Type) })
}

// copied returns the accumulator of that name, a copy of number i if need be.
func copied(n *graph.Operator, a *graph.Aggregate, i int, name string) int {
	if at := slices.IndexFunc(a.Accumulators, func(x graph.Accumulator) bool { return x.Name == name }); at >= 0 {
		return at
	}
	c := a.Accumulators[i]
	c.Name = name
	if c.Rest > 0 {
		c.Rest = copied(n, a, c.Rest, "rest of "+name)
	}
	a.Accumulators = append(a.Accumulators, c)
	n.Tables[0].Columns = append(n.Tables[0].Columns, graph.Column{Name: name, Type: c.Type})
	return len(a.Accumulators) - 1
}

// thinned reports whether challengers leave rows out of an aggregate's input.
func thinned(g *graph.Graph, o *graph.Operator) bool {
	for len(o.Inputs) == 1 {
		o = &g.Operators[o.Inputs[0].Operator]
		if o.Filter == nil && o.Project == nil {
			break
		}
	}
	return o.Join != nil && slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return g.Operators[in.Operator].Challengers != nil })
}
