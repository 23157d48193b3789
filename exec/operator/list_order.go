package operator

import (
	"bytes"
	"cmp"
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// listOrder orders the rows of a list. No two of them are equal in it, unless
// their difference is one that SQL does not see.
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

// few is up to how many rows are put into an order, or taken out, one by one.
const few = 4

// arrange brings the orders of a group up to date and removes rows without
// copies, and those that nobody wants.
func (l *list) arrange(g *listGroup) {
	dead := l.dead(g)
	for i, o := range l.orders {
		g.ordered[i] = o.without(g.ordered[i], dead)
		if l.spec.First == nil {
			g.ordered[i] = o.with(g.ordered[i], g.fresh)
		}
	}
	for _, id := range dead {
		l.values.remove(id)
	}
	if l.spec.First != nil {
		l.keepFirst(g)
	}
	if cap(g.fresh) > crowd {
		g.fresh = nil
	}
	g.fresh = g.fresh[:0]
}

// keepFirst removes all rows but the first one.
func (l *list) keepFirst(g *listGroup) {
	for _, id := range g.fresh {
		if first := g.ordered[0]; len(first) > 0 {
			if l.orders[0].compare(first[0], id) <= 0 {
				l.values.remove(id)
				continue
			}
			l.values.remove(first[0])
		}
		for i := range g.ordered {
			g.ordered[i] = append(g.ordered[i][:0], id)
		}
	}
}

// dead lists, in order of their ids, the group's rows that have no copies, and
// takes them out of the fresh ones.
func (l *list) dead(g *listGroup) []uint32 {
	if len(g.gone) == 0 {
		return nil
	}
	slices.Sort(g.gone)
	dead := slices.DeleteFunc(slices.Compact(g.gone), func(id uint32) bool { return l.copies(id) != 0 })
	l.gone = append(l.gone[:0], dead...)
	dead, g.gone = l.gone, g.gone[:0]
	g.fresh = slices.DeleteFunc(g.fresh, func(id uint32) bool {
		_, is := slices.BinarySearch(dead, id)
		return is
	})
	return dead
}

// copies is 0 if no filter counts the row.
func (l *list) copies(id uint32) (any int64) {
	row := l.values.read(id)
	for _, off := range l.counts {
		any |= *(*int64)(unsafe.Add(row, off))
	}
	return any
}

// without takes ids out of an order; those that are not in it are skipped.
func (o *listOrder) without(ordered, ids []uint32) []uint32 {
	if len(ids) == 0 || len(ordered) == 0 {
		return ordered
	}
	if len(ids) > few {
		return slices.DeleteFunc(ordered, func(id uint32) bool {
			_, is := slices.BinarySearch(ids, id)
			return is
		})
	}
	for _, id := range ids {
		at, _ := slices.BinarySearchFunc(ordered, id, o.compare)
		for at < len(ordered) && ordered[at] != id && o.compare(ordered[at], id) == 0 {
			at++
		}
		if at < len(ordered) && ordered[at] == id {
			ordered = slices.Delete(ordered, at, at+1)
		}
	}
	return ordered
}

// with puts ids into an order.
func (o *listOrder) with(ordered, ids []uint32) []uint32 {
	if len(ids) <= few {
		for _, id := range ids {
			at, _ := slices.BinarySearchFunc(ordered, id, o.compare)
			ordered = slices.Insert(ordered, at, id)
		}
		return ordered
	}
	o.l.added = append(o.l.added[:0], ids...)
	added := o.l.added
	slices.SortFunc(added, o.compare)
	if n := len(ordered); n == 0 || o.compare(ordered[n-1], added[0]) <= 0 {
		return append(ordered, added...)
	}
	merged := make([]uint32, 0, len(ordered)+len(added))
	for len(ordered) > 0 && len(added) > 0 {
		if o.compare(ordered[0], added[0]) <= 0 {
			merged, ordered = append(merged, ordered[0]), ordered[1:]
		} else {
			merged, added = append(merged, added[0]), added[1:]
		}
	}
	return append(append(merged, ordered...), added...)
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

// rowsOf are the rows of g that r counts, in its order. The result is valid until
// the next call.
func (l *list) rowsOf(r *listReader, g *listGroup) *rowView {
	v := &l.view
	*v = rowView{l: l, read: r.acc.spec.List, off: l.counts[r.acc.spec.List.Mask], first: len(l.columns) - len(l.spec.Args), ids: v.ids[:0], counts: v.counts[:0]}
	for _, id := range g.ordered[r.order] {
		n := *(*int64)(unsafe.Add(l.values.read(id), v.off))
		if n <= 0 {
			continue
		}
		if v.read.Distinct {
			n = 1
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
