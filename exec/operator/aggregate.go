package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
)

// aggregate groups by keys, or everything into one group. Its state is the group
// table, a table per distinct argument, list and sketch, and over changelogs a
// table per min and max. Changelog modes: any but upsert in; out, per some batches, one change for
// each group touched that now reads otherwise. Nothing is held back over a barrier
// or a watermark. A group whose last row went is deleted;
// a global aggregate has its row from the first barrier on, rows or not. Over
// finished data each group is emitted once, as an insert, at the end. A group that
// is due begins without rows: its next change is an insert, and rows that take
// away from it meet nothing.
type aggregate struct {
	a        *accumulators
	lost     unmatched
	changes  *changes
	work     work
	fresh    []uint16
	global   bool
	task     int
	atEnd    bool
	ready    bool // the global group is there and was emitted
	fold     int  // rows to fold in before changes are emitted
	pending  int  // rows folded in since
	signed   bool // some of them took rows away
	limit    int
	counters *exec.Counters
}

func newAggregate(op *graph.Operator, env *Env) (exec.Operator, error) {
	a, err := newAccumulators(op, op.Aggregate, env, false)
	if err != nil {
		return nil, err
	}
	if err := a.restore(false); err != nil {
		return nil, err
	}
	layout := outputLayout{keys: len(op.Aggregate.Keys)}
	g := &aggregate{a: a, changes: newChanges(op, env, a, layout), global: op.Aggregate.Global,
		task: env.Task, atEnd: op.Aggregate.AtEnd || env.Bounded, limit: env.BatchRows, fold: env.CoalesceRows, counters: env.Counters}
	g.ready = g.global && a.groups.len() > 0
	return g, nil
}

// OnBatch implements exec.Operator.
func (g *aggregate) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	if in.Live() == 0 {
		return nil
	}
	w := &g.work
	w.in, w.sel, w.sign = in, in.Sel, g.a.sign(in)
	w.batch++
	g.find(in)
	if g.atEnd {
		return g.a.fold(w)
	}
	if g.pending == 0 {
		g.changes.begin(in.Live())
	}
	g.pending += in.Live()
	g.signed = g.signed || w.sign != nil
	g.changes.touch(w)
	if w.sign != nil && g.a.takesUnseen() {
		var dropped int64
		w.sel, dropped = g.lost.drop(w, w.sel, g.a, &g.a.all[0])
		g.counters.Unmatched += dropped
	}
	if w.sel == nil || len(w.sel) > 0 {
		if err := g.a.fold(w); err != nil {
			return err
		}
	}
	if g.pending >= g.fold {
		if err := g.flush(out); err != nil {
			return err
		}
	}
	g.a.sweepBatch(in)
	return nil
}

// flush emits what has changed since the last one.
func (g *aggregate) flush(out exec.Output) error {
	if g.pending == 0 {
		return nil
	}
	g.pending = 0
	fresh := !g.ready
	g.ready = g.global
	if err := g.a.settle(); err != nil {
		return err
	}
	if err := g.changes.emit(out, g.global, fresh); err != nil {
		return err
	}
	if g.signed && !g.global {
		g.removeEmpty()
	}
	g.signed = false
	return nil
}

// find fills in the groups of the batch's rows. Those it makes begin with first,
// which is nil if they begin without rows.
func (g *aggregate) find(first *batch.Batch) {
	w := &g.work
	w.keys = w.keys[:0]
	for _, k := range g.a.spec.Keys {
		w.keys = append(w.keys, w.in.Cols[k])
	}
	w.ids, w.rows = roomFor(w.ids, w.in.N), roomFor(w.rows, w.in.N)
	g.fresh = g.a.groups.find(w.keys, w.in.N, w.sel, w.ids, w.rows, g.fresh[:0])
	for _, i := range g.fresh {
		g.a.start(w.rows[i], first)
	}
	if g.a.life != nil {
		g.a.life.renew(w.in.N, w.sel, w.ids, w.rows, func(_ int, id uint32, _ unsafe.Pointer) { g.a.restart(id) })
	}
	w.one = w.single()
}

// single returns the state row of the one group that all rows belong to, nil if
// they belong to several.
func (w *work) single() unsafe.Pointer {
	if w.sel == nil {
		ids := w.ids[:w.in.N]
		first := ids[0]
		if ids[len(ids)-1] != first || ids[len(ids)/2] != first {
			return nil
		}
		for _, id := range ids {
			if id != first {
				return nil
			}
		}
		return w.rows[0]
	}
	first := w.ids[w.sel[0]]
	for _, i := range w.sel {
		if w.ids[i] != first {
			return nil
		}
	}
	return w.rows[w.sel[0]]
}

// removeEmpty deletes the groups that were left without rows, and counts the rows that
// were taken from those that had none.
func (g *aggregate) removeEmpty() {
	c, off := g.changes, g.a.all[0].off
	for k, id := range c.touched {
		before, now := *(*int64)(unsafe.Add(unsafe.Pointer(&c.old[k*c.words]), off)), *(*int64)(unsafe.Add(c.now[k], off))
		g.counters.Unmatched += max(min(before, 0)-now, 0)
		if now == 0 {
			if g.a.life != nil && g.a.leave(id) {
				continue
			}
			g.a.groups.remove(id)
		}
	}
}

// OnBarrier implements exec.Stateful: the row of a global aggregate without
// input is there from the first barrier on.
func (g *aggregate) OnBarrier(b exec.Barrier, out exec.Output) error {
	if err := g.flush(out); err != nil {
		return err
	}
	g.a.sweepBarrier(b)
	return g.emitEmpty(out)
}

// OnWatermark implements exec.Operator.
func (g *aggregate) OnWatermark(_ exec.Watermark, out exec.Output) error { return g.flush(out) }

// OnEnd implements exec.Operator.
func (g *aggregate) OnEnd(out exec.Output) error {
	if err := g.flush(out); err != nil {
		return err
	}
	if err := g.emitEmpty(out); err != nil || !g.atEnd {
		return err
	}
	return g.emitAll(out)
}

// emitEmpty creates the global group and emits it, if it is not there yet and
// this is the task that owns it.
func (g *aggregate) emitEmpty(out exec.Output) error {
	if !g.global || g.ready || g.task != 0 {
		return nil
	}
	w := &g.work
	w.in, w.sel, w.sign = &batch.Batch{N: 1}, nil, nil
	if g.atEnd && g.a.groups.len() > 0 {
		return nil
	}
	g.find(nil)
	if g.atEnd {
		return nil
	}
	g.ready = true
	g.changes.begin(1)
	g.changes.touch(w)
	return g.changes.emit(out, true, true)
}

// emitAll inserts every group that has rows.
func (g *aggregate) emitAll(out exec.Output) error {
	if err := g.a.settle(); err != nil {
		return err
	}
	c := g.changes
	b := &batch.Batch{Cols: c.out.Cols}
	c.rows = c.rows[:0]
	send := func() error {
		if len(c.rows) == 0 {
			return nil
		}
		var err error
		b.N, err = c.refused.fill(g.a, c.rows, b.Cols)
		if c.rows = c.rows[:0]; err != nil || b.N == 0 {
			return err
		}
		return out.Emit(b)
	}
	err := g.a.groups.each(func(id uint32, row unsafe.Pointer) error {
		if !g.global && !g.a.present(row) {
			return nil
		}
		if f := g.a.refusal(id); f != nil {
			return c.refused.refuse(g.a, row, f)
		}
		if c.rows = append(c.rows, row); len(c.rows) < g.limit {
			return nil
		}
		return send()
	})
	if err != nil {
		return err
	}
	return send()
}
