package agg

import (
	"math"

	"github.com/millrace/millrace/types"
)

// percentileCont is the value at the fraction p of the way from the first to the
// last, between two of them if need be.
func percentileCont(rows Rows, n int64, p float64) (types.Value, error) {
	at := p * float64(n-1)
	low := nth(rows, int64(math.Floor(at)))
	if math.Floor(at) == math.Ceil(at) {
		return low, nil
	}
	high := nth(rows, int64(math.Ceil(at)))
	part := at - math.Floor(at)
	low.Float += (high.Float - low.Float) * part
	way, err := high.Interval.Sub(low.Interval)
	if err != nil {
		return low, err
	}
	if way, err = way.Mul(part); err != nil {
		return low, err
	}
	low.Interval, err = low.Interval.Add(way)
	return low, err
}
