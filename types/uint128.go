package types

import (
	"math/big"
	"math/bits"
)

// u128 is an unsigned 128-bit magnitude.
type u128 struct{ hi, lo uint64 }

// u256 is an unsigned 256-bit magnitude, least significant word first.
type u256 [4]uint64

var pow10Table = func() (t [39]u128) {
	t[0] = u128{0, 1}
	for i := 1; i < len(t); i++ {
		t[i], _ = t[i-1].mul(u128{0, 10})
	}
	return t
}()

func (a u128) isZero() bool { return a.hi|a.lo == 0 }

func (a u128) cmp(b u128) int {
	switch {
	case a.hi != b.hi:
		if a.hi < b.hi {
			return -1
		}
		return 1
	case a.lo != b.lo:
		if a.lo < b.lo {
			return -1
		}
		return 1
	}
	return 0
}

func (a u128) add(b u128) (u128, bool) {
	lo, c := bits.Add64(a.lo, b.lo, 0)
	hi, c := bits.Add64(a.hi, b.hi, c)
	return u128{hi, lo}, c == 0
}

func (a u128) sub(b u128) u128 {
	lo, c := bits.Sub64(a.lo, b.lo, 0)
	hi, _ := bits.Sub64(a.hi, b.hi, c)
	return u128{hi, lo}
}

func (a u128) mul(b u128) (u128, bool) {
	if a.hi == 0 && b.hi == 0 {
		hi, lo := bits.Mul64(a.lo, b.lo)
		return u128{hi, lo}, true
	}
	w := a.mulWide(b)
	return u128{w[1], w[0]}, w[2]|w[3] == 0
}

func (a u128) mulWide(b u128) (r u256) {
	x, y := [2]uint64{a.lo, a.hi}, [2]uint64{b.lo, b.hi}
	for i := range x {
		var carry uint64
		for j := range y {
			hi, lo := bits.Mul64(x[i], y[j])
			lo, c := bits.Add64(lo, r[i+j], 0)
			hi += c
			lo, c = bits.Add64(lo, carry, 0)
			r[i+j], carry = lo, hi+c
		}
		r[i+2] += carry
	}
	return r
}

func (a u128) div64(d uint64) (q u128, r uint64) {
	q.hi, r = a.hi/d, a.hi%d
	q.lo, r = bits.Div64(r, a.lo, d)
	return q, r
}

func (a u128) divMod(d u128) (q, r u128) {
	if d.hi == 0 {
		q, rem := a.div64(d.lo)
		return q, u128{0, rem}
	}
	// The quotient fits in 64 bits: estimate it with the divisor's top word.
	n := uint(bits.LeadingZeros64(d.hi))
	v1 := d.hi<<n | d.lo>>1>>(63-n)
	u := u128{a.hi >> 1, a.hi<<63 | a.lo>>1}
	tq, _ := bits.Div64(u.hi, u.lo, v1)
	tq >>= 63 - n
	if tq != 0 {
		tq--
	}
	p, _ := d.mul(u128{0, tq})
	r = a.sub(p)
	for r.cmp(d) >= 0 {
		tq++
		r = r.sub(d)
	}
	return u128{0, tq}, r
}

func (w u256) fits() bool { return w[2]|w[3] == 0 }

func (w u256) cmp(v u256) int {
	for i := 3; i >= 0; i-- {
		if w[i] != v[i] {
			if w[i] < v[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// divRound divides, rounding half up; ok is false when the quotient takes more
// than 128 bits.
func (w u256) divRound(d u128) (q u128, ok bool) {
	if w.fits() {
		q, r := u128{w[1], w[0]}.divMod(d)
		if r.cmp(d.sub(r)) >= 0 {
			return q.add(u128{0, 1})
		}
		return q, true
	}
	if d.hi == 0 {
		var r uint64
		for i := 3; i >= 0; i-- {
			w[i], r = bits.Div64(r, w[i], d.lo)
		}
		q, ok = u128{w[1], w[0]}, w.fits()
		if ok && r >= d.lo-r {
			q, ok = q.add(u128{0, 1})
		}
		return q, ok
	}
	// hot paths do not come here: more than 128 bits by more than 64.
	x, y := new(big.Int), u128{d.hi, d.lo}.big()
	for i := 3; i >= 0; i-- {
		x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(w[i]))
	}
	quo, rem := new(big.Int).QuoRem(x, y, new(big.Int))
	if rem.Lsh(rem, 1).Cmp(y) >= 0 {
		quo.Add(quo, big.NewInt(1))
	}
	return fromBig(quo)
}

func (a u128) big() *big.Int {
	x := new(big.Int).SetUint64(a.hi)
	return x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(a.lo))
}

func fromBig(x *big.Int) (u128, bool) {
	if x.BitLen() > 128 {
		return u128{}, false
	}
	lo := new(big.Int).And(x, new(big.Int).SetUint64(^uint64(0))).Uint64()
	return u128{new(big.Int).Rsh(x, 64).Uint64(), lo}, true
}

// digits is the number of decimal digits, 1 for zero.
func (a u128) digits() int {
	n := (128 - bits.LeadingZeros64(a.hi))
	if a.hi == 0 {
		n = 64 - bits.LeadingZeros64(a.lo)
	}
	d := n * 1233 >> 12 // log10(2), a little low or exact
	if d < len(pow10Table) && a.cmp(pow10Table[d]) >= 0 {
		d++
	}
	return max(d, 1)
}
