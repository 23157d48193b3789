package eval

import (
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// likeMatcher is a LIKE pattern: literal parts between %, where a part may hold
// _ as the rune likeAny.
type likeMatcher struct {
	parts      []string
	wild       []bool // part i holds _
	open, tail bool   // starts, ends with %
	fold       bool
	// broken patterns end with the escape character. They match the strings in
	// which PostgreSQL comes that far, and it raises the error for those alone.
	broken bool
}

const likeAny = '\uFFFF' // not a character; stands for _ within a part

func compileLike(pattern string, fold bool) *likeMatcher {
	m := &likeMatcher{fold: fold}
	if fold {
		pattern = strings.ToLower(pattern)
	}
	if n := len(pattern) - len(strings.TrimRight(pattern, `\`)); n%2 == 1 {
		m.broken = true
		pattern = reachesEscape(pattern[:len(pattern)-1])
	}
	var part strings.Builder
	wild := false
	flush := func() {
		if part.Len() > 0 {
			m.parts, m.wild = append(m.parts, part.String()), append(m.wild, wild)
			part.Reset()
			wild = false
		}
	}
	for i := 0; i < len(pattern); i++ {
		m.tail = false
		switch c := pattern[i]; c {
		case '%':
			m.open = m.open || i == 0
			m.tail = true
			flush()
		case '_':
			part.WriteRune(likeAny)
			wild = true
		case '\\':
			i++ // there is one: a pattern that ends here is broken
			part.WriteByte(pattern[i])
		default:
			part.WriteByte(c)
		}
	}
	flush()
	return m
}

// reachesEscape is a pattern for the strings in which something is left when the
// pattern before a last escape character is used up. After a %, PostgreSQL looks
// at it as soon as the _ that follow have found their characters.
func reachesEscape(before string) string {
	head := strings.TrimRight(before, "%_")
	if strings.HasSuffix(head, `\`) && (len(head)-len(strings.TrimRight(head, `\`)))%2 == 1 {
		head = before[:len(head)+1] // the first of them was escaped
	}
	plain, run, many := strings.Cut(before[len(head):], "%")
	left := 1
	if many {
		left = max(1, strings.Count(run, "_"))
	}
	return head + plain + strings.Repeat("_", left) + "%"
}

// like reports whether s matches, or the error of a pattern that is broken.
func (m *likeMatcher) like(s string) (bool, error) {
	ok := m.match(s)
	if ok && m.broken {
		return false, pgerr.New(pgerr.InvalidEscapeSequence, "LIKE pattern must not end with escape character")
	}
	return ok, nil
}

// match reports whether all of s matches.
func (m *likeMatcher) match(s string) bool {
	if m.fold {
		s = strings.ToLower(s)
	}
	parts := m.parts
	if len(parts) == 0 {
		return m.open || m.tail || s == ""
	}
	first, last := 0, len(parts)
	if !m.open {
		n, ok := m.at(0, s)
		if !ok {
			return false
		}
		s, first = s[n:], 1
		if len(parts) == 1 {
			return m.tail || s == ""
		}
	}
	if !m.tail {
		last--
	}
	for p := first; p < last; p++ {
		_, end := m.find(p, s)
		if end < 0 {
			return false
		}
		s = s[end:]
	}
	return m.tail || m.suffix(last, s)
}

// at matches part p at the start of s and returns how long the match is.
func (m *likeMatcher) at(p int, s string) (int, bool) {
	if !m.wild[p] {
		return len(m.parts[p]), strings.HasPrefix(s, m.parts[p])
	}
	i := 0
	for _, want := range m.parts[p] {
		if i >= len(s) {
			return 0, false
		}
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		if want != likeAny && want != r {
			return 0, false
		}
		i += n
	}
	return i, true
}

// find gives the leftmost match of part p in s, end -1 for none.
func (m *likeMatcher) find(p int, s string) (start, end int) {
	if !m.wild[p] {
		i := strings.Index(s, m.parts[p])
		if i < 0 {
			return 0, -1
		}
		return i, i + len(m.parts[p])
	}
	part := m.parts[p]
	if lead := part[:strings.IndexRune(part, likeAny)]; lead != "" {
		for i := 0; ; {
			k := strings.Index(s[i:], lead)
			if k < 0 {
				return 0, -1
			}
			if n, ok := m.at(p, s[i+k:]); ok {
				return i + k, i + k + n
			}
			i += k + 1
		}
	}
	for i := range s {
		if n, ok := m.at(p, s[i:]); ok {
			return i, i + n
		}
	}
	return 0, -1
}

// suffix matches part p at the end of s.
func (m *likeMatcher) suffix(p int, s string) bool {
	if !m.wild[p] {
		return strings.HasSuffix(s, m.parts[p])
	}
	skip := utf8.RuneCountInString(s) - utf8.RuneCountInString(m.parts[p])
	if skip < 0 {
		return false
	}
	_, ok := m.at(p, s[runeOffset(s, skip):])
	return ok
}

// likeEscape rewrites a pattern with another escape character to use a backslash.
func likeEscape(pattern, escape string) (string, error) {
	if utf8.RuneCountInString(escape) > 1 {
		return "", pgerr.New(pgerr.InvalidEscapeSequence, "invalid escape string").Hint("Escape string must be empty or one character.")
	}
	if escape == `\` {
		return pattern, nil
	}
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch {
		case escape != "" && strings.HasPrefix(pattern[i:], escape):
			b.WriteByte('\\')
			if i += len(escape); i < len(pattern) {
				b.WriteByte(pattern[i])
			}
		case pattern[i] == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteByte(pattern[i])
		}
	}
	return b.String(), nil
}

// likeKernel makes LIKE with a constant pattern, which is compiled once.
func likeKernel(e *scalar.Expr, fn *scalar.Function) kernel {
	op, fold, neg := fn.Name, false, false
	switch op {
	case "~~", "like":
	case "!~~", "notlike":
		neg = true
	case "~~*":
		fold = true
	case "!~~*":
		fold, neg = true, true
	default:
		return nil
	}
	if e.Args[0].Type.Kind == types.Bytea {
		return bytesLikeKernel(neg)
	}
	var m *likeMatcher
	if p := e.Args[1]; p.Op == scalar.OpConst && p.Value != nil && !p.Value.Null {
		if m = compileLike(p.Value.Bytes, fold); m.broken {
			m = nil // the loop below asks each row for errors
		}
	}
	last, dyn := "", (*likeMatcher)(nil)
	return func(f *frame, c *call, sel []uint16) {
		a, b := c.cols[0], c.cols[1]
		if m != nil {
			if sel == nil {
				for i := range f.n {
					c.out.Bool[i] = m.match(a.Str(i)) != neg
				}
				return
			}
			for _, i := range sel {
				c.out.Bool[i] = m.match(a.Str(int(i))) != neg
			}
			return
		}
		each(f.n, sel, func(i int) {
			if p := b.Str(i); dyn == nil || p != last {
				dyn = compileLike(p, fold)
				last = strings.Clone(p)
			}
			ok, err := dyn.like(a.Str(i))
			if err != nil {
				c.fail(f, i, err)
				return
			}
			c.out.Bool[i] = ok != neg
		})
	}
}

// bytesLikeKernel makes LIKE of bytes: each is a character.
func bytesLikeKernel(neg bool) kernel {
	last, m := "", (*likeMatcher)(nil)
	return func(f *frame, c *call, sel []uint16) {
		a, b := c.cols[0], c.cols[1]
		each(f.n, sel, func(i int) {
			if p := b.Str(i); m == nil || p != last {
				m = compileLike(byteRunes(p), false)
				last = strings.Clone(p)
			}
			ok, err := m.like(byteRunes(a.Str(i)))
			if err != nil {
				c.fail(f, i, err)
				return
			}
			c.out.Bool[i] = ok != neg
		})
	}
}

// byteRunes is text with a character for each byte.
func byteRunes(s string) string {
	var out strings.Builder
	for i := range len(s) {
		out.WriteRune(rune(s[i]))
	}
	return out.String()
}
