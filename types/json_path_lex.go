package types

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
)

// pathToken is a token of a path: an operator by its text, or one of the kinds
// below.
type pathToken struct {
	kind pathTokenKind
	text string // as written, for operators and messages
	val  string // the value of names, strings, variables and numbers
}

type pathTokenKind uint8

const (
	pathEnd pathTokenKind = iota
	pathOperator
	pathName
	pathText
	pathVar
	pathInt
	pathDecimal
)

// pathSpecial are the characters that end a name.
const pathSpecial = "?%$.[]{}()|&!=<>@#,*:-+/"

func isPathName(c byte) bool {
	return c != '"' && !isPathBlank(c) && strings.IndexByte(pathSpecial, c) < 0
}

func isPathDigit(c byte) bool { return c >= '0' && c <= '9' }

func isPathBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' && c != '\v' }

type pathLexer struct {
	s string
	i int
}

func errPath(format string, args ...any) error {
	return pgerr.New(pgerr.SyntaxError, format+" of jsonpath input", args...)
}

func (l *pathLexer) junk(what string, from int) error {
	return errPath("%s at or near \"%s\"", what, l.s[from:l.i])
}

// next reads a token.
func (l *pathLexer) next() (pathToken, error) {
	for l.i < len(l.s) {
		switch {
		case isPathBlank(l.s[l.i]):
			l.i++
		case strings.HasPrefix(l.s[l.i:], "/*"):
			end := strings.Index(l.s[l.i+2:], "*/")
			if end < 0 {
				return pathToken{}, errPath("unexpected end of comment at end")
			}
			l.i += end + 4
		default:
			return l.token()
		}
	}
	return pathToken{}, nil
}

func (l *pathLexer) token() (pathToken, error) {
	start, c := l.i, l.s[l.i]
	switch {
	case c == '"':
		l.i++
		v, err := l.quoted()
		return pathToken{pathText, l.s[start:l.i], v}, err
	case c == '$' && l.i+1 < len(l.s) && l.s[l.i+1] == '"':
		l.i += 2
		v, err := l.quoted()
		return pathToken{pathVar, l.s[start:l.i], v}, err
	case c == '$' && l.i+1 < len(l.s) && isPathName(l.s[l.i+1]):
		l.i++
		v, err := l.name()
		return pathToken{pathVar, l.s[start:l.i], v}, err
	case isPathDigit(c), c == '.' && l.i+1 < len(l.s) && isPathDigit(l.s[l.i+1]):
		return l.number()
	case isPathName(c):
		v, err := l.name()
		return pathToken{pathName, l.s[start:l.i], v}, err
	}
	n := 1
	for _, op := range []string{"&&", "||", "**", "<=", "==", "<>", "!=", ">="} {
		if strings.HasPrefix(l.s[l.i:], op) {
			n = 2
		}
	}
	l.i += n
	return pathToken{kind: pathOperator, text: l.s[start:l.i]}, nil
}

func (l *pathLexer) digits() {
	for l.i < len(l.s) && isPathDigit(l.s[l.i]) {
		l.i++
	}
}

func (l *pathLexer) number() (pathToken, error) {
	start, kind := l.i, pathInt
	if l.s[l.i] == '0' {
		l.i++ // no digit follows a leading zero
	} else {
		l.digits()
	}
	if l.i < len(l.s) && l.s[l.i] == '.' {
		kind = pathDecimal
		l.i++
		l.digits()
	}
	if l.i < len(l.s) && l.s[l.i]|0x20 == 'e' {
		kind = pathDecimal
		l.i++
		if l.i < len(l.s) && (l.s[l.i] == '+' || l.s[l.i] == '-') {
			l.i++
		}
		from := l.i
		if l.digits(); l.i == from {
			what := "invalid numeric literal"
			if l.s[from-1]|0x20 == 'e' {
				what = "trailing junk after numeric literal"
			}
			return pathToken{}, l.junk(what, start)
		}
	}
	if l.i < len(l.s) && isPathName(l.s[l.i]) {
		_, n := utf8.DecodeRuneInString(l.s[l.i:])
		l.i += n
		return pathToken{}, l.junk("trailing junk after numeric literal", start)
	}
	t := pathToken{kind: kind, text: l.s[start:l.i]}
	d, err := ParseDecimal(t.text)
	t.val = d.String()
	return t, err
}

