package state

import (
	"bytes"
	"slices"
	"testing"

	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// checkLookup compares ranges between the keys of a snapshot with what a scan of it
// has there.
func checkLookup(t *testing.T, x *Lookup, s *Snapshot, generation uint64, draw func(int) int) {
	t.Helper()
	var all []keyedPlace
	for id := RowID(0); id < s.end; id++ {
		if row := s.liveRow(id); row != nil {
			all = append(all, keyedPlace{x.appendKey(nil, s, row), id})
		}
	}
	slices.SortFunc(all, func(a, b keyedPlace) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return int(int64(a.id) - int64(b.id))
	})
	for range 8 {
		r := LookupRange{}
		if len(all) > 0 && draw(4) > 0 {
			r.Low = all[draw(len(all))].key
		}
		if len(all) > 0 && draw(4) > 0 {
			r.High = types.OrderedAfter(slices.Clone(all[draw(len(all))].key))
		}
		var want []RowID
		for _, k := range all {
			if bytes.Compare(k.key, r.Low) >= 0 && (r.High == nil || bytes.Compare(k.key, r.High) < 0) {
				want = append(want, k.id)
			}
		}
		reverse := draw(2) == 0
		if reverse {
			slices.Reverse(want)
		}
		scan := x.Scan([]*Snapshot{s}, generation, []LookupRange{r}, reverse)
		var got []RowID
		for {
			part := scan.Next(1+draw(20), nil)
			if len(part) == 0 {
				break
			}
			for _, p := range part {
				got = append(got, p.ID)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("from %x to %x, reverse %v: rows %v, want %v", r.Low, r.High, reverse, got, want)
		}
	}
}

type keyedPlace struct {
	key []byte
	id  RowID
}

func TestLookupAgainstScan(t *testing.T) {
	seed := random.Seed(t)
	for _, c := range keyCases {
		t.Run(c.name, func(t *testing.T) {
			d := newDriver(t, seed, Options{PageBytes: 4096}, c.kinds, c.draw)
			for range 3 {
				d.step()
			}
			old := d.table.Seal(1)
			n := len(c.kinds)
			var key []LookupColumn
			for i := range n {
				key = append(key, LookupColumn{Column: i, Ordered: types.Ordered{Desc: i%2 == 1}})
			}
			down := types.Ordered{Desc: true, NullsFirst: true}
			var all []*Lookup
			for _, columns := range [][]LookupColumn{key, {{Column: n, Ordered: down}}, {{Column: n}, {Column: n + 1, Ordered: down}}} {
				all = append(all, NewLookup(columns, []*Snapshot{old}, 1))
			}
			older := old
			older.Retain()
			for generation := uint64(1); generation <= uint64(random.Rounds(30)); generation++ {
				for range d.rng.IntN(4) {
					d.step()
				}
				now := d.table.Seal(1)
				for _, x := range all {
					if !x.Advance([]*Snapshot{old}, []*Snapshot{now}, generation) {
						t.Fatal("a running table is taken for another")
					}
					checkLookup(t, x, old, generation, d.rng.IntN)
					checkLookup(t, x, now, generation+1, d.rng.IntN)
					if generation%5 == 0 {
						checkLookup(t, x, older, generation-1, d.rng.IntN) // it is too old for x
					}
				}
				older.Release()
				older, old = old, now
			}
			older.Release()
			// What is kept is the rows of the last two generations, and no more.
			now := d.table.Seal(1)
			for _, x := range all {
				x.Advance([]*Snapshot{old}, []*Snapshot{now}, 31)
				if kept := x.tree.Len(); kept > now.Len() {
					t.Errorf("%d entries for %d rows", kept, now.Len())
				}
			}
			other := newDriver(t, seed, Options{PageBytes: 4096}, c.kinds, c.draw).table.Seal(1)
			if all[0].Advance([]*Snapshot{now}, []*Snapshot{other}, 32) {
				t.Error("another table is taken for the same")
			}
			for _, s := range []*Snapshot{old, now, other} {
				s.Release()
			}
		})
	}
}
