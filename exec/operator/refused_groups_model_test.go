package operator

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

const refusedInput = "input k text, ts ts, n numeric, b bigint, v int, x float, i interval, f bool\n"

// tooMuch is a row of extremes: sums of two or three have no value.
func tooMuch(rng *rand.Rand, k string, at int64) []types.Value {
	most, _ := types.ParseDecimal(strings.Repeat("9", types.DecimalDigitsMax))
	row := []types.Value{{Bytes: k}, {Int: at}, {Dec: most}, {Int: math.MaxInt64}, {Int: math.MaxInt32}, {Float: 0x1p1023},
		{Interval: types.Interval{Micros: math.MaxInt64, Days: math.MaxInt32, Months: math.MaxInt32}}, {Bool: true}}
	if rng.IntN(3) == 0 {
		row[2].Dec, row[3].Int, row[6].Interval = most.Neg(), math.MinInt64, types.Interval{Micros: -math.MaxInt64, Days: -math.MaxInt32, Months: -math.MaxInt32}
	}
	if rng.IntN(4) == 0 {
		row[2].Null, row[6].Null = true, true
	}
	return row
}

func ordinary(rng *rand.Rand, k string, at int64) []types.Value {
	row := []types.Value{{Bytes: k}, {Int: at}, {Dec: types.Decimal{Lo: uint64(rng.IntN(5000)), Scale: 2}}, {Int: int64(rng.IntN(90)) - 30}, {Int: int64(rng.IntN(90))},
		{Float: float64(rng.IntN(64)) / 8}, {Interval: types.Interval{Micros: int64(rng.IntN(1e6))}}, {Bool: rng.IntN(2) == 0}}
	row[2+rng.IntN(5)].Null = rng.IntN(4) == 0
	return row
}

// TestRefusedGroupsModel has large values come to groups and go again: they must
// leave nothing behind, whatever happens in between, and what has no value meanwhile
// is told.
func TestRefusedGroupsModel(t *testing.T) {
	seed := random.Seed(t)
	calls := "count(*), sum(n), avg(n), sum(b), avg(b), sum(v), stddev_samp(n), stddev_samp(b), sum(distinct n), sum(n) filter f, min(n), sum(i), avg(i), sum(i) filter f, sum(distinct i), var_samp(n), var_samp(b), percentile_cont(0.4; i), array_agg(b order by n), first_value(i order by n), last_value(b order by n desc), any_value(n)"
	for i, op := range []string{"aggregate retract by k: ", "aggregate retract : ", "window_aggregate retract tumble(ts,10) by k: ", "window_aggregate retract hop(ts,10,4) by k: ",
		"window_aggregate cumulate(ts,12,4) by k: "} {
		op = strings.Replace(op, "te cumulate", "te retract cumulate", 1)
		t.Run(strings.TrimSpace(op), func(t *testing.T) {
			for round := range random.Rounds(3) {
				rng := rand.New(rand.NewPCG(seed, uint64(10*i+round)))
				checkRefused(t, rng, op+calls)
			}
		})
	}
}

