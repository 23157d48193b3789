package operator

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

// windowAggregate groups by keys and a window of event time. Its state is as an
// aggregate's, the window being one more key; what readers of the state see as
// window_start is the slice of time that a row of state stands for:
//
//   - tumble: the window itself;
//   - hop that emits on close: a pane of gcd(size, slide), which windows share
//     and which is merged into each of them as it fires;
//   - cumulate: the step that ends with the window. On close, a step that has
//     fired is merged into the next one, so that each window is one step's rows;
//   - hop otherwise: the window, so that a row is kept once per window. So it is
//     too, and for cumulate, where states cannot be merged: distinct arguments,
//     strings' min and max, and any min and max that can be retracted.
//
// OnClose emits each group of a window once, as the watermark reaches the
// window's end. Without it, changes are emitted as an aggregate does, and the
// watermark only frees state. Either way a row is late for the windows that have
// closed, and for those alone: it is dropped from them, counted once, and given
// to Env.Late if that is set. The end of the input closes every window.
// Changelog modes: any but upsert in; inserts out on close, changes otherwise.
type windowAggregate struct {
	a       *accumulators
	spec    *graph.WindowAggregate
	kind    slicing
	onClose bool
	limit   int
	env     *Env
	bad     badRows
	refused refusedGroups

	watermark exec.Watermark
	restored  bool // state came with the operator; the first watermark is the one it was cut at
	slices    []*sliceIndex
	changes   *changes // when not onClose
	layout    outputLayout
	merger    *paneMerger // hop on close

	work   work
	fresh  []uint16
	column batch.Column // slice of each row
	live   []uint16
	late   []uint16
	isLate []bool
	pick   []uint16
	out    batch.Batch
	rows   []unsafe.Pointer
}

// slicing is how windows are cut into the slices of time that state is kept by.
type slicing struct {
	spec logical.WindowSpec
	unit int64 // length of a slice
	copy int64 // slices that one row goes into
}

func newSlicing(spec *graph.WindowAggregate, onClose bool) slicing {
	s := slicing{spec: spec.Spec, unit: spec.Spec.Size, copy: 1}
	shareable := onClose && spec.Mergeable()
	switch {
	case spec.Spec.Kind == logical.Hop && shareable:
		s.unit = gcd(spec.Spec.Size, spec.Spec.Slide)
	case spec.Spec.Kind == logical.Hop:
		s.unit, s.copy = spec.Spec.Slide, windowCount(spec.Spec)
	case spec.Spec.Kind == logical.Cumulate && shareable:
		s.unit = spec.Spec.Slide
	case spec.Spec.Kind == logical.Cumulate:
		s.unit, s.copy = spec.Spec.Slide, windowCount(spec.Spec)
	}
	return s
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// shared reports whether slices are panes that several windows are made of.
func (s *slicing) shared() bool {
	return s.spec.Kind == logical.Hop && s.copy == 1 && s.unit != s.spec.Size
}

// window is the window that slice stands for, unless slices are shared.
func (s *slicing) window(slice int64) (start, end int64) {
	if s.spec.Kind == logical.Cumulate {
		return floorTo(slice, s.spec.Size, s.spec.Offset), slice + s.spec.Slide
	}
	return slice, slice + s.spec.Size
}

// freeAt is the watermark at which no open window needs the slice any more.
func (s *slicing) freeAt(slice int64) int64 {
	if s.shared() {
		return floorTo(slice, s.spec.Slide, s.spec.Offset) + s.spec.Size
	}
	_, end := s.window(slice)
	return end
}

// sliceOf is the n-th slice of time t, and whether there is one.
func (s *slicing) sliceOf(t, n int64) (int64, bool) {
	base := floorTo(t, s.unit, s.spec.Offset)
	switch {
	case n == 0:
		return base, s.spec.Kind != logical.Hop || s.shared() || t < base+s.spec.Size
	case s.spec.Kind == logical.Hop:
		base -= n * s.spec.Slide
		return base, t < base+s.spec.Size
	default:
		base += n * s.spec.Slide
		return base, base < floorTo(t, s.spec.Size, s.spec.Offset)+s.spec.Size
	}
}

func newWindowAggregate(op *graph.Operator, env *Env) (exec.Operator, error) {
	spec := op.WindowAggregate
	if spec.Spec.Kind == logical.Session {
		return newSessionAggregate(op, env)
	}
	if err := checkWindow(spec.Spec); err != nil {
		return nil, err
	}
	a, err := newAccumulators(op, &spec.Aggregate, env, true)
	if err != nil {
		return nil, err
	}
	onClose := spec.OnClose || spec.AtEnd || env.Bounded
	w := &windowAggregate{live: []uint16{}, pick: []uint16{}, a: a, spec: spec, kind: newSlicing(spec, onClose), onClose: onClose, limit: env.BatchRows, env: env,
		bad: newBadRows(op.ID, env, env.Inputs[0]), watermark: exec.WatermarkMin, restored: a.groups.len() > 0, column: batch.Column{Phys: types.PhysInt}}
	keys := len(spec.Keys)
	w.layout = outputLayout{keys: keys, window: w.kind.window, slot: a.groups.key(keys)}
	w.out.Cols = w.layout.columns(a)
	w.refused = newRefusedGroups(op, env, a, w.layout)
	if !onClose {
		w.changes = newChanges(op, env, a, w.layout)
	}
	if w.kind.shared() {
		if w.merger, err = newPaneMerger(op, a, keys); err != nil {
			return nil, err
		}
	}
	return w, w.indexTables(keys)
}

// indexTables sets up, and after a restore fills, what is derived from the
// tables: which rows belong to which slice, and the heaps of values.
func (w *windowAggregate) indexTables(keys int) error {
	w.slices = []*sliceIndex{newSliceIndex(w.a.groups, w.a.groups.key(keys))}
	for _, d := range w.a.distincts {
		x := newSliceIndex(d.values, d.values.key(keys))
		d.created = func(row int, id uint32) { x.add(w.column.Int[row], id) }
		w.slices = append(w.slices, x)
	}
	for _, e := range w.a.extrema {
		x := newSliceIndex(e.values, e.values.key(keys))
		e.created = func(row int, id uint32) { x.add(w.column.Int[row], id) }
		w.slices = append(w.slices, x)
	}
	for _, l := range w.a.lists {
		x := newSliceIndex(l.values, l.values.key(keys))
		x.holes = true
		l.created = func(row int, id uint32) { x.add(w.column.Int[row], id) }
		w.slices = append(w.slices, x)
	}
	for _, s := range w.a.sketches {
		x := newSliceIndex(s.values, s.values.key(keys))
		s.created = func(row int, id uint32) { x.add(w.column.Int[row], id) }
		w.slices = append(w.slices, x)
	}
	return w.a.restore(w.onClose)
}

// OnBatch implements exec.Operator.
func (w *windowAggregate) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	w.restored = false
	times := in.Cols[w.spec.TimeColumn]
	sel, ok, err := w.place(in, times)
	if err != nil || !ok {
		return err
	}
	w.work.sign = w.a.sign(in)
	w.work.in = in
	w.work.batch++
	if !w.onClose {
		w.changes.begin(in.Live() * int(w.kind.copy))
	}
	if err := w.add(in, sel); err != nil {
		return err
	}
	for n := int64(1); n < w.kind.copy; n++ {
		if sel := w.placeAgain(times.Int, n); len(sel) > 0 {
			if err := w.add(in, sel); err != nil {
				return err
			}
		}
	}
	if err := w.reportLate(in); err != nil {
		return err
	}
	if w.onClose {
		return nil
	}
	if err := w.a.settle(); err != nil {
		return err
	}
	return w.changes.emit(out, false, false)
}

