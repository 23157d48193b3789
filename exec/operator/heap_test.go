package operator

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

type heapInt int

func (a heapInt) before(b heapInt) bool { return a < b }

func TestMinHeap(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var h minHeap[heapInt]
	var model []heapInt
	for range 5000 {
		v := heapInt(rng.IntN(100))
		switch op := rng.IntN(4); {
		case op < 2 || len(model) == 0:
			h.push(v)
			model = append(model, v)
		case op == 2:
			if got := h.pop(); got != model[0] {
				t.Fatalf("popped %d, want %d", got, model[0])
			}
			model = model[1:]
		default:
			h.replace(v)
			model[0] = v
		}
		slices.Sort(model)
		if len(h) != len(model) || len(h) > 0 && h[0] != model[0] {
			t.Fatalf("the heap is %v, want %v", h, model)
		}
	}
}
