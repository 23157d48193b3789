package operator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// challengersRun is an operator over the columns id, key, time, value and score, with
// the rows that came and those of them that got through.
type challengersRun struct {
	t      testing.TB
	op     exec.Operator
	spec   *graph.Challengers
	fields []types.Field
	mark   int64
	rows   [][]types.Value
	passed map[int64]bool
}

func newChallengersRun(t testing.TB, spec graph.Challengers, key, value types.Kind, env Env) *challengersRun {
	t.Helper()
	r := &challengersRun{t: t, spec: &spec, mark: exec.WatermarkMin, passed: map[int64]bool{}, fields: []types.Field{
		{Name: "id", Type: types.Of(types.Int64)}, {Name: "key", Type: types.Of(key)}, {Name: "time", Type: types.Of(types.Timestamp)},
		{Name: "value", Type: types.Of(value)}, {Name: "score", Type: types.Of(types.Int64)}}}
	spec.Alike = []int{1, 2}
	env.Inputs = [][]types.Field{r.fields}
	var err error
	r.op, err = New(&graph.Operator{ID: "c", Kind: graph.ChallengersKind, Mode: graph.AppendOnly, Fields: r.fields, Challengers: &spec}, env)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Emit implements exec.Output.
func (r *challengersRun) Emit(b *batch.Batch) error {
	for k := range b.Live() {
		r.passed[b.Cols[0].Int[b.RowAt(k)]] = true
	}
	return nil
}

// send gives the operator a batch of rows, with others in between that are not selected
// if holes is set, and checks what becomes of them.
func (r *challengersRun) send(rows [][]types.Value, holes bool) {
	r.t.Helper()
	var layout []types.Phys
	for _, f := range r.fields {
		layout = append(layout, f.Type.Phys())
	}
	b := batch.New(layout, 0)
	if holes {
		b.Sel = []uint16{}
	}
	for i, row := range rows {
		if holes && i%2 == 0 {
			for c, v := range rows[len(rows)-1] {
				b.Cols[c].AppendValue(v)
			}
			b.N++
		}
		for c, v := range row {
			b.Cols[c].AppendValue(v)
		}
		if b.N++; holes {
			b.Sel = append(b.Sel, uint16(b.N-1))
		}
	}
	if err := r.op.OnBatch(0, b, r); err != nil {
		r.t.Fatal(err)
	}
	for _, row := range rows {
		if !r.passed[row[0].Int] && !r.beaten(row) {
			r.t.Errorf("row %v did not get through at %d", row, r.mark)
		}
		r.rows = append(r.rows, row)
	}
}

// beaten reports whether a row may be left out: it is on time, and one like it got
// through before that is ahead of it.
func (r *challengersRun) beaten(row []types.Value) bool {
	late := r.spec.Late != nil && row[2].Int+r.spec.Late.Shift < r.mark
	if late || slices.ContainsFunc(row, func(v types.Value) bool { return v.Null }) {
		return false
	}
	better := make([]bool, len(r.spec.Order)) // or the same
	for _, x := range r.rows {
		if !r.passed[x[0].Int] || compareAs(r.fields[1].Type, x[1], row[1]) != 0 || x[2].Null || x[2].Int != row[2].Int {
			continue
		}
		ahead := 0
		for k, o := range r.spec.Order {
			by := 1 // a null is behind, whatever it is
			if !x[o.Column].Null {
				by = compareAs(r.fields[o.Column].Type, x[o.Column], row[o.Column])
				if o.Desc {
					by = -by
				}
			}
			better[k] = better[k] || by <= 0
			if ahead == 0 {
				ahead = by
			}
		}
		if !r.spec.Each && ahead < 0 {
			return true
		}
	}
	return r.spec.Each && !slices.Contains(better, false)
}

func compareAs(t types.Type, a, b types.Value) int {
	var x, y batch.Column
	x.Phys, y.Phys = t.Phys(), t.Phys()
	x.AppendValue(a)
	y.AppendValue(b)
	if a.Null || b.Null {
		return 1
	}
	return compareValues(&x, 0, &y, 0)
}

func valueAs(k types.Kind, n int64) types.Value {
	switch types.Of(k).Phys() {
	case types.PhysFloat:
		return types.Value{Float: float64(n) / 2}
	case types.PhysDecimal:
		return types.Value{Dec: types.Decimal{Lo: uint64(n), Scale: 1}}
	case types.PhysBytes:
		if n%5 == 0 {
			return types.Value{Bytes: fmt.Sprintf("a string that no entry of the table has room for, with number %d", n)}
		}
		return types.Value{Bytes: fmt.Sprintf("%03d", n)}
	case types.PhysUUID:
		return types.Value{UUID: [16]byte{byte(n), 15: byte(n)}}
	case types.PhysInterval:
		return types.Value{Interval: types.Interval{Days: int32(n), Micros: n}}
	case types.PhysBool:
		return types.Value{Bool: n%2 == 0}
	}
	return types.Value{Int: n}
}

// TestChallengersModel checks that whatever is left out may be, that rows get through
// that are late or have a null, and that most of what may be left out is.
func TestChallengersModel(t *testing.T) {
	seed := random.Seed(t)
	number := uint64(0)
	values := []types.Kind{types.Int64, types.Float64, types.Numeric}
	for _, key := range []types.Kind{types.Int64, types.Float64, types.Numeric, types.Text, types.UUID, types.IntervalK, types.Bool} {
		for _, value := range values {
			for _, each := range []bool{false, true} {
				for _, desc := range []bool{false, true} {
					number++
					rng := rand.New(rand.NewPCG(seed, number))
					spec := graph.Challengers{Each: each, Order: []graph.SortKey{{Column: 3, Desc: desc}, {Column: 4, Desc: rng.IntN(2) == 0}}, Late: &graph.Expiry{Column: 2, Shift: 3}}
					r := newChallengersRun(t, spec, key, value, Env{})
					r.model(rng, key, value)
					if t.Failed() {
						t.Fatalf("%s, %s, each %v, desc %v", types.Of(key), types.Of(value), each, desc)
					}
				}
			}
		}
	}
}

func (r *challengersRun) model(rng *rand.Rand, key, value types.Kind) {
	r.t.Helper()
	id := int64(0)
	for range 40 {
		rows := make([][]types.Value, 1+rng.IntN(20))
		for i := range rows {
			id++
			rows[i] = []types.Value{{Int: id}, valueAs(key, int64(rng.IntN(3))), {Int: max(r.mark, 0) + int64(rng.IntN(5)) - 4}, valueAs(value, int64(rng.IntN(8))), {Int: int64(rng.IntN(4))}}
			if rng.IntN(20) == 0 {
				rows[i][1+rng.IntN(4)] = types.NullValue
			}
		}
		r.send(rows, rng.IntN(3) == 0)
		if rng.IntN(8) == 0 {
			r.mark = max(r.mark, 0) + int64(rng.IntN(3))
			if err := r.op.OnWatermark(r.mark, r); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	may, left := 0, 0
	seen := r.rows
	r.rows = nil
	for _, row := range seen {
		if r.mark = exec.WatermarkMin; r.beaten(row) {
			may++
		}
		if !r.passed[row[0].Int] {
			left++
		}
		r.rows = append(r.rows, row)
	}
	if long := key == types.Text; left*2 < may && !long || left == 0 {
		r.t.Errorf("%d rows were left out, of %d that might be", left, may)
	}
}

// TestChallengersRest checks that rows of which none is beaten are soon not looked at,
// and that they are looked at again.
func TestChallengersRest(t *testing.T) {
	r := newChallengersRun(t, graph.Challengers{Each: true, Order: []graph.SortKey{{Column: 3, Desc: true}}}, types.Int64, types.Int64, Env{})
	c := r.op.(*challengers)
	send := func(n int, key func(i int) int64) {
		for from := 0; from < n; from += 1024 {
			b := batch.New([]types.Phys{types.PhysInt, types.PhysInt, types.PhysInt, types.PhysInt, types.PhysInt}, 0)
			for i := from; i < from+1024; i++ {
				for col, v := range []int64{int64(i), key(i), 0, 0, 0} {
					b.Cols[col].AppendValue(types.Value{Int: v})
				}
				b.N++
			}
			if err := c.OnBatch(0, b, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(challengersTried, func(i int) int64 { return int64(i) })
	if c.rest == 0 {
		t.Fatal("it goes on looking though nothing is left out")
	}
	send(challengersRest, func(int) int64 { return -1 })
	r.passed = map[int64]bool{}
	send(challengersTried, func(int) int64 { return -1 })
	if len(r.passed) != 1 || c.rest > 0 {
		t.Errorf("%d rows got through, and %d more will, though one is enough", len(r.passed), c.rest)
	}
}

// TestChallengersExpire checks that all rows get through where state has a lifetime: a
// row then counts by when it comes, too.
func TestChallengersExpire(t *testing.T) {
	r := newChallengersRun(t, graph.Challengers{Each: true, Order: []graph.SortKey{{Column: 3, Desc: true}}}, types.Int64, types.Int64, Env{Expires: true})
	for i := range 3 {
		r.send([][]types.Value{{{Int: int64(i)}, {Int: 1}, {Int: 1}, {Int: 5}, {Int: 5}}}, false)
	}
	if len(r.passed) != 3 {
		t.Errorf("%d of 3 rows got through", len(r.passed))
	}
}
