package parse

import (
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
)

// lex cuts a whole string, which may hold several statements, into tokens. The
// last token is always endOfInput.
func lex(src string) ([]token, *pgerr.Error) {
	if err := checkText(src); err != nil {
		return nil, err
	}
	l := lexer{src: src, toks: make([]token, 0, len(src)/4+4)}
	for l.err == nil && l.step() {
	}
	if l.err != nil {
		return nil, l.err
	}
	l.toks = append(l.toks, token{kind: endOfInput, pos: len(src), end: len(src), match: -1})
	matchBrackets(l.toks)
	return l.toks, nil
}

// checkText refuses what PostgreSQL refuses in any text: NUL and bad UTF-8.
func checkText(src string) *pgerr.Error {
	if i := strings.IndexByte(src, 0); i >= 0 {
		return pgerr.New(pgerr.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8": 0x00`).At(i)
	}
	if utf8.ValidString(src) {
		return nil
	}
	for i := 0; ; {
		r, n := utf8.DecodeRuneInString(src[i:])
		if r == utf8.RuneError && n <= 1 {
			return pgerr.New(pgerr.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8": 0x%02x`, src[i]).At(i)
		}
		i += n
	}
}

func matchBrackets(toks []token) {
	var open []int
	for i := range toks {
		switch t := &toks[i]; {
		case t.is("(") || t.is("["):
			open = append(open, i)
		case (t.is(")") || t.is("]")) && len(open) > 0:
			toks[open[len(open)-1]].match = i
			open = open[:len(open)-1]
		}
	}
}

type lexer struct {
	src  string
	i    int
	toks []token
	err  *pgerr.Error
}

func (l *lexer) fail(pos int, format string, args ...any) {
	if l.err == nil {
		l.err = pgerr.New(pgerr.SyntaxError, format, args...).At(pos)
	}
}

func (l *lexer) add(k kind, text string, pos int) {
	l.toks = append(l.toks, token{kind: k, text: text, pos: pos, end: l.i, match: -1})
}

// peek returns the byte n after the current one, or 0 past the end.
func (l *lexer) peek(n int) byte {
	if l.i+n < len(l.src) {
		return l.src[l.i+n]
	}
	return 0
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isWordStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}
func isWordPart(c byte) bool     { return isWordStart(c) || isDigit(c) || c == '$' }
func isOperatorChar(c byte) bool { return strings.IndexByte("+-*/<>=~!@#%^&|?", c) >= 0 }

// step takes one token, or the space or comment before it, and reports whether
// there may be more.
func (l *lexer) step() bool {
	if l.i >= len(l.src) {
		return false
	}
	start, c, next := l.i, l.src[l.i], l.peek(1)
	switch {
	case isSpace(c):
		l.i++
	case c == '-' && next == '-':
		if n := strings.IndexAny(l.src[l.i:], "\r\n"); n >= 0 {
			l.i += n
		} else {
			l.i = len(l.src)
		}
	case c == '/' && next == '*':
		l.comment()
	case c == '\'':
		l.str(start, false)
	case c == '"':
		l.i++
		l.quotedName(start, false)
	case next == '\'' && strings.IndexByte("eEbBxXnN", c) >= 0:
		l.i++
		l.prefixedString(start, c|0x20)
	case (c == 'u' || c == 'U') && next == '&' && (l.peek(2) == '\'' || l.peek(2) == '"'):
		l.i += 2
		l.unicode(start)
	case isWordStart(c):
		for l.i < len(l.src) && isWordPart(l.src[l.i]) {
			l.i++
		}
		l.add(identifier, foldCase(l.src[start:l.i]), start)
	case c == '$':
		l.dollar(start)
	case isDigit(c) || c == '.' && isDigit(next):
		l.number(start)
	case c == ':' && (next == ':' || next == '='), c == '.' && next == '.':
		l.i += 2
		l.add(punctuation, l.src[start:l.i], start)
	case strings.IndexByte("()[],;.:", c) >= 0:
		l.i++
		l.add(punctuation, l.src[start:l.i], start)
	case isOperatorChar(c):
		l.operator(start)
	default:
		_, n := utf8.DecodeRuneInString(l.src[start:])
		l.fail(start, "syntax error at or near \"%s\"", l.src[start:start+n])
		if c == '`' && l.err != nil {
			l.err.Hint(`Names are quoted with double quotes: "name".`)
		}
	}
	return true
}

// foldCase lowers ASCII letters only, as PostgreSQL does in UTF-8.
func foldCase(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] |= 0x20
				}
			}
			return string(b)
		}
	}
	return s
}

