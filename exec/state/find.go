package state

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// FindOrInsert finds the rows that the key columns name, and makes those that are
// not there: zeros, with the key filled in. It handles the first n rows of the
// columns, or those that sel lists; ids and rows are indexed like the columns, and
// rows may be written until the next Seal. The numbers of the column rows that
// made a row are appended to fresh: each new row is told of once. Equal keys get
// one row; a null equals a null. In an unindexed table all keys are new.
func (t *Table) FindOrInsert(keys []*batch.Column, n int, sel []uint16, ids []RowID, rows []unsafe.Pointer, fresh []uint16) []uint16 {
	if sel == nil {
		sel = identity(n)
	}
	if t.schema.Unindexed {
		return t.appendRows(keys, n, sel, ids, rows, fresh)
	}
	if len(t.layout.strings) > 0 {
		t.collect(len(sel))
	}
	t.index.reserve(len(sel))
	if !t.byInt {
		return t.findHashed(keys, n, sel, ids, rows, fresh)
	}
	if t.index.clustered() {
		t.leaveBlocks()
	}
	c := keys[0]
	if !c.HasNulls {
		if t.index.blocks {
			return t.findBlocks(c.Int, sel, ids, rows, fresh)
		}
	}
	for _, i := range sel {
		var id RowID
		isNew := false
		if c.HasNulls && c.Nulls.Get(int(i)) {
			if id = t.nullRow; id == NoRow {
				id, isNew = t.makeNull(), true
			}
		} else if id, isNew = t.findInt(c.Int[i]); isNew {
			id = t.makeInt(c.Int[i])
		}
		if isNew {
			fresh = append(fresh, i)
		}
		ids[i], rows[i] = id, t.Write(id)
	}
	return fresh
}

// findBlocks is FindOrInsert for one integer key that is hashed in blocks.
// hot: most keys are found in their first slot, without a call.
func (t *Table) findBlocks(keys []int64, sel []uint16, ids []RowID, rows []unsafe.Pointer, fresh []uint16) []uint16 {
	base, blockShift, slotMask := t.index.base, 64+blockBits-t.index.bits, t.index.mask
	pages, shift, mask, width, version := t.rows, t.shift, t.mask, t.width, t.version
	off := t.slots[0].off
	for _, i := range sel {
		k := keys[i]
		h := uint64(k) >> blockBits * golden
		low := uint64(k) & (1<<blockBits - 1)
		s := *(*uint64)(unsafe.Add(base, uintptr((h>>blockShift<<blockBits|low)&slotMask)*8))
		if s>>32 == h>>38<<blockBits|low && s != 0 {
			id := RowID(s) - 1
			p := &pages[id>>shift]
			row := unsafe.Add(p.base, uintptr(id&mask)*width)
			if *(*int64)(unsafe.Add(row, off)) == k {
				if p.version != version {
					row = t.Write(id)
				}
				ids[i], rows[i] = id, row
				continue
			}
		}
		id, isNew := t.findInt(k)
		if isNew {
			id = t.makeInt(k)
			pages = t.rows
			fresh = append(fresh, i)
		}
		ids[i], rows[i] = id, t.Write(id)
	}
	return fresh
}

func (t *Table) intTag(k int64) uint64 {
	if t.index.blocks {
		return blockTag(k)
	}
	return hashInt(uint64(k)) >> 32
}

// findInt looks an integer key up; missing tells that it is not there.
func (t *Table) findInt(k int64) (id RowID, missing bool) {
	tag := t.intTag(k)
	off, step := t.slots[0].off, t.index.step()
	for j := t.index.home(tag); ; j += step {
		s := *t.index.at(j)
		if s == 0 {
			return NoRow, true
		}
		if s>>32 == tag {
			id := RowID(s) - 1
			if *(*int64)(unsafe.Add(t.Read(id), off)) == k {
				return id, false
			}
		}
	}
}

// makeInt makes the row of an integer key that is not there.
func (t *Table) makeInt(k int64) RowID {
	group := uint64(0)
	if t.schema.Local == 0 {
		group = hashInt(uint64(k)) % KeyGroups
	}
	id, row := t.alloc(group)
	*(*int64)(unsafe.Add(row, t.slots[0].off)) = k
	t.index.insert(t.intTag(k), id)
	return id
}

// makeNull makes the row of the null key of a table by one integer, which is not
// in the index.
func (t *Table) makeNull() RowID {
	group := uint64(0)
	if t.schema.Local == 0 {
		group = hashNull % KeyGroups
	}
	id, row := t.alloc(group)
	t.slots[0].setNull(row, true)
	t.nullRow = id
	return id
}

// leaveBlocks hashes each integer key from now on.
func (t *Table) leaveBlocks() {
	bits := t.index.bits
	t.index.close()
	t.index.blocks = false
	t.index.alloc(bits)
	t.indexRows(0)
}

