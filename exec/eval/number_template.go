package eval

import (
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
)

// numberWords are the patterns of templates for numbers, longer ones first where
// they begin alike. All are known in upper and in lower case.
var numberWords = []string{",", ".", "0", "9", "B", "C", "D", "EEEE", "FM", "G", "L", "MI", "PL", "PR", "RN", "SG", "SP", "S", "TH", "V"}

// numberPart is a pattern of a template, or a character.
type numberPart struct {
	word string // upper case, "" for a character
	raw  string // as written
}

// numberTemplate is a template of to_char and to_number for numbers.
type numberTemplate struct {
	parts         []numberPart
	before, after int // places before and behind the point
	shift         int // places behind V
	zeroStart     int // the place of the first 0 before the point, -1 for none
	zeroEnd       int // how many places there are up to the last 0

	point, fill, roman, exponent, blank, multiplies bool

	plus, minus, bracket bool // PL, MI or both by SG; PR
	sign, signBehind     bool // S, behind the number
	signPlace            int  // how many places are before S
}

func errTemplate(format string, args ...any) error {
	return pgerr.New(pgerr.SyntaxError, format, args...)
}

// numberTemplate is a parsed template, kept since rows mostly share one.
func (x *row) numberTemplate(s string) (*numberTemplate, error) {
	if x.lastNumber == nil || s != x.lastNumberText {
		t, err := parseNumberTemplate(s)
		if err != nil {
			return nil, err
		}
		x.lastNumberText, x.lastNumber = strings.Clone(s), t
	}
	return x.lastNumber, nil
}

func parseNumberTemplate(s string) (*numberTemplate, error) {
	t := &numberTemplate{zeroStart: -1}
	for s != "" {
		if word := numberWord(s); word != "" {
			t.parts = append(t.parts, numberPart{word: strings.ToUpper(word), raw: word})
			if err := t.pattern(strings.ToUpper(word)); err != nil {
				return nil, err
			}
			s = s[len(word):]
			continue
		}
		if s[0] == '"' {
			s = t.quoted(s[1:])
			continue
		}
		if strings.HasPrefix(s, `\"`) {
			s = s[1:]
		}
		s = t.character(s)
	}
	return t, nil
}

// numberWord is the pattern that s begins with, "" for none.
func numberWord(s string) string {
	for _, w := range numberWords {
		if strings.HasPrefix(s, w) || strings.HasPrefix(s, strings.ToLower(w)) {
			return s[:len(w)]
		}
	}
	return ""
}

func (t *numberTemplate) character(s string) (rest string) {
	_, size := utf8.DecodeRuneInString(s)
	t.parts = append(t.parts, numberPart{raw: s[:size]})
	return s[size:]
}

// quoted takes the characters up to the quote that ends s.
func (t *numberTemplate) quoted(s string) (rest string) {
	for s != "" {
		if s[0] == '"' {
			return s[1:]
		}
		if s[0] == '\\' && len(s) > 1 {
			s = s[1:]
		}
		s = t.character(s)
	}
	return s
}

// pattern takes account of a pattern.
func (t *numberTemplate) pattern(word string) error {
	if t.exponent && word != "EEEE" {
		return errTemplate(`"EEEE" must be the last pattern used`)
	}
	switch word {
	case "9", "0":
		return t.place(word == "0")
	case ".", "D":
		switch {
		case t.point:
			return errTemplate("multiple decimal points")
		case t.multiplies:
			return errTemplate(`cannot use "V" and decimal point together`)
		}
		t.point = true
	case "V":
		if t.point {
			return errTemplate(`cannot use "V" and decimal point together`)
		}
		t.multiplies = true
	case "FM":
		t.fill = true
	case "B":
		t.blank = t.blank || t.before == 0 && t.after == 0 && t.zeroStart < 0
	case "RN":
		t.roman = true
	case "EEEE":
		switch {
		case t.exponent:
			return errTemplate(`cannot use "EEEE" twice`)
		case t.blank || t.fill || t.sign || t.bracket || t.minus || t.plus || t.roman || t.multiplies:
			return pgerr.New(pgerr.SyntaxError, `"EEEE" is incompatible with other formats`).
				WithDetail(`"EEEE" may only be used together with digit and decimal point patterns.`)
		}
		t.exponent = true
	case "S", "MI", "PL", "SG", "PR":
		return t.signPattern(word)
	}
	return nil
}

// place takes account of the place of a digit.
func (t *numberTemplate) place(zero bool) error {
	if t.bracket {
		word := "9"
		if zero {
			word = "0"
		}
		return errTemplate(`"%s" must be ahead of "PR"`, word)
	}
	if zero && t.zeroStart < 0 && !t.point {
		t.zeroStart = t.before
	}
	switch {
	case t.point:
		t.after++
	case t.multiplies && !zero:
		t.shift++
	default:
		t.before++
	}
	if zero {
		t.zeroEnd = t.before + t.after
	}
	return nil
}

func (t *numberTemplate) signPattern(word string) error {
	switch {
	case word == "S" && t.sign:
		return errTemplate(`cannot use "S" twice`)
	case word == "S" && (t.plus || t.minus || t.bracket):
		return errTemplate(`cannot use "S" and "PL"/"MI"/"SG"/"PR" together`)
	case word == "PR" && (t.sign || t.plus || t.minus):
		return errTemplate(`cannot use "PR" and "S"/"PL"/"MI"/"SG" together`)
	case word != "S" && t.sign:
		return errTemplate(`cannot use "S" and "%s" together`, word)
	}
	switch word {
	case "S":
		t.sign, t.signBehind, t.signPlace = true, t.point, t.before
	case "PR":
		t.bracket = true
	default:
		t.plus = t.plus || word != "MI"
		t.minus = t.minus || word != "PL"
	}
	return nil
}
