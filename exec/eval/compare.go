package eval

import (
	"bytes"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// The six comparisons come down to two loops: less and equal, with the operands
// swapped or the answer negated.
type comparison struct{ equal, swap, negate bool }

var comparisons = map[string]comparison{
	"=": {equal: true}, "<>": {equal: true, negate: true}, "<": {}, ">": {swap: true}, "<=": {swap: true, negate: true}, ">=": {negate: true},
}

// compareKernel compares two columns of type t.
func compareKernel(op comparison, t types.Type) kernel {
	return func(f *frame, c *call, sel []uint16) {
		a, b := c.cols[0], c.cols[1]
		if op.swap {
			a, b = b, a
		}
		compareColumns(op, t, a, b, c.out.Bool, sel, f.n)
	}
}

func compareColumns(op comparison, t types.Type, a, b *batch.Column, out []bool, sel []uint16, n int) {
	neg := op.negate
	switch a.Phys {
	case types.PhysInt:
		if op.equal {
			equalLoop(a.Int, b.Int, out, neg, sel, n)
		} else {
			lessLoop(a.Int, b.Int, out, neg, sel, n)
		}
	case types.PhysFloat:
		x, y := a.Float, b.Float
		each(n, sel, func(i int) {
			r := types.CompareFloat(x[i], y[i])
			out[i] = (r == 0 && op.equal || r < 0 && !op.equal) != neg
		})
	case types.PhysBool:
		x, y := a.Bool, b.Bool
		each(n, sel, func(i int) { out[i] = (op.equal && x[i] == y[i] || !op.equal && !x[i] && y[i]) != neg })
	case types.PhysDecimal:
		x, y := a.Dec, b.Dec
		each(n, sel, func(i int) {
			r := x[i].Cmp(y[i])
			out[i] = (r == 0 && op.equal || r < 0 && !op.equal) != neg
		})
	case types.PhysInterval:
		x, y := a.Interval, b.Interval
		each(n, sel, func(i int) {
			r := x[i].Cmp(y[i])
			out[i] = (r == 0 && op.equal || r < 0 && !op.equal) != neg
		})
	case types.PhysUUID:
		x, y := a.UUID, b.UUID
		each(n, sel, func(i int) {
			out[i] = (op.equal && x[i] == y[i] || !op.equal && bytes.Compare(x[i][:], y[i][:]) < 0) != neg
		})
	default:
		compareStrings(op, t, a, b, out, sel, n)
	}
}

func compareStrings(op comparison, t types.Type, a, b *batch.Column, out []bool, sel []uint16, n int) {
	plain := t.IsString() && t.Kind != types.Char || t.Kind == types.Bytea
	switch {
	case plain && op.equal:
		if sel == nil {
			for i := range n {
				out[i] = (a.Views[i].Len == b.Views[i].Len && a.Str(i) == b.Str(i)) != op.negate
			}
			return
		}
		for _, i := range sel {
			out[i] = (a.Views[i].Len == b.Views[i].Len && a.Str(int(i)) == b.Str(int(i))) != op.negate
		}
	case plain:
		each(n, sel, func(i int) { out[i] = strings.Compare(a.Str(i), b.Str(i)) < 0 != op.negate })
	default:
		each(n, sel, func(i int) {
			r := types.CompareBytes(t, a.Str(i), b.Str(i))
			out[i] = (r == 0 && op.equal || r < 0 && !op.equal) != op.negate
		})
	}
}

// hot: flat loops without calls.
func lessLoop(a, b []int64, out []bool, neg bool, sel []uint16, n int) {
	if sel == nil {
		a, b, out = a[:n], b[:n], out[:n]
		for i := range out {
			out[i] = (a[i] < b[i]) != neg
		}
		return
	}
	for _, i := range sel {
		out[i] = (a[i] < b[i]) != neg
	}
}

func equalLoop(a, b []int64, out []bool, neg bool, sel []uint16, n int) {
	if sel == nil {
		a, b, out = a[:n], b[:n], out[:n]
		for i := range out {
			out[i] = (a[i] == b[i]) != neg
		}
		return
	}
	for _, i := range sel {
		out[i] = (a[i] == b[i]) != neg
	}
}

// comparisonType is the type in which operands of two types are compared.
func comparisonType(a, b types.Type) types.Type {
	switch {
	case a.Kind == b.Kind:
		return a
	case a.Kind == types.TimestampTZ || b.Kind == types.TimestampTZ:
		return types.Of(types.TimestampTZ)
	case a.Kind == types.Timestamp || b.Kind == types.Timestamp:
		return types.Of(types.Timestamp)
	case a.Phys() == types.PhysInt:
		return types.Of(types.Int64)
	case a.Phys() == types.PhysFloat:
		return types.Of(types.Float64)
	}
	return types.Of(types.Text)
}

// compileComparison makes = < … and is [not] distinct from.
func compileComparison(e *scalar.Expr, op string, args []node, ctx *Context) (node, error) {
	t := comparisonType(e.Args[0].Type, e.Args[1].Type)
	if op == "=" {
		for k := range 2 {
			if n, err := compileLowered(e, e.Args[k], e.Args[1-k:2-k], ctx); n != nil || err != nil {
				return n, err
			}
		}
	}
	for i, a := range e.Args {
		if a.Type.IsTime() && a.Type.Kind != t.Kind {
			n, err := castNode(args[i], a.Type, t, ctx)
			if err != nil {
				return nil, err
			}
			args[i] = n
		}
	}
	if cmp, ok := comparisons[op]; ok {
		return newCall(e, args, compareKernel(cmp, t), true), nil
	}
	distinct := op == "is distinct from"
	return newCall(e, args, func(f *frame, c *call, sel []uint16) {
		a, b := c.cols[0], c.cols[1]
		each(f.n, sel, func(i int) {
			same := a.IsNull(i) == b.IsNull(i)
			if same && !a.IsNull(i) {
				x, y := a.Peek(i), b.Peek(i)
				same = types.Compare(t, &x, &y) == 0
			}
			c.out.Bool[i] = same != distinct
		})
	}, false), nil
}
