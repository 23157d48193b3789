package operator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

var bigint = types.Of(types.Int64)

func col(i int) *scalar.Expr { return &scalar.Expr{Op: scalar.OpColumn, Column: i, Type: bigint} }

func call(t types.Kind, fn string, args ...*scalar.Expr) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpCall, Func: fn, Args: args, Type: types.Of(t)}
}

func num(n int64) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpConst, Type: bigint, Value: &types.Value{Int: n}}
}

// bigints reads "1 2, null 3" as a batch of rows.
func bigints(t *testing.T, text string) *batch.Batch {
	var rows [][]types.Value
	width := 0
	for _, line := range strings.Split(text, ",") {
		var row []types.Value
		for _, w := range strings.Fields(line) {
			v, err := parseValue(bigint, w)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, v)
		}
		rows, width = append(rows, row), len(row)
	}
	return batch.FromValues(slices.Repeat([]types.Type{bigint}, width), rows)
}

func fieldsOf(n int) []types.Field { return slices.Repeat([]types.Field{{Name: "c", Type: bigint}}, n) }

// lines is an output that writes rows down.
type lines struct {
	fields []types.Field
	rows   []string
}

func (l *lines) Emit(b *batch.Batch) error {
	for k := range b.Live() {
		var words []string
		for c, f := range l.fields {
			words = append(words, showValue(f.Type, b.Cols[c].Value(b.RowAt(k))))
		}
		l.rows = append(l.rows, strings.Join(words, " "))
	}
	return nil
}

func (l *lines) String() string {
	slices.Sort(l.rows)
	return strings.Join(l.rows, ", ")
}

func runBounded(t *testing.T, op *graph.Operator, env Env, inputs ...*batch.Batch) (string, error) {
	t.Helper()
	env.Bounded, env.BatchRows = true, 2
	for _, in := range inputs {
		env.Inputs = append(env.Inputs, fieldsOf(len(in.Cols)))
	}
	o, err := New(op, env)
	if err != nil {
		return "", err
	}
	out := &lines{fields: op.Fields}
	for port, in := range inputs {
		if err := o.OnBatch(port, in, out); err != nil {
			return "", err
		}
	}
	err = o.OnEnd(out)
	return out.String(), err
}

func TestJoin(t *testing.T) {
	left, right := "1 10, 2 20, 2 21, null 0, 4 40", "2 5, 2 6, 3 7, null 8, 1 100"
	less := call(types.Bool, "<(bigint,bigint)", col(3), num(50))
	for _, c := range []struct {
		kind     logical.JoinKind
		keys     bool
		residual *scalar.Expr
		want     string
	}{
		{logical.InnerJoin, true, nil, "1 10 1 100, 2 20 2 5, 2 20 2 6, 2 21 2 5, 2 21 2 6"},
		{logical.InnerJoin, true, less, "2 20 2 5, 2 20 2 6, 2 21 2 5, 2 21 2 6"},
		{logical.LeftJoin, true, less, "1 10 null null, 2 20 2 5, 2 20 2 6, 2 21 2 5, 2 21 2 6, 4 40 null null, null 0 null null"},
		{logical.RightJoin, true, nil, "1 10 1 100, 2 20 2 5, 2 20 2 6, 2 21 2 5, 2 21 2 6, null null 3 7, null null null 8"},
		{logical.FullJoin, true, less, "1 10 null null, 2 20 2 5, 2 20 2 6, 2 21 2 5, 2 21 2 6, 4 40 null null, null 0 null null, null null 1 100, null null 3 7, null null null 8"},
		{logical.SemiJoin, true, nil, "1 10, 2 20, 2 21"},
		{logical.AntiJoin, true, nil, "4 40, null 0"},
		{logical.SemiJoin, false, call(types.Bool, "=(bigint,bigint)", col(0), num(4)), "4 40"},
	} {
		op := &graph.Operator{ID: "join", Kind: graph.JoinKind, Fields: fieldsOf(4), Join: &graph.Join{Kind: c.kind, Residual: c.residual,
			Sides: &[2]graph.JoinSide{}, Output: []int{0, 1, 2, 3}, AtEnd: true}}
		if op.Join.LeftOnly() {
			op.Fields, op.Join.Output = fieldsOf(2), []int{0, 1}
		}
		if c.keys {
			op.Join.LeftKeys, op.Join.RightKeys = []*scalar.Expr{col(0)}, []*scalar.Expr{col(0)}
		}
		tables := map[string]*state.Table{}
		for side, identity := range []string{"number", "copies"} {
			schema, _, err := joinTable(op.Join, side, identity, []types.Field{{Name: "a", Type: bigint}, {Name: "b", Type: bigint}})
			if err != nil {
				t.Fatal(err)
			}
			if tables[schema.Name], err = state.NewTable(schema, state.Options{}); err != nil {
				t.Fatal(err)
			}
			op.Tables = append(op.Tables, schema)
		}
		env := Env{Table: func(name string) *state.Table { return tables[name] }}
		got, err := runBounded(t, op, env, bigints(t, left), bigints(t, right))
		if err != nil || got != c.want {
			t.Errorf("%s join, keys %v: %v\n%s\nwant\n%s", c.kind, c.keys, err, got, c.want)
		}
	}
}

