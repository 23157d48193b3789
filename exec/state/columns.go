package state

import (
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// setValue puts row i of c into a row's column k (keys first).
func (t *Table) setValue(row unsafe.Pointer, k int, c *batch.Column, i int) {
	s := &t.slots[k]
	if s.phys == types.PhysBytes {
		t.strings.dropped = true // what the slot had, or that of a key of no row
	}
	if c.IsNull(i) {
		s.setNull(row, true)
		clear(unsafe.Slice((*byte)(unsafe.Add(row, s.off)), s.phys.RowWidth()))
		return
	}
	s.setNull(row, false)
	p := unsafe.Add(row, s.off)
	switch s.phys {
	case types.PhysBool:
		v := int64(0)
		if c.Bool[i] {
			v = 1
		}
		*(*int64)(p) = v
	case types.PhysInt:
		*(*int64)(p) = c.Int[i]
	case types.PhysFloat:
		*(*float64)(p) = c.Float[i]
	case types.PhysDecimal:
		*(*types.Decimal)(p) = c.Dec[i]
	case types.PhysBytes:
		if k < t.keys {
			*(*batch.View)(p) = t.strings.storeShared(c.BytesAt(i), t.version)
		} else {
			t.replaceBytes((*batch.View)(p), c.BytesAt(i))
		}
	case types.PhysInterval:
		*(*types.Interval)(p) = c.Interval[i]
	case types.PhysUUID:
		*(*[16]byte)(p) = c.UUID[i]
	}
}

// replaceBytes stores v unless the slot has it already.
func (t *Table) replaceBytes(slot *batch.View, v []byte) {
	if string(t.Bytes(*slot)) != string(v) {
		*slot = t.StoreBytes(v)
	}
}

// WriteColumn puts a column's rows (the first n, or those that sel lists) into
// column k of state rows, keys first; rows is indexed like the column. Key columns
// of rows in the index may be written with equal values alone.
func (t *Table) WriteColumn(k int, rows []unsafe.Pointer, c *batch.Column, n int, sel []uint16) {
	if sel == nil {
		sel = identity(n)
	}
	if s := &t.slots[k]; s.phys == types.PhysInt && !c.HasNulls {
		off, nulls, mask := s.off, s.nullOff, s.nullMask
		for _, i := range sel {
			*(*uint64)(unsafe.Add(rows[i], nulls)) &^= mask
			*(*int64)(unsafe.Add(rows[i], off)) = c.Int[i]
		}
		return
	}
	if c.Phys == types.PhysBytes {
		c.LoadStrings(sel, n)
		if k >= t.keys && !c.HasNulls {
			t.writeStrings(&t.slots[k], rows, c, sel)
			return
		}
	}
	for _, i := range sel {
		t.setValue(rows[i], k, c, int(i))
	}
}

// writeStrings is WriteColumn for strings that are neither keys nor null.
// hot: a string of another length is another string, which needs no comparison.
func (t *Table) writeStrings(s *slot, rows []unsafe.Pointer, c *batch.Column, sel []uint16) {
	off, nulls, mask := s.off, s.nullOff, s.nullMask
	for _, i := range sel {
		row := rows[i]
		*(*uint64)(unsafe.Add(row, nulls)) &^= mask
		v, at := c.BytesAt(int(i)), (*batch.View)(unsafe.Add(row, off))
		if int(at.Len) != len(v) || string(t.Bytes(*at)) != string(v) {
			t.strings.dropped = t.strings.dropped || at.Len > 0
			*at = t.strings.store(v, t.version)
		}
	}
}

// ReadColumn fills out with column k (keys first) of state rows.
func (t *Table) ReadColumn(k int, rows []unsafe.Pointer, out *batch.Column) {
	readColumn(&t.slots[k], t.strings.pages, rows, out)
}

func readColumn(s *slot, strings []arenaPage, rows []unsafe.Pointer, out *batch.Column) {
	readNulls(s, rows, out)
	if s.phys == types.PhysBytes {
		readStrings(s.off, strings, rows, out)
		return
	}
	readValues(s, rows, out)
}

// readValues is readColumn for all but strings, when it is known which are null.
func readValues(s *slot, rows []unsafe.Pointer, out *batch.Column) {
	switch s.phys {
	case types.PhysBool:
		for i, r := range rows {
			out.Bool[i] = *(*int64)(unsafe.Add(r, s.off)) != 0
		}
	case types.PhysInt:
		for i, r := range rows {
			out.Int[i] = *(*int64)(unsafe.Add(r, s.off))
		}
	case types.PhysFloat:
		for i, r := range rows {
			out.Float[i] = *(*float64)(unsafe.Add(r, s.off))
		}
	case types.PhysDecimal:
		for i, r := range rows {
			out.Dec[i] = *(*types.Decimal)(unsafe.Add(r, s.off))
		}
	case types.PhysInterval:
		for i, r := range rows {
			out.Interval[i] = *(*types.Interval)(unsafe.Add(r, s.off))
		}
	case types.PhysUUID:
		for i, r := range rows {
			out.UUID[i] = *(*[16]byte)(unsafe.Add(r, s.off))
		}
	}
}

// ReadColumns fills out with columns (keys first) of state rows, some of which may
// be the same: first has, for each, the number of the first one like it. Strings of
// like rows share a place.
// hot: rows are brought into the cache together, and most have no nulls.
func (t *Table) ReadColumns(columns []int, rows []unsafe.Pointer, first []uint16, out []*batch.Column) {
	nulls := uint64(0)
	for _, r := range rows {
		nulls |= *header(r)
	}
	for i, k := range columns {
		s := &t.slots[k]
		if s.nullOff == 0 && nulls&s.nullMask == 0 {
			out[i].HasNulls = false
			out[i].Resize(len(rows))
		} else {
			readNulls(s, rows, out[i])
		}
		if s.phys == types.PhysBytes {
			readAlike(s.off, t.strings.pages, rows, first, out[i])
		} else {
			readValues(s, rows, out[i])
		}
	}
}

// readNulls makes room in out for the rows and fills in which are null.
func readNulls(s *slot, rows []unsafe.Pointer, out *batch.Column) {
	out.HasNulls = false
	out.Resize(len(rows))
	for i, r := range rows {
		if s.isNull(r) {
			out.SetNull(i, len(rows))
		}
	}
}

// readAlike is readStrings for rows some of which are the same.
func readAlike(off uintptr, strings []arenaPage, rows []unsafe.Pointer, first []uint16, out *batch.Column) {
	size, sum := 0, byte(0)
	for i, r := range rows {
		if p := viewBytes(strings, *(*batch.View)(unsafe.Add(r, off))); int(first[i]) == i && len(p) > 0 {
			size += len(p)
			sum |= p[0] | p[len(p)-1]
		}
	}
	batch.Loaded(sum)
	arena, views := slices.Grow(out.Arena[:0], size), out.Views
	for i, r := range rows {
		if f := int(first[i]); f != i {
			views[i] = views[f]
			continue
		}
		p := viewBytes(strings, *(*batch.View)(unsafe.Add(r, off)))
		views[i] = batch.View{Off: uint32(len(arena)), Len: uint32(len(p))}
		arena = append(arena, p...)
	}
	out.Arena = arena
}

// readStrings is readColumn for strings. Rows that share a string, most of all those
// that are one and the same row, as in a join's output, have one copy of it.
// hot: how much there is to copy is summed up first, which brings the strings into
// the cache, as batch.Column.LoadStrings does.
func readStrings(off uintptr, strings []arenaPage, rows []unsafe.Pointer, out *batch.Column) {
	size, sum := 0, byte(0)
	for _, r := range rows {
		if p := viewBytes(strings, *(*batch.View)(unsafe.Add(r, off))); len(p) > 0 {
			size += len(p)
			sum |= p[0] | p[len(p)-1]
		}
	}
	batch.Loaded(sum)
	arena := slices.Grow(out.Arena[:0], size)
	var recent recentViews
	for i, r := range rows {
		v := *(*batch.View)(unsafe.Add(r, off))
		at := recent.find(v)
		if at.from != v {
			p := viewBytes(strings, v)
			at.from, at.to = v, batch.View{Off: uint32(len(arena)), Len: uint32(len(p))}
			arena = append(arena, p...)
		}
		out.Views[i] = at.to
	}
	out.Arena = arena
}

// recentViews is where strings have gone that were copied lately.
type recentViews [64]struct{ from, to batch.View }

// find is where a string's place would be told.
func (r *recentViews) find(v batch.View) *struct{ from, to batch.View } {
	return &r[v.Off*0x9e3779b1>>26]
}
