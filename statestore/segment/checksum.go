package segment

import (
	"encoding/binary"
	"hash/crc32"
)

// A checksum is a polynomial over GF(2) modulo that of CRC-32C, its highest power in
// the lowest bit. That of two pieces comes from theirs: the first one's, times x to
// the power of the bits that follow it, and the second one's.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// powers are x to the powers of 8, 16, 32 and so on.
var powers = func() (p [32]uint32) {
	p[0] = 1 << (31 - 8)
	for i := range p[1:] {
		p[i+1] = multiply(p[i], p[i])
	}
	return p
}()

// multiply is the product of two polynomials.
func multiply(a, b uint32) (p uint32) {
	for ; a != 0; a <<= 1 {
		p ^= b & -(a >> 31)
		b = b>>1 ^ crc32.Castagnoli&-(b&1)
	}
	return p
}

// joinChecksums is the checksum of two pieces, of those of each and the length of the
// second.
func joinChecksums(first, second uint32, length int) uint32 {
	for i := 0; length > 0; i, length = i+1, length>>1 {
		if length&1 != 0 {
			first = multiply(powers[i], first)
		}
	}
	return first ^ second
}

// blockChecksum is the checksum of a whole block: of all bytes that end in their own
// checksum it is the same.
var blockChecksum = crc32.Checksum(binary.LittleEndian.AppendUint32(nil, crc32.Checksum(nil, castagnoli)), castagnoli)