// name reads a name without quotes, which may have escapes.
func (l *pathLexer) name() (string, error) {
	var out []byte
	for l.i < len(l.s) && isPathName(l.s[l.i]) {
		if l.s[l.i] != '\\' {
			out = append(out, l.s[l.i])
			l.i++
			continue
		}
		var err error
		if out, err = l.escape(out); err != nil {
			return "", err
		}
	}
	return string(out), nil
}

// quoted reads up to the closing quote.
func (l *pathLexer) quoted() (string, error) {
	var out []byte
	for l.i < len(l.s) {
		switch c := l.s[l.i]; c {
		case '"':
			l.i++
			return string(out), nil
		case '\\':
			var err error
			if out, err = l.escape(out); err != nil {
				return "", err
			}
		default:
			out = append(out, c)
			l.i++
		}
	}
	return "", errPath("unexpected end of quoted string at end")
}

func (l *pathLexer) escape(out []byte) ([]byte, error) {
	start := l.i
	if l.i++; l.i == len(l.s) {
		return nil, errPath("unexpected end after backslash at end")
	}
	c := l.s[l.i]
	l.i++
	switch c {
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'v':
		return append(out, '\v'), nil
	case 'x':
		r, ok := l.hex(2, 2)
		if !ok {
			return nil, l.junk("invalid hex character sequence", start)
		}
		return appendPathRune(out, r)
	case 'u':
		return l.unicode(out, start)
	}
	_, n := utf8.DecodeRuneInString(l.s[l.i-1:])
	l.i += n - 1
	return append(out, l.s[l.i-n:l.i]...), nil
}

func appendPathRune(out []byte, r rune) ([]byte, error) {
	if r == 0 {
		return nil, pgerr.New(pgerr.UntranslatableCharacter, "unsupported Unicode escape sequence").WithDetail(`\u0000 cannot be converted to text.`)
	}
	return utf8.AppendRune(out, r), nil
}

// unicode reads what follows \u: four digits, or up to six in braces; two
// surrogates make one character.
func (l *pathLexer) unicode(out []byte, start int) ([]byte, error) {
	one := func() (rune, bool) {
		if l.i == len(l.s) || l.s[l.i] != '{' {
			return l.hex(4, 4)
		}
		l.i++
		r, ok := l.hex(1, 6)
		ok = ok && l.i < len(l.s) && l.s[l.i] == '}'
		if ok {
			l.i++
		}
		return r, ok
	}
	r, ok := one()
	if !ok {
		return nil, l.junk("invalid unicode sequence", start)
	}
	if r >= 0xd800 && r < 0xe000 {
		wrong := pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type jsonpath")
		if r >= 0xdc00 {
			return nil, wrong.WithDetail("Unicode low surrogate must follow a high surrogate.")
		}
		low := rune(-1)
		if strings.HasPrefix(l.s[l.i:], `\u`) {
			l.i += 2
			if low, ok = one(); !ok {
				return nil, l.junk("invalid unicode sequence", start)
			}
		}
		if low < 0xdc00 || low >= 0xe000 {
			return nil, wrong.WithDetail("Unicode low surrogate must follow a high surrogate.")
		}
		r = (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
	}
	if r > utf8.MaxRune {
		return nil, l.junk("invalid unicode sequence", start)
	}
	return appendPathRune(out, r)
}

// hex reads from least to most hexadecimal digits.
func (l *pathLexer) hex(least, most int) (rune, bool) {
	n := 0
	for n < most && l.i+n < len(l.s) && strings.IndexByte("0123456789abcdefABCDEF", l.s[l.i+n]) >= 0 {
		n++
	}
	v, err := strconv.ParseUint(l.s[l.i:l.i+n], 16, 32)
	l.i += n
	if n < least {
		return 0, false
	}
	return rune(v), err == nil
}
