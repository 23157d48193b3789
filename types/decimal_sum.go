package types

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
)

// A sum of numerics is kept in a Decimal that may be more than a numeric can be:
// adding to it never fails, so that what is taken away again leaves what there was.
// A sum within a numeric's range is that numeric. Otherwise
//
//   - Special above its lowest 2 bits is the signed number of times that 2^128 is to
//     be added to the coefficient;
//   - Scale above its lowest 6 bits is how many values were too large to be added.
//
// That is 157 bits, 47 digits, of a sum. Fractional digits beyond them are rounded away.
const (
	sumKindBits  = 2
	sumScaleBits = 6
	sumBits      = 128 + 29 // without the sign
)

// AddSum adds v, itself a sum, to d, or takes it away if sign is negative.
func (d *Decimal) AddSum(v Decimal, sign int64) {
	if sign < 0 {
		v = v.negSum()
	}
	if d.IsNumeric() && v.IsNumeric() {
		if sum, err := d.Add(v); err == nil && (sum.Special != 0 || sum.Scale == max(d.Scale, v.Scale)) {
			*d = sum
			return
		}
	}
	for _, kind := range []int32{d.kind(), v.kind()} {
		if kind != 0 { // nothing is left to be told of sums like that
			s, _ := Decimal{Special: d.kind()}.Add(Decimal{Special: v.kind()})
			*d = s
			return
		}
	}
	x, xs, a := d.Sum()
	y, ys, b := v.Sum()
	scale := max(xs, ys)
	x.Mul(x, bigPower(scale-xs))
	x.Add(x, y.Mul(y, bigPower(scale-ys)))
	*d = makeSum(x, scale, a+b)
}

// AddBeyond notes that a value came, or went if sign is negative, that is too large
// to be added.
func (d *Decimal) AddBeyond(sign int64) { d.Scale += int32(sign) << sumScaleBits }

// Sum is what a sum comes to: a coefficient, its scale, and how many values are not
// in it since they are too large. It means nothing for NaN and the infinities.
func (d Decimal) Sum() (coef *big.Int, scale int32, beyond int64) {
	coef = big.NewInt(int64(d.Special >> sumKindBits))
	coef.Lsh(coef, 64).Add(coef, big.NewInt(d.Hi))
	coef.Lsh(coef, 64).Add(coef, new(big.Int).SetUint64(d.Lo))
	return coef, d.Scale & (1<<sumScaleBits - 1), int64(d.Scale >> sumScaleBits)
}

// Total is the numeric that a sum is, 22003 if none can be that.
func (d Decimal) Total() (Decimal, error) {
	if d.IsNumeric() && (d.Special != 0 || d.inRange()) {
		return d, nil
	}
	if kind := d.kind(); kind != 0 {
		return Decimal{Special: kind}, nil
	}
	x, scale, beyond := d.Sum()
	for ; beyond == 0; scale-- {
		if s := makeSum(x, scale, 0); s.IsNumeric() && s.inRange() {
			return s, nil
		}
		if scale == 0 {
			break
		}
		x = quoRound(x, 10)
	}
	return Decimal{}, errNumericOverflow()
}

// Shown is a sum for whoever looks at it: an infinity stands for what no numeric is.
func (d Decimal) Shown() Decimal {
	t, err := d.Total()
	switch {
	case err == nil:
		return t
	case d.Special < 0 || d.Special == 0 && d.Hi < 0:
		return Decimal{Special: DecimalNegInf}
	}
	return Decimal{Special: DecimalInf}
}

// AppendSum appends the text of a sum that ParseSum reads: a numeric's as PostgreSQL
// prints it, and behind a blank how many values were too large.
func (d Decimal) AppendSum(dst []byte) []byte {
	if d.IsNumeric() {
		return d.AppendTo(dst)
	}
	x, scale, beyond := d.Sum()
	text := new(big.Int).Abs(x).Text(10)
	if n := int(scale) + 1 - len(text); n > 0 {
		text = strings.Repeat("0", n) + text
	}
	if x.Sign() < 0 {
		dst = append(dst, '-')
	}
	point := len(text) - int(scale)
	dst = append(dst, text[:point]...)
	if scale > 0 {
		dst = append(append(dst, '.'), text[point:]...)
	}
	if beyond != 0 {
		dst = strconv.AppendInt(append(dst, ' '), beyond, 10)
	}
	return dst
}

// ParseSum reads the text of a sum.
func ParseSum(s string) (Decimal, error) {
	if len(s) <= DecimalDigitsMax+1 || strings.ContainsAny(s, "NnIiEe") { // nothing is rounded away
		if d, err := ParseDecimal(s); err == nil {
			return d, nil
		}
	}
	bad := pgerr.New(pgerr.InvalidTextRepresentation, "invalid sum of numerics: %q", s)
	digits, count, several := strings.Cut(s, " ")
	var beyond int64
	if several {
		var err error
		if beyond, err = strconv.ParseInt(count, 10, 32-sumScaleBits); err != nil {
			return Decimal{}, bad
		}
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	x, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok || strings.ContainsAny(digits, "+_") || len(fraction) > DecimalDigitsMax || x.BitLen() > sumBits {
		return Decimal{}, bad
	}
	return makeSum(x, int32(len(fraction)), beyond), nil
}

// kind is Special of a sum that is NaN or infinite, else 0.
func (d Decimal) kind() int32 { return d.Special & (1<<sumKindBits - 1) }

// narrow reports whether the coefficient is all that there is.
func (d Decimal) IsNumeric() bool {
	return d.Special>>sumKindBits == 0 && d.Scale>>sumScaleBits == 0
}

// inRange reports whether the coefficient has no more digits than a numeric's.
func (d Decimal) inRange() bool {
	u, _ := d.abs()
	return u.cmp(pow10Table[DecimalDigitsMax]) < 0
}

func (d Decimal) negSum() Decimal {
	if d.IsNumeric() && (d.Special != 0 || d.Hi != -1<<63) {
		return d.Neg()
	}
	if kind := d.kind(); kind != 0 {
		return Decimal{Special: kind}.Neg()
	}
	x, scale, beyond := d.Sum()
	return makeSum(x.Neg(x), scale, -beyond)
}

// makeSum makes the sum that a coefficient and a count of values beyond are. 2^30
// values of 38 digits are needed for a whole number that does not fit: it has no
// value any more.
func makeSum(x *big.Int, scale int32, beyond int64) Decimal {
	for x.BitLen() > sumBits {
		if scale == 0 {
			x, beyond = new(big.Int), beyond+1
			break
		}
		x = quoRound(x, 10)
		scale--
	}
	word := new(big.Int).SetUint64(1<<64 - 1)
	lo := new(big.Int).And(x, word).Uint64()
	high := new(big.Int).Rsh(x, 64)
	hi := int64(new(big.Int).And(high, word).Uint64())
	times := high.Rsh(high, 64).Int64()
	if hi < 0 { // the coefficient has a sign of its own
		times++
	}
	return Decimal{Hi: hi, Lo: lo, Scale: scale | int32(beyond)<<sumScaleBits, Special: int32(times) << sumKindBits}
}

// quoRound is x / n rounded half away from zero.
func quoRound(x *big.Int, n int64) *big.Int {
	by := big.NewInt(n)
	q, r := new(big.Int).QuoRem(x, by, new(big.Int))
	if r.Lsh(r.Abs(r), 1).Cmp(by) >= 0 {
		q.Add(q, big.NewInt(int64(x.Sign())))
	}
	return q
}

func bigPower(n int32) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
