package manifest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// PageMap is the places of a table's pages, by page number. In JSON it is a
// packed string, since a large table has tens of thousands of pages:
// docs/formats/metadata.md has its layout.
type PageMap []Place

// Place is where a page is: Length bytes at Offset of the table's segment number
// Segment. Bytes is the page's size in memory; a page of no bytes is not there.
type Place struct {
	Segment  int
	Offset   int64
	Length   int
	Bytes    int
	Checksum uint32 // the block's own, CRC-32C
}

const (
	pageBytesMax = 1 << 30
	pageMapMax   = 1 << 26
)

// MarshalJSON packs the places.
func (m PageMap) MarshalJSON() ([]byte, error) {
	buf := make([]byte, 0, len(m)*12+8)
	buf = binary.AppendUvarint(buf, uint64(len(m)))
	next := int64(0)
	for _, p := range m {
		if p.Bytes == 0 {
			buf = append(buf, 0)
			continue
		}
		buf = binary.AppendUvarint(buf, uint64(p.Bytes))
		buf = binary.AppendUvarint(buf, uint64(p.Segment))
		buf = binary.AppendVarint(buf, p.Offset-next)
		buf = binary.AppendUvarint(buf, uint64(p.Length))
		buf = binary.LittleEndian.AppendUint32(buf, p.Checksum)
		next = p.Offset + int64(p.Length)
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(buf))
}

var errPageMap = errors.New("page map is damaged")

// UnmarshalJSON unpacks the places.
func (m *PageMap) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	buf, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return fmt.Errorf("page map: %w", err)
	}
	r := mapReader{buf: buf}
	n := r.uvarint(pageMapMax)
	if n > uint64(len(buf)) {
		return errPageMap
	}
	pages := make(PageMap, n)
	next := int64(0)
	for i := range pages {
		p := &pages[i]
		if p.Bytes = int(r.uvarint(pageBytesMax)); p.Bytes == 0 {
			continue
		}
		p.Segment = int(r.uvarint(1 << 30))
		p.Offset = next + r.varint()
		p.Length = int(r.uvarint(pageBytesMax))
		p.Checksum = r.uint32()
		if p.Offset < 0 || p.Offset > 1<<50 {
			return errPageMap
		}
		next = p.Offset + int64(p.Length)
	}
	if r.bad || len(r.buf) > 0 {
		return errPageMap
	}
	*m = pages
	return nil
}

// mapReader reads numbers until one is bad.
type mapReader struct {
	buf []byte
	bad bool
}

func (r *mapReader) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.buf)
	if n <= 0 || v > limit {
		r.bad, r.buf = true, nil
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

func (r *mapReader) varint() int64 {
	v, n := binary.Varint(r.buf)
	if n <= 0 {
		r.bad, r.buf = true, nil
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

func (r *mapReader) uint32() uint32 {
	if len(r.buf) < 4 {
		r.bad, r.buf = true, nil
		return 0
	}
	v := binary.LittleEndian.Uint32(r.buf)
	r.buf = r.buf[4:]
	return v
}