func checkRefused(t *testing.T, rng *rand.Rand, op string) {
	s, plain := mustParse(t, refusedInput+op), mustParse(t, refusedInput+op)
	told := 0
	without := map[string]int{} // groups that have been told, less those that have been taken back
	s.refused = func(_ context.Context, r *exec.Refused) error {
		if came := !r.Batch.Op(r.Row).Retracts(); came && (r.Expr == "" || r.Err == nil) || len(r.Batch.Cols) != len(r.Fields) {
			t.Errorf("%+v is told", r)
		}
		key := ""
		for _, c := range r.Batch.Cols {
			key += fmt.Sprintf("%+v ", c.Peek(r.Row))
		}
		if r.Batch.Op(r.Row) == batch.Insert {
			told++
			without[key]++
		} else if without[key]--; without[key] < 0 {
			t.Errorf("group %s is taken back, and has not been told", key)
		}
		return nil
	}
	var large [][]types.Value
	for range 150 {
		k := string(rune('a' + rng.IntN(3)))
		switch what := rng.IntN(10); {
		case what == 0:
			s.steps = append(s.steps, step{kind: "barrier"})
		case what < 3:
			large = append(large, tooMuch(rng, k, int64(rng.IntN(30))))
			s.add(0, batch.Insert, large[len(large)-1])
		case what < 5 && len(large) > 0:
			at := rng.IntN(len(large))
			s.add(0, batch.Delete, large[at])
			large = slices.Delete(large, at, at+1)
		default:
			row := ordinary(rng, k, int64(rng.IntN(30)))
			s.add(0, batch.Insert, row)
			plain.add(0, batch.Insert, row)
		}
	}
	s.steps = append(s.steps, step{kind: "barrier"})
	for _, row := range large {
		s.add(0, batch.Delete, row)
	}
	end := []step{{kind: "barrier"}, {kind: "end"}}
	s.steps, plain.steps = append(s.steps, end...), append(plain.steps, end...)
	want := plain.run(t, mode{batch: 1024, tasks: []int{1}, coalesce: 1})
	for _, m := range []mode{{batch: 1, tasks: []int{1}, coalesce: 1}, {batch: 7, tasks: []int{1}, restart: true, coalesce: 20}, {batch: 1024, tasks: []int{2, 1, 3}, restart: true}} {
		told = 0
		clear(without)
		got := s.run(t, m)
		if strings.Contains(got.text, "error") {
			t.Fatalf("%+v: %s", m, got.text)
		}
		if !maps.Equal(got.total, want.total) {
			t.Fatalf("%+v: the output has\n%v\nand should have\n%v", m, show(got.total), show(want.total))
		}
		if int64(told) != got.bad || told == 0 && m.coalesce == 1 {
			t.Fatalf("%+v: %d groups told, %d counted", m, told, got.bad)
		}
		if maps.DeleteFunc(without, func(_ string, n int) bool { return n == 0 }); len(without) > 0 {
			t.Fatalf("%+v: these groups have a value, and have not been taken back: %v", m, without)
		}
	}
}

// TestRefusedWindows has a group of every window that emits as it closes be without a
// value: the others must be emitted as without it.
func TestRefusedWindows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	sums := "count(*), sum(n), avg(b), sum(x), avg(x), sum(i), avg(i), stddev_samp(n), min(x), max(i)"
	for _, op := range []string{"window_aggregate on close tumble(ts,10) by k: " + sums, "window_aggregate on close hop(ts,10,5) by k: " + sums, "window_aggregate on close hop(ts,10,5) by k: count(*), sum(i), percentile_cont(0.3; i)",
		"window_aggregate on close cumulate(ts,12,4) by k: " + sums, "window_aggregate on close session(ts,6) by k: " + sums, "window_aggregate session(ts,6) by k: " + sums,
		"aggregate by k: count(*), sum(i), first_value(n), last_value(b), any_value(x), approx_count_distinct(b), approx_count_distinct(n), var_samp(b)",
		"window_aggregate on close tumble(ts,10) by k: count(*), sum(i), first_value(n order by b), last_value(b order by n), any_value(x), approx_count_distinct(b), var_samp(n)",
		"aggregate by k: " + sums, "aggregate by k: percentile_cont(0.3; i), percentile_disc(0.2; x)", "bounded\naggregate by k: " + sums} {
		s, plain := mustParse(t, refusedInput+op), mustParse(t, refusedInput+op)
		for at := range int64(60) {
			for _, k := range []string{"a", "b"} {
				row := ordinary(rng, k, at)
				s.add(0, batch.Insert, row)
				plain.add(0, batch.Insert, row)
			}
			row := tooMuch(rand.New(rand.NewPCG(4, 3)), "z", at)
			row[6].Null, row[2].Null = false, false
			if row[6].Interval.Months = -row[6].Interval.Months; at%2 == 0 {
				row[6].Interval = types.Interval{Micros: math.MaxInt64, Days: math.MaxInt32, Months: math.MaxInt32}
			}
			s.add(0, batch.Insert, row)
			s.steps, plain.steps = append(s.steps, step{kind: "watermark", watermark: at}), append(plain.steps, step{kind: "watermark", watermark: at})
			if at%17 == 0 {
				s.steps, plain.steps = append(s.steps, step{kind: "barrier"}), append(plain.steps, step{kind: "barrier"})
			}
		}
		s.steps, plain.steps = append(s.steps, step{kind: "end"}), append(plain.steps, step{kind: "end"})
		keys := map[string]bool{}
		s.refused = func(_ context.Context, r *exec.Refused) error {
			keys[strings.Clone(r.Batch.Cols[len(r.Batch.Cols)-1].Str(0))] = true
			return nil
		}
		want := plain.run(t, mode{batch: 1024, tasks: []int{1}, coalesce: 1})
		for _, m := range []mode{{batch: 1, tasks: []int{1}, coalesce: 1}, {batch: 1024, tasks: []int{2, 1, 3}, restart: !s.bounded}} {
			clear(keys)
			got := s.run(t, m)
			if strings.Contains(got.text, "error") {
				t.Fatalf("%s: %+v: %s", op, m, got.text)
			}
			maps.DeleteFunc(got.total, func(row string, _ int) bool { // the first rows of z still have a value
				return strings.Contains(row, " z ") || strings.HasPrefix(row, "z ")
			})
			if !maps.Equal(got.total, want.total) {
				t.Fatalf("%s: %+v: the output has\n%v\nand should have\n%v", op, m, show(got.total), show(want.total))
			}
			if !maps.Equal(keys, map[string]bool{"z": true}) {
				t.Errorf("%s: %+v: told are %v", op, m, keys)
			}
		}
		s.refused = nil
		if got := s.run(t, mode{batch: 1024, tasks: []int{1}}); !strings.Contains(got.text, "22003") && !strings.Contains(got.text, "out of range") && !strings.Contains(got.text, "overflow") {
			t.Errorf("%s: without a policy the output is\n%s", op, got.text)
		}
	}
}

