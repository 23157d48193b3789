package operator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// modelCalls are the aggregates that the model computes, over columns k text, j
// bigint, ts, v bigint, d numeric, s text, f bool, g bool.
const modelCalls = "count(*), count(v), sum(v), min(v), max(v), avg(v), sum(d), min(d), max(d), min(s), max(s), bool_and(g), bool_or(g), " +
	"sum(v) filter f, max(v) filter f, count(*) filter f, count(distinct v), sum(distinct v), count(distinct v) filter f, count(distinct s), avg(d), stddev_samp(v)"

const modelInput = "input k text, j bigint, ts ts, v bigint, d numeric, s text, f bool, g bool, x float, u uuid\n"

// modelLists are aggregates that depend on all rows of a group.
const modelLists = "count(*), string_agg(s order by v), array_agg(v order by s desc nulls_first; v) filter f, array_agg(v order by v), string_agg(distinct s), " +
	"array_agg(distinct v order by v desc), percentile_cont(0.4; x), percentile_disc(0.5; v), percentile_disc(1; s) filter g, mode(s), first_value(s order by v desc; d), " +
	"last_value(v order by d), any_value(u), bit_and(v), bit_or(v) filter f, bit_xor(v), bit_xor(distinct v), min(u), max(u) filter f, array_agg(distinct s order by s), count(distinct s)"

// modelArrivals are those over append-only input, whose rows come in an order.
const modelArrivals = modelLists + ", array_agg(v), string_agg(s) filter f, first_value(v), last_value(s) filter g, any_value(v) filter f, approx_count_distinct(s), approx_count_distinct(v) filter f"

// TestModel runs random changelogs through aggregates and compares what their
// output adds up to with a recomputation from the rows that are left.
func TestModel(t *testing.T) {
	seed := random.Seed(t)
	ops := []string{
		"aggregate retract by k: ", "aggregate by k, j: ", "aggregate retract by j: ", "aggregate retract : ", "aggregate : ", "aggregate retract by k, j: ",
		"window_aggregate retract tumble(ts,10) by k: ", "window_aggregate on close tumble(ts,10,3) by k: ", "window_aggregate on close retract tumble(ts,10) by : ",
		"window_aggregate retract hop(ts,10,4) by k: ", "window_aggregate on close hop(ts,10,4) by k: ", "window_aggregate on close retract hop(ts,9,3) by j: ",
		"window_aggregate cumulate(ts,12,4) by k: ", "window_aggregate on close cumulate(ts,12,4,1) by k, j: ",
	}
	panes := "count(*), count(v), sum(v), min(v), max(v), avg(v), sum(d), count(v) filter f, min(d)" // that panes can be merged by
	sessions := "count(*), sum(v), min(v), max(v), avg(d), min(s), max(s), bool_and(g), sum(v) filter f, stddev_samp(v)"
	for i, op := range append(ops, "window_aggregate on close hop(ts,10,4) by k: "+panes, "window_aggregate on close cumulate(ts,12,4,1) by k, j: "+panes,
		"window_aggregate on close retract hop(ts,12,3,1) by j: count(*), sum(v), avg(d)",
		"window_aggregate on close session(ts,6) by k: "+sessions, "window_aggregate session(ts,4) by k, j: "+sessions, "window_aggregate session(ts,2) by : "+sessions,
		"window_aggregate on close session(ts,3) by j: "+sessions) {
		calls := []string{""}
		if !strings.Contains(op, "count") {
			calls = []string{modelCalls, modelLists}
			if !strings.Contains(op, "retract") && !strings.Contains(op, "window") {
				calls[1] = modelArrivals
			}
		}
		for n, c := range calls {
			t.Run(fmt.Sprint(op[:strings.Index(op, ":")], n), func(t *testing.T) {
				for round := range random.Rounds(4) {
					checkModel(t, op+c, rand.New(rand.NewPCG(seed, uint64(100*i+10*n+round))))
				}
			})
		}
	}
}

func checkModel(t *testing.T, op string, rng *rand.Rand) {
	s, err := parseScript(modelInput + op)
	if err != nil {
		t.Fatal(err)
	}
	live := randomSteps(s, rng, 40+rng.IntN(300))
	want := s.model(live)
	for _, m := range []mode{{batch: 1, tasks: []int{1}}, {batch: 7, tasks: []int{1}, restart: true, coalesce: 20}, {batch: 7, tasks: []int{1}, coalesce: 1}, {batch: 1024, tasks: []int{2, 1, 3}, restart: true}, {batch: 1024, tasks: []int{1}}} {
		got := s.run(t, m)
		if !maps.Equal(got.total, want) {
			maps.DeleteFunc(want, func(row string, n int) bool { return got.total[row] == n && deleteFrom(got.total, row) })
			t.Fatalf("%+v: the output has\n%v\nand should have\n%v", m, show(got.total), show(want))
		}
	}
}

