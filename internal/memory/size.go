package memory

import (
	"math"
	"strconv"
	"strings"
)

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}, {"B", 1}}

// SizeForm says what ParseSize takes.
const SizeForm = "a size such as 500MB or 2GB, or bytes; 0 for none"

// ParseSize reads a number of bytes, with a unit or without.
func ParseSize(text string) (n int64, ok bool) {
	text = strings.TrimSpace(text)
	unit := int64(1)
	for _, u := range sizeUnits {
		if i := len(text) - len(u.name); i > 0 && strings.EqualFold(text[i:], u.name) {
			text, unit = strings.TrimSpace(text[:i]), u.bytes
			break
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < 0 || math.IsNaN(f) || f*float64(unit) >= math.MaxInt64/2 || strings.ContainsAny(text, "xXpP_") {
		return 0, false
	}
	return int64(f * float64(unit)), true
}

// Size is bytes for people.
func Size(n int64) string {
	for _, u := range sizeUnits {
		if n >= u.bytes && u.bytes > 1 {
			s := strconv.FormatFloat(float64(n)/float64(u.bytes), 'f', 1, 64)
			return strings.TrimSuffix(s, ".0") + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
