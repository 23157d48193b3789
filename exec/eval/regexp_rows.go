package eval

import (
	"regexp"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

var regexpRows = map[string]rowFn{
	"~":                         func(x *row) (types.Value, error) { return regexpTest(x, "", false) },
	"~*":                        func(x *row) (types.Value, error) { return regexpTest(x, "i", false) },
	"!~":                        func(x *row) (types.Value, error) { return regexpTest(x, "", true) },
	"!~*":                       func(x *row) (types.Value, error) { return regexpTest(x, "i", true) },
	"regexp":                    func(x *row) (types.Value, error) { return regexpTest(x, "", false) },
	"regexp_like":               func(x *row) (types.Value, error) { return regexpTest(x, x.flags(2), false) },
	"similar to":                func(x *row) (types.Value, error) { return similarTo(x, false) },
	"not similar to":            func(x *row) (types.Value, error) { return similarTo(x, true) },
	"similar_to_escape":         similarToEscape,
	"substring(text,text)":      func(x *row) (types.Value, error) { return regexpSubstring(x, x.str(1)) },
	"substring(text,text,text)": substringSimilar,
	"regexp_replace":            regexpReplace,
	"regexp_match":              regexpMatch,
	"regexp_count":              regexpCount,
	"regexp_instr":              regexpInstr,
	"regexp_substr":             regexpSubstr,
	"regexp_split_to_array":     regexpSplit,
}

func (x *row) flags(i int) string {
	if i < len(x.v) {
		return x.str(i)
	}
	return ""
}

func regexpTest(x *row, flags string, not bool) (types.Value, error) {
	re, err := x.regexp(x.str(1), flags)
	if err != nil {
		return types.NullValue, err
	}
	return boolValue(re.MatchString(x.str(0)) != not), nil
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

func substringSimilar(x *row) (types.Value, error) {
	p, err := similarToRegexp(x.str(1), x.str(2))
	if err != nil {
		return types.NullValue, err
	}
	return regexpSubstring(x, strings.ReplaceAll(p, "){1,1}?(", ")("))
}

// regexpSubstring is the first group of the first match, or all of it.
func regexpSubstring(x *row, pattern string) (types.Value, error) {
	re, err := x.regexp(pattern, "")
	if err != nil {
		return types.NullValue, err
	}
	m := re.FindStringSubmatchIndex(x.str(0))
	if m == nil {
		return types.NullValue, nil
	}
	if len(m) > 2 {
		m = m[2:]
	}
	if m[0] < 0 {
		return types.NullValue, nil
	}
	return strValue(x.str(0)[m[0]:m[1]]), nil
}

// regexpReplace replaces the first match, or all with flag g; \1 and \& in the
// replacement stand for groups and the match.
func regexpReplace(x *row) (types.Value, error) {
	flags := x.flags(3)
	re, err := x.regexp(x.str(1), flags)
	if err != nil {
		return types.NullValue, err
	}
	s, with := x.str(0), x.str(2)
	n := 1
	if strings.Contains(flags, "g") {
		n = -1
	}
	var b strings.Builder
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(s, n) {
		b.WriteString(s[last:m[0]])
		for i := 0; i < len(with); i++ {
			if with[i] != '\\' || i+1 == len(with) {
				b.WriteByte(with[i])
				continue
			}
			i++
			switch c := with[i]; {
			case c == '&':
				b.WriteString(s[m[0]:m[1]])
			case c >= '1' && c <= '9':
				if g := int(c-'0') * 2; g < len(m) && m[g] >= 0 {
					b.WriteString(s[m[g]:m[g+1]])
				}
			case c == '\\':
				b.WriteByte('\\')
			default:
				b.WriteByte('\\')
				b.WriteByte(c)
			}
		}
		last = m[1]
	}
	return strValue(b.String() + s[last:]), nil
}

func regexpMatch(x *row) (types.Value, error) {
	flags := x.flags(2)
	if strings.Contains(flags, "g") {
		return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "regexp_match() does not support the \"global\" option").
			Hint("Use the regexp_matches function instead.")
	}
	re, err := x.regexp(x.str(1), flags)
	if err != nil {
		return types.NullValue, err
	}
	m := re.FindStringSubmatchIndex(x.str(0))
	if m == nil {
		return types.NullValue, nil
	}
	if len(m) > 2 {
		m = m[2:]
	}
	var elems []types.Value
	for i := 0; i < len(m); i += 2 {
		if m[i] < 0 {
			elems = append(elems, types.NullValue)
		} else {
			elems = append(elems, strValue(x.str(0)[m[i]:m[i+1]]))
		}
	}
	return strValue(types.EncodeList(types.Of(types.Text), elems)), nil
}

// from cuts the start of the string by a start position argument.
func (x *row) from(i int) (skip int, err error) {
	if i >= len(x.v) {
		return 0, nil
	}
	if x.int(i) < 1 {
		return 0, pgerr.New(pgerr.InvalidParameterValue, "invalid value for parameter %q: %d", "start", x.int(i))
	}
	return runeOffset(x.str(0), int(x.int(i)-1)), nil
}

func regexpCount(x *row) (types.Value, error) {
	re, err := x.regexp(x.str(1), x.flags(3))
	if err != nil {
		return types.NullValue, err
	}
	skip, err := x.from(2)
	if err != nil {
		return types.NullValue, err
	}
	return intValue(int64(len(re.FindAllStringIndex(x.str(0)[skip:], -1)))), nil
}

func regexpSplit(x *row) (types.Value, error) {
	re, err := x.regexp(x.str(1), x.flags(2))
	if err != nil {
		return types.NullValue, err
	}
	var elems []types.Value
	for _, part := range SplitRegexp(re, x.str(0)) {
		elems = append(elems, strValue(part))
	}
	return strValue(types.EncodeList(types.Of(types.Text), elems)), nil
}

// CompileRegexp compiles a regular expression of PostgreSQL with its flags.
func CompileRegexp(pattern, flags string) (*regexp.Regexp, error) {
	return compileRegexp(pattern, flags)
}

// SplitRegexp gives the parts of s between the matches, as PostgreSQL does: an empty
// match counts neither at the ends nor right behind another one.
func SplitRegexp(re *regexp.Regexp, s string) (parts []string) {
	last := 0
	for _, m := range re.FindAllStringIndex(s, -1) {
		if m[1] == 0 || m[0] == m[1] && (m[0] == last || m[0] >= len(s)) {
			continue
		}
		parts = append(parts, s[last:m[0]])
		last = m[1]
	}
	return append(parts, s[last:])
}
