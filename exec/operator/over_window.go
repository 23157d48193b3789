package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/over"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
)

// overWindow is overChanges whose partitions belong to windows: their rows are
// forgotten when the window closes and, if OnClose is set, computed and emitted only
// then. Rows of closed windows are late. Changelog modes: as overChanges'; inserts
// out on close.
type overWindow struct {
	*overChanges
	spec   *graph.OverWindow
	slices *sliceIndex // partitions by their window's end
	mark   exec.Watermark
	late   lateRows
}

func newOverWindow(op *graph.Operator, env *Env, calls *over.Evaluator) (exec.Operator, error) {
	spec := op.Over.Window
	if len(op.Over.Calls) == 0 {
		return newHeldRows(op, env)
	}
	o, err := newOverChanges(op, env, calls)
	if err != nil {
		return nil, err
	}
	if spec.End >= len(env.Inputs[0]) {
		return newOverSessions(op.Over, env, o), nil
	}
	w := &overWindow{overChanges: o, spec: spec, mark: exec.WatermarkMin, late: lateRows{env: env}}
	g := o.groups
	slot, found := uintptr(0), false
	for i, c := range op.Over.Keys {
		if c == spec.End {
			slot, found = g.directory.key(i), true
		}
	}
	if !found {
		return nil, pgerr.New(pgerr.InternalError, "the windows of %s are no keys", op.ID)
	}
	w.slices = newSliceIndex(g.directory, slot)
	g.created = func(id uint32, row unsafe.Pointer) { w.slices.add(*(*int64)(unsafe.Add(row, slot)), id) }
	o.windowed = true
	if spec.OnClose {
		g.touch = func(uint32, uint32) error { return nil }
	}
	return w, nil
}

// OnBatch implements exec.Operator.
func (w *overWindow) OnBatch(port int, in *batch.Batch, out exec.Output) error {
	in, err := w.late.leaveOut(in, in.Cols[w.spec.End].Int, w.mark)
	if err != nil || in.Live() == 0 {
		return err
	}
	return w.overChanges.OnBatch(port, in, out)
}

// OnWatermark implements exec.Operator.
func (w *overWindow) OnWatermark(mark exec.Watermark, out exec.Output) error {
	if err := w.flush(out); err != nil {
		return err
	}
	if mark = closedTo(mark, w.spec.After); mark <= w.mark {
		return nil
	}
	w.mark = mark
	return w.slices.each(mark, func(end int64) error { return w.close(end, out) })
}

// close emits the partitions of the windows that end at end, if that is when they
// are emitted, and forgets them.
func (w *overWindow) close(end int64, out exec.Output) error {
	g := w.groups
	for _, id := range w.slices.rows(end) {
		list := g.listOf(g.directory.read(id))
		if w.spec.OnClose {
			w.now.reset()
			if err := w.compute(list, &w.now); err != nil {
				return err
			}
			w.changes = w.changes[:0]
			for i := range w.now.ids {
				w.changes = append(w.changes, change{batch.Insert, false, i})
			}
			if err := w.emit(out); err != nil {
				return err
			}
		}
		g.lists.cut(list, 0, func(id uint32) {
			g.setPresent(id, false)
			g.rows.remove(id)
		})
		g.lists.drop(list)
	}
	w.slices.drop(end)
	return nil
}
