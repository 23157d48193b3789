package operator

import (
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/agg"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// list is a table of the rows of each group, with a count of copies per filter,
// and the aggregates that are computed from all of them. The table is all that a
// checkpoint needs; the orders of each group's rows are derived from it. Rows are
// only counted as they come: they are put in order, and the aggregates computed
// into the group's row, when the group settles, which is before it is emitted.
type list struct {
	a       *accumulators
	spec    graph.List
	number  int
	values  *table
	columns []listColumn // of the list in the table's rows: arrival, if any, then the Args
	counts  []uintptr
	orders  []*listOrder
	readers []*listReader
	lists   *idLists
	groups  *state.Vector[listGroup] // by the group's row
	ordered *state.Vector[idList]    // by group and order: see order
	arrived *state.Vector[arrivals]  // by group, if rows are numbered
	touched []uint32
	crowded []uint32
	// onRead is set where groups settle one by one as they are emitted.
	onRead bool

	keys    []*batch.Column
	arrival batch.Column
	sel     []uint16
	ids     []uint32
	rows    []unsafe.Pointer
	fresh   []uint16
	gone    []uint32
	added   []uint32
	view    rowView
	cell    batch.Column
	one     []unsafe.Pointer
	failed  map[uint32]*listFailure // by group: those without a value
	// created, when set, is told of each new row: the batch's row and its id.
	created func(row int, id uint32)
}

// listColumn is a key column of a list's table.
type listColumn struct {
	key int // number among the table's keys
	off uintptr
	t   types.Type
}

// cellBytesMax is how much room for a result stays for the next one.
const cellBytesMax = 1 << 20

// crowd is how many rows a group may get before those that nobody wants go.
const crowd = 64

// listReader is an accumulator that is computed from a list.
type listReader struct {
	acc     *accumulator
	order   int
	compute agg.Ordered
}

// listGroup is the rows of one group that are in no order yet, and those that were
// without copies for a moment. The zero listGroup is that of a group without rows.
type listGroup struct {
	fresh idList
	gone  idList
	dirty bool
}

// arrivals numbers the rows of one group: those of batch number batch from base on.
// next is one more than the highest number there is.
type arrivals struct {
	batch      uint64
	base, next int64
}

// newList makes list number n over its table. keys is how many of the table's
// keys come before the list's columns.
func newList(a *accumulators, n int, values *table, keys int, fields []types.Field) *list {
	t := values.Table
	l := &list{a: a, spec: a.spec.Lists[n], number: n, values: values, arrival: batch.Column{Phys: types.PhysInt}, lists: newIDLists(t),
		groups: state.NewVector[listGroup](t), ordered: state.NewVector[idList](t), arrived: state.NewVector[arrivals](t)}
	add := func(t types.Type) {
		k := keys + len(l.columns)
		l.columns = append(l.columns, listColumn{key: k, off: values.key(k), t: t})
	}
	if l.spec.Arrival {
		add(types.Of(types.Int64))
	}
	for _, c := range l.spec.Args {
		add(fields[c].Type)
	}
	for i := range l.spec.Filters {
		l.counts = append(l.counts, values.column(i))
	}
	if l.spec.First != nil {
		l.orderOf(*l.spec.First)
	}
	return l
}

// read adds an accumulator that the list computes.
func (l *list) read(acc *accumulator, fields []types.Field) error {
	r := acc.spec.List
	call := agg.Call{Func: acc.spec.Func, Params: r.Params, Many: r.Many, Dims: r.Dims, Type: acc.spec.Type, Memory: l.a.memory}
	for _, v := range r.Values {
		call.Args = append(call.Args, fields[l.spec.Args[v]].Type)
	}
	f, err := agg.NewOrdered(call)
	if err != nil {
		return err
	}
	l.readers = append(l.readers, &listReader{acc: acc, order: l.orderOf(r.Order), compute: f})
	return nil
}

// orderOf is the number of an order of the list's rows.
func (l *list) orderOf(o graph.ListOrder) int {
	x := newListOrder(l, o)
	for i, have := range l.orders {
		if slices.Equal(have.keys, x.keys) {
			return i
		}
	}
	l.orders = append(l.orders, x)
	return len(l.orders) - 1
}

// restore makes the groups of a table that came with rows. With all they are
// computed anew, else only what has not been computed or had no value.
func (l *list) restore(all bool) error {
	if l.values.len() == 0 {
		return nil
	}
	g := newGather(l.values, l.a.groups.keys())
	return g.each(batch.RowsDefault, func(ids []uint32, _ []unsafe.Pointer, keys []*batch.Column) error {
		groups, rows := make([]uint32, len(ids)), make([]unsafe.Pointer, len(ids))
		for _, i := range l.a.groups.find(keys, len(ids), nil, groups, rows, nil) {
			l.a.start(rows[i], nil)
		}
		for i, id := range ids {
			x := l.group(groups[i])
			l.lists.add(&x.fresh, id)
			if l.copies(id) == 0 { // of a filter that is no more
				l.lists.add(&x.gone, id)
			}
			if l.spec.Arrival {
				n := l.arrivals(groups[i])
				n.next = max(n.next, *(*int64)(unsafe.Add(l.values.read(id), l.columns[0].off))+1)
			}
			if all || l.mayHaveFailed(rows[i]) {
				l.touch(groups[i], x)
			}
		}
		return nil
	})
}

func (l *list) group(id uint32) *listGroup {
	if int(id) >= l.groups.Len() {
		l.groups.Grow(int(id) + 1)
	}
	return l.groups.At(id)
}

func (l *list) arrivals(id uint32) *arrivals {
	if int(id) >= l.arrived.Len() {
		l.arrived.Grow(int(id) + 1)
	}
	return l.arrived.At(id)
}

// order is the rows of a group in order number n of the list's.
func (l *list) order(id uint32, n int) *idList {
	at := int(id)*len(l.orders) + n
	l.ordered.Grow(at + 1)
	return l.ordered.At(uint32(at))
}

// clear makes a group one without rows.
func (l *list) clear(id uint32) {
	if int(id) < l.groups.Len() {
		g := l.groups.At(id)
		l.lists.clear(&g.fresh)
		l.lists.clear(&g.gone)
		g.dirty = false
	}
	for n := range l.orders {
		if at := int(id)*len(l.orders) + n; at < l.ordered.Len() {
			l.lists.clear(l.ordered.At(uint32(at)))
		}
	}
	if int(id) < l.arrived.Len() {
		*l.arrived.At(id) = arrivals{}
	}
}

func (l *list) touch(id uint32, g *listGroup) {
	if g.dirty {
		return
	}
	g.dirty = true
	if !l.onRead {
		l.touched = append(l.touched, id)
	}
}

// fold counts the rows of w.
func (l *list) fold(w *work) {
	n, sel := w.in.N, w.sel
	if f := l.spec.Filters; len(f) == 1 && f[0] >= 0 {
		l.sel = agg.SelectTrue(l.sel, sel, n, w.in.Cols[f[0]])
		sel = l.sel
	}
	l.keys = append(l.keys[:0], w.keys...)
	if l.spec.Arrival {
		l.numberRows(w, sel)
		l.keys = append(l.keys, &l.arrival)
	}
	for _, c := range l.spec.Args {
		l.keys = append(l.keys, w.in.Cols[c])
	}
	l.ids, l.rows = roomFor(l.ids, n), roomFor(l.rows, n)
	l.fresh = l.values.find(l.keys, n, sel, l.ids, l.rows, l.fresh[:0])
	for _, i := range l.fresh {
		g := l.group(w.ids[i])
		if l.lists.add(&g.fresh, l.ids[i]); g.fresh.n == crowd && l.spec.First != nil {
			l.crowded = append(l.crowded, w.ids[i])
		}
		if l.created != nil {
			l.created(int(i), l.ids[i])
		}
	}
	if sel != nil {
		n = len(sel)
	}
	for k := range n {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		l.count(w, i)
	}
	for _, id := range l.crowded { // of which one row is wanted
		l.arrange(id, l.groups.At(id))
	}
	l.crowded = l.crowded[:0]
}

// numberRows gives each row a number in its group, higher than those of earlier
// batches and in order of the batch, which may come to a group in several parts.
func (l *list) numberRows(w *work, sel []uint16) {
	l.arrival.Resize(w.in.N)
	n := w.in.N
	if sel != nil {
		n = len(sel)
	}
	for k := range n {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		a := l.arrivals(w.ids[i])
		if a.batch != w.batch {
			a.batch, a.base = w.batch, a.next
		}
		l.arrival.Int[i] = a.base + int64(i)
		a.next = max(a.next, l.arrival.Int[i]+1)
	}
}

// count adds row i of w to the counts of its copies.
func (l *list) count(w *work, i int) {
	sign := int64(1)
	if w.sign != nil {
		sign = w.sign[i]
	}
	var left int64
	for k, f := range l.spec.Filters {
		c := (*int64)(unsafe.Add(l.rows[i], l.counts[k]))
		if f < 0 || w.in.Cols[f].Bool[i] && !w.in.Cols[f].IsNull(i) {
			if *c += sign; l.a.takesUnseen() {
				*c = max(*c, 0) // the row was forgotten, or never came
			}
		}
		left |= *c
	}
	g := l.group(w.ids[i])
	if left == 0 {
		l.lists.add(&g.gone, l.ids[i])
	}
	l.touch(w.ids[i], g)
}

// settle computes the aggregates of the groups touched.
func (l *list) settle() error {
	for _, id := range l.touched {
		if err := l.settleOne(id); err != nil {
			return err
		}
	}
	l.touched = l.touched[:0]
	return nil
}

// settleOne computes the aggregates of one group, if it was touched.
func (l *list) settleOne(id uint32) error {
	if int(id) >= l.groups.Len() {
		return nil
	}
	g := l.groups.At(id)
	if !g.dirty {
		return nil
	}
	g.dirty = false
	l.arrange(id, g)
	delete(l.failed, id)
	row := l.a.groups.write(id)
	for _, r := range l.readers {
		v, err := l.compute(r, id)
		if err != nil {
			return err
		}
		give, err := l.a.memory.Hold(int64(len(v.Bytes))) // beside its copy in the table
		if err != nil {
			return err
		}
		l.store(row, r, v)
		give()
	}
	if len(l.orders) == 0 || l.order(id, 0).n == 0 {
		l.clear(id)
	}
	return nil
}

// store writes a result into the group's row.
func (l *list) store(row unsafe.Pointer, r *listReader, v types.Value) {
	t := l.a.groups
	if cap(l.cell.Arena) > cellBytesMax {
		l.cell.Arena = nil
	}
	l.cell = batch.Column{Phys: t.Phys(r.acc.column), Arena: l.cell.Arena[:0]}
	l.cell.Append(v)
	l.one = append(l.one[:0], row)
	t.WriteColumn(r.acc.column, l.one, &l.cell, 1, nil)
}

// drop forgets a group whose window has closed; its rows go with the window.
func (l *list) drop(group uint32) {
	delete(l.failed, group)
	l.clear(group)
}