// place finds the first slice of each row. It returns the rows to add, nil for
// all of the batch, and whether there are any.
func (w *windowAggregate) place(in *batch.Batch, times *batch.Column) (sel []uint16, ok bool, err error) {
	w.column.Resize(in.N)
	w.late = w.late[:0]
	if in.N == 0 {
		return nil, false, nil
	}
	if w.kind.copy == 1 && in.Sel == nil && !times.HasNulls && w.placeAll(times.Int[:in.N]) {
		return nil, true, nil
	}
	if w.live, err = w.bad.selectTimes(w.live[:0], in, w.spec.TimeColumn); err != nil {
		return nil, false, err
	}
	w.isLate = roomFor(w.isLate, in.N)
	for _, i := range w.live {
		w.isLate[i] = false
	}
	w.pick = w.pick[:0]
	for _, i := range w.live {
		if slice, is := w.firstSlice(times.Int[i], i); is {
			w.column.Int[i] = slice
			w.pick = append(w.pick, i)
		}
	}
	if len(w.pick) > 0 {
		return w.pick, true, nil
	}
	if w.kind.copy > 1 {
		return emptySelection, true, nil
	}
	return nil, false, w.reportLate(in)
}

var emptySelection = make([]uint16, 0)

// placeAll is place for a batch without nulls or late rows, which nearly all
// are: rows in time order fall into the same slice for long. It reports false
// when it found a row that needs more care.
func (w *windowAggregate) placeAll(times []int64) bool {
	lo, hi := times[0], times[0]
	for _, t := range times {
		lo, hi = min(lo, t), max(hi, t)
	}
	if lo < -timeLimit || hi > timeLimit {
		return false
	}
	start := floorTo(lo, w.kind.unit, w.kind.spec.Offset)
	if w.kind.spec.Kind == logical.Hop || start+w.kind.unit <= w.watermark {
		if w.firstEnd(start) <= w.watermark || w.kind.spec.Kind == logical.Hop && !w.kind.shared() && w.kind.unit > w.kind.spec.Size {
			return false
		}
	}
	col := w.column.Int[:len(times)]
	if hi < start+w.kind.unit {
		for i := range col {
			col[i] = start
		}
		return true
	}
	for i, t := range times {
		if t < start || t >= start+w.kind.unit {
			start = floorTo(t, w.kind.unit, w.kind.spec.Offset)
		}
		col[i] = start
	}
	return true
}

