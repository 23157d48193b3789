package state

import (
	"sync/atomic"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// Snapshot is a table as it was when it was sealed. Any goroutine may read it
// while the table goes on. It is made with one holder; the last one to release it
// gives its pages up.
type Snapshot struct {
	*layout
	epoch   uint64
	version uint32
	groups  GroupRange
	rows    []page
	strings []arenaPage
	end     RowID
	live    int
	uploads *uploads
	ret     *retention
	holders atomic.Int32
}

// Seal ends an epoch: what was written before it is the snapshot's content.
// Row pointers and strings obtained before must not be used after it.
func (t *Table) Seal(epoch uint64) *Snapshot {
	t.Tidy()
	s := &Snapshot{layout: t.layout, epoch: epoch, version: t.version, groups: t.opt.Groups, end: t.end, live: t.live, uploads: t.uploads, ret: t.ret}
	s.rows = append([]page(nil), t.rows...)
	s.strings = append([]arenaPage(nil), t.strings.pages...)
	s.holders.Store(1)
	t.ret.hold(t.version)
	t.version++
	return s
}

// Epoch is the epoch that the snapshot was sealed for.
func (s *Snapshot) Epoch() uint64 { return s.epoch }

// Len is how many rows there are.
func (s *Snapshot) Len() int { return s.live }

// Schema is the table's schema.
func (s *Snapshot) Schema() graph.Table { return s.schema }

// Retain adds a holder. Whoever calls it is or speaks for a holder.
func (s *Snapshot) Retain() {
	invariant.Assert(s.holders.Add(1) > 1, "a snapshot was retained after its release")
}

// Release gives a hold up.
func (s *Snapshot) Release() {
	n := s.holders.Add(-1)
	invariant.Assert(n >= 0, "a snapshot was released too often")
	if n == 0 {
		s.ret.release(s.version)
	}
}

func (s *Snapshot) row(id RowID) unsafe.Pointer {
	return unsafe.Add(s.rows[id>>s.shift].base, uintptr(id&s.mask)*s.width)
}

// Rows appends at most room rows, from id from on, to rows[:0], and returns the id
// to go on from, which is NoRow after the last row.
func (s *Snapshot) Rows(from RowID, room int, rows []unsafe.Pointer) ([]unsafe.Pointer, RowID) {
	rows = rows[:0]
	for id := from; id < s.end; id++ {
		if row := s.row(id); isLive(row) {
			if len(rows) == room {
				return rows, id
			}
			rows = append(rows, row)
		}
	}
	return rows, NoRow
}

// ReadColumn fills out with column k (keys first) of state rows.
func (s *Snapshot) ReadColumn(k int, rows []unsafe.Pointer, out *batch.Column) {
	readColumn(&s.slots[k], s.strings, rows, out)
}

// Read fills out with at most room rows from id from on, and returns the id to go
// on from, NoRow after the last row. Column k of out is column columns[k] of the
// table, keys first.
func (s *Snapshot) Read(from RowID, room int, columns []int, out *batch.Batch) RowID {
	rows, next := s.Rows(from, room, make([]unsafe.Pointer, 0, min(room, s.live)))
	for k, c := range columns {
		s.ReadColumn(c, rows, out.Cols[k])
	}
	out.N, out.Sel, out.Ops = len(rows), nil, nil
	return next
}

// Phys is the layout of column k, keys first.
func (s *Snapshot) Phys(k int) types.Phys { return s.slots[k].phys }

// IsNull reports whether column k (keys first) of a row is null.
func (s *Snapshot) IsNull(row unsafe.Pointer, k int) bool { return s.slots[k].isNull(row) }
