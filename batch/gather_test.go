package batch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// Random gathers, with columns reused, against values copied one by one.
func TestAppendFromAgainstValues(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 2))
	value := func(p types.Phys) types.Value {
		if r.IntN(4) == 0 {
			return types.NullValue
		}
		n := r.IntN(1000)
		switch p {
		case types.PhysBool:
			return types.Value{Bool: n%2 == 0}
		case types.PhysInt:
			return types.Value{Int: int64(n)}
		case types.PhysFloat:
			return types.Value{Float: float64(n)}
		case types.PhysDecimal:
			return types.Value{Dec: types.Decimal{Lo: uint64(n)}}
		case types.PhysInterval:
			return types.Value{Interval: types.Interval{Micros: int64(n)}}
		case types.PhysUUID:
			return types.Value{UUID: [16]byte{byte(n)}}
		}
		return types.Value{Bytes: fmt.Sprint(n)[n%2:]}
	}
	layouts := []types.Phys{types.PhysBool, types.PhysInt, types.PhysFloat, types.PhysDecimal, types.PhysBytes, types.PhysInterval, types.PhysUUID}
	for _, p := range layouts {
		dst := NewColumn(p, 0)
		for range 50 {
			dst.Reset()
			var want []types.Value
			for range 3 {
				src := NewColumn(p, 0)
				n := r.IntN(200)
				nulls := r.IntN(2) == 0
				var sel []uint16
				for i := range n {
					v := value(p)
					if v.Null && !nulls {
						v = types.Value{}
					}
					src.Append(v)
					if r.IntN(2) == 0 {
						sel = append(sel, uint16(i))
					}
				}
				if r.IntN(2) == 0 || sel == nil {
					dst.AppendFrom(src, nil, n)
					for i := range n {
						want = append(want, src.Value(i))
					}
				} else {
					dst.AppendFrom(src, sel, 0)
					for _, i := range sel {
						want = append(want, src.Value(int(i)))
					}
				}
				if n > 0 {
					dst.AppendRow(src, n-1)
					want = append(want, src.Value(n-1))
				}
			}
			for i := range want {
				if got := dst.Value(i); got != want[i] {
					t.Fatalf("seed %d, layout %d, row %d: %+v, want %+v", seed, p, i, got, want[i])
				}
			}
		}
	}
}

func TestAppendBatchKeepsOps(t *testing.T) {
	src := New([]types.Phys{types.PhysInt}, 0)
	for i := range 4 {
		src.Cols[0].Append(types.Value{Int: int64(i)})
	}
	src.N = 4
	b := New([]types.Phys{types.PhysInt}, 0)
	b.AppendBatch(src) // inserts only
	src.Ops, src.Sel = []Op{Insert, Delete, UpdateBefore, UpdateAfter}, []uint16{1, 3}
	b.AppendBatch(src)
	src.Ops, src.Sel = nil, []uint16{0}
	b.AppendBatch(src)
	if got := fmt.Sprint(b.N, b.Cols[0].Int, b.Ops); got != "7 [0 1 2 3 1 3 0] [insert insert insert insert delete update_after insert]" {
		t.Error(got)
	}
}

func TestWithout(t *testing.T) {
	b := &Batch{N: 6, Sel: []uint16{1, 2, 4, 5}}
	for _, tt := range []struct {
		skip []int
		want []uint16
	}{{nil, []uint16{1, 2, 4, 5}}, {[]int{0, 2}, []uint16{2, 5}}, {[]int{0, 1, 2, 3}, []uint16{}}} {
		if got := b.Without(tt.skip); !slices.Equal(got.Sel, tt.want) || got.N != 6 {
			t.Errorf("without %v: %v", tt.skip, got.Sel)
		}
	}
	if got := (&Batch{N: 3}).Without([]int{1}); !slices.Equal(got.Sel, []uint16{0, 2}) {
		t.Error(got.Sel)
	}
}
