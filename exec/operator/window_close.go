package operator

import (
	"container/heap"
	"fmt"
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/invariant"
	"github.com/millrace/millrace/planner/graph"
)

// sliceIndex lists a table's rows by slice. It is derived from the table.
type sliceIndex struct {
	table *table
	slot  uintptr // of the slice in a row
	ids   map[int64]*[]uint32
	last  int64 // the slice that list is of
	list  *[]uint32
	order starts
	spare [][]uint32
	holes bool // rows may have been removed, and their ids given to others
}

// starts is a heap of slices, the earliest on top.
type starts []int64

func (s starts) Len() int           { return len(s) }
func (s starts) Less(i, j int) bool { return s[i] < s[j] }
func (s starts) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

// Push implements heap.Interface.
func (s *starts) Push(v any) { *s = append(*s, v.(int64)) }

// Pop implements heap.Interface.
func (s *starts) Pop() any {
	old := *s
	v := old[len(old)-1]
	*s = old[:len(old)-1]
	return v
}

func newSliceIndex(t *table, slot uintptr) *sliceIndex {
	x := &sliceIndex{table: t, slot: slot, ids: map[int64]*[]uint32{}}
	_ = t.each(func(id uint32, row unsafe.Pointer) error {
		x.add(*(*int64)(unsafe.Add(row, slot)), id)
		return nil
	})
	return x
}

func (x *sliceIndex) add(slice int64, id uint32) {
	if x.list == nil || x.last != slice {
		list := x.ids[slice]
		if list == nil {
			list = new([]uint32)
			if n := len(x.spare); n > 0 {
				*list, x.spare = x.spare[n-1], x.spare[:n-1]
			}
			x.ids[slice] = list
			heap.Push(&x.order, slice)
		}
		x.last, x.list = slice, list
	}
	*x.list = append(*x.list, id)
}

// first is the earliest slice with rows.
func (x *sliceIndex) first() (int64, bool) {
	if len(x.order) == 0 {
		return 0, false
	}
	return x.order[0], true
}

// each calls close for the slices up to last, the first ones first; close must drop them.
func (x *sliceIndex) each(last int64, close func(slice int64) error) error {
	for {
		slice, ok := x.first()
		if !ok || slice > last {
			return nil
		}
		if err := close(slice); err != nil {
			return err
		}
	}
}

// rows are the ids of a slice's rows; they may be read until the slice is dropped.
func (x *sliceIndex) rows(slice int64) []uint32 {
	if list := x.ids[slice]; list != nil {
		return *list
	}
	return nil
}

// drop removes the slice's rows from the table.
func (x *sliceIndex) drop(slice int64) {
	list := x.ids[slice]
	if list == nil {
		return
	}
	for _, id := range *list {
		if x.holes && !x.has(slice, id) {
			continue
		}
		x.table.remove(id)
	}
	delete(x.ids, slice)
	x.spare = append(x.spare, (*list)[:0])
	x.list = nil
	if x.order[0] == slice {
		heap.Pop(&x.order)
		return
	}
	for i, s := range x.order {
		if s == slice {
			heap.Remove(&x.order, i)
			return
		}
	}
}

// thin compacts the slice that rows were last added to, if most of its rows may have
// been removed since.
func (x *sliceIndex) thin() {
	const few = 1024
	if x.list != nil && len(*x.list) > 2*x.table.len()+few {
		x.compact(x.last)
	}
}

// compact forgets, of a slice of a table with holes, what is no row of it any more.
func (x *sliceIndex) compact(slice int64) {
	list := x.ids[slice]
	slices.Sort(*list)
	*list = slices.DeleteFunc(slices.Compact(*list), func(id uint32) bool { return !x.has(slice, id) })
}

// has reports whether id is still a row of the slice.
func (x *sliceIndex) has(slice int64, id uint32) bool {
	return x.table.Live(id) && *(*int64)(unsafe.Add(x.table.read(id), x.slot)) == slice
}

// free drops a slice from all tables.
func (w *windowAggregate) free(slice int64) {
	if len(w.a.extrema)+len(w.a.lists) > 0 {
		for _, id := range w.slices[0].rows(slice) {
			w.a.drop(id)
		}
	}
	for _, x := range w.slices {
		x.drop(slice)
	}
}

// emit inserts the groups of one window that have rows.
func (w *windowAggregate) emit(ids []uint32, out exec.Output) error {
	w.rows = w.rows[:0]
	for i, id := range ids {
		if err := w.a.settleOne(id); err != nil {
			return err
		}
		if row := w.a.groups.read(id); w.a.present(row) {
			if f := w.a.refusal(id); f == nil {
				w.rows = append(w.rows, row)
			} else if err := w.refused.refuse(w.a, row, f); err != nil {
				return err
			}
		}
		if len(w.rows) == w.limit || i == len(ids)-1 {
			if err := w.emitRows(w.a, w.rows, out); err != nil {
				return err
			}
			w.rows = w.rows[:0]
		}
	}
	return nil
}

func (w *windowAggregate) emitRows(a *accumulators, rows []unsafe.Pointer, out exec.Output) error {
	if len(rows) == 0 {
		return nil
	}
	var err error
	if w.out.N, err = w.refused.fill(a, rows, w.out.Cols); err != nil || w.out.N == 0 {
		return err
	}
	return out.Emit(&w.out)
}

