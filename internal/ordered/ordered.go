// Package ordered keeps numbers in the order of keys, which are bytes. It knows
// nothing about what either mean, does not lock, and keeps nothing durable.
package ordered

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"sort"
	"unsafe"
)

// Tree is a set of pairs of a key and a value, in the order of keys and then of
// values. It is a list of leaves: with a few hundred pairs in each, to move the
// list's end costs less than levels above it would. A leaf has its keys' bytes in one
// piece, so that the garbage collector sees two pointers for hundreds of pairs.
type Tree struct {
	leaves []*leaf
	n      int
}

// leafMax is how many pairs a leaf has at the most, leafFill how many about when it is
// made of many at once.
// Long keys make smaller leaves.
const (
	leafMax     = 256
	leafFill    = 192
	leafTextMax = 1 << 27
)

type leaf struct {
	pairs []pair
	text  []byte // the keys' bytes after the first eight
	waste int    // bytes of text that no pair has any more
}

// pair is a value with the beginning of its key, filled up with zeros, and where the
// rest is.
type pair struct {
	prefix, value uint64
	off, n        uint32
}

const prefixBytes = 8

// start is the beginning of a key as a number, and the rest.
func start(key []byte) (prefix uint64, rest []byte) {
	if len(key) >= prefixBytes {
		return binary.BigEndian.Uint64(key), key[prefixBytes:]
	}
	for i, c := range key {
		prefix |= uint64(c) << (56 - 8*i)
	}
	return prefix, nil
}

func (l *leaf) rest(p *pair) []byte { return l.text[p.off : p.off+p.n] }

func (l *leaf) compare(i int, prefix uint64, rest []byte, value uint64) int {
	p := &l.pairs[i]
	if p.prefix != prefix {
		return cmp.Compare(p.prefix, prefix)
	}
	if c := bytes.Compare(l.rest(p), rest); c != 0 {
		return c
	}
	return cmp.Compare(p.value, value)
}

// place is where a pair is, or would be, in a leaf.
func (l *leaf) place(prefix uint64, rest []byte, value uint64) (int, bool) {
	return sort.Find(len(l.pairs), func(i int) int { return -l.compare(i, prefix, rest, value) })
}

// leafOf is the last leaf that begins at or before a pair, the first if none does.
func (t *Tree) leafOf(prefix uint64, rest []byte, value uint64) int {
	n := sort.Search(len(t.leaves), func(i int) bool { return t.leaves[i].compare(0, prefix, rest, value) > 0 })
	return max(n-1, 0)
}

// Len is how many pairs there are.
func (t *Tree) Len() int { return t.n }

// Bytes is about how much memory the tree takes.
func (t *Tree) Bytes() (n int64) {
	for _, l := range t.leaves {
		n += int64(cap(l.pairs))*int64(unsafe.Sizeof(pair{})) + int64(cap(l.text))
	}
	return n
}

// Insert adds a pair, and reports false if it is there already.
func (t *Tree) Insert(key []byte, value uint64) bool {
	prefix, rest := start(key)
	if len(t.leaves) == 0 {
		t.leaves = []*leaf{{}}
	}
	at := 0
	if t.n > 0 {
		at = t.leafOf(prefix, rest, value)
	}
	l := t.leaves[at]
	i, there := l.place(prefix, rest, value)
	if there {
		return false
	}
	l.insert(i, prefix, rest, value)
	t.n++
	if len(l.pairs) > leafMax || len(l.text) > leafTextMax && len(l.pairs) > 1 {
		from := len(l.pairs) / 2
		if i == leafMax && at == len(t.leaves)-1 {
			from = leafFill // keys that grow fill their leaves
		}
		t.leaves = slices.Insert(t.leaves, at+1, l.split(from))
	}
	return true
}

func (l *leaf) insert(i int, prefix uint64, rest []byte, value uint64) {
	p := pair{prefix: prefix, value: value, off: uint32(len(l.text)), n: uint32(len(rest))}
	l.text = append(l.text, rest...)
	l.pairs = slices.Insert(l.pairs, i, p)
}

