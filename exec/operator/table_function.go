package operator

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// tableFunction gives the rows of a set-returning function to give, which may keep
// the values.
type tableFunction struct {
	spec *graph.FunctionScan
	ctx  *eval.Context
	give func(vals ...types.Value) error
	down bool // give has failed, not the function
}

func (f *tableFunction) row(vals ...types.Value) error {
	err := f.give(vals...)
	f.down = err != nil
	return err
}

// rows reports false when the function's rows lie outside of the query. An error has the
// place of the call.
func (f *tableFunction) rows(args []types.Value) (known bool, err error) {
	if known, err = f.known(args); !f.down {
		err = pgerr.Place(err, f.spec.Pos)
	}
	return known, err
}

func (f *tableFunction) known(args []types.Value) (bool, error) {
	name := strings.TrimPrefix(f.spec.Func, "pg_catalog.")
	for i := range args {
		if args[i].Null && (name != "string_to_table" || i == 0) {
			return true, nil // the others are strict, and give no rows
		}
	}
	switch name {
	case "generate_series":
		return true, f.series(args)
	case "unnest", "generate_subscripts", "_pg_expandarray", "pg_options_to_table":
		return true, f.array(name, args)
	case "string_to_table", "regexp_split_to_table", "regexp_matches":
		return true, f.split(name, args)
	case "pg_partition_ancestors", "pg_partition_tree":
		return true, nil // there are no partitions
	}
	if name == "jsonb_path_query" || name == "jsonb_path_query_tz" {
		return true, eval.JSONPathQuery(f.ctx, args, name == "jsonb_path_query_tz", func(v types.Value) error { return f.row(v) })
	}
	if strings.HasPrefix(name, "json") {
		return true, f.json(strings.Replace(name, "jsonb_", "json_", 1), args[0].Bytes)
	}
	return false, nil
}

// parts is string_to_table: without a delimiter each character is a part, and
// parts like the third argument are null.
func (f *tableFunction) parts(text string, args []types.Value) error {
	parts := []string{text}
	switch by := args[1]; {
	case text == "":
		return nil
	case by.Null:
		parts = strings.Split(text, "")
	case by.Bytes != "":
		parts = strings.Split(text, by.Bytes)
	}
	for _, part := range parts {
		v := types.Value{Bytes: part}
		if len(args) > 2 && !args[2].Null && args[2].Bytes == part {
			v = types.NullValue
		}
		if err := f.row(v); err != nil {
			return err
		}
	}
	return nil
}

func (f *tableFunction) series(args []types.Value) error {
	zero := pgerr.New(pgerr.InvalidParameterValue, "step size cannot equal zero")
	switch t := f.spec.Args[0].Type; {
	case t.IsInteger():
		step := int64(1)
		if len(args) > 2 {
			step = args[2].Int
		}
		if step == 0 {
			return zero
		}
		for v, ok := args[0].Int, true; ok && (step > 0 && v <= args[1].Int || step < 0 && v >= args[1].Int); v, ok = types.AddInt64(v, step) {
			if err := f.row(types.Value{Int: v}); err != nil {
				return err
			}
		}
		return nil
	case t.Kind == types.Numeric:
		return f.numericSeries(args, zero)
	default:
		return f.timeSeries(args, zero)
	}
}

func (f *tableFunction) numericSeries(args []types.Value, zero error) (err error) {
	for i, what := range []string{"start value", "stop value", "step size"}[:len(args)] {
		switch args[i].Dec.Special {
		case 0:
		case types.DecimalNaN:
			return pgerr.New(pgerr.InvalidParameterValue, "%s cannot be NaN", what)
		default:
			return pgerr.New(pgerr.InvalidParameterValue, "%s cannot be infinity", what)
		}
	}
	step := types.DecimalFromInt(1)
	if len(args) > 2 {
		step = args[2].Dec
	}
	if step.IsZero() {
		return zero
	}
	for v := args[0].Dec; v.Cmp(args[1].Dec)*step.Sign() <= 0; {
		if err := f.row(types.Value{Dec: v}); err != nil {
			return err
		}
		if v, err = v.Add(step); err != nil {
			return err
		}
	}
	return nil
}

