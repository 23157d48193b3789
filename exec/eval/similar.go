package eval

import (
	"regexp"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// similarToRegexp rewrites an SQL regular expression, as similar_to_escape does.
// A pair of escape-double-quote markers makes the middle a group.
func similarToRegexp(p, escape string) (string, error) {
	parts, err := similarParts(p, escape)
	if err != nil {
		return "", err
	}
	if len(parts) == 1 {
		return "^(?:" + parts[0] + ")$", nil
	}
	return "^(?:" + parts[0] + "){1,1}?(" + parts[1] + "){1,1}(?:" + parts[2] + ")$", nil
}

// similarParts translates the one or three parts of an SQL regular expression, which
// escape-double-quote markers divide. The third may be left out.
func similarParts(p, escape string) ([]string, error) {
	if len([]rune(escape)) > 1 {
		return nil, pgerr.New(pgerr.InvalidEscapeSequence, "invalid escape string").Hint("Escape string must be empty or one character.")
	}
	var parts []string
	var b strings.Builder
	class := false
	for i := 0; i < len(p); {
		if escape != "" && strings.HasPrefix(p[i:], escape) && (!class || escape != "^") {
			i += len(escape)
			if i == len(p) {
				break
			}
			if p[i] == '"' && !class {
				if len(parts) == 2 {
					return nil, pgerr.New(pgerr.InvalidUseOfEscapeCharacter, "SQL regular expression may not contain more than two escape-double-quote separators")
				}
				parts = append(parts, b.String())
				b.Reset()
			} else {
				b.WriteString(regexp.QuoteMeta(p[i : i+1]))
			}
			i++
			continue
		}
		switch c := p[i]; {
		case class:
			class = c != ']'
			if c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		case c == '[':
			class = true
			b.WriteByte(c)
		case c == '%':
			b.WriteString(".*")
		case c == '_':
			b.WriteByte('.')
		case c == '(':
			b.WriteString("(?:")
		case c == '\\' || c == '.' || c == '^' || c == '$':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
		i++
	}
	if parts = append(parts, b.String()); len(parts) == 2 {
		parts = append(parts, "")
	}
	return parts, nil
}

func similarTo(x *row, not bool) (types.Value, error) {
	escape := `\`
	if len(x.v) > 2 {
		escape = x.str(2)
	}
	p, err := similarToRegexp(x.str(1), escape)
	if err != nil {
		return types.NullValue, err
	}
	re, err := x.regexp(p, "")
	if err != nil {
		return types.NullValue, err
	}
	return boolValue(re.MatchString(x.str(0)) != not), nil
}

func similarToEscape(x *row) (types.Value, error) {
	escape := `\`
	if len(x.v) > 1 {
		escape = x.str(1)
	}
	s, err := similarToRegexp(x.str(0), escape)
	return strValue(s), err
}

// substringSimilar is substring(s SIMILAR p ESCAPE e). Where p has three parts, the
// first matches as little as it can, and then the second as much.
func substringSimilar(x *row) (types.Value, error) {
	parts, err := similarParts(x.str(1), x.str(2))
	if err != nil {
		return types.NullValue, err
	}
	if len(parts) == 1 {
		return regexpSubstring(x, x.str(0), "^(?:"+parts[0]+")$")
	}
	re, err := x.regexp("^("+lazy(parts[0])+")(?:"+parts[1]+")(?:"+parts[2]+")$", "")
	if err != nil {
		return types.NullValue, err
	}
	m := re.FindStringSubmatchIndex(x.str(0))
	if m == nil {
		return types.NullValue, nil
	}
	rest := x.str(0)[m[3]:]
	// The longest that the second part may match at all is what it takes, unless the
	// third needs some of it.
	middle, err := x.regexp("^(?:"+parts[1]+")", "")
	if err != nil {
		return types.NullValue, err
	}
	end, err := x.regexp("^(?:"+parts[2]+")$", "")
	if err != nil {
		return types.NullValue, err
	}
	if m := middle.FindStringSubmatchIndex(rest); m != nil && end.MatchString(rest[m[1]:]) {
		return strValue(rest[:m[1]]), nil
	}
	return regexpSubstring(x, rest, "^("+parts[1]+")(?:"+parts[2]+")$")
}

// lazy makes the quantifiers of a translated pattern take as little as they can.
func lazy(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		b.WriteByte(p[i])
		switch p[i] {
		case '\\':
			if i++; i < len(p) {
				b.WriteByte(p[i])
			}
		case '[':
			for i++; i < len(p) && p[i] != ']'; i++ {
				b.WriteByte(p[i])
			}
			i--
		case '(':
			if strings.HasPrefix(p[i:], "(?:") {
				b.WriteString("?:")
				i += len("?:")
			}
		case '*', '+', '?', '}':
			b.WriteByte('?')
			if strings.HasPrefix(p[i+1:], "?") {
				i++
			}
		}
	}
	return b.String()
}
