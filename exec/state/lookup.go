package state

import (
	"bytes"
	"slices"
	"sync"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/ordered"
	"github.com/millrace/millrace/types"
)

// lookupChunk is how many entries are read under one lock: the publisher of an epoch
// waits no longer.
const lookupChunk = 512

// Place is where a row is: its id in one of several snapshots.
type Place struct {
	Part uint32
	ID   RowID
}

// LookupColumn is a column of a state table, keys first, and how it is ordered.
type LookupColumn struct {
	Column int
	types.Ordered
}

// Lookup finds rows of sealed tables by the order of some columns. It goes from
// generation to generation of the snapshots and serves readers of the last two, and
// of the next one while it is being brought forward: it has every row of these, and
// a scan leaves out what its own snapshots have not. One goroutine at a time may
// Advance; any may Scan.
type Lookup struct {
	columns []LookupColumn

	mu     sync.RWMutex
	oldest uint64 // generation
	tree   *ordered.Tree
	// stale are the entries that the last generation has not, fresh those that came with
	// it; Advance's alone.
	stale, fresh ordered.Batch
}

func (p Place) number() uint64 { return uint64(p.Part)<<32 | uint64(p.ID) }

func placeOf(n uint64) Place { return Place{uint32(n >> 32), RowID(n)} }

// NewLookup indexes columns of the snapshots of a generation.
func NewLookup(columns []LookupColumn, now []*Snapshot, generation uint64) *Lookup {
	x := &Lookup{columns: columns, oldest: generation, tree: &ordered.Tree{}}
	var b ordered.Batch
	var key []byte
	for part, s := range now {
		for id := RowID(0); id < s.end; id++ {
			if row := s.liveRow(id); row != nil {
				key = x.appendKey(key[:0], s, row)
				b.Add(key, Place{uint32(part), id}.number())
			}
		}
	}
	b.Insert(x.tree, func(some func()) { some() })
	return x
}

// Advance brings the lookup forward from the snapshots of a generation, its last,
// to those of the next. It returns false, and the lookup must be made anew, when
// they are not of the same running tables. It costs no more than the pages that
// were written in between.
func (x *Lookup) Advance(old, now []*Snapshot, generation uint64) bool {
	if !sameTables(old, now) {
		return false
	}
	x.mu.Lock()
	x.oldest = generation
	x.mu.Unlock()
	x.stale.Delete(x.tree, x.locked)
	x.stale.Reset()
	x.fresh.Reset()
	for i := range now {
		x.advancePages(uint32(i), old[i], now[i])
	}
	x.fresh.Insert(x.tree, x.locked)
	return true
}

// Changed is how many entries the last generation brought; Advance's alone.
func (x *Lookup) Changed() int { return x.fresh.Len() }

// Len is how many entries the last generation has; Advance's alone.
func (x *Lookup) Len() int { return x.tree.Len() - x.stale.Len() }

// locked changes some entries: readers wait no longer than that takes.
func (x *Lookup) locked(some func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	some()
}

// advancePages compares the pages that are not shared, appends what came to
// x.fresh and what went to x.stale.
func (x *Lookup) advancePages(part uint32, old, now *Snapshot) {
	var was, is []byte
	for p := range max(len(old.rows), len(now.rows)) {
		if p < len(old.rows) && p < len(now.rows) && old.rows[p].base == now.rows[p].base {
			continue
		}
		for i := range uint32(1) << now.shift {
			id := uint32(p)<<now.shift + i
			before, after := old.liveRow(id), now.liveRow(id)
			was, is = was[:0], is[:0]
			if before != nil {
				was = x.appendKey(was, old, before)
			}
			if after != nil {
				is = x.appendKey(is, now, after)
			}
			if (before != nil) == (after != nil) && bytes.Equal(was, is) {
				continue
			}
			if before != nil {
				x.stale.Add(was, Place{part, id}.number())
			}
			if after != nil {
				x.fresh.Add(is, Place{part, id}.number())
			}
		}
	}
}