func (f *tableFunction) timeSeries(args []types.Value, zero error) (err error) {
	step := args[2].Interval
	up := step.Cmp(types.Interval{})
	if up == 0 {
		return zero
	}
	zoned := f.spec.Args[0].Type.Kind == types.TimestampTZ // its days are the session's
	for v := args[0].Int; up > 0 && v <= args[1].Int || up < 0 && v >= args[1].Int; {
		if err := f.row(types.Value{Int: v}); err != nil {
			return err
		}
		if zoned {
			v, err = step.AddToTimestampTZ(v, f.ctx.TimeZone())
		} else {
			v, err = step.AddToTimestamp(v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// endless refuses a series of times that comes to no end.
func endless(spec *graph.FunctionScan, args []types.Value) error {
	own, isNull := args[:len(spec.Args)], func(v types.Value) bool { return v.Null }
	if len(own) == 3 && spec.Args[2].Type.Phys() == types.PhysInterval && !slices.ContainsFunc(own, isNull) {
		from, to, step := own[0].Int, own[1].Int, own[2].Interval.Cmp(types.Interval{})
		switch some := step > 0 && from <= to || step < 0 && from >= to; {
		case some && types.IsInfinite(from):
			return pgerr.New(pgerr.InvalidParameterValue, "start value cannot be infinity").At(spec.Pos)
		case some && types.IsInfinite(to):
			return pgerr.New(pgerr.InvalidParameterValue, "stop value cannot be infinity").At(spec.Pos)
		}
	}
	args = args[len(spec.Args):]
	for i := range spec.Beside {
		if err := endless(&spec.Beside[i], args); err != nil {
			return err
		}
		args = args[len(spec.Beside[i].Args):]
	}
	return nil
}

func (f *tableFunction) array(name string, args []types.Value) error {
	elem := f.spec.Args[0].Type.Elem
	give, err := f.ctx.Hold(types.ListBytes(args[0].Bytes))
	if err != nil {
		return err
	}
	defer give()
	a, err := types.DecodeArray(*elem, args[0].Bytes)
	if err != nil {
		return err
	}
	lower := 1
	if len(a.Dims) > 0 {
		lower = a.Dims[0].Lower
	}
	n := len(a.Elems)
	if name == "generate_subscripts" {
		if args[1].Int < 1 || args[1].Int > int64(len(a.Dims)) {
			return nil
		}
		d := a.Dims[args[1].Int-1]
		lower, n = d.Lower, d.Len
	}
	for i := range n {
		switch name {
		case "unnest":
			err = f.row(a.Elems[i])
		case "_pg_expandarray":
			err = f.row(a.Elems[i], types.Value{Int: int64(i) + 1})
		case "pg_options_to_table":
			k, v, _ := strings.Cut(a.Elems[i].Bytes, "=")
			err = f.row(types.Value{Bytes: k}, types.Value{Bytes: v})
		default:
			at := int64(lower + i)
			if len(args) > 2 && args[2].Bool {
				at = int64(lower + n - 1 - i)
			}
			err = f.row(types.Value{Int: at})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *tableFunction) split(name string, args []types.Value) error {
	text, by := args[0].Bytes, args[1].Bytes
	if name == "string_to_table" {
		return f.parts(text, args)
	}
	flags := ""
	if len(args) > 2 {
		flags = args[2].Bytes
	}
	re, err := eval.CompileRegexp(by, flags)
	if err != nil {
		return err
	}
	if name == "regexp_split_to_table" {
		if strings.Contains(flags, "g") {
			return pgerr.New(pgerr.InvalidParameterValue, "%s() does not support the \"global\" option", name)
		}
		for _, part := range re.Split(text) {
			if err := f.row(types.Value{Bytes: part}); err != nil {
				return err
			}
		}
		return nil
	}
	most := 1
	if strings.Contains(flags, "g") {
		most = -1
	}
	for _, m := range re.All(text, 0, most) {
		if len(m) > 2 {
			m = m[2:] // the groups, where there are any
		}
		var parts []types.Value
		for i := 0; i < len(m); i += 2 {
			if m[i] < 0 {
				parts = append(parts, types.NullValue)
			} else {
				parts = append(parts, types.Value{Bytes: text[m[i]:m[i+1]]})
			}
		}
		if err := f.row(types.Value{Bytes: types.EncodeList(types.Of(types.Text), parts)}); err != nil {
			return err
		}
	}
	return nil
}

// json gives the members of a JSON array or object.
func (f *tableFunction) json(name, text string) error {
	give, err := f.ctx.Hold(types.JSONTreeBytes(text))
	if err != nil {
		return err
	}
	defer give()
	v, err := types.ParseJSON(text)
	if err != nil {
		return err
	}
	name, asText := strings.CutSuffix(name, "_text")
	value := func(x *types.JSON) types.Value {
		switch {
		case asText && x.Kind == types.JSONNull:
			return types.NullValue
		case asText && x.Kind == types.JSONString:
			return types.Value{Bytes: x.Str}
		}
		return types.Value{Bytes: x.String()}
	}
	want := types.JSONObject
	if name == "json_array_elements" || strings.HasSuffix(name, "_recordset") {
		want = types.JSONArray
	}
	if v.Kind != want {
		return wrongJSON(name, f.spec.Func, v.Kind)
	}
	for i, item := range v.Items {
		switch name {
		case "json_array_elements", "json_to_recordset", "json_populate_recordset":
			err = f.row(value(item))
		case "json_object_keys":
			err = f.row(types.Value{Bytes: v.Keys[i]})
		default:
			err = f.row(types.Value{Bytes: v.Keys[i]}, value(item))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wrongJSON is the error of a function called on JSON of another kind.
func wrongJSON(name, fn string, kind types.JSONKind) error {
	what := "a scalar"
	switch kind {
	case types.JSONArray:
		what = "an array"
	case types.JSONObject:
		what = "an object"
	}
	switch name {
	case "json_array_elements":
		return pgerr.New(pgerr.InvalidParameterValue, "cannot extract elements from %s", what)
	case "json_object_keys":
		return pgerr.New(pgerr.InvalidParameterValue, "cannot call %s on %s", fn, what)
	case "json_to_recordset", "json_populate_recordset":
		return pgerr.New(pgerr.InvalidParameterValue, "cannot call %s on a non-array", fn)
	}
	return pgerr.New(pgerr.InvalidParameterValue, "cannot call %s on a non-object", fn)
}
