package state

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/types"
)

// Chains finds all rows of a table whose first keys are equal, also where the table
// is exact: an index from those keys to the newest such row, and links from each row
// to the next older one. Like the table's index it lies outside the Go heap, holds
// no pointers, is no part of checkpoints and is made from the rows. Which rows are in
// a chain is up to the caller: Link and Unlink say so, except that all rows there are
// at the beginning are linked.
type Chains struct {
	t      *Table
	prefix int
	ints   bool // the keys are integers
	byInt  bool // there is one key, an integer
	linked bool // rows know the next newer one, and can be unlinked
	index  index
	// links has the next older row of each row and, if rows are unlinked at all, the
	// next newer one, NoRow for none.
	links   []unsafe.Pointer
	width   uintptr  // of a row's links
	seen    []uint64 // touch's
	touched uint64
}

const (
	linkBits  = 13 // links of 1<<linkBits rows are one piece of memory
	linkBytes = 4  // of one
)

// Chain makes chains of the rows that share the first prefix keys; unlink says that
// rows will be taken out of them. A table has at most one such set; it goes with the
// table.
func (t *Table) Chain(prefix int, unlink bool) *Chains {
	invariant.Assert(t.chains == nil && prefix <= t.keys, "table %q is chained by %d keys, or again", t.schema.Name, prefix)
	c := &Chains{t: t, prefix: prefix, ints: true, linked: unlink, width: linkBytes}
	if unlink {
		c.width = 2 * linkBytes
	}
	for i := range prefix {
		c.ints = c.ints && t.slots[i].phys == types.PhysInt
	}
	c.byInt = c.ints && prefix == 1
	c.index = newIndex(t.opt.Slabs, c.byInt)
	c.index.own = c.byInt
	t.chains = c
	for id := RowID(0); id < t.end; id++ {
		if row := t.Read(id); isLive(row) {
			c.Reserve(1)
			c.Link(id, hashRow(t.layout, t.strings.pages, row, prefix))
		}
	}
	return c
}

// Reserve makes room for n more rows to be linked.
func (c *Chains) Reserve(n int) {
	if c.index.clustered() {
		c.leaveBlocks()
	}
	c.index.reserve(n)
}

// leaveBlocks hashes each integer key from now on.
func (c *Chains) leaveBlocks() {
	old := c.index
	c.index.blocks = false
	c.index.alloc(old.bits)
	for _, s := range old.slots() {
		if s != 0 {
			id := RowID(s) - 1
			k := uint64(c.firstInt(id))
			if !c.index.own {
				k = hashInt(k) >> 32
			}
			c.index.insert(k, id)
		}
	}
	old.close()
}

// widen makes room for integers of more than 32 bits: tags are hashes from now on.
// Rows stay where they are in the index.
func (c *Chains) widen() {
	for i, s := range c.index.slots() {
		if s != 0 {
			c.index.slots()[i] = c.index.hashed(s>>32)<<32 | s&(1<<32-1)
		}
	}
	c.index.own = false
}

func (c *Chains) firstInt(id RowID) int64 {
	return *(*int64)(unsafe.Add(c.t.Read(id), c.t.slots[0].off))
}

// tag is the index's tag of a row, h the hash of its first keys.
func (c *Chains) tag(id RowID, h uint64) uint64 {
	switch {
	case c.index.own:
		return uint64(c.firstInt(id))
	case c.index.blocks:
		return blockTag(c.firstInt(id))
	}
	return h >> 32
}

// Find gives, by physical row, the newest row of each selected key, NoRow for
// none. hashes are the keys' as HashColumns makes them; no key may be null.
func (c *Chains) Find(keys []*batch.Column, hashes []uint64, sel []uint16, heads []RowID) {
	c.Touch(keys, hashes, sel)
	if c.byInt {
		c.findInts(keys[0].Int, hashes, sel, heads)
		return
	}
	for _, i := range sel {
		heads[i] = c.find(keys, int(i), hashes[i])
	}
}

// findInts is Find for one integer.
// hot: it must not call anything, and where tags are keys it reads no rows.
func (c *Chains) findInts(keys []int64, hashes []uint64, sel []uint16, heads []RowID) {
	x, t, step, off := c.index, c.t, c.index.step(), c.t.slots[0].off
	base, mask := x.base, x.mask
	for _, i := range sel {
		k, hash, head := keys[i], hashes[i]>>32, NoRow
		if x.blocks {
			hash = blockTag(k)
		}
		tag := hash
		if x.own {
			tag = uint64(k) // no tag is equal to one of more than 32 bits
		}
		for j := x.home(hash); ; j += step {
			s := *(*uint64)(unsafe.Add(base, uintptr(j&mask)*8))
			if s == 0 {
				break
			}
			if s>>32 != tag {
				continue
			}
			if id := RowID(s) - 1; x.own || *(*int64)(unsafe.Add(t.Read(id), off)) == k {
				head = id
				break
			}
		}
		heads[i] = head
	}
}

