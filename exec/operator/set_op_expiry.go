package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
)

// setOpExpiry leaves out the rows of a set operation that the watermark has passed,
// and forgets those that it passes: neither side has any more of them. Rows without a
// time stay. When rows go is derived from the state.
type setOpExpiry struct {
	graph.Expiry
	table   *table
	time    uintptr // of a row of the table
	mark    exec.Watermark
	late    lateRows
	ends    []int64
	buckets *timeBuckets
}

func newSetOpExpiry(spec *graph.Expiry, t *table, env *Env) *setOpExpiry {
	e := &setOpExpiry{Expiry: *spec, table: t, time: t.key(spec.Column), mark: exec.WatermarkMin, late: lateRows{env: env}}
	e.index()
	return e
}

// index lists the rows of the table by when they go.
func (e *setOpExpiry) index() {
	e.buckets = newTimeBuckets()
	_ = e.table.each(func(id uint32, row unsafe.Pointer) error {
		e.note(id, row)
		return nil
	})
}

// endOf is the last instant of the watermark at which a row may change; none for a row
// without a time.
func (e *setOpExpiry) endOf(row unsafe.Pointer) (end int64, ok bool) {
	if e.table.IsNull(row, e.Column) {
		return 0, false
	}
	return saturatingAdd(*(*int64)(unsafe.Add(row, e.time)), e.Shift), true
}

func (e *setOpExpiry) note(id uint32, row unsafe.Pointer) {
	if end, ok := e.endOf(row); ok {
		e.buckets.note(end, id)
	}
}

// created notes when the new rows of a batch go.
func (e *setOpExpiry) created(fresh []uint16, ids []uint32, rows []unsafe.Pointer) {
	const few = 1024
	for _, i := range fresh {
		e.note(ids[i], rows[i])
	}
	if e.buckets.n > 2*e.table.len()+few { // most of them have been taken away since
		e.index()
	}
}

// onTime is in without the rows behind the watermark, which are counted and reported.
func (e *setOpExpiry) onTime(in *batch.Batch) (*batch.Batch, error) {
	if e.mark == exec.WatermarkMin {
		return in, nil
	}
	times := in.Cols[e.Column]
	e.ends = roomFor(e.ends, in.N)
	for i := range e.ends {
		if times.IsNull(i) {
			e.ends[i] = exec.WatermarkMax
		} else {
			e.ends[i] = saturatingAdd(times.Int[i], e.Shift)
		}
	}
	return e.late.leaveOut(in, e.ends, e.mark-1)
}

// advance forgets the rows that the watermark has passed.
func (e *setOpExpiry) advance(mark exec.Watermark) {
	if mark <= e.mark {
		return
	}
	e.mark = mark
	if mark == exec.WatermarkMax {
		e.table.clear()
		e.buckets = newTimeBuckets()
		return
	}
	e.buckets.due(mark, func(id uint32) {
		if !e.table.Live(id) {
			return
		}
		if end, ok := e.endOf(e.table.read(id)); ok && end < mark { // or it is another row by now
			e.table.remove(id)
		}
	})
}
