package operator

import (
	"bytes"
	"container/heap"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/agg"
	"github.com/millrace/millrace/types"
)

// extremum is one min or max over a changelog. Its table has each value of a
// group with the number of its copies, which is all that a checkpoint needs; the
// heaps that find the next value when the best one goes are derived from it. A
// value whose last copy went stays in table and heap, with a count of zero,
// until it comes up or until half of its heap is such values.
type extremum struct {
	a       *accumulators
	number  int // of the accumulator
	arg     int
	off     uintptr // of the slot in the group's row
	values  *table
	count   uintptr // of the count in a value's row
	value   uintptr // of the value in a value's row
	typ     types.Type
	better  int // -1 for min, 1 for max
	heaps   map[uint32]*valueHeap
	touched []uint32

	keys  []*batch.Column
	ids   []uint32
	rows  []unsafe.Pointer
	fresh []uint16
	// created, when set, is told of each new value: the batch's row and its id.
	// Its owner then removes values too, by window, and a value that leaves its
	// heap stays in the table with count outOfHeap.
	created func(row int, id uint32)
}

// outOfHeap is the count of a value that is in no heap.
const outOfHeap = -1 << 62

// valueHeap is a group's values, the best on top.
type valueHeap struct {
	x     *extremum
	ids   []uint32
	dead  int
	dirty bool
}

func newExtremum(a *accumulators, number int, values *table, window bool) *extremum {
	spec := a.spec.Accumulators[number]
	last := len(a.spec.Keys)
	if window {
		last++
	}
	x := &extremum{a: a, number: number, arg: spec.Arg, off: a.groups.column(number), values: values,
		count: values.column(0), value: values.key(last), typ: spec.Type, better: -1, heaps: map[uint32]*valueHeap{}}
	if spec.Func == "max" {
		x.better = 1
	}
	return x
}

// restore rebuilds the heaps from a table that came with values.
func (x *extremum) restore() error {
	if x.values.len() == 0 {
		return nil
	}
	g := newGather(x.values, x.a.groups.keys())
	return g.each(batch.RowsDefault, func(ids []uint32, rows []unsafe.Pointer, keys []*batch.Column) error {
		groups, groupRows := make([]uint32, len(ids)), make([]unsafe.Pointer, len(ids))
		for _, i := range x.a.groups.find(keys, len(ids), nil, groups, groupRows, nil) {
			x.a.start(groupRows[i], nil)
		}
		for i, id := range ids {
			if x.copies(id) == outOfHeap {
				continue
			}
			h := x.heapOf(groups[i])
			h.ids = append(h.ids, id)
			if x.copies(id) <= 0 {
				h.dead++
			}
			heap.Fix(h, len(h.ids)-1)
		}
		return nil
	})
}

func (x *extremum) heapOf(group uint32) *valueHeap {
	h := x.heaps[group]
	if h == nil {
		h = &valueHeap{x: x}
		x.heaps[group] = h
	}
	return h
}

func (x *extremum) copies(id uint32) int64 {
	return *(*int64)(unsafe.Add(x.values.read(id), x.count))
}

// fold counts the selected rows' values and writes the best one that is left
// into the slot of each group touched.
func (x *extremum) fold(w *work, sel []uint16) {
	n := w.in.N
	x.keys = append(append(x.keys[:0], w.keys...), w.in.Cols[x.arg])
	x.ids, x.rows = roomFor(x.ids, n), roomFor(x.rows, n)
	x.fresh = x.values.find(x.keys, n, sel, x.ids, x.rows, x.fresh[:0])
	for _, i := range x.fresh {
		h := x.heapOf(w.ids[i])
		h.dead++ // until its copy is counted below
		heap.Push(h, x.ids[i])
		if x.created != nil {
			x.created(int(i), x.ids[i])
		}
	}
	if sel != nil {
		n = len(sel)
	}
	x.touched = x.touched[:0]
	for k := range n {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		x.add(w, i)
	}
	for _, g := range x.touched {
		x.settle(g)
	}
}

