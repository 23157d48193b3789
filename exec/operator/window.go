package operator

import (
	"math"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

// windowTimeGap is how far window_time lies before window_end: it is the last
// microsecond of the window.
const windowTimeGap = 1

// windowExpand appends window_start, window_end and window_time to each row, once
// per window it falls in. It copies nothing: each emitted batch shares the
// input's columns and holds the n-th window of the rows that have one. Rows
// without a time have no window: they are bad rows. It keeps no state. Changelog modes: any in, the same out.
type windowExpand struct {
	exec.Stateless
	column int
	spec   logical.WindowSpec
	bad    badRows

	start, end, time *batch.Column
	last             []int64 // per row: the start of its last window, or of its cumulation
	sel, live        []uint16
	ops              []batch.Op
	out              batch.Batch
}

func newWindow(op *graph.Operator, env *Env) (exec.Operator, error) {
	if err := checkWindow(op.Window.Spec); err != nil {
		return nil, err
	}
	w := &windowExpand{column: op.Window.TimeColumn, spec: op.Window.Spec, sel: []uint16{}, live: []uint16{}, bad: newBadRows(op.ID, env, env.Inputs[0])}
	for _, c := range []**batch.Column{&w.start, &w.end, &w.time} {
		*c = &batch.Column{Phys: types.PhysInt}
	}
	return w, nil
}

func checkWindow(s logical.WindowSpec) error {
	switch s.Kind {
	case logical.Tumble:
		if s.Size > 0 {
			return nil
		}
	case logical.Hop:
		if s.Size > 0 && s.Slide > 0 {
			return nil
		}
	case logical.Cumulate:
		if s.Size > 0 && s.Slide > 0 && s.Size%s.Slide == 0 {
			return nil
		}
	default:
		return pgerr.NotSupported(-1, "a "+string(s.Kind)+" window")
	}
	return pgerr.New(pgerr.InvalidParameterValue, "window sizes must be positive, and the size of a cumulating window a multiple of its step")
}

// windowCount is the most windows one row can fall in.
func windowCount(s logical.WindowSpec) int64 {
	switch s.Kind {
	case logical.Hop:
		return (s.Size + s.Slide - 1) / s.Slide
	case logical.Cumulate:
		return s.Size / s.Slide
	}
	return 1
}

// floorTo is the greatest multiple of size, shifted by offset, that is not
// after t. It is right for times before 1970 too.
func floorTo(t, size, offset int64) int64 {
	r := (t - offset) % size
	if r < 0 {
		r += size
	}
	return t - r
}

// timeLimit bounds the times that have windows: infinity has none, and no
// window arithmetic on the others overflows.
const timeLimit = math.MaxInt64 / 2

// OnBatch implements exec.Operator.
func (w *windowExpand) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	times := in.Cols[w.column]
	live, err := w.bad.selectTimes(w.live[:0], in, w.column)
	if err != nil {
		return err
	}
	w.live = live
	if cap(w.last) < in.N {
		w.last = make([]int64, in.N, batch.Room(in.N))
	}
	w.last = w.last[:in.N]
	unit := w.spec.Size
	if w.spec.Kind == logical.Hop {
		unit = w.spec.Slide
	}
	for _, i := range live {
		w.last[i] = floorTo(times.Int[i], unit, w.spec.Offset)
	}
	for _, c := range []*batch.Column{w.start, w.end, w.time} {
		c.Resize(in.N)
	}
	for n := range windowCount(w.spec) {
		w.fillWindow(n, times.Int)
		if len(w.sel) == 0 {
			continue
		}
		w.out = batch.Batch{N: in.N, Sel: w.sel, Ops: in.Ops}
		if in.Ops != nil {
			w.out.Ops = splitPairs(in, w.sel, &w.ops)
		}
		w.out.Cols = append(append(w.out.Cols, in.Cols...), w.start, w.end, w.time)
		if err := out.Emit(&w.out); err != nil {
			return err
		}
	}
	return nil
}

// fillWindow selects the rows that have an n-th window and writes its bounds.
func (w *windowExpand) fillWindow(n int64, times []int64) {
	w.sel = w.sel[:0]
	for _, i := range w.live {
		start, end := w.last[i], int64(0)
		switch w.spec.Kind {
		case logical.Hop:
			start -= n * w.spec.Slide
			end = start + w.spec.Size
		case logical.Cumulate:
			end = start + (n+1)*w.spec.Slide
		default:
			end = start + w.spec.Size
		}
		if times[i] >= end {
			continue
		}
		w.sel = append(w.sel, i)
		w.start.Int[i], w.end.Int[i], w.time.Int[i] = start, end, end-windowTimeGap
	}
}

// leaveOutTimeless is in without the rows that have no finite time, whose window nobody
// can tell. live holds the selection.
func (b *badRows) leaveOutTimeless(in *batch.Batch, column int, live *[]uint16) (*batch.Batch, error) {
	if *live == nil {
		*live = []uint16{}
	}
	var err error
	if *live, err = b.selectTimes((*live)[:0], in, column); err != nil || len(*live) == in.Live() {
		return in, err
	}
	return &batch.Batch{N: in.N, Sel: *live, Ops: in.Ops, Cols: in.Cols}, nil
}

// selectTimes appends the live rows that have a finite time. The others are
// counted, and reported if anybody asks for bad rows.
func (b *badRows) selectTimes(dst []uint16, in *batch.Batch, column int) ([]uint16, error) {
	times := in.Cols[column]
	for k := range in.Live() {
		i := in.RowAt(k)
		if t := times.Int[i]; t <= timeLimit && t >= -timeLimit && !times.IsNull(i) {
			dst = append(dst, uint16(i))
			continue
		}
		if !in.Op(i).Retracts() {
			b.counters.BadRows++
		}
		if b.report == nil {
			continue
		}
		err := pgerr.New(pgerr.NullValueNotAllowed, "the row has no time for its window: column %q is null", b.fields[column].Name)
		if !times.IsNull(i) {
			err = pgerr.New(pgerr.DatetimeFieldOverflow, "the row has no window: column %q is infinite", b.fields[column].Name)
		}
		if err := b.report(b.ctx, &exec.Refused{Operator: b.operator, Err: err, Batch: in, Row: i, Fields: b.fields}); err != nil {
			return nil, err
		}
	}
	return dst, nil
}