func TestSetOp(t *testing.T) {
	for _, c := range []struct {
		kind logical.SetOpKind
		all  bool
		want string
	}{
		{logical.Intersect, false, "1, null"}, {logical.Intersect, true, "1, 1, null"},
		{logical.Except, false, "2"}, {logical.Except, true, "1, 2, 2, null"},
	} {
		op := &graph.Operator{ID: "set", Kind: graph.SetOpKind, Fields: fieldsOf(1), SetOp: &graph.SetOp{Kind: c.kind, All: c.all}}
		got, err := runBounded(t, op, Env{}, bigints(t, "1, 1, 1, 2, 2, null, null"), bigints(t, "1, 1, 3, null"))
		if err != nil || got != c.want {
			t.Errorf("%s all=%v: %v, %s, want %s", c.kind, c.all, err, got, c.want)
		}
	}
}

// TestApply runs a subquery that gives 1..n for the input's value n.
func TestApply(t *testing.T) {
	outer := &scalar.Expr{Op: scalar.OpOuter, Column: 0, Type: bigint}
	sub := &graph.Graph{Bounded: true, Operators: []graph.Operator{{ID: "f", Kind: graph.FunctionScanKind, Fields: fieldsOf(1),
		FunctionScan: &graph.FunctionScan{Func: "generate_series", Args: []*scalar.Expr{num(1), outer}}}}}
	runs := 0
	env := Env{Subquery: func(g *graph.Graph, _ *WorkingRows, take func(b *batch.Batch) error) error {
		runs++
		o, err := New(&g.Operators[0], Env{Bounded: true})
		if err != nil {
			return err
		}
		return o.OnEnd(emitFunc(take))
	}}
	greater := call(types.Bool, ">(bigint,bigint)", col(1), num(1))
	for _, c := range []struct {
		kind    logical.ApplyKind
		compare *scalar.Expr
		where   *scalar.Expr
		result  types.Type
		want    string
	}{
		{logical.ExistsApply, nil, nil, types.Of(types.Bool), "0 f, 1 t, 2 t, null f"},
		{logical.ArrayApply, nil, nil, types.ArrayOf(bigint), "0 {}, 1 {1}, 2 {1,2}, null {}"},
		{logical.AnyApply, greater, nil, types.Of(types.Bool), "0 f, 1 f, 2 t, null f"},
		{logical.AllApply, greater, nil, types.Of(types.Bool), "0 t, 1 f, 2 f, null t"},
		{logical.CrossApply, nil, nil, bigint, "1 1, 2 1, 2 2"},
		{logical.LeftApply, nil, greater, bigint, "0 null, 1 null, 2 2, null null"},
	} {
		op := &graph.Operator{ID: "apply", Kind: graph.ApplyKind, Fields: append(fieldsOf(1), types.Field{Type: c.result}),
			Apply: &graph.Apply{Kind: c.kind, Sub: sub, Args: []*scalar.Expr{col(0)}, Compare: c.compare, Condition: c.where}}
		runs = 0
		got, err := runBounded(t, op, env, bigints(t, "0, 1, 2, null"))
		if err != nil || got != c.want || runs != 4 {
			t.Errorf("%s: %v, %d runs\n%s\nwant\n%s", c.kind, err, runs, got, c.want)
		}
	}
	op := &graph.Operator{ID: "apply", Kind: graph.ApplyKind, Fields: fieldsOf(2), Apply: &graph.Apply{Kind: logical.ScalarApply, Sub: sub, Args: []*scalar.Expr{col(0)}}}
	if got, err := runBounded(t, op, env, bigints(t, "0, 1, 1")); err != nil || got != "0 null, 1 1, 1 1" {
		t.Errorf("scalar: %v, %s", err, got)
	}
	if _, err := runBounded(t, op, env, bigints(t, "2")); err == nil || pgerr.From(err).Code != pgerr.CardinalityViolation {
		t.Errorf("two rows from a scalar subquery: %v", err)
	}
}

type emitFunc func(b *batch.Batch) error

func (f emitFunc) Emit(b *batch.Batch) error { return f(b) }

