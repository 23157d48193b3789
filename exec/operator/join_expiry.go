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
// went before, or of another one by now. Rows that come one after another mostly have
// numbers that follow each other and go together, so it keeps runs of numbers.
type expiry struct {
	graph.Expiry
	side     *joinSide
	offset   uintptr // of the time in a state row that says when it goes
	column   int     // of the table, keys first
	plus     int64
	width    int64 // of a bucket
	buckets  map[int64]*bucket
	newest   *bucket // the one that was last put into
	from, to int64   // rows that go from from on and before to belong to newest
	order    minHeap[bucketNumber]
	counters *exec.Counters
	report   func(in *batch.Batch, rows []uint16) error
	late     []uint16
}

// bucket is the rows that go in one stretch of time.
type bucket struct {
	number bucketNumber
	runs   []rowRun
}

// rowRun is the rows from first on and before end.
type rowRun struct{ first, end state.RowID }

type bucketNumber int64

func (a bucketNumber) before(b bucketNumber) bool { return a < b }

// bucketMicros is the least width of a bucket: rows stay that much longer.
const bucketMicros = 100_000

func newExpiry(s *joinSide, env *Env) *expiry {
	e := &expiry{Expiry: *s.Expiry, side: s, counters: env.Counters, report: env.Late, order: newMinHeap[bucketNumber](s.table)}
	if e.Forever {
		return e
	}
	var column int
	column, e.plus = e.End()
	if e.column = s.column(column); e.column < s.table.Keys() {
		e.offset = s.table.Key(e.column)
	} else {
		e.offset = s.table.Column(e.column - s.table.Keys())
	}
	e.width, e.buckets = max(e.Keep/32, bucketMicros), map[int64]*bucket{}
	return e
}

// endOf is when a row may be forgotten; one without a time at once.
func (e *expiry) endOf(row unsafe.Pointer) int64 {
	if e.side.table.IsNull(row, e.column) {
		return exec.WatermarkMin
	}
	return saturatingAdd(*(*int64)(unsafe.Add(row, e.offset)), e.plus)
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
// hot: rows that come together mostly go together.
func (e *expiry) note(id state.RowID, row unsafe.Pointer) {
	if e.Forever {
		return
	}
	if end := e.endOf(row); e.newest == nil || end < e.from || end >= e.to {
		e.turnTo(end)
	}
	runs := e.newest.runs
	if last := len(runs) - 1; last >= 0 && runs[last].end == id {
		runs[last].end++
		return
	}
	e.newest.runs = append(runs, rowRun{id, id + 1})
}

// turnTo makes the bucket of rows that go at a time the newest.
func (e *expiry) turnTo(end int64) {
	n := floorDiv(end, e.width)
	b := e.buckets[n]
	if b == nil {
		b = &bucket{number: bucketNumber(n)}
		e.buckets[n] = b
		e.order.push(b.number)
	}
	in := end % e.width
	if in < 0 {
		in += e.width
	}
	e.newest, e.from, e.to = b, saturatingAdd(end, -in), saturatingAdd(end, e.width-in)
}

// forget deletes the rows that nothing after the watermark matches.
func (e *expiry) forget(w exec.Watermark) {
	if w == exec.WatermarkMax && !e.Forever {
		e.side.clear()
		clear(e.buckets)
		e.newest = nil
		e.order.v.Cut(0)
		return
	}
	for e.order.len() > 0 && int64(e.order.first()) < floorDiv(w, e.width) {
		n := int64(e.order.pop())
		b := e.buckets[n]
		delete(e.buckets, n)
		e.newest = nil
		due := func(row unsafe.Pointer) bool { return e.endOf(row) < w }
		for _, r := range b.runs {
			for id := r.first; id < r.end; id++ {
				e.side.expire(id, due)
			}
		}
	}
}

// onTime selects the rows of sel that are not behind the watermark, and counts and
// reports the others. Rows that take others away are left out silently: theirs are
// gone.
func (e *expiry) onTime(in *batch.Batch, sel []uint16, w exec.Watermark, dst []uint16) ([]uint16, error) {
	if e.Column < 0 {
		return append(dst[:0], sel...), nil
	}
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

// clear deletes all rows.
func (s *joinSide) clear() {
	s.table.Reset()
	clear(s.alive)
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
