package agg

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// An exact sum of intervals is kept in two slots: the sum, whose fields wrap around,
// and in rest how often each has. So a sum beyond the greatest interval has its value
// again when what was too much is taken away.

// newExactInterval sums intervals into the slot, and what does not fit into the slot
// rest.
func newExactInterval(rest uintptr) Accumulator {
	return Accumulator{
		Update: func(in *Input, off uintptr, col *batch.Column) error {
			for k := range in.Len() {
				i := k
				if in.Sel != nil {
					i = int(in.Sel[k])
				}
				sum, r := at[types.Interval](in.Rows[i], off), at[types.Interval](in.Rows[i], rest)
				if in.Sign != nil && in.Sign[i] < 0 {
					takeExactInterval(sum, r, &col.Interval[i])
				} else {
					addExactInterval(sum, r, &col.Interval[i], &types.Interval{})
				}
			}
			return nil
		},
		Merge: func(into, from []unsafe.Pointer, off uintptr) error {
			for i, r := range into {
				addExactInterval(at[types.Interval](r, off), at[types.Interval](r, rest), at[types.Interval](from[i], off), at[types.Interval](from[i], rest))
			}
			return nil
		},
	}
}

// addExactInterval adds v, which has wrapped around wraps times, to a sum.
func addExactInterval(sum, rest, v, wraps *types.Interval) {
	if *rest == lostInterval || *wraps == lostInterval {
		*rest = lostInterval
		return
	}
	micros := sum.Micros + v.Micros
	rest.Micros += wraps.Micros + wrapped(sum.Micros, v.Micros, micros)
	sum.Micros = micros
	sum.Days, rest.Days = wrap(sum.Days, rest.Days, int64(v.Days)+int64(wraps.Days)<<32)
	sum.Months, rest.Months = wrap(sum.Months, rest.Months, int64(v.Months)+int64(wraps.Months)<<32)
}

// takeExactInterval takes v from a sum.
func takeExactInterval(sum, rest, v *types.Interval) {
	if *rest == lostInterval {
		return
	}
	micros := sum.Micros - v.Micros
	rest.Micros -= wrapped(micros, v.Micros, sum.Micros)
	sum.Micros = micros
	sum.Days, rest.Days = wrap(sum.Days, rest.Days, -int64(v.Days))
	sum.Months, rest.Months = wrap(sum.Months, rest.Months, -int64(v.Months))
}

// wrapped is how often a + b, which came to sum, has wrapped around.
func wrapped(a, b, sum int64) int64 {
	switch {
	case a >= 0 && b >= 0 && sum < 0:
		return 1
	case a < 0 && b < 0 && sum >= 0:
		return -1
	}
	return 0
}

// wrap adds v to a field that has wrapped around rest times.
func wrap(field, rest int32, v int64) (int32, int32) {
	sum := int64(field) + int64(rest)<<32 + v
	low := int32(sum)
	return low, int32((sum - int64(low)) >> 32)
}

// AdoptInterval makes a sum of intervals that was kept without a rest one that has it:
// one that was too large then stays so.
func AdoptInterval(sum, rest unsafe.Pointer) {
	if *(*types.Interval)(sum) == lostInterval {
		*(*types.Interval)(rest) = lostInterval
	}
}

// intervalAt is a sum of intervals of a state row.
func intervalAt(r unsafe.Pointer, s *Slot) (types.Interval, error) {
	v := *at[types.Interval](r, s.Off)
	if s.Rest > 0 && *at[types.Interval](r, s.Rest) != (types.Interval{}) || s.Rest == 0 && v == lostInterval {
		return v, outOfRange("interval")
	}
	return v, nil
}
