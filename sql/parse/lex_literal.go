package parse

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// str takes a '…' string; the opening quote is at l.i. With escapes it is E'…'.
func (l *lexer) str(start int, escapes bool) {
	value, ok := l.quotedText(start, escapes)
	if !ok {
		return
	}
	// strings that only white space with a line break separates are one
	for {
		next := l.i
		newline := false
		for next < len(l.src) && isSpace(l.src[next]) {
			newline = newline || l.src[next] == '\n' || l.src[next] == '\r'
			next++
		}
		if !newline || next >= len(l.src) || l.src[next] != '\'' {
			break
		}
		l.i = next
		more, ok := l.quotedText(start, escapes)
		if !ok {
			return
		}
		value += more
	}
	l.add(stringLiteral, value, start)
}

// quotedText takes one quoted piece and returns its value.
func (l *lexer) quotedText(start int, escapes bool) (string, bool) {
	l.i++
	begin := l.i
	var b strings.Builder
	for l.i < len(l.src) {
		switch c := l.src[l.i]; {
		case c == '\'' && l.peek(1) == '\'':
			b.WriteString(l.src[begin:l.i])
			l.i++
			begin = l.i // the second quote stays
			l.i++
		case c == '\'':
			b.WriteString(l.src[begin:l.i])
			l.i++
			return b.String(), true
		case c == '\\' && escapes:
			b.WriteString(l.src[begin:l.i])
			if !l.escape(&b) {
				return "", false
			}
			begin = l.i
		default:
			l.i++
		}
	}
	l.fail(start, `unterminated quoted string at or near "%s"`, clip(l.src[start:]))
	return "", false
}

// escape takes one backslash escape of an E'…' string.
func (l *lexer) escape(b *strings.Builder) bool {
	at := l.i
	l.i++
	c := l.peek(0)
	l.i++
	switch c {
	case 'b', 'f', 'n', 'r', 't':
		b.WriteByte("\b\f\n\r\t"[strings.IndexByte("bfnrt", c)])
	case 'x':
		v, n := l.digits(16, 2)
		if n == 0 {
			b.WriteByte('x')
			return true
		}
		return l.escapedByte(b, at, v)
	case 'u', 'U':
		want := map[byte]int{'u': 4, 'U': 8}[c]
		v, n := l.digits(16, want)
		if n != want || v == 0 || !utf8.ValidRune(rune(v)) {
			l.fail(at, "invalid Unicode escape")
			l.err.Hint(`Unicode escapes must be \uXXXX or \UXXXXXXXX.`)
			return false
		}
		b.WriteRune(rune(v))
	case '0', '1', '2', '3', '4', '5', '6', '7':
		l.i--
		v, _ := l.digits(8, 3)
		return l.escapedByte(b, at, v&0xff)
	default:
		if l.i > len(l.src) {
			l.i = len(l.src)
			return true // the caller reports the missing quote
		}
		l.i--
		_, n := utf8.DecodeRuneInString(l.src[l.i:])
		b.WriteString(l.src[l.i : l.i+n])
		l.i += n
	}
	return true
}

// escapedByte adds a byte written as a number. Bytes above 127 may only be
// parts of a UTF-8 sequence, which are taken together.
func (l *lexer) escapedByte(b *strings.Builder, at, v int) bool {
	seq := []byte{byte(v)}
	for v >= utf8.RuneSelf && !utf8.Valid(seq) && len(seq) < utf8.UTFMax && l.peek(0) == '\\' {
		l.i++
		base, most := 8, 3
		if l.peek(0) == 'x' {
			l.i++
			base, most = 16, 2
		}
		next, n := l.digits(base, most)
		if n == 0 {
			break
		}
		seq = append(seq, byte(next))
	}
	if v == 0 || !utf8.Valid(seq) {
		l.fail(at, `invalid byte sequence for encoding "UTF8": 0x%02x`, v)
		l.err.Code = "22021"
		return false
	}
	b.Write(seq)
	return true
}

// digits takes at most most digits of a base and returns their value and count.
func (l *lexer) digits(base, most int) (value, n int) {
	for ; n < most; n++ {
		v, err := strconv.ParseUint(l.src[l.i:min(l.i+1, len(l.src))], base, 8)
		if err != nil {
			break
		}
		value = value*base + int(v)
		l.i++
	}
	return value, n
}

// prefixedString takes E'…', B'…', X'…' or N'…'; l.i is at the quote.
func (l *lexer) prefixedString(start int, prefix byte) {
	if prefix == 'e' || prefix == 'n' {
		l.str(start, prefix == 'e')
		return
	}
	value, ok := l.quotedText(start, false)
	if !ok {
		return
	}
	bits := value
	if prefix == 'x' {
		var b strings.Builder
		for i := range len(value) {
			v, err := strconv.ParseUint(value[i:i+1], 16, 8)
			if err != nil {
				l.fail(start, `"%s" is not a valid hexadecimal digit`, value[i:i+1])
				l.err.Code = "22P02"
				return
			}
			for shift := 3; shift >= 0; shift-- {
				b.WriteByte('0' + byte(v>>shift)&1)
			}
		}
		bits = b.String()
	} else if bad := strings.Trim(value, "01"); bad != "" {
		l.fail(start, `"%s" is not a valid binary digit`, clip(bad[:1]))
		l.err.Code = "22P02"
		return
	}
	l.add(bitString, bits, start)
}

