package batch

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// Random mixtures of batches whose strings lie in fixed arenas and in their own,
// against values; fixed arenas stay as they are.
func TestAppendSharingAgainstValues(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 2))
	const text = "0123456789abcdef"
	fixed := [2][]byte{[]byte(text), []byte(text)[1:]}
	source := func() *Batch {
		b := New([]types.Phys{types.PhysBytes}, 0)
		c := b.Cols[0]
		if k := r.IntN(4); k < len(fixed) {
			c.Arena, c.Fixed = fixed[k], true
		}
		for b.N < 1+r.IntN(100) {
			switch {
			case r.IntN(5) == 0:
				c.Resize(b.N + 1)
				c.Views[b.N] = View{}
				c.SetNull(b.N, b.N+1)
			case c.Fixed:
				off := r.IntN(len(c.Arena))
				c.Views = append(c.Views, View{uint32(off), uint32(r.IntN(len(c.Arena) - off))})
			default:
				c.Views = append(c.Views, c.AddStr(fmt.Sprint(r.IntN(1000))))
			}
			b.N++
		}
		return b
	}
	dst := New([]types.Phys{types.PhysBytes}, 0)
	for range 500 {
		dst.Reset()
		var want []types.Value
		for range r.IntN(4) {
			src := source()
			if r.IntN(2) == 0 {
				src.Sel = []uint16{}
				for i := range src.N {
					if r.IntN(2) == 0 {
						src.Sel = append(src.Sel, uint16(i))
					}
				}
			}
			for k := range src.Live() {
				want = append(want, src.Cols[0].Value(src.RowAt(k)))
			}
			if r.IntN(4) == 0 {
				dst.AppendSelected(src, src.Sel)
			} else {
				dst.AppendSharing(src, src.Sel)
			}
		}
		if dst.N != len(want) {
			t.Fatalf("seed %d: %d rows, want %d", seed, dst.N, len(want))
		}
		for i := range want {
			if got := dst.Cols[0].Value(i); got != want[i] {
				t.Fatalf("seed %d: row %d is %v, want %v", seed, i, got, want[i])
			}
		}
	}
	if string(fixed[0]) != text || string(fixed[1]) != text[1:] {
		t.Errorf("seed %d: a fixed arena was written: %q, %q", seed, fixed[0], fixed[1])
	}
}

// Rows out of one fixed arena are taken over without copies, and after a reset the
// column has no part in it.
func TestAppendSharingCopiesNothing(t *testing.T) {
	src := New([]types.Phys{types.PhysBytes}, 0)
	src.Cols[0].Arena, src.Cols[0].Fixed = []byte("constant"), true
	src.Cols[0].Views, src.N = []View{{0, 8}, {3, 2}}, 2
	dst := New([]types.Phys{types.PhysBytes}, 0)
	for range 2 {
		dst.AppendSharing(src, nil)
	}
	if got := dst.Cols[0].Arena; unsafe.SliceData(got) != unsafe.SliceData(src.Cols[0].Arena) || dst.Cols[0].Str(3) != "st" {
		t.Errorf("row 3 is %q, in an arena of its own", dst.Cols[0].Str(3))
	}
	dst.Reset()
	dst.Cols[0].Append(types.Value{Bytes: "own"})
	if got := src.Cols[0].Str(0); got != "constant" || dst.Cols[0].Fixed {
		t.Errorf("the source has %q after the receiver was used again", got)
	}
}

// TestReferAgainstValues makes columns of rows of others, by reference and by copy in
// turns: what they refer to stays as it is, whatever comes after.
func TestReferAgainstValues(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, typ := range []types.Type{types.Of(types.Text), types.Of(types.Int64)} {
		dst := NewColumn(typ.Phys(), 0)
		for round := range 300 {
			n := 1 + r.IntN(50)
			src, sel := NewColumn(typ.Phys(), n), []uint16{}
			for i := range n {
				if typ.Phys() == types.PhysInt {
					src.Int[i] = int64(i)
				} else {
					src.Views[i] = src.AddStr(fmt.Sprint("string ", r.IntN(1000)))
				}
				if r.IntN(2) == 0 {
					sel = append(sel, uint16(i))
				}
			}
			for i := range n {
				if round%2 == 0 && r.IntN(5) == 0 {
					src.SetNull(i, n)
				}
			}
			src.Fixed = typ.Phys() == types.PhysBytes && r.IntN(4) == 0
			before := string(src.Arena)
			refers := r.IntN(2) == 0
			if refers {
				dst.Refer(src, sel)
			} else {
				dst.Reset()
				dst.AppendFrom(src, sel, len(sel))
			}
			if dst.Fixed != (refers && src.Fixed) {
				t.Fatalf("round %d: fixed is %t", round, dst.Fixed)
			}
			for k, i := range sel {
				if got, want := dst.Value(k), src.Value(int(i)); got != want {
					t.Fatalf("round %d: row %d is %v, want %v", round, k, got, want)
				}
			}
			dst.Reset()
			dst.AppendFrom(NewColumn(typ.Phys(), 3), nil, 3)
			if typ.Phys() == types.PhysBytes {
				dst.AddStr("something else, longer than what was there")
			}
			if string(src.Arena) != before {
				t.Fatalf("round %d: a column that was referred to has changed", round)
			}
		}
	}
}
