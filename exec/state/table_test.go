package state

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// testSchema has keys k0, k1 … of the given kinds and the columns "sum" (bigint)
// and "last" (text).
func testSchema(keys ...types.Kind) graph.Table {
	s := graph.Table{Name: "t"}
	for i, k := range keys {
		s.Keys = append(s.Keys, graph.Column{Name: fmt.Sprintf("k%d", i), Type: types.Of(k)})
	}
	s.Columns = []graph.Column{{Name: "sum", Type: types.Of(types.Int64)}, {Name: "last", Type: types.Of(types.Text)}}
	return s
}

// model is what a table should hold: by printed key, the sum and the last string.
type model map[string]modelRow

type modelRow struct {
	sum  int64
	last string
	null bool
}

func (m model) clone() model {
	c := model{}
	for k, v := range m {
		c[k] = v
	}
	return c
}

// driver runs random batches against a table and a model.
type driver struct {
	t     testing.TB
	rng   *rand.Rand
	table *Table
	want  model
	kinds []types.Kind
	draw  func() int64 // the number that a key is made of
	ids   []RowID
	rows  []unsafe.Pointer
	fresh []uint16

	prefixes *Prefixes // nil: keys are found by all their columns
	groups   map[string]uint32
	numbers  []uint32 // of the groups of a batch
}

func newDriver(t testing.TB, seed uint64, opt Options, kinds []types.Kind, draw func(*rand.Rand) int64) *driver {
	d := &driver{t: t, rng: rand.New(rand.NewPCG(seed, 1)), want: model{}, kinds: kinds}
	d.draw = func() int64 { return draw(d.rng) }
	var err error
	if d.table, err = NewTable(testSchema(kinds...), opt); err != nil {
		t.Fatal(err)
	}
	return d
}

// fillKey puts the key number v into row i of column c: null for some of them.
func fillKey(c *batch.Column, i, n int, v int64, nulls bool) {
	if nulls && v%17 == 0 {
		c.SetNull(i, n)
		return
	}
	switch c.Phys {
	case types.PhysInt:
		c.Int[i] = v
	case types.PhysBool:
		c.Bool[i] = v%2 == 0
	case types.PhysFloat:
		c.Float[i] = float64(v) / 4
	case types.PhysDecimal:
		c.Dec[i] = types.DecimalFromInt(v)
	case types.PhysBytes:
		c.Views[i] = c.AddStr(strings.Repeat("k", int(uint64(v)%23)) + fmt.Sprint(v))
	case types.PhysInterval:
		c.Interval[i] = types.Interval{Micros: v, Days: int32(v % 3)}
	case types.PhysUUID:
		c.UUID[i] = [16]byte{byte(v), byte(v >> 8), 3: byte(v >> 16), 15: 7}
	}
}

func printKey(cols []*batch.Column, i int) string {
	var b strings.Builder
	for _, c := range cols {
		switch {
		case c.IsNull(i):
			b.WriteString("NULL")
		case c.Phys == types.PhysInt:
			fmt.Fprint(&b, c.Int[i])
		case c.Phys == types.PhysBool:
			fmt.Fprint(&b, c.Bool[i])
		case c.Phys == types.PhysFloat:
			fmt.Fprint(&b, c.Float[i])
		case c.Phys == types.PhysDecimal:
			b.WriteString(c.Dec[i].String())
		case c.Phys == types.PhysBytes:
			fmt.Fprintf(&b, "%q", c.Str(i))
		case c.Phys == types.PhysInterval:
			fmt.Fprint(&b, c.Interval[i])
		case c.Phys == types.PhysUUID:
			fmt.Fprintf(&b, "%x", c.UUID[i])
		}
		b.WriteByte('|')
	}
	return b.String()
}

func (d *driver) keys(n int) []*batch.Column {
	nulls := d.rng.IntN(3) == 0
	var cols []*batch.Column
	for range d.kinds {
		cols = append(cols, batch.NewColumn(types.Of(d.kinds[len(cols)]).Phys(), n))
	}
	for i := range n {
		v := d.draw()
		for k, c := range cols {
			if d.prefixes != nil && k == len(cols)-1 {
				v = d.draw()
			}
			fillKey(c, i, n, v+int64(k), nulls && (d.prefixes == nil || k < len(cols)-1))
		}
	}
	return cols
}

