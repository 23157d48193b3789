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

// tries reports whether the next page is to be compressed.
func (c *compressor) tries(plain []byte) bool {
	if c.skip == 0 || len(plain) < skipBytesMin {
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

// appendLiteral is the S2 form of bytes that are not compressed: their length, and one
// literal.
func appendLiteral(dst, plain []byte) []byte {
	const literal4 = 63 << 2 // its length less one follows in 4 bytes
	dst = grow(dst, s2.MaxEncodedLen(len(plain)))
	dst = binary.AppendUvarint(dst, uint64(len(plain)))
	dst = append(dst, literal4)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(plain)-1))
	return append(dst, plain...)
}
