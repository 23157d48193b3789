package eval

import (
	"unicode/utf8"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// count is argument i, which must be at least least, and otherwise without it.
func (x *row) count(i, least, otherwise int, name string) (int, error) {
	if i >= len(x.v) {
		return otherwise, nil
	}
	if n := x.int(i); n < int64(least) {
		return 0, pgerr.New(pgerr.InvalidParameterValue, "invalid value for parameter %q: %d", name, n)
	}
	return int(x.int(i)), nil
}

// nthMatch is the n-th match from start on, or one of its groups: the arguments
// are start, n at 2 and 3, then flags and subexpr from at on. It is none, with from
// negative, where there is no such match or group.
func (x *row) nthMatch(name string, at int) (from, to int, err error) {
	skip, err := x.from(2)
	if err != nil {
		return 0, 0, err
	}
	n, err := x.count(3, 1, 1, "n")
	if err != nil {
		return 0, 0, err
	}
	if err := x.notGlobal(name, at); err != nil {
		return 0, 0, err
	}
	group, err := x.count(at+1, 0, 0, "subexpr")
	if err != nil {
		return 0, 0, err
	}
	re, err := x.regexp(x.str(1), x.flags(at))
	if err != nil {
		return 0, 0, err
	}
	if group == 1 && re.NumSubexp() == 0 {
		group = 0 // as in PostgreSQL: a pattern without groups is one
	}
	all := re.All(x.str(0), skip, n)
	if len(all) < n || 2*group >= len(all[n-1]) || all[n-1][2*group] < 0 {
		return -1, -1, nil
	}
	m := all[n-1]
	return m[2*group], m[2*group+1], nil
}

// regexpInstr is regexp_instr(s, pattern[, start[, n[, endoption[, flags[, subexpr]]]]]).
func regexpInstr(x *row) (types.Value, error) {
	end := len(x.v) > 4 && x.int(4) == 1
	if len(x.v) > 4 && !end && x.int(4) != 0 {
		return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "invalid value for parameter %q: %d", "endoption", x.int(4))
	}
	from, to, err := x.nthMatch("regexp_instr", 5)
	if err != nil || from < 0 {
		return intValue(0), err
	}
	if end {
		from = to
	}
	return intValue(int64(utf8.RuneCountInString(x.str(0)[:from])) + 1), nil
}

// regexpSubstr is regexp_substr(s, pattern[, start[, n[, flags[, subexpr]]]]).
func regexpSubstr(x *row) (types.Value, error) {
	from, to, err := x.nthMatch("regexp_substr", 4)
	if err != nil || from < 0 {
		return types.NullValue, err
	}
	return strValue(x.str(0)[from:to]), nil
}
