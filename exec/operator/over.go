package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/over"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// overChanges keeps window functions up to date over a changelog. Its state is one
// table, all rows of the input; the sorted lists of them are derived. A partition
// that changes is computed as it was and as it is, and the difference emitted.
// Changelog modes: any but upsert in; out, per some batches, changes. Nothing is
// held back over a barrier or a watermark.
type overChanges struct {
	groups *rowGroups
	calls  *over.Evaluator
	// windowed partitions stay until their window closes; computed, if not nil, is
	// told of each that was, its results being in now and the rows it had in match: it
	// makes noEntry of the ids that are not to be emitted.
	windowed bool
	computed func(group uint32) error
	part     over.Partition
	times    sessionTimes
	limit    int
	fold     int
	pending  int

	touched []touchedGroup
	old     results
	now     results
	ids     []uint32 // of the partition at hand
	rows    []unsafe.Pointer
	changes []change
	match   rowMatch
	refused overRefused
	out     batch.Batch
	sel     []uint16
}

// results are rows of partitions with what the calls gave for them.
type results struct {
	ids  []uint32
	cols []*batch.Column
}

// change is one row to emit: row at of the old results, or of the new ones.
type change struct {
	op  batch.Op
	old bool
	at  int
}

func newOverChanges(op *graph.Operator, env *Env, calls *over.Evaluator) (*overChanges, error) {
	tables, err := openTables(op, env)
	if err != nil {
		return nil, err
	}
	spec := op.Over
	o := &overChanges{calls: calls, times: newSessionTimes(op, env), limit: env.BatchRows, fold: env.CoalesceRows}
	if o.groups, err = newRowGroups(op, env, tables[0], rowGroupsSpec{keys: spec.Keys, order: spec.Order, retractable: true,
		rowKey: spec.RowKey, copies: spec.Copies}); err != nil {
		return nil, err
	}
	o.groups.touch = o.touch
	o.match.rows = state.NewVector[matchedRow](tables[0].Table)
	o.refused = newOverRefused(op, env, calls, o.groups)
	width := len(env.Inputs[0])
	o.part.Cols = make([]*batch.Column, width)
	for i, f := range op.Fields {
		p := f.Type.Phys()
		o.out.Cols = append(o.out.Cols, &batch.Column{Phys: p})
		if i >= width {
			o.old.cols, o.now.cols = append(o.old.cols, &batch.Column{Phys: p}), append(o.now.cols, &batch.Column{Phys: p})
		}
	}
	for _, c := range calls.Columns() {
		o.part.Cols[c] = &batch.Column{Phys: env.Inputs[0][c].Type.Phys()}
	}
	return o, nil
}

// OnBatch implements exec.Operator.
func (o *overChanges) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	in, err := o.times.leaveOut(in)
	if err != nil || in.Live() == 0 {
		return err
	}
	if err := o.groups.apply(in); err != nil {
		return err
	}
	if o.pending += in.Live(); o.pending >= o.fold {
		if err := o.flush(out); err != nil {
			return err
		}
	}
	o.groups.sweepBatch(in)
	return nil
}

// OnBarrier implements exec.Stateful.
func (o *overChanges) OnBarrier(b exec.Barrier, out exec.Output) error {
	err := o.flush(out)
	o.groups.sweepBarrier(b)
	return err
}

// OnWatermark implements exec.Operator.
func (o *overChanges) OnWatermark(_ exec.Watermark, out exec.Output) error { return o.flush(out) }

// OnEnd implements exec.Operator.
func (o *overChanges) OnEnd(out exec.Output) error { return o.flush(out) }

// touch computes a partition before its first change since the last flush.
func (o *overChanges) touch(group, list uint32) error {
	from := len(o.old.ids)
	if err := o.compute(list, &o.old); err != nil {
		return err
	}
	o.touched = append(o.touched, touchedGroup{group: group, list: list, from: from, to: len(o.old.ids)})
	return nil
}

// compute adds the rows of a partition and their results to dst.
func (o *overChanges) compute(list uint32, dst *results) error {
	g, p := o.groups, &o.part
	o.ids, o.rows, p.Ties = o.ids[:0], o.rows[:0], p.Ties[:0]
	var before entry
	g.lists.scan(list, func(e *entry) bool {
		tied := len(o.ids) > 0 && g.order.tied(before, *e)
		before = *e
		row := g.rows.read(e.id)
		for range g.copiesOf(e.id) {
			o.ids, o.rows, p.Ties = append(o.ids, e.id), append(o.rows, row), append(p.Ties, tied)
			tied = true
		}
		return true
	})
	if p.N = len(o.ids); p.N == 0 {
		return nil
	}
	for _, c := range o.calls.Columns() {
		g.rows.ReadColumn(g.slots[c], o.rows, p.Cols[c])
	}
	cols, err := o.calls.Run(p)
	switch {
	case err == nil:
	case !o.refused.isData(err):
		return err
	case dst == &o.old:
		o.refused.before(list, o.ids)
		return nil
	default:
		return o.refused.tell(err, list, o.ids, o.rows)
	}
	dst.ids = append(dst.ids, o.ids...)
	for i, c := range cols {
		dst.cols[i].AppendFrom(c, nil, p.N)
	}
	return nil
}

