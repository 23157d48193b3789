package state

import (
	"context"
	"encoding/json"
	"fmt"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/statestore/segment"
	"github.com/millrace/millrace/types"
)

// RestoreOptions are what a restored table is made with.
type RestoreOptions struct {
	Options
	// Rename maps names of columns (not keys) to what they are called in the
	// checkpoint, where that differs.
	Rename map[string]string
	// Continue lets the next checkpoints refer to this one's segments: the table
	// goes on in the same store, where these will not be deleted meanwhile.
	Continue bool
}

// SchemaOf is the schema that a table of a checkpoint was written with.
func SchemaOf(m *manifest.Table) (graph.Table, error) {
	s := graph.Table{Name: m.Name, Local: m.Local}
	for _, c := range m.Columns {
		g := graph.Column{Name: c.Name}
		if err := json.Unmarshal(c.Type, &g.Type); err != nil {
			return s, fmt.Errorf("%w: type of state column %q: %w", segment.ErrDamaged, c.Name, err)
		}
		if g.Type.Phys() == types.PhysNone {
			return s, fmt.Errorf("%w: state column %q has no type", segment.ErrDamaged, c.Name)
		}
		if c.Key {
			s.Keys = append(s.Keys, g)
		} else {
			s.Columns = append(s.Columns, g)
		}
	}
	if m.Local < 0 || m.Local > len(s.Keys) {
		return s, fmt.Errorf("%w: table %q has impossible keys", segment.ErrDamaged, m.Name)
	}
	return s, nil
}

// Open reads one task's part of a table of a checkpoint, to be read and then
// released. slabs may be nil.
func Open(ctx context.Context, store object.Store, m *manifest.Table, slabs *Slabs) (*Snapshot, error) {
	schema, err := SchemaOf(m)
	if err != nil {
		return nil, err
	}
	l, err := newLayout(schema, m.RowBytes*m.RowsPerPage)
	if err != nil {
		return nil, err
	}
	if int(l.width) != m.RowBytes || int(l.mask)+1 != m.RowsPerPage {
		return nil, fmt.Errorf("%w: rows of table %q have %d bytes, not %d", segment.ErrDamaged, m.Name, m.RowBytes, l.width)
	}
	if slabs == nil {
		slabs = NewSlabs(SlabOptions{Heap: true})
	}
	s := &Snapshot{layout: l, version: 1, groups: GroupRange{m.Groups[0], m.Groups[1]}, end: m.End, uploads: &uploads{}, ret: &retention{slabs: slabs}}
	s.holders.Store(1)
	s.ret.hold(1)
	var wanted []segment.Request
	for _, p := range m.Pages {
		g := s.page(l.bytes, p.Bytes)
		s.rows = append(s.rows, g)
		wanted = append(wanted, segment.Request{Place: p, Into: g.bytes()[:p.Bytes]})
	}
	for _, p := range m.Strings {
		a := arenaPage{}
		if p.Bytes > 0 {
			a = arenaPage{page: s.page(max(arenaPageBytes, p.Bytes), p.Bytes), written: 1, fill: uint32(p.Bytes)}
			wanted = append(wanted, segment.Request{Place: p, Into: a.bytes()[:p.Bytes]})
		}
		s.strings = append(s.strings, a)
	}
	if err := segment.Fetch(ctx, store, m, wanted); err != nil {
		s.Release()
		return nil, fmt.Errorf("restore %s: %w", called(m.Name), err)
	}
	if err := s.inspect(m); err != nil {
		s.Release()
		return nil, err
	}
	return s, nil
}

// called is what messages call a table of an operator, whose main one has no name.
func called(name string) string {
	if name == "" {
		return "the main table"
	}
	return fmt.Sprintf("table %q", name)
}

// page makes a page that goes when the snapshot is released. What will not be
// filled is cleared.
func (s *Snapshot) page(size, filled int) page {
	p := page{base: s.ret.slabs.get(size), version: 1, size: uint32(size)}
	clear(p.bytes()[filled:])
	s.ret.retired = append(s.ret.retired, retiredPage{p.base, p.size, 1, 2})
	return p
}

