package state

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"testing"
	"time"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// nexmarkAuctions draws auction ids as Nexmark's bids do: half of them hot, the
// rest among the newest hundred in flight, all of them growing with time.
func nexmarkAuctions(n int) []int64 {
	r := rand.New(rand.NewPCG(1, 2))
	keys := make([]int64, n)
	for i := range keys {
		last := int64(i)*3/46 + 1000
		if r.IntN(2) == 0 {
			keys[i] = last / 100 * 100
		} else {
			keys[i] = last - r.Int64N(min(last, 100))
		}
	}
	return keys
}

func uniformKeys(n int, of int64) []int64 {
	r := rand.New(rand.NewPCG(1, 2))
	keys := make([]int64, n)
	for i := range keys {
		keys[i] = r.Int64N(of)
	}
	return keys
}

func benchSchema(keys int) graph.Table {
	s := graph.Table{}
	for range keys {
		s.Keys = append(s.Keys, graph.Column{Name: "k", Type: types.Of(types.Int64)})
	}
	for _, c := range []string{"count", "sum", "max"} {
		s.Columns = append(s.Columns, graph.Column{Name: c, Type: types.Of(types.Int64)})
	}
	return s
}

func addBatch(t *Table, cols []*batch.Column, n int, prices []int64, ids []RowID, rows []unsafe.Pointer, fresh []uint16) []uint16 {
	fresh = t.FindOrInsert(cols, n, nil, ids, rows, fresh[:0])
	count, sum, most := t.Column(0), t.Column(1), t.Column(2)
	for i, r := range rows[:n] {
		v := prices[i]
		*(*int64)(unsafe.Add(r, count))++
		*(*int64)(unsafe.Add(r, sum)) += v
		p := (*int64)(unsafe.Add(r, most))
		*p = max(*p, v)
	}
	return fresh
}

// BenchmarkFindOrInsertAdd is a lookup and three accumulators per row.
func BenchmarkFindOrInsertAdd(b *testing.B) {
	const n = 4 << 20
	for _, c := range []struct {
		name string
		keys []int64
		cols int
	}{
		{"auction", nexmarkAuctions(n), 1},
		{"uniform-1k", uniformKeys(n, 1000), 1},
		{"uniform-100k", uniformKeys(n, 100_000), 1},
		{"uniform-10M", uniformKeys(n, 10_000_000), 1},
		{"auction-2keys", nexmarkAuctions(n), 2},
		{"uniform-100k-2keys", uniformKeys(n, 100_000), 2},
	} {
		b.Run(c.name, func(b *testing.B) {
			slabs := NewSlabs(SlabOptions{})
			defer slabs.Close()
			t, _ := NewTable(benchSchema(c.cols), Options{Slabs: slabs})
			ids, rows := make([]RowID, batch.RowsDefault), make([]unsafe.Pointer, batch.RowsDefault)
			var fresh []uint16
			col := &batch.Column{Phys: types.PhysInt}
			cols := []*batch.Column{col, col}[:c.cols]
			b.ResetTimer()
			for range b.N {
				for at := 0; at < n; at += batch.RowsDefault {
					col.Int = c.keys[at : at+batch.RowsDefault]
					fresh = addBatch(t, cols, batch.RowsDefault, col.Int, ids, rows, fresh)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
			b.ReportMetric(float64(t.Len()), "keys")
		})
	}
}

// BenchmarkSeal1GB seals a table of 1 GB again and again while batches change it
// and a reader holds the newest epoch.
func BenchmarkSeal1GB(b *testing.B) {
	const keys = 18 << 20
	slabs := NewSlabs(SlabOptions{})
	defer slabs.Close()
	t, _ := NewTable(benchSchema(1), Options{Slabs: slabs})
	ids, rows := make([]RowID, batch.RowsDefault), make([]unsafe.Pointer, batch.RowsDefault)
	col := batch.NewColumn(types.PhysInt, batch.RowsDefault)
	var fresh []uint16
	for at := 0; at < keys; at += batch.RowsDefault {
		for i := range col.Int {
			col.Int[i] = int64(at + i)
		}
		fresh = addBatch(t, []*batch.Column{col}, batch.RowsDefault, col.Int, ids, rows, fresh)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var pauses, batches []time.Duration
	var held *Snapshot
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		s := t.Seal(1)
		pauses = append(pauses, time.Since(start))
		if held != nil {
			held.Release()
		}
		held = s
		for range 100 {
			for i := range col.Int {
				col.Int[i] = r.Int64N(keys)
			}
			start := time.Now()
			fresh = addBatch(t, []*batch.Column{col}, batch.RowsDefault, col.Int, ids, rows, fresh)
			batches = append(batches, time.Since(start))
		}
	}
	b.StopTimer()
	held.Release()
	report := func(name string, d []time.Duration) {
		sort.Slice(d, func(i, j int) bool { return d[i] < d[j] })
		b.ReportMetric(float64(d[len(d)*99/100].Microseconds()), "p99-µs/"+name)
	}
	report("seal", pauses)
	report("batch", batches)
	b.ReportMetric(float64(t.Size())/(1<<20), "MB")
}

// BenchmarkCopyOnWrite tells what sealing costs a Nexmark-like stream: none, or
// every 2^20 rows with the last epoch held.
func BenchmarkCopyOnWrite(b *testing.B) {
	const n = 8 << 20
	for _, every := range []int{0, 1 << 20, 1 << 17} {
		b.Run(fmt.Sprintf("every-%d", every), func(b *testing.B) {
			slabs := NewSlabs(SlabOptions{})
			defer slabs.Close()
			keys := nexmarkAuctions(n)
			ids, rows := make([]RowID, batch.RowsDefault), make([]unsafe.Pointer, batch.RowsDefault)
			var fresh []uint16
			col := &batch.Column{Phys: types.PhysInt}
			t, _ := NewTable(benchSchema(1), Options{Slabs: slabs})
			var held *Snapshot
			b.ResetTimer()
			for range b.N {
				for at := 0; at < n; at += batch.RowsDefault {
					col.Int = keys[at : at+batch.RowsDefault]
					fresh = addBatch(t, []*batch.Column{col}, batch.RowsDefault, col.Int, ids, rows, fresh)
					if every > 0 && at%every == 0 {
						s := t.Seal(1)
						if held != nil {
							held.Release()
						}
						held = s
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
		})
	}
}
