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
			if n <= 0 || sample && n == 1 {
				setNull(dst, i, len(rows))
				continue
			}
			if slots[0].Rest > 0 {
				v, err := varianceExact(r, slots, n, sample, root)
				if err != nil {
					return err
				}
				dst.Float[i] = v
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
	if q := at[types.Decimal](r, squares); q.IsNumeric() && q.Special != 0 {
		return types.Decimal{Special: types.DecimalNaN}, nil
	}
	q, qs, err := bigAt(r, squares, scale, 2)
	if err != nil {
		return types.Decimal{}, err
	}
	if sumIsInt {
		return varianceDecimal(q, qs, big.NewInt(*at[int64](r, sum)), 0, n, sample, root)
	}
	s, ss, err := bigAt(r, sum, scale, 1)
	if err != nil {
		return types.Decimal{}, err
	}
	return varianceDecimal(q, qs, s, ss, n, sample, root)
}

// varianceExact is the variance of double precision values from exact sums.
func varianceExact(r unsafe.Pointer, slots []Slot, n int64, sample, root bool) (float64, error) {
	sum := exactAt(r, slots[1])
	over := n
	if sample {
		over--
	}
	d := deviations(n, exactAt(r, slots[0]), sum, sum)
	if d.Sign() < 0 {
		return 0, nil
	}
	v, err := quotient(d, n, over)
	if root {
		v = math.Sqrt(v)
	}
	return v, err
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

// varianceDecimal is the variance of n numbers from the sum of their squares, q × 10^-qs,
// and their sum.
func varianceDecimal(q *big.Int, qs int32, sum *big.Int, ss int32, n int64, sample, root bool) (types.Decimal, error) {
	scale := max(2*ss, qs)
	count := big.NewInt(n)
	over := new(big.Int).Mul(count, count)
	if sample {
		over.Sub(over, count)
	}
	x := new(big.Int).Mul(q, count)
	x.Mul(x, bigPow10(scale-qs))
	s := new(big.Int).Mul(sum, sum)
	s.Mul(s, bigPow10(scale-2*ss))
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
