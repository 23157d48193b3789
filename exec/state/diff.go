package state

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// Difference is what a reader of Old must do to have New: take away the rows Gone,
// replace each row Before by the row After of the same key, and add the rows
// Came. Gone and Before are rows of Old, Came and After of New, to be read with
// ReadColumn. Old or New is nil when nothing is to be read from it.
type Difference struct {
	Old, New      *Snapshot
	Gone, Came    []unsafe.Pointer
	Before, After []unsafe.Pointer
}

// Diff compares what tasks had of a table with what they have now. Snapshots of
// one running table cost no more than the pages that were written in between;
// after a restart, or at another parallelism, all rows are matched by key. The
// old snapshots must have been held ever since they were sealed.
func Diff(old, now []*Snapshot) []Difference {
	if !sameTables(old, now) {
		return diffByKey(old, now)
	}
	var out []Difference
	for i := range now {
		if d := diffPages(old[i], now[i]); !d.empty() {
			out = append(out, d)
		}
	}
	return out
}

func sameTables(old, now []*Snapshot) bool {
	if len(old) != len(now) {
		return false
	}
	for i := range old {
		if old[i].ret != now[i].ret {
			return false
		}
	}
	return true
}

func (d *Difference) empty() bool { return len(d.Gone)+len(d.Came)+len(d.Before) == 0 }

// diffPages compares row by row in the pages that are not shared. A row's place
// is its id, which another key may have taken over.
func diffPages(old, now *Snapshot) Difference {
	d := Difference{Old: old, New: now}
	for p := range max(len(old.rows), len(now.rows)) {
		if p < len(old.rows) && p < len(now.rows) && old.rows[p].base == now.rows[p].base {
			continue
		}
		for i := range uint32(1) << now.shift {
			id := uint32(p)<<now.shift + i
			was, is := old.liveRow(id), now.liveRow(id)
			switch {
			case was == nil && is == nil:
			case was == nil:
				d.Came = append(d.Came, is)
			case is == nil:
				d.Gone = append(d.Gone, was)
			case !equalColumns(old, was, now, is, 0, now.keys):
				d.Gone, d.Came = append(d.Gone, was), append(d.Came, is)
			case !equalColumns(old, was, now, is, now.keys, len(now.slots)):
				d.Before, d.After = append(d.Before, was), append(d.After, is)
			}
		}
	}
	return d
}

// liveRow is a row, nil when there is none of that id.
func (s *Snapshot) liveRow(id RowID) unsafe.Pointer {
	if id >= s.end || s.rows[id>>s.shift].base == nil {
		return nil
	}
	if row := s.row(id); isLive(row) {
		return row
	}
	return nil
}

// equalColumns compares the columns [from, to), keys first, of two rows of one
// schema.
func equalColumns(a *Snapshot, x unsafe.Pointer, b *Snapshot, y unsafe.Pointer, from, to int) bool {
	for k := from; k < to; k++ {
		s, r := &a.slots[k], &b.slots[k]
		if s.isNull(x) != r.isNull(y) {
			return false
		}
		if s.isNull(x) {
			continue
		}
		p, q := unsafe.Add(x, s.off), unsafe.Add(y, r.off)
		if s.phys == types.PhysBytes {
			if string(viewBytes(a.strings, *(*batch.View)(p))) != string(viewBytes(b.strings, *(*batch.View)(q))) {
				return false
			}
			continue
		}
		n := s.phys.RowWidth()
		if string(unsafe.Slice((*byte)(p), n)) != string(unsafe.Slice((*byte)(q), n)) {
			return false
		}
	}
	return true
}

// place is where a row is in one of several snapshots.
type place struct {
	part int
	row  unsafe.Pointer
}

// diffByKey matches rows by key through a scratch table.
func diffByKey(old, now []*Snapshot) []Difference {
	if len(old) == 0 {
		return came(now)
	}
	if len(now) == 0 {
		return gone(old)
	}
	keys := now[0].keys
	schema := graph.Table{Keys: now[0].schema.Keys, Exact: now[0].schema.Exact, Columns: []graph.Column{{Name: "place", Type: types.Of(types.Int64)}}}
	index, err := NewTable(schema, Options{})
	invariant.Assert(err == nil, "the keys of a table make no table: %v", err)
	defer index.Close()
	var places []place
	eachChunk(old, keys, func(part int, rows []unsafe.Pointer, cols []*batch.Column) {
		at := make([]unsafe.Pointer, len(rows))
		index.FindOrInsert(cols, len(rows), nil, make([]RowID, len(rows)), at, nil)
		for i, row := range rows {
			*(*int64)(unsafe.Add(at[i], index.Column(0))) = int64(len(places))
			places = append(places, place{part, row})
		}
	})
	diffs := map[[2]int]*Difference{} // old part, new part; -1 for none
	between := func(o, n int) *Difference {
		d := diffs[[2]int{o, n}]
		if d == nil {
			d = &Difference{}
			if o >= 0 {
				d.Old = old[o]
			}
			if n >= 0 {
				d.New = now[n]
			}
			diffs[[2]int{o, n}] = d
		}
		return d
	}
	seen := make([]bool, len(places))
	eachChunk(now, keys, func(part int, rows []unsafe.Pointer, cols []*batch.Column) {
		ids := make([]RowID, len(rows))
		index.Find(cols, len(rows), nil, ids)
		for i, row := range rows {
			if ids[i] == NoRow {
				d := between(-1, part)
				d.Came = append(d.Came, row)
				continue
			}
			n := *(*int64)(unsafe.Add(index.Read(ids[i]), index.Column(0)))
			seen[n] = true
			was := places[n]
			if s := old[was.part]; !equalColumns(s, was.row, now[part], row, keys, len(s.slots)) {
				d := between(was.part, part)
				d.Before, d.After = append(d.Before, was.row), append(d.After, row)
			}
		}
	})
	for n, was := range places {
		if !seen[n] {
			d := between(was.part, -1)
			d.Gone = append(d.Gone, was.row)
		}
	}
	return inOrder(diffs, len(old), len(now))
}

func inOrder(diffs map[[2]int]*Difference, old, now int) (out []Difference) {
	for o := -1; o < old; o++ {
		for n := -1; n < now; n++ {
			if d := diffs[[2]int{o, n}]; d != nil {
				out = append(out, *d)
			}
		}
	}
	return out
}

// eachChunk calls fn with some rows of a snapshot at a time and their keys.
func eachChunk(parts []*Snapshot, keys int, fn func(part int, rows []unsafe.Pointer, cols []*batch.Column)) {
	var rows []unsafe.Pointer
	for part, s := range parts {
		cols := make([]*batch.Column, keys)
		for k := range cols {
			cols[k] = batch.NewColumn(s.slots[k].phys, 0)
		}
		for from := RowID(0); from != NoRow; {
			rows, from = s.Rows(from, batch.RowsDefault, rows)
			for k := range cols {
				s.ReadColumn(k, rows, cols[k])
			}
			if len(rows) > 0 {
				fn(part, rows, cols)
			}
		}
	}
}

func came(now []*Snapshot) (out []Difference) {
	eachChunk(now, 0, func(part int, rows []unsafe.Pointer, _ []*batch.Column) {
		out = append(out, Difference{New: now[part], Came: append([]unsafe.Pointer(nil), rows...)})
	})
	return out
}

func gone(old []*Snapshot) (out []Difference) {
	eachChunk(old, 0, func(part int, rows []unsafe.Pointer, _ []*batch.Column) {
		out = append(out, Difference{Old: old[part], Gone: append([]unsafe.Pointer(nil), rows...)})
	})
	return out
}
