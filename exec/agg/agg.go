// Package agg is the accumulators of aggregates: kernels that fold a batch's
// column into the state rows of its groups, merge one state row into another,
// and turn state rows into result columns. It finds no groups, keeps no state of
// its own and knows nothing of windows or changelogs beyond a sign per row.
//
// A kernel works on one column and one slot of many state rows, so that each
// loop is typed and flat: rows come as pointers, the slot as an offset.
package agg

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// Input is what a kernel folds: for each row of a batch, the state row of its
// group. Rows and Sign are indexed by the batch's physical rows.
type Input struct {
	Rows []unsafe.Pointer
	// Sel lists the rows to fold in; nil means the first N.
	Sel []uint16
	N   int
	// Sign is +1 or -1 for each row; nil means that every row is added.
	Sign []int64
	// One is set when all rows to fold in belong to one group, whose state row
	// it is: kernels then fold in a register.
	One unsafe.Pointer
	// Other is the second factor of sum_products, else nil.
	Other *batch.Column
}

// Len is how many rows are to be folded in.
func (in *Input) Len() int {
	if in.Sel != nil {
		return len(in.Sel)
	}
	return in.N
}

// Bytes stores strings for state rows. A slot of a string column is a View that
// only the table can read.
type Bytes interface {
	// Bytes returns the string that the view in a state row stands for.
	Bytes(v batch.View) []byte
	// StoreBytes keeps a copy of p and returns the view to put in a state row.
	StoreBytes(p []byte) batch.View
}

// Accumulator is one slot of a state row and the kernels that work on it.
type Accumulator struct {
	// Init gives the slot of a new group its neutral value; nil: zero will do.
	Init func(slot unsafe.Pointer)
	// Update folds a column in. Rows that are null must not be selected.
	Update func(in *Input, off uintptr, col *batch.Column) error
	// UpdateIf, when not nil, folds in the rows whose flag is set, without Sel.
	UpdateIf func(in *Input, off uintptr, flags []bool)
	// Merge folds slot src of each row of from into the same slot of into.
	Merge func(into, from []unsafe.Pointer, off uintptr) error
}

// NewExact returns the kernels of a sum of double precision values, or of intervals,
// whose rest is kept at offset rest; NaN and the infinities are left out.
func NewExact(fn string, arg types.Type, rest uintptr) (Accumulator, error) {
	switch fn {
	case "sum":
		if arg.Kind == types.IntervalK {
			return newExactInterval(rest), nil
		}
		return newExact(itself, rest), nil
	case "sum_squares":
		return newExact(square, rest), nil
	case "sum_products":
		return newExact(product, rest), nil
	}
	return Accumulator{}, pgerr.NotSupported(-1, "an exact "+fn)
}

// New returns the kernels of accumulator function fn over arguments of type arg
// (the zero Type for count(*)). strings serves min and max of strings and may
// be nil otherwise.
func New(fn string, arg types.Type, strings Bytes) (Accumulator, error) {
	switch fn {
	case "count":
		return Accumulator{Update: count, UpdateIf: countIf, Merge: mergeInt}, nil
	case "bool_and":
		return Accumulator{Update: countFalse, Merge: mergeInt}, nil
	case "bool_or":
		return Accumulator{Update: countTrue, Merge: mergeInt}, nil
	case "sum":
		return newSum(arg)
	case "sum_squares":
		return newSumSquares(arg)
	case "sum_finite":
		return newFiniteSum(sumDecimal), nil
	case "sum_squares_finite":
		return newFiniteSum(squaresDecimal), nil
	case "count_nan", "count_inf", "count_neg_inf":
		return newSpecialCount(fn, arg), nil
	case "rest":
		return Accumulator{Merge: func(_, _ []unsafe.Pointer, _ uintptr) error { return nil }}, nil
	case "bit_and", "bit_or", "bit_xor":
		return newBitAccumulator(fn, arg)
	case "min", "max":
		return newExtremum(fn == "max", arg, strings)
	}
	return Accumulator{}, pgerr.NotSupported(-1, "aggregate function "+fn)
}

func refuse(fn string, arg types.Type) (Accumulator, error) {
	return Accumulator{}, pgerr.New(pgerr.UndefinedFunction, "function %s(%s) does not exist", fn, arg)
}

func at[T any](row unsafe.Pointer, off uintptr) *T { return (*T)(unsafe.Add(row, off)) }

// SelectTrue appends to sel[:0] the rows among those of in whose flag is set and
// not null.
func SelectTrue(dst []uint16, sel []uint16, n int, flags *batch.Column) []uint16 {
	dst = room(dst, sel, n)
	k := 0
	if sel == nil {
		for i, f := range flags.Bool[:n] {
			dst[k] = uint16(i)
			k += int(bit(f))
		}
	} else {
		for _, i := range sel {
			dst[k] = i
			k += int(bit(flags.Bool[i]))
		}
	}
	dst = dst[:k]
	if flags.HasNulls {
		return SelectNotNull(dst, dst, n, flags)
	}
	return dst
}

// SelectNotNull appends to dst[:0] the rows among sel (nil: the first n) that are
// not null in col. dst may be sel.
func SelectNotNull(dst []uint16, sel []uint16, n int, col *batch.Column) []uint16 {
	if sel == nil {
		dst = room(dst, nil, n)
		k := 0
		for i := range n {
			dst[k] = uint16(i)
			if !col.Nulls.Get(i) {
				k++
			}
		}
		return dst[:k]
	}
	dst = room(dst, sel, n)
	k := 0
	for _, i := range sel {
		dst[k] = i
		if !col.Nulls.Get(int(i)) {
			k++
		}
	}
	return dst[:k]
}

// room is never nil, which would select all rows.
func room(dst, sel []uint16, n int) []uint16 {
	if sel != nil {
		n = len(sel)
	}
	if dst == nil || cap(dst) < n {
		dst = make([]uint16, n, batch.Room(n))
	}
	return dst[:n]
}

// bit turns a bool into 0 or 1 without a branch.
func bit(b bool) uint8 { return *(*uint8)(unsafe.Pointer(&b)) }