// split takes the pairs from there on out, into a leaf of their own.
func (l *leaf) split(from int) *leaf {
	next := &leaf{pairs: make([]pair, 0, leafMax+1)}
	for i := from; i < len(l.pairs); i++ {
		p := &l.pairs[i]
		next.insert(len(next.pairs), p.prefix, l.rest(p), p.value)
	}
	l.pairs = l.pairs[:from]
	l.tidy()
	return next
}

func (l *leaf) isWasteful() bool { return l.waste > 1024 && l.waste > len(l.text)/2 }

// tidy leaves out the bytes that nobody has any more.
func (l *leaf) tidy() {
	var text []byte
	for i := range l.pairs {
		p := &l.pairs[i]
		rest := l.rest(p)
		p.off = uint32(len(text))
		text = append(text, rest...)
	}
	l.text, l.waste = text, 0
}

// Delete takes a pair out, and reports false if it is not there.
func (t *Tree) Delete(key []byte, value uint64) bool {
	prefix, rest := start(key)
	return t.deletePair(prefix, rest, value)
}

func (t *Tree) deletePair(prefix uint64, rest []byte, value uint64) bool {
	if t.n == 0 {
		return false
	}
	at := t.leafOf(prefix, rest, value)
	l := t.leaves[at]
	i, there := l.place(prefix, rest, value)
	if !there {
		return false
	}
	l.waste += len(rest)
	l.pairs = slices.Delete(l.pairs, i, i+1)
	t.n--
	switch {
	case len(l.pairs) == 0:
		t.leaves = slices.Delete(t.leaves, at, at+1)
	case l.isWasteful():
		l.tidy()
	}
	return true
}

// Same reports whether a key that a cursor has read is this one.
func Same(read, key []byte) bool {
	if len(key) >= prefixBytes {
		return bytes.Equal(read, key)
	}
	prefix, _ := start(key)
	return len(read) == prefixBytes && binary.BigEndian.Uint64(read) == prefix
}

// Cursor stands before a pair, or behind the last one. It is good until the tree
// changes.
type Cursor struct {
	t        *Tree
	leaf, at int
}

// Seek stands before the first pair that is not below key and value.
func (t *Tree) Seek(key []byte, value uint64) Cursor {
	c := Cursor{t: t}
	if t.n == 0 {
		return c
	}
	prefix, rest := start(key)
	c.leaf = t.leafOf(prefix, rest, value)
	c.at, _ = t.leaves[c.leaf].place(prefix, rest, value)
	return c
}

// End stands behind the last pair.
func (t *Tree) End() Cursor { return Cursor{t: t, leaf: len(t.leaves)} }

// Next reads the pair that the cursor stands before and goes behind it; false at the
// end. The key is appended to dst[:0].
func (c *Cursor) Next(dst []byte) (key []byte, value uint64, ok bool) {
	for c.leaf < len(c.t.leaves) && c.at == len(c.t.leaves[c.leaf].pairs) {
		c.leaf, c.at = c.leaf+1, 0
	}
	if c.leaf >= len(c.t.leaves) {
		return dst, 0, false
	}
	key, value = c.read(dst)
	c.at++
	return key, value, true
}

// Back goes before the pair that the cursor stands behind, and reads it; false at
// the beginning.
func (c *Cursor) Back(dst []byte) (key []byte, value uint64, ok bool) {
	for c.at == 0 {
		if c.leaf == 0 {
			return dst, 0, false
		}
		c.leaf--
		c.at = len(c.t.leaves[c.leaf].pairs)
	}
	c.at--
	key, value = c.read(dst)
	return key, value, true
}

func (c *Cursor) read(dst []byte) ([]byte, uint64) {
	l := c.t.leaves[c.leaf]
	p := &l.pairs[c.at]
	dst = binary.BigEndian.AppendUint64(dst[:0], p.prefix)
	return append(dst, l.rest(p)...), p.value
}
