package ordered

import (
	"bytes"
	"cmp"
	"slices"
	"sort"
)

// Batch is pairs that come in any order, all of which are to be put into a tree, or
// taken out of it. None comes twice.
type Batch struct {
	full []*leaf // pieces of it, since offsets reach only so far
	leaf
}

const batchTextMax = 1 << 30

// Add adds a pair.
func (b *Batch) Add(key []byte, value uint64) {
	if len(b.text) > batchTextMax {
		b.full = append(b.full, &leaf{pairs: b.pairs, text: b.text})
		b.leaf = leaf{}
	}
	prefix, rest := start(key)
	b.pairs = append(b.pairs, pair{prefix: prefix, value: value, off: uint32(len(b.text)), n: uint32(len(rest))})
	b.text = append(b.text, rest...)
}

// Len is how many pairs there are.
func (b *Batch) Len() int {
	n := len(b.pairs)
	for _, l := range b.full {
		n += len(l.pairs)
	}
	return n
}

// Reset takes all pairs out. Their memory is used again.
func (b *Batch) Reset() { b.full, b.pairs, b.text = nil, b.pairs[:0], b.text[:0] }

// Insert puts the pairs into a tree, some at a time, each time within locked, and Delete
// takes them out of it. Between two calls of locked the tree is in order.
func (b *Batch) Insert(t *Tree, locked func(some func())) { b.change(t, locked, (*Tree).insertSome) }

// Delete is told with Insert.
func (b *Batch) Delete(t *Tree, locked func(some func())) { b.change(t, locked, (*Tree).deleteSome) }

// someMax is how many pairs are changed at a time at the least, but for the last.
const someMax = 512

func (b *Batch) change(t *Tree, locked func(some func()), change func(t *Tree, at int, from *leaf, pairs []pair)) {
	for _, l := range append(b.full, &b.leaf) {
		l.sort()
		for pairs := l.pairs; len(pairs) > 0; {
			locked(func() {
				for n := 0; n < someMax && len(pairs) > 0; {
					at, run := t.run(l, pairs)
					change(t, at, l, pairs[:run])
					pairs, n = pairs[run:], n+run
				}
			})
		}
	}
}

// fewMax is how many pairs change one by one in a leaf, and do not make a new one.
const fewMax = 4

// run finds the leaf that the first of sorted pairs belongs to, and how many of those
// that follow do so too.
func (t *Tree) run(from *leaf, pairs []pair) (at, n int) {
	if len(t.leaves) == 0 {
		return 0, min(len(pairs), someMax)
	}
	p := &pairs[0]
	at = t.leafOf(p.prefix, from.rest(p), p.value)
	n = min(len(pairs), someMax)
	if at+1 < len(t.leaves) {
		next := t.leaves[at+1]
		n = 1 + sort.Search(n-1, func(i int) bool { return comparePairs(next, &next.pairs[0], from, &pairs[i+1]) <= 0 })
	}
	return at, n
}

// insertSome merges pairs with a leaf, which may become several.
func (t *Tree) insertSome(at int, from *leaf, pairs []pair) {
	if len(t.leaves) == 0 {
		t.leaves = []*leaf{{}}
	}
	old := t.leaves[at]
	t.n += len(pairs)
	total := len(old.pairs) + len(pairs)
	if len(pairs) <= fewMax && total <= leafMax && len(old.text) <= leafTextMax {
		for i := range pairs {
			p := &pairs[i]
			at, _ := old.place(p.prefix, from.rest(p), p.value)
			old.insert(at, p.prefix, from.rest(p), p.value)
		}
		return
	}
	parts := 1
	if total > leafMax {
		parts = (total + leafFill - 1) / leafFill
	}
	made := make([]*leaf, 0, parts)
	out, i, k := old.empty(), 0, 0
	for done := range total {
		if len(out.pairs) > 0 && (done == (len(made)+1)*total/parts || len(out.text) > leafTextMax) {
			made, out = append(made, out), old.empty()
		}
		if k == len(pairs) || i < len(old.pairs) && comparePairs(old, &old.pairs[i], from, &pairs[k]) < 0 {
			out.take(old, &old.pairs[i])
			i++
		} else {
			out.take(from, &pairs[k])
			k++
		}
	}
	t.leaves = slices.Replace(t.leaves, at, at+1, append(made, out)...)
}

