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
			v, ok := g.value(r)
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
func (g *regression) value(r unsafe.Pointer) (v float64, ok bool) {
	n := *at[int64](r, g.slots[0].Off)
	if n == 0 || g.fn == "covar_samp" && n == 1 {
		return 0, false
	}
	count := float64(n)
	badY, anyY := g.y.of(r)
	badX, anyX := g.x.of(r)
	switch g.fn {
	case "regr_avgy":
		if anyY {
			return badY, true
		}
		return *at[float64](r, g.slots[1].Off) / count, true
	case "regr_avgx":
		if anyX {
			return badX, true
		}
		return *at[float64](r, g.slots[2].Off) / count, true
	}
	sy, sx := exactAt(r, g.slots[1]), exactAt(r, g.slots[2])
	of := func(slot int, a, b *big.Float, bad bool) float64 {
		if bad {
			return math.NaN()
		}
		return deviations(n, exactAt(r, g.slots[slot]), a, b) / count
	}
	syy, sxx, sxy := of(3, sy, sy, anyY), of(4, sx, sx, anyX), of(5, sy, sx, anyX || anyY)
	syy, sxx = max(syy, 0), max(sxx, 0)
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
	if anyX || anyY {
		return math.NaN(), sxx != 0
	}
	y, _ := sy.Float64()
	x, _ := sx.Float64()
	return (y - x*sxy/sxx) / count, sxx != 0 // regr_intercept
}
