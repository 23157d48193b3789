package types

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
)

// AppendInt appends an integer.
func AppendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

// AppendBool appends t or f, as the wire shows booleans.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 't')
	}
	return append(dst, 'f')
}

// AppendFloat appends the shortest text that reads back as the same float of so
// many bits, in PostgreSQL's form.
func AppendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	limit := 1e15
	if bits == 32 {
		limit = 1e6
	}
	if a := math.Abs(f); a == 0 || a >= 1e-4 && a < limit {
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
	if math.Abs(f) >= 1<<53 || bits == 32 && math.Abs(f) >= 1<<24 {
		for prec := digitsOf(dst[from:]); prec < 17 && halfway(f, string(dst[from:]), bits); prec++ {
			dst = strconv.AppendFloat(dst[:from], f, 'e', prec, bits)
		}
	}
	return dst
}

// digitsOf counts the digits before the exponent.
func digitsOf(b []byte) int {
	n := 0
	for _, c := range b {
		if c == 'e' {
			break
		}
		if c >= '0' && c <= '9' {
			n++
		}
	}
	return n
}

// halfway reports whether text lies exactly between f and its neighbour. Reading
// such a text relies on rounding to even, so PostgreSQL prints another digit.
func halfway(f float64, text string, bits int) bool {
	if math.Abs(f) > 1e40 {
		return false // such a text has more digits than a float
	}
	x, _, err := big.ParseFloat(text, 10, 256, big.ToNearestEven)
	if err != nil {
		return false
	}
	diff := new(big.Float).Sub(x, new(big.Float).SetPrec(256).SetFloat64(f))
	if diff.Sign() == 0 {
		return false
	}
	mant := 53
	if bits == 32 {
		mant = 24
	}
	_, exp := math.Frexp(f)
	half := new(big.Float).SetMantExp(big.NewFloat(1), exp-mant-1)
	return diff.Abs(diff).Cmp(half) == 0
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func trimSpace(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func errSyntax(k Kind, s string) error {
	return pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type %s: %q", k, s)
}

// IntRange gives the least and greatest value of an integer kind.
func IntRange(k Kind) (lo, hi int64) {
	switch k {
	case Int16:
		return math.MinInt16, math.MaxInt16
	case Int32:
		return math.MinInt32, math.MaxInt32
	case OID:
		return 0, math.MaxUint32
	}
	return math.MinInt64, math.MaxInt64
}

// ParseInt reads an integer of kind k.
func ParseInt(s string, k Kind) (int64, error) {
	t := trimSpace(s)
	v, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
			return 0, pgerr.New(pgerr.NumericValueOutOfRange, "value %q is out of range for type %s", s, k)
		}
		return 0, errSyntax(k, s)
	}
	if lo, hi := IntRange(k); v < lo || v > hi {
		if k == OID && v < 0 && v >= math.MinInt32 {
			return v & math.MaxUint32, nil
		}
		return 0, pgerr.New(pgerr.NumericValueOutOfRange, "value %q is out of range for type %s", s, k)
	}
	return v, nil
}

// ParseFloat reads a float of so many bits.
func ParseFloat(s string, bits int) (float64, error) {
	k := Float64
	if bits == 32 {
		k = Float32
	}
	t := trimSpace(s)
	switch strings.ToLower(strings.TrimLeft(t, "+-")) {
	case "nan":
		if len(t) > 3 {
			return 0, errSyntax(k, s)
		}
		return math.NaN(), nil
	case "infinity", "inf":
		if t[0] == '-' {
			return math.Inf(-1), nil
		}
		return math.Inf(1), nil
	}
	if strings.ContainsAny(t, "_xXpPnN") {
		return 0, errSyntax(k, s)
	}
	f, err := strconv.ParseFloat(t, bits)
	if err != nil {
		if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
			return 0, pgerr.New(pgerr.NumericValueOutOfRange, "%q is out of range for type %s", s, k)
		}
		return 0, errSyntax(k, s)
	}
	if f == 0 && strings.ContainsAny(mantissa(t), "123456789") {
		return 0, pgerr.New(pgerr.NumericValueOutOfRange, "%q is out of range for type %s", s, k)
	}
	return f, nil
}

func mantissa(s string) string {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		return s[:i]
	}
	return s
}

// ParseBool reads a boolean: true, yes, on, 1 and their unique prefixes.
func ParseBool(s string) (bool, error) {
	t := strings.ToLower(trimSpace(s))
	if t != "" {
		for _, w := range [...]string{"true", "yes", "1"} {
			if strings.HasPrefix(w, t) {
				return true, nil
			}
		}
		for _, w := range [...]string{"false", "no", "0"} {
			if strings.HasPrefix(w, t) {
				return false, nil
			}
		}
		switch t {
		case "on":
			return true, nil
		case "of", "off":
			return false, nil
		}
	}
	return false, errSyntax(Bool, s)
}

const hexDigits = "0123456789abcdef"

// AppendBytea appends bytes in hex form.
func AppendBytea(dst []byte, s string) []byte {
	dst = append(dst, '\\', 'x')
	for i := range len(s) {
		dst = append(dst, hexDigits[s[i]>>4], hexDigits[s[i]&15])
	}
	return dst
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// ParseBytea reads bytes in hex or escape form.
func ParseBytea(s string) (string, error) {
	if strings.HasPrefix(s, `\x`) {
		out := make([]byte, 0, len(s)/2)
		for i := 2; i < len(s); {
			if isSpace(s[i]) {
				i++
				continue
			}
			hi, ok := unhex(s[i])
			if !ok {
				return "", pgerr.New(pgerr.InvalidParameterValue, "invalid hexadecimal digit: %q", s[i:i+1])
			}
			if i+1 >= len(s) {
				return "", pgerr.New(pgerr.InvalidParameterValue, "invalid hexadecimal data: odd number of digits")
			}
			lo, ok := unhex(s[i+1])
			if !ok {
				return "", pgerr.New(pgerr.InvalidParameterValue, "invalid hexadecimal digit: %q", s[i+1:i+2])
			}
			out = append(out, hi<<4|lo)
			i += 2
		}
		return string(out), nil
	}
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		octal := func(j int, hi byte) bool { return s[j] >= '0' && s[j] <= hi }
		switch {
		case i+1 < len(s) && s[i+1] == '\\':
			out = append(out, '\\')
			i++
		case i+3 < len(s) && octal(i+1, '3') && octal(i+2, '7') && octal(i+3, '7'):
			out = append(out, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
		default:
			return "", pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type bytea")
		}
	}
	return string(out), nil
}

// AppendUUID appends a UUID.
func AppendUUID(dst []byte, u [16]byte) []byte {
	for i, b := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst
}

// ParseUUID reads a UUID: hex digits, with hyphens after any group of four,
// perhaps in braces.
func ParseUUID(s string) (u [16]byte, err error) {
	bad := func() ([16]byte, error) { return [16]byte{}, errSyntax(UUID, s) }
	t := s
	if strings.HasPrefix(t, "{") {
		if !strings.HasSuffix(t, "}") {
			return bad()
		}
		t = t[1 : len(t)-1]
	}
	n := 0
	for i := 0; i < len(t); i++ {
		if t[i] == '-' && n > 0 && n%4 == 0 && i > 0 && t[i-1] != '-' && n < 32 {
			continue
		}
		v, ok := unhex(t[i])
		if !ok || n >= 32 {
			return bad()
		}
		u[n/2] = u[n/2]<<4 | v
		n++
	}
	if n != 32 {
		return bad()
	}
	return u, nil
}
