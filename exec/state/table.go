// Package state is the tables that operators keep: typed rows in pages outside
// the Go heap, found by key, sealed at barriers in microseconds, read by others
// while the operator goes on, written to checkpoints page by page and restored at
// any parallelism. It knows no operator, and no SQL beyond types.
//
// A table belongs to one goroutine. Sealing it gives a Snapshot, which any
// goroutine may read until it is released: a page that a snapshot may see is
// copied before it is written again.
package state

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// RowID names a row of a table until it is deleted. Ids are dense: freed ones
// are used again.
type RowID = uint32

// NoRow is what Find says of a key that is not there.
const NoRow RowID = 1<<32 - 1

// Options are what a table is made with.
type Options struct {
	// Slabs is where memory comes from; nil: a pool on the Go heap.
	Slabs *Slabs
	// Groups are the key groups that the table's task owns; the zero value means
	// all of them.
	Groups GroupRange
	// Extra are columns after the schema's that Schema does not tell of: what the
	// engine notes of rows. They are sealed, saved and restored like the others.
	Extra []graph.Column
	// PageBytes is the size of a page, 64 KB unless set: what is copied and
	// uploaded as one.
	PageBytes int
}

// pageBytesDefault is a compromise: smaller pages make checkpoints of scattered
// changes smaller, larger ones make seals and manifests shorter.
const pageBytesDefault = 64 << 10

// EnsureDefaults fills in what was left out.
func (o *Options) EnsureDefaults() {
	if o.Slabs == nil {
		o.Slabs = NewSlabs(SlabOptions{Heap: true})
	}
	if o.Groups == (GroupRange{}) {
		o.Groups = AllGroups
	}
	if o.PageBytes == 0 {
		o.PageBytes = pageBytesDefault
	}
}

// Table is the rows of one operator's state table in one task. A row is a
// pointer to fixed-width slots: those of the schema's key columns, then of its
// other columns, at Key and Column. Rows stay where they are until the next Seal.
type Table struct {
	*layout
	opt      Options
	declared graph.Table // the schema without Extra
	version  uint32      // what pages written now carry; a seal raises it
	ret      *retention
	index    index
	chains   *Chains // nil: none
	derived  []derived
	byInt    bool // the key is one integer
	rows     []page
	end      RowID // rows are [0, end), some of them free
	live     int
	free     RowID // the newest free row, which names the next one; NoRow: none
	nullRow  RowID // of a table by one integer: the row whose key is null
	strings  arena
	hashes   []uint64 // scratch
	// slotsSeen and touched are touch's.
	slotsSeen []uint64
	touched   uint64

	uploads    *uploads
	added      []int
	addedExtra []int
}

// NoString is a string slot without a value. It reads as an empty string, and is
// what a restore puts into string columns that are new or null.
var NoString = batch.View{Off: 1<<32 - 1}

// Added are the columns, not counting keys, that a restore found no state for:
// they are null and zero in all restored rows.
func (t *Table) Added() []int { return t.added }

// AddedExtra are those of Options.Extra of which the same is true.
func (t *Table) AddedExtra() []int { return t.addedExtra }

// NewTable makes an empty table.
func NewTable(schema graph.Table, opt Options) (*Table, error) {
	opt.EnsureDefaults()
	declared := schema
	schema.Columns = append(schema.Columns[:len(schema.Columns):len(schema.Columns)], opt.Extra...)
	l, err := newLayout(schema, opt.PageBytes)
	if err != nil {
		return nil, err
	}
	t := &Table{layout: l, opt: opt, declared: declared, version: 1, free: NoRow, nullRow: NoRow}
	t.ret, t.uploads = &retention{slabs: opt.Slabs}, &uploads{}
	t.byInt = l.keys == 1 && l.slots[0].phys == types.PhysInt
	t.index = newIndex(opt.Slabs, t.byInt)
	t.strings = newArena(t.ret)
	return t, nil
}

// Schema is what the table was made for.
func (t *Table) Schema() graph.Table { return t.declared }