// firstEnd is the end of the first window that holds the slice.
func (w *windowAggregate) firstEnd(slice int64) int64 {
	if w.kind.shared() {
		return firstHop(slice, w.kind.spec) + w.kind.spec.Size
	}
	_, end := w.kind.window(slice)
	return end
}

// firstHop is the start of the earliest hopping window that holds time t, if any
// does.
func firstHop(t int64, s logical.WindowSpec) int64 {
	return floorTo(t-s.Size, s.Slide, s.Offset) + s.Slide
}

// firstSlice is the slice to add the row to first, and whether there is one. It
// marks the row as late if one of its windows has closed.
func (w *windowAggregate) firstSlice(t int64, row uint16) (int64, bool) {
	slice, is := w.kind.sliceOf(t, 0)
	if !is {
		return 0, false
	}
	if w.firstEnd(slice) > w.watermark {
		return slice, true
	}
	w.markLate(row)
	switch {
	case w.kind.shared():
		return slice, w.kind.freeAt(slice) > w.watermark
	case w.kind.spec.Kind == logical.Cumulate && w.kind.copy == 1: // into the first step still open
		open := floorTo(w.watermark, w.kind.unit, w.kind.spec.Offset)
		_, end := w.kind.window(open)
		base := floorTo(t, w.kind.spec.Size, w.kind.spec.Offset)
		return open, end > w.watermark && open > slice && open < base+w.kind.spec.Size
	}
	return 0, false
}

func (w *windowAggregate) markLate(row uint16) {
	if !w.isLate[row] {
		w.isLate[row] = true
		w.late = append(w.late, row)
	}
}

// placeAgain finds the n-th slice of the rows that have one.
func (w *windowAggregate) placeAgain(times []int64, n int64) []uint16 {
	w.pick = w.pick[:0]
	for _, i := range w.live {
		slice, is := w.kind.sliceOf(times[i], n)
		if !is {
			continue
		}
		if _, end := w.kind.window(slice); end <= w.watermark {
			w.markLate(i)
			continue
		}
		w.column.Int[i] = slice
		w.pick = append(w.pick, i)
	}
	return w.pick
}

func (w *windowAggregate) reportLate(in *batch.Batch) error { return reportLate(w.env, in, w.late) }

// reportLate counts late rows and hands them on.
func reportLate(env *Env, in *batch.Batch, late []uint16) error {
	env.Counters.Late += int64(len(late))
	if len(late) == 0 || env.Late == nil {
		return nil
	}
	slices.Sort(late)
	if err := env.Late(in, late); err != nil {
		return fmt.Errorf("keep late rows: %w", err)
	}
	return nil
}

// add folds the selected rows into the groups of the slices in w.column.
func (w *windowAggregate) add(in *batch.Batch, sel []uint16) error {
	if sel != nil && len(sel) == 0 {
		return nil
	}
	k := &w.work
	k.sel = sel
	k.keys = k.keys[:0]
	for _, c := range w.spec.Keys {
		k.keys = append(k.keys, in.Cols[c])
	}
	k.keys = append(k.keys, &w.column)
	k.ids, k.rows = roomFor(k.ids, in.N), roomFor(k.rows, in.N)
	w.fresh = w.a.groups.find(k.keys, in.N, sel, k.ids, k.rows, w.fresh[:0])
	for _, i := range w.fresh {
		w.a.start(k.rows[i], in)
		w.slices[0].add(w.column.Int[i], k.ids[i])
	}
	k.one = k.single()
	if !w.onClose {
		w.changes.touch(k)
	}
	return w.a.fold(k)
}

// OnEnd implements exec.Operator: the watermark's end has closed every window.
func (w *windowAggregate) OnEnd(exec.Output) error { return nil }

// OnWatermark implements exec.Operator.
func (w *windowAggregate) OnWatermark(mark exec.Watermark, out exec.Output) error {
	restored := w.restored
	w.restored = false
	if mark <= w.watermark {
		return nil
	}
	before := w.watermark
	w.watermark = mark
	switch {
	case w.kind.shared():
		if restored { // what closed up to here was emitted
			return nil
		}
		return w.firePanes(before, mark, out)
	case w.kind.spec.Kind == logical.Cumulate && w.onClose && w.kind.copy == 1:
		return w.fireSteps(mark, out)
	}
	for {
		slice, ok := w.slices[0].first()
		if !ok || w.kind.freeAt(slice) > mark {
			break
		}
		if w.onClose {
			if err := w.emit(w.slices[0].rows(slice), out); err != nil {
				return err
			}
		}
		w.free(slice)
	}
	return nil
}
