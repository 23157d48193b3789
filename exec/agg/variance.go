package agg

import (
	"math"
	"math/big"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// newVariance computes the variance or its root from count, sum and sum of
// squares, of the sample or of the population. It runs once per emitted group,
// so that big integers are affordable: n·Σx² − (Σx)² does not fit in 128 bits.
func newVariance(fn string, slots []Slot, scale uintptr, out types.Type) (Output, error) {
	squares, sum, count := slots[0].Off, slots[1].Off, slots[2].Off
	sample := fn == "stddev_samp" || fn == "var_samp"
	root := fn == "stddev_samp" || fn == "stddev_pop"
	sumIsInt := slots[1].Type.Phys() == types.PhysInt
	return func(rows []unsafe.Pointer, dst *batch.Column) error {
		start(dst, len(rows))
		for i, r := range rows {
			n := *at[int64](r, count)
			if n == 0 || sample && n == 1 {
				setNull(dst, i, len(rows))
				continue
			}
			if slots[0].Rest > 0 {
				dst.Float[i] = varianceExact(r, slots, n, sample, root)
				continue
			}
			if out.Phys() == types.PhysFloat {
				dst.Float[i] = varianceFloat(*at[float64](r, squares), *at[float64](r, sum), float64(n), sample, root)
				continue
			}
			v, err := varianceAt(r, squares, sum, scale, sumIsInt, n, sample, root)
			if err != nil {
				return err
			}
			dst.Dec[i] = v
		}
		return nil
	}, nil
}

// varianceAt is the variance of numbers, whose scale is given back to the sums.
func varianceAt(r unsafe.Pointer, squares, sum, scale uintptr, sumIsInt bool, n int64, sample, root bool) (types.Decimal, error) {
	q, err := scaledAt(r, squares, scale, 2)
	if err != nil {
		return q, err
	}
	var s types.Decimal
	if sumIsInt {
		addInt(&s, *at[int64](r, sum))
	} else if s, err = scaledAt(r, sum, scale, 1); err != nil {
		return s, err
	}
	return varianceDecimal(q, s, n, sample, root)
}

// varianceExact is the variance of double precision values from exact sums.
func varianceExact(r unsafe.Pointer, slots []Slot, n int64, sample, root bool) float64 {
	sum := exactAt(r, slots[1])
	v := max(deviations(n, exactAt(r, slots[0]), sum, sum), 0) / float64(n)
	if sample {
		v /= float64(n - 1)
	} else {
		v /= float64(n)
	}
	if root {
		return math.Sqrt(v)
	}
	return v
}

func varianceFloat(squares, sum, n float64, sample, root bool) float64 {
	over := n * n
	if sample {
		over = n * (n - 1)
	}
	v := (n*squares - sum*sum) / over
	if v < 0 {
		v = 0
	}
	if root {
		return math.Sqrt(v)
	}
	return v
}

func varianceDecimal(squares, sum types.Decimal, n int64, sample, root bool) (types.Decimal, error) {
	if squares.Special|sum.Special != 0 {
		return types.Decimal{Special: types.DecimalNaN}, nil
	}
	scale := max(2*sum.Scale, squares.Scale)
	count := big.NewInt(n)
	over := new(big.Int).Mul(count, count)
	if sample {
		over.Sub(over, count)
	}
	x := bigOf(squares)
	x.Mul(x, count).Mul(x, bigPow10(scale-squares.Scale))
	s := bigOf(sum)
	s.Mul(s, s).Mul(s, bigPow10(scale-2*sum.Scale))
	if x.Sub(x, s).Sign() <= 0 {
		return types.Decimal{}, nil
	}
	if !root {
		return divBigs(x, scale, over, 0)
	}
	return rootOfQuotient(x, scale, over)
}

// rootOfQuotient is the square root of x × 10^-scale / y, at the scale that the
// quotient itself would have, rounded as PostgreSQL does: the quotient first.
func rootOfQuotient(x *big.Int, scale int32, y *big.Int) (types.Decimal, error) {
	to := quotientScale(leadingBig(x, scale), leadingBig(y, 0), min(scale, types.DecimalDigitsMax))
	num, den := new(big.Int).Set(x), new(big.Int).Set(y)
	if up := to - scale; up >= 0 {
		num.Mul(num, bigPow10(up))
	} else {
		den.Mul(den, bigPow10(-up))
	}
	q := divRound(num, den)      // × 10^-to
	q.Mul(q, bigPow10(to+2))     // × 10^-(2·to+2): its root has one digit more than asked for
	r := new(big.Int).Sqrt(q)    // × 10^-(to+1), cut off
	r = divRound(r, bigPow10(1)) // a cut-off digit cannot turn a 4 into a 5
	for ; ; to-- {
		if d, ok := fromBig(r, to); ok || to == 0 {
			if !ok {
				return d, outOfRange("numeric")
			}
			return d, nil
		}
		r = divRound(r, bigPow10(1))
	}
}
