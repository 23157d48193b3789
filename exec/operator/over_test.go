package operator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// parseOver reads "k; v desc; row_number(), lag(v), sum(v) rows 2 preceding 0
// current; key id", where a frame is a unit, two numbers each followed by its
// bound ("first" and "last" are the unbounded ones) and maybe "exclude ties". The
// last part is "key c", "copies" or "progress rows micros"; the first two may go on
// with "window c" or "onclose c", and "after".
func (s *script) parseOver(op *graph.Operator, text string) error {
	parts := strings.Split(text, ";")
	if len(parts) != 4 {
		return fmt.Errorf("over %q", text)
	}
	spec := &graph.Over{Keys: s.parseColumns(parts[0]), Order: s.parseOrder(parts[1]), AtEnd: s.bounded}
	op.Over, op.Fields = spec, slices.Clone(s.fields)
	for _, c := range strings.Split(parts[2], ", ") {
		if c == " " { // rows are held
			break
		}
		w := s.parseWindowCall(strings.TrimSpace(c))
		spec.Calls = append(spec.Calls, w)
		op.Fields = append(op.Fields, types.Field{Name: c, Type: w.Type})
	}
	switch words := strings.Fields(parts[3]); words[0] {
	case "key":
		spec.RowKey = s.parseColumns(words[1])
	case "copies":
		spec.Copies, spec.RowKey = true, identityInts(len(s.fields))
	case "progress":
		op.Mode = graph.AppendOnly
		spec.Progress = &graph.OverProgress{Time: spec.Order[0].Column}
		spec.Progress.Rows, _ = strconv.ParseInt(words[1], 10, 64)
		spec.Progress.Micros, _ = strconv.ParseInt(words[2], 10, 64)
	}
	words := strings.Fields(parts[3])
	for i, w := range words {
		switch {
		case s.bounded:
		case w == "window", w == "onclose":
			spec.Window = &graph.OverWindow{End: slices.IndexFunc(op.Fields, func(f types.Field) bool { return f.Name == words[i+1] }), OnClose: w == "onclose",
				After: slices.Contains(words, "after")}
			if spec.Window.OnClose {
				op.Mode = graph.AppendOnly
			}
		}
	}
	var in []graph.Column
	for _, f := range s.fields {
		in = append(in, graph.Column{Name: f.Name, Type: f.Type})
	}
	op.Tables = spec.Tables(in)
	return nil
}

func (s *script) parseWindowCall(text string) graph.WindowCall {
	name, rest, _ := strings.Cut(text, "(")
	args, frame, _ := strings.Cut(rest, ")")
	w := graph.WindowCall{Func: name, Type: types.Of(types.Int64)}
	cols := s.parseColumns(args)
	switch name {
	case "row_number", "rank", "dense_rank":
		return w
	case "session_start", "session_end":
		w.Args, w.Type, w.Gap = cols, s.fields[cols[0]].Type, 3
		return w
	case "lag", "lead":
		w.Args, w.Type = cols, s.fields[cols[0]].Type
		return w
	}
	w.Frame = scalar.Frame{Unit: scalar.RangeFrame, Start: scalar.Bound{Kind: scalar.UnboundedPreceding}, End: scalar.Bound{Kind: scalar.CurrentRow}}
	if words := strings.Fields(frame); len(words) > 0 {
		w.Frame.Unit = scalar.FrameUnit(words[0])
		w.Frame.Start, w.Frame.End = s.parseBound(w.Frame.Unit, words[1], words[2]), s.parseBound(w.Frame.Unit, words[3], words[4])
		w.Frame.Exclude = strings.Join(words[min(6, len(words)):], " ")
	}
	if name == "first_value" || name == "last_value" {
		w.Args, w.Type = cols, s.fields[cols[0]].Type
		return w
	}
	if name == "string_agg" || name == "array_agg" {
		w.Args, w.Type, w.List = cols, s.fields[cols[0]].Type, &graph.WindowList{Filter: -1, Params: []types.Value{{Bytes: "|"}}}
		if name == "array_agg" {
			w.Type, w.List = types.Type{Kind: types.Array, Elem: &s.fields[cols[0]].Type}, &graph.WindowList{Filter: -1}
		}
		return w
	}
	acc := graph.Accumulator{Name: "count", Func: "count", Arg: -1, Filter: -1, Distinct: -1, Type: types.Of(types.Int64)}
	if len(cols) > 0 {
		acc.Arg = cols[0]
	}
	w.Func, w.Accumulators = "value", []graph.Accumulator{acc}
	if name != "count" {
		first := acc
		first.Func, first.Type = name, s.fields[cols[0]].Type
		if name == "sum" {
			first.Type = types.Of(types.Numeric)
		}
		w.Type, w.Accumulators = first.Type, []graph.Accumulator{first, acc}
	}
	return w
}

func (s *script) parseBound(unit scalar.FrameUnit, number, kind string) scalar.Bound {
	switch kind {
	case "current":
		return scalar.Bound{Kind: scalar.CurrentRow}
	case "first":
		return scalar.Bound{Kind: scalar.UnboundedPreceding}
	case "last":
		return scalar.Bound{Kind: scalar.UnboundedFollowing}
	}
	n, _ := strconv.ParseInt(number, 10, 64)
	x := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int64), Value: &types.Value{Int: n}}
	if unit == scalar.RangeFrame {
		x.Type, x.Value = types.Of(types.IntervalK), &types.Value{Interval: types.Interval{Micros: n}}
	}
	return scalar.Bound{Kind: scalar.BoundKind(kind), Offset: x}
}

