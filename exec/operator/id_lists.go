package operator

import (
	"math/bits"
	"slices"
	"unsafe"

	"github.com/millrace/millrace/exec/state"
)

// idLists is where lists of row ids are. Most have one id or none, and lie where they
// are kept; others lie in blocks of a power of two. All of it is outside of the Go heap:
// a list costs the collector nothing.
type idLists struct {
	classes [idClassMax + 1]idClass
	long    *state.Blocks // of the classes above
}

// idList is one list; the zero idList is empty. It lies in a Vector itself, where it
// stays, and is changed through its idLists, but that n may be made less to keep the room.
type idList struct {
	n     uint32
	at    uint32 // the block, in class 0 the only id
	class uint8  // there is room for 1<<class ids
}

// idClass is the blocks of 1<<class ids, side by side.
type idClass struct {
	ids    *state.Vector[uint32]
	unused uint32 // 1 + the block that was given up last, whose first id is the one before
}

const (
	// idClassMax is the class of the longest blocks: a Vector's piece.
	idClassMax = 12
	idBytes    = 4
)

// A block lies within a piece.
var _ [state.VectorPiece - 1<<idClassMax]struct{}

// newIDLists makes room for lists that goes with a table.
func newIDLists(t *state.Table) *idLists {
	x := &idLists{long: state.NewBlocks(t)}
	for class := range x.classes {
		x.classes[class].ids = state.NewVector[uint32](t)
	}
	return x
}

// of is the list's ids. They may be written until the list gets more or fewer.
func (x *idLists) of(l *idList) []uint32 { return x.room(l)[:l.n] }

// room is the list's ids and what is free behind them.
func (x *idLists) room(l *idList) []uint32 {
	if l.class == 0 {
		return unsafe.Slice(&l.at, 1)
	}
	return x.block(l.class, l.at)
}

func (x *idLists) block(class uint8, at uint32) []uint32 {
	if class <= idClassMax {
		return x.classes[class].ids.Slice(at<<class, 1<<class)
	}
	return unsafe.Slice((*uint32)(x.long.At(at)), 1<<class)
}

// add puts id behind the others.
func (x *idLists) add(l *idList, id uint32) {
	switch n := l.n; {
	case n == 0 && l.class == 0:
		l.at = id
	case n < 1<<l.class && l.class <= idClassMax:
		*x.classes[l.class].ids.At(l.at<<l.class + n) = id
	default:
		if n == 1<<l.class {
			x.move(l, l.class+1)
		}
		x.room(l)[n] = id
	}
	l.n++
}

// insert puts id before what is at place i.
func (x *idLists) insert(l *idList, i int, id uint32) {
	x.add(l, id)
	ids := x.of(l)
	copy(ids[i+1:], ids[i:])
	ids[i] = id
}

// extend makes the list n ids longer, with whatever is in them.
func (x *idLists) extend(l *idList, n int) {
	if more := l.n + uint32(n); more > 1<<l.class {
		x.move(l, uint8(bits.Len32(more-1)))
	}
	l.n += uint32(n)
}

// cut forgets all but the first n ids.
func (x *idLists) cut(l *idList, n int) {
	l.n = uint32(n)
	switch room := 1 << l.class; {
	case n == 0:
		x.clear(l)
	case n <= room/4:
		x.move(l, uint8(bits.Len32(l.n-1)))
	}
}

// remove takes out what is at place i.
func (x *idLists) remove(l *idList, i int) {
	x.cut(l, len(slices.Delete(x.of(l), i, i+1)))
}

// empty makes the list empty and keeps its room for others, unless that is for more
// than most.
func (x *idLists) empty(l *idList, most int) {
	if l.n = 0; 1<<l.class > most {
		x.clear(l)
	}
}

// clear makes the list empty.
func (x *idLists) clear(l *idList) {
	x.give(l)
	*l = idList{}
}

// move takes the ids to a block of another class.
func (x *idLists) move(l *idList, class uint8) {
	ids := x.of(l)
	var at uint32
	switch {
	case class == 0:
		at = ids[0]
	case class <= idClassMax:
		at = x.classes[class].take(class)
		copy(x.block(class, at), ids)
	default:
		at = x.long.Take(idBytes << class)
		copy(x.block(class, at), ids)
	}
	x.give(l)
	l.at, l.class = at, class
}

// give gives up a list's block.
func (x *idLists) give(l *idList) {
	switch {
	case l.class > idClassMax:
		x.long.Give(l.at)
	case l.class > 0:
		c := &x.classes[l.class]
		*c.ids.At(l.at << l.class) = c.unused
		c.unused = l.at + 1
	}
}

// take is a block that nobody uses.
func (c *idClass) take(class uint8) uint32 {
	if c.unused > 0 {
		at := c.unused - 1
		c.unused = *c.ids.At(at << class)
		return at
	}
	n := c.ids.Len()
	c.ids.Grow(n + 1<<class)
	return uint32(n >> class)
}
