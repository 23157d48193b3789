package operator

import (
	"slices"

	"github.com/millrace/millrace/exec/state"
)

// entry is a row in a sorted list, with the prefix of its order.
type entry struct {
	prefix uint64
	id     uint32
}

// rowLists are sorted lists of rows, one per group. Most lists are short: they lie
// side by side in blocks of a power of two. A long one is a sequence of the largest
// blocks, so that no change moves more than one. Both are outside of the Go heap, and
// what is unused names the next one that is: a group costs the collector nothing.
type rowLists struct {
	lists   *state.Vector[rowList]
	unused  *state.Vector[uint32] // numbers of lists that were dropped
	classes [pieceClass + 1]blockClass
	long    [][]piece
	spare   []uint32 // unused numbers of long
}

// rowList is one list: class says how long its block is, or that it is long.
type rowList struct {
	n     uint32
	at    uint32
	seen  uint32 // whatever its owner notes; 0 in a list that was dropped
	class uint8
}

// blockClass is the blocks of 1<<class entries, side by side.
type blockClass struct {
	entries *state.Vector[entry]
	unused  uint32 // 1 + the block that was given up last, whose first entry's id is the one before
}

// piece is a block of a long list, and how many entries it has.
type piece struct{ at, n uint32 }

const (
	longClass  = 9 // blocks of short lists have up to 256 entries
	pieceClass = longClass
	pieceMax   = 1 << pieceClass
)

// newRowLists makes lists that go with a table.
func newRowLists(t *state.Table) rowLists {
	x := rowLists{lists: state.NewVector[rowList](t), unused: state.NewVector[uint32](t)}
	for class := range x.classes {
		x.classes[class].entries = state.NewVector[entry](t)
	}
	return x
}

// add makes an empty list.
func (x *rowLists) add() uint32 {
	made := rowList{at: x.block(0)}
	if n := x.unused.Len(); n > 0 {
		l := *x.unused.At(uint32(n - 1))
		x.unused.Cut(n - 1)
		*x.lists.At(l) = made
		return l
	}
	x.lists.Add(made)
	return uint32(x.lists.Len() - 1)
}

// drop gives up a list.
func (x *rowLists) drop(l uint32) {
	h := x.lists.At(l)
	x.release(h)
	*h = rowList{}
	x.unused.Add(l)
}

// seen is what the owner notes of a list.
func (x *rowLists) seen(l uint32) *uint32 { return &x.lists.At(l).seen }

// forgetSeen makes what owners note of lists 0.
func (x *rowLists) forgetSeen() {
	for l := range x.lists.Len() {
		*x.seen(uint32(l)) = 0
	}
}

func (x *rowLists) len(l uint32) int { return int(x.lists.At(l).n) }

func (x *rowLists) block(class uint8) uint32 {
	c := &x.classes[class]
	if c.unused > 0 {
		at := c.unused - 1
		c.unused = c.entries.At(at << class).id
		return at
	}
	n := c.entries.Len()
	c.entries.Grow(n + 1<<class)
	return uint32(n >> class)
}

func (x *rowLists) giveBlock(class uint8, at uint32) {
	c := &x.classes[class]
	c.entries.At(at << class).id = c.unused
	c.unused = at + 1
}

// release gives up the blocks of a list.
func (x *rowLists) release(h *rowList) {
	if h.class != longClass {
		x.giveBlock(h.class, h.at)
		return
	}
	for _, p := range x.long[h.at] {
		x.giveBlock(pieceClass, p.at)
	}
	x.long[h.at] = nil
	x.spare = append(x.spare, h.at)
}

// short is the block of a list that is not long.
func (x *rowLists) short(h *rowList) []entry {
	return x.classes[h.class].entries.Slice(h.at<<h.class, 1<<h.class)[:h.n]
}

// parts is how many parts a list has, and part the entries of one of them, in order.
// None but the only one may be empty.
func (x *rowLists) parts(h *rowList) int {
	if h.class == longClass {
		return len(x.long[h.at])
	}
	return 1
}

func (x *rowLists) part(h *rowList, k int) []entry {
	if h.class == longClass {
		return x.of(x.long[h.at][k])
	}
	return x.short(h)
}

// of is the entries of a piece.
func (x *rowLists) of(p piece) []entry {
	return x.classes[pieceClass].entries.Slice(p.at<<pieceClass, pieceMax)[:p.n]
}

// partOf is the number of the part in which the first entries end: those for which
// before is true.
func (x *rowLists) partOf(h *rowList, before func(e entry) bool) int {
	if h.class != longClass {
		return 0
	}
	list := x.long[h.at]
	return sortedBefore(len(list)-1, func(k int) bool { return before(x.of(list[k+1])[0]) })
}

// last is the list's last entry; it must have one.
func (x *rowLists) last(l uint32) entry {
	h := x.lists.At(l)
	end := x.part(h, x.parts(h)-1)
	return end[len(end)-1]
}

// scan calls f for the entries in order until it returns false. f may write the
// entry's id.
func (x *rowLists) scan(l uint32, f func(e *entry) bool) {
	h := x.lists.At(l)
	for k := range x.parts(h) {
		p := x.part(h, k)
		for i := range p {
			if !f(&p[i]) {
				return
			}
		}
	}
}

// insert puts e behind the entries that are not greater.
func (x *rowLists) insert(l uint32, e entry, o *rowOrder) {
	h := x.lists.At(l)
	if h.class != longClass && h.n == 1<<h.class {
		x.grow(h)
	}
	if h.class != longClass {
		h.n++
		insertEntry(x.short(h), e, o)
		return
	}
	k := x.partOf(h, func(first entry) bool { return o.compareEntries(first, e) <= 0 })
	if x.long[h.at][k].n == pieceMax {
		x.split(h, k)
		if o.compareEntries(x.part(h, k+1)[0], e) <= 0 {
			k++
		}
	}
	p := &x.long[h.at][k]
	p.n++
	h.n++
	insertEntry(x.of(*p), e, o)
}

// insertEntry puts e into a sorted part whose last place is free.
func insertEntry(s []entry, e entry, o *rowOrder) {
	i := after(s[:len(s)-1], e, o)
	copy(s[i+1:], s[i:])
	s[i] = e
}

// split makes two pieces of piece k of a long list.
func (x *rowLists) split(h *rowList, k int) {
	list := slices.Insert(x.long[h.at], k+1, piece{at: x.block(pieceClass)})
	x.long[h.at] = list
	p, q := &list[k], &list[k+1]
	rest := x.of(*p)[p.n/2:]
	p.n, q.n = p.n/2, uint32(len(rest))
	copy(x.of(*q), rest)
}

// insertBounded is insert into a list of at most most entries: if it has as many,
// the last one is cut; cut is noEntry if none is. It reports false, and calls
// nothing, if that would be e itself; else it calls before before it changes the
// list. full tells that the list has most entries now.
func (x *rowLists) insertBounded(l uint32, e entry, o *rowOrder, most int, before func()) (cut uint32, full, ok bool) {
	h := x.lists.At(l)
	n := int(h.n)
	if h.class == longClass {
		return x.insertLong(l, e, o, most, before)
	}
	s := x.short(h)
	i := n
	if n > scanMax {
		i = after(s, e, o)
	} else {
		for i > 0 && (s[i-1].prefix > e.prefix || s[i-1].prefix == e.prefix && o.compare(s[i-1].id, e.id, len(o.keys)) > 0) {
			i--
		}
	}
	if i >= most {
		return noEntry, true, false
	}
	before()
	if n >= most {
		cut = s[n-1].id
		copy(s[i+1:], s[i:n-1])
		s[i] = e
		return cut, true, true
	}
	if n == 1<<h.class {
		if h.class+1 == longClass {
			x.grow(h)
			x.insert(l, e, o)
			return noEntry, n+1 == most, true
		}
		x.grow(h)
		s = x.short(h)
	}
	h.n++
	s = s[:h.n]
	copy(s[i+1:], s[i:])
	s[i] = e
	return noEntry, n+1 == most, true
}

// insertLong is insertBounded for a long list.
func (x *rowLists) insertLong(l uint32, e entry, o *rowOrder, most int, before func()) (cut uint32, full, ok bool) {
	n := x.len(l)
	if n >= most && o.compareEntries(e, x.last(l)) >= 0 {
		return noEntry, true, false
	}
	before()
	cut = noEntry
	if n >= most {
		x.cut(l, most-1, func(id uint32) { cut = id })
	}
	x.insert(l, e, o)
	return cut, n+1 >= most, true
}

// noEntry is the id of no entry that is in the state.
const noEntry = 1<<32 - 1

// scanMax is how many entries are looked at one by one rather than searched.
const scanMax = 16

// find is the list's entry e, or nil if it is not there. It may be written until
// the list changes.
func (x *rowLists) find(l uint32, e entry, o *rowOrder) *entry {
	h := x.lists.At(l)
	if h.class != longClass && h.n <= scanMax {
		s := x.short(h)
		for i := range s {
			if s[i].id == e.id {
				return &s[i]
			}
		}
		return nil
	}
	k := x.partOf(h, func(first entry) bool { return o.compareEntries(first, e) <= 0 })
	for ; k >= 0; k-- { // rows that are the same in all columns are equal entries
		p := x.part(h, k)
		for i := after(p, e, o) - 1; i >= 0; i-- {
			if p[i].id == e.id {
				return &p[i]
			}
			if o.compareEntries(p[i], e) != 0 {
				return nil
			}
		}
	}
	return nil
}

// after is where e belongs in a sorted part.
func after(s []entry, e entry, o *rowOrder) int {
	return sortedBefore(len(s), func(i int) bool { return o.compareEntries(s[i], e) <= 0 })
}

// sortedBefore is how many of n things, those that come first, are before.
func sortedBefore(n int, before func(int) bool) int {
	lo, hi := 0, n
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); before(mid) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// grow moves a full block to one of twice the size, the largest to pieces.
func (x *rowLists) grow(h *rowList) {
	bigger := rowList{n: h.n, class: h.class + 1, at: x.block(h.class + 1), seen: h.seen}
	copy(x.classes[bigger.class].entries.Slice(bigger.at<<bigger.class, int(h.n)), x.short(h))
	x.release(h)
	if bigger.class == longClass {
		first := []piece{{at: bigger.at, n: h.n}}
		if n := len(x.spare); n > 0 {
			bigger.at, x.spare = x.spare[n-1], x.spare[:n-1]
			x.long[bigger.at] = first
		} else {
			bigger.at = uint32(len(x.long))
			x.long = append(x.long, first)
		}
	}
	*h = bigger
}

// remove takes e out, which is in the list and equal to no other entry.
func (x *rowLists) remove(l uint32, e entry, o *rowOrder) bool {
	h := x.lists.At(l)
	k := x.partOf(h, func(first entry) bool { return o.compareEntries(first, e) <= 0 })
	p := x.part(h, k)
	i := after(p, e, o) - 1
	if i < 0 || p[i].id != e.id {
		return false
	}
	copy(p[i:], p[i+1:])
	h.n--
	if h.class != longClass {
		return true
	}
	list := x.long[h.at]
	switch list[k].n--; {
	case h.n == 0:
		x.release(h)
		*h = rowList{at: x.block(0), seen: h.seen}
	case list[k].n == 0:
		x.giveBlock(pieceClass, list[k].at)
		x.long[h.at] = slices.Delete(list, k, k+1)
	}
	return true
}

// cut removes the entries from number n on, and tells f of them.
func (x *rowLists) cut(l uint32, n int, f func(id uint32)) {
	h := x.lists.At(l)
	if h.class != longClass {
		for _, e := range x.short(h)[min(n, int(h.n)):] {
			f(e.id)
		}
		h.n = min(h.n, uint32(n))
		return
	}
	for int(h.n) > n {
		list := x.long[h.at]
		k := len(list) - 1
		f(x.of(list[k])[list[k].n-1].id)
		h.n--
		if list[k].n--; list[k].n == 0 && k > 0 {
			x.giveBlock(pieceClass, list[k].at)
			x.long[h.at] = list[:k]
		}
	}
}

// from calls f for the entries in order, without the first ones for which before is
// true, until f returns false.
func (x *rowLists) from(l uint32, before func(e entry) bool, f func(e entry) bool) {
	h := x.lists.At(l)
	first := x.partOf(h, before)
	for k := first; k < x.parts(h); k++ {
		p, i := x.part(h, k), 0
		if k == first {
			i = sortedBefore(len(p), func(i int) bool { return before(p[i]) })
		}
		for ; i < len(p); i++ {
			if !f(p[i]) {
				return
			}
		}
	}
}

// around gives the last of the first entries, those for which before is true, and
// the first of the others.
func (x *rowLists) around(l uint32, before func(e entry) bool) (last, next entry, hasLast, hasNext bool) {
	h := x.lists.At(l)
	k := x.partOf(h, before)
	p := x.part(h, k)
	i := sortedBefore(len(p), func(i int) bool { return before(p[i]) })
	if i > 0 {
		last, hasLast = p[i-1], true
	}
	switch {
	case i < len(p):
		next, hasNext = p[i], true
	case k+1 < x.parts(h):
		next, hasNext = x.part(h, k+1)[0], true
	}
	return last, next, hasLast, hasNext
}
