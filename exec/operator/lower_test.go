package operator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

// lowerAggregate fills in spec and op from "by k, l: sum(v) filter f,
// count(distinct v)", the way the planner does: accumulators are shared, and
// have their count beside them.
func lowerAggregate(op *graph.Operator, spec *graph.Aggregate, s *script, text string) error {
	if rest, ok := strings.CutPrefix(text, "retract "); ok {
		text, spec.Retractable = rest, true
	}
	by, calls, _ := strings.Cut(text, ":")
	bigint := types.Of(types.Int64)
	var keys []graph.Column
	if op.WindowAggregate != nil {
		for _, n := range []string{"window_start", "window_end"} {
			op.Fields = append(op.Fields, types.Field{Name: n, Type: types.Of(types.Timestamp)})
		}
	}
	for _, k := range strings.Split(strings.TrimSpace(strings.TrimPrefix(by, "by")), ",") {
		if k = strings.TrimSpace(k); k == "" {
			continue
		}
		c := s.column(k)
		spec.Keys = append(spec.Keys, c)
		keys = append(keys, graph.Column{Name: k, Type: s.fields[c].Type})
		op.Fields = append(op.Fields, s.fields[c])
	}
	spec.Global = len(keys) == 0 && op.WindowAggregate == nil
	local := 0
	if op.WindowAggregate != nil {
		keys = append(keys, graph.Column{Name: "window_start", Type: types.Of(types.Timestamp)})
		local = 1
	}
	spec.Accumulators = []graph.Accumulator{{Name: "count(*)", Func: "count", Arg: -1, Filter: -1, Type: bigint, Distinct: -1}}
	for _, call := range strings.Split(calls, ", ") {
		if err := lowerCall(op, spec, s, strings.TrimSpace(call)); err != nil {
			return err
		}
	}
	if w := op.WindowAggregate; w != nil && w.Spec.Kind == logical.Session {
		t := s.fields[w.TimeColumn].Type
		spec.Accumulators = append(spec.Accumulators, graph.Accumulator{Name: "max(time)", Func: "max", Arg: w.TimeColumn, Filter: -1, Type: t, Distinct: -1})
	}
	main := graph.Table{Keys: keys, Local: local}
	for _, a := range spec.Accumulators {
		main.Columns = append(main.Columns, graph.Column{Name: a.Name, Type: a.Type})
	}
	op.Tables = append(op.Tables, main)
	for _, d := range spec.Distincts {
		t := graph.Table{Name: d.Name, Local: local + 1, Keys: append(slices.Clone(keys), graph.Column{Name: "value", Type: d.Type})}
		for i := range d.Filters {
			t.Columns = append(t.Columns, graph.Column{Name: fmt.Sprint("count", i), Type: bigint})
		}
		op.Tables = append(op.Tables, t)
	}
	for _, a := range spec.Accumulators {
		if spec.Retractable && (a.Func == "min" || a.Func == "max") {
			op.Tables = append(op.Tables, graph.Table{Name: a.Name, Local: local + 1,
				Keys: append(slices.Clone(keys), graph.Column{Name: "value", Type: a.Type}), Columns: []graph.Column{{Name: "count", Type: bigint}}})
		}
	}
	return lowerListTables(op, spec, s, keys, local)
}

