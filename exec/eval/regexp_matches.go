package eval

import (
	"regexp"
	"regexp/syntax"
	"sync"
	"unicode/utf8"
)

// Regexp is a regular expression of PostgreSQL. It finds matches from a place in a
// string on, where what lies before that place still counts: ^ is the string's
// begin and no other place, \y sees the character before it.
type Regexp struct {
	*regexp.Regexp
	source  string // in Go's syntax
	longest bool
	// filled tells that no match is empty.
	filled bool

	behind sync.Once
	// first finds where the first match behind the first character begins, as
	// group 1; there matches from behind the first character on.
	first, there *regexp.Regexp
}

func newRegexp(source string, longest bool) (*Regexp, error) {
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, err
	}
	if longest {
		re.Longest()
	}
	// What is compiled later, in From, has to be found too complex here.
	behind, err := syntax.Parse(behindFirst(source), syntax.Perl)
	if err != nil {
		return nil, err
	}
	found := behind.Sub[len(behind.Sub)-1]
	return &Regexp{Regexp: re, source: source, longest: longest, filled: !mayBeEmpty(found)}, nil
}

// behindFirst is an expression for what goes before the first match behind the
// first character, and that match as group 1.
func behindFirst(source string) string { return `\A(?s:.)(?s:.*?)(` + source + `)` }

// mayBeEmpty reports whether a match of the expression may have no characters.
func mayBeEmpty(x *syntax.Regexp) bool {
	switch x.Op {
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpNoMatch:
		return false
	case syntax.OpCapture, syntax.OpPlus:
		return mayBeEmpty(x.Sub[0])
	case syntax.OpRepeat:
		return x.Min == 0 || mayBeEmpty(x.Sub[0])
	case syntax.OpConcat:
		for _, s := range x.Sub {
			if !mayBeEmpty(s) {
				return false
			}
		}
		return true
	case syntax.OpAlternate:
		for _, s := range x.Sub {
			if mayBeEmpty(s) {
				return true
			}
		}
		return false
	}
	return true
}

// From finds the first match that begins at start or behind it, nil if there is
// none: the places of the match and its groups.
func (r *Regexp) From(s string, start int) []int {
	if start <= 0 {
		return r.FindStringSubmatchIndex(s)
	}
	if start > len(s) {
		return nil
	}
	r.behind.Do(func() {
		r.first = regexp.MustCompile(behindFirst(r.source))
		r.there = regexp.MustCompile(`\A(?s:.)(?:` + r.source + `)`)
		if r.longest {
			r.there.Longest()
		}
	})
	before := start - widthBefore(s, start)
	m := r.first.FindStringSubmatchIndex(s[before:])
	if m == nil {
		return nil
	}
	at := before + m[2]
	before = at - widthBefore(s, at)
	m = r.there.FindStringSubmatchIndex(s[before:])
	for i := range m {
		if m[i] >= 0 {
			m[i] += before
		}
	}
	m[0] = at
	return m
}

func widthBefore(s string, at int) int {
	_, n := utf8.DecodeLastRuneInString(s[:at])
	return n
}

// All finds the first n matches from start on, all with n negative. A match may
// be empty right behind another one, as in PostgreSQL.
func (r *Regexp) All(s string, start, n int) (all [][]int) {
	if r.filled && start == 0 {
		return r.FindAllStringSubmatchIndex(s, n)
	}
	for at := start; n < 0 || len(all) < n; {
		m := r.From(s, at)
		if m == nil {
			return all
		}
		all = append(all, m)
		if at = m[1]; m[0] == m[1] {
			if at >= len(s) {
				return all
			}
			_, w := utf8.DecodeRuneInString(s[at:])
			at += w
		}
	}
	return all
}

// Split gives the parts of s between the matches. An empty match counts neither at
// the ends nor right behind another one.
func (r *Regexp) Split(s string) (parts []string) {
	last, behind := 0, 0
	for _, m := range r.All(s, 0, -1) {
		if m[0] < len(s) && m[1] > behind {
			parts = append(parts, s[last:m[0]])
			last = m[1]
		}
		behind = m[1]
	}
	return append(parts, s[last:])
}
