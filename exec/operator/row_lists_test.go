package operator

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// TestRowLists changes lists of all lengths beside sorted slices: from none to long
// ones and back, whose blocks others take.
func TestRowLists(t *testing.T) {
	seed := random.Seed(t)
	x := &listsModel{t: t, r: rand.New(rand.NewPCG(seed, 0)), want: map[uint32][]entry{}}
	bigint := types.Of(types.Int64)
	made, err := state.NewTable(graph.Table{Keys: []graph.Column{{Name: "k", Type: bigint}, {Name: "v", Type: bigint}}}, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	table := newTable(made)
	x.lists, x.order = newRowLists(made), newRowOrder(table, []graph.SortKey{{Column: 0}}, []int{0, 1}, 0)
	const rows = 20_000
	for from := 0; from < rows; from += batch.RowsDefault {
		n := min(batch.RowsDefault, rows-from)
		k, v := &batch.Column{Phys: types.PhysInt}, &batch.Column{Phys: types.PhysInt}
		k.Resize(n)
		v.Resize(n)
		for i := range n {
			k.Int[i], v.Int[i] = int64(x.r.IntN(rows/8)), int64(from+i)
		}
		ids, at := make([]uint32, n), make([]unsafe.Pointer, n)
		table.FindOrInsert([]*batch.Column{k, v}, n, nil, ids, at, nil)
		for i, id := range ids {
			x.unused = append(x.unused, entry{x.order.prefix(at[i]), id})
		}
	}
	for step := range 60_000 {
		x.step(step/10_000%2 == 0)
	}
	for l := range x.want {
		x.check(l)
		x.lists.drop(l)
	}
	entries := 0
	for class := range x.lists.classes {
		entries += x.lists.classes[class].entries.Len()
	}
	for range 3 { // what was dropped is used again
		var all []uint32
		for range 100 {
			l := x.lists.add()
			for _, e := range x.unused[:50] {
				x.lists.insert(l, e, x.order)
			}
			all = append(all, l)
		}
		for _, l := range all {
			x.lists.drop(l)
		}
	}
	again := 0
	for class := range x.lists.classes {
		again += x.lists.classes[class].entries.Len()
	}
	if again > entries+100*128 {
		t.Errorf("lists take %d entries, and took %d", again, entries)
	}
}

// listsModel is lists and what should be in them.
type listsModel struct {
	t      *testing.T
	r      *rand.Rand
	lists  rowLists
	order  *rowOrder
	want   map[uint32][]entry
	unused []entry
}

// any is some list, the first one in three of four cases, and a new one if there are few.
func (x *listsModel) any() uint32 {
	if len(x.want) < 20 {
		l := x.lists.add()
		if _, is := x.want[l]; is {
			x.t.Fatalf("list %d was given away twice", l)
		}
		x.want[l] = nil
		return l
	}
	var all []uint32
	for l := range x.want {
		all = append(all, l)
	}
	slices.Sort(all)
	if x.r.IntN(4) > 0 {
		return all[0]
	}
	return all[x.r.IntN(len(all))]
}

func (x *listsModel) take() entry {
	i := x.r.IntN(len(x.unused))
	e := x.unused[i]
	last := len(x.unused) - 1
	x.unused[i] = x.unused[last]
	x.unused = x.unused[:last]
	return e
}

// place is where e is in a list, or would be.
func (x *listsModel) place(l uint32, e entry) (int, bool) {
	return slices.BinarySearchFunc(x.want[l], e, x.order.compareEntries)
}

func (x *listsModel) step(grows bool) {
	l := x.any()
	have := x.want[l]
	op := x.r.IntN(100)
	switch {
	case op < 20 || grows && op < 85:
		if len(x.unused) == 0 {
			return
		}
		e := x.take()
		x.lists.insert(l, e, x.order)
		i, _ := x.place(l, e)
		x.want[l] = slices.Insert(have, i, e)
	case op < 88 && len(have) > 0:
		i := x.r.IntN(len(have))
		e := have[i]
		if found := x.lists.find(l, e, x.order); found == nil || *found != e {
			x.t.Fatalf("list %d of %d: entry %d is not found", l, len(have), i)
		}
		if !x.lists.remove(l, e, x.order) || x.lists.remove(l, e, x.order) {
			x.t.Fatalf("list %d of %d: entry %d is not removed, or twice", l, len(have), i)
		}
		x.want[l], x.unused = slices.Delete(have, i, i+1), append(x.unused, e)
	case op < 95 && len(x.unused) > 0:
		x.insertBounded(l)
	case op < 97:
		n := len(have) - x.r.IntN(len(have)/4+2)
		n = max(n, 0)
		x.cut(l, n)
	case op < 98 && x.r.IntN(20) == 0:
		x.unused = append(x.unused, have...)
		x.lists.drop(l)
		delete(x.want, l)
		return
	default:
		x.around(l)
	}
	if x.r.IntN(20) == 0 {
		x.check(l)
	}
}

func (x *listsModel) cut(l uint32, n int) {
	have := x.want[l]
	var gone []uint32
	x.lists.cut(l, n, func(id uint32) { gone = append(gone, id) })
	if slices.Sort(gone); !slices.Equal(gone, idsOf(have[n:])) {
		x.t.Fatalf("list %d of %d is cut to %d: %v are gone", l, len(have), n, gone)
	}
	x.want[l], x.unused = have[:n:n], append(x.unused, have[n:]...)
}

func (x *listsModel) insertBounded(l uint32) {
	have, e := x.want[l], x.take()
	most := max(len(have)+x.r.IntN(2), 1)
	i, _ := x.place(l, e)
	told := 0
	cut, full, ok := x.lists.insertBounded(l, e, x.order, most, func() { told++ })
	if ok != (i < most) || (told == 1) != ok {
		x.t.Fatalf("list %d of %d, at most %d: place %d is taken: %v, told %d times", l, len(have), most, i, ok, told)
	}
	if !ok {
		x.unused = append(x.unused, e)
		return
	}
	have = slices.Insert(have, i, e)
	want := uint32(noEntry)
	if len(have) > most {
		last := have[most]
		want, have, x.unused = last.id, have[:most], append(x.unused, last)
	}
	if cut != want || full != (len(have) == most) {
		x.t.Fatalf("list %d: %d is cut, want %d; full: %v at %d of %d", l, cut, want, full, len(have), most)
	}
	x.want[l] = have
}

// around looks for the neighbours of some entry that may be in another list.
func (x *listsModel) around(l uint32) {
	if len(x.unused) == 0 {
		return
	}
	have, e := x.want[l], x.unused[x.r.IntN(len(x.unused))]
	i, _ := x.place(l, e)
	before := func(y entry) bool { return x.order.compareEntries(y, e) < 0 }
	last, next, hasLast, hasNext := x.lists.around(l, before)
	if hasLast != (i > 0) || hasNext != (i < len(have)) || hasLast && last != have[i-1] || hasNext && next != have[i] {
		x.t.Fatalf("list %d of %d: wrong entries around place %d", l, len(have), i)
	}
	var rest []entry
	x.lists.from(l, before, func(y entry) bool {
		rest = append(rest, y)
		return len(rest) < 1000
	})
	if !slices.Equal(rest, have[i:min(len(have), i+1000)]) {
		x.t.Fatalf("list %d of %d: wrong entries from place %d on", l, len(have), i)
	}
}

func (x *listsModel) check(l uint32) {
	var got []entry
	x.lists.scan(l, func(e *entry) bool {
		got = append(got, *e)
		return true
	})
	if want := x.want[l]; !slices.Equal(got, want) || x.lists.len(l) != len(want) || len(want) > 0 && x.lists.last(l) != want[len(want)-1] {
		x.t.Fatalf("list %d has %d entries, want %d, or others", l, len(got), len(want))
	}
}

func idsOf(entries []entry) []uint32 {
	ids := []uint32{}
	for _, e := range entries {
		ids = append(ids, e.id)
	}
	slices.Sort(ids)
	return ids
}