func (c *Chains) find(keys []*batch.Column, i int, h uint64) RowID {
	t, x := c.t, &c.index
	for j := h >> (64 - x.bits); ; j++ {
		s := *x.at(j)
		if s == 0 {
			return NoRow
		}
		if s>>32 != h>>32 {
			continue
		}
		id := RowID(s) - 1
		row := t.Read(id)
		if c.ints {
			if t.sameInts(row, keys[:c.prefix], i) {
				return id
			}
		} else if t.sameKey(row, keys[:c.prefix], i, false) {
			return id
		}
	}
}

// Touch brings the slots and rows that keys lead to into the cache, as
// Table.touch does.
func (c *Chains) Touch(keys []*batch.Column, hashes []uint64, sel []uint16) {
	if c.index.bits < touchBits {
		return
	}
	if cap(c.seen) < len(sel) {
		c.seen = make([]uint64, batch.Room(len(sel)))
	}
	seen := c.seen[:len(sel)]
	base, shift := c.index.base, 64-c.index.bits
	if c.index.blocks {
		ints := keys[0].Int
		for k, i := range sel {
			seen[k] = *c.index.at(c.index.home(blockTag(ints[i])))
		}
	} else {
		for k, i := range sel {
			seen[k] = *(*uint64)(unsafe.Add(base, hashes[i]>>shift*8))
		}
	}
	sum := uint64(0)
	for _, s := range seen {
		if id := RowID(s) - 1; id < c.t.end {
			if !c.index.own {
				sum += *header(c.t.Read(id))
			}
			if c.linked {
				sum += uint64(*c.newer(id))
			}
		}
	}
	c.touched = sum // so that the loads are made
}

// Next is the next older row of id's chain, NoRow after the oldest.
func (c *Chains) Next(id RowID) RowID { return *c.older(id) }

// Head is the newest row of id's chain, of chains from which rows are unlinked.
func (c *Chains) Head(id RowID) RowID {
	for *c.newer(id) != NoRow {
		id = *c.newer(id)
	}
	return id
}

func (c *Chains) older(id RowID) *RowID {
	return (*RowID)(unsafe.Add(c.links[id>>linkBits], uintptr(id&(1<<linkBits-1))*c.width))
}

func (c *Chains) newer(id RowID) *RowID {
	return (*RowID)(unsafe.Add(unsafe.Pointer(c.older(id)), linkBytes))
}

// Link makes a row the newest of its chain and reports whether it is the only
// one. h is the hash of its first keys; there must be room.
func (c *Chains) Link(id RowID, h uint64) (first bool) {
	c.grow(id)
	if c.linked {
		*c.newer(id) = NoRow
	}
	if c.index.own && uint64(c.firstInt(id))>>32 != 0 {
		c.widen()
	}
	row, x, tag := c.t.Read(id), &c.index, c.tag(id, h)
	step := x.step()
	for j := x.home(x.hashed(tag)); ; j += step {
		s := x.at(j)
		if *s == 0 {
			*s = tag<<32 | uint64(id+1)
			x.used++
			x.added++
			*c.older(id) = NoRow
			return true
		}
		if *s>>32 != tag {
			x.probes++
			continue
		}
		head := RowID(*s) - 1
		if !c.same(row, c.t.Read(head)) {
			continue
		}
		*c.older(id) = head
		if c.linked {
			*c.newer(head) = id
		}
		*s = tag<<32 | uint64(id+1)
		return false
	}
}

// LinkAll is Link for the rows of a batch: ids and hashes are by physical row, as are
// keys, which the rows have.
func (c *Chains) LinkAll(keys []*batch.Column, hashes []uint64, sel []uint16, ids []RowID) {
	if c.byInt {
		c.linkInts(keys[0].Int, hashes, sel, ids)
		return
	}
	for _, i := range sel {
		c.Link(ids[i], hashes[i])
	}
}

