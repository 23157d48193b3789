package types

import (
	"math"

	"github.com/millrace/millrace/internal/pgerr"
)

// DecimalDigitsMax is how many digits a numeric may have, and its largest scale.
// Fractional digits beyond it are rounded away; integer digits are 22003.
const DecimalDigitsMax = 38

var (
	// NaN is numeric's not-a-number, equal to itself and above everything.
	NaN = Decimal{Special: DecimalNaN}
	// Zero is numeric 0.
	Zero = Decimal{}
)

func errNumericOverflow() *pgerr.Error {
	return pgerr.New(pgerr.NumericValueOutOfRange, "value overflows numeric format").
		WithDetail("A numeric has at most %d digits here.", DecimalDigitsMax)
}

func errDivisionByZero() *pgerr.Error { return pgerr.New(pgerr.DivisionByZero, "division by zero") }

// DecimalFromInt returns v with scale 0.
func DecimalFromInt(v int64) Decimal { return Decimal{Hi: v >> 63, Lo: uint64(v)} }

func (d Decimal) abs() (u128, bool) {
	if d.Hi < 0 {
		lo := -d.Lo
		hi := ^uint64(d.Hi)
		if lo == 0 {
			hi++
		}
		return u128{hi, lo}, true
	}
	return u128{uint64(d.Hi), d.Lo}, false
}

func makeDecimal(u u128, neg bool, scale int32) Decimal {
	if neg {
		u.lo = -u.lo
		u.hi = ^u.hi
		if u.lo == 0 {
			u.hi++
		}
	}
	return Decimal{Hi: int64(u.hi), Lo: u.lo, Scale: scale}
}

// fit makes a Decimal of a magnitude, dropping fractional digits when there
// are more than fit.
func fit(w u256, neg bool, scale int32) (Decimal, error) {
	u := u128{w[1], w[0]}
	limit := pow10Table[DecimalDigitsMax]
	drop := max(scale-DecimalDigitsMax, 0)
	if drop == 0 && w.fits() && u.cmp(limit) < 0 {
		return makeDecimal(u, neg, scale), nil
	}
	for ; drop <= scale; drop++ {
		if drop > DecimalDigitsMax { // in two steps: the table ends at 10^38
			q, ok := w.divRound(pow10Table[DecimalDigitsMax])
			if !ok {
				break
			}
			w, scale, drop = u256{q.lo, q.hi}, scale-DecimalDigitsMax, drop-DecimalDigitsMax
		}
		if q, ok := w.divRound(pow10Table[drop]); ok && q.cmp(limit) < 0 {
			return makeDecimal(q, neg, scale-drop), nil
		}
	}
	return Decimal{}, errNumericOverflow()
}

// Sign is -1, 0 or 1; NaN counts as 1.
func (d Decimal) Sign() int {
	switch {
	case d.Special == DecimalNegInf:
		return -1
	case d.Special != 0:
		return 1
	case d.Hi < 0:
		return -1
	case d.Hi == 0 && d.Lo == 0:
		return 0
	}
	return 1
}

// IsZero reports whether d is 0 with any scale.
func (d Decimal) IsZero() bool { return d.Hi == 0 && d.Lo == 0 && d.Special == 0 }

// Neg is -d.
func (d Decimal) Neg() Decimal {
	switch d.Special {
	case DecimalNaN:
		return d
	case DecimalInf:
		return Decimal{Special: DecimalNegInf}
	case DecimalNegInf:
		return Decimal{Special: DecimalInf}
	}
	u, neg := d.abs()
	return makeDecimal(u, !neg, d.Scale)
}

// Abs is the magnitude of d.
func (d Decimal) Abs() Decimal {
	if d.Sign() < 0 {
		return d.Neg()
	}
	return d
}

// Add is d + e, with the larger scale of both.
func (d Decimal) Add(e Decimal) (Decimal, error) {
	// hot: two 64-bit coefficients of one scale.
	if d.Scale == e.Scale && d.Special|e.Special == 0 {
		if d.Hi == int64(d.Lo)>>63 && e.Hi == int64(e.Lo)>>63 {
			s := int64(d.Lo) + int64(e.Lo)
			if (s > int64(d.Lo)) == (int64(e.Lo) > 0) {
				return Decimal{Hi: s >> 63, Lo: uint64(s), Scale: d.Scale}, nil
			}
		}
	}
	if d.Special|e.Special != 0 {
		switch {
		case d.Special == DecimalNaN || e.Special == DecimalNaN || d.Special != 0 && e.Special != 0 && d.Special != e.Special:
			return NaN, nil
		case d.Special != 0:
			return d, nil
		}
		return e, nil
	}
	a, an := d.abs()
	b, bn := e.abs()
	scale := max(d.Scale, e.Scale)
	wa, wb := a.mulWide(pow10Table[scale-d.Scale]), b.mulWide(pow10Table[scale-e.Scale])
	if an == bn {
		return fit(wa.add(wb), an, scale)
	}
	if wa.cmp(wb) >= 0 {
		return fit(wa.sub(wb), an, scale)
	}
	return fit(wb.sub(wa), bn, scale)
}

