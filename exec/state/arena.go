package state

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/invariant"
)

// arena holds the strings of a table's rows. A string lies within one page,
// aligned to words of 8 bytes, the last of which ends in zeros; its View in a row has
// the page's number and the word in Off. A string longer than half a page has a page of its own size.
//
// Strings are only added, never changed, so snapshots share the pages. When there
// is more than twice what was in use after the last collection, the next one
// begins: it goes over the rows a few at a time and counts what they have of each
// page. If there are pages worth it, of which rows have too little, it goes over
// the rows again and copies the strings of those pages into new ones; the old pages
// are given up at the seal that follows. Pages of a table that only grows stay as
// they are: to copy them would be to write them to the next checkpoint again. If no row
// can have given a string up, there is nothing to count.
type arena struct {
	ret      *retention
	pages    []arenaPage
	free     []int // numbers of pages given up
	last     int   // the page that takes small strings, -1: none
	used     int   // bytes in pages
	baseline int   // bytes in pages after the last collection
	dropped  bool  // there may be strings of no row since the last collection began

	shared []batch.View // places of strings that many rows have, by hash; nil: none yet

	// gen counts the collections that began, and resets: strings that are stored
	// and that no row refers to are there until it changes.
	gen      uint32
	counting bool  // a collection counts what rows have of each page
	emptying bool  // a collection copies strings out of old pages
	next     RowID // the first row that the collection has not looked at
	emptied  []int // old pages that no row refers to any more
}

// arenaPage is a page of strings. Its page.version is when it was made.
type arenaPage struct {
	page
	written uint32 // the version that last added to it
	fill    uint32 // bytes
	live    uint32 // bytes that rows were found to have of it, of a page that counts
	counts  bool   // it was full when the collection began to count
	old     bool   // being emptied
}

const (
	wordBytes       = 8
	arenaWordBits   = 13
	arenaPageBytes  = wordBytes << arenaWordBits
	arenaPagesMax   = 1 << (32 - arenaWordBits)
	collectBytesMin = 1 << 20
	collectRowsMin  = 512

	// A page is worth emptying if rows have less than liveParts of fullParts of it,
	// and a collection if it gives up a gainParts-th of all pages.
	liveParts, fullParts = 3, 4
	gainParts            = 8
)

func newArena(ret *retention) arena { return arena{ret: ret, last: -1} }

func viewPage(v batch.View) int { return int(v.Off >> arenaWordBits) }

func viewBytes(pages []arenaPage, v batch.View) []byte {
	if v.Len == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(pages[viewPage(v)].base, uintptr(v.Off&(1<<arenaWordBits-1))*wordBytes)), v.Len)
}

func (a *arena) size() (n int64) {
	for i := range a.pages {
		n += int64(a.pages[i].size)
	}
	return n
}

func (a *arena) store(p []byte, version uint32) batch.View {
	if len(p) == 0 {
		return batch.View{}
	}
	n := uint32(len(p)+wordBytes-1) &^ (wordBytes - 1)
	number := a.last
	switch {
	case n > arenaPageBytes/2:
		number = a.newPage(int(n), version)
	case number < 0 || a.pages[number].fill+n > arenaPageBytes:
		number = a.newPage(arenaPageBytes, version)
		a.last = number
	}
	g := &a.pages[number]
	at := g.fill
	g.fill += n
	g.written = version
	to := unsafe.Add(g.base, at)
	*(*uint64)(unsafe.Add(to, n-wordBytes)) = 0
	copy(unsafe.Slice((*byte)(to), n), p)
	return batch.View{Off: uint32(number)<<arenaWordBits | at/wordBytes, Len: uint32(len(p))}
}

// sharedStrings is how many places of strings are remembered, a power of two.
const sharedStrings = 1 << 12

// storeShared is store for keys: the rows of a group, and groups that have a part
// of their key in common, share one copy of a string where that is remembered.
func (a *arena) storeShared(p []byte, version uint32) batch.View {
	if len(p) == 0 {
		return batch.View{}
	}
	if a.shared == nil {
		a.shared = make([]batch.View, sharedStrings)
	}
	at := &a.shared[hashBytes(p)&(sharedStrings-1)]
	if v := *at; int(v.Len) == len(p) && !a.pages[viewPage(v)].old && string(viewBytes(a.pages, v)) == string(p) {
		return v
	}
	*at = a.store(p, version)
	return *at
}

