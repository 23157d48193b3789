package state

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// goldenKeys are keys of each layout. The hashes of this list are frozen: a key
// must never change its group.
func goldenKeys() (names []string, keys [][]*batch.Column) {
	add := func(name string, cols ...*batch.Column) {
		names, keys = append(names, name), append(keys, cols)
	}
	ints := func(v int64) *batch.Column { return &batch.Column{Phys: types.PhysInt, Int: []int64{v}} }
	text := func(s string) *batch.Column {
		c := batch.NewColumn(types.PhysBytes, 1)
		c.Views[0] = c.AddStr(s)
		return c
	}
	null := func(p types.Phys) *batch.Column {
		c := batch.NewColumn(p, 1)
		c.SetNull(0, 1)
		return c
	}
	add("no columns")
	for _, v := range []int64{0, 1, -1, 1000, math.MaxInt64, math.MinInt64} {
		add(fmt.Sprintf("integer %d", v), ints(v))
	}
	for _, b := range []bool{false, true} {
		add(fmt.Sprintf("boolean %v", b), &batch.Column{Phys: types.PhysBool, Bool: []bool{b}})
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 1.5, math.Inf(1), math.Inf(-1), math.NaN()} {
		add(fmt.Sprintf("float %v", f), &batch.Column{Phys: types.PhysFloat, Float: []float64{f}})
	}
	for _, s := range []string{"0", "0.00", "1", "1.0", "-1.000", "123456789012345678901234567890.12", "NaN", "Infinity", "-Infinity", "1e-30"} {
		d, err := types.ParseDecimal(s)
		if err != nil {
			panic(err)
		}
		add("numeric "+s, &batch.Column{Phys: types.PhysDecimal, Dec: []types.Decimal{d}})
	}
	for n := range 40 {
		add(fmt.Sprintf("text of %d", n), text(strings.Repeat("Millrace!", 5)[:n]))
	}
	for _, v := range []types.Interval{{}, {Months: 1}, {Days: 30}, {Micros: -1}, {Days: -1, Micros: 86_400_000_000}, {Months: math.MaxInt32, Days: math.MaxInt32, Micros: math.MaxInt64}} {
		add(fmt.Sprintf("interval %v", v), &batch.Column{Phys: types.PhysInterval, Interval: []types.Interval{v}})
	}
	add("uuid", &batch.Column{Phys: types.PhysUUID, UUID: [][16]byte{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}})
	for p := types.PhysBool; p <= types.PhysUUID; p++ {
		add(fmt.Sprintf("null %d", p), null(p))
	}
	add("1, 2", ints(1), ints(2))
	add("2, 1", ints(2), ints(1))
	add("1, null", ints(1), null(types.PhysInt))
	add("null, 1", null(types.PhysInt), ints(1))
	add("null, null, null", null(types.PhysInt), null(types.PhysBytes), null(types.PhysInt))
	add("1, text, 2", ints(1), text("text"), ints(2))
	return names, keys
}

func goldenHash(cols []*batch.Column) uint64 {
	in := &batch.Batch{N: 1, Cols: cols}
	var at []int
	for i := range cols {
		at = append(at, i)
	}
	out := make([]uint64, 1)
	HashColumns(in, at, nil, out)
	return out[0]
}

func TestKeyHashIsFrozen(t *testing.T) {
	names, keys := goldenKeys()
	if len(names) != len(goldenHashes) {
		t.Fatalf("%d keys, %d hashes", len(names), len(goldenHashes))
	}
	for i := range keys {
		if got := goldenHash(keys[i]); got != goldenHashes[i] {
			t.Errorf("%s: %#016x, frozen as %#016x", names[i], got, goldenHashes[i])
		}
		if hashOne(keys[i], nil, 0) != goldenHashes[i] {
			t.Errorf("%s: hashed alone it is another", names[i])
		}
	}
}

// TestKeyGroupsAreEven has keys as streams have them fall into groups evenly.
func TestKeyGroupsAreEven(t *testing.T) {
	const n = 200 * KeyGroups
	for name, key := range map[string]func(i int64) int64{
		"sequence": func(i int64) int64 { return i + 1000 },
		"even":     func(i int64) int64 { return i * 2 },
		"pages":    func(i int64) int64 { return i << 20 },
		"times":    func(i int64) int64 { return 1_700_000_000_000_000 + i*10_000_000 },
	} {
		col := &batch.Column{Phys: types.PhysInt, Int: make([]int64, n)}
		for i := range col.Int {
			col.Int[i] = key(int64(i))
		}
		out := make([]uint64, n)
		for at := 0; at < n; at += batch.RowsDefault {
			part := &batch.Column{Phys: types.PhysInt, Int: col.Int[at : at+batch.RowsDefault]}
			HashColumns(&batch.Batch{N: batch.RowsDefault, Cols: []*batch.Column{part}}, []int{0}, nil, out[at:])
		}
		var counts [KeyGroups]int
		for _, h := range out {
			counts[KeyGroup(h)]++
		}
		for g, c := range counts {
			if c < 100 || c > 320 {
				t.Errorf("%s: group %d has %d keys of %d", name, g, c, n)
				break
			}
		}
	}
}
