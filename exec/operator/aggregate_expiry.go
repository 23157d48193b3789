package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// forget removes what is kept of a group besides its row, except the values of
// distinct arguments: these were last written when the group was, or before, so
// that they have had their time when it has.
func (a *accumulators) forget(group uint32) {
	for _, x := range a.extrema {
		if h := x.heaps[group]; h != nil {
			for _, id := range h.ids {
				x.values.remove(id)
			}
			delete(x.heaps, group)
		}
	}
	for _, l := range a.lists {
		l.forget(group)
	}
	if len(a.sketches) == 0 {
		return
	}
	keys, _ := newGather(a.groups, a.groups.keys()).gather([]uint32{group})
	for _, s := range a.sketches {
		s.forget(keys)
	}
}

// forget removes the rows of a group.
func (l *list) forget(group uint32) {
	delete(l.failed, group)
	if int(group) >= l.groups.Len() {
		return
	}
	for _, id := range l.lists.of(&l.groups.At(group).fresh) {
		l.values.remove(id)
	}
	if len(l.orders) > 0 {
		for _, id := range l.lists.of(l.order(group, 0)) {
			l.values.remove(id)
		}
	}
	l.clear(group)
}

// forget removes the blocks of a group, of which keys has the keys.
func (s *sketch) forget(keys []*batch.Column) {
	const blocks = graph.SketchRegisters / graph.SketchBlockRegisters
	all := make([]*batch.Column, len(keys), len(keys)+1)
	for k, c := range keys {
		all[k] = &batch.Column{Phys: c.Phys}
		for range blocks {
			all[k].AppendRow(c, 0)
		}
	}
	number := &batch.Column{Phys: types.PhysInt}
	number.Resize(blocks)
	for i := range blocks {
		number.Int[i] = int64(i)
	}
	ids := make([]uint32, blocks)
	s.values.Find(append(all, number), blocks, nil, ids)
	for _, id := range ids {
		if id != state.NoRow {
			s.values.remove(id)
		}
	}
}

// restart makes a group that is due one without rows.
func (a *accumulators) restart(group uint32) {
	a.forget(group)
	a.start(a.groups.Renew(group), nil)
}

// leave forgets what is kept of a group that is left without rows. If rows were
// taken from it that had been forgotten before, others are still there; their
// distinct values are then, and leave reports that the group's row must stay, which
// has what the values come to.
func (a *accumulators) leave(group uint32) (stay bool) {
	a.forget(group)
	row := a.groups.read(group)
	for i := range a.all {
		if acc := &a.all[i]; acc.spec.Distinct >= 0 && !isZero(a.slot(row, acc)) {
			stay = true
		}
	}
	if !stay {
		return false
	}
	was := append([]uint64(nil), unsafe.Slice((*uint64)(row), a.groups.width()/8)...)
	old := unsafe.Pointer(&was[0])
	row = a.groups.Renew(group)
	a.start(row, nil)
	a.life.write(row)
	for i := range a.all {
		if acc := &a.all[i]; acc.spec.Distinct >= 0 {
			copy(a.slot(row, acc), a.slot(old, acc))
			a.groups.SetNull(row, acc.column, a.groups.IsNull(old, acc.column))
		}
	}
	return true
}

// slot is an accumulator's part of a group's row.
func (a *accumulators) slot(row unsafe.Pointer, acc *accumulator) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(row, acc.off)), a.groups.Phys(acc.column).RowWidth())
}

func isZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

// sweepBatch goes on with the sweeps after a batch, sweepBarrier at a barrier.
func (a *accumulators) sweepBatch(in *batch.Batch) {
	a.life.sweepBatch(in, a.expire)
	for _, d := range a.distincts {
		d.life.sweepBatch(in, d.expire)
	}
}

func (a *accumulators) sweepBarrier(b exec.Barrier) {
	a.life.sweepBarrier(b, a.expire)
	for _, d := range a.distincts {
		d.life.sweepBarrier(b, d.expire)
	}
}

// expire removes a group that is due.
func (a *accumulators) expire(group uint32, _ unsafe.Pointer) {
	a.forget(group)
	a.groups.remove(group)
}

// expire removes a value that is due.
func (d *distinct) expire(id uint32, _ unsafe.Pointer) { d.values.remove(id) }
