package over

import (
	"math"
	"sort"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

const dayMicros = 86_400_000_000

// rangeKeys is a partition's rows by the one key that RANGE offsets are about.
type rangeKeys struct {
	f      *frame
	col    *batch.Column
	lo, hi int // rows whose key is not null
}

func newRangeKeys(f *frame, p *Partition) *rangeKeys {
	k := &rangeKeys{f: f, col: p.Cols[f.key], hi: p.N}
	for k.lo < p.N && k.col.IsNull(k.lo) {
		k.lo++
	}
	if k.lo == p.N {
		return k
	}
	for k.hi > k.lo && k.col.IsNull(k.hi-1) {
		k.hi--
	}
	return k
}

func (k *rangeKeys) isNull(i int) bool { return i < k.lo || i >= k.hi }

// find is the first row, or the end of the last, whose key lies within the offset
// from row i's.
func (k *rangeKeys) find(i int, by *types.Value, preceding, end bool) (int, error) {
	compare, err := k.against(i, by, preceding != k.f.desc)
	if err != nil {
		return 0, err
	}
	n := sort.Search(k.hi-k.lo, func(j int) bool {
		c := compare(k.lo + j)
		if k.f.desc {
			c = -c
		}
		return c > 0 || c == 0 && !end
	})
	return k.lo + n, nil
}

// against compares rows' keys with row i's less or plus the offset.
func (k *rangeKeys) against(i int, by *types.Value, less bool) (func(j int) int, error) {
	c := k.col
	switch k.f.keyType.Kind {
	case types.Int16, types.Int32, types.Int64:
		target := saturate(c.Int[i], by.Int, less)
		return func(j int) int { return compareInts(c.Int[j], target) }, nil
	case types.Float32, types.Float64:
		target := c.Float[i] + by.Float
		if less {
			target = c.Float[i] - by.Float
		}
		if target != target && c.Float[i] == c.Float[i] { // infinity less infinity: everything
			target = math.Inf(1)
			if less {
				target = math.Inf(-1)
			}
		}
		return func(j int) int { return types.CompareFloat(c.Float[j], target) }, nil
	case types.Numeric:
		off := by.Dec
		if less {
			off = off.Neg()
		}
		target, err := c.Dec[i].Add(off)
		if err != nil {
			return nil, err
		}
		return func(j int) int { return c.Dec[j].Cmp(target) }, nil
	case types.IntervalK:
		off := by.Interval
		var err error
		if less {
			if off, err = off.Neg(); err != nil {
				return nil, err
			}
		}
		target, err := c.Interval[i].Add(off)
		if err != nil {
			return nil, err
		}
		return func(j int) int { return c.Interval[j].Cmp(target) }, nil
	}
	return k.againstTime(i, by, less)
}

func (k *rangeKeys) againstTime(i int, by *types.Value, less bool) (func(j int) int, error) {
	c, scale := k.col, int64(1)
	v := c.Int[i]
	if k.f.keyType.Kind == types.Time {
		target := saturate(v, by.Interval.Micros, less)
		return func(j int) int { return compareInts(c.Int[j], target) }, nil
	}
	if v == types.TimeInfinity || v == types.TimeNegInfinity {
		return func(j int) int { return compareInts(c.Int[j], v) }, nil
	}
	if k.f.keyType.Kind == types.Date {
		scale = dayMicros
	}
	off := by.Interval
	var err error
	if less {
		if off, err = off.Neg(); err != nil {
			return nil, err
		}
	}
	var target int64
	if k.f.keyType.Kind == types.TimestampTZ {
		target, err = off.AddToTimestampTZ(v, k.f.zone)
	} else {
		target, err = off.AddToTimestamp(v * scale)
	}
	if err != nil {
		return nil, err
	}
	return func(j int) int {
		if c.Int[j] == types.TimeInfinity || c.Int[j] == types.TimeNegInfinity {
			return compareInts(c.Int[j], 0)
		}
		return compareInts(c.Int[j]*scale, target)
	}, nil
}

// saturate is v plus or less by, which is not negative, within the range.
func saturate(v, by int64, less bool) int64 {
	switch {
	case less && v < math.MinInt64+by:
		return math.MinInt64
	case less:
		return v - by
	case v > math.MaxInt64-by:
		return math.MaxInt64
	}
	return v + by
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
