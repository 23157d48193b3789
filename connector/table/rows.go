package table

import (
	"bytes"
	"slices"
	"unsafe"
)

// version is one state of one row. It is seen by readers at positions from born
// up to, and without, died; died is 0 while the version is current. Versions
// hold no pointers: there may be millions.
type version struct {
	rowID, born, died  uint64
	chunk, off, length uint32
}

// chunkSize is how much row data is allocated at once.
const chunkSize = 256 << 10

// rows are the versions of one table's rows, with indexes by key, by what else is
// unique, by row id, and by what was asked for. Without a primary key the key is the
// whole row, and need not be unique.
// Slots of dead versions are used again once nobody can see them. The caller
// locks.
type rows struct {
	codec    *rowCodec
	versions []version // number 0 is not used
	free     []uint32
	indexes  []*index // the first is by key, those of unique constraints follow
	ordered  []*orderedIndex
	byRow    map[uint64]uint32 // row id → current version
	chunks   [][]byte
	used     []int // bytes of each chunk that a version refers to
	current  int   // the chunk being filled
	// chunkBytes is the size of the next chunk; it doubles up to chunkSize.
	chunkBytes int
	nextRow    uint64
	dead       []deadVersion // in the order they died
	// dying are the versions killed by commits that are not durable yet: no index
	// has them any more, and dead not yet.
	dying    map[uint32]struct{}
	liveSize int64 // bytes of current and not yet reclaimed versions
	heldSize int64 // bytes of all chunks
	scratch  []byte
	other    []byte
}

type deadVersion struct {
	died  uint64
	index uint32
}

func newRows(codec *rowCodec, keys []int, unique ...Unique) *rows {
	r := &rows{codec: codec, versions: make([]version, 1), indexes: []*index{newIndex(keys)}, byRow: map[uint64]uint32{}, current: -1, chunkBytes: chunkSize, nextRow: 1}
	for _, u := range unique {
		r.indexes = append(r.indexes, newIndex(u.Columns))
	}
	for _, x := range r.indexes {
		x.kept = true
	}
	return r
}

// entryBytes is about what an entry of a map takes.
const entryBytes = 24

// bytes is about how much memory the rows take with their indexes: none without rows.
func (r *rows) bytes() int64 {
	n := r.heldSize + int64(len(r.versions)-1)*int64(unsafe.Sizeof(version{})) + entryBytes*int64(len(r.byRow))
	for _, x := range r.indexes {
		n += int64(len(x.links))*int64(unsafe.Sizeof(link{})) + entryBytes*int64(len(x.first))
	}
	for _, x := range r.ordered {
		n += x.tree.Bytes()
	}
	return n
}

func (r *rows) data(i uint32) []byte {
	v := &r.versions[i]
	return r.chunks[v.chunk][v.off : v.off+v.length]
}

// place copies data into a chunk.
func (r *rows) place(v *version, data []byte) {
	if r.current < 0 || cap(r.chunks[r.current])-len(r.chunks[r.current]) < len(data) {
		r.current = -1
		for i := range r.chunks {
			if r.chunks[i] == nil {
				r.current = i
				break
			}
		}
		if r.current < 0 {
			r.current = len(r.chunks)
			r.chunks, r.used = append(r.chunks, nil), append(r.used, 0)
		}
		size := max(r.chunkBytes, len(data))
		r.chunkBytes = min(2*r.chunkBytes, chunkSize)
		r.chunks[r.current] = make([]byte, 0, size)
		r.heldSize += int64(size)
	}
	c := r.current
	v.chunk, v.off, v.length = uint32(c), uint32(len(r.chunks[c])), uint32(len(data))
	r.chunks[c] = append(r.chunks[c], data...)
	r.used[c] += len(data)
	r.liveSize += int64(len(data))
}

// find returns the current version whose key columns equal data's, 0 if there is
// none.
func (r *rows) find(data []byte) uint32 { return r.findBy(r.indexes[0], data) }

func (r *rows) findBy(x *index, data []byte) uint32 {
	return r.findFrom(x, x.first[x.hash(r, data)])
}

// findNext is findBy for the row after that version, which it found.
func (r *rows) findNext(x *index, i uint32) uint32 { return r.findFrom(x, x.links[i].next) }

