package state

import (
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// checkLookup compares what the lookup finds of each row's values with a scan.
func checkLookup(t *testing.T, x *Lookup, s *Snapshot, generation uint64) {
	t.Helper()
	type found struct {
		values []types.Value
		ids    []RowID
	}
	want := map[string]*found{}
	for id := RowID(0); id < s.end; id++ {
		row := s.liveRow(id)
		if row == nil {
			continue
		}
		cols := make([]*batch.Column, len(x.columns))
		f, null := &found{}, false
		for i, k := range x.columns {
			cols[i] = batch.NewColumn(s.Phys(k), 0)
			s.ReadColumn(k, []unsafe.Pointer{row}, cols[i])
			f.values = append(f.values, cols[i].Value(0))
			null = null || cols[i].IsNull(0)
		}
		if null {
			continue
		}
		key := printKey(cols, 0)
		if want[key] == nil {
			want[key] = f
		}
		want[key].ids = append(want[key].ids, id)
	}
	for key, f := range want {
		places, ok := x.Find(generation, f.values)
		if !ok {
			t.Fatalf("generation %d is too old", generation)
		}
		var ids []RowID
		for _, p := range places {
			ids = append(ids, p.ID)
		}
		for _, id := range f.ids {
			if !slices.Contains(ids, id) {
				t.Fatalf("row %d with %s is not among %v", id, key, ids)
			}
		}
	}
}

func TestLookupAgainstScan(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for _, c := range keyCases {
		t.Run(c.name, func(t *testing.T) {
			t.Logf("seed %d", seed)
			d := newDriver(t, seed, Options{PageBytes: 4096}, c.kinds, c.draw)
			for range 3 {
				d.step()
			}
			old := d.table.Seal(1)
			n := len(c.kinds)
			key := make([]int, n)
			for i := range key {
				key[i] = i
			}
			var all []*Lookup
			for _, columns := range [][]int{key, {n}, {n, n + 1}} {
				all = append(all, NewLookup(columns, []*Snapshot{old}, 1))
			}
			for generation := uint64(1); generation <= 30; generation++ {
				for range d.rng.IntN(4) {
					d.step()
				}
				now := d.table.Seal(1)
				for _, x := range all {
					if !x.Advance([]*Snapshot{old}, []*Snapshot{now}, generation) {
						t.Fatal("a running table is taken for another")
					}
					checkLookup(t, x, old, generation)
					checkLookup(t, x, now, generation+1)
					if _, ok := x.Find(generation-1, make([]types.Value, len(x.columns))); ok {
						t.Fatal("readers of an old generation are not told")
					}
				}
				old.Release()
				old = now
			}
			// What is kept is the rows of the last two generations, and no more.
			now := d.table.Seal(1)
			for _, x := range all {
				x.Advance([]*Snapshot{old}, []*Snapshot{now}, 31)
				kept := len(x.one)
				for _, others := range x.more {
					kept += len(others)
				}
				if kept > now.Len() {
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