// quotedName takes the rest of a "…" name.
func (l *lexer) quotedName(start int, raw bool) string {
	begin := l.i
	var b strings.Builder
	for l.i < len(l.src) {
		if l.src[l.i] != '"' {
			l.i++
			continue
		}
		b.WriteString(l.src[begin:l.i])
		l.i++
		if l.peek(0) == '"' {
			begin = l.i
			l.i++
			continue
		}
		if b.Len() == 0 {
			l.fail(start, `zero-length delimited identifier at or near """"`)
			return ""
		}
		if !raw {
			l.add(quoted, b.String(), start)
		}
		return b.String()
	}
	l.fail(start, `unterminated quoted identifier at or near "%s"`, clip(l.src[start:]))
	return ""
}

// unicode takes U&'…' or U&"…" with an optional UESCAPE 'c'.
func (l *lexer) unicode(start int) {
	var raw string
	k := stringLiteral
	if l.peek(0) == '"' {
		k = quoted
		l.i++
		raw = l.quotedName(start, true)
	} else {
		raw, _ = l.quotedText(start, false)
	}
	if l.err != nil {
		return
	}
	escape := byte('\\')
	rest := strings.TrimLeft(l.src[l.i:], " \t\r\n\f\v")
	if len(rest) >= 7 && strings.EqualFold(rest[:7], "uescape") {
		after := strings.TrimLeft(rest[7:], " \t\r\n\f\v")
		if len(after) < 3 || after[0] != '\'' || after[2] != '\'' || strings.IndexByte("+'\"", after[1]) >= 0 ||
			isSpace(after[1]) || isHex(after[1]) || after[1] >= utf8.RuneSelf {
			l.fail(len(l.src)-len(rest), "invalid Unicode escape character")
			return
		}
		escape = after[1]
		l.i = len(l.src) - len(after) + 3
	}
	value, bad := unescapeUnicode(raw, escape)
	if bad {
		l.fail(start, "invalid Unicode escape")
		l.err.Hint(`Unicode escapes must be \XXXX or \+XXXXXX.`)
		return
	}
	l.add(k, value, start)
}

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unescapeUnicode(raw string, escape byte) (value string, bad bool) {
	var b strings.Builder
	var high rune
	for i := 0; i < len(raw); {
		if raw[i] != escape {
			b.WriteByte(raw[i])
			i++
			continue
		}
		if i+1 < len(raw) && raw[i+1] == escape {
			b.WriteByte(escape)
			i += 2
			continue
		}
		from, n := i+1, 4
		if from < len(raw) && raw[from] == '+' {
			from, n = from+1, 6
		}
		if from+n > len(raw) {
			return "", true
		}
		v, err := strconv.ParseUint(raw[from:from+n], 16, 32)
		if err != nil || v == 0 {
			return "", true
		}
		i = from + n
		r := rune(v)
		switch {
		case high == 0 && r >= 0xD800 && r < 0xDC00:
			high = r
			continue
		case high != 0 && r >= 0xDC00 && r < 0xE000:
			r = (high-0xD800)<<10 + (r - 0xDC00) + 0x10000
			high = 0
		}
		if high != 0 || !utf8.ValidRune(r) {
			return "", true
		}
		b.WriteRune(r)
	}
	return b.String(), high != 0
}

// number takes a numeric literal: decimal with underscores, point and exponent,
// or 0x, 0o, 0b.
func (l *lexer) number(start int) {
	if l.src[start] == '0' && strings.IndexByte("xXoObB", l.peek(1)) >= 0 && l.peek(1) != 0 {
		l.basedInteger(start)
		return
	}
	k := integerNumber
	l.decimalDigits()
	if l.peek(0) == '.' && l.peek(1) != '.' {
		k = decimalNumber
		l.i++
		l.decimalDigits()
	}
	if e := l.peek(0); e == 'e' || e == 'E' {
		n := 1
		if s := l.peek(1); s == '+' || s == '-' {
			n = 2
		}
		if isDigit(l.peek(n)) {
			k = decimalNumber
			l.i += n
			l.decimalDigits()
		}
	}
	if isWordStart(l.peek(0)) {
		l.fail(start, `trailing junk after numeric literal at or near "%s"`, l.src[start:l.wordEnd()])
		return
	}
	l.add(k, strings.ReplaceAll(l.src[start:l.i], "_", ""), start)
}

// decimalDigits takes digits; a single underscore may stand between two.
func (l *lexer) decimalDigits() {
	for isDigit(l.peek(0)) || l.peek(0) == '_' && l.i > 0 && isDigit(l.src[l.i-1]) && isDigit(l.peek(1)) {
		l.i++
	}
}

func (l *lexer) basedInteger(start int) {
	base := map[byte]int{'x': 16, 'o': 8, 'b': 2}[l.peek(1)|0x20]
	end := start + 2
	for end < len(l.src) && isWordPart(l.src[end]) {
		end++
	}
	digits := l.src[start+2 : end]
	v, ok := new(big.Int).SetString(strings.ReplaceAll(digits, "_", ""), base)
	if !ok || v.Sign() < 0 || strings.HasSuffix(digits, "_") || strings.Contains(digits, "__") {
		l.fail(start, `trailing junk after numeric literal at or near "%s"`, l.src[start:end])
		return
	}
	l.i = end
	l.add(integerNumber, v.String(), start)
}
