package agg

import (
	"bytes"
	"math"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// newExtremum keeps the least or greatest value in the row itself. A new group's
// slot starts at the far end of the type's order, so that the kernels need not
// ask whether there is a value yet; the count beside it tells readers.
func newExtremum(greatest bool, arg types.Type, strings Bytes) (Accumulator, error) {
	switch arg.Phys() {
	case types.PhysInt:
		if greatest {
			return Accumulator{Init: fill[int64](math.MinInt64), Update: maxInt, Merge: merge(maxOfInt)}, nil
		}
		return Accumulator{Init: fill[int64](math.MaxInt64), Update: minInt, Merge: merge(minOfInt)}, nil
	case types.PhysFloat:
		if greatest {
			return pick(math.Inf(-1), floats, maxOfFloat), nil
		}
		return pick(math.NaN(), floats, minOfFloat), nil
	case types.PhysDecimal:
		if greatest {
			return pick(types.Decimal{Special: types.DecimalNegInf}, decimals, maxOfDecimal), nil
		}
		return pick(types.Decimal{Special: types.DecimalNaN}, decimals, minOfDecimal), nil
	case types.PhysInterval:
		if greatest {
			return pick(types.Interval{Micros: math.MinInt64, Days: math.MinInt32, Months: math.MinInt32}, intervals, maxOfInterval), nil
		}
		return pick(types.Interval{Micros: math.MaxInt64, Days: math.MaxInt32, Months: math.MaxInt32}, intervals, minOfInterval), nil
	case types.PhysUUID:
		if greatest {
			return pick([16]byte{}, uuids, maxOfUUID), nil
		}
		return pick([16]byte{0: 255, 1: 255, 2: 255, 3: 255, 4: 255, 5: 255, 6: 255, 7: 255, 8: 255, 9: 255, 10: 255, 11: 255, 12: 255, 13: 255, 14: 255, 15: 255}, uuids, minOfUUID), nil
	case types.PhysBytes:
		return newStringExtremum(greatest, arg, strings), nil
	}
	if greatest {
		return refuse("max", arg)
	}
	return refuse("min", arg)
}

func fill[T any](v T) func(unsafe.Pointer) {
	return func(slot unsafe.Pointer) { *(*T)(slot) = v }
}

func merge[T any](better func(a, b T) T) func(into, from []unsafe.Pointer, off uintptr) error {
	return func(into, from []unsafe.Pointer, off uintptr) error {
		for i, r := range into {
			p := at[T](r, off)
			*p = better(*p, *at[T](from[i], off))
		}
		return nil
	}
}

// Of numbers and intervals that are equal but look different, the later one counts,
// as in PostgreSQL.
func floats(c *batch.Column) []float64              { return c.Float }
func decimals(c *batch.Column) []types.Decimal      { return c.Dec }
func intervals(c *batch.Column) []types.Interval    { return c.Interval }
func uuids(c *batch.Column) [][16]byte              { return c.UUID }
func minOfUUID(a, b [16]byte) [16]byte              { return better(a, b, bytes.Compare(b[:], a[:]) < 0) }
func maxOfUUID(a, b [16]byte) [16]byte              { return better(a, b, bytes.Compare(b[:], a[:]) > 0) }
func minOfInt(a, b int64) int64                     { return min(a, b) }
func maxOfInt(a, b int64) int64                     { return max(a, b) }
func minOfFloat(a, b float64) float64               { return better(a, b, types.CompareFloat(b, a) < 0) }
func maxOfFloat(a, b float64) float64               { return better(a, b, types.CompareFloat(b, a) > 0) }
func minOfDecimal(a, b types.Decimal) types.Decimal { return better(a, b, b.Cmp(a) <= 0) }
func maxOfDecimal(a, b types.Decimal) types.Decimal { return better(a, b, b.Cmp(a) >= 0) }
func minOfInterval(a, b types.Interval) types.Interval {
	return better(a, b, b.Cmp(a) <= 0)
}
func maxOfInterval(a, b types.Interval) types.Interval {
	return better(a, b, b.Cmp(a) >= 0)
}

func better[T any](a, b T, second bool) T {
	if second {
		return b
	}
	return a
}

// pick is the extremum of a type that is rare enough for a call per row.
func pick[T any](far T, vals func(*batch.Column) []T, better func(a, b T) T) Accumulator {
	return Accumulator{
		Init:  fill(far),
		Merge: merge(better),
		Update: func(in *Input, off uintptr, col *batch.Column) error {
			v := vals(col)
			for k := range in.Len() {
				i := k
				if in.Sel != nil {
					i = int(in.Sel[k])
				}
				p := at[T](in.Rows[i], off)
				*p = better(*p, v[i])
			}
			return nil
		},
	}
}

func minInt(in *Input, off uintptr, col *batch.Column) error {
	vals, rows := col.Int, in.Rows
	switch {
	case in.Sel == nil && in.One != nil:
		p := at[int64](in.One, off)
		m := *p
		for _, v := range vals[:in.N] {
			m = min(m, v)
		}
		*p = m
	case in.Sel == nil:
		rows = rows[:in.N]
		for i, v := range vals[:len(rows)] {
			p := at[int64](rows[i], off)
			*p = min(*p, v)
		}
	default:
		for _, i := range in.Sel {
			p := at[int64](rows[i], off)
			*p = min(*p, vals[i])
		}
	}
	return nil
}

func maxInt(in *Input, off uintptr, col *batch.Column) error {
	vals, rows := col.Int, in.Rows
	switch {
	case in.Sel == nil && in.One != nil:
		p := at[int64](in.One, off)
		m := *p
		for _, v := range vals[:in.N] {
			m = max(m, v)
		}
		*p = m
	case in.Sel == nil:
		rows = rows[:in.N]
		for i, v := range vals[:len(rows)] {
			p := at[int64](rows[i], off)
			*p = max(*p, v)
		}
	default:
		for _, i := range in.Sel {
			p := at[int64](rows[i], off)
			*p = max(*p, vals[i])
		}
	}
	return nil
}

// unset marks a string slot that has no value yet. No arena reaches so far.
var unset = batch.View{Off: math.MaxUint32, Len: 0}

func newStringExtremum(greatest bool, arg types.Type, strings Bytes) Accumulator {
	compare := bytes.Compare
	if !arg.IsString() && arg.Kind != types.Bytea || arg.Kind == types.Char {
		compare = func(a, b []byte) int { return types.CompareBytes(arg, string(a), string(b)) }
	}
	beats := func(v, old []byte) bool { return compare(v, old) < 0 }
	if greatest {
		beats = func(v, old []byte) bool { return compare(v, old) > 0 }
	}
	return Accumulator{
		Init: fill(unset),
		Update: func(in *Input, off uintptr, col *batch.Column) error {
			for k := range in.Len() {
				i := k
				if in.Sel != nil {
					i = int(in.Sel[k])
				}
				p, v := at[batch.View](in.Rows[i], off), col.BytesAt(i)
				if *p == unset || beats(v, strings.Bytes(*p)) {
					*p = strings.StoreBytes(v)
				}
			}
			return nil
		},
		Merge: func(into, from []unsafe.Pointer, off uintptr) error {
			for i, r := range into {
				p, v := at[batch.View](r, off), *at[batch.View](from[i], off)
				if v != unset && (*p == unset || beats(strings.Bytes(v), strings.Bytes(*p))) {
					*p = v
				}
			}
			return nil
		},
	}
}

// IsUnset reports whether a string slot has no value yet.
func IsUnset(v batch.View) bool { return v == unset }