// find is FindOrInsert, by groups if the table has prefixes.
func (d *driver) find(cols []*batch.Column, n int, sel []uint16) {
	if d.prefixes == nil {
		d.fresh = d.table.FindOrInsert(cols, n, sel, d.ids, d.rows, d.fresh[:0])
		return
	}
	if d.groups == nil || d.rng.IntN(20) == 0 { // numbers get other meanings
		d.groups = map[string]uint32{}
		d.prefixes.Forget()
	}
	d.numbers = d.numbers[:0]
	for i := range n {
		prefix := printKey(cols[:len(cols)-1], i)
		if _, known := d.groups[prefix]; !known {
			d.groups[prefix] = uint32(len(d.groups))
		}
		d.numbers = append(d.numbers, d.groups[prefix])
	}
	d.fresh = d.table.FindOrInsertOf(d.prefixes, d.numbers, cols, n, sel, d.ids, d.rows, d.fresh[:0])
}

// step upserts one batch, and sometimes deletes.
func (d *driver) step() {
	n := 1 + d.rng.IntN(300)
	cols := d.keys(n)
	var sel []uint16
	if d.rng.IntN(2) == 0 {
		sel = []uint16{}
		for i := range n {
			if d.rng.IntN(3) > 0 {
				sel = append(sel, uint16(i))
			}
		}
	}
	if len(d.ids) < n {
		d.ids, d.rows = make([]RowID, 1000), make([]unsafe.Pointer, 1000)
	}
	d.find(cols, n, sel)
	isFresh := map[uint16]bool{}
	for _, i := range d.fresh {
		isFresh[i] = true
	}
	if sel == nil {
		sel = identity(n)
	}
	sum, last := d.table.Column(0), batch.NewColumn(types.PhysBytes, n)
	for _, i := range sel {
		key := printKey(cols, int(i))
		m, there := d.want[key]
		if isFresh[i] == there {
			d.t.Fatalf("key %s: fresh is %v, there was %v", key, isFresh[i], there)
		}
		if got := *(*int64)(unsafe.Add(d.rows[i], sum)); got != m.sum {
			d.t.Fatalf("key %s: sum %d, want %d", key, got, m.sum)
		}
		v := d.rng.Int64N(1000)
		*(*int64)(unsafe.Add(d.rows[i], sum)) += v
		m.sum += v
		m.last, m.null = strings.Repeat("v", d.rng.IntN(40)), false
		if d.rng.IntN(400) == 0 {
			m.last = strings.Repeat("long", 20000)
		}
		if d.rng.IntN(8) == 0 {
			m.last, m.null = "", true
			last.SetNull(int(i), n)
		} else if !last.IsNull(int(i)) {
			last.Views[i] = last.AddStr(m.last)
		}
		d.table.WriteColumn(len(d.kinds)+1, d.rows, last, n, []uint16{i})
		d.want[key] = m
	}
	if d.rng.IntN(3) == 0 {
		d.deleteSome(cols, n)
	}
	if d.table.Len() != len(d.want) {
		d.t.Fatalf("the table has %d rows, want %d", d.table.Len(), len(d.want))
	}
}

func (d *driver) deleteSome(cols []*batch.Column, n int) {
	d.table.Find(cols, n, nil, d.ids)
	for i := range n {
		key := printKey(cols, i)
		_, there := d.want[key]
		if there && d.rng.IntN(2) == 0 {
			d.table.Find(cols, n, []uint16{uint16(i)}, d.ids)
			d.table.Delete(d.ids[i])
			delete(d.want, key)
		}
	}
	d.table.Find(cols, n, nil, d.ids)
	for i := range n {
		if _, there := d.want[printKey(cols, i)]; there != (d.ids[i] != NoRow) {
			d.t.Fatalf("key %s: found is %v, want %v", printKey(cols, i), d.ids[i] != NoRow, there)
		}
	}
}

