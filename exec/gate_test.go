package exec

import (
	"context"
	"testing"

	"github.com/millrace/millrace/planner/graph"
)

// TestGateOpensAtTheEnd runs a lookup join over finite sources, without a barrier:
// the right side has come when it ends, and then the left side does.
func TestGateOpensAtTheEnd(t *testing.T) {
	fields := chain(graph.Hash).Operators[0].Fields
	for parallelism := 1; parallelism <= 3; parallelism++ {
		ex := graph.Exchange{Kind: graph.Hash, Keys: []int{0}}
		g := &graph.Graph{Version: graph.Version, Operators: []graph.Operator{
			{ID: "left", Kind: graph.SourceKind, Fields: fields, TimeColumn: 1},
			{ID: "right", Kind: graph.SourceKind, Fields: fields, TimeColumn: 1},
			{ID: "second", Kind: graph.LookupJoinKind, Fields: fields, Inputs: []graph.Input{{Operator: 0, Exchange: ex}, {Operator: 1, Exchange: ex}}},
		}}
		f := newFactory(t, 4, 1000)
		r, err := Start(context.Background(), g, Options{Parallelism: parallelism, Factory: f})
		if err != nil {
			t.Fatal(err)
		}
		ended(t, r)
		if n, _ := f.total("second"); n != 8000 {
			t.Errorf("parallelism %d: %d rows, want 8000", parallelism, n)
		}
	}
}
