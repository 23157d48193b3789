package state

import (
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
