package state

import (
	"testing"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/test/random"
)

// modelRows reads state rows as entries of a model.
func modelRows(s *Snapshot, rows []unsafe.Pointer) (keys []string, values []modelRow) {
	n := len(s.schema.Keys)
	cols := make([]*batch.Column, n+2)
	for k := range cols {
		cols[k] = batch.NewColumn(s.slots[k].phys, 0)
		s.ReadColumn(k, rows, cols[k])
	}
	for i := range rows {
		v := modelRow{sum: cols[n].Int[i], null: cols[n+1].IsNull(i)}
		if !v.null {
			v.last = cols[n+1].Str(i)
		}
		keys, values = append(keys, printKey(cols[:n], i)), append(values, v)
	}
	return keys, values
}

// checkDiff applies the differences between two states to a model of the older
// one, taking away before it adds, and compares it with a model of the newer.
func checkDiff(t *testing.T, old, now []*Snapshot, was, want model) {
	t.Helper()
	diffs := Diff(old, now)
	m := was.clone()
	for _, d := range diffs {
		if len(d.Gone) > 0 {
			keys, values := modelRows(d.Old, d.Gone)
			for i, k := range keys {
				if m[k] != values[i] {
					t.Fatalf("row %s goes as %+v, it was %+v", k, values[i], m[k])
				}
				delete(m, k)
			}
		}
	}
	for _, d := range diffs {
		if len(d.Before) > 0 {
			before, old := modelRows(d.Old, d.Before)
			after, now := modelRows(d.New, d.After)
			for i, k := range before {
				if after[i] != k || m[k] != old[i] || old[i] == now[i] {
					t.Fatalf("row %s changes from %+v (it was %+v) to %+v under key %s", k, old[i], m[k], now[i], after[i])
				}
				m[k] = now[i]
			}
		}
		if len(d.Came) > 0 {
			keys, values := modelRows(d.New, d.Came)
			for i, k := range keys {
				if _, there := m[k]; there {
					t.Fatalf("row %s comes although it is there", k)
				}
				m[k] = values[i]
			}
		}
	}
	if len(m) != len(want) {
		t.Fatalf("%d rows after the differences, want %d", len(m), len(want))
	}
	for k, v := range want {
		if m[k] != v {
			t.Fatalf("row %s is %+v after the differences, want %+v", k, m[k], v)
		}
	}
}

func TestDiffAgainstModel(t *testing.T) {
	seed := random.Seed(t)
	for _, c := range keyCases {
		t.Run(c.name, func(t *testing.T) {
			d := newDriver(t, seed, Options{PageBytes: 4096}, c.kinds, c.draw)
			old, was := d.table.Seal(1), d.want.clone()
			for range 30 {
				for range d.rng.IntN(4) {
					d.step()
				}
				now, want := d.table.Seal(1), d.want.clone()
				checkDiff(t, []*Snapshot{old}, []*Snapshot{now}, was, want)
				if d.rng.IntN(3) > 0 { // else a reader that skips an epoch
					old.Release()
					old, was = now, want
				} else {
					now.Release()
				}
			}
			// Another table, as after a restart: rows are matched by key.
			e := newDriver(t, seed+1, Options{PageBytes: 4096}, c.kinds, c.draw)
			for range 20 {
				e.step()
			}
			other := e.table.Seal(1)
			checkDiff(t, []*Snapshot{old}, []*Snapshot{other}, was, e.want)
			checkDiff(t, nil, []*Snapshot{other}, model{}, e.want)
			checkDiff(t, []*Snapshot{old}, nil, was, model{})
			old.Release()
			other.Release()
		})
	}
}