// appendKey appends the key of a row.
func (x *Lookup) appendKey(dst []byte, s *Snapshot, row unsafe.Pointer) []byte {
	for i := range x.columns {
		o, c := x.columns[i].Ordered, &s.slots[x.columns[i].Column]
		if c.isNull(row) {
			dst = o.AppendNull(dst)
			continue
		}
		p := unsafe.Add(row, c.off)
		switch c.phys {
		case types.PhysBool:
			dst = o.AppendBool(dst, *(*uint64)(p) != 0)
		case types.PhysFloat:
			dst = o.AppendFloat(dst, *(*float64)(p))
		case types.PhysDecimal:
			dst = o.AppendDecimal(dst, *(*types.Decimal)(p))
		case types.PhysBytes:
			dst = o.AppendBytes(dst, viewBytes(s.strings, *(*batch.View)(p)))
		case types.PhysInterval:
			dst = o.AppendInterval(dst, *(*types.Interval)(p))
		case types.PhysUUID:
			dst = o.AppendUUID(dst, (*[16]byte)(p))
		default:
			dst = o.AppendInt(dst, *(*int64)(p))
		}
	}
	return dst
}

// LookupRange is the keys from Low, nil for the first, up to and without High, nil
// for the end.
type LookupRange struct{ Low, High []byte }

// LookupScan gives the rows of snapshots that are in ranges, in the order of the
// ranges and of the keys in each, or in the reverse order.
type LookupScan struct {
	x          *Lookup
	parts      []*Snapshot
	generation uint64
	ranges     []LookupRange
	reverse    bool

	begun bool
	last  []byte // the key read last in the first range that is left
	place uint64
	key   []byte
	own   []byte
}

// Scan reads ranges of snapshots of a generation. Ranges are to be ordered, and not
// to overlap, if the order matters.
func (x *Lookup) Scan(parts []*Snapshot, generation uint64, ranges []LookupRange, reverse bool) *LookupScan {
	if reverse {
		ranges = slices.Clone(ranges)
		slices.Reverse(ranges)
	}
	return &LookupScan{x: x, parts: parts, generation: generation, ranges: ranges, reverse: reverse}
}

// Next appends at most room places of rows to out; fewer than that are the last.
func (s *LookupScan) Next(room int, out []Place) []Place {
	room += len(out)
	for len(s.ranges) > 0 && len(out) < room {
		out = s.chunk(room, out)
	}
	return out
}

// chunk goes on in the first range. When the lookup has gone too far, another one,
// which nobody else sees, takes its place.
func (s *LookupScan) chunk(room int, out []Place) []Place {
	s.x.mu.RLock()
	if s.generation < s.x.oldest {
		s.x.mu.RUnlock()
		s.x = NewLookup(s.x.columns, s.parts, s.generation)
		s.x.mu.RLock()
	}
	defer s.x.mu.RUnlock()
	r, c := s.ranges[0], s.cursor()
	for range lookupChunk {
		if len(out) == room {
			return out
		}
		var place uint64
		var ok bool
		if s.reverse {
			s.key, place, ok = c.Back(s.key)
			ok = ok && bytes.Compare(s.key, r.Low) >= 0
		} else {
			s.key, place, ok = c.Next(s.key)
			ok = ok && (r.High == nil || bytes.Compare(s.key, r.High) < 0)
		}
		if !ok {
			s.ranges, s.begun = s.ranges[1:], false
			return out
		}
		s.last, s.place, s.begun = append(s.last[:0], s.key...), place, true
		if s.has(placeOf(place)) {
			out = append(out, placeOf(place))
		}
	}
	return out
}

func (s *LookupScan) cursor() ordered.Cursor {
	r, t := s.ranges[0], s.x.tree
	switch {
	case s.begun && s.reverse:
		return t.Seek(s.last, s.place)
	case s.begun:
		return t.Seek(s.last, s.place+1)
	case !s.reverse:
		return t.Seek(r.Low, 0)
	case r.High == nil:
		return t.End()
	}
	return t.Seek(r.High, 0)
}

// has reports whether the snapshots have the row with the key just read.
func (s *LookupScan) has(p Place) bool {
	part := s.parts[p.Part]
	row := part.liveRow(p.ID)
	if row == nil {
		return false
	}
	s.own = s.x.appendKey(s.own[:0], part, row)
	return ordered.Same(s.key, s.own)
}

// Row is the row with an id, which must be there.
func (s *Snapshot) Row(id RowID) unsafe.Pointer { return s.row(id) }

// At appends the rows of these ids to rows[:0], leaving out those that are not
// there.
func (s *Snapshot) At(ids []RowID, rows []unsafe.Pointer) []unsafe.Pointer {
	rows = rows[:0]
	for _, id := range ids {
		if row := s.liveRow(id); row != nil {
			rows = append(rows, row)
		}
	}
	return rows
}
