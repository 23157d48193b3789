package agg

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
)

// count counts rows: nulls were selected away before.
func count(in *Input, off uintptr, _ *batch.Column) error {
	if in.One != nil {
		*at[int64](in.One, off) += net(in)
		return nil
	}
	rows := in.Rows
	switch {
	case in.Sign != nil && in.Sel != nil:
		for _, i := range in.Sel {
			*at[int64](rows[i], off) += in.Sign[i]
		}
	case in.Sign != nil:
		rows = rows[:in.N]
		for i, s := range in.Sign[:len(rows)] {
			*at[int64](rows[i], off) += s
		}
	case in.Sel != nil:
		for _, i := range in.Sel {
			*at[int64](rows[i], off)++
		}
	default:
		for _, r := range rows[:in.N] {
			*at[int64](r, off)++
		}
	}
	return nil
}

// net is the number of rows added less those taken away.
func net(in *Input) int64 {
	if in.Sign == nil {
		return int64(in.Len())
	}
	var n int64
	if in.Sel != nil {
		for _, i := range in.Sel {
			n += in.Sign[i]
		}
		return n
	}
	for _, s := range in.Sign[:in.N] {
		n += s
	}
	return n
}

// countIf counts the rows whose flag is set, without branching on it: a filter
// that passes half of the rows would be mispredicted every other time.
func countIf(in *Input, off uintptr, flags []bool) {
	flags = flags[:in.N]
	if in.One != nil {
		var n int64
		if in.Sign == nil {
			for _, f := range flags {
				n += int64(bit(f))
			}
		} else {
			for i, f := range flags {
				n += int64(bit(f)) * in.Sign[i]
			}
		}
		*at[int64](in.One, off) += n
		return
	}
	rows := in.Rows[:len(flags)]
	if in.Sign == nil {
		for i, f := range flags {
			*at[int64](rows[i], off) += int64(bit(f))
		}
		return
	}
	sign := in.Sign[:len(flags)]
	for i, f := range flags {
		*at[int64](rows[i], off) += int64(bit(f)) * sign[i]
	}
}

// countTrue and countFalse are the state of bool_or and bool_and: counts, not
// the answer, can be retracted.
func countTrue(in *Input, off uintptr, col *batch.Column) error {
	return countBool(in, off, col.Bool, 1)
}

func countFalse(in *Input, off uintptr, col *batch.Column) error {
	return countBool(in, off, col.Bool, 0)
}

func countBool(in *Input, off uintptr, vals []bool, want uint8) error {
	for k := range in.Len() {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		n := int64(bit(vals[i]) ^ want ^ 1)
		if in.Sign != nil {
			n *= in.Sign[i]
		}
		*at[int64](in.Rows[i], off) += n
	}
	return nil
}

func mergeInt(into, from []unsafe.Pointer, off uintptr) error {
	from = from[:len(into)]
	for i, r := range into {
		*at[int64](r, off) += *at[int64](from[i], off)
	}
	return nil
}
