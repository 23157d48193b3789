package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// temporalJoin joins left rows with the version of the right side's row that was valid
// at their event time. Its state is a table of left rows that wait for the watermark
// and one of versions, of each key those that are not behind the watermark and the last
// one that is. Versions of a key that are due, since none of them was written for so
// long, are not there. Changelog modes: inserts on the left, any on the right; out,
// inserts.
type temporalJoin struct {
	spec      *graph.TemporalJoin
	watermark exec.Watermark
	counters  *exec.Counters
	report    func(in *batch.Batch, rows []uint16) error
	limit     int
	atEnd     bool // over finished data, whose rows may come with the end

	waiting  *table
	slots    []int // of the left input's columns
	leftTime cell
	number   numbers
	due      minHeap[waitingRow]

	versions *rowGroups
	life     *lifetime // of the versions of a key; nil: they stay
	time     cell
	ends     uintptr // where a version says that it is the end of one
	groups   *joinGroups
	groupAt  *state.Vector[int32] // by version
	buckets  *timeBuckets

	// pending is the row before an update, which only the end of a batch parts from
	// the one after it, until it is known whether that one is of the same key.
	pending  *batch.Batch
	groupOf  []int32
	kept     []uint16
	late     []uint16
	alone    []uint16
	keys     []*batch.Column
	ids      []uint32
	state    []unsafe.Pointer
	one      [1]uint16
	gather   *gather
	taken    []uint32
	takenRow []unsafe.Pointer
	matches  []unsafe.Pointer
	out      *pairOutput
	residual *pairFilter
}

func newTemporalJoin(op *graph.Operator, env *Env) (exec.Operator, error) {
	tables, err := openTables(op, env)
	if err != nil {
		return nil, err
	}
	spec := op.TemporalJoin
	j := &temporalJoin{spec: spec, watermark: exec.WatermarkMin, counters: env.Counters, report: env.Late, limit: env.BatchRows, atEnd: env.Bounded,
		waiting: tables[0], buckets: newTimeBuckets(), pending: batch.New(layoutOf(env.Inputs[1]), 0), kept: []uint16{}, alone: []uint16{}}
	var keys []int
	for c := range spec.Keys {
		keys = append(keys, c)
	}
	j.slots = rowSlots(len(env.Inputs[0]), keys, nil, false, true)
	j.leftTime = newCell(j.waiting, j.slots[spec.LeftTime])
	if j.versions, err = sideGroups(op, env, 1, op.Tables[1].Name, graph.JoinSide{Identity: graph.ByKey}, spec.Keys, spec.Keys); err != nil {
		return nil, err
	}
	j.groupAt, j.due = state.NewVector[int32](j.versions.rows.Table), newMinHeap[waitingRow](j.waiting.Table)
	j.time, j.ends = newCell(j.versions.rows, spec.Keys), j.versions.rows.column(len(op.Tables[1].Columns)-1)
	if j.life = newLifetime(env, 1, j.versions.rows.Table); j.life != nil {
		j.life.whole = func(id uint32) int64 {
			if !j.versions.isPresent(id) {
				return j.life.now // it is about to go
			}
			return j.written(*j.groupAt.At(id))
		}
	}
	if j.groups, err = newJoinGroups(&op.Tables[1], spec.Keys, j.versions); err != nil {
		return nil, err
	}
	j.gather = newGather(j.waiting, spec.Keys)
	j.out = newPairOutput(op, env, spec.Output, j.waiting, j.versions.rows, [2][]int{j.slots, j.versions.slots})
	if spec.Residual != nil {
		if j.residual, err = newPairFilter(op, env, spec.Residual, j.out); err != nil {
			return nil, err
		}
	}
	return j, j.restore()
}

