package state

import "unsafe"

// Blocks are pieces of memory that an operator derives from a table's rows, of any
// size, each by its number: what is too long for a Vector's pieces. They lie where the
// table does, outside of what the garbage collector looks through, and go with it.
type Blocks struct {
	slabs  *Slabs
	all    []block
	unused []uint32 // numbers of those that were given up
	bytes  int64
}

type block struct {
	p     unsafe.Pointer
	bytes int
}

// NewBlocks makes no blocks yet; they go with a table.
func NewBlocks(t *Table) *Blocks {
	b := &Blocks{slabs: t.opt.Slabs}
	t.derived = append(t.derived, b)
	return b
}

// Take makes a block, with whatever is in it.
func (b *Blocks) Take(bytes int) uint32 {
	made := block{b.slabs.get(bytes), bytes}
	b.bytes += int64(bytes)
	if n := len(b.unused); n > 0 {
		i := b.unused[n-1]
		b.unused = b.unused[:n-1]
		b.all[i] = made
		return i
	}
	b.all = append(b.all, made)
	return uint32(len(b.all) - 1)
}

// At is where block i begins. It stays there.
func (b *Blocks) At(i uint32) unsafe.Pointer { return b.all[i].p }

// Give gives up block i.
func (b *Blocks) Give(i uint32) {
	b.slabs.put(b.all[i].p, b.all[i].bytes)
	b.bytes -= int64(b.all[i].bytes)
	b.all[i] = block{}
	b.unused = append(b.unused, i)
}

func (b *Blocks) size() int64 { return b.bytes }

func (b *Blocks) release() {
	for _, x := range b.all {
		if x.p != nil {
			b.slabs.put(x.p, x.bytes)
		}
	}
	b.all, b.unused, b.bytes = nil, nil, 0
}
