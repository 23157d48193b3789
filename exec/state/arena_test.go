package state

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/types"
)

// TestGrowingStringsAreWrittenOnce has collections leave alone what a table that only
// grows has in its pages, so that checkpoints write it once.
func TestGrowingStringsAreWrittenOnce(t *testing.T) {
	table, err := NewTable(graph.Table{Keys: []graph.Column{{Name: "k", Type: types.Of(types.Int64)}}, Columns: []graph.Column{{Name: "v", Type: types.Of(types.Text)}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	const rounds, perRound, bytes = 20, 4000, 104
	random, value := rand.NewChaCha8([32]byte{1}), make([]byte, bytes)
	key, ids, rows := batch.NewColumn(types.PhysInt, perRound), make([]RowID, perRound), make([]unsafe.Pointer, perRound)
	store, written := object.NewMemory(), int64(0)
	var m *manifest.Table
	for round := range rounds {
		for i := range key.Int {
			key.Int[i] = int64(round*perRound + i)
		}
		table.FindOrInsert([]*batch.Column{key}, perRound, nil, ids, rows, nil)
		for _, row := range rows {
			if _, err := random.Read(value); err != nil {
				t.Fatal(err)
			}
			*(*batch.View)(unsafe.Add(row, table.Column(0))) = table.StoreBytes(value)
		}
		s, n := table.Seal(0), int64(0)
		m, n = uploadTo(t, store, s, int64(round+1), 0)
		table.Confirm(int64(round + 1))
		s.Release()
		written += n
	}
	if all := m.EncodedBytes(); written > all+all/4 {
		t.Errorf("%d bytes were written of a table of %d bytes", written, all)
	}
	if size := table.strings.size(); size > rounds*perRound*bytes*5/4 {
		t.Errorf("strings of %d bytes take %d", rounds*perRound*bytes, size)
	}
}

// TestAppendedStringsAreNotCounted has no collection begin over rows that were only
// appended, and one once rows have gone.
func TestAppendedStringsAreNotCounted(t *testing.T) {
	const perBatch, bytes = 1000, 100
	schema := graph.Table{Local: 1, Unindexed: true, Keys: []graph.Column{{Name: "k", Type: types.Of(types.Int64)}, {Name: "row", Type: types.Of(types.Int64)}},
		Columns: []graph.Column{{Name: "v", Type: types.Of(types.Text)}}}
	table, err := NewTable(schema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	b := batch.New([]types.Phys{types.PhysInt, types.PhysInt, types.PhysBytes}, 0)
	for i := range perBatch {
		for _, c := range b.Cols[:2] {
			c.Int = append(c.Int, int64(i))
		}
		b.Cols[2].Views = append(b.Cols[2].Views, b.Cols[2].AddStr(fmt.Sprintf("%*d", bytes, i)))
	}
	hashes, ids, rows := make([]uint64, perBatch), make([]RowID, perBatch), make([]unsafe.Pointer, perBatch)
	add := func(batches int) (counted bool) {
		for range batches {
			table.Append(b.Cols, hashes, identity(perBatch), ids, rows)
			counted = counted || table.strings.counting
			table.Tidy()
		}
		return counted
	}
	if add(200) {
		t.Error("strings are counted of which none can have gone")
	}
	for id := RowID(0); id < table.end; id++ {
		if id%10 != 0 {
			table.Delete(id)
		}
	}
	if !add(300) {
		t.Error("strings are not counted of which most have gone")
	}
	if size, live := table.strings.size(), int64(table.Len()*bytes); size > live*5/4 {
		t.Errorf("%d bytes of strings take %d bytes of memory", live, size)
	}
}