// findFrom looks for the key in scratch.
func (r *rows) findFrom(x *index, i uint32) uint32 {
	for ; i != 0; i = x.links[i].next {
		r.other = r.codec.appendKey(r.other[:0], r.data(i), x.columns)
		if bytes.Equal(r.other, r.scratch) {
			return i
		}
	}
	return 0
}

// add makes data the current version of a row.
func (r *rows) add(rowID, born uint64, data []byte) uint32 {
	var i uint32
	if n := len(r.free); n > 0 {
		i, r.free = r.free[n-1], r.free[:n-1]
	} else {
		i = uint32(len(r.versions))
		r.versions = append(r.versions, version{})
	}
	v := &r.versions[i]
	*v = version{rowID: rowID, born: born}
	r.place(v, data)
	r.link(i)
	r.nextRow = max(r.nextRow, rowID+1)
	return i
}

func (r *rows) link(i uint32) {
	if len(r.indexes) > 1 {
		r.indexes = slices.DeleteFunc(r.indexes, r.giveUp)
	}
	for _, x := range r.indexes {
		x.add(r, i)
	}
	if len(r.ordered) > 0 {
		r.ordered = slices.DeleteFunc(r.ordered, func(x *orderedIndex) bool { return x.count(len(r.byRow)) })
		for _, x := range r.ordered {
			x.add(r, i)
		}
	}
	r.byRow[r.versions[i].rowID] = i
}

func (r *rows) unlink(i uint32) {
	for _, x := range r.indexes {
		x.remove(r, i)
	}
	for _, x := range r.ordered {
		x.remove(r, i)
	}
	if r.byRow[r.versions[i].rowID] == i {
		delete(r.byRow, r.versions[i].rowID)
	}
}

// kill ends a current version.
func (r *rows) kill(i uint32, died uint64) {
	r.unlink(i)
	r.versions[i].died = died
	if r.dying == nil {
		r.dying = map[uint32]struct{}{}
	}
	r.dying[i] = struct{}{}
}

// revive undoes kill.
func (r *rows) revive(i uint32) {
	delete(r.dying, i)
	r.versions[i].died = 0
	r.link(i)
}

// release forgets a version that nobody can see any more; a current one must be
// unlinked first.
func (r *rows) release(i uint32) {
	delete(r.dying, i)
	v := &r.versions[i]
	c := int(v.chunk)
	r.used[c] -= int(v.length)
	r.liveSize -= int64(v.length)
	if r.used[c] == 0 && c != r.current {
		r.heldSize -= int64(cap(r.chunks[c]))
		r.chunks[c] = nil
	}
	*v = version{}
	r.free = append(r.free, i)
}

// bury queues a dead version for reclaim.
func (r *rows) bury(i uint32) {
	delete(r.dying, i)
	r.dead = append(r.dead, deadVersion{r.versions[i].died, i})
}

// reclaim releases the versions that died at or before horizon, and moves rows
// together when most of the memory is holes.
func (r *rows) reclaim(horizon uint64) {
	n := 0
	for n < len(r.dead) && r.dead[n].died <= horizon {
		r.release(r.dead[n].index)
		n++
	}
	if n > 0 {
		r.dead = slices.Delete(r.dead, 0, n)
	}
	if r.heldSize > 4*r.liveSize+16*chunkSize {
		r.moveTogether()
	}
}

func (r *rows) moveTogether() {
	old := r.chunks
	r.chunks, r.used, r.current, r.heldSize, r.liveSize = nil, nil, -1, 0, 0
	for i := 1; i < len(r.versions); i++ {
		v := &r.versions[i]
		if v.born == 0 {
			continue
		}
		r.place(v, old[v.chunk][v.off:v.off+v.length])
	}
}

// visible lists the versions seen at a position whose row ids are above after,
// in the order of row ids.
func (r *rows) visible(position, after uint64) []uint32 {
	var out []uint32
	sorted, last := true, uint64(0)
	for i := 1; i < len(r.versions); i++ {
		v := &r.versions[i]
		if v.born == 0 || v.born > position || v.died != 0 && v.died <= position || v.rowID <= after {
			continue
		}
		out = append(out, uint32(i))
		sorted = sorted && v.rowID > last
		last = v.rowID
	}
	if !sorted {
		slices.SortFunc(out, func(a, b uint32) int {
			if r.versions[a].rowID < r.versions[b].rowID {
				return -1
			}
			return 1
		})
	}
	return out
}
