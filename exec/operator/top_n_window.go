package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
)

// topNWindow is topN whose groups belong to windows: their rows are forgotten when
// the watermark reaches the window's end, or has passed it, and, if OnClose is set, emitted only
// then. Rows of closed windows are late: they are counted, and given to Env.Late if
// that is set. Changelog modes: as topN's; inserts out on close.
type topNWindow struct {
	*topN
	input   exec.Operator // the topN that takes rows
	spec    *graph.TopNWindow
	slices  *sliceIndex // groups by their window's end
	mark    exec.Watermark
	late    lateRows
	removed []uint32
}

func newTopNWindow(op *graph.Operator, env *Env, t *topN, input exec.Operator) exec.Operator {
	w := &topNWindow{topN: t, input: input, spec: op.TopN.Window, mark: exec.WatermarkMin, late: lateRows{env: env}}
	g := t.groups
	slot := g.directory.key(0)
	for i, c := range op.TopN.Keys {
		if c == w.spec.End {
			slot = g.directory.key(i)
		}
	}
	w.slices = newSliceIndex(g.directory, slot)
	g.created = func(id uint32, row unsafe.Pointer) { w.slices.add(*(*int64)(unsafe.Add(row, slot)), id) }
	t.windowed = true
	if w.spec.OnClose {
		g.touch = func(uint32, uint32) error { return nil }
	}
	return w
}

// OnBatch implements exec.Operator.
func (w *topNWindow) OnBatch(port int, in *batch.Batch, out exec.Output) error {
	in, err := w.late.leaveOut(in, in.Cols[w.spec.End].Int, w.mark)
	if err != nil || in.Live() == 0 {
		return err
	}
	return w.input.OnBatch(port, in, out)
}

// OnWatermark implements exec.Operator.
func (w *topNWindow) OnWatermark(mark exec.Watermark, out exec.Output) error {
	if err := w.flush(out); err != nil {
		return err
	}
	if mark = closedTo(mark, w.spec.After); mark <= w.mark {
		return nil
	}
	w.mark = mark
	return w.slices.each(mark, func(end int64) error { return w.close(end, out) })
}

// close emits the windows that end at end, if that is when they are emitted, and
// forgets them.
func (w *topNWindow) close(end int64, out exec.Output) error {
	g := w.groups
	for _, id := range w.slices.rows(end) {
		list := g.listOf(g.directory.read(id))
		if w.spec.OnClose {
			w.window, _ = w.windowOf(list, w.window[:0])
			for _, n := range w.window {
				w.diff.add(batch.Insert, g.rows.read(n.id), n.number)
			}
			if len(w.diff.rows) >= w.diff.limit {
				if err := w.emptyOut(out); err != nil {
					return err
				}
			}
		}
		g.lists.cut(list, 0, func(id uint32) { w.removed = append(w.removed, id) })
		g.lists.drop(list)
	}
	err := w.emptyOut(out)
	w.slices.drop(end)
	return err
}

// emptyOut emits what there is to emit and removes the rows that are done with.
func (w *topNWindow) emptyOut(out exec.Output) error {
	if err := w.diff.emit(out); err != nil {
		return err
	}
	for _, id := range w.removed {
		w.groups.rows.remove(id)
	}
	w.removed = w.removed[:0]
	return nil
}
