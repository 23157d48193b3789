package operator

import (
	"encoding/binary"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// recent remembers which state rows keys of two integers were found at lately,
// so that most rows of a stream, which come back to a few keys, need no hash of
// strings and no walk through an index that is larger than the processor's
// caches. It is derived and may forget: what it does not know, the table does.
type recent struct {
	entries []recentEntry
	gen     uint32
	second  []int64
	missed  []uint16
	tags    map[string]int64 // of the columns that are the same in a whole batch
	text    []byte
}

type recentEntry struct {
	a, b int64
	id   uint32
	gen  uint32
}

// recentEntries is a power of two; all entries together fit in a second-level
// cache.
const recentEntries = 1 << 14

// forget makes all entries invalid: some row was removed.
func (r *recent) forget() {
	r.gen++
	if r.gen == 0 {
		clear(r.entries)
		r.gen = 1
	}
}

// place of a key: neighbouring a's of one b lie side by side.
func place(a, b int64) uint64 {
	return (uint64(a) + uint64(b)*0x9e3779b97f4a7c15>>20) & (recentEntries - 1)
}

// find is table.find for keys that a and b identify as well as the key columns do.
func (r *recent) find(t *table, a, b []int64, groups []uint32, keys []*batch.Column, n int, sel []uint16, ids []uint32, rows []unsafe.Pointer, fresh []uint16) []uint16 {
	if r.entries == nil {
		r.entries, r.gen = make([]recentEntry, recentEntries), 1
	}
	missed := r.missed[:0]
	entries, gen := r.entries, r.gen
	if sel == nil {
		a, b, ids := a[:n], b[:n], ids[:n]
		for i := range a {
			if e := &entries[place(a[i], b[i])]; e.a == a[i] && e.b == b[i] && e.gen == gen {
				ids[i] = e.id
			} else {
				missed = append(missed, uint16(i))
			}
		}
	} else {
		for _, i := range sel {
			if e := &entries[place(a[i], b[i])]; e.a == a[i] && e.b == b[i] && e.gen == gen {
				ids[i] = e.id
			} else {
				missed = append(missed, i)
			}
		}
	}
	r.missed = missed
	if len(missed) > 0 {
		if groups != nil {
			fresh = t.FindOrInsertOf(&t.prefixes, groups, keys, n, missed, ids, rows, fresh)
		} else {
			fresh = t.FindOrInsert(keys, n, missed, ids, rows, fresh)
		}
		for _, i := range missed {
			entries[place(a[i], b[i])] = recentEntry{a: a[i], b: b[i], id: ids[i], gen: gen}
		}
	}
	t.WriteRows(ids, n, sel, rows)
	return fresh
}

// tagsMax bounds how many tags are remembered.
const tagsMax = 4096

// tag numbers the values that row i has in the key columns other than one: two
// integers, the one varying and the tag, then identify the key.
func (r *recent) tag(keys []*batch.Column, varying, i int) int64 {
	p := binary.AppendUvarint(r.text[:0], uint64(varying))
	for k, c := range keys {
		switch {
		case k == varying:
		case c.Phys == types.PhysInt:
			p = binary.AppendVarint(p, c.Int[i])
		default:
			p = binary.AppendUvarint(p, uint64(c.Views[i].Len))
			p = append(p, c.BytesAt(i)...)
		}
	}
	r.text = p
	tag, ok := r.tags[string(p)]
	if ok {
		return tag
	}
	if r.tags == nil || len(r.tags) >= tagsMax {
		r.forget()
		r.tags = map[string]int64{}
	}
	tag = int64(len(r.tags))
	r.tags[string(p)] = tag
	return tag
}

// pairs reports whether the key columns are two integers, none of them null.
func pairs(keys []*batch.Column) bool {
	return len(keys) == 2 && keys[0].Phys == types.PhysInt && keys[1].Phys == types.PhysInt && !keys[0].HasNulls && !keys[1].HasNulls
}

// findOf is table.find for the values of groups: the last key column is the value,
// which is not null in any row that is looked for, and groups are the rows of the
// group table that the other keys belong to.
func (t *table) findOf(groups []uint32, keys []*batch.Column, n int, sel []uint16, ids []uint32, rows []unsafe.Pointer, fresh []uint16) []uint16 {
	if !t.Prefixed() {
		return t.find(keys, n, sel, ids, rows, fresh)
	}
	r := &t.recent
	r.second = roomFor(r.second, n)
	for i, g := range groups[:n] {
		r.second[i] = int64(g)
	}
	return r.find(t, keys[len(keys)-1].Int, r.second, groups, keys, n, sel, ids, rows, fresh)
}
