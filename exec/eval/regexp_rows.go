package eval

import (
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
	"regexp_like":               regexpLike,
	"similar to":                func(x *row) (types.Value, error) { return similarTo(x, false) },
	"not similar to":            func(x *row) (types.Value, error) { return similarTo(x, true) },
	"similar_to_escape":         similarToEscape,
	"substring(text,text)":      func(x *row) (types.Value, error) { return regexpSubstring(x, x.str(0), x.str(1)) },
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

func regexpLike(x *row) (types.Value, error) {
	if err := x.notGlobal("regexp_like", 2); err != nil {
		return types.NullValue, err
	}
	return regexpTest(x, x.flags(2), false)
}

// notGlobal refuses flag g in the flags at i.
func (x *row) notGlobal(name string, i int) error {
	if strings.Contains(x.flags(i), "g") {
		return pgerr.New(pgerr.InvalidParameterValue, "%s() does not support the \"global\" option", name)
	}
	return nil
}

// regexpSubstring is the first group of the first match in s, or all of it.
func regexpSubstring(x *row, s, pattern string) (types.Value, error) {
	re, err := x.regexp(pattern, "")
	if err != nil {
		return types.NullValue, err
	}
	m := re.FindStringSubmatchIndex(s)
	if m == nil {
		return types.NullValue, nil
	}
	if len(m) > 2 {
		m = m[2:]
	}
	if m[0] < 0 {
		return types.NullValue, nil
	}
	return strValue(s[m[0]:m[1]]), nil
}

// regexpReplace is regexp_replace(s, pattern, with[, start[, n]][, flags]): it
// replaces the n-th match from start on, 0 for all. Without n that is the first, or
// all with flag g.
func regexpReplace(x *row) (types.Value, error) {
	if len(x.v) == 4 && x.typ(3).IsString() {
		flags := x.str(3)
		if flags != "" && flags[0] >= '0' && flags[0] <= '9' {
			return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "invalid regular expression option: %q", flags).
				Hint("If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.")
		}
		n := 1
		if strings.Contains(flags, "g") {
			n = 0
		}
		return x.replaceMatches(0, n, flags)
	}
	skip, err := x.from(3)
	if err != nil {
		return types.NullValue, err
	}
	n, err := x.count(4, 0, 1, "n")
	if err != nil {
		return types.NullValue, err
	}
	return x.replaceMatches(skip, n, x.flags(5))
}

func (x *row) replaceMatches(skip, n int, flags string) (types.Value, error) {
	re, err := x.regexp(x.str(1), flags)
	if err != nil {
		return types.NullValue, err
	}
	s, with := x.str(0), x.str(2)
	most := n
	if n == 0 {
		most = -1
	}
	all := re.All(s, skip, most)
	if n > 0 {
		all = all[min(n-1, len(all)):]
	}
	if len(all) == 0 {
		return strValue(s), nil
	}
	var b strings.Builder
	last := 0
	for _, m := range all {
		b.WriteString(s[last:m[0]])
		writeReplacement(&b, with, s, m)
		if b.Len() > stringBytesMax {
			return types.NullValue, errTooLong()
		}
		last = m[1]
	}
	b.WriteString(s[last:])
	return strValue(b.String()), nil
}

// writeReplacement writes what replaces a match: \1 and \& stand for groups and the
// match.
func writeReplacement(b *strings.Builder, with, s string, m []int) {
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

// from is where a start position argument points in the string, behind its end if
// there is no such place.
func (x *row) from(i int) (skip int, err error) {
	if i >= len(x.v) {
		return 0, nil
	}
	start := x.int(i)
	if start < 1 {
		return 0, pgerr.New(pgerr.InvalidParameterValue, "invalid value for parameter %q: %d", "start", start)
	}
	s := x.str(0)
	for at := range s {
		if start--; start == 0 {
			return at, nil
		}
	}
	return len(s) + int(start) - 1, nil
}

func regexpCount(x *row) (types.Value, error) {
	skip, err := x.from(2)
	if err != nil {
		return types.NullValue, err
	}
	if err := x.notGlobal("regexp_count", 3); err != nil {
		return types.NullValue, err
	}
	re, err := x.regexp(x.str(1), x.flags(3))
	if err != nil {
		return types.NullValue, err
	}
	return intValue(int64(len(re.All(x.str(0), skip, -1)))), nil
}

func regexpSplit(x *row) (types.Value, error) {
	if err := x.notGlobal("regexp_split_to_array", 2); err != nil {
		return types.NullValue, err
	}
	re, err := x.regexp(x.str(1), x.flags(2))
	if err != nil {
		return types.NullValue, err
	}
	var elems []types.Value
	for _, part := range re.Split(x.str(0)) {
		elems = append(elems, strValue(part))
	}
	return strValue(types.EncodeList(types.Of(types.Text), elems)), nil
}

// CompileRegexp compiles a regular expression of PostgreSQL with its flags.
func CompileRegexp(pattern, flags string) (*Regexp, error) {
	return compileRegexp(pattern, flags)
}