// Sub is d - e.
func (d Decimal) Sub(e Decimal) (Decimal, error) { return d.Add(e.Neg()) }

// Mul is d × e, with the sum of both scales.
func (d Decimal) Mul(e Decimal) (Decimal, error) {
	// hot: two 64-bit coefficients whose product has 64 bits too.
	if d.Special|e.Special == 0 && d.Hi == int64(d.Lo)>>63 && e.Hi == int64(e.Lo)>>63 && d.Scale+e.Scale <= DecimalDigitsMax {
		x, y := int64(d.Lo), int64(e.Lo)
		if uint64(x+1<<31)>>32 == 0 && uint64(y+1<<31)>>32 == 0 {
			return Decimal{Hi: x * y >> 63, Lo: uint64(x * y), Scale: d.Scale + e.Scale}, nil
		}
	}
	if d.Special|e.Special != 0 {
		switch {
		case d.Special == DecimalNaN || e.Special == DecimalNaN || d.Sign()*e.Sign() == 0:
			return NaN, nil
		case d.Sign()*e.Sign() < 0:
			return Decimal{Special: DecimalNegInf}, nil
		}
		return Decimal{Special: DecimalInf}, nil
	}
	a, an := d.abs()
	b, bn := e.abs()
	return fit(a.mulWide(b), an != bn, d.Scale+e.Scale)
}

// weight gives the base-10000 weight of the first digit and that digit, as
// PostgreSQL stores numerics; both are 0 for zero.
func (d Decimal) weight() (int32, uint64) {
	u, _ := d.abs()
	if u.isZero() {
		return 0, 0
	}
	w := int32(u.digits()) - 1 - d.Scale
	if w >= 0 {
		w /= 4
	} else {
		w = -((-w + 3) / 4)
	}
	if shift := d.Scale + 4*w; shift >= 0 {
		q, _ := u.divMod(pow10Table[shift])
		return w, q.lo
	} else {
		q, _ := u.mul(pow10Table[-shift])
		return w, q.lo
	}
}

// divScale is PostgreSQL's select_div_scale: at least 16 significant digits.
func divScale(d, e Decimal) int32 {
	w1, f1 := d.weight()
	w2, f2 := e.weight()
	q := w1 - w2
	if f1 <= f2 {
		q--
	}
	return max(16-4*q, d.Scale, e.Scale, 0)
}

// Div is d ÷ e, rounded to PostgreSQL's scale for quotients.
func (d Decimal) Div(e Decimal) (Decimal, error) {
	if d.Special|e.Special != 0 {
		switch {
		case d.Special == DecimalNaN || e.Special == DecimalNaN || d.Special != 0 && e.Special != 0:
			return NaN, nil
		case d.Special == 0:
			return Zero, nil
		case e.IsZero():
			return Decimal{}, errDivisionByZero()
		case d.Sign()*e.Sign() < 0:
			return Decimal{Special: DecimalNegInf}, nil
		}
		return Decimal{Special: DecimalInf}, nil
	}
	if e.IsZero() {
		return Decimal{}, errDivisionByZero()
	}
	return d.divTo(e, min(divScale(d, e), DecimalDigitsMax))
}

// divTo is the quotient rounded to a scale, or to fewer digits when they do not
// fit.
func (d Decimal) divTo(e Decimal, scale int32) (Decimal, error) {
	a, an := d.abs()
	b, bn := e.abs()
	for ; scale >= 0; scale-- {
		// a·10^-sa / (b·10^-sb) = (a/b)·10^(sb-sa)
		k := scale + e.Scale - d.Scale
		var q u128
		var ok bool
		switch {
		case k < 0:
			den, fits := b.mul(pow10Table[-k])
			if !fits {
				return makeDecimal(u128{}, false, scale), nil
			}
			q, ok = u256{a.lo, a.hi}.divRound(den)
		case k <= DecimalDigitsMax:
			q, ok = a.mulWide(pow10Table[k]).divRound(b)
		default:
			if a10, fits := a.mul(pow10Table[k-DecimalDigitsMax]); fits {
				q, ok = a10.mulWide(pow10Table[DecimalDigitsMax]).divRound(b)
			}
		}
		if ok && q.cmp(pow10Table[DecimalDigitsMax]) < 0 {
			return makeDecimal(q, an != bn, scale), nil
		}
	}
	return Decimal{}, errNumericOverflow()
}

