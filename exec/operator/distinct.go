package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/agg"
	"github.com/millrace/millrace/planner/graph"
)

// distinct is the table of one argument's values per group, with a count of
// copies for each filter. Aggregates over the same argument share it. After fold
// it tells, per filter, which of the batch's rows brought a value's first copy
// or took away its last.
type distinct struct {
	spec        graph.Distinct
	values      *table
	life        *lifetime // of values; nil: they stay
	unseen      bool      // values may be taken away that never came
	masks       []mask
	retractable bool

	keys  []*batch.Column
	sel   []uint16
	ids   []uint32
	rows  []unsafe.Pointer
	fresh []uint16
	gone  []uint32
	// created, when set, is told of each new value: the batch's row and its id.
	// Its owner then removes values too, by window.
	created func(row int, id uint32)
}

// mask is one filter's share: its column, its slot, and what changed.
type mask struct {
	filter  int
	off     uintptr
	changed []uint16
	sign    []int64 // by row: +1 came, -1 went
	buf     []uint16
}

func newDistinct(spec graph.Distinct, values *table, retractable bool) *distinct {
	d := &distinct{spec: spec, values: values, retractable: retractable}
	for i, f := range spec.Filters {
		d.masks = append(d.masks, mask{filter: f, off: values.column(i)})
	}
	return d
}

func (d *distinct) fold(w *work) {
	arg := w.in.Cols[d.spec.Arg]
	sel := w.sel
	if arg.HasNulls {
		d.sel = agg.SelectNotNull(d.sel, sel, w.in.N, arg)
		sel = d.sel
	}
	d.keys = append(append(d.keys[:0], w.keys...), arg)
	d.ids, d.rows = roomFor(d.ids, w.in.N), roomFor(d.rows, w.in.N)
	d.fresh = d.values.findOf(w.ids, d.keys, w.in.N, sel, d.ids, d.rows, d.fresh[:0])
	if d.created != nil {
		for _, i := range d.fresh {
			d.created(int(i), d.ids[i])
		}
	}
	if d.life != nil {
		d.life.renew(w.in.N, sel, d.ids, d.rows, func(_ int, _ uint32, row unsafe.Pointer) {
			for i := range d.masks {
				*(*int64)(unsafe.Add(row, d.masks[i].off)) = 0
			}
		})
	}
	for i := range d.masks {
		d.masks[i].fold(w, d.rows, sel, d.life != nil || d.unseen)
	}
	if w.sign != nil && d.created == nil {
		d.forget(w.in.N, sel)
	}
}

// fold counts the rows that pass the mask's filter. forgets says that values may
// be taken away that are not there any more.
func (m *mask) fold(w *work, rows []unsafe.Pointer, sel []uint16, forgets bool) {
	n := w.in.N
	if m.filter >= 0 {
		flags := w.in.Cols[m.filter]
		if sel == nil && w.sign == nil && !flags.HasNulls {
			m.changed = countFirstIf(roomFor(m.changed, n), rows[:n], m.off, flags.Bool[:n])
			return
		}
		m.buf = agg.SelectTrue(m.buf, sel, n, flags)
		sel = m.buf
	}
	m.changed = roomFor(m.changed, n)
	switch {
	case w.sign != nil:
		m.sign = roomFor(m.sign, n)
		m.changed = countSigned(m.changed, m.sign, rows, sel, n, m.off, w.sign, forgets)
	case sel != nil:
		m.changed = countFirstOf(m.changed, rows, sel, m.off)
	default:
		m.changed = countFirst(m.changed, rows[:n], m.off)
	}
}

// countFirst counts all rows and selects those whose value had no copy yet.
// hot: the selection is written without branching.
func countFirst(changed []uint16, rows []unsafe.Pointer, off uintptr) []uint16 {
	k := 0
	for i, r := range rows {
		c := (*int64)(unsafe.Add(r, off))
		changed[k] = uint16(i)
		if *c == 0 {
			k++
		}
		*c++
	}
	return changed[:k]
}

func countFirstOf(changed []uint16, rows []unsafe.Pointer, sel []uint16, off uintptr) []uint16 {
	k := 0
	for _, i := range sel {
		c := (*int64)(unsafe.Add(rows[i], off))
		changed[k] = i
		if *c == 0 {
			k++
		}
		*c++
	}
	return changed[:k]
}

func countFirstIf(changed []uint16, rows []unsafe.Pointer, off uintptr, flags []bool) []uint16 {
	k := 0
	for i, r := range rows {
		c := (*int64)(unsafe.Add(r, off))
		f := int64(*(*uint8)(unsafe.Pointer(&flags[i])))
		changed[k] = uint16(i)
		old := *c
		*c = old + f
		k += int(uint64(old-1)>>63) & int(f)
	}
	return changed[:k]
}

// countSigned is for changelogs: a value appears and vanishes as its count
// crosses from none to some. floor says that it does not fall below none.
func countSigned(changed []uint16, sign []int64, rows []unsafe.Pointer, sel []uint16, n int, off uintptr, w []int64, floor bool) []uint16 {
	if sel != nil {
		n = len(sel)
	}
	k := 0
	for j := range n {
		i := j
		if sel != nil {
			i = int(sel[j])
		}
		c := (*int64)(unsafe.Add(rows[i], off))
		before := *c > 0
		if *c += w[i]; floor {
			*c = max(*c, 0)
		}
		after := *c > 0
		if before == after {
			continue
		}
		sign[i] = 1
		if before {
			sign[i] = -1
		}
		changed[k] = uint16(i)
		k++
	}
	return changed[:k]
}

// forget removes the values of this batch that no filter counts any more.
func (d *distinct) forget(n int, sel []uint16) {
	if sel != nil {
		n = len(sel)
	}
	d.gone = d.gone[:0]
	for j := range n {
		i := j
		if sel != nil {
			i = int(sel[j])
		}
		if d.unused(d.rows[i]) {
			*(*int64)(unsafe.Add(d.rows[i], d.masks[0].off)) = removed
			d.gone = append(d.gone, d.ids[i])
		}
	}
	for _, id := range d.gone {
		d.values.remove(id)
	}
}

// removed marks a value that is about to go, so that its other rows in the batch
// do not remove it again.
const removed = -1 << 62

func (d *distinct) unused(row unsafe.Pointer) bool {
	for i := range d.masks {
		if *(*int64)(unsafe.Add(row, d.masks[i].off)) != 0 {
			return false
		}
	}
	return true
}

// roomFor returns s with room for n, its contents not kept.
func roomFor[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, batch.Room(n))
	}
	return s[:n]
}
