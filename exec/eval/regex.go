package eval

import (
	"regexp"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
)

// PostgreSQL's advanced regular expressions run on Go's regexp package, which
// never takes more than linear time. Not there, and refused with 0A000: back
// references and look-around. \w and the classes are ASCII, as in the C
// collation. A pattern without a non-greedy quantifier matches the longest, as
// POSIX wants; one with a non-greedy quantifier matches as Perl does.

func errRegexp(what string) error {
	return pgerr.New(pgerr.InvalidRegularExpression, "invalid regular expression: %s", what)
}

// compileRegexp translates a pattern with PostgreSQL's flag letters (g is the
// caller's).
func compileRegexp(pattern, flags string) (*Regexp, error) {
	fold, dotAll, multi, expanded, literal := false, true, false, false, false
	for _, c := range flags {
		switch c {
		case 'i':
			fold = true
		case 'c':
			fold = false
		case 'n', 'm':
			dotAll, multi = false, true
		case 'p':
			dotAll, multi = false, false
		case 'w':
			dotAll, multi = true, true
		case 's':
			dotAll, multi = true, false
		case 'x':
			expanded = true
		case 't':
			expanded = false
		case 'q':
			literal = true
		case 'e', 'b', 'g':
		default:
			return nil, pgerr.New(pgerr.InvalidParameterValue, "invalid regular expression option: %q", string(c))
		}
	}
	if t, ok := strings.CutPrefix(pattern, "***="); ok {
		pattern, literal = t, true
	}
	pattern = strings.TrimPrefix(pattern, "***:")
	if strings.HasPrefix(pattern, "(?") { // embedded options are PostgreSQL's letters
		if end := strings.IndexByte(pattern, ')'); end > 2 && strings.Trim(pattern[2:end], "icnmpwstxqeb") == "" {
			return compileRegexp(pattern[end+1:], flags+pattern[2:end])
		}
	}
	greedy := true
	if literal {
		pattern = regexp.QuoteMeta(pattern)
	} else {
		var err error
		if pattern, greedy, err = translateRegexp(pattern, expanded); err != nil {
			return nil, err
		}
	}
	mode := "(?"
	if fold {
		mode += "i"
	}
	if dotAll {
		mode += "s"
	}
	if multi {
		mode += "m"
	}
	if mode != "(?" {
		pattern = mode + ")" + pattern
	}
	re, err := newRegexp(pattern, greedy)
	if err != nil {
		return nil, errRegexp(regexpProblem(err))
	}
	return re, nil
}

// regexpProblem words the fault as PostgreSQL does.
func regexpProblem(err error) string {
	s := err.Error()
	switch {
	case strings.Contains(s, "missing closing )"), strings.Contains(s, "unexpected )"):
		return "parentheses () not balanced"
	case strings.Contains(s, "missing closing ]"):
		return "brackets [] not balanced"
	case strings.Contains(s, "repetition operator"), strings.Contains(s, "invalid nested"):
		return "quantifier operand invalid"
	case strings.Contains(s, "repeat count"):
		return "invalid repetition count(s)"
	case strings.Contains(s, "class range"):
		return "invalid character range"
	case strings.Contains(s, "escape"), strings.Contains(s, "trailing backslash"):
		return `invalid escape \ sequence`
	}
	return strings.TrimPrefix(s, "error parsing regexp: ")
}

