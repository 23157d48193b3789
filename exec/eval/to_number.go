package eval

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// numberTemplate is a to_char pattern for numbers.
type numberTemplate struct {
	body           []byte // 9 0 , G . D and literals marked by quote
	literal        []bool
	before, after  int // digit places
	zeroStart      int // first place that prints zeros, -1 for none
	fill           bool
	minusEnd, plus bool // MI, PL
	sign           bool // SG
	lead, trail    bool // S before, after
	bracket        bool // PR
	roman          bool
	ordinal        string
	exponent       bool
	shift          int // V
}

func parseNumberTemplate(s string) (numberTemplate, error) {
	t := numberTemplate{zeroStart: -1}
	point, v := false, false
	up := strings.ToUpper(s)
	for i := 0; i < len(s); {
		two := ""
		if i+2 <= len(s) {
			two = up[i : i+2]
		}
		switch {
		case two == "FM":
			t.fill = true
			i += 2
			continue
		case two == "MI":
			t.minusEnd = true
			if len(t.body) == 0 {
				t.minusEnd, t.sign = false, true
				t.plus = false
				t.body, t.literal = append(t.body, 'm'), append(t.literal, false)
			} else {
				t.body, t.literal = append(t.body, 'M'), append(t.literal, false)
			}
			i += 2
			continue
		case two == "PL":
			t.plus = true
			t.body, t.literal = append(t.body, 'P'), append(t.literal, false)
			i += 2
			continue
		case two == "SG":
			t.sign = true
			t.body, t.literal = append(t.body, 'A'), append(t.literal, false)
			i += 2
			continue
		case two == "PR":
			t.bracket = true
			i += 2
			continue
		case two == "RN":
			t.roman = true
			i += 2
			continue
		case two == "TH":
			t.ordinal = s[i : i+2]
			i += 2
			continue
		case strings.HasPrefix(up[i:], "EEEE"):
			t.exponent = true
			i += 4
			continue
		}
		c := up[i]
		i++
		lit := false
		switch c {
		case '9', '0':
			if c == '0' && t.zeroStart < 0 && !point {
				t.zeroStart = t.before
			}
			switch {
			case v:
				t.shift++
				t.before++
			case point:
				t.after++
			default:
				t.before++
			}
		case '.', 'D':
			if point {
				return t, pgerr.New(pgerr.SyntaxError, "multiple decimal points")
			}
			point, c = true, '.'
		case ',', 'G':
			c = ','
		case 'S':
			if len(t.body) == 0 {
				t.lead = true
			} else {
				t.trail = true
			}
			continue
		case 'V':
			v = true
			continue
		case 'L':
			c = ' '
			lit = true
		case '"':
			for i < len(s) && s[i] != '"' {
				t.body, t.literal = append(t.body, s[i]), append(t.literal, true)
				i++
			}
			i++
			continue
		default:
			c, lit = s[i-1], true
		}
		t.body, t.literal = append(t.body, c), append(t.literal, lit)
	}
	return t, nil
}

func toRoman(n int64) string {
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
	return b.String()
}

// formatNumber is to_char over a number.
func formatNumber(d types.Decimal, template string) (string, error) {
	t, err := parseNumberTemplate(template)
	if err != nil {
		return "", err
	}
	if t.roman {
		v, err := d.Int64("integer")
		if err != nil || v < 1 || v > 3999 {
			return strings.Repeat("#", 15), nil
		}
		if t.fill {
			return toRoman(v), nil
		}
		return fmt.Sprintf("%15s", toRoman(v)), nil
	}
	if t.exponent {
		return formatExponent(d, t), nil
	}
	for range t.shift {
		if d, err = d.Mul(types.DecimalFromInt(10)); err != nil {
			return "", err
		}
	}
	r, err := d.Round(int32(t.after))
	if err != nil {
		return "", err
	}
	neg := r.Sign() < 0
	text := r.Abs().String()
	if d.Special != 0 {
		text = strings.Repeat("#", t.before+1)
	}
	whole, frac, _ := strings.Cut(text, ".")
	if whole == "0" && t.before > 0 && (t.zeroStart < 0 || t.zeroStart >= t.before) && (t.after > 0) {
		whole = ""
	}
	if len(whole) > t.before {
		whole, frac = strings.Repeat("#", t.before), strings.Repeat("#", t.after)
	}
	return t.layout(whole, frac, neg), nil
}

