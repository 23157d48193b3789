package eval

import (
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// numberReader reads a number by a template, as PostgreSQL's to_number does.
type numberReader struct {
	t      *numberTemplate
	s      string // what is left of the text
	sign   byte   // ' ' until there is one
	digits []byte // with the point
	after  int    // digits behind the point
	point  bool
}

func toNumber(x *row) (types.Value, error) {
	if x.str(1) == "" {
		return types.NullValue, nil
	}
	t, err := x.numberTemplate(x.str(1))
	switch {
	case err != nil:
		return types.NullValue, err
	case t.exponent:
		return types.NullValue, pgerr.New(pgerr.FeatureNotSupported, `"EEEE" not supported for input`)
	case t.roman:
		return types.NullValue, pgerr.New(pgerr.FeatureNotSupported, `"RN" not supported for input`)
	}
	r := numberReader{t: t, s: x.str(0), sign: ' '}
	for _, p := range t.parts {
		if r.s == "" {
			break
		}
		r.part(p)
	}
	d, err := types.ParseDecimal(string(r.sign) + strings.TrimSuffix(string(r.digits), "."))
	if err == nil {
		d, err = d.WithTypmod(int32(t.before+t.shift+r.after), int32(r.after))
	}
	if err == nil && t.multiplies {
		d, err = d.Mul(tenth(t.shift))
	}
	return decValue(d), err
}

// tenth is 10 to the power of -n, with as many digits as a power has.
func tenth(n int) types.Decimal {
	d, err := types.DecimalFromInt(1), error(nil)
	if d.Scale = int32(n); n < sigDigits {
		d, err = d.Round(sigDigits)
	}
	if n > types.DecimalDigitsMax || err != nil {
		return types.Zero
	}
	return d
}

// part reads what a part of the template stands for; there is some text left.
func (r *numberReader) part(p numberPart) {
	switch p.word {
	case "":
		_, size := utf8.DecodeRuneInString(r.s)
		r.s = r.s[size:]
	case "9", "0":
		r.place(true)
	case ".", "D":
		r.place(false)
	case ",", "G":
		if !r.t.fill {
			r.s = strings.TrimPrefix(r.s, ",")
		}
	case "L":
		r.skip(1)
	case "TH":
		if !r.t.point {
			r.skip(2)
		}
	case "MI":
		r.signOr("-")
	case "PL":
		r.signOr("+")
	case "SG":
		r.signOr("+-")
	}
}

// signOr takes one of the signs, or passes what is no part of a number.
func (r *numberReader) signOr(signs string) {
	if strings.IndexByte(signs, r.s[0]) < 0 {
		r.skip(1)
		return
	}
	r.sign, r.s = r.s[0], r.s[1:]
}

// skip passes up to n characters, none that may be part of a number.
func (r *numberReader) skip(n int) {
	for ; n > 0 && r.s != "" && strings.IndexByte("0123456789.,+-", r.s[0]) < 0; n-- {
		_, size := utf8.DecodeRuneInString(r.s)
		r.s = r.s[size:]
	}
}

// place reads a digit or the point, with a sign before or behind it. A character
// that is neither is passed.
func (r *numberReader) place(digit bool) {
	r.s = strings.TrimPrefix(r.s, " ")
	if digit && r.sign == ' ' && r.empty() {
		r.signBefore()
	}
	if r.s == "" {
		return
	}
	c := r.s[0]
	r.s = r.s[1:]
	read := true
	switch {
	case c >= '0' && c <= '9' && r.point && r.after == r.t.after:
		return
	case c >= '0' && c <= '9':
		if r.digits = append(r.digits, c); r.point {
			r.after++
		}
	case c == '.' && r.t.point && !r.point:
		r.digits, r.point = append(r.digits, c), true
	default:
		read = false
	}
	if r.sign == ' ' && !r.empty() {
		r.signBehind(c, read)
	}
}

// empty reports whether no digit was read.
func (r *numberReader) empty() bool { return len(r.digits) == 0 || r.point && len(r.digits) == 1 }

func (r *numberReader) signBefore() {
	switch {
	case r.s == "":
	case r.s[0] == '-', r.s[0] == '+':
		r.sign, r.s = r.s[0], r.s[1:]
	case r.s[0] == '<' && r.t.bracket:
		r.sign, r.s = '-', r.s[1:]
	}
}

// signBehind reads the sign behind the number: S stands right behind its last
// character, and the others may stand where c is, which was none of its digits.
func (r *numberReader) signBehind(c byte, read bool) {
	switch {
	case r.t.sign && read:
		if r.s != "" && (r.s[0] == '-' || r.s[0] == '+') {
			r.sign, r.s = r.s[0], r.s[1:]
		}
	case !r.t.sign && !read && (r.t.plus || r.t.minus) && (c == '-' || c == '+'):
		r.sign = c
	}
}
