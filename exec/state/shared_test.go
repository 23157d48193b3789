package state

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// TestSharedKeyStrings checks that rows share the strings of their keys, and that
// collections, seals and resets leave every row with its own.
func TestSharedKeyStrings(t *testing.T) {
	text, big := types.Of(types.Text), types.Of(types.Int64)
	tb, err := NewTable(graph.Table{Keys: []graph.Column{{Name: "a", Type: text}, {Name: "b", Type: big}}, Columns: []graph.Column{{Name: "c", Type: text}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	name := func(i int) string { return fmt.Sprintf("a name that is shared, number %d", i%7) }
	value := func(i, round int) string { return fmt.Sprintf("a value that is not, of row %d in round %d", i, round) }
	const n, rounds = 20_000, 30
	a, b, c := batch.NewColumn(types.PhysBytes, 0), batch.NewColumn(types.PhysInt, 0), batch.NewColumn(types.PhysBytes, 0)
	ids, rows := make([]RowID, n), make([]unsafe.Pointer, n)
	fill := func(round int) {
		a.Reset()
		b.Reset()
		c.Reset()
		for i := range n {
			a.Append(types.Value{Bytes: name(i)})
			b.Append(types.Value{Int: int64(i)})
			c.Append(types.Value{Bytes: value(i, round)})
		}
		tb.FindOrInsert([]*batch.Column{a, b}, n, nil, ids, rows, nil)
		tb.WriteColumn(2, rows, c, n, nil)
	}
	check := func(round int) {
		t.Helper()
		if tb.Len() != n {
			t.Fatalf("round %d: %d rows", round, tb.Len())
		}
		for i, id := range ids {
			row := tb.Read(id)
			k := string(tb.Bytes(*(*batch.View)(unsafe.Add(row, tb.Key(0)))))
			v := string(tb.Bytes(*(*batch.View)(unsafe.Add(row, tb.Column(0)))))
			if k != name(i) || v != value(i, round) {
				t.Fatalf("round %d, row %d: %q, %q", round, i, k, v)
			}
		}
	}
	places := func() int {
		seen := map[batch.View]bool{}
		for _, id := range ids {
			seen[*(*batch.View)(unsafe.Add(tb.Read(id), tb.Key(0)))] = true
		}
		return len(seen)
	}
	for round := range rounds { // old values make collections necessary
		fill(round)
		check(round)
		if p := places(); p > 14 { // in the midst of a collection, in old places and new ones
			t.Fatalf("round %d: 7 key strings lie in %d places", round, p)
		}
		tb.Seal(uint64(round)).Release()
	}
	if most := int64(rounds * n * 48 / 2); tb.strings.size() > most {
		t.Errorf("strings take %d bytes: nothing was collected", tb.strings.size())
	}
	tb.Reset()
	fill(0)
	check(0)
}
