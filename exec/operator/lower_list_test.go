package operator

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// isListed reports whether an aggregate is computed from a list.
func isListed(name string, spec *graph.Aggregate) bool {
	switch name {
	case "string_agg", "array_agg", "first_value", "last_value", "any_value", "percentile_cont", "percentile_disc", "mode", "approx_count_distinct":
		return true
	case "bit_and", "bit_or":
		return spec.Retractable
	}
	return false
}

// listedCall is "string_agg(distinct s order by v desc) filter f".
type listedCall struct {
	name, arg, filter  string
	distinct           bool
	order              []string // "v desc"
	fraction           float64
	arrival, appending bool
}

func parseListed(call string, appending bool) (c listedCall) {
	c.appending = appending
	name, rest, _ := strings.Cut(call, "(")
	arg, filter, _ := strings.Cut(rest, ")")
	c.name, c.filter = name, strings.TrimPrefix(filter, " filter ")
	arg, order, _ := strings.Cut(arg, " order by ")
	if order != "" {
		c.order = strings.Split(order, "; ")
	}
	c.arg, c.distinct = strings.CutPrefix(arg, "distinct ")
	if strings.HasPrefix(name, "percentile") {
		f, arg, _ := strings.Cut(c.arg, "; ")
		c.fraction, _ = strconv.ParseFloat(f, 64)
		c.arg, c.order = arg, []string{arg}
	}
	switch name {
	case "string_agg", "array_agg", "first_value", "last_value":
		c.arrival = appending && len(c.order) == 0 && !c.distinct
	case "any_value":
		c.arrival = appending
	case "mode":
		c.order = []string{c.arg}
	}
	return c
}

func lowerListed(op *graph.Operator, spec *graph.Aggregate, s *script, call string) error {
	c := parseListed(call, !spec.Retractable)
	arg := s.column(c.arg)
	if arg < 0 {
		return fmt.Errorf("no column %q", c.arg)
	}
	t := s.fields[arg].Type
	filter := -1
	if c.filter != "" {
		filter = s.column(c.filter)
	}
	if c.name == "approx_count_distinct" {
		return lowerSketch(op, spec, arg, filter, call)
	}
	result := map[string]types.Type{"array_agg": types.ArrayOf(t), "string_agg": types.Of(types.Text), "percentile_cont": types.Of(types.Float64)}[c.name]
	if result.Kind == types.Invalid {
		result = t
	}
	l := graph.List{Arrival: c.arrival, Args: []int{arg}}
	read := &graph.ListRead{Distinct: c.distinct, Values: []int{0}, Params: []types.Value{{Bytes: "|", Float: c.fraction}}}
	for _, o := range c.order {
		words := strings.Fields(o)
		at := s.column(words[0])
		k := slices.Index(l.Args, at)
		if k < 0 {
			k = len(l.Args)
			l.Args = append(l.Args, at)
		}
		read.Order.Keys = append(read.Order.Keys, graph.SortKey{Column: k, Desc: slices.Contains(words, "desc"), NullsFirst: slices.Contains(words, "nulls_first")})
	}
	if c.appending && slices.Contains([]string{"first_value", "last_value"}, c.name) {
		if read.Order.Back = c.name == "last_value"; read.Order.Back {
			for i := range read.Order.Keys {
				k := &read.Order.Keys[i]
				k.Desc, k.NullsFirst = !k.Desc, !k.NullsFirst
			}
		}
		l.First, l.Filters = &read.Order, []int{filter}
	}
	read.List = slices.IndexFunc(spec.Lists, func(have graph.List) bool {
		return slices.Equal(have.Args, l.Args) && have.Arrival == l.Arrival && reflect.DeepEqual(have.First, l.First) && (l.First == nil || slices.Equal(have.Filters, l.Filters))
	})
	if read.List < 0 {
		read.List = len(spec.Lists)
		l.Name = fmt.Sprintf("list %d", read.List)
		spec.Lists = append(spec.Lists, l)
	}
	kept := &spec.Lists[read.List]
	if read.Mask = slices.Index(kept.Filters, filter); read.Mask < 0 {
		read.Mask = len(kept.Filters)
		kept.Filters = append(kept.Filters, filter)
	}
	spec.Accumulators = append(spec.Accumulators, graph.Accumulator{Name: call, Func: c.name, Arg: -1, Filter: -1, Distinct: -1, Type: result, List: read})
	spec.Outputs = append(spec.Outputs, graph.Output{Func: "value", Accumulators: []int{len(spec.Accumulators) - 1}, Type: result})
	op.Fields = append(op.Fields, types.Field{Name: call, Type: result})
	return nil
}

func lowerSketch(op *graph.Operator, spec *graph.Aggregate, arg, filter int, call string) error {
	spec.Sketches = append(spec.Sketches, graph.Sketch{Name: fmt.Sprintf("sketch %d", len(spec.Sketches)), Arg: arg, Filter: filter})
	out := graph.Output{Func: "approx_count_distinct", Type: types.Of(types.Int64)}
	for _, fn := range []string{"sketch_sum", "sketch_used"} {
		out.Accumulators = append(out.Accumulators, len(spec.Accumulators))
		spec.Accumulators = append(spec.Accumulators, graph.Accumulator{Name: fn + call, Func: fn, Arg: -1, Filter: -1, Distinct: -1, Type: types.Of(types.Int64), Sketch: len(spec.Sketches)})
	}
	spec.Outputs = append(spec.Outputs, out)
	op.Fields = append(op.Fields, types.Field{Name: call, Type: out.Type})
	return nil
}

