package table

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/millrace/millrace/internal/ordered"
	"github.com/millrace/millrace/types"
)

// LookupColumn is a column of a table in an index, and how it is ordered.
type LookupColumn struct {
	Column int
	types.Ordered
}

// Lookup is the rows whose keys, made of Columns, are in Ranges, each from the first
// key up to and without the second, nil for the end. Ranges are ordered and do not
// overlap. With Ordered the rows are wanted in the order of keys, with Reverse from
// the end, else in the order of their insertion. Enough, if not 0, is how many will do.
type Lookup struct {
	Columns []LookupColumn
	Ranges  [][2][]byte
	Ordered bool
	Reverse bool
	Enough  int64
}

// within reports whether a key is in one of the ranges.
func (l *Lookup) within(key []byte) bool {
	n := sort.Search(len(l.Ranges), func(i int) bool { return bytes.Compare(l.Ranges[i][0], key) > 0 })
	return n > 0 && (l.Ranges[n-1][1] == nil || bytes.Compare(key, l.Ranges[n-1][1]) < 0)
}

// orderedIndex has the current versions of rows in the order of some columns. The
// caller locks; readers need no more than a read lock.
type orderedIndex struct {
	columns []LookupColumn
	tree    *ordered.Tree
	usage
	key []byte // who changes the index
}

// usage tells when an index has cost more since it was last asked than it would to
// make it again.
type usage struct {
	asked  atomic.Bool // by those who use the index
	unused int         // versions that came since
}

// count counts a version that comes, and reports whether the index, of so many rows,
// is to be given up.
func (u *usage) count(rows int) bool {
	if u.asked.Swap(false) {
		u.unused = 0
	}
	u.unused++
	return u.unused > max(unusedMin, rows)
}

func (x *orderedIndex) add(r *rows, i uint32) {
	x.key = r.codec.appendOrdered(x.key[:0], r.data(i), x.columns)
	x.tree.Insert(x.key, uint64(i))
}

func (x *orderedIndex) remove(r *rows, i uint32) {
	x.key = r.codec.appendOrdered(x.key[:0], r.data(i), x.columns)
	x.tree.Delete(x.key, uint64(i))
}

// orderedOn returns the ordered index on columns, nil if there is none.
func (r *rows) orderedOn(columns []LookupColumn) *orderedIndex {
	for _, x := range r.ordered {
		if slices.Equal(x.columns, columns) {
			return x
		}
	}
	return nil
}

// orderedOf makes an index of versions.
func (r *rows) orderedOf(columns []LookupColumn, versions []uint32) *orderedIndex {
	x := &orderedIndex{columns: slices.Clone(columns)}
	var b ordered.Batch
	for _, i := range versions {
		x.key = r.codec.appendOrdered(x.key[:0], r.data(i), columns)
		b.Add(x.key, uint64(i))
	}
	x.tree = &ordered.Tree{}
	b.Insert(x.tree, func(some func()) { some() })
	return x
}

// makeOrdered makes an index of the current versions.
func (r *rows) makeOrdered(columns []LookupColumn) {
	var current []uint32
	for i := 1; i < len(r.versions); i++ {
		if v := &r.versions[i]; v.born != 0 && v.died == 0 {
			current = append(current, uint32(i))
		}
	}
	r.ordered = append(r.ordered, r.orderedOf(columns, current))
}

// Lookup is Scan for rows that an ordered index finds. The first to ask for columns
// makes it; it lasts while it is asked.
func (n *Snapshot) Lookup(id string, want []int, l *Lookup) (*Scan, error) {
	var o *overlay
	if n.txn != nil {
		n.txn.mu.Lock()
		defer n.txn.mu.Unlock()
		var err error
		if o, err = n.txn.touched(id); err != nil {
			return nil, err
		}
	}
	if o != nil && o.fresh {
		n.store.mu.RLock()
		defer n.store.mu.RUnlock()
		return n.lookupMixed(o, want, l, nil), nil
	}
	t, err := n.store.lockOrdered(id, l.Columns)
	if err != nil {
		return nil, err
	}
	defer n.store.mu.RUnlock()
	s := &orderedScan{Lookup: *l, rows: t.rows, position: n.pin.position}
	if o != nil {
		s.Enough = 0
		return n.lookupMixed(o, want, l, s.all()), nil
	}
	if !l.Ordered {
		return &Scan{store: n.store, table: t, want: want, versions: s.all()}, nil
	}
	if l.Reverse {
		s.Ranges = slices.Clone(l.Ranges)
		slices.Reverse(s.Ranges)
	}
	return &Scan{store: n.store, table: t, want: want, found: s}, nil
}

