package state

import (
	"encoding/binary"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/types"
)

// appendRowsMax is how many rows are made at a time: they stay in the nearest cache
// while one column after the other is put into them.
const appendRowsMax = 128

// Append adds a row to an unindexed table for each row that sel lists. cols are
// the table's first columns, keys first; the columns after them are zero in the new
// rows. hashes are those of the keys that say which key group a row is in, as
// HashKeys makes them. ids and rows are filled by the numbers in sel, as
// FindOrInsert does it.
func (t *Table) Append(cols []*batch.Column, hashes []uint64, sel []uint16, ids []RowID, rows []unsafe.Pointer) {
	invariant.Assert(t.schema.Unindexed, "rows are appended to a table with an index")
	if len(t.layout.strings) > 0 {
		t.collect(len(sel))
	}
	for len(sel) > 0 {
		part := sel[:min(len(sel), appendRowsMax)]
		sel = sel[len(part):]
		t.makeRows(hashes, part, ids, rows)
		for k, c := range cols {
			t.fillColumn(k, rows, c, part)
		}
	}
}

// makeRows makes rows of zeros.
// hot: most come one after the other in a page that is the table's own.
func (t *Table) makeRows(hashes []uint64, sel []uint16, ids []RowID, rows []unsafe.Pointer) {
	for len(sel) > 0 {
		id, run := t.end, 1
		if t.free == NoRow && id&t.mask != 0 && t.rows[id>>t.shift].version == t.version {
			run = min(len(sel), int(t.mask+1-id&t.mask))
		}
		if run == 1 {
			i := sel[0]
			ids[i], rows[i] = t.alloc(hashes[i] % KeyGroups)
			sel = sel[1:]
			continue
		}
		first := unsafe.Add(t.rows[id>>t.shift].base, uintptr(id&t.mask)*t.width)
		clear(unsafe.Slice((*byte)(first), uintptr(run)*t.width))
		for k, i := range sel[:run] {
			row := unsafe.Add(first, uintptr(k)*t.width)
			*header(row) = hashes[i]%KeyGroups | headerLive
			ids[i], rows[i] = id+RowID(k), row
		}
		t.end, t.live, sel = id+RowID(run), t.live+run, sel[run:]
	}
}

// FillColumn is WriteColumn for rows that FindOrInsert has just made in an unindexed
// table, whose column k is not a key.
func (t *Table) FillColumn(k int, rows []unsafe.Pointer, c *batch.Column, sel []uint16) {
	if !t.schema.Unindexed || k < t.keys {
		invariant.Assert(false, "column %d of table %q is filled, which need not be empty", k, t.schema.Name)
	}
	t.fillColumn(k, rows, c, sel)
}

// fillColumn is WriteColumn for rows of zeros.
func (t *Table) fillColumn(k int, rows []unsafe.Pointer, c *batch.Column, sel []uint16) {
	s := &t.slots[k]
	switch {
	case c.HasNulls:
	case s.phys == types.PhysInt:
		off, ints := s.off, c.Int
		for _, i := range sel {
			*(*int64)(unsafe.Add(rows[i], off)) = ints[i]
		}
		return
	case s.phys == types.PhysBytes && k >= t.keys:
		c.LoadStrings(sel, 0)
		t.strings.storeAll(s.off, rows, c, sel, t.version)
		return
	}
	t.WriteColumn(k, rows, c, 0, sel)
}

// stride is how many bytes storeAll copies at a time.
const stride = 32

// storeAll stores the strings of the rows that sel lists and puts their places into
// state rows, at off. Rows for which the column has one and the same place share a
// copy.
// hot: it copies more than a string has, as long as there are bytes behind it, so that
// how many are copied is less often foreseen wrongly. What comes next lies over them.
func (a *arena) storeAll(off uintptr, rows []unsafe.Pointer, c *batch.Column, sel []uint16, version uint32) {
	src, size := unsafe.Pointer(unsafe.SliceData(c.Arena)), uint64(len(c.Arena))
	var base unsafe.Pointer
	at, end, number := uint32(0), uint32(0), uint32(0)
	var recent recentViews
	for _, i := range sel {
		v, slot := c.Views[i], (*batch.View)(unsafe.Add(rows[i], off))
		if v.Len == 0 {
			continue
		}
		known := recent.find(v)
		if known.from == v {
			*slot = known.to
			continue
		}
		reach := (v.Len + stride - 1) &^ (stride - 1)
		if at+reach > end || uint64(v.Off)+uint64(reach) > size || v.Len > arenaPageBytes/2 {
			if base != nil {
				a.pages[number].fill = at
			}
			*slot = a.store(c.BytesAt(int(i)), version)
			known.from, known.to = v, *slot
			if base = nil; a.last >= 0 {
				g := &a.pages[a.last]
				base, at, end, number = g.base, g.fill, g.size, uint32(a.last)
				g.written = version
			}
			continue
		}
		from, to := unsafe.Add(src, v.Off), unsafe.Add(base, at)
		for k := uint32(0); k < reach; k += stride {
			p, q := unsafe.Add(from, k), unsafe.Add(to, k)
			*(*[16]byte)(q) = *(*[16]byte)(p)
			*(*[16]byte)(unsafe.Add(q, 16)) = *(*[16]byte)(unsafe.Add(p, 16))
		}
		n := (v.Len + wordBytes - 1) &^ (wordBytes - 1)
		if rest := v.Len % wordBytes; rest != 0 { // what lies behind a string in its last word is zero
			last := unsafe.Slice((*byte)(unsafe.Add(to, n-wordBytes)), wordBytes)
			binary.LittleEndian.PutUint64(last, binary.LittleEndian.Uint64(last)&(1<<(8*rest)-1))
		}
		*slot = batch.View{Off: number<<arenaWordBits | at/wordBytes, Len: v.Len}
		known.from, known.to = v, *slot
		at += n
	}
	if base != nil {
		a.pages[number].fill = at
	}
}
