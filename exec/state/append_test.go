package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// TestAppend appends rows of all layouts, strings of many lengths among them, to
// memory that is not zero, and compares what is read back: from the table, whose
// rows are deleted in between, and from the snapshots of each epoch.
func TestAppend(t *testing.T) {
	slabs := NewSlabs(SlabOptions{})
	defer slabs.Close()
	spoil(slabs, 64<<20)
	kinds := []types.Type{types.Of(types.Int64), types.Of(types.Text), types.Of(types.Int64),
		types.Of(types.Text), types.Of(types.Bool), types.Of(types.Float64), types.Of(types.Numeric), types.Of(types.IntervalK), types.Of(types.UUID), types.Of(types.Text)}
	schema := graph.Table{Local: 1, Unindexed: true}
	for i, k := range kinds {
		c := graph.Column{Name: fmt.Sprint("c", i), Type: k}
		if i < 3 {
			schema.Keys = append(schema.Keys, c)
		} else {
			schema.Columns = append(schema.Columns, c)
		}
	}
	schema.Columns = append(schema.Columns, graph.Column{Name: "later", Type: types.Of(types.Int64)}, graph.Column{Name: "text", Type: types.Of(types.Text)})
	table, err := NewTable(schema, Options{Slabs: slabs, PageBytes: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	want := map[RowID][]types.Value{}
	for epoch := range uint64(random.Rounds(40)) {
		n := 1 + rng.IntN(700)
		b, sel := appendedRows(rng, kinds, n), []uint16{}
		for i := range n {
			if rng.IntN(8) > 0 {
				sel = append(sel, uint16(i))
			}
		}
		hashes, ids, rows := make([]uint64, n), make([]RowID, n), make([]unsafe.Pointer, n)
		HashKeys(b.Cols[:2], nil, n, sel, hashes)
		table.Append(b.Cols, hashes, sel, ids, rows)
		for _, i := range sel {
			if _, there := want[ids[i]]; there {
				t.Fatalf("row %d is given out twice", ids[i])
			}
			want[ids[i]] = nil
			for _, c := range b.Cols {
				want[ids[i]] = append(want[ids[i]], c.Value(int(i)))
			}
			if g := GroupOf(rows[i]); g != KeyGroup(hashes[i]) {
				t.Fatalf("row %d is in key group %d, want %d", ids[i], g, KeyGroup(hashes[i]))
			}
		}
		s := table.Seal(epoch)
		if s.Len() != len(want) {
			t.Fatalf("a snapshot has %d rows, want %d", s.Len(), len(want))
		}
		for id, row := range want {
			compareAppended(t, s, kinds, id, row)
		}
		checkEnds(t, s)
		s.Release()
		for id := range want {
			if rng.IntN(6) == 0 && epoch%3 == 0 {
				table.Delete(id)
				delete(want, id)
			}
		}
	}
}

// spoil leaves n bytes that are not zero in slabs.
func spoil(slabs *Slabs, n int) {
	var pieces []unsafe.Pointer
	const size = 64 << 10
	for range n / size {
		p := slabs.get(size)
		for i := range unsafe.Slice((*byte)(p), size) {
			*(*byte)(unsafe.Add(p, i)) = 0xa5
		}
		pieces = append(pieces, p)
	}
	for _, p := range pieces {
		slabs.put(p, size)
	}
}

// appendedRows are rows of which a column may be null, have strings that share their
// place, or long ones.
func appendedRows(rng *rand.Rand, kinds []types.Type, n int) *batch.Batch {
	var layout []types.Phys
	for _, k := range kinds {
		layout = append(layout, k.Phys())
	}
	b := batch.New(layout, n)
	b.N = n
	for _, c := range b.Cols {
		nulls, longest := rng.IntN(2) == 0, []int{9, 80, 300, 4000}[rng.IntN(4)]
		for i := range n {
			switch x := rng.Uint64(); c.Phys {
			case types.PhysInt:
				c.Int[i] = int64(x)
			case types.PhysBool:
				c.Bool[i] = x%2 == 0
			case types.PhysFloat:
				c.Float[i] = float64(x)
			case types.PhysDecimal:
				c.Dec[i] = types.DecimalFromInt(int64(x))
			case types.PhysInterval:
				c.Interval[i] = types.Interval{Micros: int64(x)}
			case types.PhysUUID:
				c.UUID[i] = [16]byte{byte(x), 15: byte(x >> 8)}
			case types.PhysBytes:
				switch {
				case i > 0 && x%3 == 0:
					c.Views[i] = c.Views[rng.IntN(i)]
				case x%997 == 1:
					c.Views[i] = c.AddStr(string(bytes.Repeat([]byte{byte(x >> 9)}, arenaPageBytes/2-40+rng.IntN(80))))
				default:
					s := make([]byte, rng.IntN(longest))
					for k := range s {
						s[k] = byte(rng.Uint32())
					}
					c.Views[i] = c.AddStr(string(s))
				}
			}
		}
		for i := range n {
			if nulls && rng.IntN(4) == 0 {
				c.SetNull(i, n)
			}
		}
	}
	return b
}

func compareAppended(t *testing.T, s *Snapshot, kinds []types.Type, id RowID, want []types.Value) {
	t.Helper()
	for k := range s.slots {
		c := batch.NewColumn(s.Phys(k), 0)
		s.ReadColumn(k, []unsafe.Pointer{s.row(id)}, c)
		if k >= len(kinds) {
			if c.IsNull(0) || c.Phys == types.PhysInt && c.Int[0] != 0 || c.Phys == types.PhysBytes && c.Str(0) != "" {
				t.Fatalf("row %d, column %d, which nobody has written, is not zero", id, k)
			}
			continue
		}
		if got := c.Value(0); got.Null != want[k].Null || !got.Null && got != want[k] {
			t.Fatalf("row %d, column %d: %v, want %v", id, k, got, want[k])
		}
	}
}

// checkEnds checks that what lies between strings is zero: checkpoints hold it.
func checkEnds(t *testing.T, s *Snapshot) {
	t.Helper()
	for id := range s.end {
		row := s.row(id)
		if !isLive(row) {
			continue
		}
		for _, off := range s.layout.strings {
			v := *(*batch.View)(unsafe.Add(row, off))
			if v.Len%wordBytes == 0 {
				continue
			}
			end := unsafe.SliceData(viewBytes(s.strings, v))
			for i := v.Len; i%wordBytes != 0; i++ {
				if *(*byte)(unsafe.Add(unsafe.Pointer(end), i)) != 0 {
					t.Fatalf("behind a string of %d bytes of row %d lies something", v.Len, id)
				}
			}
		}
	}
}
