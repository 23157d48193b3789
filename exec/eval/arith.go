package eval

import (
	"math"
	"math/bits"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

func errRange(t types.Type) *pgerr.Error {
	n := t.Kind.String()
	return pgerr.New(pgerr.NumericValueOutOfRange, "%s out of range", n)
}

func errZero() *pgerr.Error { return pgerr.New(pgerr.DivisionByZero, "division by zero") }

func errFloat(f float64) error {
	if f == 0 {
		return pgerr.New(pgerr.NumericValueOutOfRange, "value out of range: underflow")
	}
	return pgerr.New(pgerr.NumericValueOutOfRange, "value out of range: overflow")
}

// intArith makes + - * / % over integers whose result has type t.
func intArith(op string, t types.Type) kernel {
	lo, hi := types.IntRange(t.Kind)
	switch op {
	case "+":
		return func(f *frame, c *call, sel []uint16) { addInts(f, c, sel, lo, hi, t) }
	case "-":
		return func(f *frame, c *call, sel []uint16) { subInts(f, c, sel, lo, hi, t) }
	case "*":
		return func(f *frame, c *call, sel []uint16) { mulInts(f, c, sel, lo, hi, t) }
	}
	mod := op == "%"
	return func(f *frame, c *call, sel []uint16) { divInts(f, c, sel, hi, lo, t, mod) }
}

// hot: the loops only gather whether any row overflowed, in the sign of acc, and
// a second pass finds which. The sum of smaller integers is tested against the
// range of the result, that of 64 bits by its sign.
func addInts(f *frame, c *call, sel []uint16, lo, hi int64, t types.Type) {
	a, b, out := c.cols[0].Int, c.cols[1].Int, c.out.Int
	var acc int64
	switch {
	case sel == nil && t.Kind == types.Int64:
		a, b, out := a[:f.n], b[:f.n], out[:f.n]
		for i := range out {
			r := a[i] + b[i]
			out[i] = r
			acc |= (a[i] ^ r) & (b[i] ^ r)
		}
	case sel == nil:
		a, b, out := a[:f.n], b[:f.n], out[:f.n]
		for i := range out {
			r := a[i] + b[i]
			out[i] = r
			acc |= (r - lo) | (hi - r)
		}
	default:
		acc = -1
		for _, i := range sel {
			out[i] = a[i] + b[i]
		}
	}
	if acc < 0 {
		each(f.n, sel, func(i int) {
			if r := out[i]; (a[i]^r)&(b[i]^r) < 0 || r < lo || r > hi {
				c.fail(f, i, errRange(t))
			}
		})
	}
}

func subInts(f *frame, c *call, sel []uint16, lo, hi int64, t types.Type) {
	a, b, out := c.cols[0].Int, c.cols[1].Int, c.out.Int
	var acc int64
	switch {
	case sel == nil && t.Kind == types.Int64:
		a, b, out := a[:f.n], b[:f.n], out[:f.n]
		for i := range out {
			r := a[i] - b[i]
			out[i] = r
			acc |= (a[i] ^ b[i]) & (a[i] ^ r)
		}
	case sel == nil:
		a, b, out := a[:f.n], b[:f.n], out[:f.n]
		for i := range out {
			r := a[i] - b[i]
			out[i] = r
			acc |= (r - lo) | (hi - r)
		}
	default:
		acc = -1
		for _, i := range sel {
			out[i] = a[i] - b[i]
		}
	}
	if acc < 0 {
		each(f.n, sel, func(i int) {
			if r := out[i]; (a[i]^b[i])&(a[i]^r) < 0 || r < lo || r > hi {
				c.fail(f, i, errRange(t))
			}
		})
	}
}

func mulOverflows(a, b, lo, hi int64) bool {
	h, l := bits.Mul64(uint64(a), uint64(b))
	if a < 0 {
		h -= uint64(b)
	}
	if b < 0 {
		h -= uint64(a)
	}
	r := int64(l)
	return int64(h) != r>>63 || r < lo || r > hi
}

func mulInts(f *frame, c *call, sel []uint16, lo, hi int64, t types.Type) {
	a, b, out := c.cols[0].Int, c.cols[1].Int, c.out.Int
	var acc int64
	switch {
	case sel == nil && t.Kind == types.Int64:
		a, b, out := a[:f.n], b[:f.n], out[:f.n]
		for i := range out {
			x, y := a[i], b[i]
			out[i] = x * y
			// Factors within 32 bits cannot overflow; others are looked at again.
			acc |= int64((uint64(x+1<<31) | uint64(y+1<<31)) >> 32)
		}
		if acc != 0 {
			acc = -1
		}
	case sel == nil:
		a, b, out := a[:f.n], b[:f.n], out[:f.n]
		for i := range out {
			r := a[i] * b[i]
			out[i] = r
			acc |= (r - lo) | (hi - r)
		}
	default:
		acc = -1
		for _, i := range sel {
			out[i] = a[i] * b[i]
		}
	}
	if acc < 0 {
		each(f.n, sel, func(i int) {
			if mulOverflows(a[i], b[i], lo, hi) {
				c.fail(f, i, errRange(t))
			}
		})
	}
}

func divInts(f *frame, c *call, sel []uint16, hi, lo int64, t types.Type, mod bool) {
	a, b, out := c.cols[0].Int, c.cols[1].Int, c.out.Int
	if k, ok := c.args[1].(*constNode); ok && sel == nil && k.v.Int > 0 && !k.v.Null {
		d := k.v.Int // hot: x / k, x % k
		a, out := a[:f.n], out[:f.n]
		if mod {
			for i := range out {
				out[i] = a[i] % d
			}
			return
		}
		for i := range out {
			out[i] = a[i] / d
		}
		return
	}
	each(f.n, sel, func(i int) {
		switch {
		case b[i] == 0:
			c.fail(f, i, errZero())
		case mod && b[i] == -1:
			out[i] = 0
		case mod:
			out[i] = a[i] % b[i]
		case b[i] == -1 && a[i] == lo:
			c.fail(f, i, errRange(t))
		default:
			out[i] = a[i] / b[i]
		}
	})
}

// floatArith makes + - * / over floats; real results are rounded.
func floatArith(op byte, t types.Type) kernel {
	single := t.Kind == types.Float32
	return func(f *frame, c *call, sel []uint16) {
		a, b, out := c.cols[0].Float, c.cols[1].Float, c.out.Float
		bad := false
		step := func(x, y float64) (r float64) {
			switch op {
			case '+':
				r = x + y
			case '-':
				r = x - y
			case '*':
				r = x * y
			default:
				r = x / y
			}
			if single {
				r = float64(float32(r))
			}
			return r
		}
		check := func(x, y, r float64) error {
			switch {
			case op == '/' && y == 0 && !math.IsNaN(x):
				return errZero()
			case math.IsInf(r, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0):
				return errFloat(1)
			case r == 0 && x != 0 && (op == '*' && y != 0 || op == '/' && !math.IsInf(y, 0)):
				return errFloat(0)
			}
			return nil
		}
		each(f.n, sel, func(i int) {
			r := step(a[i], b[i])
			out[i] = r
			bad = bad || r == 0 || r-r != 0
		})
		if bad {
			each(f.n, sel, func(i int) {
				if err := check(a[i], b[i], out[i]); err != nil {
					c.fail(f, i, err)
				}
			})
		}
	}
}

// decimalArith makes the operators over numeric.
func decimalArith(op func(a, b types.Decimal) (types.Decimal, error)) kernel {
	return func(f *frame, c *call, sel []uint16) {
		a, b, out := c.cols[0].Dec, c.cols[1].Dec, c.out.Dec
		if sel == nil {
			for i := range f.n {
				r, err := op(a[i], b[i])
				if out[i] = r; err != nil {
					c.fail(f, i, err)
				}
			}
			return
		}
		for _, i := range sel {
			r, err := op(a[i], b[i])
			if out[i] = r; err != nil {
				c.fail(f, int(i), err)
			}
		}
	}
}
