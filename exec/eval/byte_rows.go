package eval

import (
	"math/bits"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// byteRows are functions of bytea that are not those of text.
var byteRows = map[string]rowFn{
	"get_bit": func(x *row) (types.Value, error) {
		s := x.str(0)
		n, err := x.bit(s)
		if err != nil {
			return types.NullValue, err
		}
		return intValue(int64(s[n/8] >> (n % 8) & 1)), nil
	},
	"set_bit":                              setBit,
	"bit_count":                            bitCount,
	"position(bytea,bytea)":                func(x *row) (types.Value, error) { return intValue(int64(strings.Index(x.str(0), x.str(1)) + 1)), nil },
	"overlay(bytea,bytea,integer)":         overlayBytes,
	"overlay(bytea,bytea,integer,integer)": overlayBytes,
	"btrim(bytea,bytea)":                   func(x *row) (types.Value, error) { return trimBytes(x, true, true), nil },
	"ltrim(bytea,bytea)":                   func(x *row) (types.Value, error) { return trimBytes(x, true, false), nil },
	"rtrim(bytea,bytea)":                   func(x *row) (types.Value, error) { return trimBytes(x, false, true), nil },
}

// bit is the place of a bit that the second argument names.
func (x *row) bit(s string) (int64, error) {
	n := x.int(1)
	if n < 0 || n >= 8*int64(len(s)) {
		return 0, pgerr.New(pgerr.ArraySubscriptError, "index %d out of valid range, 0..%d", n, 8*int64(len(s))-1)
	}
	return n, nil
}

func setBit(x *row) (types.Value, error) {
	n, err := x.bit(x.str(0))
	if err != nil {
		return types.NullValue, err
	}
	b := []byte(x.str(0))
	switch x.int(2) {
	case 0:
		b[n/8] &^= 1 << (n % 8)
	case 1:
		b[n/8] |= 1 << (n % 8)
	default:
		return types.NullValue, pgerr.New(pgerr.InvalidParameterValue, "new bit must be 0 or 1")
	}
	return strValue(string(b)), nil
}

func bitCount(x *row) (types.Value, error) {
	n := 0
	for _, c := range []byte(x.str(0)) {
		n += bits.OnesCount8(c)
	}
	return intValue(int64(n)), nil
}

func overlayBytes(x *row) (types.Value, error) {
	s, with, from := x.str(0), x.str(1), x.int(2)
	count := int64(len(with))
	if len(x.v) > 3 {
		count = x.int(3)
	}
	if from <= 0 {
		return types.NullValue, pgerr.New(pgerr.SubstringError, "negative substring length not allowed")
	}
	size := int64(len(s))
	lo := min(from-1, size)
	return strValue(s[:lo] + with + s[min(max(from-1+count, 0), size):]), nil
}

func trimBytes(x *row, left, right bool) types.Value {
	s, set := x.str(0), x.str(1)
	lo, hi := 0, len(s)
	for left && lo < hi && strings.IndexByte(set, s[lo]) >= 0 {
		lo++
	}
	for right && lo < hi && strings.IndexByte(set, s[hi-1]) >= 0 {
		hi--
	}
	return strValue(s[lo:hi])
}
