package agg

import (
	"math"
	"math/big"
	"unsafe"

	"github.com/millrace/millrace/batch"
)

// newRegression computes an aggregate of pairs (y, x) from their count, the
// exact sums of y, x, y², x² and xy, and what is special of y and x.
func newRegression(fn string, slots []Slot, bad [2]specials) Output {
	g := regression{fn: fn, slots: slots, y: bad[0], x: bad[1]}
	return func(rows []unsafe.Pointer, dst *batch.Column) error {
		start(dst, len(rows))
		for i, r := range rows {
			v, ok, err := g.value(r)
			if err != nil {
				return err
			}
			if !ok {
				setNull(dst, i, len(rows))
				continue
			}
			dst.Float[i] = v
		}
		return nil
	}
}

type regression struct {
	fn    string
	slots []Slot
	y, x  specials
}

// value is null (not ok) where PostgreSQL's is.
func (g *regression) value(r unsafe.Pointer) (v float64, ok bool, err error) {
	n := *at[int64](r, g.slots[0].Off)
	if n <= 0 || g.fn == "covar_samp" && n == 1 {
		return 0, false, nil
	}
	badY, anyY := g.y.of(r)
	badX, anyX := g.x.of(r)
	switch g.fn {
	case "regr_avgy":
		return g.average(r, 1, n, badY, anyY)
	case "regr_avgx":
		return g.average(r, 2, n, badX, anyX)
	}
	if n > 1 && !(anyX || anyY) && (g.y.squareless(r) || g.x.squareless(r)) {
		return 0, false, floatOverflow()
	}
	sy, sx := exactAt(r, g.slots[1]), exactAt(r, g.slots[2])
	of := func(slot int, a, b *big.Float, bad bool) float64 {
		if bad {
			return math.NaN()
		}
		if n == 1 {
			return 0
		}
		f, e := quotient(deviations(n, exactAt(r, g.slots[slot]), a, b), n, 1)
		if e != nil {
			err = e
		}
		return f
	}
	syy, sxx, sxy := of(3, sy, sy, anyY), of(4, sx, sx, anyX), of(5, sy, sx, anyX || anyY)
	if err != nil && !(anyX || anyY) {
		return 0, false, err
	}
	v, ok = g.of(float64(n), max(syy, 0), max(sxx, 0), sxy, sy, sx, anyX || anyY)
	return v, ok, nil
}

// of is the result from the number of pairs and the sums of squares and products of
// the deviations.
func (g *regression) of(count, syy, sxx, sxy float64, sy, sx *big.Float, special bool) (v float64, ok bool) {
	switch g.fn {
	case "regr_syy":
		return syy, true
	case "regr_sxx":
		return sxx, true
	case "regr_sxy":
		return sxy, true
	case "covar_pop":
		return sxy / count, true
	case "covar_samp":
		return sxy / (count - 1), true
	case "corr":
		return sxy / math.Sqrt(sxx*syy), sxx != 0 && syy != 0
	case "regr_r2":
		if syy == 0 && sxx != 0 {
			return 1, true
		}
		return sxy * sxy / (sxx * syy), sxx != 0
	case "regr_slope":
		return sxy / sxx, sxx != 0
	}
	if special {
		return math.NaN(), sxx != 0
	}
	y, _ := sy.Float64()
	x, _ := sx.Float64()
	return (y - x*sxy/sxx) / count, sxx != 0 // regr_intercept
}

// average is that of the sum in a slot.
func (g *regression) average(r unsafe.Pointer, slot int, n int64, bad float64, any bool) (float64, bool, error) {
	if any {
		return bad, true, nil
	}
	s, err := floatAt(r, &g.slots[slot])
	return s / float64(n), true, err
}
