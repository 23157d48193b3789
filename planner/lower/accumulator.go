package lower

import (
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
	case "sum_squares":
		if t.IsInteger() || t.Kind == types.Numeric {
			return types.Of(types.Numeric)
		}
		return types.Of(types.Float64)
	case "min", "max":
		return t
	}
	return types.Of(types.Int64) // count, bool_and, bool_or
}

// output returns which of o's outputs is aggregate a, and adds it when it is not
// there.
func (x *aggregation) output(o *operator, a scalar.Aggregate) (int, error) {
	name, _, _ := strings.Cut(a.Func, "(")
	r, ok := recipes[name]
	switch {
	case !ok:
		return 0, pgerr.NotSupported(a.Pos, "aggregate function "+name)
	case len(a.Args) > 1:
		return 0, pgerr.NotSupported(a.Pos, "aggregate function "+name+" with several arguments")
	}
	f := o.family
	in := reading{op: x.s.op, arg: -1, filter: -1, distinct: -1}
	if a.Filter != nil {
		e := scalar.Substitute(a.Filter, x.s.exprs)
		in.filter = f.argument(x.b, x.s.op, e, attr{})
		in.suffix = " filter (" + x.b.text(x.s.op, e) + ")"
	}
	if len(a.Args) == 1 {
		e := scalar.Substitute(a.Args[0], x.s.exprs)
		in.arg, in.text, in.typ = f.argument(x.b, x.s.op, e, attr{}), x.b.text(x.s.op, e), e.Type
		if a.Distinct && name != "min" && name != "max" && r.accumulators[0] != "bool_and" && r.accumulators[0] != "bool_or" {
			f.distinct(&in)
		}
	}
	out := graph.Output{Func: r.output, Type: a.Type}
	for _, fn := range r.accumulators {
		out.Accumulators = append(out.Accumulators, f.accumulator(fn, in))
	}
	for i, have := range f.agg.Outputs {
		if have.Func == out.Func && have.Type.Equal(out.Type) && slices.Equal(have.Accumulators, out.Accumulators) {
			return i, nil
		}
	}
	f.agg.Outputs = append(f.agg.Outputs, out)
	text := name + "(" + in.what() + ")" + in.suffix
	o.Fields = append(o.Fields, types.Field{Name: text, Type: a.Type})
	o.origins = append(o.origins, text)
	o.attrs = append(o.attrs, attr{})
	return len(f.agg.Outputs) - 1, nil
}

// reading is what an accumulator reads.
type reading struct {
	op, arg, filter int
	distinct, mask  int
	text, suffix    string
	typ             types.Type
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
	acc := graph.Accumulator{Func: fn, Arg: in.arg, Filter: in.filter, Type: stateType(fn, in.typ), Distinct: in.distinct, Mask: in.mask,
		Name: fn + "(" + in.what() + ")" + in.suffix}
	if in.distinct >= 0 {
		acc.Filter = -1
	}
	for i, have := range f.agg.Accumulators {
		if have.Func == acc.Func && have.Arg == acc.Arg && have.Filter == acc.Filter && have.Distinct == acc.Distinct && have.Mask == acc.Mask {
			return i
		}
	}
	taken := func(a graph.Accumulator) bool { return a.Name == acc.Name }
	if slices.ContainsFunc(f.agg.Accumulators, taken) { // the same words over another type
		acc.Name = fn + "(" + in.what() + " as " + shortType(in.typ) + ")" + in.suffix
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
		for _, c := range d.Filters {
			name := "count(*)"
			if c >= 0 {
				name += " filter (" + f.project.origins[c] + ")"
			}
			t.Columns = append(t.Columns, graph.Column{Name: name, Type: bigint})
		}
		out = append(out, t)
	}
	if !f.agg.Retractable {
		return out
	}
	for _, a := range f.agg.Accumulators {
		if a.Func == "min" || a.Func == "max" {
			t := value(a.Name, f.project.origins[a.Arg], a.Type)
			t.Columns = []graph.Column{{Name: "count(*)", Type: bigint}}
			out = append(out, t)
		}
	}
	return out
}

func unusedColumn(have []graph.Column, name string) string {
	for slices.ContainsFunc(have, func(c graph.Column) bool { return c.Name == name }) {
		name += "'"
	}
	return name
}
