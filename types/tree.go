package types

import (
	"strings"
	"unsafe"
)

// jsonNodeBytes is about what a value of a JSON document takes when it is read: the
// value, its key or place among others, and what a list has room for besides.
const jsonNodeBytes = int64(unsafe.Sizeof(JSON{})) + 48

// JSONTreeBytes is about what a JSON document takes when it is read, at the most.
func JSONTreeBytes(s string) int64 {
	values := strings.Count(s, ",") + strings.Count(s, "[") + strings.Count(s, "{") + 1
	return int64(len(s)) + int64(values)*jsonNodeBytes
}

// ArrayTreeBytes is about what an array in its text form takes when it is read.
func ArrayTreeBytes(text string) int64 {
	return int64(len(text)) + 2*int64(strings.Count(text, ",")+1)*int64(unsafe.Sizeof(Value{}))
}

// ListBytes is what an encoded array takes when it is decoded.
func ListBytes(s string) int64 {
	r := valueReader{s: s}
	n, total := r.uvarint(), int64(1)
	for range min(n, DimensionsMax) {
		total *= int64(min(r.uvarint(), uint64(len(s))))
		total = min(total, int64(len(s))) // DecodeArray takes no more
		r.uvarint()
	}
	return total * int64(unsafe.Sizeof(Value{}))
}
