package state

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// TestChains links and unlinks rows at random and compares the chains with lists,
// for keys of one and two columns, short and long chains, and after a restore.
func TestChains(t *testing.T) {
	for _, kinds := range [][]types.Kind{{types.Int64}, {types.Text}, {types.Int64, types.Int64}, {types.Float64, types.Text}, {types.Numeric}, {types.UUID}, {types.IntervalK}, {types.Bool}, {}} {
		t.Run(fmt.Sprint(kinds), func(t *testing.T) { checkChains(t, kinds) })
	}
}

func checkChains(t *testing.T, kinds []types.Kind) {
	rng := rand.New(rand.NewPCG(1, uint64(len(kinds))))
	schema := graph.Table{Local: 1}
	var cols []types.Type
	for i, k := range kinds {
		schema.Keys = append(schema.Keys, graph.Column{Name: fmt.Sprint("k", i), Type: types.Of(k)})
		cols = append(cols, types.Of(k))
	}
	schema.Keys = append(schema.Keys, graph.Column{Name: "id", Type: types.Of(types.Int64)})
	cols = append(cols, types.Of(types.Int64))
	table, err := NewTable(schema, Options{PageBytes: 512})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	c := table.Chain(len(kinds), true)
	want := map[int][]RowID{} // newest first
	one := func(key, id int) *batch.Batch {
		var row []types.Value
		for range kinds {
			s := fmt.Sprint("key number ", key)
			row = append(row, types.Value{Int: int64(key), Bytes: s, Float: float64(key), Bool: key%2 == 0, Dec: types.DecimalFromInt(int64(key)),
				Interval: types.Interval{Micros: int64(key)}, UUID: [16]byte{byte(key), byte(key >> 8)}})
		}
		return batch.FromValues(cols, [][]types.Value{append(row, types.Value{Int: int64(id)})})
	}
	keys := 400
	if len(kinds) == 0 {
		keys = 1
	} else if kinds[0] == types.Bool {
		keys = 2
	}
	hash := make([]uint64, 1)
	ids, rows := make([]RowID, 1), make([]unsafe.Pointer, 1)
	hashOf := func(b *batch.Batch) uint64 {
		HashKeys(b.Cols[:len(kinds)], nil, 1, nil, hash)
		return hash[0]
	}
	check := func(c *Chains, key int, want []RowID, what string) {
		b := one(key, 0)
		hashOf(b)
		c.Find(b.Cols, hash, Identity(1), ids)
		var got []RowID
		for id := ids[0]; id != NoRow; id = c.Next(id) {
			got = append(got, id)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s: key %d has rows %v, want %v", what, key, got, want)
		}
	}
	for step := range 6000 {
		key := rng.IntN(keys)
		if list := want[key]; len(list) > 0 && rng.IntN(5) < 2 {
			k := rng.IntN(len(list))
			if last := c.Unlink(list[k], hashOf(one(key, 0))); last != (len(list) == 1) {
				t.Fatalf("the last of key %d: %v", key, last)
			}
			table.Delete(list[k])
			want[key] = slices.Delete(list, k, k+1)
		} else {
			b := one(key, step)
			table.FindOrInsert(b.Cols, 1, nil, ids, rows, nil)
			id := ids[0]
			c.Reserve(1)
			if first := c.Link(id, hashOf(b)); first != (len(want[key]) == 0) {
				t.Fatalf("the first of key %d: %v", key, first)
			}
			want[key] = slices.Insert(want[key], 0, id)
		}
		check(c, key, want[key], "after a change")
	}
	for key := range keys + 5 {
		if key < keys || len(kinds) > 0 && kinds[0] != types.Bool {
			check(c, key, want[key], "in the end")
		}
	}
	// Chains of a table that has rows already: the order is another one.
	c.close()
	table.chains = nil
	again := table.Chain(len(kinds), true)
	for key, list := range want {
		b := one(key, 0)
		hashOf(b)
		again.Find(b.Cols, hash, Identity(1), ids)
		var got []RowID
		for id := ids[0]; id != NoRow; id = again.Next(id) {
			got = append(got, id)
		}
		slices.Sort(got)
		slices.Sort(list)
		if !slices.Equal(got, list) {
			t.Fatalf("made again, key %d has rows %v, want %v", key, got, list)
		}
	}
}