// linkInts is LinkAll for one integer.
// hot: it must not call anything for rows that come to a chain that is there, and
// where tags are keys it reads no rows.
func (c *Chains) linkInts(keys []int64, hashes []uint64, sel []uint16, ids []RowID) {
	if c.index.own && !fit32(keys, sel) {
		c.widen()
	}
	t, x, step, off := c.t, &c.index, c.index.step(), c.t.slots[0].off
	base, mask, blocks, own := x.base, x.mask, x.blocks, x.own
	for _, i := range sel {
		id, k, hash := ids[i], keys[i], hashes[i]>>32
		if int(id>>linkBits) >= len(c.links) {
			c.grow(id)
		}
		if blocks {
			hash = blockTag(k)
		}
		tag := hash
		if own {
			tag = uint64(k)
		}
		entry, older := tag<<32|uint64(id+1), NoRow
		for j := x.home(hash); ; j += step {
			s := (*uint64)(unsafe.Add(base, uintptr(j&mask)*8))
			if *s == 0 {
				*s = entry
				x.used++
				x.added++
				break
			}
			if *s>>32 != tag {
				x.probes++
				continue
			}
			if head := RowID(*s) - 1; own || *(*int64)(unsafe.Add(t.Read(head), off)) == k {
				older, *s = head, entry
				if c.linked {
					*c.newer(head) = id
				}
				break
			}
		}
		*c.older(id) = older
		if c.linked {
			*c.newer(id) = NoRow
		}
	}
}

// fit32 reports whether integers have 32 bits without a sign.
func fit32(keys []int64, sel []uint16) bool {
	all := int64(0)
	for _, i := range sel {
		all |= keys[i]
	}
	return uint64(all)>>32 == 0
}

// grow makes the links of a row.
func (c *Chains) grow(id RowID) {
	for int(id>>linkBits) >= len(c.links) {
		c.links = append(c.links, c.t.opt.Slabs.get(int(c.width)<<linkBits))
	}
}

// Unlink takes a row out of its chain and reports whether it was the only one. h
// is the hash of its first keys, which must not have changed.
func (c *Chains) Unlink(id RowID, h uint64) (last bool) {
	if !c.linked { // not asserted outright: the message's arguments would be allocated each time
		invariant.Assert(false, "a row of table %q is unlinked", c.t.schema.Name)
	}
	older, newer := *c.older(id), *c.newer(id)
	if older != NoRow {
		*c.newer(older) = newer
	}
	if newer != NoRow {
		*c.older(newer) = older
		return false
	}
	if older == NoRow {
		c.index.remove(c.tag(id, h), id)
		return true
	}
	c.index.replace(c.tag(id, h), id, older)
	return false
}

// Hash is the hash of a row's first keys.
func (c *Chains) Hash(id RowID) uint64 {
	return hashRow(c.t.layout, c.t.strings.pages, c.t.Read(id), c.prefix)
}

// same compares the first keys of two rows, none of which is null.
func (c *Chains) same(a, b unsafe.Pointer) bool {
	if c.ints {
		from, to := c.t.firstKey(), c.t.firstKey()+uintptr(8*c.prefix)
		for off := from; off < to; off += 8 {
			if *(*int64)(unsafe.Add(a, off)) != *(*int64)(unsafe.Add(b, off)) {
				return false
			}
		}
		return true
	}
	for k := range c.prefix {
		s := &c.t.slots[k]
		p, q := unsafe.Add(a, s.off), unsafe.Add(b, s.off)
		same := false
		switch s.phys {
		case types.PhysFloat:
			same = floatBits(*(*float64)(p)) == floatBits(*(*float64)(q))
		case types.PhysDecimal:
			d, e := *(*types.Decimal)(p), *(*types.Decimal)(q)
			same = d == e || d.Cmp(e) == 0
		case types.PhysBytes:
			same = c.t.loose.same(k, c.t.Bytes(*(*batch.View)(p)), c.t.Bytes(*(*batch.View)(q)))
		case types.PhysInterval:
			same = sameInterval(*(*types.Interval)(p), *(*types.Interval)(q))
		case types.PhysUUID:
			same = *(*[16]byte)(p) == *(*[16]byte)(q)
		default:
			same = *(*int64)(p) == *(*int64)(q)
		}
		if !same {
			return false
		}
	}
	return true
}

func (c *Chains) size() int64 {
	return int64(8)<<c.index.bits + int64(len(c.links))*int64(c.width)<<linkBits
}

func (c *Chains) reset() {
	c.index.clear()
	c.giveLinks()
}

func (c *Chains) close() {
	c.index.close()
	c.giveLinks()
}

func (c *Chains) giveLinks() {
	for _, p := range c.links {
		c.t.opt.Slabs.put(p, int(c.width)<<linkBits)
	}
	c.links = nil
}