// translateRegexp writes an ARE in Go's syntax and tells whether all quantifiers
// are greedy.
func translateRegexp(p string, expanded bool) (string, bool, error) {
	var b strings.Builder
	greedy := true
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c == '\\':
			if i++; i == len(p) {
				return "", false, errRegexp(`invalid escape \ sequence`)
			}
			switch e := p[i]; e {
			case 'm', 'M', 'y':
				b.WriteString(`\b`)
			case 'Y':
				b.WriteString(`\B`)
			case 'Z':
				b.WriteString(`\z`)
			case 'e':
				b.WriteString(`\x1b`)
			case 'B':
				b.WriteString(`\\`)
			case 'u':
				if i+4 >= len(p)+0 && i+5 > len(p) {
					return "", false, errRegexp(`invalid escape \ sequence`)
				}
				b.WriteString(`\x{` + p[i+1:i+5] + `}`)
				i += 4
			case '1', '2', '3', '4', '5', '6', '7', '8', '9':
				return "", false, pgerr.NotSupported(-1, "a back reference in a regular expression")
			case '<', '>', '"', '\'', '/', ' ', '%', '&', '=', '@', '#', ',', ';', ':', '!', '~', '`', '_':
				b.WriteString(regexp.QuoteMeta(string(e)))
			default:
				b.WriteByte('\\')
				b.WriteByte(e)
			}
		case c == '[':
			n, err := translateBracket(&b, p[i:])
			if err != nil {
				return "", false, err
			}
			i += n - 1
		case c == '(' && strings.HasPrefix(p[i:], "(?=") || c == '(' && strings.HasPrefix(p[i:], "(?!") || c == '(' && strings.HasPrefix(p[i:], "(?<"):
			return "", false, pgerr.NotSupported(-1, "look-around in a regular expression")
		case c == '(' && strings.HasPrefix(p[i:], "(?#"):
			end := strings.IndexByte(p[i:], ')')
			if end < 0 {
				return "", false, errRegexp("parentheses () not balanced")
			}
			i += end
		case (c == '*' || c == '+' || c == '?' || c == '}') && i+1 < len(p) && p[i+1] == '?' && i > 0:
			greedy = false
			b.WriteByte(c)
			b.WriteByte('?')
			i++
		case expanded && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
		case expanded && c == '#':
			for i+1 < len(p) && p[i+1] != '\n' {
				i++
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), greedy, nil
}

// translateBracket copies a bracket expression and returns its length.
func translateBracket(b *strings.Builder, p string) (int, error) {
	for _, edge := range []string{"[[:<:]]", "[[:>:]]"} {
		if strings.HasPrefix(p, edge) {
			b.WriteString(`\b`)
			return len(edge), nil
		}
	}
	i := 1
	b.WriteByte('[')
	if i < len(p) && p[i] == '^' {
		b.WriteByte('^')
		i++
	}
	for first := true; i < len(p); first = false {
		switch {
		case p[i] == ']' && !first:
			b.WriteByte(']')
			return i + 1, nil
		case p[i] == ']':
			b.WriteString(`\]`)
			i++
		case strings.HasPrefix(p[i:], "[:"):
			end := strings.Index(p[i:], ":]")
			if end < 0 {
				return 0, errRegexp("brackets [] not balanced")
			}
			b.WriteString(p[i : i+end+2])
			i += end + 2
		case strings.HasPrefix(p[i:], "[.") || strings.HasPrefix(p[i:], "[="):
			end := strings.Index(p[i:], p[i+1:i+2]+"]")
			if end < 2 {
				return 0, errRegexp("invalid collating element")
			}
			b.WriteString(regexp.QuoteMeta(p[i+2 : i+end]))
			i += end + 2
		case p[i] == '[':
			b.WriteString(`\[`)
			i++
		case p[i] == '\\' && i+1 < len(p):
			b.WriteString(p[i : i+2])
			i += 2
		default:
			b.WriteByte(p[i])
			i++
		}
	}
	return 0, errRegexp("brackets [] not balanced")
}

const regexpCacheMax = 256

// regexp compiles a pattern once per call node.
func (x *row) regexp(pattern, flags string) (*Regexp, error) {
	key := flags + "/" + pattern
	if re := x.regexps[key]; re != nil {
		return re, nil
	}
	re, err := compileRegexp(pattern, flags)
	if err != nil {
		return nil, err
	}
	if len(x.regexps) >= regexpCacheMax {
		clear(x.regexps)
	}
	x.regexps[strings.Clone(key)] = re
	return re, nil
}
