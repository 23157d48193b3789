package agg

import (
	"math/big"
	"math/bits"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// newAverage is sum / count, null for no values.
func newAverage(slots []Slot, scale uintptr, out types.Type) (Output, error) {
	sum, count := slots[0].Off, slots[1].Off
	switch {
	case slots[0].Type.Phys() == types.PhysFloat:
		return perRow(count, func(r unsafe.Pointer, n int64, dst *batch.Column, i int) error {
			s, err := floatAt(r, &slots[0])
			dst.Float[i] = s / float64(n)
			return err
		}), nil
	case slots[0].Type.Phys() == types.PhysInterval:
		return perRow(count, func(r unsafe.Pointer, n int64, dst *batch.Column, i int) error {
			s, err := intervalAt(r, &slots[0])
			if err != nil {
				return err
			}
			dst.Interval[i], err = s.Div(float64(n))
			return err
		}), nil
	case slots[0].Type.Phys() == types.PhysInt:
		return perRow(count, func(r unsafe.Pointer, n int64, dst *batch.Column, i int) (err error) {
			var d types.Decimal
			addInt(&d, *at[int64](r, sum))
			dst.Dec[i], err = divCount(d, n)
			return err
		}), nil
	case slots[0].Type.Phys() == types.PhysDecimal:
		return perRow(count, func(r unsafe.Pointer, n int64, dst *batch.Column, i int) error {
			d, err := scaledAt(r, sum, scale)
			if err == nil {
				dst.Dec[i], err = divCount(d, n)
				return err
			}
			x, xs, err := bigAt(r, sum, scale, 1) // too large, but the average may not be
			if err == nil {
				dst.Dec[i], err = divBigs(x, xs, big.NewInt(n), 0)
			}
			return err
		}), nil
	}
	return nil, pgerr.NotSupported(-1, "an average of type "+out.String())
}

// perRow writes the rows that have a count, and null for the others: for those too
// from which more was taken away than they had seen.
func perRow(count uintptr, write func(r unsafe.Pointer, n int64, dst *batch.Column, i int) error) Output {
	return func(rows []unsafe.Pointer, dst *batch.Column) error {
		start(dst, len(rows))
		for i, r := range rows {
			n := *at[int64](r, count)
			if n <= 0 {
				setNull(dst, i, len(rows))
				continue
			}
			if err := write(r, n, dst, i); err != nil {
				return err
			}
		}
		return nil
	}
}

// divCount divides a sum by a count, which is positive, with PostgreSQL's choice of scale: at least
// 16 significant digits, and no fewer decimals than the sum has.
func divCount(d types.Decimal, n int64) (types.Decimal, error) {
	neg := d.Hi < 0
	m := d
	if neg {
		m = d.Neg()
	}
	scale := quotientScale(leading(m.Lo, m.Scale), leading(uint64(n), 0), m.Scale)
	// hot: a sum of one word, as sums of integers are. Others go the long way.
	if m.Hi != 0 || d.Special != 0 || scale-m.Scale > 19 {
		return d.Div(types.DecimalFromInt(n))
	}
	hi, lo := bits.Mul64(m.Lo, pow10[scale-m.Scale])
	q := types.Decimal{Hi: int64(hi / uint64(n)), Scale: scale}
	lo, rem := bits.Div64(hi%uint64(n), lo, uint64(n))
	if rem >= uint64(n)-rem { // half away from zero
		var carry uint64
		lo, carry = bits.Add64(lo, 1, 0)
		q.Hi += int64(carry)
	}
	q.Lo = lo
	if q.Hi < 0 || tooWide(q.Hi, q.Lo) {
		return d.Div(types.DecimalFromInt(n))
	}
	if neg {
		q.Lo, rem = bits.Sub64(0, q.Lo, 0)
		q.Hi = -q.Hi - int64(rem)
	}
	return q, nil
}

// divBigs divides x × 10^-xs by y × 10^-ys with PostgreSQL's scale, which gives
// way only where 38 digits would not hold the quotient.
func divBigs(x *big.Int, xs int32, y *big.Int, ys int32) (types.Decimal, error) {
	scale := quotientScale(leadingBig(x, xs), leadingBig(y, ys), max(xs, ys))
	for ; ; scale-- {
		num, den := new(big.Int).Set(x), new(big.Int).Set(y)
		if up := scale - xs + ys; up >= 0 {
			num.Mul(num, bigPow10(up))
		} else {
			den.Mul(den, bigPow10(-up))
		}
		if q, ok := fromBig(divRound(num, den), scale); ok {
			return q, nil
		}
		if scale == 0 {
			return types.Decimal{}, outOfRange("numeric")
		}
	}
}

// lead is the most significant base-10000 digit of a number and its weight, in
// which terms PostgreSQL chooses the scale of a quotient.
type lead struct{ weight, digit int32 }

func leading(coef uint64, scale int32) lead {
	if coef == 0 {
		return lead{}
	}
	digits := int32(bits.Len64(coef)*1233) >> 12
	if coef >= pow10[min(digits, 19)] {
		digits++
	}
	w := (digits - 1 - scale) >> 2 // floor, negative too
	switch shift := scale + 4*w; {
	case shift > 19:
		return lead{w, 0}
	case shift >= 0:
		return lead{w, int32(coef / pow10[shift])}
	default:
		return lead{w, int32(coef * pow10[-shift])}
	}
}

func leadingBig(x *big.Int, scale int32) lead {
	if x.Sign() == 0 {
		return lead{}
	}
	x = new(big.Int).Abs(x)
	digits := int32(len(x.Text(10)))
	w := (digits - 1 - scale) >> 2
	if shift := scale + 4*w; shift >= 0 {
		return lead{w, int32(new(big.Int).Quo(x, bigPow10(shift)).Int64())}
	} else {
		return lead{w, int32(new(big.Int).Mul(x, bigPow10(-shift)).Int64())}
	}
}

func quotientScale(x, y lead, atLeast int32) int32 {
	weight := x.weight - y.weight
	if x.digit <= y.digit {
		weight--
	}
	return min(max(16-4*weight, atLeast, 0), types.DecimalDigitsMax)
}
