package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/over"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// overProgress computes window functions that look back a bounded way in event
// time over append-only input: a row is emitted once, when the watermark has
// passed its time and nothing can come before it any more. Its state is one table:
// the rows that wait, and those emitted that later rows still look back at. The
// sorted lists of them are derived. A row behind the watermark is late: it is
// counted, and given to Env.Late if that is set. The end of the input lets
// everything pass. Changelog modes: inserts in, inserts out.
type overProgress struct {
	groups  *rowGroups
	calls   *over.Evaluator
	spec    *graph.OverProgress
	env     *Env
	bad     badRows
	refused overRefused
	part    over.Partition
	time    uintptr // in a row
	emitted uintptr // in a row: whether it was
	next    int64   // of the state key "row"
	mark    exec.Watermark

	waiting minHeap[closing]     // groups by the time of the first row that waits
	first   *state.Vector[int64] // by list: that time, if it is in waiting

	live, late, inTime []uint16
	rowCol             batch.Column
	state              []unsafe.Pointer
	stateIDs           []uint32
	fresh              []uint16
	prefix             []uint64
	ids                []uint32
	rows               []unsafe.Pointer
	out                batch.Batch
}

const nothingWaits = 1<<63 - 1

func newOverProgress(op *graph.Operator, env *Env, calls *over.Evaluator) (exec.Operator, error) {
	tables, err := openTables(op, env)
	if err != nil {
		return nil, err
	}
	spec := op.Over
	o := &overProgress{calls: calls, spec: spec.Progress, env: env, bad: newBadRows(op.ID, env, env.Inputs[0]), mark: exec.WatermarkMin, live: []uint16{},
		inTime: []uint16{}, rowCol: batch.Column{Phys: types.PhysInt}}
	if o.groups, err = newRowGroups(op, env, tables[0], rowGroupsSpec{keys: spec.Keys, order: spec.Order}); err != nil {
		return nil, err
	}
	g := o.groups
	o.waiting, o.first = newMinHeap[closing](g.rows.Table), state.NewVector[int64](g.rows.Table)
	o.refused = newOverRefused(op, env, calls, g)
	o.time = g.rows.key(g.slots[spec.Progress.Time])
	o.emitted = g.rows.column(len(op.Tables[0].Columns) - 1)
	o.part.Cols = make([]*batch.Column, len(env.Inputs[0]))
	for _, c := range calls.Columns() {
		o.part.Cols[c] = &batch.Column{Phys: env.Inputs[0][c].Type.Phys()}
	}
	for _, f := range op.Fields {
		o.out.Cols = append(o.out.Cols, &batch.Column{Phys: f.Type.Phys()})
	}
	return o, o.restore()
}

// restore finds the rows that wait.
func (o *overProgress) restore() error {
	g := o.groups
	number := g.rows.key(len(g.spec.keys))
	err := g.rows.each(func(_ uint32, row unsafe.Pointer) error {
		o.next = max(o.next, *(*int64)(unsafe.Add(row, number))+1)
		return nil
	})
	if err != nil {
		return err
	}
	return g.directory.each(func(id uint32, group unsafe.Pointer) error {
		o.wait(id, g.listOf(group))
		return nil
	})
}

func (o *overProgress) timeOf(row unsafe.Pointer) int64 { return *(*int64)(unsafe.Add(row, o.time)) }

// wait notes when a group's first waiting row may pass.
func (o *overProgress) wait(group, list uint32) {
	o.groups.lists.scan(list, func(e *entry) bool {
		row := o.groups.rows.read(e.id)
		if *(*int64)(unsafe.Add(row, o.emitted)) != 0 {
			return true
		}
		o.waitUntil(group, list, o.timeOf(row))
		return false
	})
}

func (o *overProgress) waitUntil(group, list uint32, t int64) {
	for o.first.Len() <= int(list) {
		o.first.Add(nothingWaits)
	}
	first := o.first.At(list)
	if t >= *first {
		return
	}
	*first = t
	o.waiting.push(closing{at: t, number: uint64(list), id: group})
}