func (a *arena) newPage(size int, version uint32) int {
	g := arenaPage{page: page{base: a.ret.slabs.get(size), version: version, size: uint32(size)}}
	a.used += size
	if n := len(a.free); n > 0 {
		number := a.free[n-1]
		a.free = a.free[:n-1]
		a.pages[number] = g
		return number
	}
	invariant.Assert(len(a.pages) < arenaPagesMax, "a state table has more than %d pages of strings", arenaPagesMax)
	a.pages = append(a.pages, g)
	return len(a.pages) - 1
}

// collect takes the collection a step further, or begins one if it is time. n is
// how many rows the caller is about to write.
func (t *Table) collect(n int) {
	a := &t.strings
	if !a.counting && !a.emptying {
		if a.used < 2*a.baseline+collectBytesMin || len(a.emptied) > 0 {
			return
		}
		if !a.dropped {
			a.baseline = a.used
			return
		}
		a.count()
	}
	for until := a.next + RowID(max(8*n, collectRowsMin)); a.next < until && a.next < t.end; a.next++ {
		row := t.Read(a.next)
		switch {
		case !isLive(row):
		case a.counting:
			t.countStrings(row)
		default:
			t.moveStrings(a.next, row)
		}
	}
	switch {
	case a.next < t.end:
	case a.counting:
		a.choose()
	default:
		a.finish()
	}
}

// count begins a collection.
func (a *arena) count() {
	a.counting, a.dropped, a.next = true, false, 0
	for i := range a.pages {
		a.pages[i].live, a.pages[i].counts = 0, i != a.last && a.pages[i].base != nil
	}
}

// countStrings adds what a row has to its pages. Strings that rows share count as
// often as rows have them, so that some pages stay that might go.
func (t *Table) countStrings(row unsafe.Pointer) {
	a := &t.strings
	for _, off := range t.layout.strings {
		v := *(*batch.View)(unsafe.Add(row, off))
		if v.Len == 0 || viewPage(v) >= len(a.pages) {
			continue
		}
		g := &a.pages[viewPage(v)]
		g.live = min(g.live+(v.Len+wordBytes-1)&^(wordBytes-1), g.size)
	}
}

// choose ends counting, and begins to empty the pages that are worth it.
func (a *arena) choose() {
	a.counting = false
	live, gain := 0, 0
	for i := range a.pages {
		switch g := &a.pages[i]; {
		case !g.counts:
			live += int(g.size)
		case uint64(g.live)*fullParts < uint64(g.size)*liveParts:
			gain += int(g.size - g.live)
			fallthrough
		default:
			live += int(g.live)
		}
	}
	if a.baseline = live; gain*gainParts < a.used {
		return
	}
	a.emptying, a.next, a.last = true, 0, -1
	a.gen++
	for i := range a.pages {
		g := &a.pages[i]
		g.old = g.counts && uint64(g.live)*fullParts < uint64(g.size)*liveParts
	}
}

// finish ends a collection: no row refers to old pages.
func (a *arena) finish() {
	a.emptying = false
	for i := range a.pages {
		if a.pages[i].old {
			a.emptied = append(a.emptied, i)
		}
	}
}

// moveStrings copies a row's strings out of old pages.
func (t *Table) moveStrings(id RowID, row unsafe.Pointer) {
	a := &t.strings
	for k, off := range t.layout.strings {
		v := *(*batch.View)(unsafe.Add(row, off))
		if v.Len == 0 || viewPage(v) >= len(a.pages) || !a.pages[viewPage(v)].old {
			continue
		}
		row = t.Write(id)
		store := a.store
		if k < t.keyStrings {
			store = a.storeShared
		}
		*(*batch.View)(unsafe.Add(row, off)) = store(viewBytes(a.pages, v), t.version)
	}
}

// Tidy gives up memory that the table has stopped using. Strings and copies of
// rows obtained before must not be used after it. Seal does it too.
func (t *Table) Tidy() {
	a := &t.strings
	if len(a.emptied) > 0 {
		clear(a.shared) // some may lie in pages that go
	}
	for _, i := range a.emptied {
		g := a.pages[i]
		a.used -= int(g.size)
		a.ret.retire(g.page, t.version)
		a.pages[i] = arenaPage{}
		a.free = append(a.free, i)
	}
	a.emptied = a.emptied[:0]
}

// reset gives all pages up.
func (a *arena) reset(version uint32) {
	for i := range a.pages {
		a.ret.retire(a.pages[i].page, version)
	}
	clear(a.pages)
	clear(a.shared)
	*a = arena{gen: a.gen + 1, shared: a.shared, ret: a.ret, pages: a.pages[:0], free: a.free[:0], emptied: a.emptied[:0], last: -1}
}
