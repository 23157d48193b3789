package eval

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// sizeBytes is pg_size_bytes(text): a number, and perhaps a unit.
func sizeBytes(x *row) (types.Value, error) {
	whole := x.str(0)
	s := strings.Trim(whole, " \t\n\r\f\v")
	n := 0
	if n < len(s) && (s[n] == '-' || s[n] == '+') {
		n++
	}
	digits := func() (any bool) {
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n, any = n+1, true
		}
		return any
	}
	have := digits()
	if n < len(s) && s[n] == '.' {
		n++
		have = digits() || have
	}
	if !have {
		return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "invalid size: \"%s\"", whole)
	}
	if rest := s[n:]; len(rest) > 1 && (rest[0] == 'e' || rest[0] == 'E') {
		at := n
		if n++; s[n] == '-' || s[n] == '+' {
			n++
		}
		if !digits() {
			n = at
		}
	}
	d, err := types.ParseDecimal(s[:n])
	if err != nil {
		return types.NullValue, err
	}
	unit := strings.Trim(s[n:], " \t\n\r\f\v")
	shift := int64(1)
	if unit != "" {
		at := -1
		for i, u := range []string{"bytes", "kb", "mb", "gb", "tb", "pb"} {
			if strings.EqualFold(u, unit) {
				at = i
			}
		}
		if at < 0 {
			return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "invalid size: \"%s\"", whole).
				WithDetail("Invalid size unit: \"%s\".", unit).
				Hint("Valid units are \"bytes\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".")
		}
		shift <<= 10 * at
	}
	if d, err = d.Mul(types.DecimalFromInt(shift)); err != nil {
		return types.NullValue, err
	}
	v, err := d.Int64("bigint")
	return intValue(v), err
}
