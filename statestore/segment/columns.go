package segment

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// A page of rows is packed column by column, as words of 8 bytes: 2 bytes, how
// many words a row has; then for each column of words a byte, how many bytes a
// value has, the smallest word as a signed number (8 bytes), and of each row what
// its word is more than that. Neighbours in a column are alike where those in a
// row are not: most words of state need one to three bytes. (Frame of reference:
// Goldstein, Ramakrishnan, Shaft, "Compressing Relations and Indexes", 1998.)
const (
	packedHeaderBytes = 2
	columnHeaderBytes = 9
	wordBytes         = 8
	rowWordsMax       = math.MaxUint16
)

var errPacked = errors.New("the packed columns of a page do not fit together")

// packable reports whether a page is rows of rowBytes bytes, whole words each.
func packable(page []byte, rowBytes int) bool {
	return rowBytes > 0 && rowBytes%wordBytes == 0 && rowBytes/wordBytes <= rowWordsMax && len(page) > 0 && len(page)%rowBytes == 0
}

// packedMax is how long a page is at most when it is packed, and the room that
// packing needs behind it.
func packedMax(page, words int) int {
	return packedHeaderBytes + words*columnHeaderBytes + page + wordBytes
}

// packColumns packs a page into dst, which has room for packedMax bytes, and
// returns the part that is used.
func packColumns(dst, page []byte, rowBytes int) []byte {
	words, rows := rowBytes/wordBytes, len(page)/rowBytes
	binary.LittleEndian.PutUint16(dst, uint16(words))
	at := packedHeaderBytes
	for column := range words {
		cells := page[column*wordBytes:]
		low, high := int64(math.MaxInt64), int64(math.MinInt64)
		for i := 0; i < len(cells); i += rowBytes {
			v := int64(binary.LittleEndian.Uint64(cells[i:]))
			low, high = min(low, v), max(high, v)
		}
		width := (bits.Len64(uint64(high)-uint64(low)) + 7) / 8
		dst[at] = byte(width)
		binary.LittleEndian.PutUint64(dst[at+1:], uint64(low))
		at += columnHeaderBytes
		if width == 0 {
			continue
		}
		// hot: what a value writes beyond its width, the next one overwrites.
		out := dst[at : at+rows*width+wordBytes]
		for i, o := 0, 0; i < len(cells); i, o = i+rowBytes, o+width {
			binary.LittleEndian.PutUint64(out[o:], binary.LittleEndian.Uint64(cells[i:])-uint64(low))
		}
		at += rows * width
	}
	return dst[:at]
}

// unpackColumns is the way back, into a page that has the length it had. packed
// has room for a word behind it.
func unpackColumns(page, packed []byte) error {
	if len(packed) < packedHeaderBytes || cap(packed)-len(packed) < wordBytes {
		return errPacked
	}
	words := int(binary.LittleEndian.Uint16(packed))
	rowBytes := words * wordBytes
	if !packable(page, rowBytes) {
		return errPacked
	}
	rows, at := len(page)/rowBytes, packedHeaderBytes
	for column := range words {
		if len(packed)-at < columnHeaderBytes {
			return errPacked
		}
		width, low := int(packed[at]), binary.LittleEndian.Uint64(packed[at+1:])
		at += columnHeaderBytes
		if width > wordBytes || len(packed)-at < rows*width {
			return errPacked
		}
		in := packed[at : at+rows*width+wordBytes]
		cells := page[column*wordBytes:]
		mask := ^uint64(0) >> (64 - 8*width) // 0 for none: a shift by 64 leaves nothing
		for i, o := 0, 0; i < len(cells); i, o = i+rowBytes, o+width {
			binary.LittleEndian.PutUint64(cells[i:], binary.LittleEndian.Uint64(in[o:])&mask+low)
		}
		at += rows * width
	}
	if at != len(packed) {
		return errPacked
	}
	return nil
}