// comment skips a block comment, which may hold others; /*+ … */ is a token.
func (l *lexer) comment() {
	start, depth := l.i, 0
	for l.i < len(l.src) {
		switch {
		case l.src[l.i] == '/' && l.peek(1) == '*':
			depth++
			l.i += 2
		case l.src[l.i] == '*' && l.peek(1) == '/':
			depth--
			l.i += 2
		default:
			l.i++
		}
		if depth == 0 {
			if strings.HasPrefix(l.src[start:], "/*+") && l.i-2 >= start+3 {
				l.add(hint, l.src[start+3:l.i-2], start)
			}
			return
		}
	}
	l.fail(start, `unterminated /* comment at or near "%s"`, clip(l.src[start:]))
}

// operatorBytesMax is the length of the longest operator name in PostgreSQL.
const operatorBytesMax = 63

// operator takes the longest operator, by PostgreSQL's rules: it ends before a
// comment, and a longer one ends in + or - only when it has one of ~!@#%^&|?.
func (l *lexer) operator(start int) {
	special := false
	for l.i < len(l.src) && l.i-start <= operatorBytesMax && isOperatorChar(l.src[l.i]) {
		c, n := l.src[l.i], l.peek(1)
		if l.i > start && (c == '-' && n == '-' || c == '/' && n == '*') {
			break
		}
		special = special || strings.IndexByte("~!@#%^&|?", c) >= 0
		l.i++
	}
	for !special && l.i-start > 1 && (l.src[l.i-1] == '+' || l.src[l.i-1] == '-') {
		l.i--
	}
	text := l.src[start:l.i]
	if len(text) > operatorBytesMax {
		l.fail(start, "operator too long")
		return
	}
	if text == "!=" {
		text = "<>"
	}
	l.add(operator, text, start)
}

// dollar takes $1 or a dollar-quoted string.
func (l *lexer) dollar(start int) {
	l.i++
	if isDigit(l.peek(0)) {
		for isDigit(l.peek(0)) {
			l.i++
		}
		if isWordStart(l.peek(0)) {
			l.fail(start, `trailing junk after parameter at or near "%s"`, l.src[start:l.wordEnd()])
			return
		}
		l.add(parameter, l.src[start+1:l.i], start)
		return
	}
	tagEnd := l.i
	for tagEnd < len(l.src) && (isWordStart(l.src[tagEnd]) || isDigit(l.src[tagEnd])) {
		tagEnd++
	}
	if tagEnd >= len(l.src) || l.src[tagEnd] != '$' {
		l.fail(start, `syntax error at or near "$"`)
		return
	}
	tag := l.src[start : tagEnd+1]
	body := l.src[tagEnd+1:]
	n := strings.Index(body, tag)
	if n < 0 {
		l.fail(start, `unterminated dollar-quoted string at or near "%s"`, clip(l.src[start:]))
		return
	}
	l.i = tagEnd + 1 + n + len(tag)
	l.add(stringLiteral, body[:n], start)
}

func (l *lexer) wordEnd() int {
	end := l.i
	for end < len(l.src) && isWordPart(l.src[end]) {
		end++
	}
	return end
}

// clip shortens the text of an unterminated token for its message.
func clip(s string) string {
	const shown = 40
	if len(s) <= shown {
		return s
	}
	n := shown
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
