package agg

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// scaledAt is a numeric sum with the scale that its values have now: that of
// values which are gone stays in the slot. times is 2 for squares.
func scaledAt(r unsafe.Pointer, sum, scale uintptr, times int32) (types.Decimal, error) {
	d := *at[types.Decimal](r, sum)
	if scale == 0 || d.Special != 0 {
		return d, nil
	}
	return d.Round(min(int32(*at[int64](r, scale))*times, types.DecimalDigitsMax))
}

// newScaledSum is a numeric sum, null for no values.
func newScaledSum(slots []Slot, scale uintptr) Output {
	sum := slots[0].Off
	return perRow(slots[1].Off, func(r unsafe.Pointer, _ int64, dst *batch.Column, i int) (err error) {
		dst.Dec[i], err = scaledAt(r, sum, scale, 1)
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