// inspect counts the rows and refuses strings that lie outside of their pages.
func (s *Snapshot) inspect(m *manifest.Table) error {
	for id := RowID(0); id < s.end; id++ {
		row := s.row(id)
		if !isLive(row) {
			continue
		}
		s.live++
		for _, off := range s.layout.strings {
			v := *(*batch.View)(unsafe.Add(row, off))
			if v.Len > 0 && !s.holds(v) {
				return fmt.Errorf("%w: row %d of table %q refers to a string that is not there", segment.ErrDamaged, id, m.Name)
			}
		}
	}
	if int64(s.live) != m.Rows {
		return fmt.Errorf("%w: table %q has %d rows, not %d", segment.ErrDamaged, m.Name, s.live, m.Rows)
	}
	return nil
}

func (s *Snapshot) holds(v batch.View) bool {
	n := viewPage(v)
	at := int64(v.Off&(1<<arenaWordBits-1)) * wordBytes
	return n < len(s.strings) && at+int64(v.Len) <= int64(s.strings[n].fill)
}

// Restore makes a table from what the tasks of a checkpoint had of it: the rows
// whose key groups belong to it now. Keys must be as they were; other columns are
// matched by name and type: new ones are null (and zero), others are dropped.
// Errors that are segment.ErrDamaged name the object at fault.
func Restore(ctx context.Context, store object.Store, old []*manifest.Table, schema graph.Table, opt RestoreOptions) (*Table, error) {
	opt.EnsureDefaults()
	t, err := NewTable(schema, opt.Options)
	if err != nil {
		return nil, err
	}
	var parts []*manifest.Table
	for _, m := range old {
		if m.Groups[0] < opt.Groups.Hi && m.Groups[1] > opt.Groups.Lo || m.Local != schema.Local {
			parts = append(parts, m)
		}
	}
	for _, m := range parts {
		if err := t.restorePart(ctx, store, m, opt, len(parts) == 1); err != nil {
			t.Close()
			return nil, err
		}
	}
	t.reindex()
	return t, nil
}

func (t *Table) restorePart(ctx context.Context, store object.Store, m *manifest.Table, opt RestoreOptions, only bool) error {
	s, err := Open(ctx, store, m, opt.Slabs)
	if err != nil {
		return err
	}
	defer s.Release()
	inside := s.groups.Lo >= opt.Groups.Lo && s.groups.Hi <= opt.Groups.Hi && m.Local == t.schema.Local
	if only && inside && len(opt.Rename) == 0 && sameColumns(t.layout, s.layout) {
		t.adopt(s)
		if opt.Continue {
			t.uploads.version, t.uploads.table = 1, m
		}
		return nil
	}
	return t.copyFrom(s, opt.Rename)
}

// sameColumns reports whether rows of two layouts are interchangeable.
func sameColumns(a, b *layout) bool {
	if len(a.slots) != len(b.slots) || a.keys != b.keys || a.shift != b.shift {
		return false
	}
	for i := range a.slots {
		if ca, cb := a.column(i), b.column(i); ca.Name != cb.Name || !ca.Type.Equal(cb.Type) {
			return false
		}
	}
	return true
}

// adopt takes over a snapshot's pages as they are.
func (t *Table) adopt(s *Snapshot) {
	t.rows, t.strings.pages = s.rows, s.strings
	s.ret.mu.Lock()
	s.ret.retired = nil
	s.ret.mu.Unlock()
	for i := range t.strings.pages {
		p := &t.strings.pages[i]
		t.strings.used += int(p.size)
		if p.base == nil {
			t.strings.free = append(t.strings.free, i)
		}
	}
	t.strings.baseline, t.strings.dropped = t.strings.used, true
	t.end, t.live, t.version = s.end, s.live, 2
}

