package eval

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
)

// timeScanner reads a text by a template, as PostgreSQL's to_timestamp does: what
// it reads goes into fields, and only then is it seen what they come to.
type timeScanner struct {
	nodes []timeNode
	s     string // what is left of the text
	// standard asks for the template's separators, and for all of the text.
	standard bool
	// fixed is FX: blanks count.
	fixed bool
	// skipped is how many blanks and separators were passed beyond those of the
	// template; last is the character before s.
	skipped int
	last    byte

	scannedFields
}

// scannedFields are numbers as they were read; 0 stands for what was not.
type scannedFields struct {
	conv                   convention
	hour, min, sec, daySec int64
	ms, us, precision      int64
	hour12                 bool
	half                   int64 // 1 or 2 when am or pm was read
	weekday, day, yearDay  int64
	month, year, yearLen   int64
	week, monthWeek        int64
	bc, century, julian    int64
	zoneSign, zoneHour     int64
	zoneMin                int64
}

func errFormat(format string, args ...any) *pgerr.Error {
	return pgerr.New(pgerr.InvalidDatetimeFormat, format, args...)
}

func (r *timeScanner) skip(n int) {
	if n > 0 {
		r.last, r.s = r.s[n-1], r.s[n:]
	}
}

func (r *timeScanner) skipRune() {
	_, size := utf8.DecodeRuneInString(r.s)
	r.skip(size)
}

func (r *timeScanner) skipSpaces() (n int) {
	for n < len(r.s) && isSpaceByte(r.s[n]) {
		n++
	}
	r.skip(n)
	return n
}

// scan reads the text.
func (r *timeScanner) scan() error {
	r.fixed = r.standard
	i := 0
	for ; i < len(r.nodes) && r.s != ""; i++ {
		n := &r.nodes[i]
		if !r.fixed && n.word != "FX" && (n.kind == fieldNode || i == 0) {
			r.skipped += r.skipSpaces()
		}
		switch n.kind {
		case fieldNode:
			if err := r.field(i); err != nil {
				return err
			}
			if !r.fixed {
				r.skipped = r.skipSpaces()
			}
		case textNode:
			if err := r.character(n); err != nil {
				return err
			}
		default:
			if err := r.separator(n); err != nil {
				return err
			}
		}
	}
	if !r.standard {
		return nil
	}
	if i < len(r.nodes) {
		return errFormat("input string is too short for datetime format")
	}
	if r.skipSpaces(); r.s != "" {
		return errFormat("trailing characters remain in input string after datetime format")
	}
	return nil
}

func (r *timeScanner) separator(n *timeNode) error {
	switch {
	case r.standard:
		if r.s[0] != n.raw[0] {
			return errFormat("unmatched format separator \"%s\"", n.raw)
		}
		r.skip(1)
	case r.fixed:
		r.skipRune()
	case r.s != "" && (isSpaceByte(r.s[0]) || isSeparatorByte(r.s[0])):
		r.skip(1)
	default:
		r.skipped--
	}
	return nil
}

func (r *timeScanner) character(n *timeNode) error {
	switch {
	case r.standard && !strings.HasPrefix(r.s, n.raw):
		return errFormat("unmatched format character \"%s\"", n.raw)
	case !r.fixed && r.skipped > 0: // this may be part of a field
		r.skipped--
	case r.s != "":
		r.skipRune()
	}
	return nil
}

// set stores what a field says, which may not contradict what another one said.
func set(dst *int64, v int64, n *timeNode) error {
	if *dst != 0 && *dst != v {
		return errFormat("conflicting values for \"%s\" field in formatting string", n.raw).
			WithDetail("This value contradicts a previous setting for the same field type.")
	}
	*dst = v
	return nil
}

// leadingInt reads a number as strtol does; used is how many bytes it took.
func leadingInt(s string) (v int64, used int) {
	i := 0
	for i < len(s) && isSpaceByte(s[i]) {
		i++
	}
	start := i
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	digits := i
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i == digits {
		return 0, 0
	}
	v, err := strconv.ParseInt(s[start:i], 10, 64)
	if err != nil {
		v = math.MaxInt64
	}
	return v, i
}

const fixedWidthHint = `If your source string is not fixed-width, try using the "FM" modifier.`

// number reads node i's number into dst, and tells how many bytes it took.
func (r *timeScanner) number(dst *int64, i, width int) (int, error) {
	n, before := &r.nodes[i], len(r.s)
	whole := r.s
	r.skipSpaces()
	field := r.s[:min(width, len(r.s))]
	var v int64
	if n.fill || separated(r.nodes, i) {
		var used int
		v, used = leadingInt(whole)
		r.s = whole
		r.skip(used)
	} else {
		if len(r.s) < width {
			return 0, errFormat("source string too short for \"%s\" formatting field", n.raw).
				WithDetail("Field requires %d characters, but only %d remain.", width, len(r.s)).Hint("%s", fixedWidthHint)
		}
		var used int
		if v, used = leadingInt(field); used > 0 && used < width {
			return 0, errFormat("invalid value %q for \"%s\"", strings.ToValidUTF8(field, ""), n.raw).
				WithDetail("Field requires %d characters, but only %d could be parsed.", width, used).Hint("%s", fixedWidthHint)
		}
		r.skip(used)
	}
	if len(r.s) == before {
		return 0, errFormat("invalid value %q for \"%s\"", strings.ToValidUTF8(field, ""), n.raw).WithDetail("Value must be an integer.")
	}
	if v != int64(int32(v)) {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, "value for \"%s\" in source string is out of range", n.raw).
			WithDetail("Value must be in the range %d to %d.", math.MinInt32, math.MaxInt32)
	}
	return before - len(r.s), set(dst, v, n)
}

// oneOf reads one of the words, in whatever case.
func (r *timeScanner) oneOf(words []string, n *timeNode) (int, error) {
	for i, w := range words {
		if len(r.s) >= len(w) && strings.EqualFold(r.s[:len(w)], w) {
			r.skip(len(w))
			return i, nil
		}
	}
	word := r.s
	if end := strings.IndexAny(word, " \t\n\r\f\v"); end >= 0 {
		word = word[:end]
	}
	return 0, errFormat("invalid value %q for \"%s\"", word, n.raw).WithDetail("The given value did not match any of the allowed values for this field.")
}
