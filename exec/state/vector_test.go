package state

import (
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// TestVector adds, cuts and grows a vector beside a slice, over memory that others
// have used.
func TestVector(t *testing.T) {
	type value struct {
		a uint64
		b uint32
	}
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	slabs := NewSlabs(SlabOptions{})
	defer slabs.Close()
	table, err := NewTable(graph.Table{Keys: []graph.Column{{Name: "k", Type: types.Of(types.Int64)}}}, Options{Slabs: slabs})
	if err != nil {
		t.Fatal(err)
	}
	spoil(slabs, 4<<20)
	v, before := NewVector[value](table), table.Size()
	var model []value
	var first *value
	for range 2000 {
		switch r.IntN(4) {
		case 0:
			n := len(model) + r.IntN(3*VectorPiece/2)
			v.Grow(n)
			v.Grow(n / 2) // which it has
			for len(model) < n {
				model = append(model, value{})
			}
		case 1:
			n := r.IntN(2*len(model) + 1)
			v.Cut(n)
			model = model[:min(n, len(model))]
		case 2:
			if r.IntN(20) == 0 {
				v.Clear()
				clear(model)
			}
		}
		for range r.IntN(VectorPiece) {
			x := value{r.Uint64(), r.Uint32()}
			v.Add(x)
			model = append(model, x)
		}
		if v.Len() != len(model) {
			t.Fatalf("there are %d values, want %d", v.Len(), len(model))
		}
		for range min(len(model), 50) {
			i := r.IntN(len(model))
			if got := *v.At(uint32(i)); got != model[i] {
				t.Fatalf("value %d is %v, want %v", i, got, model[i])
			}
			x := value{r.Uint64(), uint32(i)}
			*v.At(uint32(i)), model[i] = x, x
		}
		if len(model) > 0 {
			if p := v.At(0); first != nil && p != first {
				t.Fatal("values have moved")
			}
			first = v.At(0)
		}
		if len(model) > 100*VectorPiece {
			v.Cut(0)
			model = model[:0]
		}
	}
	if grown := table.Size() - before; grown < int64(v.Len())*16 {
		t.Errorf("the table's size grew by %d bytes for %d values of 16", grown, v.Len())
	}
	scratch, err := table.Scratch(graph.Table{Keys: []graph.Column{{Name: "k", Type: types.Of(types.Text)}}})
	if err != nil {
		t.Fatal(err)
	}
	scratch.StoreBytes(make([]byte, 1<<16))
	table.Close()
	if n := slabs.InUse(); n != 0 {
		t.Errorf("%d bytes are in use after the table was closed, want none", n)
	}
}

// TestVectorRefusesPointers checks that nothing that the garbage collector would have
// to find gets out of its sight.
func TestVectorRefusesPointers(t *testing.T) {
	table, err := NewTable(graph.Table{Keys: []graph.Column{{Name: "k", Type: types.Of(types.Int64)}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	for name, make := range map[string]func(){
		"pointer": func() { NewVector[*int](table) },
		"string":  func() { NewVector[struct{ a [2]struct{ s string } }](table) },
		"slice":   func() { NewVector[[]int](table) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a vector of a %s was made", name)
				}
			}()
			make()
		}()
	}
	NewVector[struct {
		a [3]int32
		b bool
	}](table)
}
