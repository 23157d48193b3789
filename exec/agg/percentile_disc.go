package agg

import (
	"math"

	"github.com/millrace/millrace/types"
)

// percentileDisc is the first value that the fraction p of all is not beyond.
func percentileDisc(rows Rows, n int64, p float64) (types.Value, error) {
	return nth(rows, max(int64(math.Ceil(p*float64(n)))-1, 0)), nil
}
