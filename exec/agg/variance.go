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
func newVariance(fn string, slots []Slot, out types.Type) (Output, error) {
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
			if out.Phys() == types.PhysFloat {
				dst.Float[i] = varianceFloat(*at[float64](r, squares), *at[float64](r, sum), float64(n), sample, root)
				continue
			}
			var s types.Decimal
			if sumIsInt {
				addInt(&s, *at[int64](r, sum))
			} else {
				s = *at[types.Decimal](r, sum)
			}
			v, err := varianceDecimal(*at[types.Decimal](r, squares), s, n, sample, root)
			if err != nil {
				return err
			}
			dst.Dec[i] = v
		}
		return nil
	}, nil
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
