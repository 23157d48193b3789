package agg

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// TestExactInterval adds intervals of all sizes, takes some away, and puts such sums
// together: their value is what integers without bounds come to, if that is an interval.
func TestExactInterval(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	type row struct{ sum, rest types.Interval }
	k := newExactInterval(unsafe.Offsetof(row{}.rest))
	slot := Slot{Func: "sum", Off: unsafe.Offsetof(row{}.sum), Rest: unsafe.Offsetof(row{}.rest)}
	random := func() types.Interval {
		v := types.Interval{Micros: int64(rng.Uint64()), Days: int32(rng.Uint32()), Months: int32(rng.Uint32())}
		switch rng.IntN(4) {
		case 0:
			v = types.Interval{Micros: math.MinInt64, Days: math.MinInt32, Months: math.MinInt32}
		case 1:
			v = types.Interval{Micros: math.MaxInt64, Days: math.MaxInt32, Months: math.MaxInt32}
		}
		return v
	}
	inRange, beyond := 0, 0
	for range 2000 {
		var rows [2]row
		var want [2][3]big.Int
		col := &batch.Column{Phys: types.PhysInterval, Interval: []types.Interval{{}}}
		fold := func(i int, v types.Interval, sign int64) {
			col.Interval[0] = v
			in := &Input{N: 1, Rows: []unsafe.Pointer{unsafe.Pointer(&rows[i])}, Sign: []int64{sign}}
			if err := k.Update(in, slot.Off, col); err != nil {
				t.Fatal(err)
			}
			for f, x := range []int64{v.Micros, int64(v.Days), int64(v.Months)} {
				want[i][f].Add(&want[i][f], new(big.Int).Mul(big.NewInt(sign), big.NewInt(x)))
			}
		}
		var there [2][]types.Interval
		for range rng.IntN(12) {
			i := rng.IntN(2)
			if n := len(there[i]); n > 0 && rng.IntN(2) == 0 {
				at := rng.IntN(n)
				fold(i, there[i][at], -1)
				there[i][at] = there[i][n-1]
				there[i] = there[i][:n-1]
				continue
			}
			there[i] = append(there[i], random())
			fold(i, there[i][len(there[i])-1], 1)
		}
		if rng.IntN(2) == 0 {
			if err := k.Merge([]unsafe.Pointer{unsafe.Pointer(&rows[0])}, []unsafe.Pointer{unsafe.Pointer(&rows[1])}, slot.Off); err != nil {
				t.Fatal(err)
			}
			for f := range 3 {
				want[0][f].Add(&want[0][f], &want[1][f])
			}
		}
		got, err := intervalAt(unsafe.Pointer(&rows[0]), &slot)
		x := &want[0]
		fits := x[0].IsInt64() && x[1].IsInt64() && x[1].Int64() == int64(int32(x[1].Int64())) && x[2].IsInt64() && x[2].Int64() == int64(int32(x[2].Int64()))
		if !fits {
			if beyond++; err == nil {
				t.Fatalf("%v %v %v has the value %+v", &x[0], &x[1], &x[2], got)
			}
			continue
		}
		if inRange++; err != nil || got != (types.Interval{Micros: x[0].Int64(), Days: int32(x[1].Int64()), Months: int32(x[2].Int64())}) {
			t.Fatalf("%v %v %v has the value %+v, %v", &x[0], &x[1], &x[2], got, err)
		}
	}
	if inRange < 100 || beyond < 100 {
		t.Errorf("%d sums in range, %d beyond", inRange, beyond)
	}
}

// TestAdoptInterval goes on with sums that were kept without a rest.
func TestAdoptInterval(t *testing.T) {
	type row struct{ sum, rest types.Interval }
	slot := Slot{Func: "sum", Rest: unsafe.Offsetof(row{}.rest)}
	for _, c := range []struct {
		sum  types.Interval
		lost bool
	}{{types.Interval{Micros: 5, Days: 7}, false}, {lostInterval, true}} {
		x := row{sum: c.sum}
		AdoptInterval(unsafe.Pointer(&x.sum), unsafe.Pointer(&x.rest))
		takeExactInterval(&x.sum, &x.rest, &types.Interval{Days: 2})
		addExactInterval(&x.sum, &x.rest, &types.Interval{Months: 1}, &types.Interval{})
		got, err := intervalAt(unsafe.Pointer(&x), &slot)
		if (err != nil) != c.lost || !c.lost && got != (types.Interval{Micros: 5, Days: 5, Months: 1}) {
			t.Errorf("%+v becomes %+v, %v", c.sum, got, err)
		}
	}
}
