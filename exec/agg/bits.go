package agg

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// newBitAccumulator keeps the bits of append-only input in the slot itself; an
// exclusive or takes back what it is given twice, so it suits changelogs too.
func newBitAccumulator(fn string, arg types.Type) (Accumulator, error) {
	if !arg.IsInteger() {
		return refuse(fn, arg)
	}
	switch fn {
	case "bit_and":
		return bitwise(-1, func(a, b int64) int64 { return a & b }), nil
	case "bit_or":
		return bitwise(0, func(a, b int64) int64 { return a | b }), nil
	}
	x := bitwise(0, func(a, b int64) int64 { return a ^ b })
	x.Init = nil // a new slot's zero is neutral, and a group's values may come and go
	return x, nil
}

func bitwise(neutral int64, op func(a, b int64) int64) Accumulator {
	return Accumulator{
		Init:  fill(neutral),
		Merge: merge(op),
		Update: func(in *Input, off uintptr, col *batch.Column) error {
			for k := range in.Len() {
				i := k
				if in.Sel != nil {
					i = int(in.Sel[k])
				}
				p := at[int64](in.Rows[i], off)
				*p = op(*p, col.Int[i])
			}
			return nil
		},
	}
}

// newBits computes bit_and and bit_or from the values of a changelog.
func newBits(or bool) Ordered {
	return func(rows Rows) (types.Value, error) {
		out := types.NullValue
		for i := range rows.Len() {
			v := rows.Arg(i, 0)
			switch {
			case v.Null:
			case out.Null:
				out = v
			case or:
				out.Int |= v.Int
			default:
				out.Int &= v.Int
			}
		}
		return out, nil
	}
}
