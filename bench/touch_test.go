package bench

import (
	"testing"

	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// touchMemory makes slabs have so many bytes that were touched before. A virtual
// machine may get memory from its host only as it touches it, and lose it within
// seconds of freeing it: a first touch then takes twenty times as long as one of the
// guest alone, 2.3 ns per byte instead of 0.12 where that was measured. Of a query
// whose state grows it would be most of the time.
func touchMemory(b *testing.B, slabs *state.Slabs, bytes int64) {
	t, err := state.NewTable(graph.Table{Name: "filler", Keys: []graph.Column{{Name: "key", Type: types.Of(types.Int64)}}}, state.Options{Slabs: slabs})
	if err != nil {
		b.Fatal(err)
	}
	for piece := make([]byte, 32<<10); slabs.InUse() < bytes; {
		t.StoreBytes(piece)
	}
	t.Close()
}
