package eval

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// Times within these bounds are finite, and stay in range when moved by less than
// shiftMax: loops over them need no check per row.
const (
	plainTimeMin = -1 << 57
	plainTimeMax = 1 << 62
	shiftMax     = 1 << 55
)

// shiftKernel is a timestamp (argument ts) plus or minus an interval (argument iv).
func shiftKernel(ts, iv int, minus bool) kernel {
	return func(f *frame, c *call, sel []uint16) {
		if k, ok := c.args[iv].(*constNode); ok && !k.v.Null && shiftAll(f, c, sel, ts, k.v.Interval, minus) {
			return
		}
		a, b, out := c.cols[ts].Int, c.cols[iv].Interval, c.out.Int
		each(f.n, sel, func(i int) {
			v := b[i]
			var err error
			if minus {
				v, err = v.Neg()
			}
			if err == nil {
				out[i], err = v.AddToTimestamp(a[i])
			}
			if err != nil {
				c.fail(f, i, err)
			}
		})
	}
}

// shiftAll moves all rows by one fixed length of time. It reports false, with
// nothing of worth written, when that length or a row needs more care.
func shiftAll(f *frame, c *call, sel []uint16, ts int, by types.Interval, minus bool) bool {
	if by.Months != 0 || by.Days != 0 || by.Micros <= -shiftMax || by.Micros >= shiftMax {
		return false
	}
	us := by.Micros
	if minus {
		us = -us
	}
	a, out, odd := c.cols[ts].Int, c.out.Int, int64(0)
	if sel == nil {
		a, out := a[:f.n], out[:f.n]
		for i, t := range a { // hot: whether a row is out of bounds shows in the sign of odd
			out[i] = t + us
			odd |= (t - plainTimeMin) | (plainTimeMax - t)
		}
		return odd >= 0
	}
	for _, i := range sel {
		t := a[i]
		out[i] = t + us
		odd |= (t - plainTimeMin) | (plainTimeMax - t)
	}
	return odd >= 0
}

// roundKernel rounds times to so many fractional digits.
func roundKernel(precision int32) kernel {
	half := int64(1)
	for range 6 - precision {
		half *= 10
	}
	half /= 2
	return func(f *frame, c *call, sel []uint16) {
		a, out := c.cols[0].Int, c.out.Int
		if sel == nil && roundAll(a[:f.n], out[:f.n], half) {
			return
		}
		if sel == nil {
			sel = allRows(f.n)
		}
		for _, i := range sel {
			out[i] = types.RoundMicros(a[i], precision)
		}
	}
}

// roundAll rounds times that are not negative to multiples of twice half. It
// reports false when a row needs more care.
// hot: the divisors that schemas use are constants.
func roundAll(a, out []int64, half int64) bool {
	odd := int64(0)
	for _, t := range a {
		odd |= t | (plainTimeMax - t)
	}
	if odd < 0 {
		return false
	}
	out = out[:len(a)]
	switch half {
	case 500:
		for i, t := range a {
			out[i] = int64((uint64(t) + 500) / 1000 * 1000)
		}
	case 500_000:
		for i, t := range a {
			out[i] = int64((uint64(t) + 500_000) / 1_000_000 * 1_000_000)
		}
	default:
		for i, t := range a {
			out[i] = (t + half) / (2 * half) * (2 * half)
		}
	}
	return true
}

var everyRow = func() (s [batch.RowsMax]uint16) {
	for i := range s {
		s[i] = uint16(i)
	}
	return s
}()

// allRows is the selection of the first n rows. It must not be written.
func allRows(n int) []uint16 { return everyRow[:n] }