func deleteFrom(m map[string]int, row string) bool {
	delete(m, row)
	return true
}

func randomRow(rng *rand.Rand, at int64) []types.Value {
	null := func(v types.Value) types.Value {
		if rng.IntN(8) == 0 {
			return types.NullValue
		}
		return v
	}
	small := func(n int) int64 { return int64(rng.IntN(n)) - int64(n)/3 }
	return []types.Value{
		null(types.Value{Bytes: string(rune('a' + rng.IntN(4)))}), null(types.Value{Int: small(5)}), {Int: at + int64(rng.IntN(40))},
		null(types.Value{Int: small(12)}), null(types.Value{Dec: types.Decimal{Lo: uint64(rng.IntN(500)), Scale: 2}}),
		null(types.Value{Bytes: strings.Repeat("x", rng.IntN(4)) + string(rune('p'+rng.IntN(5)))}), null(types.Value{Bool: rng.IntN(2) == 0}), null(types.Value{Bool: rng.IntN(3) > 0}),
		null(types.Value{Float: float64(rng.IntN(20)) / 4}), null(types.Value{UUID: [16]byte{0: byte(rng.IntN(4)), 15: 7}}),
	}
}

// randomSteps fills in the script's steps and returns the rows left at the end.
func randomSteps(s *script, rng *rand.Rand, n int) (live [][]types.Value) {
	add := func(op batch.Op, row []types.Value) { s.add(0, op, row) }
	retract := s.op.Aggregate != nil && s.op.Aggregate.Retractable || s.op.WindowAggregate != nil && s.op.WindowAggregate.Retractable
	watermark := int64(-10)
	for range n {
		switch what := rng.IntN(20); {
		case what < 2:
			s.steps = append(s.steps, step{kind: "batch"})
		case what == 2:
			s.steps = append(s.steps, step{kind: "barrier"})
		case what == 3 && !retract && s.op.WindowAggregate != nil && s.op.WindowAggregate.OnClose:
			watermark += int64(rng.IntN(15))
			s.steps = append(s.steps, step{kind: "watermark", watermark: watermark})
		case what < 10 && retract && len(live) > 0:
			i := rng.IntN(len(live))
			old := live[i]
			live = slices.Delete(live, i, i+1)
			if rng.IntN(2) == 0 {
				add(batch.Delete, old)
				break
			}
			row := slices.Clone(old)
			row[3+rng.IntN(7)] = types.NullValue
			live = append(live, row)
			add(batch.UpdateBefore, old)
			add(batch.UpdateAfter, row)
		default:
			row := randomRow(rng, watermark)
			live = append(live, row)
			add(batch.Insert, row)
		}
	}
	s.steps = append(s.steps, step{kind: "barrier"}, step{kind: "end"})
	return live
}

// model is the result over rows, computed the plain way.
func (s *script) model(rows [][]types.Value) map[string]int {
	groups := map[string][][]types.Value{}
	keys := s.keys()
	if w := s.op.WindowAggregate; w != nil && w.Spec.Kind == logical.Session {
		rows = s.inSessions(rows)
	}
	for _, row := range rows {
		for _, w := range s.modelWindows(row) {
			var words []string
			words = append(words, w...)
			for _, k := range keys {
				words = append(words, showValue(s.fields[k].Type, row[k]))
			}
			key := strings.Join(words, " ")
			groups[key] = append(groups[key], row)
		}
	}
	if s.op.Aggregate != nil && s.op.Aggregate.Global && len(groups) == 0 {
		groups[""] = nil
	}
	out := map[string]int{}
	for key, rows := range groups {
		var words []string
		if key != "" {
			words = append(words, key)
		}
		for _, f := range s.op.Fields[len(s.op.Fields)-len(s.outputs()):] {
			words = append(words, s.modelCall(f.Name, f.Type, rows))
		}
		out[strings.Join(words, " ")]++
	}
	return out
}

func (s *script) outputs() []graph.Output {
	if s.op.Aggregate != nil {
		return s.op.Aggregate.Outputs
	}
	return s.op.WindowAggregate.Outputs
}

// inSessions adds to each row where its session begins and ends.
func (s *script) inSessions(rows [][]types.Value) (out [][]types.Value) {
	w := s.op.WindowAggregate
	rows = slices.Clone(rows)
	at := func(r []types.Value) int64 { return r[w.TimeColumn].Int }
	slices.SortStableFunc(rows, func(a, b []types.Value) int { return int(at(a) - at(b)) })
	open := map[string]int{} // of each key: its session's first row in out
	for _, r := range rows {
		key := ""
		for _, k := range s.keys() {
			key += " " + showValue(s.fields[k].Type, r[k])
		}
		first, ok := open[key]
		if !ok || at(r) > out[first][len(r)+1].Int {
			first = len(out)
			open[key] = first
		}
		start := at(r)
		if first < len(out) {
			start = out[first][len(r)].Int
		}
		out = append(out, append(slices.Clone(r), types.Value{Int: start}, types.Value{}))
		end := types.Value{Int: at(r) + w.Spec.Size}
		for i := first; i < len(out); i++ {
			if i == first || out[i][len(r)].Int == start && s.sameKey(out[i], r) {
				out[i][len(r)+1] = end
			}
		}
	}
	return out
}

