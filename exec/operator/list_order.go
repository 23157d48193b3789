package operator

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// listOrder orders the rows of a list. Those whose difference is one that SQL does
// not see, as of 1 and 1.0, are ordered by how they look, which a restart keeps.
type listOrder struct {
	l    *list
	keys []orderKey
}

// orderKey is one column of a listOrder, by its number among the list's columns.
type orderKey struct {
	column           int
	desc, nullsFirst bool
}

func newListOrder(l *list, o graph.ListOrder) *listOrder {
	x := &listOrder{l: l}
	seen := make([]bool, len(l.columns))
	add := func(k orderKey) {
		if !seen[k.column] {
			seen[k.column] = true
			x.keys = append(x.keys, k)
		}
	}
	first := 0
	if l.spec.Arrival {
		first = 1
	}
	for _, k := range o.Keys {
		add(orderKey{column: first + k.Column, desc: k.Desc, nullsFirst: k.NullsFirst})
	}
	for i := range l.columns {
		add(orderKey{column: i, desc: o.Back, nullsFirst: o.Back})
	}
	return x
}

func (o *listOrder) compare(a, b uint32) int {
	if c := o.compareValues(a, b); c != 0 {
		return c
	}
	x, y := o.l.values.read(a), o.l.values.read(b)
	for _, k := range o.keys {
		c := &o.l.columns[k.column]
		if o.l.values.IsNull(x, c.key) {
			continue
		}
		if c := compareLooks(o.l.values, c.t, unsafe.Add(x, c.off), unsafe.Add(y, c.off)); c != 0 {
			return c
		}
	}
	return 0
}

// compareValues is what SQL sees of the order.
func (o *listOrder) compareValues(a, b uint32) int {
	x, y := o.l.values.read(a), o.l.values.read(b)
	for _, k := range o.keys {
		if c := o.l.compareColumn(k, x, y); c != 0 {
			return c
		}
	}
	return 0
}

// compareColumn orders two rows of the list's table by one column.
func (l *list) compareColumn(k orderKey, a, b unsafe.Pointer) int {
	c := &l.columns[k.column]
	if na, nb := l.values.IsNull(a, c.key), l.values.IsNull(b, c.key); na || nb {
		switch {
		case na == nb:
			return 0
		case na == k.nullsFirst:
			return -1
		}
		return 1
	}
	r := compareSlots(l.values, c.t, unsafe.Add(a, c.off), unsafe.Add(b, c.off))
	if k.desc {
		return -r
	}
	return r
}

// compareSlots orders two values of type type t in rows of one table.
func compareSlots(t *table, of types.Type, a, b unsafe.Pointer) int {
	switch of.Phys() {
	case types.PhysFloat:
		return types.CompareFloat(*(*float64)(a), *(*float64)(b))
	case types.PhysDecimal:
		return (*types.Decimal)(a).Cmp(*(*types.Decimal)(b))
	case types.PhysInterval:
		return (*types.Interval)(a).Cmp(*(*types.Interval)(b))
	case types.PhysUUID:
		return bytes.Compare((*[16]byte)(a)[:], (*[16]byte)(b)[:])
	case types.PhysBytes:
		x, y := t.Bytes(*(*batch.View)(a)), t.Bytes(*(*batch.View)(b))
		if of.Kind == types.Text || of.Kind == types.Varchar || of.Kind == types.Bytea {
			return bytes.Compare(x, y)
		}
		return types.CompareBytes(of, string(x), string(y))
	}
	return cmp.Compare(*(*int64)(a), *(*int64)(b))
}

// compareLooks orders two values that are equal.
func compareLooks(t *table, of types.Type, a, b unsafe.Pointer) int {
	switch of.Phys() {
	case types.PhysFloat:
		return cmp.Compare(math.Float64bits(*(*float64)(b)), math.Float64bits(*(*float64)(a))) // -0 first
	case types.PhysDecimal:
		return cmp.Compare((*types.Decimal)(a).Scale, (*types.Decimal)(b).Scale)
	case types.PhysInterval:
		x, y := (*types.Interval)(a), (*types.Interval)(b)
		return cmp.Or(cmp.Compare(x.Months, y.Months), cmp.Compare(x.Days, y.Days))
	case types.PhysBytes:
		return bytes.Compare(t.Bytes(*(*batch.View)(a)), t.Bytes(*(*batch.View)(b)))
	}
	return 0
}

// few is up to how many rows are put into an order, or taken out, one by one.
const few = 4

// arrange brings the orders of a group up to date and removes rows without
// copies, and those that nobody wants.
func (l *list) arrange(id uint32, g *listGroup) {
	dead := l.dead(g)
	for i, o := range l.orders {
		ordered := l.order(id, i)
		o.remove(ordered, dead)
		if l.spec.First == nil {
			o.add(ordered, l.lists.of(&g.fresh))
		}
	}
	for _, row := range dead {
		l.values.remove(row)
	}
	if l.spec.First == nil {
		l.lists.clear(&g.fresh)
		return
	}
	l.keepFirst(id, l.lists.of(&g.fresh))
	l.lists.empty(&g.fresh, crowd)
}

// keepFirst removes all rows but the first one.
func (l *list) keepFirst(group uint32, fresh []uint32) {
	var was, first uint32 = noEntry, noEntry
	if ordered := l.lists.of(l.order(group, 0)); len(ordered) > 0 {
		was, first = ordered[0], ordered[0]
	}
	for _, id := range fresh {
		switch {
		case first == noEntry:
			first = id
		case l.orders[0].compare(first, id) <= 0:
			l.values.remove(id)
		default:
			l.values.remove(first)
			first = id
		}
	}
	if first == was {
		return
	}
	for i := range l.orders {
		only := l.order(group, i)
		l.lists.clear(only)
		l.lists.add(only, first)
	}
}