// indexRows adds the live rows from id from on to the index, which has room.
func (t *Table) indexRows(from RowID) {
	for id := from; id < t.end; id++ {
		row := t.Read(id)
		if id&4095 == 4095 && t.index.clustered() {
			t.leaveBlocks() // which begins again
			return
		}
		switch {
		case !isLive(row):
		case t.byInt && t.slots[0].isNull(row):
			t.nullRow = id
		default:
			t.index.insert(t.rowTag(row), id)
		}
	}
}

// rowTag is the index's tag of a row.
func (t *Table) rowTag(row unsafe.Pointer) uint64 {
	if t.byInt {
		return t.intTag(*(*int64)(unsafe.Add(row, t.slots[0].off)))
	}
	return hashRow(t.layout, t.strings.pages, row, t.keys) >> 32
}

func (t *Table) unindex(id RowID, row unsafe.Pointer) {
	if id == t.nullRow {
		t.nullRow = NoRow
		return
	}
	t.index.remove(t.rowTag(row), id)
}

// findHashed is FindOrInsert for all other keys.
func (t *Table) findHashed(keys []*batch.Column, n int, sel []uint16, ids []RowID, rows []unsafe.Pointer, fresh []uint16) []uint16 {
	if cap(t.hashes) < n {
		t.hashes = make([]uint64, batch.Room(n))
	}
	hashes := t.hashes[:n]
	hashKeys(keys[:t.keys], t.loose, n, sel, hashes)
	if t.index.bits >= touchBits {
		t.touch(hashes, sel)
	}
	ints := t.intKeys(keys)
	for _, i := range sel {
		h := hashes[i]
		id, row := t.lookup(keys, int(i), h, ints)
		if id == NoRow {
			id, row = t.makeHashed(keys, int(i), h)
			fresh = append(fresh, i)
		} else if t.rows[id>>t.shift].version != t.version {
			row = t.Write(id)
		}
		ids[i], rows[i] = id, row
	}
	return fresh
}

// appendRows makes the rows of an unindexed table.
func (t *Table) appendRows(keys []*batch.Column, n int, sel []uint16, ids []RowID, rows []unsafe.Pointer, fresh []uint16) []uint16 {
	if cap(t.hashes) < n {
		t.hashes = make([]uint64, batch.Room(n))
	}
	hashes := t.hashes[:n]
	hashKeys(keys[:t.keys-t.schema.Local], t.loose, n, sel, hashes)
	t.Append(keys[:t.keys], hashes, sel, ids, rows)
	return append(fresh, sel...)
}

// touchBits is the size of an index from which on it and the rows are taken to be
// outside of the nearer caches.
const touchBits = 16

// touch brings the slots and rows that hashes lead to into the cache.
// hot: these loads do not depend on each other, so the processor waits for many at
// a time; in lookup each is followed by a branch that it cannot foresee.
func (t *Table) touch(hashes []uint64, sel []uint16) {
	if cap(t.slotsSeen) < len(sel) {
		t.slotsSeen = make([]uint64, batch.Room(len(sel)))
	}
	seen := t.slotsSeen[:len(sel)]
	base, shift := t.index.base, 64-t.index.bits
	for k, i := range sel {
		seen[k] = *(*uint64)(unsafe.Add(base, hashes[i]>>shift*8))
	}
	sum := uint64(0)
	for _, s := range seen {
		if id := RowID(s) - 1; id < t.end {
			sum += *header(t.Read(id))
		}
	}
	t.touched = sum // so that the loads are made
}

// intKeys reports whether all keys are integers and none is null in this batch.
func (t *Table) intKeys(keys []*batch.Column) bool {
	if t.keys > headerNullBits { // their nulls are not all in the header
		return false
	}
	for i := range t.keys {
		if t.slots[i].phys != types.PhysInt || keys[i].HasNulls {
			return false
		}
	}
	return true
}

// lookup finds the row of a key by its hash.
func (t *Table) lookup(keys []*batch.Column, i int, h uint64, ints bool) (RowID, unsafe.Pointer) {
	x := &t.index
	for j := h >> (64 - x.bits); ; j++ {
		s := *x.at(j)
		if s == 0 {
			return NoRow, nil
		}
		if s>>32 != h>>32 {
			continue
		}
		id := RowID(s) - 1
		row := unsafe.Add(t.rows[id>>t.shift].base, uintptr(id&t.mask)*t.width)
		if ints {
			if *header(row)&t.keyNulls == 0 && t.sameInts(row, keys[:t.keys], i) {
				return id, row
			}
		} else if t.sameKey(row, keys[:t.keys], i, t.schema.Exact) {
			return id, row
		}
	}
}

// sameInts compares the first keys, integers, which lie side by side.
func (t *Table) sameInts(row unsafe.Pointer, keys []*batch.Column, i int) bool {
	p := unsafe.Add(row, t.firstKey())
	for _, c := range keys {
		if *(*int64)(p) != c.Int[i] {
			return false
		}
		p = unsafe.Add(p, 8)
	}
	return true
}

func (t *Table) firstKey() uintptr {
	if t.keys == 0 {
		return 8
	}
	return t.slots[0].off
}

