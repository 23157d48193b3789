package eval

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// numberDigits is a number as a template's places take it: digits, without a sign,
// with as many behind the point as there are places.
type numberDigits struct {
	text   string
	neg    bool
	whole  int // digits before the point
	before int // places for them
	after  int // places behind the point that have digits
}

// numberToChar is to_char of a number.
func numberToChar(x *row) (types.Value, error) {
	t, err := x.numberTemplate(x.str(1))
	if err != nil {
		return types.NullValue, err
	}
	switch {
	case t.roman:
		number, err := x.roman()
		return strValue(t.writeRoman(number)), err
	case t.exponent:
		s, err := x.scientific(t)
		return strValue(s), err
	}
	d, err := x.numberDigits(t)
	if err != nil {
		return types.NullValue, err
	}
	s, err := t.write(d)
	return strValue(s), err
}

// numberDigits writes the first argument with as many digits as a template has places.
func (x *row) numberDigits(t *numberTemplate) (numberDigits, error) {
	d := numberDigits{before: t.before + t.shift, after: t.after}
	if bits := floatBitsOf(x.typ(0)); bits != 0 {
		d.float(x.float(0)*math.Pow10(t.shift), bits)
	} else {
		v := x.decimal()
		for range t.shift {
			var err error
			if v, err = v.Mul(types.DecimalFromInt(10)); err != nil {
				return d, err
			}
		}
		v, err := v.Round(int32(t.after))
		if err != nil {
			return d, err
		}
		d.text = v.String()
	}
	d.text, d.neg = strings.CutPrefix(d.text, "-")
	if d.whole = strings.IndexByte(d.text, '.'); d.whole < 0 {
		d.whole = len(d.text)
	}
	if d.whole > d.before {
		d.text = strings.Repeat("#", d.before) + "." + strings.Repeat("#", d.after)
		d.whole = d.before
	}
	return d, nil
}

// floatBitsOf is 32 or 64 for floats, else 0.
func floatBitsOf(t types.Type) int {
	switch t.Kind {
	case types.Float32:
		return 32
	case types.Float64:
		return 64
	}
	return 0
}

// float writes a float, with no more digits than are sure to mean something.
func (d *numberDigits) float(v float64, bits int) {
	digits := 15
	if bits == 32 {
		digits = 6
	}
	d.after = min(d.after, max(digits-len(cFloat(math.Abs(v), 0)), 0))
	d.text = cFloat(v, d.after)
}

// cFloat writes a float with so many digits behind the point.
func cFloat(v float64, after int) string {
	if math.IsInf(v, 0) {
		return strings.TrimPrefix(strconv.FormatFloat(v, 'f', 0, 64), "+") + "inity"
	}
	return strconv.FormatFloat(v, 'f', after, 64)
}

// decimal is the first argument, which is no float.
func (x *row) decimal() types.Decimal {
	if x.typ(0).Phys() == types.PhysInt {
		return types.DecimalFromInt(x.int(0))
	}
	return x.dec(0)
}

// roman is the first argument as a Roman number is written, or what stands for one
// that has none.
func (x *row) roman() (string, error) {
	var n int64
	if floatBitsOf(x.typ(0)) != 0 {
		if v := math.RoundToEven(x.float(0)); v > 0 && v < 4000 {
			n = int64(v)
		}
	} else {
		var err error
		d := x.decimal()
		if n, err = d.Int64("integer"); err != nil && d.Special != types.DecimalFinite {
			return "", err
		}
	}
	if n < 1 || n > 3999 {
		return strings.Repeat("#", 15), nil
	}
	var b strings.Builder
	for _, r := range []struct {
		v int64
		s string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for n >= r.v {
			b.WriteString(r.s)
			n -= r.v
		}
	}
	return b.String(), nil
}

// writeRoman writes a Roman number; digits, signs and ordinals are nothing beside it.
func (t *numberTemplate) writeRoman(number string) string {
	var b strings.Builder
	for _, p := range t.parts {
		switch p.word {
		case "":
			b.WriteString(p.raw)
		case "RN":
			s := number
			if p.raw == "rn" {
				s = strings.ToLower(s)
			}
			if !t.fill {
				s = fmt.Sprintf("%15s", s)
			}
			b.WriteString(s)
		case "L":
			b.WriteByte(' ')
		case ",", "G", "MI", "PL":
			if !t.fill {
				b.WriteByte(' ')
			}
		}
	}
	return b.String()
}

// scientific is the first argument with one digit before the point and an exponent.
func (x *row) scientific(t *numberTemplate) (string, error) {
	var s string
	switch typ := x.typ(0); {
	case floatBitsOf(typ) != 0:
		s = strconv.FormatFloat(x.float(0), 'e', t.after, 64)
	case typ.Kind == types.Int32:
		s = strconv.FormatFloat(float64(x.int(0)), 'e', t.after, 64)
	default:
		d := x.decimal()
		digits := strings.TrimLeft(strings.Replace(d.Abs().String(), ".", "", 1), "0")
		exp := max(len(digits)-1, 0)
		shift := int32(exp) - d.Scale
		if digits == "" {
			shift = 0
		}
		d.Scale = int32(exp)
		d, err := d.Round(int32(t.after))
		if err != nil {
			return "", err
		}
		s = fmt.Sprintf("%se%+03d", d, shift)
	}
	switch {
	case strings.Contains(s, "N") || strings.Contains(s, "I"):
		return " " + strings.Repeat("#", t.before) + "." + strings.Repeat("#", t.after+4), nil
	case s[0] != '-':
		return " " + s, nil
	}
	return s, nil
}