func (x *extremum) add(w *work, i int) {
	h := x.heapOf(w.ids[i])
	if !h.dirty {
		h.dirty = true
		x.touched = append(x.touched, w.ids[i])
	}
	c := (*int64)(unsafe.Add(x.rows[i], x.count))
	if *c == outOfHeap {
		*c = 0
		h.dead++
		heap.Push(h, x.ids[i])
	}
	before := *c > 0
	if x.a.takesUnseen() && w.sign != nil && w.sign[i] < 0 && *c <= 0 {
		return // the value was forgotten, or never came
	}
	if w.sign == nil {
		*c++
	} else {
		*c += w.sign[i]
	}
	if after := *c > 0; after != before {
		if after {
			h.dead--
		} else {
			h.dead++
		}
	}
}

// settle drops dead values from the top, and all of them when they are many, and
// writes the best value into the group's row.
func (x *extremum) settle(group uint32) {
	h := x.heaps[group]
	h.dirty = false
	for len(h.ids) > 0 && x.copies(h.ids[0]) == 0 {
		id := heap.Pop(h).(uint32)
		h.dead--
		x.retire(id)
	}
	if h.dead > 32 && h.dead > len(h.ids)/2 {
		h.compact()
	}
	row := x.a.groups.write(group)
	x.a.groups.SetNull(row, x.a.all[x.number].column, len(h.ids) == 0)
	slot := unsafe.Add(row, x.off)
	if len(h.ids) == 0 {
		delete(x.heaps, group)
		x.a.all[x.number].Init(slot)
		return
	}
	x.store(slot, unsafe.Add(x.values.read(h.ids[0]), x.value))
}

// retire takes a value without copies, which has left its heap, out of the table.
func (x *extremum) retire(id uint32) {
	if x.created == nil {
		x.values.remove(id)
		return
	}
	*(*int64)(unsafe.Add(x.values.write(id), x.count)) = outOfHeap
}

func (x *extremum) store(slot, value unsafe.Pointer) {
	switch x.typ.Phys() {
	case types.PhysDecimal:
		*(*types.Decimal)(slot) = *(*types.Decimal)(value)
	case types.PhysInterval:
		*(*types.Interval)(slot) = *(*types.Interval)(value)
	case types.PhysUUID:
		*(*[16]byte)(slot) = *(*[16]byte)(value)
	case types.PhysBytes:
		v := x.values.Bytes(*(*batch.View)(value))
		if old := *(*batch.View)(slot); agg.IsUnset(old) || !bytes.Equal(x.a.groups.Bytes(old), v) {
			*(*batch.View)(slot) = x.a.groups.StoreBytes(v)
		}
	default:
		*(*int64)(slot) = *(*int64)(value)
	}
}

// drop forgets a group whose window has closed; its values go with the window.
func (x *extremum) drop(group uint32) { delete(x.heaps, group) }

func (h *valueHeap) compact() {
	live := h.ids[:0]
	for _, id := range h.ids {
		if h.x.copies(id) == 0 {
			h.x.retire(id)
			h.dead--
		} else {
			live = append(live, id)
		}
	}
	h.ids = live
	heap.Init(h)
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (h *valueHeap) Len() int      { return len(h.ids) }
func (h *valueHeap) Swap(i, j int) { h.ids[i], h.ids[j] = h.ids[j], h.ids[i] }
func (h *valueHeap) Push(v any)    { h.ids = append(h.ids, v.(uint32)) }
func (h *valueHeap) Pop() any {
	id := h.ids[len(h.ids)-1]
	h.ids = h.ids[:len(h.ids)-1]
	return id
}
func (h *valueHeap) Less(i, j int) bool {
	return h.x.compare(h.x.values.read(h.ids[i]), h.x.values.read(h.ids[j])) == h.x.better
}

// compare orders the values of two rows of the values table.
func (x *extremum) compare(a, b unsafe.Pointer) int {
	return compareSlots(x.values, x.typ, unsafe.Add(a, x.value), unsafe.Add(b, x.value))
}
