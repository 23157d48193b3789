package eval

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// small reports whether a numeric is finite with a coefficient within 32 bits:
// the product of two such has 64.
func small(d *types.Decimal) bool {
	return d.Special == 0 && d.Hi == int64(d.Lo)>>63 && uint64(int64(d.Lo)+1<<31)>>32 == 0
}

// multiplyDecimals makes numeric × numeric.
func multiplyDecimals() kernel {
	all := decimalArith(types.Decimal.Mul)
	return func(f *frame, c *call, sel []uint16) {
		k, other := c.args[0], c.cols[1]
		if _, is := k.(*constNode); !is {
			k, other = c.args[1], c.cols[0]
		}
		if n, is := k.(*constNode); is && !n.v.Null && small(&n.v.Dec) {
			scaleDecimals(f, c, sel, other.Dec, n.v.Dec)
			return
		}
		all(f, c, sel)
	}
}

// scaleDecimals multiplies a column by a small constant.
// hot: small numbers in the loop, the others by a call.
func scaleDecimals(f *frame, c *call, sel []uint16, a []types.Decimal, k types.Decimal) {
	if sel == nil {
		sel = allRows(f.n)
	}
	factor, out := int64(k.Lo), c.out.Dec
	for _, i := range sel {
		x := &a[i]
		if small(x) && x.Scale+k.Scale <= types.DecimalDigitsMax {
			p := int64(x.Lo) * factor
			out[i] = types.Decimal{Hi: p >> 63, Lo: uint64(p), Scale: x.Scale + k.Scale}
			continue
		}
		r, err := x.Mul(k)
		if out[i] = r; err != nil {
			c.fail(f, int(i), err)
		}
	}
}

// decimalConstSelector compares numerics with a constant.
type decimalConstSelector struct {
	arg node
	op  comparison
	k   types.Decimal
	// The constant at the scale that the rows have had so far, if it has 64 bits
	// at that scale.
	scale int32
	at    int64
	fits  bool
}

func newDecimalConst(arg node, op comparison, k types.Decimal) *decimalConstSelector {
	s := &decimalConstSelector{arg: arg, op: op, k: k}
	s.rescale(k.Scale)
	return s
}

// rescale sets the scale that rows are expected to have.
func (s *decimalConstSelector) rescale(scale int32) {
	s.scale, s.fits = scale, false
	if s.k.Special != 0 || scale < s.k.Scale {
		return
	}
	d, err := s.k.Round(scale)
	s.fits = err == nil && d.Scale == scale && d.Hi == int64(d.Lo)>>63
	s.at = int64(d.Lo)
}

func (s *decimalConstSelector) pick(f *frame, sel, dst []uint16) []uint16 {
	c := s.arg.eval(f, sel)
	if sel == nil {
		sel = allRows(f.n)
	}
	dst = s.compare(c, sel, dst[:len(sel)])
	if !c.HasNulls {
		return dst
	}
	kept := dst[:0]
	for _, i := range dst {
		if !c.Nulls.Get(int(i)) {
			kept = append(kept, i)
		}
	}
	return kept
}

// hot: numbers of the expected scale and 64 bits in the loop, without a branch on
// the answer; the others by a call.
func (s *decimalConstSelector) compare(c *batch.Column, sel, dst []uint16) []uint16 {
	j, neg := 0, s.op.negate
	for _, i := range sel {
		d := &c.Dec[i]
		if d.Scale != s.scale {
			s.rescale(d.Scale)
		}
		order := 0
		if s.fits && d.Special == 0 && d.Hi == int64(d.Lo)>>63 {
			v := int64(d.Lo)
			if v < s.at {
				order = -1
			}
			if v > s.at {
				order = 1
			}
		} else {
			order = d.Cmp(s.k)
		}
		is := order < 0
		switch {
		case s.op.equal:
			is = order == 0
		case s.op.swap:
			is = order > 0
		}
		dst[j] = i
		if is != neg {
			j++
		}
	}
	return dst[:j]
}
