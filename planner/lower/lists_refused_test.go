package lower_test

import (
	"testing"

	"github.com/millrace/millrace/planner/fixture"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// TestListsRefused damages a graph with lists, a sketch and exact sums in every
// way that would make an operator fail, and checks that it is not taken.
func TestListsRefused(t *testing.T) {
	const query = "INSERT INTO o SELECT k, string_agg(v, ',' ORDER BY ts), percentile_disc(0.5) WITHIN GROUP (ORDER BY v), array_agg(v), last_value(v), " +
		"approx_count_distinct(v), stddev(k::float8), corr(k, k + 1) FROM log GROUP BY k"
	aggregate := func(g *graph.Graph) (*graph.Operator, *graph.Aggregate) {
		for i := range g.Operators {
			if o := &g.Operators[i]; o.Aggregate != nil {
				return o, o.Aggregate
			}
		}
		t.Fatal("no aggregation")
		return nil, nil
	}
	reader := func(a *graph.Aggregate, fn string) *graph.Accumulator {
		for i := range a.Accumulators {
			if acc := &a.Accumulators[i]; acc.Func == fn && (acc.List != nil || acc.Rest > 0 || acc.Sketch > 0) {
				return acc
			}
		}
		t.Fatalf("no %s", fn)
		return nil
	}
	for name, damage := range map[string]func(o *graph.Operator, a *graph.Aggregate){
		"a list of a column that is not there": func(_ *graph.Operator, a *graph.Aggregate) { a.Lists[0].Args[0] = 99 },
		"a list that counts nothing":           func(_ *graph.Operator, a *graph.Aggregate) { a.Lists[0].Filters = nil },
		"a filter that is no boolean":          func(_ *graph.Operator, a *graph.Aggregate) { a.Lists[0].Filters[0] = 0 },
		"a list without its table":             func(o *graph.Operator, _ *graph.Aggregate) { o.Tables = o.Tables[:len(o.Tables)-1] },
		"a table that does not fit": func(o *graph.Operator, _ *graph.Aggregate) {
			o.Tables[1].Keys = o.Tables[1].Keys[:1]
			o.Tables[1].Local = 0
		},
		"arrivals over a changelog":     func(_ *graph.Operator, a *graph.Aggregate) { a.Retractable = true },
		"no such list":                  func(_ *graph.Operator, a *graph.Aggregate) { reader(a, "string_agg").List.List = 9 },
		"no such filter":                func(_ *graph.Operator, a *graph.Aggregate) { reader(a, "string_agg").List.Mask = 9 },
		"no such value":                 func(_ *graph.Operator, a *graph.Aggregate) { reader(a, "string_agg").List.Values[0] = 9 },
		"no values":                     func(_ *graph.Operator, a *graph.Aggregate) { reader(a, "array_agg").List.Values = nil },
		"an order by nothing":           func(_ *graph.Operator, a *graph.Aggregate) { reader(a, "string_agg").List.Order.Keys[0].Column = 9 },
		"a separator that is not there": func(_ *graph.Operator, a *graph.Aggregate) { reader(a, "string_agg").List.Params = nil },
		"no fraction":                   func(_ *graph.Operator, a *graph.Aggregate) { reader(a, "percentile_disc").List.Params = nil },
		"an array that is none":         func(_ *graph.Operator, a *graph.Aggregate) { reader(a, "array_agg").Type = types.Of(types.Text) },
		"an unknown function":           func(_ *graph.Operator, a *graph.Aggregate) { reader(a, "array_agg").Func = "median" },
		"a sketch of nothing":           func(_ *graph.Operator, a *graph.Aggregate) { a.Sketches[0].Arg = -1 },
		"no such sketch":                func(_ *graph.Operator, a *graph.Aggregate) { reader(a, "sketch_sum").Sketch = 2 },
		"a rest that is none":           func(_ *graph.Operator, a *graph.Aggregate) { reader(a, "sum_squares").Rest = 1 },
		"one factor":                    func(_ *graph.Operator, a *graph.Aggregate) { reader(a, "sum_products").With = nil },
		"a pair without its special values": func(_ *graph.Operator, a *graph.Aggregate) {
			a.Outputs[len(a.Outputs)-1].Specials = nil
		},
		"a scale that is not there": func(_ *graph.Operator, a *graph.Aggregate) { a.Outputs[0].Scale = 99 },
	} {
		g, err := fixture.Graph(query)
		if err != nil {
			t.Fatal(err)
		}
		if err := graph.Validate(g); err != nil {
			t.Fatal(err)
		}
		damage(aggregate(g))
		if graph.Validate(g) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