func TestFunctionScan(t *testing.T) {
	text := func(s string) *scalar.Expr {
		return &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Text), Value: &types.Value{Bytes: s}}
	}
	array := &scalar.Expr{Op: scalar.OpConst, Type: types.ArrayOf(bigint), Value: &types.Value{Bytes: types.EncodeList(bigint, []types.Value{{Int: 7}, types.NullValue})}}
	json := func(s string) *scalar.Expr {
		return &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.JSONB), Value: &types.Value{Bytes: s}}
	}
	str := types.Field{Type: types.Of(types.Text)}
	for _, c := range []struct {
		fn     string
		args   []*scalar.Expr
		fields []types.Field
		ord    bool
		want   string
	}{
		{"generate_series", []*scalar.Expr{num(1), num(3)}, fieldsOf(2), true, "1 1, 2 2, 3 3"},
		{"generate_series", []*scalar.Expr{num(5), num(1), num(-2)}, fieldsOf(1), false, "1, 3, 5"},
		{"generate_series", []*scalar.Expr{num(9223372036854775806), num(9223372036854775807)}, fieldsOf(1), false, "9223372036854775806, 9223372036854775807"},
		{"unnest", []*scalar.Expr{array}, fieldsOf(2), true, "7 1, null 2"},
		{"_pg_expandarray", []*scalar.Expr{array}, fieldsOf(2), false, "7 1, null 2"},
		{"string_to_table", []*scalar.Expr{text("a,b"), text(",")}, []types.Field{str}, false, "a, b"},
		{"jsonb_each_text", []*scalar.Expr{json(`{"a": 1, "b": null}`)}, []types.Field{str, str}, false, "a 1, b null"},
		{"jsonb_array_elements_text", []*scalar.Expr{json(`["x", 2]`)}, []types.Field{str}, false, "2, x"},
	} {
		op := &graph.Operator{ID: "f", Kind: graph.FunctionScanKind, Fields: c.fields, FunctionScan: &graph.FunctionScan{Func: c.fn, Args: c.args, Ordinality: c.ord}}
		if got, err := runBounded(t, op, Env{}); err != nil || got != c.want {
			t.Errorf("%s: %v, %s, want %s", c.fn, err, got, c.want)
		}
	}
}

// TestFilterUpdates sends changelogs through a filter on column 0 < 5.
func TestFilterUpdates(t *testing.T) {
	for _, c := range []struct {
		mode graph.Changelog
		rows string
		ops  string
		want string
	}{
		{graph.Retract, "1, 9, 1, 2, 1, 9, 9, 1, 9, 8", "++<><><><>", "+1 <1 >2 -1 +1"},
		{graph.Upsert, "1, 9, 2, null", "+++-", "+1 -9 +2 -null"},
	} {
		op := &graph.Operator{ID: "filter", Kind: graph.FilterKind, Mode: c.mode, Filter: &graph.Filter{Predicate: call(types.Bool, "<(bigint,bigint)", col(0), num(5))}}
		o, err := New(op, Env{Inputs: [][]types.Field{fieldsOf(1)}})
		if err != nil {
			t.Fatal(err)
		}
		in := bigints(t, c.rows)
		for _, o := range c.ops {
			in.Ops = append(in.Ops, map[rune]batch.Op{'+': batch.Insert, '-': batch.Delete, '<': batch.UpdateBefore, '>': batch.UpdateAfter}[o])
		}
		var got []string
		if err := o.OnBatch(0, in, emitFunc(func(b *batch.Batch) error {
			for k := range b.Live() {
				i := b.RowAt(k)
				got = append(got, "+-<>"[b.Op(i):b.Op(i)+1]+showValue(bigint, b.Cols[0].Value(i)))
			}
			return nil
		})); err != nil {
			t.Fatal(err)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.mode, s, c.want)
		}
	}
}

// TestBadRows divides by zero in a projection whose policy is to go on.
func TestBadRows(t *testing.T) {
	op := &graph.Operator{ID: "p", Kind: graph.ProjectKind, Fields: fieldsOf(1), Project: &graph.Project{Exprs: []*scalar.Expr{call(types.Int64, "/(bigint,bigint)", num(6), col(0))}}}
	var reported []string
	counters := &exec.Counters{}
	env := Env{Inputs: [][]types.Field{fieldsOf(1)}, Counters: counters}
	env.BadRow = func(_ context.Context, r *exec.Refused) error {
		reported = append(reported, fmt.Sprint(r.Operator, ": ", r.Err, " for ", r.Batch.Cols[0].Int[r.Row]))
		return nil
	}
	o, err := New(op, env)
	if err != nil {
		t.Fatal(err)
	}
	out := &lines{fields: op.Fields}
	if err := o.OnBatch(0, bigints(t, "1, 0, 3"), out); err != nil {
		t.Fatal(err)
	}
	if out.String() != "2, 6" || counters.BadRows != 1 || len(reported) != 1 || reported[0] != "p: division by zero for 0" {
		t.Errorf("%s; %d bad rows: %v", out, counters.BadRows, reported)
	}
	out = &lines{fields: op.Fields} // every row of a batch is bad
	if err := o.OnBatch(0, bigints(t, "0"), out); err != nil || out.String() != "" || counters.BadRows != 2 {
		t.Errorf("a batch of bad rows: %v, %q", err, out)
	}
	env.BadRow = nil
	if o, err = New(op, env); err != nil {
		t.Fatal(err)
	}
	if err := o.OnBatch(0, bigints(t, "0"), out); err == nil || pgerr.From(err).Code != pgerr.DivisionByZero {
		t.Errorf("without a policy: %v", err)
	}
}