func (j *temporalJoin) restore() error {
	err := j.waiting.each(func(id uint32, row unsafe.Pointer) error {
		n := *(*int64)(unsafe.Add(row, j.waiting.key(j.spec.Keys)))
		j.number.restored(n)
		j.due.push(waitingRow{j.leftTime.time(row), n, id})
		return nil
	})
	if err != nil {
		return err
	}
	v := j.versions
	j.grow()
	return j.groups.groupsOf(v.rows, func(ids []uint32, rows []unsafe.Pointer, groups []int32) error {
		for k, id := range ids {
			v.setPresent(id, true)
			*j.groupAt.At(id) = groups[k]
			v.lists.insert(uint32(groups[k]), entry{v.order.prefix(rows[k]), id}, v.order)
			j.buckets.note(j.time.time(rows[k]), id)
		}
		return nil
	})
}

func (j *temporalJoin) grow() {
	j.versions.growRows()
	j.groupAt.Grow(j.versions.rows.idEnd())
}

// OnBatch implements exec.Operator.
func (j *temporalJoin) OnBatch(port int, in *batch.Batch, out exec.Output) error {
	if in.Live() == 0 {
		return nil
	}
	sel := in.Sel
	if sel == nil {
		sel = state.Identity(in.N)
	}
	if port == 0 {
		return j.left(in, sel, out)
	}
	return j.right(in, sel)
}

// left keeps left rows until the watermark has passed their time; those that no
// version can match go on at once.
func (j *temporalJoin) left(in *batch.Batch, sel []uint16, out exec.Output) error {
	times := in.Cols[j.spec.LeftTime]
	j.kept, j.alone, j.late = j.kept[:0], j.alone[:0], j.late[:0]
	for _, i := range sel {
		switch null := times.IsNull(int(i)); {
		case !null && times.Int[i] < j.watermark:
			j.late = append(j.late, i)
		case !null && !anyNull(in.Cols[:j.spec.Keys], int(i)):
			j.kept = append(j.kept, i)
		case j.spec.Outer:
			j.alone = append(j.alone, i)
		}
	}
	if err := j.refuse(in); err != nil {
		return err
	}
	if len(j.kept) > 0 {
		number := j.number.column(in.N, j.kept)
		j.keys = append(append(j.keys[:0], in.Cols[:j.spec.Keys]...), number)
		j.ids, j.state = roomFor(j.ids, in.N), roomFor(j.state, in.N)
		j.waiting.FindOrInsert(j.keys, in.N, j.kept, j.ids, j.state, nil)
		for c := j.spec.Keys; c < len(in.Cols); c++ {
			j.waiting.WriteColumn(j.slots[c], j.state, in.Cols[c], in.N, j.kept)
		}
		for _, i := range j.kept {
			j.due.push(waitingRow{times.Int[i], number.Int[i], j.ids[i]})
		}
	}
	return j.out.alone(in, j.alone, out)
}

// refuse counts and reports late rows.
func (j *temporalJoin) refuse(in *batch.Batch) error {
	if len(j.late) == 0 {
		return nil
	}
	j.counters.Late += int64(len(j.late))
	if j.report == nil {
		return nil
	}
	return j.report(in, j.late)
}

// right takes note of versions. The row before an update counts for nothing if the one
// after it is of the same key, and else as one that goes.
func (j *temporalJoin) right(in *batch.Batch, sel []uint16) error {
	j.late = j.late[:0]
	for _, i := range sel {
		row := int(i)
		op := in.Op(row)
		if j.pending.N > 0 {
			follows := op == batch.UpdateAfter && j.samePending(in, row)
			if !follows {
				j.version(j.pending, 0, true)
			}
			j.forgetPending()
		}
		switch {
		case anyNull(in.Cols[:j.spec.Keys+1], row): // nothing matches it
		case op == batch.UpdateBefore:
			for c, col := range j.pending.Cols {
				col.AppendRow(in.Cols[c], row)
			}
			j.pending.N = 1
		case !j.version(in, row, op.Retracts()) && !op.Retracts(): // an end of what is replaced anyhow is none to miss
			j.late = append(j.late, i)
		}
	}
	j.life.sweepBatch(in, j.expire)
	j.versions.settle()
	return j.refuse(in)
}

