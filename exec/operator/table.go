package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// table is a state table as operators use it: rows are found by the batch, and
// read back as columns.
type table struct {
	*state.Table
	recent   recent
	prefixes state.Prefixes
	one      [1]uint16 // scratch: a selection
}

func newTable(t *state.Table) *table { return &table{Table: t} }

// newFinished makes a table of an operator over finished data that has no state. It is
// on the Go heap, and counts as share.
func newFinished(schema *graph.Table, share *memory.Share) (*table, error) {
	t, err := state.NewTable(*schema, state.Options{Slabs: state.NewSlabs(state.SlabOptions{Heap: true}).For(share)})
	return &table{Table: t}, err
}

// newScratch makes a table that belongs to no checkpoint. It goes with t.
func newScratch(t *table, schema *graph.Table) (*table, error) {
	s, err := t.Scratch(*schema)
	return &table{Table: s}, err
}

// find gives the state row of each selected row's key (sel nil: of the first n
// rows), by physical row, making those that are not there, and appends to fresh
// the batch rows for which one was made.
//
// Key columns that are the same in all rows of a batch are common: the day of a
// time, a window. What remains of the key is then nothing or, often, an integer.
func (t *table) find(keys []*batch.Column, n int, sel []uint16, ids []uint32, rows []unsafe.Pointer, fresh []uint16) []uint16 {
	if n == 0 || sel != nil && len(sel) == 0 {
		return fresh
	}
	if pairs(keys) {
		return t.recent.find(t, keys[0].Int, keys[1].Int, nil, keys, n, sel, ids, rows, fresh)
	}
	switch varying := t.varying(keys, n, sel); {
	case varying == noneVaries:
		return t.findOne(keys, n, sel, ids, rows, fresh)
	case varying >= 0 && len(keys) > 1 && keys[varying].Phys == types.PhysInt && !keys[varying].HasNulls:
		r := &t.recent
		tag := r.tag(keys, varying, firstRow(sel))
		r.second = roomFor(r.second, n)
		for i := range r.second {
			r.second[i] = tag
		}
		return r.find(t, keys[varying].Int, r.second, nil, keys, n, sel, ids, rows, fresh)
	}
	return t.FindOrInsert(keys, n, sel, ids, rows, fresh)
}

// findOne is find for rows that all have the same key.
func (t *table) findOne(keys []*batch.Column, n int, sel []uint16, ids []uint32, rows []unsafe.Pointer, fresh []uint16) []uint16 {
	t.one[0] = uint16(firstRow(sel))
	first := t.one[0]
	fresh = t.FindOrInsert(keys, n, t.one[:], ids, rows, fresh)
	id, row := ids[first], rows[first]
	if sel == nil {
		for i := range n {
			ids[i], rows[i] = id, row
		}
		return fresh
	}
	for _, i := range sel {
		ids[i], rows[i] = id, row
	}
	return fresh
}

func firstRow(sel []uint16) int {
	if sel == nil {
		return 0
	}
	return int(sel[0])
}

const (
	noneVaries  = -1
	severalVary = -2
)

// varying is the number of the only key column whose values differ among the
// rows, or noneVaries or severalVary. A column that is not known to be the same
// in all rows counts as one that differs.
func (t *table) varying(keys []*batch.Column, n int, sel []uint16) int {
	found := noneVaries
	for k, c := range keys {
		if uniform(c, n, sel) {
			continue
		}
		if found != noneVaries {
			return severalVary
		}
		found = k
	}
	return found
}

// uniform reports whether a column of integers or strings has one value in all
// rows. Strings are told by their places: equal ones need not be found equal.
func uniform(c *batch.Column, n int, sel []uint16) bool {
	if c.HasNulls {
		return false
	}
	switch c.Phys {
	case types.PhysInt:
		return uniformValues(c.Int, n, sel)
	case types.PhysBytes:
		return uniformValues(c.Views, n, sel)
	}
	return false
}

func uniformValues[T comparable](values []T, n int, sel []uint16) bool {
	if sel == nil {
		first := values[0]
		if values[n-1] != first || values[n/2] != first {
			return false
		}
		for _, v := range values[:n] {
			if v != first {
				return false
			}
		}
		return true
	}
	first := values[sel[0]]
	for _, i := range sel {
		if values[i] != first {
			return false
		}
	}
	return true
}

func (t *table) column(i int) uintptr           { return t.Column(i) }
func (t *table) key(i int) uintptr              { return t.Key(i) }
func (t *table) keys() int                      { return t.Keys() }
func (t *table) keyPhys(i int) types.Phys       { return t.Phys(i) }
func (t *table) len() int                       { return t.Len() }
func (t *table) idEnd() int                     { return t.End() }
func (t *table) width() int                     { return t.Width() }
func (t *table) read(id uint32) unsafe.Pointer  { return t.Read(id) }
func (t *table) write(id uint32) unsafe.Pointer { return t.Write(id) }

func (t *table) remove(id uint32) {
	t.recent.forget()
	t.prefixes.Forget()
	t.Delete(id)
}

func (t *table) clear() {
	t.recent.forget()
	t.prefixes.Forget()
	t.Reset()
}

func (t *table) each(fn func(id uint32, row unsafe.Pointer) error) error { return t.Each(fn) }

// keyColumn reads key i of state rows into a column.
func (t *table) keyColumn(i int, rows []unsafe.Pointer, dst *batch.Column) {
	t.ReadColumn(i, rows, dst)
}

// gather reads the first keys of state rows into columns of its own.
type gather struct {
	t    *table
	cols []*batch.Column
	rows []unsafe.Pointer
	ids  []uint32
}

func newGather(t *table, keys int) *gather {
	g := &gather{t: t}
	for i := range keys {
		g.cols = append(g.cols, &batch.Column{Phys: t.keyPhys(i)})
	}
	return g
}

// gather returns the keys and the rows of ids, until its next call.
func (g *gather) gather(ids []uint32) ([]*batch.Column, []unsafe.Pointer) {
	g.rows = g.rows[:0]
	for _, id := range ids {
		g.rows = append(g.rows, g.t.read(id))
	}
	for i, c := range g.cols {
		g.t.keyColumn(i, g.rows, c)
	}
	return g.cols[:len(g.cols):len(g.cols)], g.rows
}

// each calls fn for all rows of the table, n at a time.
func (g *gather) each(n int, fn func(ids []uint32, rows []unsafe.Pointer, keys []*batch.Column) error) error {
	flush := func() error {
		if len(g.ids) == 0 {
			return nil
		}
		cols, rows := g.gather(g.ids)
		err := fn(g.ids, rows, cols)
		g.ids = g.ids[:0]
		return err
	}
	err := g.t.each(func(id uint32, _ unsafe.Pointer) error {
		if g.ids = append(g.ids, id); len(g.ids) < n {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}
