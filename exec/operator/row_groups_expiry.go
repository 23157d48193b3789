package operator

import (
	"math"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
)

// A group of rows is forgotten as a whole. When it was last written is in the
// directory, and, to last, in one of its rows.

// restart empties the groups of a batch that are due.
func (g *rowGroups) restart(in *batch.Batch) {
	for k := range in.Live() {
		i := in.RowAt(k)
		row := g.groupRows[i]
		switch at := g.life.at(row); {
		case at == 0: // it is new
			g.life.write(row)
		case g.life.over(at):
			g.life.counters.Expired++
			g.forget(g.listOf(row))
			g.setBound(row, math.MaxUint64)
			g.life.write(row)
		}
	}
}

// forget removes the rows of a group, none of which has changed since settle.
func (g *rowGroups) forget(list uint32) {
	g.lists.cut(list, 0, func(id uint32) {
		if int(id) < g.saved.Len() {
			g.setPresent(id, false)
		}
		g.rows.remove(id)
	})
}

// wrote notes in a row of the list that its group was written.
func (g *rowGroups) wrote(list uint32) {
	if g.life == nil {
		return
	}
	g.lists.scan(list, func(e *entry) bool {
		*(*int64)(unsafe.Add(g.rows.write(e.id), g.stored)) = g.life.now
		return false
	})
}

// sweepBatch goes on with the sweep after a batch, sweepBarrier at a barrier.
func (g *rowGroups) sweepBatch(in *batch.Batch) { g.life.sweepBatch(in, g.expire) }

func (g *rowGroups) sweepBarrier(b exec.Barrier) { g.life.sweepBarrier(b, g.expire) }

// expire removes a group that is due.
func (g *rowGroups) expire(group uint32, row unsafe.Pointer) {
	list := g.listOf(row)
	g.forget(list)
	g.dropGroup(group, list)
}
