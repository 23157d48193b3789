package eval

import (
	"math"
	"sort"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// bucketOf is width_bucket(value, thresholds): how many thresholds, which are sorted,
// are not above the value.
func bucketOf(x *row) (types.Value, error) {
	a, err := x.array(1)
	if err != nil {
		return types.NullValue, err
	}
	if len(a.Dims) > 1 {
		return types.NullValue, pgerr.New(pgerr.ArraySubscriptError, "thresholds must be one-dimensional array")
	}
	for i := range a.Elems {
		if a.Elems[i].Null {
			return types.NullValue, pgerr.New(pgerr.NullValueNotAllowed, "thresholds array must not contain NULLs")
		}
	}
	t := x.typ(0)
	n := sort.Search(len(a.Elems), func(i int) bool { return types.Compare(t, &x.v[0], &a.Elems[i]) < 0 })
	return intValue(int64(n)), nil
}

// checkBuckets are the errors of width_bucket(value, from, to, count).
func checkBuckets(n int64, isNaN, isInfinite, isEmpty bool) error {
	code := pgerr.Code("2201G")
	switch {
	case n <= 0:
		return pgerr.New(code, "count must be greater than zero")
	case isNaN:
		return pgerr.New(code, "operand, lower bound, and upper bound cannot be NaN")
	case isInfinite:
		return pgerr.New(code, "lower and upper bounds must be finite")
	case isEmpty:
		return pgerr.New(code, "lower bound cannot equal upper bound")
	}
	return nil
}

// bucketAfter is the number of what is past n buckets.
func bucketAfter(n int64) (types.Value, error) {
	if n == math.MaxInt32 {
		return types.NullValue, pgerr.New(pgerr.NumericValueOutOfRange, "integer out of range")
	}
	return intValue(n + 1), nil
}

func widthBucket(v, lo, hi float64, n int64) (types.Value, error) {
	isNaN := math.IsNaN(v) || math.IsNaN(lo) || math.IsNaN(hi)
	if err := checkBuckets(n, isNaN, math.IsInf(lo, 0) || math.IsInf(hi, 0), lo == hi); err != nil {
		return types.NullValue, err
	}
	if lo > hi {
		v, lo, hi = -v, -lo, -hi
	}
	switch {
	case v < lo:
		return intValue(0), nil
	case v >= hi:
		return bucketAfter(n)
	}
	return intValue(int64(float64(n)*(v-lo)/(hi-lo)) + 1), nil
}

// decimalBucket is widthBucket without rounding.
func decimalBucket(v, lo, hi types.Decimal, n int64) (types.Value, error) {
	isNaN := v.Special == types.DecimalNaN || lo.Special == types.DecimalNaN || hi.Special == types.DecimalNaN
	up := hi.Cmp(lo)
	if err := checkBuckets(n, isNaN, lo.Special|hi.Special != 0, up == 0); err != nil {
		return types.NullValue, err
	}
	switch {
	case v.Cmp(lo)*up < 0:
		return intValue(0), nil
	case v.Cmp(hi)*up >= 0:
		return bucketAfter(n)
	}
	done, err := v.Sub(lo)
	if err != nil {
		return types.NullValue, err
	}
	all, err := hi.Sub(lo)
	if err != nil {
		return types.NullValue, err
	}
	if done, err = done.Mul(types.DecimalFromInt(n)); err != nil {
		return types.NullValue, err
	}
	q, err := done.QuoTrunc(all)
	if err != nil {
		return types.NullValue, err
	}
	k, err := q.Int64("integer")
	return intValue(k + 1), err
}
