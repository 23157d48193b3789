package eval

import (
	"math"
	"math/big"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// Roots, exponentials and logarithms of numerics: computed to 400 bits, then
// rounded to the scale that PostgreSQL gives, at least 16 significant digits.

const bigBits = 400

func bigOf(d types.Decimal) *big.Float {
	f, _, _ := big.ParseFloat(d.String(), 10, bigBits, big.ToNearestEven)
	return f
}

func bigInt(v int64) *big.Float { return new(big.Float).SetPrec(bigBits).SetInt64(v) }

// rounded gives f with the scale, within what a numeric holds.
func rounded(f *big.Float, scale int) (types.Value, error) {
	if e := f.MantExp(nil); e > 130 {
		return types.NullValue, pgerr.New(pgerr.NumericValueOutOfRange, "value overflows numeric format")
	}
	d, err := types.ParseDecimal(f.Text('f', min(max(scale, 0), types.DecimalDigitsMax)))
	return decValue(d), err
}

var ln2 = func() *big.Float { // 2·atanh(1/3)
	return atanh2(new(big.Float).Quo(bigInt(1), bigInt(3)))
}()

// atanh2 is 2·atanh(z) by its series; |z| is small.
func atanh2(z *big.Float) *big.Float {
	sum, zz, term := bigInt(0), new(big.Float).Mul(z, z), new(big.Float).Set(z)
	for k := int64(1); k < 1000; k += 2 {
		t := new(big.Float).Quo(term, bigInt(k))
		if t.Sign() == 0 || t.MantExp(nil) < -bigBits {
			break
		}
		sum.Add(sum, t)
		term.Mul(term, zz)
	}
	return sum.Mul(sum, bigInt(2))
}

func bigLn(x *big.Float) *big.Float {
	m := new(big.Float).SetPrec(bigBits)
	e := x.MantExp(m) // m in [0.5, 1)
	z := new(big.Float).Quo(new(big.Float).Sub(m, bigInt(1)), new(big.Float).Add(m, bigInt(1)))
	return new(big.Float).Add(atanh2(z), new(big.Float).Mul(bigInt(int64(e)), ln2))
}

func bigExp(x *big.Float) *big.Float {
	q, _ := new(big.Float).Quo(x, ln2).Float64()
	k := int64(math.Round(q))
	r := new(big.Float).Sub(x, new(big.Float).Mul(bigInt(k), ln2))
	const halvings = 8
	r.SetMantExp(r, -halvings)
	sum, term := bigInt(1), bigInt(1)
	for i := int64(1); i < 200; i++ {
		term.Quo(new(big.Float).Mul(term, r), bigInt(i))
		if term.Sign() == 0 || term.MantExp(nil) < -bigBits {
			break
		}
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum.SetMantExp(sum, int(k))
}

const sigDigits = 16

// weight10000 is the weight of the first base-10000 digit.
func weight10000(d types.Decimal) int {
	f := math.Abs(d.Float64())
	if f == 0 {
		return 0
	}
	return int(math.Floor((math.Floor(math.Log10(f)) + 1e-12) / 4))
}

func decimalSqrt(x *row) (types.Value, error) {
	d := x.dec(0)
	switch {
	case d.Special == types.DecimalNaN || d.Special == types.DecimalInf:
		return decValue(d), nil
	case d.Sign() < 0:
		return types.NullValue, errPower("cannot take square root of a negative number")
	}
	w := weight10000(d)
	sweight := (w+1)*4/2 - 1
	return rounded(new(big.Float).Sqrt(bigOf(d)), max(sigDigits-sweight, int(d.Scale)))
}

func decimalExp(x *row) (types.Value, error) {
	d := x.dec(0)
	switch d.Special {
	case types.DecimalNegInf:
		return decValue(types.Zero), nil
	case types.DecimalNaN, types.DecimalInf:
		return decValue(d), nil
	}
	v := d.Float64() * 0.434294481903252
	if v > 40 {
		return types.NullValue, pgerr.New(pgerr.NumericValueOutOfRange, "value overflows numeric format")
	}
	if v < -1000 {
		return decValue(types.Decimal{Scale: types.DecimalDigitsMax}), nil
	}
	return rounded(bigExp(bigOf(d)), max(sigDigits-int(v), int(d.Scale)))
}

// lnWeight estimates the decimal weight of ln(d).
func lnWeight(d types.Decimal) int {
	f := d.Float64()
	if f >= 0.9 && f <= 1.1 {
		y, _ := d.Sub(types.DecimalFromInt(1))
		if y.Sign() == 0 {
			return 0
		}
		return int(math.Floor(math.Log10(math.Abs(y.Float64())) + 1e-12))
	}
	return int(math.Log10(math.Abs(math.Log(f))))
}

func logDomain(d types.Decimal) (types.Value, error, bool) {
	switch {
	case d.Special == types.DecimalNaN:
		return decValue(d), nil, true
	case d.Sign() <= 0:
		return types.NullValue, errLog(d.Sign()), true
	case d.Special != 0:
		return decValue(d), nil, true
	}
	return types.Value{}, nil, false
}

func decimalLn(x *row) (types.Value, error) {
	d := x.dec(0)
	if v, err, done := logDomain(d); done {
		return v, err
	}
	return rounded(bigLn(bigOf(d)), max(sigDigits-lnWeight(d), int(d.Scale)))
}

func decimalLog10(x *row) (types.Value, error) { return logOf(types.DecimalFromInt(10), x.dec(0)) }
func decimalLog(x *row) (types.Value, error)   { return logOf(x.dec(0), x.dec(1)) }

func logOf(base, d types.Decimal) (types.Value, error) {
	for _, v := range []types.Decimal{base, d} {
		if v.Special == types.DecimalNaN {
			return decValue(v), nil
		}
	}
	for _, v := range []types.Decimal{base, d} {
		if v.Sign() <= 0 {
			return types.NullValue, errLog(v.Sign())
		}
	}
	switch {
	case base.Special != 0 && d.Special != 0:
		return decValue(types.Decimal{Special: types.DecimalNaN}), nil
	case base.Special != 0:
		return decValue(types.Zero), nil
	case d.Special != 0:
		return decValue(d), nil
	}
	lb := bigLn(bigOf(base))
	if lb.Sign() == 0 {
		return types.NullValue, errZero()
	}
	scale := max(sigDigits-(lnWeight(d)-lnWeight(base)), int(base.Scale), int(d.Scale))
	return rounded(new(big.Float).Quo(bigLn(bigOf(d)), lb), scale)
}

func decimalPower(x *row) (types.Value, error) {
	a, b := x.dec(0), x.dec(1)
	special := func() (types.Value, error) {
		v := math.Pow(a.Float64(), b.Float64())
		d, err := types.DecimalFromFloat(v, 64)
		return decValue(d), err
	}
	if a.Special == types.DecimalNaN || b.Special == types.DecimalNaN {
		return special()
	}
	whole, err := b.Trunc(0)
	if err != nil {
		return types.NullValue, err
	}
	integer := whole.Cmp(b) == 0
	switch {
	case a.IsZero() && b.Sign() < 0:
		return types.NullValue, errPower("zero raised to a negative power is undefined")
	case a.Sign() < 0 && !integer:
		return types.NullValue, errPower("a negative number raised to a non-integer power yields a complex result")
	case a.Special|b.Special != 0:
		return special()
	case a.IsZero():
		d := types.Zero
		if b.IsZero() {
			d = types.DecimalFromInt(1)
		}
		d, err := d.Round(max(sigDigits, a.Scale, b.Scale))
		return decValue(d), err
	}
	lg := b.Float64() * math.Log10(math.Abs(a.Float64()))
	if lg > 40 {
		return types.NullValue, pgerr.New(pgerr.NumericValueOutOfRange, "value overflows numeric format")
	}
	scale := max(sigDigits-int(lg), int(a.Scale), int(b.Scale))
	if lg < -1000 {
		return decValue(types.Decimal{Scale: types.DecimalDigitsMax}), nil
	}
	if n, err := whole.Int64("bigint"); integer && err == nil && n < 1<<20 && n > -(1<<20) {
		r, base := bigInt(1), bigOf(a)
		for k := max(n, -n); k > 0; k >>= 1 {
			if k&1 != 0 {
				r.Mul(r, base)
			}
			base.Mul(base, base)
		}
		if n < 0 {
			r.Quo(bigInt(1), r)
		}
		return rounded(r, max(sigDigits, int(a.Scale)))
	}
	return rounded(bigExp(new(big.Float).Mul(bigOf(b), bigLn(bigOf(a.Abs())))), scale)
}
