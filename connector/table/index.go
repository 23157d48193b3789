package table

import (
	"bytes"
	"slices"
	"sort"

	"github.com/cespare/xxhash/v2"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// index finds the current versions of rows by the values of some columns. The
// caller locks; find and those who call it need no more than a read lock.
type index struct {
	columns []int
	kept    bool              // it holds up a constraint
	first   map[uint64]uint32 // hash of the columns → first of the versions with it
	links   []link            // by version
	usage
}

// link chains the current versions with one hash; 0 is none.
type link struct{ prev, next uint32 }

// unusedMin is how many versions must come before an index that nobody asks is
// given up, and as many as there are rows, since it costs that much to make it
// again.
const unusedMin = 100_000

func newIndex(columns []int) *index {
	return &index{columns: columns, first: map[uint64]uint32{}}
}

func (x *index) hash(r *rows, data []byte) uint64 {
	r.scratch = r.codec.appendKey(r.scratch[:0], data, x.columns)
	return xxhash.Sum64(r.scratch)
}

func (x *index) add(r *rows, i uint32) {
	h := x.hash(r, r.data(i))
	for len(x.links) < len(r.versions) {
		x.links = append(x.links, link{})
	}
	next := x.first[h]
	x.links[i] = link{next: next}
	if next != 0 {
		x.links[next].prev = i
	}
	x.first[h] = i
}

func (x *index) remove(r *rows, i uint32) {
	l := x.links[i]
	if l.next != 0 {
		x.links[l.next].prev = l.prev
	}
	switch h := x.hash(r, r.data(i)); {
	case l.prev != 0:
		x.links[l.prev].next = l.next
	case l.next != 0:
		x.first[h] = l.next
	default:
		delete(x.first, h)
	}
	x.links[i] = link{}
}

// giveUp counts a version that comes, and reports whether the index, unless it holds
// up a constraint, is to be given up.
func (r *rows) giveUp(x *index) bool { return x.count(len(r.byRow)) && !x.kept }

// indexOn returns the index on columns, nil if there is none.
func (r *rows) indexOn(columns []int) *index {
	for _, x := range r.indexes {
		if slices.Equal(x.columns, columns) {
			return x
		}
	}
	return nil
}

// makeIndex makes an index of the current versions.
func (r *rows) makeIndex(columns []int) {
	r.indexes = append(r.indexes, r.newIndexOf(columns))
}

// newIndexOf is an index of the current versions that nobody keeps yet.
func (r *rows) newIndexOf(columns []int) *index {
	x := newIndex(slices.Clone(columns))
	x.links = make([]link, len(r.versions))
	for i := 1; i < len(r.versions); i++ {
		if v := &r.versions[i]; v.born != 0 && v.died == 0 {
			x.add(r, uint32(i))
		}
	}
	return x
}

// at lists the versions seen at a position that have one of the keys, made by
// keyBytes, in the columns of an index, in the order of row ids. Those that have
// died since, or will once a commit is durable, are not in the index: they are
// looked for among the latest dead and the dying.
func (r *rows) at(x *index, keys [][]byte, position uint64) []uint32 {
	x.asked.Store(true)
	wanted := make(map[string]struct{}, len(keys))
	for _, k := range keys {
		wanted[string(k)] = struct{}{}
	}
	var out []uint32
	var own []byte
	for k := range wanted {
		for i := x.first[xxhash.Sum64String(k)]; i != 0; i = x.links[i].next {
			own = r.codec.appendKey(own[:0], r.data(i), x.columns)
			if r.versions[i].born <= position && bytes.Equal(own, []byte(k)) {
				out = append(out, i)
			}
		}
	}
	late := func(i uint32) {
		own = r.codec.appendKey(own[:0], r.data(i), x.columns)
		if _, ok := wanted[string(own)]; ok && r.versions[i].born <= position && r.versions[i].died > position {
			out = append(out, i)
		}
	}
	since := sort.Search(len(r.dead), func(n int) bool { return r.dead[n].died > position })
	for _, d := range r.dead[since:] {
		late(d.index)
	}
	for i := range r.dying {
		late(i)
	}
	slices.SortFunc(out, func(a, b uint32) int {
		if r.versions[a].rowID < r.versions[b].rowID {
			return -1
		}
		return 1
	})
	return out
}

// keyBytes is what appendKey makes of rows with these values in the columns.
func (c *rowCodec) keyBytes(columns []int, keys [][]types.Value) [][]byte {
	b := batch.New(c.phys, 1)
	b.N = 1
	for k := range c.phys {
		b.Cols[k].SetNull(0, 1)
	}
	out := make([][]byte, len(keys))
	for i, key := range keys {
		for n, k := range columns {
			b.Cols[k].Reset()
			b.Cols[k].AppendValue(key[n])
		}
		out[i] = c.appendKey(nil, c.encode(nil, b, 0), columns)
	}
	return out
}

// Find is Scan for the rows whose columns have the values, none null, of one of
// the keys. The first to ask for columns makes an index on them, which lasts
// while it is asked.
func (n *Snapshot) Find(id string, want, columns []int, keys [][]types.Value) (*Scan, error) {
	var o *overlay
	if n.txn != nil {
		n.txn.mu.Lock()
		defer n.txn.mu.Unlock()
		var err error
		if o, err = n.txn.touched(id); err != nil {
			return nil, err
		}
	}
	s := n.store
	if o != nil && o.rows.indexOn(columns) == nil {
		o.rows.makeIndex(columns)
	}
	if o != nil && o.fresh {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return n.findMixed(o, want, columns, keys), nil
	}
	x, t, err := s.lockIndex(id, columns)
	if err != nil {
		return nil, err
	}
	defer s.mu.RUnlock()
	if o != nil {
		return n.findMixed(o, want, columns, keys), nil
	}
	return &Scan{store: s, table: t, want: want, versions: t.rows.at(x, t.codec.keyBytes(columns, keys), n.pin.position)}, nil
}

// lockIndex returns a table's index on columns, made if need be, with a read
// lock on the store if there is no error.
func (s *Store) lockIndex(id string, columns []int) (*index, *table, error) {
	for {
		s.mu.RLock()
		t, err := s.find(id)
		if err != nil {
			s.mu.RUnlock()
			return nil, nil, err
		}
		if x := t.rows.indexOn(columns); x != nil {
			return x, t, nil
		}
		s.mu.RUnlock()
		s.mu.Lock()
		if t.rows.indexOn(columns) == nil {
			t.rows.makeIndex(columns)
		}
		s.mu.Unlock()
	}
}

// findMixed is Find in a table that the transaction has touched. The caller holds
// the transaction's lock and the store's.
func (n *Snapshot) findMixed(o *overlay, want, columns []int, keys [][]types.Value) *Scan {
	find := func(r *rows, position uint64) []uint32 {
		return r.at(r.indexOn(columns), o.table.codec.keyBytes(columns, keys), position)
	}
	var base []uint32
	if !o.fresh {
		base = find(o.table.rows, n.pin.position)
	}
	return &Scan{store: n.store, table: o.table, want: want, txn: n.txn, overlay: o, mixed: o.mix(base, find(o.rows, n.change), n.change)}
}