// written is when a version of a group was last written: the last one knows, which the
// watermark spares.
func (j *temporalJoin) written(group int32) int64 {
	v := j.versions
	return j.life.at(v.rows.read(v.lists.last(uint32(group)).id))
}

// isDue reports whether the versions of a group have had their time.
func (j *temporalJoin) isDue(group int32) bool {
	return j.life != nil && j.versions.lists.len(uint32(group)) > 0 && j.life.over(j.written(group))
}

// forget removes all versions of a group.
func (j *temporalJoin) forget(group int32) {
	v := j.versions
	v.lists.cut(uint32(group), 0, func(id uint32) {
		v.setPresent(id, false)
		v.absent = append(v.absent, id)
	})
}

// expire removes the versions of a key that are due.
func (j *temporalJoin) expire(id uint32, _ unsafe.Pointer) {
	if !j.versions.isPresent(id) { // with another one of its key
		return
	}
	group := *j.groupAt.At(id)
	j.forget(group)
	j.groups.drop(group)
}

// samePending reports whether a row has the key of the pending one, which has no nulls.
func (j *temporalJoin) samePending(in *batch.Batch, row int) bool {
	for c := range j.spec.Keys {
		if in.Cols[c].IsNull(row) || compareValues(in.Cols[c], row, j.pending.Cols[c], 0) != 0 {
			return false
		}
	}
	return true
}

func (j *temporalJoin) forgetPending() {
	for _, c := range j.pending.Cols {
		c.Reset()
	}
	j.pending.N = 0
}

// settlePending is for when nothing follows the row before an update.
func (j *temporalJoin) settlePending() {
	if j.pending.N > 0 {
		j.version(j.pending, 0, true)
		j.forgetPending()
		j.versions.settle()
	}
}

// version makes row i of a batch the version from its time on, or the end of one. It
// reports false if it is of no use to anybody: another one was valid before the
// watermark already.
func (j *temporalJoin) version(in *batch.Batch, i int, ends bool) bool {
	v := j.versions
	j.one[0] = uint16(i)
	j.groupOf = j.groups.locate(in.Cols, in.N, j.one[:], j.groupOf)
	group, t := j.groupOf[i], in.Cols[j.spec.Keys].Int[i]
	if j.isDue(group) {
		j.life.counters.Expired++
		j.forget(group)
	}
	if t < j.watermark {
		_, next, _, has := v.lists.around(uint32(group), func(e entry) bool { return j.time.time(v.rows.read(e.id)) <= t })
		if has && j.time.time(v.rows.read(next.id)) <= j.watermark {
			return false
		}
	}
	j.keys = append(j.keys[:0], in.Cols[:j.spec.Keys+1]...)
	j.ids, j.state = roomFor(j.ids, in.N), roomFor(j.state, in.N)
	v.rows.FindOrInsert(j.keys, in.N, j.one[:], j.ids, j.state, nil)
	j.grow()
	id := j.ids[i]
	for c := j.spec.Keys + 1; c < len(in.Cols); c++ {
		v.rows.WriteColumn(v.slots[c], j.state, in.Cols[c], in.N, j.one[:])
	}
	*(*int64)(unsafe.Add(j.state[i], j.ends)) = 0
	if ends {
		*(*int64)(unsafe.Add(j.state[i], j.ends)) = 1
	}
	if !v.isPresent(id) {
		v.setPresent(id, true)
		*j.groupAt.At(id) = group
		v.lists.insert(uint32(group), entry{v.order.prefix(j.state[i]), id}, v.order)
		if t >= j.watermark {
			j.buckets.note(t, id)
		}
	}
	if j.life != nil {
		j.life.write(j.state[i])
		j.life.write(v.rows.write(v.lists.last(uint32(group)).id))
	}
	if t < j.watermark { // at once: what is kept must not depend on when the watermark comes again
		j.compact(id)
	}
	return true
}