func lowerListTables(op *graph.Operator, spec *graph.Aggregate, s *script, keys []graph.Column, local int) error {
	bigint := types.Of(types.Int64)
	for _, l := range spec.Lists {
		t := graph.Table{Name: l.Name, Local: local + len(l.Args), Keys: slices.Clone(keys)}
		if l.Arrival {
			t.Local++
			t.Keys = append(t.Keys, graph.Column{Name: "arrival", Type: bigint})
		}
		for i, a := range l.Args {
			t.Keys = append(t.Keys, graph.Column{Name: fmt.Sprint("arg", i), Type: s.fields[a].Type})
		}
		for i := range l.Filters {
			t.Columns = append(t.Columns, graph.Column{Name: fmt.Sprint("count", i), Type: bigint})
		}
		op.Tables = append(op.Tables, t)
	}
	for _, k := range spec.Sketches {
		t := graph.Table{Name: k.Name, Local: local + 1, Keys: append(slices.Clone(keys), graph.Column{Name: "block", Type: bigint})}
		for i := range graph.SketchBlockRegisters / 8 {
			t.Columns = append(t.Columns, graph.Column{Name: fmt.Sprint("registers", i), Type: bigint})
		}
		op.Tables = append(op.Tables, t)
	}
	return nil
}

// modelListed computes such an aggregate over the rows of a group, the plain way.
func (s *script) modelListed(call string, result types.Type, rows [][]types.Value) string {
	c := parseListed(call, !s.spec().Retractable)
	arg := s.column(c.arg)
	t := s.fields[arg].Type
	var kept [][]types.Value
	for _, row := range rows {
		if c.filter != "" {
			if v := row[s.column(c.filter)]; v.Null || !v.Bool {
				continue
			}
		}
		kept = append(kept, row)
	}
	if !c.arrival {
		slices.SortStableFunc(kept, func(a, b []types.Value) int { return s.modelOrder(c, arg, a, b) })
	}
	var vals []types.Value
	seen := map[string]bool{}
	for _, row := range kept {
		v := row[arg]
		if c.distinct && seen[showValue(t, v)] {
			continue
		}
		seen[showValue(t, v)] = true
		vals = append(vals, v)
	}
	return modelList(c, t, result, vals)
}

func (s *script) spec() *graph.Aggregate {
	if s.op.Aggregate != nil {
		return s.op.Aggregate
	}
	return &s.op.WindowAggregate.Aggregate
}

func (s *script) modelOrder(c listedCall, arg int, a, b []types.Value) int {
	for _, o := range c.order {
		words := strings.Fields(o)
		k := s.column(words[0])
		if a[k].Null || b[k].Null {
			if a[k].Null == b[k].Null {
				continue
			}
			if a[k].Null == slices.Contains(words, "nulls_first") {
				return -1
			}
			return 1
		}
		r := types.Compare(s.fields[k].Type, &a[k], &b[k])
		if slices.Contains(words, "desc") {
			r = -r
		}
		if r != 0 {
			return r
		}
	}
	r := types.CompareNullsLast(s.fields[arg].Type, &a[arg], &b[arg])
	return r
}

func modelList(c listedCall, t, result types.Type, vals []types.Value) string {
	some := slices.DeleteFunc(slices.Clone(vals), func(v types.Value) bool { return v.Null })
	show := func(v types.Value) string { return showValue(result, v) }
	switch c.name {
	case "array_agg":
		if len(vals) == 0 {
			return "null"
		}
		return show(types.Value{Bytes: types.EncodeList(t, vals)})
	case "first_value":
		if len(vals) == 0 {
			return "null"
		}
		return show(vals[0])
	case "last_value":
		if len(vals) == 0 {
			return "null"
		}
		return show(vals[len(vals)-1])
	case "approx_count_distinct": // exact while so few registers are in use
		seen := map[string]bool{}
		for _, v := range some {
			seen[showValue(t, v)] = true
		}
		return fmt.Sprint(len(seen))
	}
	if len(some) == 0 {
		return "null"
	}
	switch c.name {
	case "string_agg":
		var all []string
		for _, v := range some {
			all = append(all, v.Bytes)
		}
		return show(types.Value{Bytes: strings.Join(all, "|")})
	case "any_value":
		return show(some[0])
	case "percentile_disc":
		for i, v := range some {
			if float64(i+1) >= c.fraction*float64(len(some)) {
				return show(v)
			}
		}
	case "percentile_cont":
		at := c.fraction * float64(len(some)-1)
		i := int(at)
		if float64(i) == at {
			return show(some[i])
		}
		return show(types.Value{Float: some[i].Float + (some[i+1].Float-some[i].Float)*(at-float64(i))})
	case "bit_and", "bit_or":
		bits := some[0].Int
		for _, v := range some {
			if c.name == "bit_or" {
				bits |= v.Int
			} else {
				bits &= v.Int
			}
		}
		return show(types.Value{Int: bits})
	}
	best, most := types.NullValue, 0 // mode
	for _, v := range some {
		n := 0
		for _, w := range some {
			if types.Compare(t, &v, &w) == 0 {
				n++
			}
		}
		if n > most {
			best, most = v, n
		}
	}
	return show(best)
}