// dead lists, in order of their ids, the group's rows that have no copies, and
// takes them out of the fresh ones.
func (l *list) dead(g *listGroup) []uint32 {
	if g.gone.n == 0 {
		return nil
	}
	gone := append(l.gone[:0], l.lists.of(&g.gone)...)
	l.lists.clear(&g.gone)
	slices.Sort(gone)
	l.gone = slices.DeleteFunc(slices.Compact(gone), func(id uint32) bool { return l.copies(id) != 0 })
	if g.fresh.n > 0 {
		l.lists.cut(&g.fresh, len(except(l.lists.of(&g.fresh), l.gone)))
	}
	return l.gone
}

// except takes ids, which are in order, out of a list.
func except(list, ids []uint32) []uint32 {
	return slices.DeleteFunc(list, func(id uint32) bool {
		_, is := slices.BinarySearch(ids, id)
		return is
	})
}

// copies is 0 if no filter counts the row.
func (l *list) copies(id uint32) (any int64) {
	row := l.values.read(id)
	for _, off := range l.counts {
		any |= *(*int64)(unsafe.Add(row, off))
	}
	return any
}

// remove takes ids out of a list in the order; those that are not in it are skipped.
func (o *listOrder) remove(l *idList, ids []uint32) {
	lists := o.l.lists
	if len(ids) == 0 || l.n == 0 {
		return
	}
	if len(ids) > few {
		lists.cut(l, len(except(lists.of(l), ids)))
		return
	}
	for _, id := range ids {
		ordered := lists.of(l)
		at, _ := slices.BinarySearchFunc(ordered, id, o.compare)
		for at < len(ordered) && ordered[at] != id && o.compare(ordered[at], id) == 0 {
			at++
		}
		if at < len(ordered) && ordered[at] == id {
			lists.remove(l, at)
		}
	}
}

// add puts ids into a list in the order.
func (o *listOrder) add(l *idList, ids []uint32) {
	lists := o.l.lists
	if len(ids) <= few {
		for _, id := range ids {
			at, _ := slices.BinarySearchFunc(lists.of(l), id, o.compare)
			lists.insert(l, at, id)
		}
		return
	}
	o.l.added = append(o.l.added[:0], ids...)
	added := o.l.added
	slices.SortFunc(added, o.compare)
	n := int(l.n)
	lists.extend(l, len(added))
	ordered := lists.of(l)
	for at := len(ordered); len(added) > 0; { // from the last one on, so that none is written over
		at--
		if last := len(added) - 1; n == 0 || o.compare(ordered[n-1], added[last]) <= 0 {
			ordered[at], added = added[last], added[:last]
		} else {
			n--
			ordered[at] = ordered[n]
		}
	}
}

// rowView is the rows of a group as an aggregate reads them.
type rowView struct {
	l      *list
	read   *graph.ListRead
	off    uintptr // of the count
	first  int     // the list's column of its first Arg
	ids    []uint32
	counts []int64
}

// rowsOf are the rows of a group that r counts, in its order. DISTINCT and modes have
// those that are equal as one. The result is valid until the next call.
func (l *list) rowsOf(r *listReader, group uint32) *rowView {
	v := &l.view
	*v = rowView{l: l, read: r.acc.spec.List, off: l.counts[r.acc.spec.List.Mask], first: len(l.columns) - len(l.spec.Args), ids: v.ids[:0], counts: v.counts[:0]}
	once := v.read.Distinct || r.acc.spec.Func == "mode"
	for _, id := range l.lists.of(l.order(group, r.order)) {
		n := *(*int64)(unsafe.Add(l.values.read(id), v.off))
		if n <= 0 {
			continue
		}
		if v.read.Distinct {
			n = 1
		}
		if last := len(v.ids) - 1; once && last >= 0 && l.orders[r.order].compareValues(v.ids[last], id) == 0 {
			if !v.read.Distinct {
				v.counts[last] += n
			}
			continue
		}
		v.ids, v.counts = append(v.ids, id), append(v.counts, n)
	}
	return v
}

// Len implements agg.Rows.
func (v *rowView) Len() int { return len(v.ids) }

// Copies implements agg.Rows.
func (v *rowView) Copies(i int) int64 { return v.counts[i] }

// Arg implements agg.Rows.
func (v *rowView) Arg(i, n int) (out types.Value) {
	c := &v.l.columns[v.first+v.read.Values[n]]
	row := v.l.values.read(v.ids[i])
	if v.l.values.IsNull(row, c.key) {
		return types.NullValue
	}
	p := unsafe.Add(row, c.off)
	switch c.t.Phys() {
	case types.PhysBool:
		out.Bool = *(*int64)(p) != 0
	case types.PhysInt:
		out.Int = *(*int64)(p)
	case types.PhysFloat:
		out.Float = *(*float64)(p)
	case types.PhysDecimal:
		out.Dec = *(*types.Decimal)(p)
	case types.PhysBytes:
		if b := v.l.values.Bytes(*(*batch.View)(p)); len(b) > 0 {
			out.Bytes = unsafe.String(&b[0], len(b))
		}
	case types.PhysInterval:
		out.Interval = *(*types.Interval)(p)
	case types.PhysUUID:
		out.UUID = *(*[16]byte)(p)
	}
	return out
}
