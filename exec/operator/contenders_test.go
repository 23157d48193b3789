package operator

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

const contest10 = 10 // the length of a test's windows

// contender is a row of a test: its number, its value and its time.
type contender struct {
	id    int64
	value int64 // of which the column's value is made, in the same order
	time  int64
	null  [2]bool // value, time
}

// contendersRun is an operator over the columns id, value, time, with what it let
// through.
type contendersRun struct {
	t      testing.TB
	op     exec.Operator
	spec   graph.Contenders
	typ    types.Type
	passed map[int64]int
}

func newContendersRun(t testing.TB, spec graph.Contenders, typ types.Type) *contendersRun {
	t.Helper()
	spec.Value, spec.Time = 1, 2
	spec.Spec = logical.WindowSpec{Kind: logical.Tumble, Size: contest10, Offset: 3}
	r := &contendersRun{t: t, spec: spec, typ: typ, passed: map[int64]int{}}
	r.restart()
	return r
}

func (r *contendersRun) restart() {
	r.t.Helper()
	fields := []types.Field{{Name: "id", Type: types.Of(types.Int64)}, {Name: "value", Type: r.typ}, {Name: "time", Type: types.Of(types.Timestamp)}}
	op, err := New(&graph.Operator{ID: "c", Kind: graph.ContendersKind, Mode: graph.AppendOnly, Fields: fields, Contenders: &r.spec}, Env{Inputs: [][]types.Field{fields}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.op = op
}

// Emit implements exec.Output.
func (r *contendersRun) Emit(b *batch.Batch) error {
	for k := range b.Live() {
		r.passed[b.Cols[0].Int[b.RowAt(k)]]++
	}
	return nil
}

// send gives the operator a batch of the rows, with others in between that are not
// selected if holes is set.
func (r *contendersRun) send(rows []contender, holes bool) {
	r.t.Helper()
	b := batch.New([]types.Phys{types.PhysInt, r.typ.Phys(), types.PhysInt}, 0)
	if holes {
		b.Sel = []uint16{}
	}
	for _, c := range rows {
		if holes {
			r.add(b, contender{id: -1, value: 1000, time: c.time})
			b.Sel = append(b.Sel, uint16(b.N))
		}
		r.add(b, c)
	}
	if err := r.op.OnBatch(0, b, r); err != nil {
		r.t.Fatal(err)
	}
}

func (r *contendersRun) add(b *batch.Batch, c contender) {
	b.Cols[0].AppendValue(types.Value{Int: c.id})
	v := types.Value{Int: c.value}
	switch r.typ.Phys() {
	case types.PhysFloat:
		v = types.Value{Float: float64(c.value) / 2}
	case types.PhysDecimal:
		v = types.Value{Dec: types.Decimal{Lo: uint64(c.value), Scale: 1}}
	case types.PhysBytes:
		v = types.Value{Bytes: fmt.Sprintf("%03d", c.value)}
	}
	if c.null[0] {
		v = types.NullValue
	}
	at := types.Value{Int: c.time}
	if c.null[1] {
		at = types.NullValue
	}
	b.Cols[1].AppendValue(v)
	b.Cols[2].AppendValue(at)
	b.N++
}

func (r *contendersRun) watermark(w int64) {
	r.t.Helper()
	if err := r.op.OnWatermark(w, r); err != nil {
		r.t.Fatal(err)
	}
}

// window is where the window of a row begins, and whether the row is at its bound.
func (r *contendersRun) window(c contender) (start int64, bound bool) {
	switch r.spec.Bound {
	case graph.WindowStart:
		return c.time, false
	case graph.WindowEnd:
		return c.time - contest10, false
	}
	start = floorTo(c.time, contest10, 3)
	return start, start == c.time
}

// TestContendersModel checks that all rows come through that may have their window's
// extremum, at any bound that counts both windows in, and that rows get through that
// an operator after it has to count as late; and that, of rows in one batch, no others
// do.
func TestContendersModel(t *testing.T) {
	seed := random.Seed(t)
	number := uint64(0)
	for _, kind := range []types.Kind{types.Int64, types.Float64, types.Numeric, types.Text} {
		for _, bound := range []graph.WindowBound{"", graph.WindowStart, graph.WindowEnd} {
			for _, greatest := range []bool{false, true} {
				for range 30 {
					number++
					r := newContendersRun(t, graph.Contenders{Greatest: greatest, Bound: bound}, types.Of(kind))
					r.model(rand.New(rand.NewPCG(seed, number)))
					if t.Failed() {
						t.Fatalf("of %s, bound %q, greatest %v", types.Of(kind), bound, greatest)
					}
				}
			}
		}
	}
}

func (r *contendersRun) model(rng *rand.Rand) {
	better := -1
	if r.spec.Greatest {
		better = 1
	}
	best := map[int64]int64{} // by window: what the aggregate has counted
	mark, next := int64(exec.WatermarkMin), int64(0)
	for range 40 {
		var rows []contender
		for range 1 + rng.IntN(20) {
			next++
			c := contender{id: next, value: int64(rng.IntN(30)), time: max(mark, 0) - 15 + int64(rng.IntN(40)), null: [2]bool{rng.IntN(25) == 0, rng.IntN(25) == 0}}
			if r.spec.Bound != "" {
				c.time = floorTo(c.time, contest10, 3)
			}
			rows = append(rows, c)
		}
		calm := rng.IntN(2) == 0
		if calm { // in time, of one window, and without nulls
			at := floorTo(max(mark, 0)+contest10, contest10, 3)
			for i := range rows {
				rows[i].null = [2]bool{}
				if rows[i].time = at; r.spec.Bound == "" {
					rows[i].time += 1 + int64(rng.IntN(contest10-1))
				}
			}
		}
		counts := func(c contender) bool {
			start, _ := r.window(c)
			return !c.null[0] && !c.null[1] && start+contest10 > mark
		}
		for _, c := range rows {
			start, _ := r.window(c)
			if old, ok := best[start]; counts(c) && (!ok || cmp.Compare(c.value, old) == better) {
				best[start] = c.value
			}
		}
		started := mark != exec.WatermarkMin
		r.send(rows, rng.IntN(2) == 0)
		for _, c := range rows {
			start, atBound := r.window(c)
			behind := r.spec.Bound == "" && c.time < mark
			may := !counts(c) || atBound || behind || c.value == best[start]
			switch passed := r.passed[c.id]; {
			case passed > 1 || may && passed == 0:
				r.t.Errorf("row %+v came through %d times at watermark %d", c, passed, mark)
			case !may && passed > 0 && started:
				// What was seen before a restart is forgotten, and before the first watermark
				// nothing is remembered.
				if slices.ContainsFunc(rows, func(o contender) bool {
					s, _ := r.window(o)
					return s == start && counts(o) && !(r.spec.Bound == "" && o.time < mark) && cmp.Compare(o.value, c.value) == better
				}) {
					r.t.Errorf("row %+v came through although another one of its batch is better", c)
				}
			}
		}
		switch rng.IntN(8) {
		case 0, 1:
			mark = max(mark, 0) + int64(rng.IntN(12))
			r.watermark(mark)
		case 2:
			r.restart()
			r.watermark(mark)
		}
	}
	r.watermark(exec.WatermarkMax)
	if n := len(r.op.(*contenders).open); n > 0 {
		r.t.Errorf("%d windows are remembered at the end", n)
	}
	if r.passed[-1] > 0 {
		r.t.Errorf("rows came through that were not selected")
	}
}

// TestContendersForget checks that what is remembered of closed windows goes, and that
// of an open one what was seen in earlier batches counts.
func TestContendersForget(t *testing.T) {
	r := newContendersRun(t, graph.Contenders{Greatest: true}, types.Of(types.Int64))
	r.watermark(0)
	r.send([]contender{{id: 1, value: 7, time: 4}, {id: 2, value: 5, time: 5}, {id: 3, value: 1, time: 24}}, false)
	r.send([]contender{{id: 4, value: 6, time: 6}, {id: 5, value: 7, time: 7}}, false)
	r.send([]contender{{id: 6, value: 6, time: 8}}, false)
	if got, want := fmt.Sprint(r.passed), "map[1:1 3:1 5:1]"; got != want {
		t.Errorf("came through: %s, want %s", got, want)
	}
	r.watermark(13)
	if n := len(r.op.(*contenders).open); n != 1 {
		t.Errorf("%d windows are remembered after one of two has closed", n)
	}
}

// BenchmarkContenders is over batches in which the best value came long ago.
func BenchmarkContenders(b *testing.B) {
	r := newContendersRun(b, graph.Contenders{Greatest: true}, types.Of(types.Int64))
	r.watermark(0)
	var rows []contender
	for i := range batch.RowsDefault {
		rows = append(rows, contender{value: int64(i), time: 4 + int64(i%9)})
	}
	r.send(rows, false)
	in := batch.New([]types.Phys{types.PhysInt, types.PhysInt, types.PhysInt}, 0)
	for _, c := range rows[:len(rows)-1] {
		r.add(in, c)
	}
	for b.Loop() {
		if err := r.op.OnBatch(0, in, r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(in.N), "ns/row")
}