// deleteSome leaves pairs out of a leaf, which may go. Those that are not there do not
// count.
func (t *Tree) deleteSome(at int, from *leaf, pairs []pair) {
	if len(t.leaves) == 0 {
		return
	}
	if len(pairs) <= fewMax {
		for i := range pairs {
			t.deletePair(pairs[i].prefix, from.rest(&pairs[i]), pairs[i].value)
		}
		return
	}
	l, k, kept := t.leaves[at], 0, 0
	for i := range l.pairs {
		p, c := l.pairs[i], 1
		for ; k < len(pairs); k++ {
			if c = comparePairs(from, &pairs[k], l, &p); c >= 0 {
				break
			}
		}
		if k < len(pairs) && c == 0 {
			l.waste += int(p.n)
			k++
			continue
		}
		l.pairs[kept] = p
		kept++
	}
	t.n -= len(l.pairs) - kept
	if l.pairs = l.pairs[:kept]; kept == 0 {
		t.leaves = slices.Delete(t.leaves, at, at+1)
	} else if l.isWasteful() {
		l.tidy()
	}
}

// empty is a leaf that will be about as large.
func (l *leaf) empty() *leaf {
	return &leaf{pairs: make([]pair, 0, leafMax+1), text: make([]byte, 0, min(len(l.text)-l.waste, 64<<10))}
}

// take appends a pair of another leaf.
func (l *leaf) take(from *leaf, p *pair) {
	l.pairs = append(l.pairs, pair{prefix: p.prefix, value: p.value, off: uint32(len(l.text)), n: p.n})
	l.text = append(l.text, from.rest(p)...)
}

func comparePairs(a *leaf, x *pair, b *leaf, y *pair) int {
	if x.prefix != y.prefix {
		return cmp.Compare(x.prefix, y.prefix)
	}
	if c := bytes.Compare(a.rest(x), b.rest(y)); c != 0 {
		return c
	}
	return cmp.Compare(x.value, y.value)
}

// radixMin is how many pairs are sorted by digits rather than by comparison.
const radixMin = 2000

// sort sorts the pairs: by the bytes of their prefixes, where they differ, from the last
// one, and then those that have one prefix in common.
// hot: comparisons would take half of the time that an epoch's changes take.
func (l *leaf) sort() {
	byAll := func(x, y pair) int { return comparePairs(l, &x, l, &y) }
	if len(l.pairs) < radixMin {
		slices.SortFunc(l.pairs, byAll)
		return
	}
	var counts [prefixBytes][256]int
	for i := range l.pairs {
		for d, v := 0, l.pairs[i].prefix; d < prefixBytes; d, v = d+1, v>>8 {
			counts[d][byte(v)]++
		}
	}
	from, to := l.pairs, make([]pair, len(l.pairs))
	for d := range counts {
		c := &counts[d]
		if c[byte(from[0].prefix>>(8*d))] == len(from) {
			continue // they all have the same byte there
		}
		sum := 0
		for v := range c {
			c[v], sum = sum, sum+c[v]
		}
		for i := range from {
			v := byte(from[i].prefix >> (8 * d))
			to[c[v]] = from[i]
			c[v]++
		}
		from, to = to, from
	}
	l.pairs = from
	for i := 0; i < len(from); {
		n := i + 1
		for n < len(from) && from[n].prefix == from[i].prefix {
			n++
		}
		if n > i+1 {
			slices.SortFunc(from[i:n], byAll)
		}
		i = n
	}
}
