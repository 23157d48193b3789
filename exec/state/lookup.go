package state

import (
	"slices"
	"sync"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// lookupChunk is how many entries change under one lock: readers wait no longer.
const lookupChunk = 512

// Place is where a row is: its id in one of several snapshots.
type Place struct {
	Part uint32
	ID   RowID
}

// Lookup finds rows of sealed tables by the values of some columns. It goes from
// generation to generation of the snapshots and serves readers of the last two,
// and of the next one while it is being brought forward: what it finds is every
// row that has the values, and some that have not, which the reader must tell
// apart. Rows with a null in the columns are not found. One goroutine at a time
// may Advance; any may Find.
type Lookup struct {
	columns []int // of the state table, keys first
	phys    []types.Phys

	mu     sync.RWMutex
	oldest uint64           // generation
	one    map[uint64]Place // hash → a row
	more   map[uint64]map[Place]struct{}
	stale  []entry // of the generation before the last; Advance's alone
}

type entry struct {
	hash  uint64
	place Place
}

// NewLookup indexes columns (keys first) of the snapshots, one at least, of a
// generation.
func NewLookup(columns []int, now []*Snapshot, generation uint64) *Lookup {
	rows := 0
	for _, s := range now {
		rows += s.live
	}
	x := &Lookup{columns: columns, oldest: generation, one: make(map[uint64]Place, rows), more: map[uint64]map[Place]struct{}{}}
	for _, c := range columns {
		x.phys = append(x.phys, now[0].Phys(c))
	}
	for part, s := range now {
		for id := RowID(0); id < s.end; id++ {
			if h, ok := x.hash(s, s.liveRow(id)); ok {
				x.add(entry{h, Place{uint32(part), id}})
			}
		}
	}
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
	x.each(x.stale, x.remove)
	x.stale = x.stale[:0]
	var fresh []entry
	for i := range now {
		fresh = x.advancePages(uint32(i), old[i], now[i], fresh)
	}
	x.each(fresh, x.add)
	return true
}

// advancePages compares the pages that are not shared, appends what came to fresh
// and what went to x.stale.
func (x *Lookup) advancePages(part uint32, old, now *Snapshot, fresh []entry) []entry {
	for p := range max(len(old.rows), len(now.rows)) {
		if p < len(old.rows) && p < len(now.rows) && old.rows[p].base == now.rows[p].base {
			continue
		}
		for i := range uint32(1) << now.shift {
			id := uint32(p)<<now.shift + i
			was, before := x.hash(old, old.liveRow(id))
			is, after := x.hash(now, now.liveRow(id))
			if before == after && was == is {
				continue
			}
			if before {
				x.stale = append(x.stale, entry{was, Place{part, id}})
			}
			if after {
				fresh = append(fresh, entry{is, Place{part, id}})
			}
		}
	}
	return fresh
}

func (x *Lookup) each(list []entry, change func(entry)) {
	for chunk := range slices.Chunk(list, lookupChunk) {
		x.mu.Lock()
		for _, e := range chunk {
			change(e)
		}
		x.mu.Unlock()
	}
}

func (x *Lookup) add(e entry) {
	if _, taken := x.one[e.hash]; !taken {
		x.one[e.hash] = e.place
		return
	}
	if x.more[e.hash] == nil {
		x.more[e.hash] = map[Place]struct{}{}
	}
	x.more[e.hash][e.place] = struct{}{}
}

func (x *Lookup) remove(e entry) {
	others := x.more[e.hash]
	if x.one[e.hash] == e.place {
		delete(x.one, e.hash)
		for other := range others {
			x.one[e.hash] = other
			delete(others, other)
			break
		}
	} else {
		delete(others, e.place)
	}
	if len(others) == 0 {
		delete(x.more, e.hash)
	}
}

// Find returns, in their order, where rows with these values in the columns are
// in the snapshots of a generation; false when it is too old.
func (x *Lookup) Find(generation uint64, values []types.Value) ([]Place, bool) {
	keys := make([]*batch.Column, len(values))
	for i, v := range values {
		keys[i] = batch.NewColumn(x.phys[i], 0)
		keys[i].AppendValue(v)
	}
	h := hashOne(keys, 0)
	x.mu.RLock()
	defer x.mu.RUnlock()
	if generation < x.oldest {
		return nil, false
	}
	first, ok := x.one[h]
	if !ok {
		return nil, true
	}
	found := []Place{first}
	for p := range x.more[h] {
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b Place) int {
		if a.Part != b.Part {
			return int(a.Part) - int(b.Part)
		}
		return int(int64(a.ID) - int64(b.ID))
	})
	return found, true
}

// hash is that of the columns of a row; false for no row, and for a null.
func (x *Lookup) hash(s *Snapshot, row unsafe.Pointer) (h uint64, ok bool) {
	if row == nil {
		return 0, false
	}
	for i, k := range x.columns {
		c := &s.slots[k]
		if c.isNull(row) {
			return 0, false
		}
		v := hashCell(c, s.strings, row)
		if i == 0 {
			h = v
		} else {
			h = combineHash(h, v)
		}
	}
	return h, true
}

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