// QuoTrunc is the integer quotient of d ÷ e, truncated, as div() gives it.
func (d Decimal) QuoTrunc(e Decimal) (Decimal, error) {
	if d.Special|e.Special != 0 || e.IsZero() {
		return d.Div(e)
	}
	r, err := d.Mod(e)
	if err != nil {
		return r, err
	}
	if d, err = d.Sub(r); err != nil {
		return d, err
	}
	return d.divTo(e, 0)
}

// Mod is the remainder of d ÷ e with the sign of d.
func (d Decimal) Mod(e Decimal) (Decimal, error) {
	if d.Special|e.Special != 0 {
		switch {
		case d.Special != 0 || e.Special == DecimalNaN:
			if e.IsZero() && d.Special != DecimalNaN {
				return Decimal{}, errDivisionByZero()
			}
			return NaN, nil
		}
		return d, nil
	}
	if e.IsZero() {
		return Decimal{}, errDivisionByZero()
	}
	a, an := d.abs()
	b, _ := e.abs()
	scale := max(d.Scale, e.Scale)
	a1, ok1 := a.mul(pow10Table[scale-d.Scale])
	b1, ok2 := b.mul(pow10Table[scale-e.Scale])
	switch {
	case ok1 && ok2:
		_, r := a1.divMod(b1)
		return fit(u256{r.lo, r.hi}, an, scale)
	case ok1: // the divisor is larger than any dividend
		return fit(u256{a1.lo, a1.hi}, an, scale)
	}
	x, y := a.big(), b.big()
	x.Mul(x, pow10Table[scale-d.Scale].big())
	y.Mul(y, pow10Table[scale-e.Scale].big())
	r, _ := fromBig(x.Rem(x, y))
	return fit(u256{r.lo, r.hi}, an, scale)
}

// Cmp orders numerics: -1, 0, 1. NaN is equal to NaN and above all.
func (d Decimal) Cmp(e Decimal) int {
	if d.Special|e.Special != 0 {
		return cmpInt(d.rank(), e.rank())
	}
	if d.Scale == e.Scale {
		if d.Hi != e.Hi {
			return cmpInt(d.Hi, e.Hi)
		}
		return cmpInt(d.Lo, e.Lo)
	}
	if s, t := d.Sign(), e.Sign(); s != t {
		return cmpInt(s, t)
	}
	a, neg := d.abs()
	b, _ := e.abs()
	scale := max(d.Scale, e.Scale)
	c := a.mulWide(pow10Table[scale-d.Scale]).cmp(b.mulWide(pow10Table[scale-e.Scale]))
	if neg {
		return -c
	}
	return c
}

func (d Decimal) rank() int { return [...]int{1, 3, 2, 0}[d.kind()] }

func cmpInt[T int | int64 | uint64](a, b T) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// Round rounds half away from zero to scale digits after the point, and sets
// that display scale (0 for a negative scale, which rounds before the point).
func (d Decimal) Round(scale int32) (Decimal, error) { return d.toScale(scale, true) }

// Trunc is Round that cuts off.
func (d Decimal) Trunc(scale int32) (Decimal, error) { return d.toScale(scale, false) }

func (d Decimal) toScale(scale int32, round bool) (Decimal, error) {
	if d.Special != 0 {
		return d, nil
	}
	scale = min(max(scale, -2000), 2000)
	u, neg := d.abs()
	if scale >= d.Scale {
		want := min(scale, DecimalDigitsMax)
		for want > d.Scale {
			if r, ok := u.mul(pow10Table[want-d.Scale]); ok && r.cmp(pow10Table[DecimalDigitsMax]) < 0 {
				return makeDecimal(r, neg, want), nil
			}
			want--
		}
		return d, nil
	}
	drop := d.Scale - scale
	if drop > DecimalDigitsMax {
		return Decimal{Scale: max(scale, 0)}, nil
	}
	q, r := u.divMod(pow10Table[drop])
	if round && r.cmp(pow10Table[drop].sub(r)) >= 0 {
		q, _ = q.add(u128{0, 1})
	}
	if scale < 0 {
		m, ok := q.mul(pow10Table[min(-scale, DecimalDigitsMax)])
		if !ok || m.cmp(pow10Table[DecimalDigitsMax]) >= 0 {
			return Decimal{}, errNumericOverflow()
		}
		return makeDecimal(m, neg, 0), nil
	}
	return makeDecimal(q, neg, scale), nil
}