// OnBarrier implements exec.Stateful.
func (j *temporalJoin) OnBarrier(b exec.Barrier, _ exec.Output) error {
	j.settlePending()
	j.life.sweepBarrier(b, j.expire)
	j.versions.settle()
	return nil
}

// OnWatermark implements exec.Operator: left rows behind the watermark meet the
// version of their time, in the order of their times, and older versions go.
func (j *temporalJoin) OnWatermark(w exec.Watermark, out exec.Output) error {
	if j.atEnd {
		return nil
	}
	return j.advance(w, out)
}

// OnEnd implements exec.Operator.
func (j *temporalJoin) OnEnd(out exec.Output) error {
	if !j.atEnd {
		return nil
	}
	return j.advance(exec.WatermarkMax, out)
}

func (j *temporalJoin) advance(w exec.Watermark, out exec.Output) error {
	if w == exec.WatermarkMax {
		j.settlePending()
	}
	j.watermark = w
	for j.due.len() > 0 && (j.due.first().time < w || w == exec.WatermarkMax) {
		j.taken = j.taken[:0]
		for j.due.len() > 0 && len(j.taken) < j.limit && (j.due.first().time < w || w == exec.WatermarkMax) {
			j.taken = append(j.taken, j.due.pop().id)
		}
		if err := j.meet(out); err != nil {
			return err
		}
		for _, id := range j.taken {
			j.waiting.remove(id)
		}
	}
	if w != exec.WatermarkMax {
		j.buckets.due(w, j.compact)
		j.versions.settle()
	}
	return nil
}

// meet emits the rows of taken.
func (j *temporalJoin) meet(out exec.Output) error {
	keys, rows := j.gather.gather(j.taken)
	j.takenRow = append(j.takenRow[:0], rows...)
	n := len(rows)
	j.groupOf = j.groups.find(keys, n, state.Identity(n), j.groupOf)
	j.matches = roomFor(j.matches, n)
	v := j.versions
	for k, row := range j.takenRow {
		if j.matches[k] = nil; j.groupOf[k] == groupless || j.isDue(j.groupOf[k]) {
			continue
		}
		t := j.leftTime.time(row)
		last, _, has, _ := v.lists.around(uint32(j.groupOf[k]), func(e entry) bool { return j.time.time(v.rows.read(e.id)) <= t })
		if has {
			if m := v.rows.read(last.id); *(*int64)(unsafe.Add(m, j.ends)) == 0 {
				j.matches[k] = m
			}
		}
	}
	if j.residual != nil {
		if err := j.residual.test(j.takenRow, j.matches); err != nil {
			return err
		}
	}
	for k, row := range j.takenRow {
		if j.matches[k] != nil || j.spec.Outer {
			j.out.add(row, j.matches[k], batch.Insert)
		}
	}
	return j.out.emit(out)
}

// compact removes what a version behind the watermark makes useless: older ones, and
// itself if it is an end.
func (j *temporalJoin) compact(id uint32) {
	v := j.versions
	if !v.rows.Live(id) || !v.isPresent(id) {
		return
	}
	row, group := v.rows.read(id), *j.groupAt.At(id)
	t := j.time.time(row)
	var gone []uint32
	v.lists.scan(uint32(group), func(e *entry) bool {
		if at := j.time.time(v.rows.read(e.id)); at > t || at == t && *(*int64)(unsafe.Add(row, j.ends)) == 0 {
			return false
		}
		gone = append(gone, e.id)
		return true
	})
	for _, x := range gone {
		v.takeAway(x, uint32(group))
	}
	j.groups.drop(group)
}

// waitingRow is a left row. They meet the versions in the order of their times, and
// those of one time as they came.
type waitingRow struct {
	time, number int64
	id           uint32
}

func (w waitingRow) before(v waitingRow) bool {
	if w.time != v.time {
		return w.time < v.time
	}
	return w.number < v.number
}
