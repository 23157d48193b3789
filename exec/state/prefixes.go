package state

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/types"
)

// Prefixes remembers, by the number of a group, all but the last of a table's
// keys: their hash, and their columns as rows have them. A row of a known group
// is then found and made without looking at a string. It is derived from the keys
// seen, and belongs to one table and to whoever numbers the groups.
type Prefixes struct {
	gen     uint64 // of the entries that are valid, from 1
	strings uint32 // the generation of the table's strings that they refer to
	stride  int
	entries []uint64
}

// An entry is a generation, the header that a row of the group has, the hash of
// the prefix, and the columns.
const (
	prefixGen = iota
	prefixHeader
	prefixHash
	prefixColumns
)

// Forget makes all groups unknown: numbers may mean other groups from now on.
func (p *Prefixes) Forget() { p.gen++ }

// Prefixed reports whether FindOrInsertOf knows the table's keys: there are some
// before the last one, which is an integer and takes no part in the key group.
func (t *Table) Prefixed() bool {
	return t.keys > 1 && t.keys <= headerNullBits && t.slots[t.keys-1].phys == types.PhysInt && t.schema.Local > 0 && !t.schema.Unindexed
}

// FindOrInsertOf is FindOrInsert for rows whose keys before the last are those of
// the group that groups gives the number of, in a table that is Prefixed. The last
// key must not be null in any row that is looked for.
func (t *Table) FindOrInsertOf(p *Prefixes, groups []uint32, keys []*batch.Column, n int, sel []uint16, ids []RowID, rows []unsafe.Pointer, fresh []uint16) []uint16 {
	if sel == nil {
		sel = identity(n)
	}
	if len(t.layout.strings) > 0 {
		t.collect(len(sel))
	}
	t.index.reserve(len(sel))
	if cap(t.hashes) < n {
		t.hashes = make([]uint64, batch.Room(n))
	}
	hashes, values := t.hashes[:n], keys[t.keys-1].Int
	t.learn(p, groups, keys, sel)
	stride := p.stride
	for _, i := range sel {
		hashes[i] = combineHash(p.entries[int(groups[i])*stride+prefixHash], hashInt(uint64(values[i])))
	}
	if t.index.bits >= touchBits {
		t.touch(hashes, sel)
	}
	last := t.slots[t.keys-1].off
	for _, i := range sel {
		e := p.entries[int(groups[i])*stride:][:stride:stride]
		id, row := t.lookupOf(e, keys, int(i), hashes[i])
		if id == NoRow {
			id, row = t.alloc(e[prefixHeader] & headerGroupMask)
			*header(row) = e[prefixHeader]
			copy(unsafe.Slice((*uint64)(unsafe.Add(row, t.firstKey())), stride-prefixColumns), e[prefixColumns:])
			*(*int64)(unsafe.Add(row, last)) = values[i]
			t.index.insert(hashes[i]>>32, id)
			fresh = append(fresh, i)
		} else if t.rows[id>>t.shift].version != t.version {
			row = t.Write(id)
		}
		ids[i], rows[i] = id, row
	}
	return fresh
}

// lookupOf finds the row with the last key of batch row i in the group of e.
// hot: strings of one group are at one place, but for those of restored rows.
func (t *Table) lookupOf(e []uint64, keys []*batch.Column, i int, h uint64) (RowID, unsafe.Pointer) {
	x, last, value := &t.index, t.slots[t.keys-1].off, keys[t.keys-1].Int[i]
	first, columns := t.firstKey(), e[prefixColumns:]
	for j := h >> (64 - x.bits); ; j++ {
		s := *x.at(j)
		if s == 0 {
			return NoRow, nil
		}
		if s>>32 != h>>32 {
			continue
		}
		id := RowID(s) - 1
		row := t.Read(id)
		if *(*int64)(unsafe.Add(row, last)) != value {
			continue
		}
		if (*header(row)^e[prefixHeader])&t.keyNulls == 0 {
			same := true
			for k, w := range columns {
				same = same && *(*uint64)(unsafe.Add(row, first+uintptr(k)*8)) == w
			}
			if same {
				return id, row
			}
		}
		if !t.sameKey(row, keys[:t.keys], i, t.schema.Exact) {
			continue
		}
		return id, row
	}
}

// learn fills in the entries of groups that are not known.
func (t *Table) learn(p *Prefixes, groups []uint32, keys []*batch.Column, sel []uint16) {
	first, last := t.firstKey(), t.slots[t.keys-1].off
	if p.stride == 0 {
		invariant.Assert(t.Prefixed(), "the keys of a table have no prefix")
		p.stride = prefixColumns + int(last-first)/8
		p.gen = max(p.gen, 1)
	}
	if p.strings != t.strings.gen {
		p.strings = t.strings.gen
		p.Forget()
	}
	for _, i := range sel {
		at := int(groups[i]) * p.stride
		if at < len(p.entries) && p.entries[at+prefixGen] == p.gen {
			continue
		}
		if need := at + p.stride; need > len(p.entries) {
			p.entries = append(p.entries, make([]uint64, need-len(p.entries)+need/2)...)
		}
		e := p.entries[at : at+p.stride]
		clear(e)
		e[prefixGen], e[prefixHash] = p.gen, hashOne(keys[:t.keys-1], t.loose, int(i))
		group := e[prefixHash]
		if local := t.schema.Local; local > 1 {
			group = hashOne(keys[:t.keys-local], t.loose, int(i))
		}
		e[prefixHeader] = group%KeyGroups | headerLive
		// A row to be filled in, whose header and columns lie as in a page.
		row := make([]uint64, t.width/8)
		for k, c := range keys[:t.keys-1] {
			t.setValue(unsafe.Pointer(&row[0]), k, c, int(i))
		}
		e[prefixHeader] |= row[0]
		copy(e[prefixColumns:], row[first/8:last/8])
	}
}