func (r *results) reset() {
	r.ids = r.ids[:0]
	for _, c := range r.cols {
		c.Reset()
	}
}

// flush emits what has changed since the last one.
func (o *overChanges) flush(out exec.Output) error {
	o.pending = 0
	if len(o.touched)+len(o.groups.absent) == 0 {
		return nil
	}
	for i := range o.touched {
		g := &o.touched[i]
		o.now.reset()
		if err := o.compute(g.list, &o.now); err != nil {
			return err
		}
		if err := o.compare(g); err != nil {
			return err
		}
		if err := o.emit(out); err != nil {
			return err
		}
	}
	for _, g := range o.touched {
		if o.groups.lists.len(g.list) == 0 && !o.windowed {
			o.groups.dropGroup(g.group, g.list)
		} else {
			o.groups.wrote(g.list)
		}
	}
	o.touched = o.touched[:0]
	clear(o.refused.known)
	o.old.reset()
	o.groups.settle()
	return nil
}

// compare lists the changes from the old results of a group to the new ones: what
// goes first.
func (o *overChanges) compare(g *touchedGroup) error {
	m := &o.match
	m.begin(o.groups.rows.idEnd())
	for i := g.from; i < g.to; i++ {
		m.add(o.old.ids[i], i)
	}
	if o.computed != nil && len(o.now.ids) > 0 {
		if err := o.computed(g.group); err != nil {
			return err
		}
	}
	o.changes = o.changes[:0]
	var rest []change
	for i, id := range o.now.ids {
		if id == noEntry {
			continue
		}
		at, ok := m.take(id)
		switch {
		case !ok:
			rest = append(rest, change{batch.Insert, false, i})
		case o.groups.isChanged(id) || !o.sameResults(at, i):
			rest = append(rest, change{batch.UpdateBefore, true, at}, change{batch.UpdateAfter, false, i})
		}
	}
	for i := g.from; i < g.to; i++ {
		if m.left(o.old.ids[i], i) {
			o.changes = append(o.changes, change{batch.Delete, true, i})
		}
	}
	o.changes = append(o.changes, rest...)
	return nil
}

func (o *overChanges) sameResults(old, now int) bool {
	for i, c := range o.old.cols {
		if !equalValues(c, old, o.now.cols[i], now) {
			return false
		}
	}
	return true
}

func (o *overChanges) emit(out exec.Output) error {
	for from := 0; from < len(o.changes); {
		to := min(len(o.changes), from+o.limit)
		if to < len(o.changes) && o.changes[to].op == batch.UpdateAfter {
			to++
		}
		if err := o.emitRows(o.changes[from:to], out); err != nil {
			return err
		}
		from = to
	}
	return nil
}

func (o *overChanges) emitRows(list []change, out exec.Output) error {
	g, width := o.groups, len(o.groups.slots)
	o.rows, o.out.Ops, o.out.Sel = o.rows[:0], o.out.Ops[:0], nil
	for _, c := range o.out.Cols[width:] {
		c.Reset()
	}
	for _, c := range list {
		from := &o.now
		if c.old {
			from = &o.old
			o.rows = append(o.rows, g.before(from.ids[c.at]))
		} else {
			o.rows = append(o.rows, g.rows.read(from.ids[c.at]))
		}
		o.out.Ops = append(o.out.Ops, c.op)
		for i, col := range from.cols {
			o.out.Cols[width+i].AppendRow(col, c.at)
		}
	}
	for c, slot := range g.slots {
		g.rows.ReadColumn(slot, o.rows, o.out.Cols[c])
	}
	o.out.N = len(list)
	o.sel = dropNoops(&o.out, o.sel[:0], false)
	if o.out.Live() == 0 {
		return nil
	}
	return out.Emit(&o.out)
}

// rowMatch pairs rows that were there with rows that are: of several copies the
// first with the first.
type rowMatch struct {
	round uint32
	rows  *state.Vector[matchedRow] // by row
}

// matchedRow is the copies of a row among the old ones, which follow each other.
type matchedRow struct {
	round uint32 // in which it was noted
	first int32
	count int32
	taken int32
}

func (m *rowMatch) begin(n int) {
	m.rows.Grow(n)
	if m.round++; m.round == 0 {
		m.rows.Clear()
		m.round = 1
	}
}

// add notes that old row i is row id; copies come one after the other.
func (m *rowMatch) add(id uint32, i int) {
	r := m.rows.At(id)
	if r.round != m.round {
		*r = matchedRow{round: m.round, first: int32(i)}
	}
	r.count++
}

// has reports whether row id is among the old ones.
func (m *rowMatch) has(id uint32) bool { return m.rows.At(id).round == m.round }

// take returns the old row for the next copy of row id.
func (m *rowMatch) take(id uint32) (int, bool) {
	r := m.rows.At(id)
	if r.round != m.round || r.taken == r.count {
		return 0, false
	}
	r.taken++
	return int(r.first + r.taken - 1), true
}

// left reports whether old row i, a copy of row id, was not taken.
func (m *rowMatch) left(id uint32, i int) bool {
	r := m.rows.At(id)
	return int32(i) >= r.first+r.taken
}
