package table

import (
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/types"
)

// TestFence has readers of two tables stop behind the transaction that one of them has
// begun with, and behind the newest one to catch up.
func TestFence(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	must(t, s.Create(bg(), keyed("b")))
	sources, readers := []connector.Source{}, []connector.Fenced{}
	for _, id := range []string{"a", "b"} {
		source, err := s.Source(id)
		must(t, err)
		r, err := source.Open(bg(), connector.Split{ID: SplitID}, nil, []int{0, 1})
		must(t, err)
		defer r.Close()
		sources, readers = append(sources, source), append(readers, r.(connector.Fenced))
	}
	b := batch.New([]types.Phys{types.PhysInt, types.PhysBytes}, 0)
	read := func(reader, limit, rows int, want connector.Status) {
		t.Helper()
		b.Reset()
		got, err := readers[reader].Read(bg(), b, limit)
		must(t, err)
		if got != want || b.N != rows {
			t.Fatalf("reader %d: %d rows, %v, want %d, %v", reader, b.N, got, rows, want)
		}
	}
	at := func(reader int, there, reached bool) {
		t.Helper()
		if x, y := readers[reader].Fence(); x != there || y != reached {
			t.Fatalf("reader %d: fence there %v, reached %v, want %v, %v", reader, x, y, there, reached)
		}
	}
	read(0, 10, 0, connector.Idle)
	read(1, 10, 0, connector.Idle)
	for _, changes := range [][]Change{
		{{Table: "a", Rows: rowsOf("1 x", "2 x", "3 x")}, {Table: "b", Rows: rowsOf("1 x")}},
		{{Table: "b", Rows: rowsOf("2 x")}},
		{{Table: "b", Rows: rowsOf("3 x")}, {Table: "a", Rows: rowsOf("4 x")}},
	} {
		_, err := s.Apply(bg(), changes)
		must(t, err)
	}

	read(0, 2, 2, connector.More) // half of the first one
	s.Fence(sources, false)
	at(0, true, false)
	at(1, true, false)
	read(1, 10, 1, connector.More)
	at(1, true, true)
	read(1, 10, 0, connector.More)
	read(0, 10, 1, connector.More)
	at(0, true, true)
	readers[0].Pass()
	readers[1].Pass()
	at(0, false, true)

	read(1, 1, 1, connector.More)
	s.Fence(sources, true)
	_, err := apply(s, "b", Insert, "7 x")
	must(t, err)
	read(0, 20, 1, connector.More)
	read(1, 20, 1, connector.More)
	at(0, true, true)
	at(1, true, true)
	readers[1].Pass()
	read(1, 20, 1, connector.More)
	read(1, 20, 0, connector.Idle)
}
