package lower

import (
	"reflect"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// recipe is how an aggregate is made of accumulators: those that Output wants,
// in its order.
type recipe struct {
	output       string
	accumulators []string
}

var recipes = map[string]recipe{
	"count":       {"value", []string{"count"}},
	"sum":         {"value", []string{"sum", "count"}},
	"min":         {"value", []string{"min", "count"}},
	"max":         {"value", []string{"max", "count"}},
	"bool_and":    {"value", []string{"bool_and", "count"}},
	"every":       {"value", []string{"bool_and", "count"}},
	"bool_or":     {"value", []string{"bool_or", "count"}},
	"avg":         {"avg", []string{"sum", "count"}},
	"stddev":      {"stddev_samp", []string{"sum_squares", "sum", "count"}},
	"stddev_samp": {"stddev_samp", []string{"sum_squares", "sum", "count"}},
	"stddev_pop":  {"stddev_pop", []string{"sum_squares", "sum", "count"}},
	"variance":    {"var_samp", []string{"sum_squares", "sum", "count"}},
	"var_samp":    {"var_samp", []string{"sum_squares", "sum", "count"}},
	"var_pop":     {"var_pop", []string{"sum_squares", "sum", "count"}},
	"bit_and":     {"value", []string{"bit_and", "count"}},
	"bit_or":      {"value", []string{"bit_or", "count"}},
	"bit_xor":     {"value", []string{"bit_xor", "count"}},
}

// stateType is the type of accumulator fn's state column over arguments of type t.
func stateType(fn string, t types.Type) types.Type {
	switch fn {
	case "sum":
		switch {
		case t.Kind == types.Int16 || t.Kind == types.Int32:
			return types.Of(types.Int64)
		case t.Kind == types.Int64 || t.Kind == types.Numeric:
			return types.Of(types.Numeric)
		case t.Kind == types.IntervalK:
			return types.Of(types.IntervalK)
		}
		return types.Of(types.Float64)
	case "sum_squares", "sum_products":
		if t.IsInteger() || t.Kind == types.Numeric {
			return types.Of(types.Numeric)
		}
		return types.Of(types.Float64)
	case "min", "max", "bit_and", "bit_or", "bit_xor":
		return t
	}
	return types.Of(types.Int64) // count, bool_and, bool_or and what sketches need
}

// output returns which of o's outputs is aggregate a, and adds it when it is not
// there.
func (x *aggregation) output(o *operator, a scalar.Aggregate) (int, error) {
	name, _, _ := strings.Cut(a.Func, "(")
	f := o.family
	in := reading{op: x.s.op, arg: -1, filter: -1, distinct: -1}
	if a.Filter != nil {
		e := scalar.Substitute(a.Filter, x.s.exprs)
		in.filter = f.argument(x.b, x.s.op, e, attr{}, -1)
		in.suffix = " filter (" + x.b.text(x.s.op, e) + ")"
	}
	if how, ok := listings[name]; ok && (f.agg.Retractable || !how.changing) {
		at, err := x.listed(o, &a, how, in)
		if err != nil {
			return 0, err
		}
		return x.addOutput(o, graph.Output{Func: "value", Accumulators: []int{at}, Type: a.Type}, f.agg.Accumulators[at].Name), nil
	}
	if name == "approx_count_distinct" {
		return x.approximate(o, a, in), nil
	}
	if len(a.Args) == 2 {
		return x.pairs(o, a, name, in)
	}
	r, ok := recipes[name]
	if !ok {
		return 0, pgerr.NotSupported(a.Pos, "aggregate function "+name)
	}
	if len(a.Args) == 1 {
		e := scalar.Substitute(a.Args[0], x.s.exprs)
		in.arg, in.text, in.typ = f.argument(x.b, x.s.op, e, attr{}, in.filter), x.b.text(x.s.op, e), e.Type
		if a.Distinct && !copiesMakeNoDifference[name] {
			f.distinct(&in)
		}
	}
	out := graph.Output{Func: r.output, Type: a.Type}
	exact := exactness(f.agg.Retractable, r, in.typ)
	for _, fn := range r.accumulators {
		out.Accumulators = append(out.Accumulators, f.exactAccumulator(fn, in, exact))
	}
	if exact != plain && in.typ.Kind != types.IntervalK {
		out.Specials = f.specials(in)
	}
	if exact == finite {
		out.Scale = x.greatestScale(f, in)
	}
	return x.addOutput(o, out, name+"("+in.what()+")"+in.suffix), nil
}

// joinable reports whether the state of an aggregate of one group can be made part
// of another's.
func joinable(a *scalar.Aggregate) bool {
	name, _, _ := strings.Cut(a.Func, "(")
	_, plain := recipes[name]
	return (plain || pairAggregates[name]) && (!a.Distinct || copiesMakeNoDifference[name])
}

var copiesMakeNoDifference = map[string]bool{"min": true, "max": true, "bool_and": true, "bool_or": true, "every": true, "bit_and": true, "bit_or": true}

// approximate is an estimate over append-only input. What a changelog takes back
// no sketch can forget: there the values are counted.
func (x *aggregation) approximate(o *operator, a scalar.Aggregate, in reading) int {
	f := o.family
	e := scalar.Substitute(a.Args[0], x.s.exprs)
	in.arg, in.text, in.typ = f.argument(x.b, x.s.op, e, attr{}, in.filter), x.b.text(x.s.op, e), e.Type
	name := "approx_count_distinct(" + in.text + ")" + in.suffix
	if f.agg.Retractable {
		f.distinct(&in)
		return x.addOutput(o, graph.Output{Func: "value", Accumulators: []int{f.accumulator("count", in)}, Type: a.Type}, name)
	}
	s := graph.Sketch{Name: name, Arg: in.arg, Filter: in.filter}
	if in.typ.Loose() {
		s.Loose = &in.typ
	}
	at := slices.IndexFunc(f.agg.Sketches, func(have graph.Sketch) bool { return have.Arg == s.Arg && have.Filter == s.Filter })
	if at < 0 {
		at = len(f.agg.Sketches)
		for slices.ContainsFunc(f.agg.Sketches, func(have graph.Sketch) bool { return have.Name == s.Name }) {
			s.Name += "'"
		}
		f.agg.Sketches = append(f.agg.Sketches, s)
	}
	out := graph.Output{Func: "approx_count_distinct", Type: a.Type}
	for _, fn := range []string{"sketch_sum", "sketch_used"} {
		acc := graph.Accumulator{Name: fn + "(" + in.text + ")" + in.suffix, Func: fn, Arg: -1, Filter: -1, Type: types.Of(types.Int64), Distinct: -1, Sketch: at + 1}
		out.Accumulators = append(out.Accumulators, f.add(acc, shortType(in.typ)))
	}
	return x.addOutput(o, out, name)
}

// addOutput returns which of o's outputs out is, and adds it when it is not there.
func (x *aggregation) addOutput(o *operator, out graph.Output, text string) int {
	f := o.family
	for i, have := range f.agg.Outputs {
		if reflect.DeepEqual(have, out) {
			return i
		}
	}
	f.agg.Outputs = append(f.agg.Outputs, out)
	o.Fields = append(o.Fields, types.Field{Name: text, Type: out.Type})
	o.origins = append(o.origins, text)
	o.attrs = append(o.attrs, attr{})
	return len(f.agg.Outputs) - 1
}

// reading is what an accumulator reads.
type reading struct {
	op, arg, filter int
	distinct, mask  int
	text, suffix    string
	typ             types.Type
	with            []int // columns that must not be null either
}

func (s *reading) what() string {
	switch {
	case s.arg < 0:
		return "*"
	case s.distinct >= 0:
		return "distinct " + s.text
	}
	return s.text
}

// distinct makes in read the distinct values of its argument, from a table that
// all aggregates over them share.
func (f *family) distinct(in *reading) {
	at := -1
	for i, d := range f.agg.Distincts {
		if d.Arg == in.arg {
			at = i
		}
	}
	if at < 0 {
		at = len(f.agg.Distincts)
		f.agg.Distincts = append(f.agg.Distincts, graph.Distinct{Name: f.unusedDistinct("distinct(" + in.text + ")"), Arg: in.arg, Type: in.typ})
	}
	d := &f.agg.Distincts[at]
	in.distinct, in.mask = at, slices.Index(d.Filters, in.filter)
	if in.mask < 0 {
		in.mask = len(d.Filters)
		d.Filters = append(d.Filters, in.filter)
	}
}

func (f *family) unusedDistinct(name string) string {
	for slices.ContainsFunc(f.agg.Distincts, func(d graph.Distinct) bool { return d.Name == name }) {
		name += "'"
	}
	return name
}

func (f *family) accumulator(fn string, in reading) int {
	return f.add(f.newAccumulator(fn, in), shortType(in.typ))
}

func (f *family) newAccumulator(fn string, in reading) graph.Accumulator {
	acc := graph.Accumulator{Func: fn, Arg: in.arg, Filter: in.filter, Type: stateType(fn, in.typ), Distinct: in.distinct, Mask: in.mask, With: in.with,
		Name: fn + "(" + in.what() + ")" + in.suffix}
	if in.distinct >= 0 {
		acc.Filter = -1
	}
	return acc
}

// add returns which of the family's accumulators acc is, and adds it when it is
// not there. typ tells it from one of the same words over another type.
func (f *family) add(acc graph.Accumulator, typ string) int {
	for i, have := range f.agg.Accumulators {
		have.Name = acc.Name
		if reflect.DeepEqual(have, acc) {
			return i
		}
	}
	taken := func(a graph.Accumulator) bool { return a.Name == acc.Name }
	if slices.ContainsFunc(f.agg.Accumulators, taken) { // the same words over another type
		head, filter, _ := strings.Cut(acc.Name, ") filter (")
		acc.Name = strings.TrimSuffix(head, ")") + " as " + typ + ")" + prefix(" filter (", filter)
	}
	for slices.ContainsFunc(f.agg.Accumulators, taken) {
		acc.Name += "'"
	}
	f.agg.Accumulators = append(f.agg.Accumulators, acc)
	return len(f.agg.Accumulators) - 1
}

// tables is the state of o's aggregation, laid out as graph.Aggregate says.
func (f *family) tables() []graph.Table {
	var keys []graph.Column
	for i := range f.agg.Keys {
		keys = append(keys, graph.Column{Name: unusedColumn(keys, f.keyNames[i]), Type: f.project.Fields[i].Type})
	}
	local := 0
	if f.window != nil {
		keys = append(keys, graph.Column{Name: unusedColumn(keys, f.window.SliceName()), Type: f.time})
		local = 1
	}
	main := graph.Table{Keys: keys, Local: local, Columns: []graph.Column{}}
	out := []graph.Table{main}
	bigint := types.Of(types.Int64)
	for _, a := range f.agg.Accumulators {
		out[0].Columns = append(out[0].Columns, graph.Column{Name: a.Name, Type: a.Type})
	}
	value := func(name, column string, t types.Type) graph.Table {
		return graph.Table{Name: name, Local: local + 1, Keys: append(slices.Clone(keys), graph.Column{Name: unusedColumn(keys, column), Type: t})}
	}
	for _, d := range f.agg.Distincts {
		t := value(d.Name, f.project.origins[d.Arg], d.Type)
		t.Columns = f.counts(d.Filters)
		out = append(out, t)
	}
	for _, a := range f.agg.Accumulators {
		if f.agg.Retractable && (a.Func == "min" || a.Func == "max") {
			t := value(a.Name, f.project.origins[a.Arg], a.Type)
			t.Columns = []graph.Column{{Name: "count(*)", Type: bigint}}
			out = append(out, t)
		}
	}
	return append(out, f.tablesOfLists(keys, local)...)
}

func unusedColumn(have []graph.Column, name string) string {
	for slices.ContainsFunc(have, func(c graph.Column) bool { return c.Name == name }) {
		name += "'"
	}
	return name
}
