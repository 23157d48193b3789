package operator

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

type heapInt int

func (a heapInt) before(b heapInt) bool { return a < b }

func TestMinHeap(t *testing.T) {
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	table, err := state.NewTable(graph.Table{Keys: []graph.Column{{Name: "k", Type: types.Of(types.Int64)}}}, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	h := newMinHeap[heapInt](table)
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
		if h.len() != len(model) || h.len() > 0 && h.first() != model[0] {
			t.Fatalf("the heap of %d does not begin as %v", h.len(), model)
		}
	}
}
