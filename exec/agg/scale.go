package agg

import (
	"math/big"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// scaledAt is a numeric sum with the scale that its values have now: that of
// values which are gone stays in the slot.
func scaledAt(r unsafe.Pointer, sum, scale uintptr) (types.Decimal, error) {
	d, err := at[types.Decimal](r, sum).Total()
	if err != nil || scale == 0 || d.Special != 0 {
		return d, err
	}
	return d.Round(min(int32(*at[int64](r, scale)), types.DecimalDigitsMax))
}

// bigAt is a numeric sum of any size, scaled as by scaledAt; times is 2 for squares.
func bigAt(r unsafe.Pointer, sum, scale uintptr, times int32) (x *big.Int, to int32, err error) {
	x, from, beyond := at[types.Decimal](r, sum).Sum()
	if beyond != 0 {
		return nil, 0, outOfRange("numeric")
	}
	if scale == 0 {
		return x, from, nil
	}
	if to = min(int32(*at[int64](r, scale))*times, types.DecimalDigitsMax); to < from {
		return divRound(x, bigPow10(from-to)), to, nil
	}
	return x.Mul(x, bigPow10(to-from)), to, nil
}

// newScaledSum is a numeric sum, null for no values.
func newScaledSum(slots []Slot, scale uintptr) Output {
	sum := slots[0].Off
	return perRow(slots[1].Off, func(r unsafe.Pointer, _ int64, dst *batch.Column, i int) (err error) {
		dst.Dec[i], err = scaledAt(r, sum, scale)
		return err
	})
}

// newFiniteSum makes of a sum of numerics one that leaves out NaN and the
// infinities, which could not be taken away again.
func newFiniteSum(update func(in *Input, off uintptr, col *batch.Column) error) Accumulator {
	var kept []uint16
	return Accumulator{
		Merge: mergeDecimal,
		Update: func(in *Input, off uintptr, col *batch.Column) error {
			kept = room(kept, in.Sel, in.N)[:0]
			for k := range in.Len() {
				i := k
				if in.Sel != nil {
					i = int(in.Sel[k])
				}
				if col.Dec[i].Special == 0 {
					kept = append(kept, uint16(i))
				}
			}
			finite := *in
			finite.Sel = kept
			return update(&finite, off, col)
		},
	}
}
