package segment

import (
	"encoding/binary"

	"github.com/klauspost/compress/s2"
)

// skipPages is how many pages are not compressed after one that was not worth it, and
// skipBytesMin how long they are at least: short ones cost nothing.
const (
	skipPages    = 15
	skipBytesMin = 4 << 10
)

// compressor compresses pages of one kind, as long as that at least halves them.
// To compress a byte takes several times as long as to check it and write it, and most
// of it where there is little to gain, so that less does not pay.
type compressor struct{ skip int }

// tries reports whether the next page, of so many bytes, is to be compressed.
func (c *compressor) tries(n int) bool {
	if c.skip == 0 || n < skipBytesMin {
		return true
	}
	c.skip--
	return false
}

// append compresses a page behind dst.
func (c *compressor) append(dst, plain []byte) []byte {
	dst = grow(dst, s2.MaxEncodedLen(len(plain)))
	n := len(s2.Encode(dst[len(dst):cap(dst)], plain))
	if n > len(plain)/2 && len(plain) >= skipBytesMin {
		c.skip = skipPages
	}
	return dst[:len(dst)+n]
}

// appendLiteral begins the S2 form of n bytes that are not compressed, which are to
// follow: their length, and one literal.
func appendLiteral(dst []byte, n int) []byte {
	const literal4 = 63 << 2 // its length less one follows in 4 bytes
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = append(dst, literal4)
	return binary.LittleEndian.AppendUint32(dst, uint32(n-1))
}