// fireSteps fires cumulating windows in order of their ends. A step that has
// fired moves into the next one of its window, if there is one.
func (w *windowAggregate) fireSteps(mark exec.Watermark, out exec.Output) error {
	for {
		slice, ok := w.slices[0].first()
		if !ok || w.kind.freeAt(slice) > mark {
			return nil
		}
		if err := w.emit(w.slices[0].rows(slice), out); err != nil {
			return err
		}
		start, end := w.kind.window(slice)
		if end < start+w.kind.spec.Size {
			if err := w.carry(slice, end); err != nil {
				return err
			}
		}
		w.free(slice)
	}
}

// carry merges the rows of slice from into slice to.
func (w *windowAggregate) carry(from, to int64) error {
	ids := w.slices[0].rows(from)
	keys := len(w.spec.Keys)
	g := newGather(w.a.groups, keys)
	for len(ids) > 0 {
		n := min(len(ids), batch.RowsDefault)
		cols, rows := g.gather(ids[:n])
		w.column.Resize(n)
		for i := range n {
			w.column.Int[i] = to
		}
		into, at := make([]unsafe.Pointer, n), make([]uint32, n)
		w.fresh = w.a.groups.find(append(cols, &w.column), n, nil, at, into, w.fresh[:0])
		for _, i := range w.fresh {
			w.a.start(into[i], nil)
			w.slices[0].add(to, at[i])
		}
		if err := w.a.merge(into, rows); err != nil {
			return fmt.Errorf("carry a cumulating window on: %w", err)
		}
		ids = ids[n:]
	}
	return nil
}

// paneMerger puts the panes of a hopping window together in a table of its own,
// which is empty between windows and belongs to no checkpoint. Its rows are laid
// out as those of the pane table, but the window, which is the same in all of
// them, is no part of the key.
type paneMerger struct {
	a      accumulators // over the table of one window
	gather *gather
	rows   []unsafe.Pointer
	ids    []uint32
	fresh  []uint16
	window uintptr // where the window's start lies in a row
}

func newPaneMerger(op *graph.Operator, a *accumulators, keys int) (*paneMerger, error) {
	panes := &op.Tables[0]
	schema := graph.Table{Name: panes.Name, Keys: panes.Keys[:keys], Columns: slices.Concat(panes.Keys[keys:], panes.Columns)}
	scratch, err := newScratch(a.groups, &schema)
	if err != nil {
		return nil, err
	}
	m := &paneMerger{a: *a, gather: newGather(a.groups, keys), window: a.groups.key(keys)}
	m.a.groups = scratch
	invariant.Assert(scratch.width() == a.groups.width() && scratch.column(0) == m.window, "a merged window's rows are not laid out as those of its panes")
	return m, nil
}

// firePanes fires the hopping windows that end after before and up to mark, in
// order, and frees the panes that no later window needs.
func (w *windowAggregate) firePanes(before, mark exec.Watermark, out exec.Output) error {
	s := w.kind.spec
	for {
		pane, ok := w.slices[0].first()
		if !ok {
			return nil
		}
		start := firstHop(pane, s)
		if start+s.Size <= before { // windows that have fired
			start = floorTo(before-s.Size, s.Slide, s.Offset) + s.Slide
		}
		if start > pane { // of a pane that lies between windows, or is done with
			w.free(pane)
			continue
		}
		if start+s.Size > mark {
			return nil
		}
		if err := w.fireHop(start, out); err != nil {
			return err
		}
		before = start + s.Size
	}
}

// fireHop emits the window that begins at start.
func (w *windowAggregate) fireHop(start int64, out exec.Output) error {
	m := w.merger
	for pane := start; pane < start+w.kind.spec.Size; pane += w.kind.unit {
		if err := m.add(start, w.slices[0].rows(pane)); err != nil {
			return fmt.Errorf("merge panes: %w", err)
		}
	}
	w.rows = w.rows[:0]
	err := m.a.groups.each(func(_ uint32, row unsafe.Pointer) error {
		if !m.a.present(row) {
			return nil
		}
		if w.rows = append(w.rows, row); len(w.rows) < w.limit {
			return nil
		}
		err := w.emitRows(&m.a, w.rows, out)
		w.rows = w.rows[:0]
		return err
	})
	if err == nil {
		err = w.emitRows(&m.a, w.rows, out)
	}
	m.a.groups.clear()
	return err
}

// add merges rows of the pane table into the window that begins at start.
func (m *paneMerger) add(start int64, ids []uint32) error {
	for len(ids) > 0 {
		n := min(len(ids), batch.RowsDefault)
		keys, from := m.gather.gather(ids[:n])
		m.rows, m.ids = roomFor(m.rows, n), roomFor(m.ids, n)
		m.fresh = m.a.groups.find(keys, n, nil, m.ids, m.rows, m.fresh[:0])
		for _, i := range m.fresh {
			m.a.start(m.rows[i], nil)
			*(*int64)(unsafe.Add(m.rows[i], m.window)) = start
		}
		if err := m.a.merge(m.rows[:n], from); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}
