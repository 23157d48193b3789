package operator

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// functionScan emits the rows of a set-returning function once, at its input's
// end, which the runtime gives it at once since it has none. It keeps no state.
// Changelog modes: none in, inserts out.
type functionScan struct {
	exec.Stateless
	spec   *graph.FunctionScan
	fields []types.Field
	args   program
	env    *Env
	out    *batch.Batch
	limit  int
	emit   exec.Output
	count  int64
}

// RowReader delivers the rows of a function that lie outside of the query.
type RowReader interface {
	// Read fills out, which is empty, with at most limit rows; false tells that
	// there are no more.
	Read(ctx context.Context, out *batch.Batch, limit int) (bool, error)
	Close()
}

func newFunctionScan(op *graph.Operator, env *Env) (exec.Operator, error) {
	p, err := compileProgram(op.FunctionScan.Args, op.ID, env, nil)
	return &functionScan{spec: op.FunctionScan, fields: op.Fields, args: p, env: env, out: batch.New(layoutOf(op.Fields), 0), limit: env.BatchRows}, err
}

// OnBatch implements exec.Operator.
func (f *functionScan) OnBatch(int, *batch.Batch, exec.Output) error { return nil }

// OnEnd implements exec.Operator.
func (f *functionScan) OnEnd(out exec.Output) error {
	if f.env.Task != 0 {
		return nil
	}
	cols, _, err := f.args.run(&batch.Batch{N: 1})
	if err != nil {
		return fmt.Errorf("evaluate the arguments of %s: %w", f.spec.Func, err)
	}
	args := make([]types.Value, len(cols))
	for i, c := range cols {
		args[i] = c.Value(0)
		if args[i].Null {
			return nil // they are all strict, and give no rows
		}
	}
	f.emit = out
	if err := f.rows(args); err != nil || f.out.N == 0 {
		return err
	}
	return out.Emit(f.out)
}

// row adds a row of values, and its number if asked for.
func (f *functionScan) row(vals ...types.Value) error {
	if f.spec.Ordinality {
		f.count++
		vals = append(vals, types.Value{Int: f.count})
	}
	for i, v := range vals {
		f.out.Cols[i].Append(v)
	}
	if f.out.N++; f.out.N < f.limit {
		return nil
	}
	err := f.emit.Emit(f.out)
	f.out.Reset()
	return err
}

func (f *functionScan) rows(args []types.Value) error {
	switch name := strings.TrimPrefix(f.spec.Func, "pg_catalog."); name {
	case "generate_series":
		return f.series(args)
	case "unnest", "generate_subscripts", "_pg_expandarray", "pg_options_to_table":
		return f.array(name, args)
	case "string_to_table", "regexp_split_to_table", "regexp_matches":
		return f.split(name, args)
	case "pg_timezone_names":
		return f.row(types.Value{Bytes: "UTC"}, types.Value{Bytes: "UTC"}, types.Value{}, types.Value{})
	case "pg_partition_ancestors", "pg_partition_tree", "pg_get_keywords":
		return nil // there are no partitions, and the words are in the documentation
	default:
		if strings.HasPrefix(name, "json") {
			return f.json(strings.Replace(name, "jsonb_", "json_", 1), args[0].Bytes)
		}
		return f.outside(name, args)
	}
}

// outside delivers what lies outside of the query.
func (f *functionScan) outside(name string, args []types.Value) error {
	if f.env.Rows == nil {
		return pgerr.NotSupported(f.spec.Pos, "function "+name+" in FROM")
	}
	r, err := f.env.Rows(name, args)
	if err != nil {
		return pgerr.Place(err, f.spec.Pos)
	}
	defer r.Close()
	for {
		f.out.Reset()
		given := *f.out
		if f.spec.Ordinality {
			given.Cols = given.Cols[:len(given.Cols)-1]
		}
		more, err := r.Read(f.env.Context, &given, f.limit)
		if err != nil || !more {
			f.out.Reset()
			return pgerr.Place(err, f.spec.Pos)
		}
		f.out.N = given.N
		for range given.N {
			if f.count++; f.spec.Ordinality {
				f.out.Cols[len(given.Cols)].Append(types.Value{Int: f.count})
			}
		}
		if err := f.emit.Emit(f.out); err != nil {
			return err
		}
	}
}

func (f *functionScan) series(args []types.Value) error {
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

func (f *functionScan) numericSeries(args []types.Value, zero error) (err error) {
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

func (f *functionScan) timeSeries(args []types.Value, zero error) (err error) {
	step := args[2].Interval
	up := step.Cmp(types.Interval{})
	if up == 0 {
		return zero
	}
	for v := args[0].Int; up > 0 && v <= args[1].Int || up < 0 && v >= args[1].Int; {
		if err := f.row(types.Value{Int: v}); err != nil {
			return err
		}
		if v, err = step.AddToTimestamp(v); err != nil {
			return err
		}
	}
	return nil
}

func (f *functionScan) array(name string, args []types.Value) error {
	elem := f.spec.Args[0].Type.Elem
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

func (f *functionScan) split(name string, args []types.Value) error {
	text, by := args[0].Bytes, args[1].Bytes
	if name == "string_to_table" {
		for _, part := range strings.Split(text, by) {
			if err := f.row(types.Value{Bytes: part}); err != nil {
				return err
			}
		}
		return nil
	}
	flags := ""
	if len(args) > 2 {
		flags = args[2].Bytes
	}
	if strings.Contains(flags, "i") {
		by = "(?i)" + by
	}
	re, err := regexp.Compile(by)
	if err != nil {
		return pgerr.New(pgerr.InvalidRegularExpression, "invalid regular expression: %v", err)
	}
	if name == "regexp_split_to_table" {
		for _, part := range re.Split(text, -1) {
			if err := f.row(types.Value{Bytes: part}); err != nil {
				return err
			}
		}
		return nil
	}
	most := 1
	if strings.Contains(flags, "g") {
		most = math.MaxInt
	}
	for _, m := range re.FindAllStringSubmatchIndex(text, most) {
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
func (f *functionScan) json(name, text string) error {
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
	if name == "json_array_elements" {
		want = types.JSONArray
	}
	if v.Kind != want {
		return pgerr.New(pgerr.InvalidParameterValue, "cannot call %s on a value of this kind", f.spec.Func)
	}
	for i, item := range v.Items {
		switch name {
		case "json_array_elements":
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
