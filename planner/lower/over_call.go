package lower

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// windowCall adds the columns that a call reads.
func (s *stream) windowCall(w *scalar.WindowCall) (graph.WindowCall, error) {
	name, _, _ := strings.Cut(w.Func, "(")
	out := graph.WindowCall{Func: name, Frame: w.Frame, Type: w.Type, IgnoreNulls: w.IgnoreNulls}
	if !w.Aggregate {
		for _, a := range w.Args {
			out.Args = append(out.Args, s.include(scalar.Substitute(a, s.exprs)))
		}
		return out, nil
	}
	filter := -1
	if w.Filter != nil {
		filter = s.include(scalar.Substitute(w.Filter, s.exprs))
	}
	r, plain := recipes[name]
	how, listed := listings[name]
	switch {
	case plain && len(w.Args) < 2:
		s.accumulators(&out, w, r, filter)
	case pairAggregates[name] && len(w.Args) == 2:
		s.pairAccumulators(&out, w, name, filter)
	case listed:
		s.listCall(&out, w, how, filter)
	default:
		return out, pgerr.NotSupported(w.Pos, "aggregate function "+name+" with OVER")
	}
	return out, nil
}

// accumulators makes w of a recipe. Variances of double precision live on small
// differences: their sums are exact.
func (s *stream) accumulators(out *graph.WindowCall, w *scalar.WindowCall, r recipe, filter int) {
	acc := graph.Accumulator{Arg: -1, Filter: filter, Distinct: -1}
	var t types.Type
	if len(w.Args) == 1 {
		x := scalar.Substitute(w.Args[0], s.exprs)
		acc.Arg, t = s.argument(x, filter), x.Type
	}
	out.Func = r.output
	if exactness(false, r, t) == paired {
		e := exactCall{out: out}
		count := e.add("count", acc, t)
		sum := e.exact("sum", acc, t)
		out.Output = []int{e.exact(r.accumulators[0], acc, t), sum, count}
		e.specials(acc, t)
		return
	}
	for _, fn := range r.accumulators {
		acc.Name, acc.Func, acc.Type = fn, fn, stateType(fn, t)
		out.Accumulators = append(out.Accumulators, acc)
	}
}

// pairAccumulators makes w of the sums of its two arguments, over the rows that
// have both.
func (s *stream) pairAccumulators(out *graph.WindowCall, w *scalar.WindowCall, name string, filter int) {
	var args [2]int
	for i, a := range w.Args {
		args[i] = s.argument(scalar.Substitute(a, s.exprs), filter)
	}
	float := types.Of(types.Float64)
	y := graph.Accumulator{Arg: args[0], With: []int{args[1]}, Filter: filter, Distinct: -1}
	x := graph.Accumulator{Arg: args[1], With: []int{args[0]}, Filter: filter, Distinct: -1}
	e := exactCall{out: out}
	count := e.add("count", y, float)
	if name == "regr_count" {
		out.Func = "value"
		return
	}
	out.Func = name
	out.Output = []int{count, e.exact("sum", y, float), e.exact("sum", x, float), e.exact("sum_squares", y, float), e.exact("sum_squares", x, float),
		e.exact("sum_products", y, float)}
	e.specials(y, float)
	e.specials(x, float)
}

// exactCall adds accumulators of exact sums to a call. The first one it adds must
// be none of a rest: number 0 stands for no rest.
type exactCall struct{ out *graph.WindowCall }

func (e exactCall) add(fn string, a graph.Accumulator, t types.Type) int {
	a.Name, a.Func, a.Type = fn, fn, stateType(fn, t)
	e.out.Accumulators = append(e.out.Accumulators, a)
	return len(e.out.Accumulators) - 1
}

// exact adds a sum and what its 53 bits are too short for.
func (e exactCall) exact(fn string, a graph.Accumulator, t types.Type) int {
	at := e.add(fn, a, t)
	e.out.Accumulators[at].Rest = at + 1
	rest := graph.Accumulator{Name: "rest", Func: "rest", Arg: -1, Filter: -1, Distinct: -1, Type: e.out.Accumulators[at].Type}
	e.out.Accumulators = append(e.out.Accumulators, rest)
	return at
}

// specials adds what counts NaN and the infinities of an argument.
func (e exactCall) specials(a graph.Accumulator, t types.Type) {
	for _, fn := range []string{"count_nan", "count_inf", "count_neg_inf"} {
		e.out.Specials = append(e.out.Specials, e.add(fn, a, t))
	}
}

// listCall makes w of all rows of its frame.
func (s *stream) listCall(out *graph.WindowCall, w *scalar.WindowCall, how listing, filter int) {
	out.Func, out.List = how.fn, &graph.WindowList{Filter: filter}
	args := w.Args
	if how.fn == "string_agg" {
		switch {
		case len(args) == 1:
			out.List.Params = []types.Value{{Bytes: ","}}
		case args[1].Op == scalar.OpConst:
			out.List.Params, args = []types.Value{*args[1].Value}, args[:1]
		}
	}
	for i, a := range args {
		x := asJSON(how.fn, scalar.Substitute(a, s.exprs), i)
		out.Args = append(out.Args, s.argument(x, filter))
	}
}