// checkSnapshot compares a snapshot with a model.
func checkSnapshot(t testing.TB, s *Snapshot, want model) {
	t.Helper()
	keys := len(s.schema.Keys)
	columns := make([]int, keys+2)
	out := &batch.Batch{}
	for i := range columns {
		columns[i] = i
		out.Cols = append(out.Cols, &batch.Column{Phys: s.slots[i].phys})
	}
	seen := 0
	for from := RowID(0); from != NoRow; {
		from = s.Read(from, 100, columns, out)
		for i := range out.N {
			key := printKey(out.Cols[:keys], i)
			got := modelRow{sum: out.Cols[keys].Int[i], null: out.Cols[keys+1].IsNull(i)}
			if !got.null {
				got.last = out.Cols[keys+1].Str(i)
			}
			if w, ok := want[key]; !ok || w != got {
				t.Fatalf("key %s: %+v, want %+v (%v)", key, got, w, ok)
			}
			seen++
		}
	}
	if seen != len(want) || s.Len() != seen {
		t.Fatalf("the snapshot has %d rows and says %d, want %d", seen, s.Len(), len(want))
	}
}

func (d *driver) check() {
	d.t.Helper()
	s := d.table.Seal(0)
	defer s.Release()
	checkSnapshot(d.t, s, d.want)
}

var keyCases = []struct {
	name  string
	kinds []types.Kind
	draw  func(*rand.Rand) int64
	// prefix has groups numbered by the keys before the last.
	prefix bool
}{
	{"int dense", []types.Kind{types.Int64}, func(r *rand.Rand) int64 { return r.Int64N(3000) }, false},
	{"int sparse", []types.Kind{types.Int64}, func(r *rand.Rand) int64 { return r.Int64N(2000)*7919 - 1e6 }, false},
	{"int strided", []types.Kind{types.Int64}, func(r *rand.Rand) int64 { return r.Int64N(4000) << 20 }, false},
	{"two ints", []types.Kind{types.Int64, types.Int32}, func(r *rand.Rand) int64 { return r.Int64N(3000) }, false},
	{"text", []types.Kind{types.Text}, func(r *rand.Rand) int64 { return r.Int64N(3000) }, false},
	{"int, text", []types.Kind{types.Date, types.Varchar}, func(r *rand.Rand) int64 { return r.Int64N(1000) }, false},
	{"numeric", []types.Kind{types.Numeric}, func(r *rand.Rand) int64 { return r.Int64N(1000) - 500 }, false},
	{"all", []types.Kind{types.Bool, types.Float64, types.UUID, types.IntervalK, types.Numeric}, func(r *rand.Rand) int64 { return r.Int64N(500) }, false},
	{"none", nil, func(r *rand.Rand) int64 { return 0 }, false},
	{"text of few groups", []types.Kind{types.Text, types.Int64}, func(r *rand.Rand) int64 { return r.Int64N(40) }, true},
	{"groups", []types.Kind{types.Varchar, types.Numeric, types.Bool, types.Text, types.Int64}, func(r *rand.Rand) int64 { return r.Int64N(3000) }, true},
}

func TestTableAgainstModel(t *testing.T) {
	seed := random.Seed(t)
	for _, c := range keyCases {
		t.Run(c.name, func(t *testing.T) {
			slabs := NewSlabs(SlabOptions{})
			defer slabs.Close()
			d := newDriver(t, seed, Options{Slabs: slabs, PageBytes: 4096}, c.kinds, c.draw)
			if c.prefix {
				d.table.Close()
				schema := testSchema(c.kinds...)
				schema.Local = 1
				var err error
				if d.table, err = NewTable(schema, Options{Slabs: slabs, PageBytes: 4096}); err != nil {
					t.Fatal(err)
				}
				d.prefixes = &Prefixes{}
			}
			type held struct {
				s    *Snapshot
				want model
			}
			var snaps []held
			for range 60 {
				for range 5 {
					d.step()
				}
				switch d.rng.IntN(4) {
				case 0:
					snaps = append(snaps, held{d.table.Seal(1), d.want.clone()})
				case 1:
					if len(snaps) > 0 {
						i := d.rng.IntN(len(snaps))
						checkSnapshot(t, snaps[i].s, snaps[i].want)
						snaps[i].s.Release()
						snaps = append(snaps[:i], snaps[i+1:]...)
					}
				case 2:
					if d.rng.IntN(10) == 0 {
						d.table.Reset()
						clear(d.want)
					}
				}
			}
			d.check()
			for _, h := range snaps {
				checkSnapshot(t, h.s, h.want)
			}
			d.table.Close()
			for _, h := range snaps {
				checkSnapshot(t, h.s, h.want)
				h.s.Release()
			}
			if n := slabs.InUse(); n != 0 {
				t.Errorf("%d bytes are still in use", n)
			}
		})
	}
}

