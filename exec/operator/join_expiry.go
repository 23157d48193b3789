package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// expiry forgets rows of a join's side as time goes on. It keeps the rows' numbers
// by when they go, which is derived from the state: a number may be of a row that
// went before, or of another one by now.
type expiry struct {
	graph.Expiry
	side     *joinSide
	offset   uintptr // of the time in a state row
	column   int     // of the table, keys first
	width    int64   // of a bucket
	buckets  map[int64][]state.RowID
	next     int64 // the earliest bucket, if there are any
	counters *exec.Counters
	report   func(in *batch.Batch, rows []uint16) error
	late     []uint16
}

// bucketMicros is the least width of a bucket: rows stay that much longer.
const bucketMicros = 100_000

func newExpiry(s *joinSide, env *Env) *expiry {
	e := &expiry{Expiry: *s.Expiry, side: s, column: s.column(s.Expiry.Column), buckets: map[int64][]state.RowID{}, counters: env.Counters, report: env.Late}
	if e.column < s.table.Keys() {
		e.offset = s.table.Key(e.column)
	} else {
		e.offset = s.table.Column(e.column - s.table.Keys())
	}
	e.width = max(e.Keep/32, bucketMicros)
	return e
}

// bucketOf is when a row may be forgotten; one without a time at once.
func (e *expiry) bucketOf(row unsafe.Pointer) int64 {
	if e.side.table.IsNull(row, e.column) {
		return e.next
	}
	return floorDiv(saturatingAdd(*(*int64)(unsafe.Add(row, e.offset)), e.Shift+e.Keep), e.width)
}

func floorDiv(t, width int64) int64 {
	b := t / width
	if t < 0 && b*width != t {
		b--
	}
	return b
}

func saturatingAdd(a, b int64) int64 {
	c := a + b
	switch {
	case b > 0 && c < a:
		return exec.WatermarkMax
	case b < 0 && c > a:
		return exec.WatermarkMin
	}
	return c
}

// note remembers when a row goes.
func (e *expiry) note(id state.RowID, row unsafe.Pointer) {
	b := e.bucketOf(row)
	if len(e.buckets) == 0 || b < e.next {
		e.next = b
	}
	e.buckets[b] = append(e.buckets[b], id)
}

// forget deletes the rows that nothing after the watermark matches.
func (e *expiry) forget(w exec.Watermark) {
	for len(e.buckets) > 0 {
		if w != exec.WatermarkMax && e.next >= floorDiv(w, e.width) {
			return
		}
		ids := e.buckets[e.next]
		delete(e.buckets, e.next)
		for _, id := range ids {
			e.side.expire(id, func(row unsafe.Pointer) bool {
				return e.side.table.IsNull(row, e.column) || w == exec.WatermarkMax || saturatingAdd(*(*int64)(unsafe.Add(row, e.offset)), e.Shift+e.Keep) < w
			})
		}
		e.advance()
	}
}

// advance finds the earliest bucket.
func (e *expiry) advance() {
	first := true
	for b := range e.buckets {
		if first || b < e.next {
			e.next, first = b, false
		}
	}
}

// onTime selects the rows of sel that are not behind the watermark, and counts and
// reports the others. Rows that take others away are left out silently: theirs are
// gone.
func (e *expiry) onTime(in *batch.Batch, sel []uint16, w exec.Watermark, dst []uint16) ([]uint16, error) {
	times := in.Cols[e.Column]
	dst, e.late = dst[:0], e.late[:0]
	for _, i := range sel {
		switch {
		case times.IsNull(int(i)) || saturatingAdd(times.Int[i], e.Shift) >= w:
			dst = append(dst, i)
		case !in.Op(int(i)).Retracts():
			e.late = append(e.late, i)
		}
	}
	if len(e.late) == 0 {
		return dst, nil
	}
	e.counters.Late += int64(len(e.late))
	if e.report == nil {
		return dst, nil
	}
	return dst, e.report(in, e.late)
}

// expire deletes a row if it is still there and due.
func (s *joinSide) expire(id state.RowID, due func(row unsafe.Pointer) bool) {
	if !s.table.Live(id) || !s.there(id) || !due(s.table.Read(id)) {
		return
	}
	if s.chains != nil {
		s.chains.Unlink(id, s.chains.Hash(id))
	}
	if s.Identity == graph.ByKey {
		s.alive[id] = false
	}
	s.table.Delete(id)
}