// lookupMixed is Lookup in a table that the transaction has touched, with the stored
// rows that were found. The caller holds the store's lock and the transaction's.
func (n *Snapshot) lookupMixed(o *overlay, want []int, l *Lookup, base []uint32) *Scan {
	own := slices.DeleteFunc(o.rows.visible(n.change, 0), func(i uint32) bool {
		return !l.within(o.table.codec.appendOrdered(nil, o.rows.data(i), l.Columns))
	})
	mixed := o.mix(base, own, n.change)
	if l.Ordered {
		mixed = o.inOrder(l, mixed)
	}
	return &Scan{store: n.store, table: o.table, want: want, txn: n.txn, overlay: o, mixed: mixed}
}

// lockOrdered returns a table that has an ordered index on columns, with a read lock
// on the store if there is no error.
func (s *Store) lockOrdered(id string, columns []LookupColumn) (*table, error) {
	for {
		s.mu.RLock()
		t, err := s.find(id)
		if err != nil {
			s.mu.RUnlock()
			return nil, err
		}
		if x := t.rows.orderedOn(columns); x != nil {
			x.asked.Store(true)
			return t, nil
		}
		s.mu.RUnlock()
		s.mu.Lock()
		if t.rows.orderedOn(columns) == nil {
			t.rows.makeOrdered(columns)
		}
		s.mu.Unlock()
	}
}

// keyedVersion is a version, or another number, with its key.
type keyedVersion struct {
	key     []byte
	version uint32
}

func byKey(a, b keyedVersion) int {
	return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(a.version, b.version))
}

// orderedScan reads the rows of a lookup that are seen at a position, some at a time.
type orderedScan struct {
	Lookup
	rows     *rows
	position uint64
	private  *orderedIndex // of what is seen, once the index was given up

	last  keyedVersion // read last in the first range that is left
	begun bool
}

// all returns all versions, in the order of row ids. The caller has a read lock.
func (s *orderedScan) all() []uint32 {
	var out []uint32
	for part := s.chunk(math.MaxInt); len(part) > 0; part = s.chunk(math.MaxInt) {
		out = append(out, part...)
	}
	slices.SortFunc(out, func(a, b uint32) int { return cmp.Compare(s.rows.versions[a].rowID, s.rows.versions[b].rowID) })
	return out
}

// chunk returns the next versions, about room of them; none are the end. The caller
// has a read lock.
func (s *orderedScan) chunk(room int) []uint32 {
	for len(s.Ranges) > 0 {
		if s.Enough > 0 {
			room = int(min(int64(room), s.Enough))
		}
		if part := s.inRange(room); len(part) > 0 {
			if s.Enough > 0 {
				part = part[:min(int64(len(part)), s.Enough)]
				if s.Enough -= int64(len(part)); s.Enough == 0 {
					s.Ranges = nil
				}
			}
			out := make([]uint32, len(part))
			for i, k := range part {
				out[i] = k.version
			}
			return out
		}
	}
	return nil
}

// inRange goes on in the first range, and leaves it at its end.
func (s *orderedScan) inRange(room int) []keyedVersion {
	x := s.private
	if x == nil {
		if x = s.rows.orderedOn(s.Columns); x == nil {
			x = s.rows.orderedOf(s.Columns, s.rows.visible(s.position, 0))
			s.private = x
		}
		x.asked.Store(true)
	}
	r, before, begun := s.Ranges[0], s.last, s.begun
	c := s.cursor(x.tree)
	var out []keyedVersion
	var key []byte
	ended := false
	for len(out) < room {
		var i uint64
		var ok bool
		if s.Reverse {
			key, i, ok = c.Back(key)
			ok = ok && bytes.Compare(key, r[0]) >= 0
		} else {
			key, i, ok = c.Next(key)
			ok = ok && (r[1] == nil || bytes.Compare(key, r[1]) < 0)
		}
		if !ok {
			ended = true
			break
		}
		s.last, s.begun = keyedVersion{append(s.last.key[:0:0], key...), uint32(i)}, true
		if s.rows.versions[i].born <= s.position {
			out = append(out, s.last)
		}
	}
	if s.private == nil {
		out = s.addLate(out, r, before, begun, ended)
	}
	if ended {
		s.Ranges, s.begun = s.Ranges[1:], false
	}
	return out
}