// Extra is the number, keys first, of the extra column of that name; ok is false
// if there is none.
func (t *Table) Extra(name string) (column int, ok bool) {
	for i, c := range t.opt.Extra {
		if c.Name == name {
			return t.keys + len(t.declared.Columns) + i, true
		}
	}
	return 0, false
}

// Groups are the key groups that the table's task owns.
func (t *Table) Groups() GroupRange { return t.opt.Groups }

// Len is how many rows there are.
func (t *Table) Len() int { return t.live }

// End is one more than the largest row id in use.
func (t *Table) End() int { return int(t.end) }

// Size is how much memory the table takes, in bytes, with what is derived from it and
// without snapshots.
func (t *Table) Size() int64 {
	n := int64(8) << t.index.bits
	for _, d := range t.derived {
		n += d.size()
	}
	for i := range t.rows {
		n += int64(t.rows[i].size)
	}
	if t.chains != nil {
		n += t.chains.size()
	}
	return n + t.strings.size()
}

// Width is the size of a row in bytes, a multiple of 8. Rows hold no pointers:
// a copy of one's bytes can be read like the row, until the next Seal.
func (t *Table) Width() int { return int(t.width) }

// Key is where key column i lies in a row.
func (t *Table) Key(i int) uintptr { return t.slots[i].off }

// Column is where column i, not counting keys, lies in a row.
func (t *Table) Column(i int) uintptr { return t.slots[t.keys+i].off }

// Keys is how many key columns there are.
func (t *Table) Keys() int { return t.keys }

// Loose tells the keys whose equal values may have different bytes.
func (t *Table) Loose() Loose { return t.loose }

// Phys is the layout of column i, keys first.
func (t *Table) Phys(i int) types.Phys { return t.slots[i].phys }

// Type is the type of column i, keys first.
func (t *Table) Type(i int) types.Type {
	if i < t.keys {
		return t.schema.Keys[i].Type
	}
	return t.schema.Columns[i-t.keys].Type
}

// IsNull reports whether column i (keys first) of a row is null.
func (t *Table) IsNull(row unsafe.Pointer, i int) bool { return t.slots[i].isNull(row) }

// SetNull makes column i (keys first) of a row null or not null.
func (t *Table) SetNull(row unsafe.Pointer, i int, null bool) { t.slots[i].setNull(row, null) }

// Read returns a row that will only be read.
func (t *Table) Read(id RowID) unsafe.Pointer {
	return unsafe.Add(t.rows[id>>t.shift].base, uintptr(id&t.mask)*t.width)
}

// Write returns a row that may be written until the next Seal.
func (t *Table) Write(id RowID) unsafe.Pointer {
	p := &t.rows[id>>t.shift]
	if p.version != t.version {
		t.ret.own(p, t.version)
	}
	return unsafe.Add(p.base, uintptr(id&t.mask)*t.width)
}

// WriteRows fills rows with what Write gives for ids, for the first n or those
// that sel lists.
// hot: what Write looks up each time is looked up once.
func (t *Table) WriteRows(ids []RowID, n int, sel []uint16, rows []unsafe.Pointer) {
	pages, shift, mask, width, version := t.rows, t.shift, t.mask, t.width, t.version
	if sel == nil {
		rows = rows[:n]
		for i, id := range ids[:n] {
			p := &pages[id>>shift]
			if p.version != version {
				t.ret.own(p, version)
			}
			rows[i] = unsafe.Add(p.base, uintptr(id&mask)*width)
		}
		return
	}
	for _, i := range sel {
		id := ids[i]
		p := &pages[id>>shift]
		if p.version != version {
			t.ret.own(p, version)
		}
		rows[i] = unsafe.Add(p.base, uintptr(id&mask)*width)
	}
}

// Live reports whether id is a row: deleted ones are not.
func (t *Table) Live(id RowID) bool { return id < t.end && isLive(t.Read(id)) }

