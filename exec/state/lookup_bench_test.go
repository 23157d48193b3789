package state

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// BenchmarkLookupAdvance brings an index of 200,000 rows forward over an epoch in which
// that many of them changed the indexed value, and, to compare, makes it anew.
func BenchmarkLookupAdvance(b *testing.B) {
	const rows = 200_000
	for _, changed := range []int{200, 20_000, rows} {
		b.Run(fmt.Sprint(changed), func(b *testing.B) {
			t, err := NewTable(benchSchema(1), Options{})
			if err != nil {
				b.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 2))
			key := batch.NewColumn(types.PhysInt, batch.RowsDefault)
			ids, at, fresh := make([]RowID, batch.RowsDefault), make([]unsafe.Pointer, batch.RowsDefault), []uint16{}
			write := func(n int) {
				for from := 0; from < n; from += batch.RowsDefault {
					m := min(batch.RowsDefault, n-from)
					for i := range m {
						key.Int[i] = int64(from + i)
					}
					fresh = t.FindOrInsert([]*batch.Column{key}, m, nil, ids, at, fresh[:0])
					for _, row := range at[:m] {
						*(*int64)(unsafe.Add(row, t.Column(1))) = r.Int64N(1 << 40)
					}
				}
			}
			write(rows)
			old := t.Seal(1)
			columns := []LookupColumn{{Column: 2}}
			x := NewLookup(columns, []*Snapshot{old}, 1)
			b.ResetTimer()
			for i := range b.N {
				b.StopTimer()
				write(changed)
				now := t.Seal(1)
				b.StartTimer()
				if !x.Advance([]*Snapshot{old}, []*Snapshot{now}, uint64(i+1)) {
					b.Fatal("the table is taken for another")
				}
				b.StopTimer()
				old.Release()
				old = now
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*changed), "ns/row")
			old.Release()
		})
	}
	b.Run("anew", func(b *testing.B) {
		t, err := NewTable(benchSchema(1), Options{})
		if err != nil {
			b.Fatal(err)
		}
		keys, at := uniformKeys(rows, 1<<40), make([]unsafe.Pointer, batch.RowsDefault)
		ids := make([]RowID, batch.RowsDefault)
		for from := 0; from < rows; from += batch.RowsDefault {
			c := batch.NewColumn(types.PhysInt, 0)
			c.Int = keys[from:min(from+batch.RowsDefault, rows)]
			t.FindOrInsert([]*batch.Column{c}, len(c.Int), nil, ids, at, nil)
		}
		s := t.Seal(1)
		defer s.Release()
		b.ResetTimer()
		for range b.N {
			NewLookup([]LookupColumn{{Column: 0}}, []*Snapshot{s}, 1)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
	})
}