// Floor is the largest integer not above d.
func (d Decimal) Floor() (Decimal, error) {
	t, err := d.Trunc(0)
	if err == nil && d.Sign() < 0 && t.Cmp(d) != 0 {
		return t.Sub(DecimalFromInt(1))
	}
	return t, err
}

// Ceil is the smallest integer not below d.
func (d Decimal) Ceil() (Decimal, error) {
	t, err := d.Neg().Floor()
	return t.Neg(), err
}

// Normalize drops trailing zeros of the fraction: equal numerics become
// identical, as hashing and key encodings need.
func (d Decimal) Normalize() Decimal {
	u, neg := d.abs()
	if u.isZero() {
		d.Scale = 0
		return d
	}
	for d.Scale > 0 {
		q, r := u.div64(10)
		if r != 0 {
			break
		}
		u, d.Scale = q, d.Scale-1
	}
	if d.Special != 0 {
		return Decimal{Special: d.Special}
	}
	return makeDecimal(u, neg, d.Scale)
}

// WithTypmod rounds d to numeric(precision, scale) or refuses it.
func (d Decimal) WithTypmod(precision, scale int32) (Decimal, error) {
	if d.Special == DecimalNaN {
		return d, nil
	}
	overflow := func() error {
		limit := "1"
		if precision != scale {
			return pgerr.New(pgerr.NumericValueOutOfRange, "numeric field overflow").WithDetail(
				"A field with precision %d, scale %d must round to an absolute value less than 10^%d.", precision, scale, precision-scale)
		}
		return pgerr.New(pgerr.NumericValueOutOfRange, "numeric field overflow").WithDetail(
			"A field with precision %d, scale %d must round to an absolute value less than %s.", precision, scale, limit)
	}
	if d.Special != 0 {
		return d, pgerr.New(pgerr.NumericValueOutOfRange, "numeric field overflow").WithDetail(
			"A field with precision %d, scale %d cannot hold an infinite value.", precision, scale)
	}
	r, err := d.Round(scale)
	if err != nil {
		return r, err
	}
	u, _ := r.abs()
	if digits := precision - scale + r.Scale; digits < DecimalDigitsMax && u.cmp(pow10Table[digits]) >= 0 || r.Scale < scale {
		return r, overflow()
	}
	return r, nil
}

// Int64 rounds d to an integer; typeName is for the message.
func (d Decimal) Int64(typeName string) (int64, error) {
	outOfRange := pgerr.NumericValueOutOfRange
	switch d.Special {
	case DecimalNaN:
		return 0, pgerr.New(pgerr.FeatureNotSupported, "cannot convert NaN to %s", typeName)
	case DecimalInf, DecimalNegInf:
		return 0, pgerr.New(pgerr.FeatureNotSupported, "cannot convert infinity to %s", typeName)
	}
	r, err := d.Round(0)
	if err != nil {
		return 0, err
	}
	if r.Hi != int64(r.Lo)>>63 {
		return 0, pgerr.New(outOfRange, "%s out of range", typeName)
	}
	return int64(r.Lo), nil
}

var floatPow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
	1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// Float64 is the nearest double.
func (d Decimal) Float64() float64 {
	switch d.Special {
	case DecimalNaN:
		return math.NaN()
	case DecimalInf:
		return math.Inf(1)
	case DecimalNegInf:
		return math.Inf(-1)
	}
	u, neg := d.abs()
	var f float64
	if u.hi == 0 && u.lo < 1<<53 && int(d.Scale) < len(floatPow10) {
		f = float64(u.lo) / floatPow10[d.Scale]
	} else {
		f = parseFloatExact(d.Abs().String())
	}
	if neg {
		return -f
	}
	return f
}

func (w u256) add(v u256) (r u256) {
	a, ok := u128{w[1], w[0]}.add(u128{v[1], v[0]})
	b, _ := u128{w[3], w[2]}.add(u128{v[3], v[2]})
	if !ok {
		b, _ = b.add(u128{0, 1})
	}
	return u256{a.lo, a.hi, b.lo, b.hi}
}

func (w u256) sub(v u256) (r u256) {
	a := u128{w[1], w[0]}.sub(u128{v[1], v[0]})
	b := u128{w[3], w[2]}.sub(u128{v[3], v[2]})
	if (u128{w[1], w[0]}).cmp(u128{v[1], v[0]}) < 0 {
		b = b.sub(u128{0, 1})
	}
	return u256{a.lo, a.hi, b.lo, b.hi}
}