// Each calls fn for every row, in no particular order, until it fails. fn may
// delete the row.
func (t *Table) Each(fn func(id RowID, row unsafe.Pointer) error) error {
	for id := RowID(0); id < t.end; id++ {
		if row := t.Read(id); isLive(row) {
			if err := fn(id, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// Bytes returns what a string slot stands for. It is valid until the next Seal
// or Reset.
func (t *Table) Bytes(v batch.View) []byte { return viewBytes(t.strings.pages, v) }

// StoreBytes keeps a copy of p and returns what to put in a row's string slot. A
// string that no slot of a row holds is forgotten sooner or later; two slots must
// not share one.
func (t *Table) StoreBytes(p []byte) batch.View {
	t.strings.dropped = true // what the slot had
	return t.strings.store(p, t.version)
}

// alloc makes a row of zeros that is live and belongs to a key group.
func (t *Table) alloc(group uint64) (RowID, unsafe.Pointer) {
	id := t.free
	if id != NoRow {
		row := t.Write(id)
		t.free = *(*RowID)(unsafe.Add(row, 8))
		clear(unsafe.Slice((*byte)(row), t.width))
		*header(row) = group | headerLive
		t.live++
		return id, row
	}
	id = t.end
	if id&t.mask == 0 && int(id>>t.shift) == len(t.rows) {
		t.rows = append(t.rows, t.newPage())
	}
	t.end++
	row := t.Write(id)
	if t.schema.Unindexed {
		clear(unsafe.Slice((*byte)(row), t.width))
	}
	*header(row) = group | headerLive
	t.live++
	return id, row
}

// newPage is a page of zeros. Rows of unindexed tables are made many at a time and
// cleared then, when they are about to be written.
func (t *Table) newPage() page {
	get := t.opt.Slabs.getZeros
	if t.schema.Unindexed {
		get = t.opt.Slabs.get
	}
	return page{base: get(t.bytes), version: t.version, size: uint32(t.bytes)}
}

// Delete removes a row. Its id may be given to the next row that is made.
func (t *Table) Delete(id RowID) {
	row := t.Write(id)
	if !isLive(row) { // not asserted outright: the message's arguments would be allocated each time
		invariant.Assert(false, "row %d of table %q is deleted twice", id, t.schema.Name)
	}
	if !t.schema.Unindexed {
		t.unindex(id, row)
	}
	*header(row) = 0
	*(*RowID)(unsafe.Add(row, 8)) = t.free
	t.free = id
	t.live--
	t.strings.dropped = true
}

// Renew makes all columns of a row but its keys what they are in a new one.
func (t *Table) Renew(id RowID) unsafe.Pointer {
	row := t.Write(id)
	t.strings.dropped = true
	for i := t.keys; i < len(t.slots); i++ {
		s := &t.slots[i]
		s.setNull(row, false)
		clear(unsafe.Slice((*byte)(unsafe.Add(row, s.off)), s.phys.RowWidth()))
	}
	return row
}

// Reset removes all rows.
func (t *Table) Reset() {
	for i := range t.rows {
		if i > 0 || t.ret.newest.Load() >= t.rows[i].version {
			t.ret.retire(t.rows[i], t.version)
		}
	}
	keep := 0
	if len(t.rows) > 0 && t.ret.newest.Load() < t.rows[0].version {
		keep = 1
		t.rows[0].version = t.version
		clear(unsafe.Slice((*byte)(t.rows[0].base), min(uintptr(t.end), uintptr(t.mask)+1)*t.width))
	}
	clear(t.rows[keep:])
	t.rows = t.rows[:keep]
	t.strings.reset(t.version)
	t.index.clear()
	if t.chains != nil {
		t.chains.reset()
	}
	t.end, t.live, t.free, t.nullRow = 0, 0, NoRow, NoRow
}

// Close gives the table's memory back, except what snapshots still hold.
func (t *Table) Close() {
	t.version++
	for i := range t.rows {
		t.ret.retire(t.rows[i], t.version)
	}
	t.rows = nil
	t.strings.reset(t.version)
	t.index.close()
	if t.chains != nil {
		t.chains.close()
		t.chains = nil
	}
	for _, d := range t.derived {
		d.release()
	}
	t.derived = nil
	t.end, t.live = 0, 0
}
