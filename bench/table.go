package bench

import "math/bits"

// ids numbers keys densely in order of first sight: what a limit kernel needs of
// a hash table and no more. Neighbouring keys share cache lines.
type ids struct {
	slots []uint64 // low 32 bits of the key, number + 1
	shift uint
	keys  []int64
	// spread is for keys whose neighbours are not touched together.
	spread bool
}

func newIDs() *ids { return &ids{slots: make([]uint64, 1<<14), shift: 64 - 14} }

func (t *ids) home(k int64) uint64 {
	if t.spread {
		return mix(uint64(k)) >> t.shift
	}
	return uint64(k)>>6*0x9e3779b97f4a7c15>>(t.shift+6)<<6 | uint64(k)&63
}

// reserve makes room for n more keys.
func (t *ids) reserve(n int) {
	for (len(t.keys)+n)*2 > len(t.slots) {
		t.shift--
		t.slots = make([]uint64, 2*len(t.slots))
		mask := uint64(len(t.slots) - 1)
		for i, k := range t.keys {
			j := t.home(k)
			for t.slots[j&mask] != 0 {
				j++
			}
			t.slots[j&mask] = uint64(k)<<32 | uint64(i+1)
		}
	}
}

// of is the number of key k, and whether it is new.
func (t *ids) of(k int64) (uint32, bool) {
	mask, tag := uint64(len(t.slots)-1), uint64(k)<<32
	for j := t.home(k); ; j++ {
		s := t.slots[j&mask]
		if s == 0 {
			t.keys = append(t.keys, k)
			t.slots[j&mask] = tag | uint64(len(t.keys))
			return uint32(len(t.keys) - 1), true
		}
		if s>>32<<32 == tag {
			if i := uint32(s) - 1; t.keys[i] == k {
				return i, false
			}
		}
	}
}

func (t *ids) clear() {
	clear(t.slots)
	t.keys = t.keys[:0]
}

// grow returns s with at least n elements.
func grow[T any](s []T, n int) []T {
	if n > len(s) {
		s = append(s, make([]T, n-len(s)+len(s)/2)...)
	}
	return s
}

func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^0xa0761d6478bd642f, 0xe7037ed1a0b428db)
	return hi ^ lo
}

// names numbers strings densely.
type names struct {
	slots []name
	n     uint32
}

type name struct {
	hash uint64
	text string
	id   uint32
}

func newNames() *names { return &names{slots: make([]name, 1<<15)} }

// of is the number of string s, whose bytes stay where they are.
func (t *names) of(s string) uint32 {
	var w uint64
	for i := max(0, len(s)-8); i < len(s); i++ {
		w = w<<8 | uint64(s[i])
	}
	h := mix(w ^ uint64(len(s))<<56)
	for j := h >> 49; ; j++ {
		e := &t.slots[j&(1<<15-1)]
		if e.text == "" {
			*e = name{h, s, t.n}
			t.n++
			return e.id
		}
		if e.hash == h && e.text == s {
			return e.id
		}
	}
}