// TestRefusedLists has a group's lists be longer than a value may be, until most of its
// rows are gone.
func TestRefusedLists(t *testing.T) {
	const op = "input k text, s text\naggregate retract by k: count(*), array_agg(s order by s), string_agg(s order by s), first_value(s order by s desc), any_value(s)"
	s, plain := mustParse(t, op), mustParse(t, op)
	long, copies := types.Value{Bytes: strings.Repeat("x", 1<<20)}, types.ValueBytesMax>>20+1
	told := map[string]bool{}
	s.refused = func(_ context.Context, r *exec.Refused) error {
		told[strings.Clone(r.Batch.Cols[0].Str(0))] = true
		return nil
	}
	for _, change := range []batch.Op{batch.Insert, batch.Delete} {
		for range copies {
			s.add(0, change, []types.Value{{Bytes: "z"}, long})
		}
		for _, to := range []*script{s, plain} {
			for _, k := range []string{"a", "z"} {
				to.add(0, batch.Insert, []types.Value{{Bytes: k}, {Bytes: string('a' + rune(change))}})
			}
			to.steps = append(to.steps, step{kind: "barrier"})
		}
	}
	want := plain.run(t, mode{batch: 1024, tasks: []int{1}, coalesce: 1})
	for _, m := range []mode{{batch: 256, tasks: []int{1}, coalesce: 1 << 20}, {batch: 64, tasks: []int{2, 1, 3}, restart: true, coalesce: 1 << 20}} {
		clear(told)
		got := s.run(t, m)
		if !maps.Equal(got.total, want.total) || !maps.Equal(told, map[string]bool{"z": true}) {
			t.Fatalf("%+v: told are %v; the output has\n%v\nand should have\n%v", m, told, show(got.total), show(want.total))
		}
	}
	s.refused = nil
	if got := s.run(t, mode{batch: 256, tasks: []int{1}, coalesce: 1 << 20}); !strings.Contains(got.text, "is longer than") {
		t.Errorf("without a policy the output is\n%.500s", got.text)
	}
}

func mustParse(t *testing.T, text string) *script {
	t.Helper()
	s, err := parseScript(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
