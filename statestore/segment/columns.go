package segment

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"
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

// packedMax is how long a page is at most when it is packed.
func packedMax(page, words int) int {
	return packedHeaderBytes + words*columnHeaderBytes + page
}

// packing is how the columns of a page are packed. It may be used for one page after
// another.
type packing struct {
	columns []packedColumn
	bytes   int // of the packed page
}

type packedColumn struct {
	low, high int64
	width, at int // of a value; where the values begin
}

// blockRows is how many rows are read column by column at a time, so that they stay in
// the nearest cache.
func blockRows(rowBytes int) int { return max(8<<10/rowBytes, 1) }

// measure finds out how a page is packed.
func (p *packing) measure(page []byte, rowBytes int) {
	words, rows := rowBytes/wordBytes, len(page)/rowBytes
	p.columns = slices.Grow(p.columns[:0], words)[:words]
	for c := range p.columns {
		p.columns[c] = packedColumn{low: math.MaxInt64, high: math.MinInt64}
	}
	for step := blockRows(rowBytes) * rowBytes; len(page) > 0; page = page[min(step, len(page)):] {
		block := page[:min(step, len(page))]
		for c := range p.columns {
			low, high := p.columns[c].low, p.columns[c].high
			for i := c * wordBytes; i < len(block); i += rowBytes {
				v := int64(binary.LittleEndian.Uint64(block[i:]))
				low, high = min(low, v), max(high, v)
			}
			p.columns[c].low, p.columns[c].high = low, high
		}
	}
	p.bytes = packedHeaderBytes
	for c := range p.columns {
		col := &p.columns[c]
		col.width = (bits.Len64(uint64(col.high)-uint64(col.low)) + 7) / 8
		col.at = p.bytes + columnHeaderBytes
		p.bytes = col.at + rows*col.width
	}
}

// append packs the page that was measured behind dst.
// hot: what a value writes beyond its width, the next one overwrites, or the header of
// the next column, which is written last.
func (p *packing) append(dst, page []byte, rowBytes int) []byte {
	dst = grow(dst, p.bytes+wordBytes)
	out := dst[len(dst) : len(dst)+p.bytes+wordBytes]
	for step, done := blockRows(rowBytes), 0; len(page) > 0; done += step {
		block := page[:min(step*rowBytes, len(page))]
		page = page[len(block):]
		for c := range p.columns {
			width, low := p.columns[c].width, uint64(p.columns[c].low)
			if width == 0 {
				continue
			}
			to := out[p.columns[c].at+done*width:]
			for i, o := c*wordBytes, 0; i < len(block); i, o = i+rowBytes, o+width {
				binary.LittleEndian.PutUint64(to[o:], binary.LittleEndian.Uint64(block[i:])-low)
			}
		}
	}
	binary.LittleEndian.PutUint16(out, uint16(len(p.columns)))
	for _, c := range p.columns {
		header := out[c.at-columnHeaderBytes:]
		header[0] = byte(c.width)
		binary.LittleEndian.PutUint64(header[1:], uint64(c.low))
	}
	return dst[:len(dst)+p.bytes]
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