// layout puts the digits into the places.
func (t *numberTemplate) layout(whole, frac string, neg bool) string {
	var b strings.Builder
	place, fracAt, started, inFrac := 0, 0, false, false
	pad := t.before - len(whole)
	signDone := t.lead || t.trail || t.minusEnd || t.sign || t.plus || t.bracket
	writeSign := func() {
		if started {
			return
		}
		started = true
		switch {
		case t.lead:
			b.WriteString(map[bool]string{true: "-", false: "+"}[neg])
		case t.bracket && neg:
			b.WriteByte('<')
		case t.bracket:
			if !t.fill {
				b.WriteByte(' ')
			}
		case !signDone && neg:
			b.WriteByte('-')
		case !signDone && !t.fill:
			b.WriteByte(' ')
		}
	}
	if t.fill { // trailing zeros of optional places go
		keep := 0
		n := 0
		for i := range t.body {
			if !t.literal[i] && (t.body[i] == '9' || t.body[i] == '0') {
				if n >= t.before && t.body[i] == '0' {
					keep = n - t.before + 1
				}
				n++
			}
		}
		for len(frac) > keep && frac[len(frac)-1] == '0' {
			frac = frac[:len(frac)-1]
		}
	}
	for i, c := range t.body {
		if t.literal[i] {
			b.WriteByte(c)
			continue
		}
		switch c {
		case '9', '0':
			if inFrac {
				if fracAt < len(frac) {
					b.WriteByte(frac[fracAt])
				}
				fracAt++
				continue
			}
			switch {
			case place >= pad:
				writeSign()
				b.WriteByte(whole[place-pad])
			case t.zeroStart >= 0 && place >= t.zeroStart:
				writeSign()
				b.WriteByte('0')
			case !t.fill:
				b.WriteByte(' ')
			}
			place++
		case '.':
			writeSign()
			inFrac = true
			b.WriteByte('.')
		case ',':
			if started {
				b.WriteByte(',')
			} else if !t.fill {
				b.WriteByte(' ')
			}
		case 'M', 'm':
			if neg {
				b.WriteByte('-')
			} else if !t.fill {
				b.WriteByte(' ')
			}
		case 'P':
			if !neg {
				b.WriteByte('+')
			} else if !t.fill {
				b.WriteByte(' ')
			}
		case 'A':
			b.WriteString(map[bool]string{true: "-", false: "+"}[neg])
		}
	}
	writeSign()
	if t.trail {
		b.WriteString(map[bool]string{true: "-", false: "+"}[neg])
	}
	if t.bracket {
		if neg {
			b.WriteByte('>')
		} else if !t.fill {
			b.WriteByte(' ')
		}
	}
	out := b.String()
	if t.ordinal != "" && !neg && frac == "" && whole != "" && whole[0] != '#' {
		n, _ := new(big.Int).SetString(whole, 10)
		s := ordinalSuffix(new(big.Int).Rem(n, big.NewInt(100)).Int64())
		if t.ordinal == "TH" {
			s = strings.ToUpper(s)
		}
		out += s
	}
	return out
}

func formatExponent(d types.Decimal, t numberTemplate) string {
	f := new(big.Float).SetPrec(200)
	f.SetString(d.String())
	s := f.Text('e', t.after)
	if d.Sign() >= 0 && !t.fill {
		s = " " + s
	}
	return s
}

// toNumber reads the digits of a text by a template: other characters are
// passed over where the template has them.
func toNumber(x *row) (types.Value, error) {
	s, template := x.str(0), strings.ToUpper(x.str(1))
	var b strings.Builder
	neg := strings.ContainsAny(s, "-<")
	point := false
	digits := strings.Count(template, "9") + strings.Count(template, "0")
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9' && digits > 0:
			b.WriteRune(c)
			digits--
		case c == '.' && !point && strings.ContainsAny(template, ".D"):
			point = true
			b.WriteByte('.')
		}
	}
	text := b.String()
	if strings.Trim(text, ".") == "" {
		return types.NullValue, pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type numeric: %q", s)
	}
	if neg {
		text = "-" + text
	}
	d, err := types.ParseDecimal(text)
	return decValue(d), err
}
