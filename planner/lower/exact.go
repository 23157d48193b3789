package lower

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// exact says how sums keep what they are given.
type exact int

const (
	plain  exact = iota
	paired       // in double precision, or as intervals, with a rest
	finite       // of numerics, without NaN and the infinities
)

// exactness decides it: sums over changelogs must be able to give back what they
// took, NaN and the greatest scale too, and variances live on small differences.
// Numerics of a fixed scale have neither but NaN, which no sum of them forgets.
func exactness(retractable bool, r recipe, t types.Type) exact {
	sums := r.accumulators[0] == "sum" || r.accumulators[0] == "sum_squares"
	switch {
	case !sums:
	case t.Phys() == types.PhysFloat && (retractable || r.accumulators[0] == "sum_squares"):
		return paired
	case t.Kind == types.IntervalK && retractable:
		return paired
	case t.Kind == types.Numeric && retractable && !t.HasPrecision:
		return finite
	}
	return plain
}

// exactAccumulator is accumulator for sums of that exactness.
func (f *family) exactAccumulator(fn string, in reading, e exact) int {
	if fn == "count" || e == plain {
		return f.accumulator(fn, in)
	}
	acc := f.newAccumulator(fn, in)
	if e == finite {
		acc.Func += "_finite"
		return f.add(acc, shortType(in.typ))
	}
	if fn == "sum" && !f.agg.Retractable {
		acc.Name = "exact " + acc.Name // beside that of sum and avg, which is not
	}
	for i, have := range f.agg.Accumulators {
		if have.Rest > 0 && have.Func == acc.Func && have.Arg == acc.Arg && have.Filter == acc.Filter &&
			slices.Equal(have.With, acc.With) && have.Distinct == acc.Distinct && have.Mask == acc.Mask {
			return i
		}
	}
	for slices.ContainsFunc(f.agg.Accumulators, func(a graph.Accumulator) bool { return a.Name == acc.Name }) {
		acc.Name += "'"
	}
	rest := graph.Accumulator{Name: "rest of " + acc.Name, Func: "rest", Arg: -1, Filter: -1, Type: acc.Type, Distinct: -1}
	acc.Rest = len(f.agg.Accumulators) + 1
	f.agg.Accumulators = append(f.agg.Accumulators, acc, rest)
	return acc.Rest - 1
}

// specials are the accumulators that count NaN and the infinities.
func (f *family) specials(in reading) (out []int) {
	for _, fn := range []string{"count_nan", "count_inf", "count_neg_inf"} {
		out = append(out, f.accumulator(fn, in))
	}
	return out
}

// supplementsLast puts the accumulators that only supplement others behind those,
// where their columns are no news to who knows the state without them.
func (f *family) supplementsLast() {
	a := f.agg
	to := make([]int, len(a.Accumulators))
	var all []graph.Accumulator
	for _, last := range []bool{false, true} {
		for i, acc := range a.Accumulators {
			if last == isSupplement(acc.Func) {
				to[i] = len(all)
				all = append(all, acc)
			}
		}
	}
	move := func(list []int) {
		for i, n := range list {
			list[i] = to[n]
		}
	}
	for i := range all {
		if all[i].Rest > 0 {
			all[i].Rest = to[all[i].Rest]
		}
	}
	for i := range a.Outputs {
		o := &a.Outputs[i]
		move(o.Accumulators)
		move(o.Specials)
		o.Scale = to[o.Scale] // count(*) stays number 0
	}
	a.Accumulators = all
}

func isSupplement(fn string) bool {
	switch fn {
	case "rest", "count_nan", "count_inf", "count_neg_inf":
		return true
	}
	return false
}

// greatestScale is the accumulator of the greatest scale among numerics.
func (x *aggregation) greatestScale(f *family, in reading) int {
	e := f.project.Project.Exprs[in.arg]
	s := &scalar.Expr{Op: scalar.OpCall, Func: "scale(numeric)", Type: types.Of(types.Int32), Args: []*scalar.Expr{e}, Pos: e.Pos}
	in.arg, in.text, in.typ = f.argument(x.b, x.s.op, s, attr{}, in.filter), "scale("+in.text+")", s.Type
	if in.distinct >= 0 {
		in.filter = f.agg.Distincts[in.distinct].Filters[in.mask]
		in.distinct, in.mask = -1, 0
	}
	return f.accumulator("max", in)
}

// pairs lowers the aggregates of two arguments, over the rows that have both.
func (x *aggregation) pairs(o *operator, a scalar.Aggregate, name string, in reading) (int, error) {
	if a.Distinct {
		return 0, pgerr.NotSupported(a.Pos, "DISTINCT in an aggregate of two arguments")
	}
	if !pairAggregates[name] {
		return 0, pgerr.NotSupported(a.Pos, "aggregate function "+name)
	}
	f := o.family
	var args [2]reading
	for i, e := range a.Args {
		e = scalar.Substitute(e, x.s.exprs)
		args[i] = in
		args[i].arg, args[i].text, args[i].typ = f.argument(x.b, x.s.op, e, attr{}, in.filter), x.b.text(x.s.op, e), e.Type
	}
	y, z := args[0], args[1]
	both := y
	both.with, both.text = []int{z.arg}, y.text+", "+z.text
	y.with, y.text, z.with, z.text = []int{z.arg}, y.text+" with "+z.text, []int{y.arg}, z.text+" with "+y.text
	count := f.accumulator("count", both)
	text := name + "(" + both.text + ")" + in.suffix
	if name == "regr_count" {
		return x.addOutput(o, graph.Output{Func: "value", Accumulators: []int{count}, Type: a.Type}, text), nil
	}
	out := graph.Output{Func: name, Type: a.Type, Accumulators: []int{count,
		f.exactAccumulator("sum", y, paired), f.exactAccumulator("sum", z, paired),
		f.exactAccumulator("sum_squares", y, paired), f.exactAccumulator("sum_squares", z, paired), f.exactAccumulator("sum_products", both, paired)}}
	out.Specials = append(f.specials(y), f.specials(z)...)
	return x.addOutput(o, out, text), nil
}

var pairAggregates = map[string]bool{"corr": true, "covar_pop": true, "covar_samp": true, "regr_avgx": true, "regr_avgy": true, "regr_count": true,
	"regr_intercept": true, "regr_r2": true, "regr_slope": true, "regr_sxx": true, "regr_sxy": true, "regr_syy": true}
