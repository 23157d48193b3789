package agg

import (
	"math"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// Slot is where an accumulator lies in a state row, and what it is.
type Slot struct {
	Func string
	Off  uintptr
	Rest uintptr // of an exact sum
	Type types.Type
}

// Supplement is what an output goes by beside its accumulators.
type Supplement struct {
	// Specials are the offsets of the counts of NaN, infinity and minus infinity
	// among the argument's values, or of each argument's in turn; nil: they are in
	// the sums.
	Specials []uintptr
	// Scale is the slot of the greatest scale among the values, 0 for none: sums
	// have it, whatever the scale of values that are gone.
	Scale uintptr
}

// Output computes one result column: value i from state row rows[i]. The column
// is resized and overwritten.
type Output func(rows []unsafe.Pointer, dst *batch.Column) error

// NewOutput returns the kernel of output function fn over the slots that the
// graph lists for it, giving values of type out.
func NewOutput(fn string, slots []Slot, more Supplement, out types.Type, strings Bytes) (Output, error) {
	if len(slots) == 6 && len(more.Specials) == 6 {
		return newRegression(fn, slots, [2]specials{specials(more.Specials[:3]), specials(more.Specials[3:])}), nil
	}
	o, err := newOutput(fn, slots, more.Scale, out, strings)
	if err == nil && len(more.Specials) == 3 {
		spread := slots[0].Func == "sum_squares" || slots[0].Func == "sum_squares_finite"
		o = withSpecials(o, specials(more.Specials), spread, slots[len(slots)-1].Off)
	}
	return o, err
}

func newOutput(fn string, slots []Slot, scale uintptr, out types.Type, strings Bytes) (Output, error) {
	switch fn {
	case "value":
		if scale > 0 {
			return newScaledSum(slots, scale), nil
		}
		return newValue(slots, out, strings)
	case "avg":
		return newAverage(slots, scale, out)
	case "stddev_samp", "stddev_pop", "var_samp", "var_pop":
		return newVariance(fn, slots, scale, out)
	case "approx_count_distinct":
		return newApproxCount(slots), nil
	}
	return nil, pgerr.NotSupported(-1, "aggregate function "+fn)
}

func newValue(slots []Slot, out types.Type, strings Bytes) (Output, error) {
	off := slots[0].Off
	switch slots[0].Func {
	case "count":
		return func(rows []unsafe.Pointer, dst *batch.Column) error {
			start(dst, len(rows))
			for i, r := range rows {
				dst.Int[i] = max(*at[int64](r, off), 0)
			}
			return nil
		}, nil
	case "bool_and":
		return guard(slots, func(rows []unsafe.Pointer, dst *batch.Column) {
			for i, r := range rows {
				dst.Bool[i] = *at[int64](r, off) <= 0
			}
		}), nil
	case "bool_or":
		return guard(slots, func(rows []unsafe.Pointer, dst *batch.Column) {
			for i, r := range rows {
				dst.Bool[i] = *at[int64](r, off) > 0
			}
		}), nil
	}
	switch out.Phys() {
	case types.PhysInt:
		return guard(slots, func(rows []unsafe.Pointer, dst *batch.Column) {
			for i, r := range rows {
				dst.Int[i] = *at[int64](r, off)
			}
		}), nil
	case types.PhysFloat:
		if out.Kind == types.Float32 {
			return newReal(slots), nil
		}
		return guardSum(slots, func(rows []unsafe.Pointer, dst *batch.Column) (err error) {
			for i, r := range rows {
				if dst.Float[i], err = floatAt(r, &slots[0]); err != nil {
					return err
				}
			}
			return nil
		}), nil
	case types.PhysDecimal:
		return guardSum(slots, func(rows []unsafe.Pointer, dst *batch.Column) (err error) {
			for i, r := range rows {
				if dst.Dec[i], err = at[types.Decimal](r, off).Total(); err != nil {
					return err
				}
			}
			return nil
		}), nil
	case types.PhysInterval:
		if slots[0].Func == "sum" {
			return perRow(slots[1].Off, func(r unsafe.Pointer, _ int64, dst *batch.Column, i int) (err error) {
				dst.Interval[i], err = intervalAt(r, &slots[0])
				return err
			}), nil
		}
		return guard(slots, func(rows []unsafe.Pointer, dst *batch.Column) {
			for i, r := range rows {
				dst.Interval[i] = *at[types.Interval](r, off)
			}
		}), nil
	case types.PhysUUID:
		return guard(slots, func(rows []unsafe.Pointer, dst *batch.Column) {
			for i, r := range rows {
				dst.UUID[i] = *at[[16]byte](r, off)
			}
		}), nil
	case types.PhysBytes:
		return newStringValue(slots, strings), nil
	}
	return nil, pgerr.NotSupported(-1, "an aggregate of type "+out.String())
}

// newReal rounds a sum kept as double precision to real.
func newReal(slots []Slot) Output {
	return guardSum(slots, func(rows []unsafe.Pointer, dst *batch.Column) error {
		for i, r := range rows {
			f, err := floatAt(r, &slots[0])
			if err != nil {
				return err
			}
			if dst.Float[i] = float64(float32(f)); math.IsInf(dst.Float[i], 0) && !math.IsInf(f, 0) {
				return floatOverflow()
			}
		}
		return nil
	})
}

func newStringValue(slots []Slot, strings Bytes) Output {
	off := slots[0].Off
	return guard(slots, func(rows []unsafe.Pointer, dst *batch.Column) {
		dst.Arena = dst.Arena[:0]
		for i, r := range rows {
			v := *at[batch.View](r, off)
			if v == unset {
				dst.Views[i] = batch.View{}
				continue
			}
			o := len(dst.Arena)
			dst.Arena = append(dst.Arena, strings.Bytes(v)...)
			dst.Views[i] = batch.View{Off: uint32(o), Len: uint32(len(dst.Arena) - o)}
		}
	})
}

func start(dst *batch.Column, n int) {
	dst.HasNulls = false
	dst.Resize(n)
}

// guard runs write and then makes null what has no value: where the companion
// count, the second slot, is not above zero.
func guard(slots []Slot, write func(rows []unsafe.Pointer, dst *batch.Column)) Output {
	return guardSum(slots, func(rows []unsafe.Pointer, dst *batch.Column) error {
		write(rows, dst)
		return nil
	})
}

// guardSum is guard for what may have no value of its type.
func guardSum(slots []Slot, write func(rows []unsafe.Pointer, dst *batch.Column) error) Output {
	if len(slots) < 2 {
		return func(rows []unsafe.Pointer, dst *batch.Column) error {
			start(dst, len(rows))
			return write(rows, dst)
		}
	}
	count := slots[1].Off
	return func(rows []unsafe.Pointer, dst *batch.Column) error {
		start(dst, len(rows))
		if err := write(rows, dst); err != nil {
			return err
		}
		for i, r := range rows {
			if *at[int64](r, count) <= 0 {
				setNull(dst, i, len(rows))
			}
		}
		return nil
	}
}

// setNull makes row i null and its value the layout's zero.
func setNull(dst *batch.Column, i, n int) {
	dst.SetNull(i, n)
	switch dst.Phys {
	case types.PhysBool:
		dst.Bool[i] = false
	case types.PhysInt:
		dst.Int[i] = 0
	case types.PhysFloat:
		dst.Float[i] = 0
	case types.PhysDecimal:
		dst.Dec[i] = types.Decimal{}
	case types.PhysBytes:
		dst.Views[i] = batch.View{}
	case types.PhysInterval:
		dst.Interval[i] = types.Interval{}
	case types.PhysUUID:
		dst.UUID[i] = [16]byte{}
	}
}
