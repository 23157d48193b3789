package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// table is a state table as operators use it: rows are found by the batch, and
// read back as columns.
type table struct {
	*state.Table
	recent recent
}

func newTable(t *state.Table) *table { return &table{Table: t} }

// newScratch makes a table that belongs to no checkpoint.
func newScratch(schema *graph.Table) (*table, error) {
	t, err := state.NewTable(*schema, state.Options{})
	return &table{Table: t}, err
}

// find gives the state row of each selected row's key (sel nil: of the first n
// rows), by physical row, making those that are not there, and appends to fresh
// the batch rows for which one was made.
func (t *table) find(keys []*batch.Column, n int, sel []uint16, ids []uint32, rows []unsafe.Pointer, fresh []uint16) []uint16 {
	if pairs(keys) {
		return t.recent.find(t, keys[0].Int, keys[1].Int, keys, n, sel, ids, rows, fresh)
	}
	return t.FindOrInsert(keys, n, sel, ids, rows, fresh)
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
	t.Delete(id)
}

func (t *table) clear() {
	t.recent.forget()
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