func TestReadersDuringWrites(t *testing.T) {
	d := newDriver(t, 7, Options{PageBytes: 4096}, []types.Kind{types.Int64, types.Text}, func(r *rand.Rand) int64 { return r.Int64N(2000) })
	done := make(chan struct{})
	work := make(chan func(), 4)
	go func() {
		defer close(done)
		for f := range work {
			f()
		}
	}()
	for range 60 {
		d.step()
		s, want := d.table.Seal(1), d.want.clone()
		work <- func() {
			defer s.Release()
			checkSnapshot(t, s, want)
		}
	}
	close(work)
	<-done
}

func TestStringsAreCollected(t *testing.T) {
	d := newDriver(t, 3, Options{}, []types.Kind{types.Int64}, func(r *rand.Rand) int64 { return r.Int64N(100) })
	for range 2000 {
		d.step()
		d.table.Tidy()
	}
	d.check()
	live := 0
	for _, r := range d.want {
		live += len(r.last)
	}
	if got := int(d.table.strings.size()); got > 3*live+2*collectBytesMin {
		t.Errorf("%d bytes of strings take %d bytes of memory", live, got)
	}
}

// TestEqualKeys has keys that differ in form but not in value.
func TestEqualKeys(t *testing.T) {
	nan := 0.0
	nan /= nan
	dec := func(s string) types.Decimal {
		d, err := types.ParseDecimal(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	cases := []struct {
		kind types.Kind
		fill func(c *batch.Column)
		rows int
	}{
		{types.Float64, func(c *batch.Column) { copy(c.Float, []float64{0, 1 / negInf(), nan, -nan}) }, 2},
		{types.Numeric, func(c *batch.Column) {
			copy(c.Dec, []types.Decimal{dec("1.0"), dec("1.000"), dec("-10"), dec("-10.00")})
		}, 2},
		{types.IntervalK, func(c *batch.Column) {
			copy(c.Interval, []types.Interval{{Months: 1}, {Days: 30}, {Micros: 30 * 86_400_000_000}, {Days: -1}})
		}, 2},
	}
	for _, c := range cases {
		tab, err := NewTable(testSchema(c.kind), Options{})
		if err != nil {
			t.Fatal(err)
		}
		col := batch.NewColumn(types.Of(c.kind).Phys(), 4)
		c.fill(col)
		tab.FindOrInsert([]*batch.Column{col}, 4, nil, make([]RowID, 4), make([]unsafe.Pointer, 4), nil)
		if tab.Len() != c.rows {
			t.Errorf("%s: %d rows, want %d", c.kind, tab.Len(), c.rows)
		}
	}
}

func negInf() float64 {
	zero := 0.0
	return -1 / zero
}

func TestManyColumns(t *testing.T) {
	s := graph.Table{Keys: []graph.Column{{Name: "k", Type: types.Of(types.Int64)}}}
	for i := range 200 {
		s.Columns = append(s.Columns, graph.Column{Name: fmt.Sprint(i), Type: types.Of(types.Int64)})
	}
	tab, err := NewTable(s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	key := &batch.Column{Phys: types.PhysInt, Int: []int64{5}}
	rows := make([]unsafe.Pointer, 1)
	tab.FindOrInsert([]*batch.Column{key}, 1, nil, make([]RowID, 1), rows, nil)
	for i := range 201 {
		if i%3 == 0 {
			tab.SetNull(rows[0], i, true)
		}
	}
	for i := range 201 {
		if tab.IsNull(rows[0], i) != (i%3 == 0) {
			t.Fatalf("null bit of column %d is wrong", i)
		}
	}
}
