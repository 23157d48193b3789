package ordered

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace/millrace/test/random"
)

type modelPair struct {
	key   string
	value uint64
}

func byKey(a, b modelPair) int {
	return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value))
}

// randomKey ends in a byte that is nowhere else: no key begins with another, and
// none is told apart by zeros at its end alone.
func randomKey(rng *rand.Rand) string {
	b := make([]byte, rng.IntN(14))
	for i := range b {
		b[i] = byte(rng.IntN(3))
	}
	return string(append(b, 9))
}

func TestTreeEqualsModel(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	var model []modelPair
	var b Batch
	for range 1500 {
		p := modelPair{randomKey(rng), uint64(rng.IntN(3))}
		if i, there := slices.BinarySearchFunc(model, p, byKey); !there {
			model = slices.Insert(model, i, p)
			b.Add([]byte(p.key), p.value)
		}
	}
	tree := &Tree{}
	b.Insert(tree, func(some func()) { some() })
	compare(t, tree, model, "")
	for round := range 20_000 {
		if round%400 == 0 { // many at once
			model = changeMany(rng, tree, model, round%800 == 0)
			compare(t, tree, model, randomKey(rng))
		}
		p := modelPair{randomKey(rng), uint64(rng.IntN(3))}
		i, there := slices.BinarySearchFunc(model, p, byKey)
		// The tree shrinks to little, and grows again.
		if remove := rng.IntN(10) < 3+4*(round/5000%2); remove {
			if len(model) > 0 && rng.IntN(2) == 0 {
				i = rng.IntN(len(model))
				p, there = model[i], true
			}
			if tree.Delete([]byte(p.key), p.value) != there {
				t.Fatalf("delete %q %d: there is %v", p.key, p.value, there)
			}
			if there {
				model = slices.Delete(model, i, i+1)
			}
		} else {
			if tree.Insert([]byte(p.key), p.value) == there {
				t.Fatalf("insert %q %d: there is %v", p.key, p.value, there)
			}
			if !there {
				model = slices.Insert(model, i, p)
			}
		}
		if round%50 == 0 {
			compare(t, tree, model, randomKey(rng))
		}
	}
	if tree.Len() != len(model) {
		t.Errorf("%d pairs, want %d", tree.Len(), len(model))
	}
}

// compare reads up and down from a key.
func compare(t *testing.T, tree *Tree, model []modelPair, from string) {
	t.Helper()
	at, _ := slices.BinarySearchFunc(model, modelPair{from, 1}, byKey)
	c := tree.Seek([]byte(from), 1)
	back := c
	var key []byte
	same := func(p modelPair, value uint64) {
		t.Helper()
		if !bytes.Equal(bytes.TrimRight(key, "\x00"), bytes.TrimRight([]byte(p.key), "\x00")) || value != p.value {
			t.Fatalf("%q %d, want %q %d", key, value, p.key, p.value)
		}
	}
	for _, p := range model[at:] {
		k, value, ok := c.Next(key)
		if key = k; !ok {
			t.Fatalf("the tree ends before %q", p.key)
		}
		same(p, value)
	}
	if _, _, ok := c.Next(nil); ok {
		t.Fatal("the tree goes on")
	}
	for i := at - 1; i >= 0; i-- {
		k, value, ok := back.Back(key)
		if key = k; !ok {
			t.Fatalf("the tree begins after %q", model[i].key)
		}
		same(model[i], value)
	}
	if _, _, ok := back.Back(nil); ok {
		t.Fatal("the tree goes back further")
	}
}

// changeMany puts many pairs into the tree, or takes many out of it, some of which are
// not there.
func changeMany(rng *rand.Rand, tree *Tree, model []modelPair, insert bool) []modelPair {
	var b Batch
	seen := map[modelPair]bool{}
	for range rng.IntN(5000) {
		p := modelPair{randomKey(rng), uint64(rng.IntN(3))}
		if rng.IntN(2) == 0 { // close to each other
			p.key = "\x01" + p.key
		}
		if !insert && len(model) > 0 && rng.IntN(2) == 0 {
			p = model[rng.IntN(len(model))]
		}
		i, there := slices.BinarySearchFunc(model, p, byKey)
		if seen[p] || insert && there {
			continue
		}
		seen[p] = true
		b.Add([]byte(p.key), p.value)
		switch {
		case insert:
			model = slices.Insert(model, i, p)
		case there:
			model = slices.Delete(model, i, i+1)
		}
	}
	some := func(some func()) {
		some()
		if tree.Len() > 0 {
			tree.Insert(nil, 7) // it is in order in between
			tree.Delete(nil, 7)
		}
	}
	if insert {
		b.Insert(tree, some)
	} else {
		b.Delete(tree, some)
	}
	return model
}

func BenchmarkInsertDelete(b *testing.B) {
	var build Batch
	key := func(n uint64) []byte {
		return []byte{1, byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 0, 0}
	}
	const rows = 1 << 20
	for i := range uint64(rows) {
		build.Add(key(i*2), i)
	}
	t := &Tree{}
	build.Insert(t, func(some func()) { some() })
	rng := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		n := rng.Uint64N(rows)
		t.Insert(key(n*2+1), n)
		t.Delete(key(n*2+1), n)
	}
}
