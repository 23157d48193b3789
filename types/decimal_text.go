package types

import (
	"math"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
)

func parseFloatExact(s string) float64 {
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

// AppendTo appends d as PostgreSQL prints it, with all digits of its scale.
func (d Decimal) AppendTo(dst []byte) []byte {
	switch d.Special {
	case DecimalNaN:
		return append(dst, "NaN"...)
	case DecimalInf:
		return append(dst, "Infinity"...)
	case DecimalNegInf:
		return append(dst, "-Infinity"...)
	}
	u, neg := d.abs()
	if neg {
		dst = append(dst, '-')
	}
	var buf [48]byte
	i := len(buf)
	digits := 0
	for !u.isZero() || digits <= int(d.Scale) {
		var chunk uint64
		if u.hi == 0 {
			chunk, u.lo = u.lo, 0
			for chunk != 0 || digits <= int(d.Scale) {
				if digits == int(d.Scale) && digits > 0 {
					i--
					buf[i] = '.'
				}
				i--
				buf[i] = byte('0' + chunk%10)
				chunk /= 10
				digits++
			}
			break
		}
		u, chunk = u.div64(1e18)
		for range 18 {
			if digits == int(d.Scale) && digits > 0 {
				i--
				buf[i] = '.'
			}
			i--
			buf[i] = byte('0' + chunk%10)
			chunk /= 10
			digits++
		}
	}
	return append(dst, buf[i:]...)
}

// String is the text of d.
func (d Decimal) String() string { return string(d.AppendTo(nil)) }

// ParseDecimal reads a numeric as PostgreSQL does: digits, a point, an exponent,
// NaN or Infinity, white space around.
func ParseDecimal(s string) (Decimal, error) {
	t := strings.Trim(s, " \t\n\r\v\f")
	bad := func() (Decimal, error) {
		return Decimal{}, pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type numeric: %q", s)
	}
	neg := false
	i := 0
	if i < len(t) && (t[i] == '-' || t[i] == '+') {
		neg = t[i] == '-'
		i++
	}
	switch strings.ToLower(t[i:]) {
	case "nan":
		return NaN, nil
	case "infinity", "inf":
		if neg {
			return Decimal{Special: DecimalNegInf}, nil
		}
		return Decimal{Special: DecimalInf}, nil
	}
	var u u128
	var scale, digits, exp int32
	point, extra, roundUp := false, int32(0), false
	for ; i < len(t); i++ {
		c := t[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		digits++
		if n := u.digits(); extra > 0 || n >= DecimalDigitsMax && !u.isZero() {
			if extra == 0 && point {
				roundUp = c >= '5'
			}
			if !point && c != '0' && extra >= 0 {
				return Decimal{}, errNumericOverflow()
			}
			extra++
			if !point {
				scale--
			}
			continue
		}
		u, _ = u.mul(u128{0, 10})
		u, _ = u.add(u128{0, uint64(c - '0')})
		if point {
			scale++
		}
	}
	if digits == 0 {
		return bad()
	}
	if i < len(t) && (t[i] == 'e' || t[i] == 'E') {
		e, err := strconv.ParseInt(t[i+1:], 10, 32)
		if err != nil || strings.Contains(t[i:], "_") {
			return bad()
		}
		if e > 1<<17 || e < -(1<<17) {
			return Decimal{}, errNumericOverflow()
		}
		exp, i = int32(e), len(t)
	}
	if i != len(t) {
		return bad()
	}
	if roundUp {
		u, _ = u.add(u128{0, 1})
	}
	scale -= exp
	if u.isZero() {
		return Decimal{Scale: min(max(scale, 0), DecimalDigitsMax)}, nil
	}
	switch {
	case scale < 0:
		if -scale > DecimalDigitsMax {
			return Decimal{}, errNumericOverflow()
		}
		return fit(u.mulWide(pow10Table[-scale]), neg, 0)
	case scale > 2*DecimalDigitsMax:
		return Decimal{Scale: DecimalDigitsMax}, nil
	}
	return fit(u256{u.lo, u.hi}, neg, scale)
}

// DecimalFromFloat converts as PostgreSQL does: 15 significant digits for a
// double, 6 for a real.
func DecimalFromFloat(f float64, bits int) (Decimal, error) {
	switch {
	case math.IsNaN(f):
		return NaN, nil
	case math.IsInf(f, 1):
		return Decimal{Special: DecimalInf}, nil
	case math.IsInf(f, -1):
		return Decimal{Special: DecimalNegInf}, nil
	}
	digits := 15
	if bits == 32 {
		digits = 6
	}
	var buf [32]byte
	s := string(strconv.AppendFloat(buf[:0], f, 'g', digits, 64))
	d, err := ParseDecimal(s)
	if err != nil {
		return d, err
	}
	n := d.Normalize()
	return n, nil
}
