package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// lifetime is how long the entries of a state table stay after they were last
// written. The time is that of the epoch (exec.Barrier.Time), so that it is the
// same for all tasks and all rows of an epoch. An entry that is due is never used
// again, whether it is still there or not: whoever finds it begins it anew. So
// results do not depend on when it goes, which a sweep sees to, a bounded number of
// rows after each batch and at each barrier.
//
// The time of the last write is a column of the table (lastWritten), which is
// there only where entries have a lifetime. A nil lifetime means for ever.
type lifetime struct {
	t        *state.Table
	off      uintptr                    // of the time in a row
	whole    func(id state.RowID) int64 // when the whole was last written that a row is a part of; nil: the row
	micros   int64
	now      int64
	cursor   uint32 // of the sweep
	counters *exec.Counters
}

// lastWritten is the column that says when a row was last written.
const lastWritten = "last written"

// aloneColumn, of a side of a join, is 1 for rows that are in the output by
// themselves, where that does not follow from what is there: rows of the other
// side may have expired.
const aloneColumn = "alone"

// Extra are the columns that a table of op needs besides its schema's, if
// lifetimes are what graph.Operator.Lifetimes gave for op.
func Extra(op *graph.Operator, table int, lifetimes []int64) []graph.Column {
	var out []graph.Column
	if lifetimes == nil {
		return nil
	}
	if lifetimes[table] > 0 {
		out = append(out, graph.Column{Name: lastWritten, Type: types.Of(types.TimestampTZ)})
	}
	if op.Join != nil && lifetimes[1-table] > 0 && startsAlone(op.Join, table) != never && !op.Join.Sides[table].Matches {
		out = append(out, graph.Column{Name: aloneColumn, Type: types.Of(types.Int64)})
	}
	return out
}

// newLifetime is that of op's table of that number, nil if its entries stay. Rows
// of which is not known when they were last written count as written now.
func newLifetime(env *Env, table int, t *state.Table) *lifetime {
	if table >= len(env.Lifetimes) || env.Lifetimes[table] <= 0 {
		return nil
	}
	column, ok := t.Extra(lastWritten)
	if !ok {
		return nil
	}
	l := &lifetime{t: t, off: t.Column(column - t.Keys()), micros: env.Lifetimes[table], now: env.Now, counters: env.Counters}
	if len(t.AddedExtra()) > 0 {
		_ = t.Each(func(id state.RowID, row unsafe.Pointer) error {
			if t.IsNull(row, column) {
				row = t.Write(id)
				t.SetNull(row, column, false)
				l.write(row)
			}
			return nil
		})
	}
	return l
}

// at is when a row was last written, 0 for one that was just made.
func (l *lifetime) at(row unsafe.Pointer) int64 { return *(*int64)(unsafe.Add(row, l.off)) }

// write notes that a row is written.
func (l *lifetime) write(row unsafe.Pointer) { *(*int64)(unsafe.Add(row, l.off)) = l.now }

// over reports whether what was last written at a time has had its time.
func (l *lifetime) over(at int64) bool { return l.now-at >= l.micros }

// due reports whether a row, which is not new, has had its time.
func (l *lifetime) due(row unsafe.Pointer) bool { return l.over(l.at(row)) }

// begin moves the time on to that of the epoch that begins.
func (l *lifetime) begin(b exec.Barrier) {
	if l != nil {
		l.now = max(l.now, b.Time)
	}
}

// renew prepares the rows that a batch found for being written: restart is called
// for those that are due, once each, and all count as written now.
func (l *lifetime) renew(n int, sel []uint16, ids []uint32, rows []unsafe.Pointer, restart func(i int, id uint32, row unsafe.Pointer)) {
	if sel != nil {
		n = len(sel)
	}
	for k := range n {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		row := rows[i]
		at := l.at(row)
		if at == l.now {
			continue
		}
		if at != 0 && l.over(at) {
			l.counters.Expired++
			restart(i, ids[i], row)
		}
		l.write(row)
	}
}

// How many rows a sweep looks at: after a batch some for each row that came, so
// that it keeps up with any stream, and so many at a barrier, which takes less
// than a millisecond and goes through ten million rows within two minutes.
const (
	sweepPerRow     = 2
	sweepPerBarrier = 1 << 14
)

// sweepBatch goes on with the sweep after a batch.
func (l *lifetime) sweepBatch(in *batch.Batch, remove func(id state.RowID, row unsafe.Pointer)) {
	if l != nil {
		l.sweep(sweepPerRow*in.Live(), remove)
	}
}

// sweepBarrier begins the barrier's epoch and goes on with the sweep.
func (l *lifetime) sweepBarrier(b exec.Barrier, remove func(id state.RowID, row unsafe.Pointer)) {
	if l != nil {
		l.begin(b)
		l.sweep(sweepPerBarrier, remove)
	}
}

// sweep looks at the next n rows and has those removed that are due.
// hot: a row that stays costs a look at its header and its time.
func (l *lifetime) sweep(n int, remove func(id state.RowID, row unsafe.Pointer)) {
	end := uint32(l.t.End())
	for range min(n, int(end)) {
		if l.cursor >= end {
			l.cursor = 0
		}
		id := l.cursor
		l.cursor++
		if !l.t.Live(id) {
			continue
		}
		row := l.t.Read(id)
		at := l.at(row)
		if l.whole != nil {
			at = l.whole(id)
		}
		if l.over(at) {
			l.counters.Expired++
			remove(id, row)
		}
	}
}