// copyFrom adds a snapshot's rows that belong here.
func (t *Table) copyFrom(s *Snapshot, rename map[string]string) error {
	from, err := t.match(s.layout, rename)
	if err != nil {
		return err
	}
	t.noteAdded(from)
	for id := RowID(0); id < s.end; id++ {
		old := s.row(id)
		if !isLive(old) {
			continue
		}
		group := *header(old) & headerGroupMask
		if s.schema.Local != t.schema.Local {
			group = hashRow(s.layout, s.strings, old, t.keys-t.schema.Local) % KeyGroups
		}
		if !t.opt.Groups.Has(int(group)) {
			continue
		}
		_, row := t.alloc(group)
		for i, k := range from {
			t.copySlot(row, &t.slots[i], old, k, s)
		}
	}
	return nil
}

func (t *Table) copySlot(row unsafe.Pointer, to *slot, old unsafe.Pointer, k int, s *Snapshot) {
	if k < 0 {
		to.setNull(row, true)
		if to.phys == types.PhysBytes {
			*(*batch.View)(unsafe.Add(row, to.off)) = NoString
		}
		return
	}
	at := &s.slots[k]
	if at.isNull(old) {
		to.setNull(row, true)
	}
	if v := (*batch.View)(unsafe.Add(old, at.off)); to.phys == types.PhysBytes && v.Len > 0 {
		if k < t.keys {
			*(*batch.View)(unsafe.Add(row, to.off)) = t.strings.storeShared(viewBytes(s.strings, *v), t.version)
		} else {
			*(*batch.View)(unsafe.Add(row, to.off)) = t.StoreBytes(viewBytes(s.strings, *v))
		}
		return
	}
	copyBytes(unsafe.Add(row, to.off), unsafe.Add(old, at.off), to.phys.RowWidth())
}

// match finds the columns of the table in an older layout: -1 for new ones.
func (t *Table) match(old *layout, rename map[string]string) ([]int, error) {
	if t.keys != old.keys {
		return nil, fmt.Errorf("restore %s: it had %d key columns and has %d now", called(t.schema.Name), old.keys, t.keys)
	}
	from := make([]int, len(t.slots))
	for i := range t.keys {
		if a, b := t.column(i), old.column(i); a.Type.Phys() != b.Type.Phys() || a.Type.Kind != b.Type.Kind {
			return nil, fmt.Errorf("restore %s: key column %q was %s and is %s now", called(t.schema.Name), a.Name, b.Type, a.Type)
		}
		from[i] = i
	}
	byName := map[string]int{}
	for i := old.keys; i < len(old.slots); i++ {
		byName[old.column(i).Name] = i
	}
	for i := t.keys; i < len(t.slots); i++ {
		c := t.column(i)
		name := c.Name
		if was, ok := rename[name]; ok {
			name = was
		}
		from[i] = -1
		if k, ok := byName[name]; ok && old.column(k).Type.Equal(c.Type) {
			from[i] = k
		}
	}
	return from, nil
}

func (t *Table) noteAdded(from []int) {
	t.added, t.addedExtra = t.added[:0], t.addedExtra[:0]
	declared := len(t.declared.Columns)
	for i, k := range from {
		switch c := i - t.keys; {
		case k >= 0:
		case c < declared:
			t.added = append(t.added, c)
		default:
			t.addedExtra = append(t.addedExtra, c-declared)
		}
	}
}

// reindex makes the index and the list of free rows from the rows.
func (t *Table) reindex() {
	if !t.schema.Unindexed {
		t.index.reserve(t.live)
		t.indexRows(0)
	}
	if t.live == int(t.end) {
		return
	}
	t.free = NoRow
	for id := t.end; id > 0; id-- {
		if row := t.Read(id - 1); !isLive(row) {
			*(*RowID)(unsafe.Add(row, 8)) = t.free // no change of what checkpoints hold
			t.free = id - 1
		}
	}
}
