package state

import (
	"fmt"
	"unsafe"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// A state row begins with a header word: the key group in the low bits, a bit
// that tells a live row from a free one, and the null bits of the first columns.
// More null words follow if there are more columns; then the columns in order,
// each as wide as its layout, the keys first.
const (
	headerGroupMask = 1<<10 - 1
	headerLive      = 1 << 15
	headerNullShift = 16
	headerNullBits  = 64 - headerNullShift
)

// slot is where a column lies in a row.
type slot struct {
	phys     types.Phys
	off      uintptr
	nullOff  uintptr
	nullMask uint64
}

func (s *slot) isNull(row unsafe.Pointer) bool {
	return *(*uint64)(unsafe.Add(row, s.nullOff))&s.nullMask != 0
}

func (s *slot) setNull(row unsafe.Pointer, null bool) {
	w := (*uint64)(unsafe.Add(row, s.nullOff))
	if null {
		*w |= s.nullMask
	} else {
		*w &^= s.nullMask
	}
}

// layout is how a schema's rows lie in pages.
type layout struct {
	schema  graph.Table
	slots   []slot // the keys, then the columns
	loose   Loose  // of the keys
	strings []uintptr
	keys    int
	// keyStrings is how many of strings are keys: the first ones.
	keyStrings int
	width      uintptr
	keyNulls   uint64 // null bits of the keys in the header word
	shift      uint   // a page has 1<<shift rows
	mask       uint32
	bytes      int // of a page
}

// newLayout lays a schema out in pages of at most pageBytes, unless one row is
// wider.
func newLayout(schema graph.Table, pageBytes int) (*layout, error) {
	l := &layout{schema: schema, keys: len(schema.Keys), loose: looseColumns(schema.Keys)}
	n := len(schema.Keys) + len(schema.Columns)
	off := uintptr(8)
	if n > headerNullBits {
		off += uintptr(8 * ((n - headerNullBits + 63) / 64))
	}
	for i := range n {
		c := l.column(i)
		s := slot{phys: c.Type.Phys(), off: off, nullMask: 1 << (headerNullShift + i%64)}
		if s.phys == types.PhysNone {
			return nil, fmt.Errorf("state column %q has no layout: its type is %s", c.Name, c.Type)
		}
		if i >= headerNullBits {
			s.nullOff = uintptr(8 + 8*((i-headerNullBits)/64))
			s.nullMask = 1 << ((i - headerNullBits) % 64)
		}
		if i < l.keys && s.nullOff == 0 {
			l.keyNulls |= s.nullMask
		}
		if s.phys == types.PhysBytes {
			l.strings = append(l.strings, off)
			if i < l.keys {
				l.keyStrings++
			}
		}
		l.slots = append(l.slots, s)
		off += uintptr(s.phys.RowWidth())
	}
	l.width = max(off, 16)
	for l.width<<(l.shift+1) <= uintptr(pageBytes) {
		l.shift++
	}
	l.mask = 1<<l.shift - 1
	l.bytes = int(l.width << l.shift)
	return l, nil
}

// column is the schema's column i, keys first.
func (l *layout) column(i int) graph.Column {
	if i < len(l.schema.Keys) {
		return l.schema.Keys[i]
	}
	return l.schema.Columns[i-len(l.schema.Keys)]
}

func header(row unsafe.Pointer) *uint64 { return (*uint64)(row) }

func isLive(row unsafe.Pointer) bool { return *header(row)&headerLive != 0 }
