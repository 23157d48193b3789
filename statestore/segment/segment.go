// Package segment is the objects that hold the pages of state tables: compressed
// blocks one after the other, each with its checksum. It does not know what is in
// a page. docs/formats/segment.md has the format byte by byte.
package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Version is what this package writes.
const Version = 1

// HeaderBytes is how long the header of a segment is: "MRSG", the version, three
// zeros.
const HeaderBytes = 8

var magic = [HeaderBytes]byte{'M', 'R', 'S', 'G', Version, 0, 0, 0}

// A block is one byte that names the codec, the length of the page (4 bytes,
// little-endian), the payload, and the CRC-32C of all that (4 bytes).
const (
	blockHeaderBytes = 5
	blockBytesMin    = blockHeaderBytes + 4
	codecRaw         = 0
	codecZstd        = 1 // read, not written any more
	codecS2          = 2
	codecColumns     = 3 // S2 of packed columns
)

// ErrDamaged is what an error is when bytes are not what was written, or are
// gone.
var ErrDamaged = errors.New("state is damaged")

// newDecoder may be used by parallel goroutines at a time.
func newDecoder(parallel int) (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(parallel), zstd.WithDecoderMaxMemory(1<<31), zstd.WithDecoderLowmem(true))
}

// encoder makes blocks of pages, one at a time.
type encoder struct {
	packing      packing
	packed       []byte
	rows, others compressor // of pages of rows, and of others
}

// appendBlock encodes a page, rows of rowBytes bytes unless that is 0, behind dst,
// and returns the block's checksum.
func (e *encoder) appendBlock(dst, page []byte, rowBytes int) ([]byte, uint32) {
	start := len(dst)
	dst = append(dst, codecS2)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(page)))
	switch {
	case packable(page, rowBytes):
		dst[start] = codecColumns
		dst = e.appendPacked(dst, page, rowBytes)
	case e.others.tries(len(page)):
		dst = e.others.append(dst, page)
	default:
		dst = append(grow(dst, len(page)), page...)
		dst[start] = codecRaw
	}
	if dst[start] != codecRaw && len(dst)-start-blockHeaderBytes >= len(page)-len(page)/16 {
		dst[start] = codecRaw
		dst = append(dst[:start+blockHeaderBytes], page...)
	}
	sum := crc32.Checksum(dst[start:], castagnoli)
	return binary.LittleEndian.AppendUint32(dst, sum), sum
}

// appendPacked appends the S2 form of a page's packed columns.
func (e *encoder) appendPacked(dst, page []byte, rowBytes int) []byte {
	e.packing.measure(page, rowBytes)
	if !e.rows.tries(e.packing.bytes) {
		return e.packing.append(appendLiteral(dst, e.packing.bytes), page, rowBytes)
	}
	e.packed = e.packing.append(e.packed[:0], page, rowBytes)
	return e.rows.append(dst, e.packed)
}

// grow makes room for n more bytes: segments are large, so it at least doubles
// what there is.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(make([]byte, 0, max(2*cap(b), len(b)+n)), b...)
}

// decodeBlock writes the page of a block into page, which must have its length.
func decodeBlock(dec *zstd.Decoder, block, page []byte, sum uint32) error {
	if len(block) < blockBytesMin {
		return fmt.Errorf("a block of %d bytes is too short", len(block))
	}
	body := block[:len(block)-4]
	stored := binary.LittleEndian.Uint32(block[len(block)-4:])
	if got := crc32.Checksum(body, castagnoli); got != stored || got != sum {
		return fmt.Errorf("checksum %08x, stored %08x, expected %08x", got, stored, sum)
	}
	if n := binary.LittleEndian.Uint32(body[1:]); int(n) != len(page) {
		return fmt.Errorf("a page of %d bytes where one of %d is expected", n, len(page))
	}
	payload := body[blockHeaderBytes:]
	switch body[0] {
	case codecRaw:
		if len(payload) != len(page) {
			return fmt.Errorf("%d bytes of a page of %d", len(payload), len(page))
		}
		copy(page, payload)
	case codecZstd:
		var h zstd.Header
		if err := h.Decode(payload); err != nil {
			return err
		}
		if h.HasFCS && h.FrameContentSize != uint64(len(page)) {
			return fmt.Errorf("a page of %d bytes where one of %d is expected", h.FrameContentSize, len(page))
		}
		out, err := dec.DecodeAll(payload, page[:0:len(page)])
		if err != nil {
			return err
		}
		if len(out) != len(page) {
			return fmt.Errorf("a page of %d bytes where one of %d is expected", len(out), len(page))
		}
		if len(page) > 0 && &out[0] != &page[0] {
			copy(page, out)
		}
	case codecS2:
		return decodeS2(page, payload)
	case codecColumns:
		return decodeColumns(page, payload)
	default:
		return fmt.Errorf("unknown codec %d", body[0])
	}
	return nil
}

// decodeS2 decodes into page, whose length it must be.
func decodeS2(page, payload []byte) error {
	n, err := s2.DecodedLen(payload)
	if err != nil {
		return err
	}
	if n != len(page) {
		return fmt.Errorf("a page of %d bytes where one of %d is expected", n, len(page))
	}
	_, err = s2.Decode(page, payload)
	return err
}

// packedPages is memory for packed pages.
var packedPages = sync.Pool{New: func() any { return new([]byte) }}

func decodeColumns(page, payload []byte) error {
	n, err := s2.DecodedLen(payload)
	if err != nil {
		return err
	}
	if n > packedMax(len(page), len(page)/wordBytes) {
		return errPacked
	}
	packed := packedPages.Get().(*[]byte)
	defer packedPages.Put(packed)
	*packed = slices.Grow((*packed)[:0], n+wordBytes)[:n]
	if _, err := s2.Decode(*packed, payload); err != nil {
		return err
	}
	return unpackColumns(page, *packed)
}

// Check compares a whole object with what its manifest says of it.
func Check(name string, data []byte, size int64, sum uint32) error {
	if int64(len(data)) != size {
		return fmt.Errorf("%w: %s has %d bytes, not %d", ErrDamaged, name, len(data), size)
	}
	if got := crc32.Checksum(data, castagnoli); got != sum {
		return fmt.Errorf("%w: checksum of %s is %08x, not %08x", ErrDamaged, name, got, sum)
	}
	return nil
}

// Checksum is the checksum that Check compares.
func Checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }
