package operator

import "slices"

// entry is a row in a sorted list, with the prefix of its order.
type entry struct {
	prefix uint64
	id     uint32
}

// rowLists are sorted lists of rows, one per group. Most lists are short: they lie
// side by side in blocks of a power of two that hold no pointers. A long one is a
// sequence of pieces, so that no change moves more than one piece.
type rowLists struct {
	lists   []rowList
	unused  []uint32
	classes [listClasses]blockClass
	long    []longList
	spare   []uint32 // unused numbers of long
}

// rowList is one list: class says how long its block is, or that it is long.
type rowList struct {
	n     uint32
	at    uint32
	seen  uint32 // whatever its owner notes; 0 in a list that was dropped
	class uint8
}

// blockClass is the blocks of 1<<class entries.
type blockClass struct {
	chunks [][]entry
	next   uint32
	unused []uint32
}

type longList [][]entry

const (
	listClasses = 9 // up to 256 entries
	longClass   = listClasses
	chunkBits   = 12
	pieceMax    = 512
)

// add makes an empty list.
func (x *rowLists) add() uint32 {
	if n := len(x.unused); n > 0 {
		l := x.unused[n-1]
		x.unused = x.unused[:n-1]
		x.lists[l] = rowList{at: x.block(0)}
		return l
	}
	x.lists = append(x.lists, rowList{at: x.block(0)})
	return uint32(len(x.lists) - 1)
}

// drop gives up a list.
func (x *rowLists) drop(l uint32) {
	x.release(&x.lists[l])
	x.lists[l] = rowList{}
	x.unused = append(x.unused, l)
}

// forgetSeen makes what owners note of lists 0.
func (x *rowLists) forgetSeen() {
	for i := range x.lists {
		x.lists[i].seen = 0
	}
}

func (x *rowLists) len(l uint32) int { return int(x.lists[l].n) }

func (x *rowLists) block(class uint8) uint32 {
	c := &x.classes[class]
	if n := len(c.unused); n > 0 {
		at := c.unused[n-1]
		c.unused = c.unused[:n-1]
		return at
	}
	at := c.next
	c.next++
	if int(at>>(chunkBits-class)) == len(c.chunks) {
		c.chunks = append(c.chunks, make([]entry, 1<<chunkBits))
	}
	return at
}

func (x *rowLists) release(h *rowList) {
	if h.class == longClass {
		x.long[h.at] = nil
		x.spare = append(x.spare, h.at)
		return
	}
	c := &x.classes[h.class]
	c.unused = append(c.unused, h.at)
}

// short is the block of a list that is not long.
func (x *rowLists) short(h *rowList) []entry {
	chunk := x.classes[h.class].chunks[h.at>>(chunkBits-h.class)]
	off := h.at & (1<<(chunkBits-h.class) - 1) << h.class
	return chunk[off : off+h.n : off+1<<h.class]
}

// pieces is the list's entries in order, in parts.
func (x *rowLists) pieces(l uint32, one *[1][]entry) [][]entry {
	h := &x.lists[l]
	if h.class == longClass {
		return x.long[h.at]
	}
	one[0] = x.short(h)
	return one[:]
}

// last is the list's last entry; it must have one.
func (x *rowLists) last(l uint32) entry {
	var one [1][]entry
	p := x.pieces(l, &one)
	end := p[len(p)-1]
	return end[len(end)-1]
}

// scan calls f for the entries in order until it returns false. f may write the
// entry's id.
func (x *rowLists) scan(l uint32, f func(e *entry) bool) {
	var one [1][]entry
	for _, p := range x.pieces(l, &one) {
		for i := range p {
			if !f(&p[i]) {
				return
			}
		}
	}
}

// insert puts e behind the entries that are not greater.
func (x *rowLists) insert(l uint32, e entry, o *rowOrder) {
	h := &x.lists[l]
	if h.class != longClass && h.n == 1<<h.class {
		x.grow(h)
	}
	if h.class != longClass {
		s := x.short(h)
		i := after(s, e, o)
		h.n++
		s = s[:h.n]
		copy(s[i+1:], s[i:])
		s[i] = e
		return
	}
	list := x.long[h.at]
	k := sortedBefore(len(list)-1, func(k int) bool { return o.compareEntries(list[k+1][0], e) <= 0 })
	list[k] = slices.Insert(list[k], after(list[k], e, o), e)
	h.n++
	if n := len(list[k]); n > pieceMax {
		rest := append(make([]entry, 0, pieceMax+1), list[k][n/2:]...)
		list[k] = list[k][:n/2]
		x.long[h.at] = slices.Insert(list, k+1, rest)
	}
}

// insertBounded is insert into a list of at most most entries: if it has as many,
// the last one is cut; cut is noEntry if none is. It reports false, and calls
// nothing, if that would be e itself; else it calls before before it changes the
// list. full tells that the list has most entries now.
func (x *rowLists) insertBounded(l uint32, e entry, o *rowOrder, most int, before func()) (cut uint32, full, ok bool) {
	h := &x.lists[l]
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
	h := &x.lists[l]
	if h.class != longClass && h.n <= scanMax {
		s := x.short(h)
		for i := range s {
			if s[i].id == e.id {
				return &s[i]
			}
		}
		return nil
	}
	var one [1][]entry
	pieces := x.pieces(l, &one)
	k := sortedBefore(len(pieces)-1, func(k int) bool { return o.compareEntries(pieces[k+1][0], e) <= 0 })
	for ; k >= 0; k-- { // rows that are the same in all columns are equal entries
		for i := after(pieces[k], e, o) - 1; i >= 0; i-- {
			if pieces[k][i].id == e.id {
				return &pieces[k][i]
			}
			if o.compareEntries(pieces[k][i], e) != 0 {
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
	old := x.short(h)
	if h.class+1 < longClass {
		bigger := rowList{n: h.n, class: h.class + 1, at: x.block(h.class + 1), seen: h.seen}
		copy(x.short(&bigger), old)
		x.release(h)
		*h = bigger
		return
	}
	piece := append(make([]entry, 0, pieceMax+1), old...)
	x.release(h)
	h.class = longClass
	if n := len(x.spare); n > 0 {
		h.at, x.spare = x.spare[n-1], x.spare[:n-1]
		x.long[h.at] = longList{piece}
		return
	}
	h.at = uint32(len(x.long))
	x.long = append(x.long, longList{piece})
}

// remove takes e out, which is in the list and equal to no other entry.
func (x *rowLists) remove(l uint32, e entry, o *rowOrder) bool {
	h := &x.lists[l]
	if h.class != longClass {
		s := x.short(h)
		i := after(s, e, o) - 1
		if i < 0 || s[i].id != e.id {
			return false
		}
		copy(s[i:], s[i+1:])
		h.n--
		return true
	}
	list := x.long[h.at]
	k := sortedBefore(len(list)-1, func(k int) bool { return o.compareEntries(list[k+1][0], e) <= 0 })
	i := after(list[k], e, o) - 1
	if i < 0 || list[k][i].id != e.id {
		return false
	}
	list[k] = slices.Delete(list[k], i, i+1)
	h.n--
	if len(list[k]) == 0 && len(list) > 1 {
		x.long[h.at] = slices.Delete(list, k, k+1)
	}
	if h.n == 0 {
		x.release(h)
		*h = rowList{at: x.block(0), seen: h.seen}
	}
	return true
}

// cut removes the entries from number n on, and tells f of them.
func (x *rowLists) cut(l uint32, n int, f func(id uint32)) {
	h := &x.lists[l]
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
		p := list[k]
		f(p[len(p)-1].id)
		h.n--
		if list[k] = p[:len(p)-1]; len(list[k]) == 0 && k > 0 {
			x.long[h.at] = list[:k]
		}
	}
}

// from calls f for the entries in order, without the first ones for which before is
// true, until f returns false.
func (x *rowLists) from(l uint32, before func(e entry) bool, f func(e entry) bool) {
	var one [1][]entry
	pieces := x.pieces(l, &one)
	first := sortedBefore(len(pieces)-1, func(k int) bool { return before(pieces[k+1][0]) })
	for k := first; k < len(pieces); k++ {
		i := 0
		if k == first {
			i = sortedBefore(len(pieces[k]), func(i int) bool { return before(pieces[k][i]) })
		}
		for ; i < len(pieces[k]); i++ {
			if !f(pieces[k][i]) {
				return
			}
		}
	}
}

// around gives the last of the first entries, those for which before is true, and
// the first of the others.
func (x *rowLists) around(l uint32, before func(e entry) bool) (last, next entry, hasLast, hasNext bool) {
	var one [1][]entry
	pieces := x.pieces(l, &one)
	k := sortedBefore(len(pieces)-1, func(k int) bool { return before(pieces[k+1][0]) })
	i := sortedBefore(len(pieces[k]), func(i int) bool { return before(pieces[k][i]) })
	if i > 0 {
		last, hasLast = pieces[k][i-1], true
	}
	switch {
	case i < len(pieces[k]):
		next, hasNext = pieces[k][i], true
	case k+1 < len(pieces):
		next, hasNext = pieces[k+1][0], true
	}
	return last, next, hasLast, hasNext
}
