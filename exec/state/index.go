package state

import (
	"unsafe"
)

// index maps hashes to row ids by open addressing. A slot is 8 bytes: 32 bits of
// hash, the tag, which also tell the slot's home, so that growing does not read
// rows; and the row id plus one, 0 for an empty slot.
//
// Integer keys hash in blocks: 64 neighbours share a run of slots, since streams
// tend to touch neighbouring keys together. Where keys are such that this makes
// long probes, the table goes over to hashing each key.
type index struct {
	slabs  *Slabs
	base   unsafe.Pointer
	bits   uint
	mask   uint64
	blocks bool
	own    bool // tags are the keys, integers of 32 bits without a sign, in place of hashes
	used   int
	probes int // steps that inserts took since the index last grew
	added  int // inserts since then
}

const (
	indexBitsMin = 9
	blockBits    = 6
	golden       = 0x9e3779b97f4a7c15
	blockStep    = 1<<blockBits + 1 // to the next block, one slot on
	// blockStepInverse × blockStep = 1 mod 2^64.
	blockStepInverse = 0xfc0fc0fc0fc0fc1
)

func newIndex(slabs *Slabs, blocks bool) index {
	x := index{slabs: slabs, blocks: blocks}
	x.alloc(indexBitsMin)
	return x
}

func (x *index) alloc(bits uint) {
	x.bits, x.mask = bits, 1<<bits-1
	x.base = x.slabs.getZeros(8 << bits)
	x.used, x.probes, x.added = 0, 0, 0
}

func (x *index) slots() []uint64 { return unsafe.Slice((*uint64)(x.base), 1<<x.bits) }

func (x *index) at(i uint64) *uint64 { return (*uint64)(unsafe.Add(x.base, uintptr(i&x.mask)*8)) }

// blockTag is the tag of an integer key in blocks.
func blockTag(k int64) uint64 {
	return uint64(k)>>blockBits*golden>>38<<blockBits | uint64(k)&(1<<blockBits-1)
}

// home is the slot where the search for a tag begins.
func (x *index) home(tag uint64) uint64 {
	if x.blocks {
		return tag>>(32+blockBits-x.bits)<<blockBits | tag&(1<<blockBits-1)
	}
	return tag >> (32 - x.bits)
}

// hashed is the hash that belongs to a tag.
func (x *index) hashed(tag uint64) uint64 {
	switch {
	case !x.own:
		return tag
	case x.blocks:
		return blockTag(int64(tag))
	}
	return hashInt(tag) >> 32
}

func (x *index) step() uint64 {
	if x.blocks {
		return blockStep
	}
	return 1
}

// reserve makes room for n more rows.
func (x *index) reserve(n int) {
	bits := x.bits
	for (x.used+n)*2 > 1<<bits {
		bits++
	}
	if bits != x.bits {
		x.resize(bits)
	}
}

func (x *index) resize(bits uint) {
	old, oldBase, oldBits := x.slots(), x.base, x.bits
	x.alloc(bits)
	step := x.step()
	for _, s := range old {
		if s == 0 {
			continue
		}
		j := x.home(x.hashed(s >> 32))
		for *x.at(j) != 0 {
			j += step
		}
		*x.at(j) = s
		x.used++
	}
	x.slabs.put(oldBase, 8<<oldBits)
}

// insert adds a row that is not there; there must be room.
func (x *index) insert(tag uint64, id RowID) {
	j, step := x.home(x.hashed(tag)), x.step()
	for *x.at(j) != 0 {
		j += step
		x.probes++
	}
	*x.at(j) = tag<<32 | uint64(id+1)
	x.used++
	x.added++
}

// clustered reports whether inserts had to search so long that blocks do not
// suit these keys.
func (x *index) clustered() bool {
	return x.blocks && x.added > 256 && x.probes > 4*x.added
}

// remove takes a row out and closes the gap it leaves.
func (x *index) remove(tag uint64, id RowID) {
	want := tag<<32 | uint64(id+1)
	step, inverse := x.step(), uint64(1)
	if x.blocks {
		inverse = blockStepInverse
	}
	i := x.home(x.hashed(tag))
	for *x.at(i) != want {
		i += step
	}
	for j := i + step; ; j += step {
		s := *x.at(j)
		if s == 0 {
			break
		}
		h := x.home(x.hashed(s >> 32))
		if (i-h)*inverse&x.mask <= (j-h)*inverse&x.mask {
			*x.at(i) = s
			i = j
		}
	}
	*x.at(i) = 0
	x.used--
}

// replace puts another row in the place of one with the same key.
func (x *index) replace(tag uint64, id, by RowID) {
	want, step := tag<<32|uint64(id+1), x.step()
	i := x.home(x.hashed(tag))
	for *x.at(i) != want {
		i += step
	}
	*x.at(i) = tag<<32 | uint64(by+1)
}

// clear empties the index and keeps some of its memory.
func (x *index) clear() {
	if x.bits > indexBitsMin+6 && x.used < 1<<(x.bits-4) {
		bits := x.bits - 2
		x.close()
		x.alloc(bits)
		return
	}
	if x.used > 0 {
		clear(x.slots())
	}
	x.used, x.probes, x.added = 0, 0, 0
}

func (x *index) close() {
	if x.base != nil {
		x.slabs.put(x.base, 8<<x.bits)
		x.base = nil
	}
}
