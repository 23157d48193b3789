package operator

import (
	"slices"
	"unsafe"
)

// takesUnseen reports whether rows may be taken away that are not in their group's
// state: it has expired, or they came before what would have seen them was there.
func (a *accumulators) takesUnseen() bool { return a.life != nil || a.spec.Unseen }

// unmatched leaves out of the selected rows of w those that take something away from
// a group of which count counts none, and says how many.
type unmatched struct {
	left  []int64 // by group: rows counted at this point of the batch
	round []uint32
	now   uint32
	sel   []uint16
}

func (u *unmatched) drop(w *work, sel []uint16, a *accumulators, count *accumulator) (left []uint16, dropped int64) {
	if n := a.groups.idEnd(); len(u.left) < n {
		more := n - len(u.left) + n/2
		u.left, u.round = append(u.left, make([]int64, more)...), append(u.round, make([]uint32, more)...)
	}
	if u.now++; u.now == 0 {
		clear(u.round)
		u.now = 1
	}
	if u.sel == nil {
		u.sel = []uint16{}
	}
	u.sel = u.sel[:0]
	n := w.in.N
	if sel != nil {
		n = len(sel)
	}
	for k := range n {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		id := w.ids[i]
		if u.round[id] != u.now {
			u.round[id], u.left[id] = u.now, *(*int64)(unsafe.Add(w.rows[i], count.off))
		}
		if w.sign[i] < 0 && u.left[id] <= 0 {
			dropped++
			continue
		}
		u.left[id] += w.sign[i]
		u.sel = append(u.sel, uint16(i))
	}
	if dropped == 0 {
		return sel, 0
	}
	return u.sel, dropped
}

// guard keeps accumulators that count knows the number of values of from going by such
// as they have not seen: what is taken away where there are none is left out, and where
// the last one goes they begin anew.
type guard struct {
	count   int // number of the accumulator, -1: there is no guard
	before  unmatched
	sel     []uint16
	emptied []unsafe.Pointer // the state rows of groups without values
}

// pass selects the rows of sel that come after the last one that left their group
// without values.
func (g *guard) pass(w *work, sel []uint16, a *accumulators) (left []uint16, dropped int64) {
	g.emptied = g.emptied[:0]
	sel, dropped = g.before.drop(w, sel, a, &a.all[g.count])
	n := w.in.N
	if sel != nil {
		n = len(sel)
	}
	if n == 0 {
		return sel, dropped
	}
	g.sel = roomFor(g.sel, n)
	values, first := g.before.left, n // after each row, from the last one on
	for k := n - 1; k >= 0; k-- {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		id := w.ids[i]
		if values[id] == 0 {
			values[id] = -1 // what came before is of no matter
			g.emptied = append(g.emptied, w.rows[i])
		}
		if values[id] > 0 {
			values[id] -= w.sign[i]
			first--
			g.sel[first] = uint16(i)
		}
	}
	return g.sel[first:], dropped
}

// leaveUnseen makes all selections, before any count changes, without what their
// guards keep out.
func (a *accumulators) leaveUnseen(w *work) {
	most := int64(0)
	for i := range a.filtered {
		s := &a.filtered[i]
		if a.rowsOf(i, w); s.guard.count >= 0 {
			var dropped int64
			s.sel, dropped = s.guard.pass(w, s.sel, a)
			most = max(most, dropped)
		}
	}
	a.counters.Unmatched += most
	for i := range a.filtered {
		a.empty(i)
	}
}

// empty begins the accumulators of a selection anew in the groups that have no values.
func (a *accumulators) empty(selection int) {
	for _, row := range a.filtered[selection].guard.emptied {
		for k := range a.all {
			acc := &a.all[k]
			if acc.kept || acc.spec.Distinct >= 0 || acc.selection != selection {
				continue
			}
			clear(a.slot(row, acc))
			if acc.spec.Rest > 0 {
				clear(a.slot(row, &a.all[acc.spec.Rest]))
			}
		}
	}
}

// guardOf is the accumulator that counts the values that number n sums up or counts, if
// some may be taken away that it has not seen, else -1. Values that a table has are told
// apart there.
func (a *accumulators) guardOf(n int, kept bool) int {
	spec := a.spec
	if !spec.Unseen || kept {
		return -1
	}
	for i := range spec.Outputs {
		o := &spec.Outputs[i]
		if !slices.Contains(o.Accumulators, n) && !slices.Contains(o.Specials, n) && o.Scale != n {
			continue
		}
		for _, c := range o.Accumulators {
			if acc := &spec.Accumulators[c]; acc.Func == "count" && acc.Distinct < 0 && acc.List == nil {
				return c
			}
		}
	}
	return -1
}