// TestUnindexed checks that rows of an unindexed table are all different ones, and
// that a snapshot of it can be read and restored.
func TestUnindexed(t *testing.T) {
	schema := graph.Table{Local: 1, Unindexed: true, Keys: []graph.Column{{Name: "k", Type: types.Of(types.Int64)}, {Name: "row", Type: types.Of(types.Int64)}},
		Columns: []graph.Column{{Name: "v", Type: types.Of(types.Text)}}}
	table, err := NewTable(schema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	cols := []types.Type{types.Of(types.Int64), types.Of(types.Int64), types.Of(types.Text)}
	b := batch.FromValues(cols, [][]types.Value{{{Int: 1}, {Int: 1}, {Bytes: "a"}}, {{Int: 1}, {Int: 1}, {Bytes: "b"}}, {types.NullValue, {Int: 2}, {Bytes: "c"}}})
	ids, rows := make([]RowID, 3), make([]unsafe.Pointer, 3)
	if fresh := table.FindOrInsert(b.Cols[:2], 3, nil, ids, rows, nil); len(fresh) != 3 || ids[0] == ids[1] {
		t.Fatalf("fresh %v, ids %v", fresh, ids)
	}
	table.WriteColumn(2, rows, b.Cols[2], 3, nil)
	s := table.Seal(1)
	defer s.Release()
	if s.Len() != 3 {
		t.Fatalf("%d rows", s.Len())
	}
	table.Delete(ids[1])
	if table.Len() != 2 {
		t.Fatalf("%d rows after a delete", table.Len())
	}
}

// TestChainsLeaveBlocks chains rows by keys that all fall to one place of their
// blocks.
func TestChainsLeaveBlocks(t *testing.T) {
	bigint := types.Of(types.Int64)
	table, err := NewTable(graph.Table{Keys: []graph.Column{{Name: "k", Type: bigint}, {Name: "row", Type: bigint}}, Local: 1, Unindexed: true}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	c := table.Chain(1, true)
	const keys, n = 3000, 500
	k, row := batch.NewColumn(types.PhysInt, n), batch.NewColumn(types.PhysInt, n)
	k.Resize(n)
	row.Resize(n)
	hashes, ids, rows := make([]uint64, n), make([]RowID, n), make([]unsafe.Pointer, n)
	newest, older := map[int64]RowID{}, map[RowID]RowID{}
	for from := 0; from < 2*keys; from += n {
		for i := range n {
			k.Int[i], row.Int[i] = int64((from+i)%keys*64), int64(from+i)
		}
		cols := []*batch.Column{k, row}
		HashKeys(cols[:1], nil, n, nil, hashes)
		table.FindOrInsert(cols, n, nil, ids, rows, nil)
		c.Reserve(n)
		for i, id := range ids {
			last, ok := newest[k.Int[i]]
			if first := c.Link(id, hashes[i]); first == ok {
				t.Fatalf("row %d is the first of its key: %t", from+i, first)
			}
			if ok {
				older[id] = last
			} else {
				older[id] = NoRow
			}
			newest[k.Int[i]] = id
		}
		c.Find(cols[:1], hashes, Identity(n), ids)
		for i, id := range ids {
			if id != newest[k.Int[i]] || c.Next(id) != older[id] {
				t.Fatalf("the newest row of key %d is %d, want %d", k.Int[i], id, newest[k.Int[i]])
			}
		}
	}
	if c.index.blocks {
		t.Error("keys that do not suit blocks are hashed in blocks")
	}
	for key, id := range newest {
		k.Int[0] = key
		HashKeys([]*batch.Column{k}, nil, 1, nil, hashes)
		if last := c.Unlink(id, hashes[0]); last {
			t.Fatalf("key %d has no rows left", key)
		}
		if last := c.Unlink(older[id], hashes[0]); !last {
			t.Fatalf("key %d has rows left", key)
		}
	}
	if c.index.used != 0 {
		t.Errorf("%d keys are left", c.index.used)
	}
}

// TestChainsOfWideKeys chains rows by keys of 32 bits, then by any, whose last 32 bits
// are often those of others: keys are told apart, those of before too.
func TestChainsOfWideKeys(t *testing.T) {
	for _, unlink := range []bool{false, true} {
		for _, spread := range []int64{1, 64 * 64} { // in blocks, or not
			t.Run(fmt.Sprint(unlink, " ", spread), func(t *testing.T) { checkWideKeys(t, unlink, spread) })
		}
	}
}

func checkWideKeys(t *testing.T, unlink bool, spread int64) {
	bigint := types.Of(types.Int64)
	table, err := NewTable(graph.Table{Keys: []graph.Column{{Name: "k", Type: bigint}, {Name: "row", Type: bigint}}, Local: 1, Unindexed: true}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	c := table.Chain(1, unlink)
	rng := rand.New(rand.NewPCG(5, 6))
	const n = 300
	k, row := batch.NewColumn(types.PhysInt, n), batch.NewColumn(types.PhysInt, n)
	hashes, ids, rows := make([]uint64, n), make([]RowID, n), make([]unsafe.Pointer, n)
	want := map[int64][]RowID{} // newest first
	for round := range 40 {
		for i := range n {
			k.Int[i], row.Int[i] = rng.Int64N(900)*spread, int64(round*n+i)
			if round >= 20 && rng.IntN(3) == 0 {
				k.Int[i] |= []int64{1 << 32, 1 << 40, -1 << 32, -1 << 63}[rng.IntN(4)]
			}
		}
		cols := []*batch.Column{k, row}
		HashKeys(cols[:1], nil, n, nil, hashes)
		table.Append(cols, hashes, Identity(n), ids, rows)
		c.Reserve(n)
		if round%2 == 0 {
			c.LinkAll(cols, hashes, Identity(n), ids)
		} else {
			for i, id := range ids {
				c.Link(id, hashes[i])
			}
		}
		for i, id := range ids {
			want[k.Int[i]] = slices.Insert(want[k.Int[i]], 0, id)
		}
		for i := range n {
			if round < 20 && rng.IntN(4) == 0 {
				k.Int[i] |= 1 << 32 // which is not there
			}
		}
		HashKeys(cols[:1], nil, n, nil, hashes)
		c.Find(cols[:1], hashes, Identity(n), ids)
		for i, id := range ids {
			key := k.Int[i]
			var got []RowID
			for ; id != NoRow; id = c.Next(id) {
				got = append(got, id)
			}
			if !slices.Equal(got, want[key]) {
				t.Fatalf("round %d: key %d has rows %v, want %v", round, key, got, want[key])
			}
		}
		if !unlink {
			continue
		}
		for key, list := range want {
			if rng.IntN(10) > 0 || len(list) == 0 {
				continue
			}
			at := rng.IntN(len(list))
			if last := c.Unlink(list[at], c.Hash(list[at])); last != (len(list) == 1) {
				t.Fatalf("the last of key %d: %t", key, last)
			}
			table.Delete(list[at])
			want[key] = slices.Delete(list, at, at+1)
		}
	}
	if c.index.own {
		t.Error("tags are keys of 32 bits, but not all keys have so few")
	}
}