// makeHashed makes the row of a key that is not there; h is its hash.
func (t *Table) makeHashed(keys []*batch.Column, i int, h uint64) (RowID, unsafe.Pointer) {
	group := h
	if local := t.schema.Local; local > 0 {
		group = hashOne(keys[:t.keys-local], t.loose, i)
	}
	id, row := t.alloc(group % KeyGroups)
	for k, c := range keys[:t.keys] {
		t.setValue(row, k, c, i)
	}
	t.index.insert(h>>32, id)
	return id, row
}

// hashOne hashes one row as hashKeys does.
func hashOne(keys []*batch.Column, loose Loose, i int) uint64 {
	h := uint64(hashNone)
	for k, c := range keys {
		v := uint64(hashNull)
		if !c.IsNull(i) {
			v = hashAt(c, loose.of(k), i)
		}
		if k == 0 {
			h = v
		} else {
			h = combineHash(h, v)
		}
	}
	return h
}

// hashRow hashes the first n columns of a row as hashKeys would.
func hashRow(l *layout, strings []arenaPage, row unsafe.Pointer, n int) uint64 {
	h := uint64(hashNone)
	for k := range n {
		s := &l.slots[k]
		v := uint64(hashNull)
		if !s.isNull(row) {
			v = hashCell(s, l.loose.of(k), strings, row)
		}
		if k == 0 {
			h = v
		} else {
			h = combineHash(h, v)
		}
	}
	return h
}

// hashCell hashes a column of a row, which is not null, as hashAt would.
func hashCell(s *slot, loose *types.Type, strings []arenaPage, row unsafe.Pointer) uint64 {
	p := unsafe.Add(row, s.off)
	switch s.phys {
	case types.PhysFloat:
		return hashFloat(*(*float64)(p))
	case types.PhysDecimal:
		return hashDecimal(*(*types.Decimal)(p))
	case types.PhysBytes:
		b := viewBytes(strings, *(*batch.View)(p))
		if loose != nil {
			return hashLoose(loose, b)
		}
		return hashBytes(b)
	case types.PhysInterval:
		return hashInterval(*(*types.Interval)(p))
	case types.PhysUUID:
		return hashUUID((*[16]byte)(p))
	}
	return hashInt(*(*uint64)(p))
}

// sameKey compares a row's first keys with row i of the key columns: for
// equality, or if exact for being the same.
func (t *Table) sameKey(row unsafe.Pointer, keys []*batch.Column, i int, exact bool) bool {
	for k, c := range keys {
		s := &t.slots[k]
		if null := c.IsNull(i); null || s.isNull(row) {
			if null != s.isNull(row) {
				return false
			}
			continue
		}
		p := unsafe.Add(row, s.off)
		same := false
		switch s.phys {
		case types.PhysInt:
			same = *(*int64)(p) == c.Int[i]
		case types.PhysBool:
			same = *(*int64)(p) != 0 == c.Bool[i]
		case types.PhysFloat:
			f := *(*float64)(p)
			same = floatBits(f) == floatBits(c.Float[i]) && (!exact || f != 0 || math.Signbit(f) == math.Signbit(c.Float[i]))
		case types.PhysDecimal:
			d := *(*types.Decimal)(p)
			same = d == c.Dec[i] || !exact && d.Cmp(c.Dec[i]) == 0
		case types.PhysBytes:
			b := t.Bytes(*(*batch.View)(p))
			same = string(b) == c.Str(i) || !exact && t.loose.same(k, b, c.BytesAt(i))
		case types.PhysInterval:
			v := *(*types.Interval)(p)
			same = v == c.Interval[i] || !exact && sameInterval(v, c.Interval[i])
		case types.PhysUUID:
			same = *(*[16]byte)(p) == c.UUID[i]
		}
		if !same {
			return false
		}
	}
	return true
}

func sameInterval(a, b types.Interval) bool {
	ah, al := intervalSpan(a)
	bh, bl := intervalSpan(b)
	return ah == bh && al == bl
}

// Find is FindOrInsert without the insert: a key that is not there gets NoRow.
func (t *Table) Find(keys []*batch.Column, n int, sel []uint16, ids []RowID) {
	if sel == nil {
		sel = identity(n)
	}
	if t.byInt {
		for _, i := range sel {
			if keys[0].IsNull(int(i)) {
				ids[i] = t.nullRow
				continue
			}
			ids[i], _ = t.findInt(keys[0].Int[i])
		}
		return
	}
	if cap(t.hashes) < n {
		t.hashes = make([]uint64, batch.Room(n))
	}
	hashes := t.hashes[:n]
	hashKeys(keys[:t.keys], t.loose, n, sel, hashes)
	if t.index.bits >= touchBits {
		t.touch(hashes, sel)
	}
	ints := t.intKeys(keys)
	for _, i := range sel {
		ids[i], _ = t.lookup(keys, int(i), hashes[i], ints)
	}
}

// indexBits is the size of an index for n rows.
func indexBits(n int) uint { return max(indexBitsMin, uint(bits.Len(uint(2*n)))) }