// OnBatch implements exec.Operator.
func (o *overProgress) OnBatch(_ int, in *batch.Batch, _ exec.Output) error {
	var err error
	if o.live, err = o.bad.selectTimes(o.live[:0], in, o.spec.Time); err != nil {
		return err
	}
	times := in.Cols[o.spec.Time].Int
	o.late, o.inTime = o.late[:0], o.inTime[:0]
	for _, i := range o.live {
		if times[i] < o.mark {
			o.late = append(o.late, i)
		} else {
			o.inTime = append(o.inTime, i)
		}
	}
	if err := reportLate(o.env, in, o.late); err != nil || len(o.inTime) == 0 {
		return err
	}
	b := &batch.Batch{N: in.N, Sel: o.inTime, Cols: in.Cols}
	g := o.groups
	groups := g.find(b)
	o.prefix = g.order.prefixes(b, o.prefix)
	o.rowCol.Resize(in.N)
	for _, i := range o.inTime {
		o.rowCol.Int[i] = o.next
		o.next++
	}
	o.stateIDs, o.state = roomFor(o.stateIDs, in.N), roomFor(o.state, in.N)
	o.fresh = g.store(b, o.inTime, &o.rowCol, o.stateIDs, o.state, o.fresh[:0])
	for _, i := range o.inTime {
		list := g.listOf(groups[i])
		g.lists.insert(list, entry{o.prefix[i], o.stateIDs[i]}, g.order)
		o.waitUntil(g.groupIDs[i], list, times[i])
	}
	return nil
}

// OnWatermark implements exec.Operator.
func (o *overProgress) OnWatermark(mark exec.Watermark, out exec.Output) error {
	if mark <= o.mark {
		return nil
	}
	o.mark = mark
	for o.waiting.len() > 0 && (o.waiting.first().at < mark || mark == exec.WatermarkMax) {
		c := o.waiting.pop()
		list := uint32(c.number)
		first := o.first.At(list)
		if *first != c.at {
			continue // it was told again of an earlier row, or has passed
		}
		*first = nothingWaits
		if err := o.pass(c.id, list, out); err != nil {
			return err
		}
	}
	return nil
}

// pass emits the rows of a group that the watermark has passed.
func (o *overProgress) pass(group, list uint32, out exec.Output) error {
	g, p := o.groups, &o.part
	o.ids, o.rows, p.Ties = o.ids[:0], o.rows[:0], p.Ties[:0]
	from := -1
	var before entry
	g.lists.scan(list, func(e *entry) bool {
		row := g.rows.read(e.id)
		if o.timeOf(row) >= o.mark && o.mark != exec.WatermarkMax {
			return false
		}
		p.Ties = append(p.Ties, len(o.ids) > 0 && g.order.tied(before, *e))
		before = *e
		if from < 0 && *(*int64)(unsafe.Add(row, o.emitted)) == 0 {
			from = len(o.ids)
		}
		o.ids, o.rows = append(o.ids, e.id), append(o.rows, row)
		return true
	})
	if from < 0 {
		return nil
	}
	p.N = len(o.ids)
	for _, c := range o.calls.Columns() {
		g.rows.ReadColumn(g.slots[c], o.rows, p.Cols[c])
	}
	results, err := o.calls.Run(p)
	end := p.N
	if err != nil {
		if !o.refused.isData(err) {
			return err
		}
		if err := o.refused.tell(err, list, o.ids[from:], o.rows[from:]); err != nil {
			return err
		}
		end = from
	}
	for at := from; at < end; at += o.env.BatchRows {
		if err := o.emit(at, min(at+o.env.BatchRows, end), results, out); err != nil {
			return err
		}
	}
	for _, id := range o.ids[from:] {
		*(*int64)(unsafe.Add(g.rows.write(id), o.emitted)) = 1
	}
	o.forget(list)
	if g.lists.len(list) == 0 {
		g.dropGroup(group, list)
		return nil
	}
	o.wait(group, list)
	return nil
}

func (o *overProgress) emit(from, to int, results []*batch.Column, out exec.Output) error {
	g, width := o.groups, len(o.groups.slots)
	for c, slot := range g.slots {
		g.rows.ReadColumn(slot, o.rows[from:to], o.out.Cols[c])
	}
	for i, col := range results {
		dst := o.out.Cols[width+i]
		dst.Reset()
		for at := from; at < to; at++ {
			dst.AppendRow(col, at)
		}
	}
	o.out.N = to - from
	return out.Emit(&o.out)
}

// forget removes the group's rows at hand that no later row looks back at.
func (o *overProgress) forget(list uint32) {
	g := o.groups
	n := len(o.ids)
	keep := 0
	if o.mark != exec.WatermarkMax {
		keep = int(min(o.spec.Rows, int64(n)))
	}
	at := n - keep
	if o.spec.Micros > 0 && o.mark != exec.WatermarkMax {
		at = sortedBefore(at, func(i int) bool { return o.timeOf(o.rows[i]) < o.mark-o.spec.Micros })
	}
	for i := range at {
		g.lists.remove(list, entry{g.order.prefix(o.rows[i]), o.ids[i]}, g.order)
		g.rows.remove(o.ids[i])
	}
}

// OnEnd implements exec.Operator: the watermark's end has let all rows pass.
func (o *overProgress) OnEnd(exec.Output) error { return nil }