func (s *orderedScan) cursor(t *ordered.Tree) ordered.Cursor {
	r := s.Ranges[0]
	switch {
	case s.begun && s.Reverse:
		return t.Seek(s.last.key, uint64(s.last.version))
	case s.begun:
		return t.Seek(s.last.key, uint64(s.last.version)+1)
	case !s.Reverse:
		return t.Seek(r[0], 0)
	case r[1] == nil:
		return t.End()
	}
	return t.Seek(r[1], 0)
}

// addLate adds the versions that have died since the position, or will once a commit
// is durable: no index has them any more. Those count that lie between what was read
// before and what is read now, or the end of the range.
func (s *orderedScan) addLate(out []keyedVersion, r [2][]byte, before keyedVersion, begun, ended bool) []keyedVersion {
	sign := 1
	if s.Reverse {
		sign = -1
	}
	n := len(out)
	late := func(i uint32) {
		v := &s.rows.versions[i]
		if v.born > s.position || v.died <= s.position {
			return
		}
		k := keyedVersion{padded(s.rows.codec.appendOrdered(nil, s.rows.data(i), s.Columns)), i}
		if bytes.Compare(k.key, r[0]) < 0 || r[1] != nil && bytes.Compare(k.key, r[1]) >= 0 ||
			begun && byKey(k, before)*sign <= 0 || !ended && byKey(k, s.last)*sign > 0 {
			return
		}
		out = append(out, k)
	}
	since := sort.Search(len(s.rows.dead), func(n int) bool { return s.rows.dead[n].died > s.position })
	for _, d := range s.rows.dead[since:] {
		late(d.index)
	}
	for i := range s.rows.dying {
		late(i)
	}
	if len(out) > n {
		slices.SortFunc(out, func(a, b keyedVersion) int { return byKey(a, b) * sign })
	}
	return out
}

// padded is a key as a tree gives it back.
func padded(key []byte) []byte {
	for len(key) < 8 {
		key = append(key, 0)
	}
	return key
}

// inOrder puts rows in the order of a lookup. The caller holds the store's lock and
// the transaction's.
func (o *overlay) inOrder(l *Lookup, rows []mixedRow) []mixedRow {
	keys := make([]keyedVersion, len(rows))
	for i, m := range rows {
		data, _ := o.at(m)
		keys[i] = keyedVersion{o.table.codec.appendOrdered(nil, data, l.Columns), uint32(i)}
	}
	slices.SortFunc(keys, byKey)
	if l.Reverse {
		slices.Reverse(keys)
	}
	out := make([]mixedRow, len(rows))
	for i, k := range keys {
		out[i] = rows[k.version]
	}
	return out
}

// appendOrdered appends the key of a row.
func (c *rowCodec) appendOrdered(dst, data []byte, columns []LookupColumn) []byte {
	for i := range columns {
		o, k := columns[i].Ordered, columns[i].Column
		if c.isNull(data, k) {
			dst = o.AppendNull(dst)
			continue
		}
		at := data[c.slot[k]:]
		switch c.phys[k] {
		case types.PhysBool:
			dst = o.AppendBool(dst, at[0] != 0)
		case types.PhysFloat:
			dst = o.AppendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(at)))
		case types.PhysDecimal:
			dst = o.AppendDecimal(dst, c.decimal(data, k))
		case types.PhysBytes:
			dst = o.AppendBytes(dst, c.bytes(data, k))
		case types.PhysInterval:
			dst = o.AppendInterval(dst, c.interval(data, k))
		case types.PhysUUID:
			dst = o.AppendUUID(dst, (*[16]byte)(at))
		default:
			dst = o.AppendInt(dst, int64(binary.LittleEndian.Uint64(at)))
		}
	}
	return dst
}