func lowerCall(op *graph.Operator, spec *graph.Aggregate, s *script, call string) error {
	name, rest, _ := strings.Cut(call, "(")
	arg, filterText, _ := strings.Cut(rest, ")")
	if isListed(name, spec) {
		return lowerListed(op, spec, s, call)
	}
	arg, distinct := strings.CutPrefix(arg, "distinct ")
	in := graph.Accumulator{Arg: -1, Filter: -1, Distinct: -1}
	var t types.Type
	if arg != "*" {
		if in.Arg = s.column(arg); in.Arg < 0 {
			return fmt.Errorf("no column %q", arg)
		}
		t = s.fields[in.Arg].Type
	}
	if f, ok := strings.CutPrefix(filterText, " filter "); ok {
		in.Filter = s.column(f)
	}
	if distinct {
		in.Distinct = slices.IndexFunc(spec.Distincts, func(d graph.Distinct) bool { return d.Arg == in.Arg })
		if in.Distinct < 0 {
			in.Distinct = len(spec.Distincts)
			spec.Distincts = append(spec.Distincts, graph.Distinct{Name: "distinct(" + arg + ")", Arg: in.Arg, Type: t})
		}
		d := &spec.Distincts[in.Distinct]
		if in.Mask = slices.Index(d.Filters, in.Filter); in.Mask < 0 {
			in.Mask = len(d.Filters)
			d.Filters = append(d.Filters, in.Filter)
		}
		in.Filter = -1
	}
	fns := map[string][]string{"count": {"count"}, "avg": {"sum", "count"}, "sum": {"sum", "count"}, "min": {"min", "count"}, "max": {"max", "count"},
		"bool_and": {"bool_and", "count"}, "bool_or": {"bool_or", "count"},
		"bit_and": {"bit_and", "count"}, "bit_or": {"bit_or", "count"}, "bit_xor": {"bit_xor", "count"}}[name]
	out := graph.Output{Func: "value", Type: resultType(name, t)}
	switch {
	case name == "avg":
		out.Func = name
	case fns == nil:
		out.Func, fns = name, []string{"sum_squares", "sum", "count"}
	}
	for _, fn := range fns {
		a := in
		a.Func, a.Type = fn, accumulatorType(fn, t)
		a.Name = fmt.Sprintf("%s(%d) %d %d %d", fn, a.Arg, a.Filter, a.Distinct, a.Mask)
		at := slices.IndexFunc(spec.Accumulators, func(b graph.Accumulator) bool {
			return a.Func == b.Func && a.Arg == b.Arg && a.Filter == b.Filter && a.Distinct == b.Distinct && a.Mask == b.Mask
		})
		if at < 0 {
			at = len(spec.Accumulators)
			if t.Kind == types.IntervalK && fn == "sum" && spec.Retractable {
				rest := graph.Accumulator{Name: "rest of " + a.Name, Func: "rest", Arg: -1, Filter: -1, Type: t, Distinct: -1}
				a.Rest = at + 1
				spec.Accumulators = append(spec.Accumulators, a, rest)
			} else {
				spec.Accumulators = append(spec.Accumulators, a)
			}
		}
		out.Accumulators = append(out.Accumulators, at)
	}
	spec.Outputs = append(spec.Outputs, out)
	op.Fields = append(op.Fields, types.Field{Name: call, Type: out.Type})
	return nil
}

func accumulatorType(fn string, t types.Type) types.Type {
	switch fn {
	case "min", "max", "bit_and", "bit_or", "bit_xor":
		return t
	case "sum":
		switch t.Kind {
		case types.Int32:
			return types.Of(types.Int64)
		case types.Int64, types.Numeric:
			return types.Of(types.Numeric)
		case types.IntervalK:
			return t
		}
		return types.Of(types.Float64)
	case "sum_squares":
		if t.Phys() == types.PhysFloat {
			return types.Of(types.Float64)
		}
		return types.Of(types.Numeric)
	}
	return types.Of(types.Int64)
}

func resultType(fn string, t types.Type) types.Type {
	switch fn {
	case "count":
		return types.Of(types.Int64)
	case "sum":
		if t.Kind == types.Float32 {
			return t
		}
		return accumulatorType(fn, t)
	case "min", "max", "bit_and", "bit_or", "bit_xor":
		return t
	case "bool_and", "bool_or":
		return types.Of(types.Bool)
	}
	if t.Phys() == types.PhysFloat {
		return types.Of(types.Float64)
	}
	if t.Kind == types.IntervalK {
		return t
	}
	return types.Of(types.Numeric)
}