// TestOverModel compares what window functions over changes, and over rows that
// pass, add up to with the same functions over what is left, as finished data.
func TestOverModel(t *testing.T) {
	seed := random.Seed(t)
	const calls = "row_number(), rank(), dense_rank(), lag(v), lead(s), sum(v), count(), max(s) rows 2 preceding 1 following, min(v) rows 0 first 1 preceding, " +
		"sum(v) groups 1 preceding 0 current exclude group, sum(v) range 0 first 0 last exclude current row, first_value(s) rows 1 preceding 1 following exclude ties, last_value(v), " +
		"string_agg(s) rows 2 preceding 1 following, array_agg(v) groups 1 preceding 0 current exclude ties, string_agg(s)"
	const back = "lag(v), sum(v) rows 2 preceding 0 current, max(s) rows 1 preceding 1 preceding, count() range 6 preceding 0 current, last_value(s) range 3 preceding 0 current, " +
		"string_agg(s) rows 2 preceding 0 current, array_agg(v) range 4 preceding 1 preceding"
	for i, op := range []string{"k; v; " + calls + "; key id", "k, j; v desc, s; " + calls + "; key id", "; s nulls_first; " + calls + "; key id", "k; v; " + calls + "; copies",
		"j; ts; " + back + "; progress 2 6", "k, j; ts; " + back + "; progress 2 6", "; ts; " + back + "; progress 2 6",
		"k, ts; v; " + calls + "; key id window ts", "j, ts; v; " + calls + "; copies onclose ts", "ts; s; " + calls + "; key id onclose ts after",
		"k; ; ; copies onclose ts", "id; ; ; key id onclose ts", "id; ; ; key id, ts onclose ts after",
		"k; ts; session_start(ts), session_end(ts); key id window session_end(ts) after", "j; ts; session_start(ts), session_end(ts); copies window session_end(ts) after"} {
		t.Run(op, func(t *testing.T) {
			for round := range random.Rounds(5) {
				checkOver(t, op, rand.New(rand.NewPCG(seed, uint64(100*i+round))), 30+round*60)
			}
		})
	}
}

func checkOver(t *testing.T, op string, rng *rand.Rand, n int) {
	const input = "input id bigint, k text, j bigint, v bigint, s text, ts ts\n"
	s, err := parseScript(input + "over " + op)
	if err != nil {
		t.Fatal(err)
	}
	live := s.randomOver(rng, n)
	finished, err := parseScript("bounded\n" + input + "over " + op)
	if err != nil {
		t.Fatal(err)
	}
	ops := make([]batch.Op, len(live))
	finished.steps = []step{{kind: "rows", rows: live, ops: ops}, {kind: "end"}}
	if len(live) == 0 {
		finished.steps = finished.steps[1:]
	}
	want := finished.run(t, mode{batch: 1024, tasks: []int{1}})
	for _, m := range []mode{{batch: 1, tasks: []int{1}}, {batch: 7, tasks: []int{1}, restart: true, coalesce: 20}, {batch: 3, tasks: []int{1}, coalesce: 1}, {batch: 1024, tasks: []int{2, 1, 3}, restart: true}} {
		if len(s.op.Over.Keys) == 0 {
			m.tasks = []int{1}
		}
		if got := s.run(t, m); !maps.Equal(got.total, want.total) {
			t.Fatalf("%+v: the output adds up to\n%v\nwant\n%v", m, show(got.total), show(want.total))
		}
	}
}

func (s *script) randomOver(rng *rand.Rand, n int) (live [][]types.Value) {
	null := func(v types.Value) types.Value {
		if rng.IntN(8) == 0 {
			return types.NullValue
		}
		return v
	}
	next, mark := int64(0), int64(0)
	open := int64(0) // how far the first time in no closed window is from the watermark
	w := s.op.Over.Window
	if w != nil && !w.After {
		open = 1
	}
	row := func() []types.Value {
		id := int64(rng.IntN(2))
		if !s.op.Over.Copies {
			next++
			id = next
		}
		return []types.Value{{Int: id}, null(types.Value{Bytes: string(rune('a' + rng.IntN(3)))}), null(types.Value{Int: int64(rng.IntN(2))}),
			null(types.Value{Int: int64(rng.IntN(6)) - 2}), null(types.Value{Bytes: string(rune('p' + rng.IntN(4)))}), {Int: mark + open + int64(rng.IntN(12))}}
	}
	add := func(op batch.Op, row []types.Value) {
		if k := len(s.steps); k == 0 || s.steps[k-1].kind != "rows" {
			s.steps = append(s.steps, step{kind: "rows"})
		}
		last := &s.steps[len(s.steps)-1]
		last.rows, last.ops = append(last.rows, row), append(last.ops, op)
	}
	for range n {
		switch what := rng.IntN(20); {
		case what < 2:
			s.steps = append(s.steps, step{kind: "batch"})
		case what == 2:
			s.steps = append(s.steps, step{kind: "barrier"})
		case what < 5 && (s.op.Over.Progress != nil || w != nil):
			mark += int64(rng.IntN(8))
			s.steps = append(s.steps, step{kind: "watermark", watermark: mark})
		case what < 11 && s.op.Over.Progress == nil && len(live) > 0:
			i := rng.IntN(len(live))
			old := live[i]
			if w != nil && old[5].Int < mark+open {
				break // it is final
			}
			live = slices.Delete(live, i, i+1)
			if rng.IntN(2) == 0 {
				add(batch.Delete, old)
				break
			}
			changed := row()
			changed[0] = old[0]
			live = append(live, changed)
			add(batch.UpdateBefore, old)
			add(batch.UpdateAfter, changed)
		default:
			r := row()
			live = append(live, r)
			add(batch.Insert, r)
		}
	}
	s.steps = append(s.steps, step{kind: "barrier"}, step{kind: "end"})
	return live
}
