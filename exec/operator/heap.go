package operator

import "github.com/millrace/millrace/exec/state"

// minHeap is a heap whose first element is before none of the others. It is derived
// from a table, and lies outside of the Go heap as that does.
type minHeap[T interface{ before(T) bool }] struct {
	v *state.Vector[T]
}

func newMinHeap[T interface{ before(T) bool }](t *state.Table) minHeap[T] {
	return minHeap[T]{state.NewVector[T](t)}
}

func (h minHeap[T]) len() int { return h.v.Len() }

// first is the first element; there must be one.
func (h minHeap[T]) first() T { return *h.v.At(0) }

// push adds x.
func (h minHeap[T]) push(x T) {
	h.v.Add(x)
	i := uint32(h.v.Len() - 1)
	for i > 0 {
		up := (i - 1) / 2
		parent := h.v.At(up)
		if !x.before(*parent) {
			break
		}
		*h.v.At(i) = *parent
		i = up
	}
	*h.v.At(i) = x
}

// pop takes the first element out; there must be one.
func (h minHeap[T]) pop() T {
	n := h.v.Len() - 1
	first, x := h.first(), *h.v.At(uint32(n))
	h.v.Cut(n)
	if n > 0 {
		h.replace(x)
	}
	return first
}

// replace puts x in the place of the first element.
func (h minHeap[T]) replace(x T) {
	i, n := uint32(0), uint32(h.v.Len())
	for {
		down := 2*i + 1
		if down >= n {
			break
		}
		least := h.v.At(down)
		if right := down + 1; right < n {
			if other := h.v.At(right); (*other).before(*least) {
				down, least = right, other
			}
		}
		if !(*least).before(x) {
			break
		}
		*h.v.At(i) = *least
		i = down
	}
	*h.v.At(i) = x
}