func (s *script) sameKey(a, b []types.Value) bool {
	for _, k := range s.keys() {
		if showValue(s.fields[k].Type, a[k]) != showValue(s.fields[k].Type, b[k]) {
			return false
		}
	}
	return true
}

// modelWindows lists the windows of a row by trying them all.
func (s *script) modelWindows(row []types.Value) (all [][]string) {
	if s.op.Aggregate != nil {
		return [][]string{nil}
	}
	spec := s.op.WindowAggregate.Spec
	if spec.Kind == logical.Session { // inSessions has found it
		return [][]string{{fmt.Sprint(row[len(row)-2].Int), fmt.Sprint(row[len(row)-1].Int)}}
	}
	t := row[s.op.WindowAggregate.TimeColumn].Int
	for start := t - 100; start <= t; start++ {
		unit := spec.Size
		if spec.Kind == logical.Hop {
			unit = spec.Slide
		}
		if (start-spec.Offset)%unit != 0 {
			continue
		}
		for end := start + 1; end <= start+spec.Size; end++ {
			whole := end == start+spec.Size || spec.Kind == logical.Cumulate && (end-start)%spec.Slide == 0
			if whole && t < end {
				all = append(all, []string{fmt.Sprint(start), fmt.Sprint(end)})
			}
		}
	}
	return all
}

// modelCall computes one aggregate over the rows of a group.
func (s *script) modelCall(call string, result types.Type, rows [][]types.Value) string {
	name, rest, _ := strings.Cut(call, "(")
	if isListed(name, s.spec()) || name == "bit_and" || name == "bit_or" {
		return s.modelListed(call, result, rows)
	}
	arg, filter, _ := strings.Cut(rest, ")")
	arg, distinct := strings.CutPrefix(arg, "distinct ")
	var vals []types.Value
	var t types.Type
	seen := map[string]bool{}
	for _, row := range rows {
		if f, ok := strings.CutPrefix(filter, " filter "); ok {
			if v := row[s.column(f)]; v.Null || !v.Bool {
				continue
			}
		}
		if arg == "*" {
			vals = append(vals, types.Value{})
			continue
		}
		v := row[s.column(arg)]
		t = s.fields[s.column(arg)].Type
		if v.Null || distinct && seen[showValue(t, v)] {
			continue
		}
		seen[showValue(t, v)] = true
		vals = append(vals, v)
	}
	if name == "count" {
		return fmt.Sprint(len(vals))
	}
	if len(vals) == 0 || name == "stddev_samp" && len(vals) == 1 {
		return "null"
	}
	return modelValue(name, t, result, vals)
}

func modelValue(name string, t, result types.Type, vals []types.Value) string {
	var sum types.Decimal
	best := [2]types.Value{vals[0], vals[0]}
	trues, bits := 0, int64(0)
	number := func(v types.Value) types.Decimal {
		if t.Kind == types.Numeric {
			return v.Dec
		}
		return types.DecimalFromInt(v.Int)
	}
	must := func(d types.Decimal, err error) types.Decimal {
		if err != nil {
			panic(err)
		}
		return d
	}
	for _, v := range vals {
		sum = must(sum.Add(number(v)))
		bits ^= v.Int
		if types.Compare(t, &v, &best[0]) < 0 {
			best[0] = v
		}
		if types.Compare(t, &v, &best[1]) > 0 {
			best[1] = v
		}
		if v.Bool {
			trues++
		}
	}
	n := types.DecimalFromInt(int64(len(vals)))
	switch name {
	case "sum":
		return showValue(result, types.Value{Dec: sum})
	case "avg":
		return showValue(result, types.Value{Dec: must(sum.Div(n))})
	case "min":
		return showValue(result, best[0])
	case "max":
		return showValue(result, best[1])
	case "bit_xor":
		return showValue(result, types.Value{Int: bits})
	case "bool_and":
		return showValue(result, types.Value{Bool: trues == len(vals)})
	case "bool_or":
		return showValue(result, types.Value{Bool: trues > 0})
	}
	return modelDeviation(result, vals)
}

// modelDeviation is stddev_samp of bigints.
func modelDeviation(result types.Type, vals []types.Value) string {
	var n, sum, squares int64
	for _, v := range vals {
		n, sum, squares = n+1, sum+v.Int, squares+v.Int*v.Int
	}
	if n*squares == sum*sum {
		return "0"
	}
	return rootText(n*squares-sum*sum, n*(n-1), result)
}