// numberWriter lays digits out by a template.
type numberWriter struct {
	t                   *numberTemplate
	d                   numberDigits
	out                 []byte
	bracket, signBehind bool // how the sign is shown
	signed              bool // the sign before the number is written, or there is none
	inside              bool // the number has begun
	blanks              int  // places before the first digit
	last                int  // the last character of the digits that FM leaves, -1 for all
	next                int  // the next one
	at                  int  // the place; the point has one too
	closing             int  // the place that the sign behind the number follows
}

// write lays digits out.
func (t *numberTemplate) write(d numberDigits) (string, error) {
	w := numberWriter{t: t, d: d, blanks: d.before - d.whole, last: -1}
	w.bracket, w.signBehind = t.bracket, t.sign && (t.signBehind || t.signPlace == d.before)
	if t.plus || t.minus {
		w.signed, w.signBehind = t.minus, t.signBehind
	} else if !d.neg && t.fill {
		w.signed, w.bracket = !t.sign, false
	}
	if t.fill && t.point {
		w.last = d.lastShown(t.zeroEnd - w.blanks)
	}
	w.closing = d.before + d.after - 1
	if !w.signed || w.blanks > 0 {
		w.closing++
	}
	if t.point {
		w.closing++
	}
	for _, p := range t.parts {
		if err := w.part(p); err != nil {
			return "", err
		}
	}
	return string(w.out), nil
}

// lastShown is the last character that FM leaves of what is behind the point: zeros
// at the end go, but not those up to a place with a 0.
func (d *numberDigits) lastShown(zeroEnd int) int {
	last := strings.IndexByte(d.text, '.')
	if last < 0 {
		return -1
	}
	for i := last; i < len(d.text); i++ {
		if c := d.text[i]; c != '.' && c != '0' {
			last = i
		}
	}
	return max(last, min(zeroEnd, len(d.text)-1))
}

func (w *numberWriter) part(p numberPart) error {
	switch p.word {
	case "":
		w.out = append(w.out, p.raw...)
	case "9", "0", ".", "D":
		w.place(p.word == "0")
	case ",", "G":
		w.either(w.inside, ',')
	case "L":
		w.out = append(w.out, ' ')
	case "MI":
		w.either(w.d.neg, '-')
	case "PL":
		w.either(!w.d.neg, '+')
	case "SG":
		w.out = append(w.out, w.signChar())
	case "TH":
		if w.d.text[0] == '#' || w.d.neg || w.t.point {
			return nil
		}
		if c := w.d.text[len(w.d.text)-1]; c < '0' || c > '9' {
			return pgerr.New(pgerr.InvalidTextRepresentation, "%q is not a number", w.d.text)
		}
		n, _ := strconv.Atoi(w.d.text[max(len(w.d.text)-2, 0):])
		suffix := ordinalSuffix(int64(n))
		if p.raw == "TH" {
			suffix = strings.ToUpper(suffix)
		}
		w.out = append(w.out, suffix...)
	}
	return nil
}

// either writes c or, without FM, a blank.
func (w *numberWriter) either(yes bool, c byte) {
	switch {
	case yes:
		w.out = append(w.out, c)
	case !w.t.fill:
		w.out = append(w.out, ' ')
	}
}

func (w *numberWriter) signChar() byte {
	if w.d.neg {
		return '-'
	}
	return '+'
}

// onlyPoint reports whether FM leaves nothing behind the point.
func (w *numberWriter) onlyPoint() bool { return w.last >= 0 && w.d.text[w.last] == '.' }

// bareZero reports whether the next digit is the 0 of 0.5, which only a 0 shows.
func (w *numberWriter) bareZero() bool {
	return w.t.zeroStart < 0 && w.next == 0 && w.d.text[0] == '0' && w.d.after != 0
}

// place fills the place of a digit or the point.
func (w *numberWriter) place(zero bool) {
	w.inside = false
	if !w.signed && (w.at >= w.blanks || w.at == w.t.zeroStart) && (!w.bareZero() || w.onlyPoint()) {
		w.writeSign()
	}
	switch {
	case w.at >= w.blanks:
		w.digit(zero)
	case w.t.zeroStart >= 0 && w.at >= w.t.zeroStart:
		w.out, w.inside = append(w.out, '0'), true
	case !w.t.fill:
		w.out = append(w.out, ' ')
	}
	w.at++
	if w.at == w.closing && (w.last < 0 || w.next != w.last) {
		switch {
		case w.signed && w.bracket:
			w.out = append(w.out, map[bool]byte{true: '>', false: ' '}[w.d.neg])
		case w.signBehind:
			w.out = append(w.out, w.signChar())
		}
	}
}

// writeSign writes the sign before the number.
func (w *numberWriter) writeSign() {
	switch {
	case w.t.sign && w.signBehind:
		return
	case w.t.sign:
		w.out = append(w.out, w.signChar())
	case w.bracket:
		w.out = append(w.out, map[bool]byte{true: '<', false: ' '}[w.d.neg])
	default:
		if w.d.neg {
			w.out = append(w.out, '-')
		} else if !w.t.fill {
			w.out = append(w.out, ' ')
		}
	}
	w.signed = true
}

// digit writes the next of the number's digits, or its point.
func (w *numberWriter) digit(zero bool) {
	if w.next == len(w.d.text) {
		return
	}
	switch c := w.d.text[w.next]; {
	case c == '.':
		w.out = append(w.out, c)
	case w.last >= 0 && w.next > w.last && !zero:
	case w.bareZero():
		if !w.t.fill {
			w.out = append(w.out, ' ')
		} else if w.onlyPoint() {
			w.out = append(w.out, '0')
		}
	default:
		w.out, w.inside = append(w.out, c), true
	}
	w.next++
}
