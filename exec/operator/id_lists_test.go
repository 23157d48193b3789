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

// idListsModel is lists and what should be in them.
type idListsModel struct {
	t     *testing.T
	r     *rand.Rand
	x     *idLists
	lists *state.Vector[idList]
	want  [][]uint32
}

// TestIDLists changes lists of all lengths beside slices: from none to those longer
// than any piece of a Vector and back, whose blocks others take.
func TestIDLists(t *testing.T) {
	seed := random.Seed(t)
	slabs := state.NewSlabs(state.SlabOptions{})
	defer slabs.Close()
	table, err := state.NewTable(graph.Table{Keys: []graph.Column{{Name: "k", Type: types.Of(types.Int64)}}}, state.Options{Slabs: slabs})
	if err != nil {
		t.Fatal(err)
	}
	empty := slabs.InUse()
	const lists = 24
	m := &idListsModel{t: t, r: rand.New(rand.NewPCG(seed, 0)), x: newIDLists(table), lists: state.NewVector[idList](table), want: make([][]uint32, lists)}
	m.lists.Grow(lists)
	for range 3 {
		for range 4000 {
			m.step(true)
		}
		for range 6000 {
			m.step(false)
		}
	}
	for i := range m.want {
		m.x.clear(m.lists.At(uint32(i)))
		m.want[i] = nil
		m.check(i)
	}
	used := slabs.InUse()
	for i := range lists { // what was given up is used again
		l := m.lists.At(uint32(i))
		for id := range uint32(100) {
			m.x.add(l, id)
		}
	}
	if now := slabs.InUse(); now > used {
		t.Errorf("lists take %d bytes, and took %d when they were longer", now, used)
	}
	m.x.extend(m.lists.At(0), 1<<20) // goes with the table
	table.Close()
	if left := slabs.InUse(); left > empty {
		t.Errorf("%d bytes are left when the table is closed, %d were taken by an empty one", left, empty)
	}
}

// step changes a list, more often to a longer one if more is set.
func (m *idListsModel) step(more bool) {
	i := m.r.IntN(len(m.want))
	l, want := m.lists.At(uint32(i)), m.want[i]
	switch n := len(want); {
	case m.r.IntN(200) == 0:
		m.x.clear(l)
		want = nil
	case m.r.IntN(200) == 0:
		m.x.empty(l, 64)
		want = nil
	case more && m.r.IntN(8) == 0 && n < 20_000:
		k := m.r.IntN(2*n + 2)
		m.x.extend(l, k)
		for at, ids := n, m.x.of(l); at < n+k; at++ {
			ids[at] = m.r.Uint32()
			want = append(want, ids[at])
		}
	case !more && n > 0 && m.r.IntN(8) == 0:
		k := m.r.IntN(n)
		m.x.cut(l, k)
		want = want[:k]
	case more || n == 0:
		at, id := m.r.IntN(n+1), m.r.Uint32()
		m.x.insert(l, at, id)
		want = slices.Insert(want, at, id)
	default:
		at := m.r.IntN(n)
		m.x.remove(l, at)
		want = slices.Delete(want, at, at+1)
	}
	m.want[i] = want
	m.check(i)
}

func (m *idListsModel) check(i int) {
	l := m.lists.At(uint32(i))
	if got := m.x.of(l); !slices.Equal(got, m.want[i]) {
		m.t.Fatalf("list %d of class %d has %d ids, which are not the %d it should have", i, l.class, len(got), len(m.want[i]))
	}
	if room := len(m.x.room(l)); room > max(4*len(m.want[i]), 64) && len(m.want[i]) > 0 {
		m.t.Fatalf("list %d keeps room for %d ids, and has %d", i, room, len(m.want[i]))
	}
}
