package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// asofJoin joins each left row with the nearest right row. Its state is a table per
// side; the lists of each key's rows, in the order of what is compared, are derived.
// A right row that comes or goes changes the match of the left rows between it and the
// next one, no others. Changelog modes: any in; out, per batch, the difference that it
// made to left rows and their matches.
type asofJoin struct {
	spec   *graph.AsofJoin
	sides  [2]*rowGroups
	number [2]numbers
	cells  [2]cell
	groups *joinGroups
	out    *pairOutput
	life   asofLife

	watermark exec.Watermark
	buckets   [2]*timeBuckets
	counters  *exec.Counters
	report    func(in *batch.Batch, rows []uint16) error

	groupAt  [2]*state.Vector[int32] // by state row
	groupOf  []int32                 // of the rows of the batch
	sel      []uint16
	late     []uint16
	alone    []uint16
	ids      []uint32
	state    []unsafe.Pointer
	fresh    []uint16
	prefix   []uint64
	one      []uint16
	batch    batch.Batch
	touched  []touchedLeft
	touchIdx *state.Vector[uint32] // by left row: 1 + number in touched
	emptied  []int32               // groups that lost a row, or have got none
}

// touchedLeft is a left row as it was before it or its match changed.
type touchedLeft struct {
	id    uint32
	group int32
	match uint32
	has   bool  // it had a match
	count int64 // how often it was there
}

func newAsofJoin(op *graph.Operator, env *Env) (exec.Operator, error) {
	spec := op.AsofJoin
	j := &asofJoin{spec: spec, watermark: exec.WatermarkMin, counters: env.Counters, report: env.Late, one: make([]uint16, 1), sel: []uint16{}, alone: []uint16{}}
	for i := range j.sides {
		var err error
		if j.sides[i], err = sideGroups(op, env, i, op.Tables[i].Name, spec.Sides[i], spec.Keys, spec.Times[i]); err != nil {
			return nil, err
		}
		j.life.sides[i] = newLifetime(env, i, j.sides[i].rows.Table)
		j.cells[i] = newCell(j.sides[i].rows, j.sides[i].slots[spec.Times[i]])
		j.buckets[i] = newTimeBuckets()
		j.groupAt[i] = state.NewVector[int32](j.sides[i].rows.Table)
	}
	var err error
	if j.groups, err = newJoinGroups(&op.Tables[0], spec.Keys, j.sides[0], j.sides[1]); err != nil {
		return nil, err
	}
	j.touchIdx = state.NewVector[uint32](j.sides[0].rows.Table)
	j.life.due = state.NewVector[int64](j.sides[0].rows.Table)
	j.out = newPairOutput(op, env, spec.Output, j.sides[0].rows, j.sides[1].rows, [2][]int{j.sides[0].slots, j.sides[1].slots})
	return j, j.restore()
}

// EventTime implements exec.EventTime.
func (j *asofJoin) EventTime(port int) bool { return port == 0 || !j.spec.Timeless }

// restore takes note of the rows that were there before the operator: the right ones
// first, since left ones are noted by their matches.
func (j *asofJoin) restore() error {
	for _, i := range []int{1, 0} {
		s := j.sides[i]
		s.growRows()
		j.groupAt[i].Grow(s.rows.idEnd())
		err := j.groups.groupsOf(s.rows, func(ids []uint32, rows []unsafe.Pointer, groups []int32) error {
			for k, id := range ids {
				s.setPresent(id, true)
				*j.groupAt[i].At(id) = groups[k]
				if j.spec.Sides[i].Identity == graph.ByNumber {
					j.number[i].restored(*(*int64)(unsafe.Add(rows[k], s.rows.key(j.spec.Keys))))
				}
				if groups[k] == groupless || j.cells[i].isNull(rows[k]) {
					continue
				}
				s.lists.insert(uint32(groups[k]), entry{s.order.prefix(rows[k]), id}, s.order)
				if i == 1 {
					j.noteRight(id)
				} else {
					match, has := j.matchOf(rows[k], groups[k])
					j.noteLeft(id, match, has)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fits reports whether a left and a right row can be joined.
func (j *asofJoin) fits(left, right unsafe.Pointer) bool {
	c := compareCells(&j.cells[0], left, &j.cells[1], right)
	switch j.spec.Match {
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	case "<":
		return c < 0
	}
	return c <= 0
}

// matchOf is the right row that is nearest to a left row of a group.
func (j *asofJoin) matchOf(left unsafe.Pointer, group int32) (id uint32, has bool) {
	if group == groupless || j.cells[0].isNull(left) {
		return 0, false
	}
	r := j.sides[1]
	if j.spec.Back() {
		last, _, has, _ := r.lists.around(uint32(group), func(e entry) bool { return j.fits(left, r.rows.read(e.id)) })
		return last.id, has
	}
	_, next, _, has := r.lists.around(uint32(group), func(e entry) bool { return !j.fits(left, r.rows.read(e.id)) })
	return next.id, has
}

// OnBatch implements exec.Operator.
func (j *asofJoin) OnBatch(port int, in *batch.Batch, out exec.Output) error {
	if in.Live() == 0 {
		return nil
	}
	s := j.sides[port]
	sel := in.Sel
	if sel == nil {
		sel = state.Identity(in.N)
	}
	j.groupOf = j.groups.locate(in.Cols, in.N, sel, j.groupOf)
	if err := j.choose(port, in, sel); err != nil {
		return err
	}
	if err := j.out.alone(in, j.alone, out); err != nil || len(j.sel) == 0 {
		j.dropEmptied()
		return err
	}
	var number *batch.Column
	if !s.spec.retractable {
		number = j.number[port].column(in.N, j.sel)
	}
	j.pruneGroups(j.sel)
	j.ids, j.state = roomFor(j.ids, in.N), roomFor(j.state, in.N)
	j.fresh = s.store(in, j.sel, number, j.ids, j.state, j.fresh[:0])
	s.growRows()
	j.groupAt[port].Grow(s.rows.idEnd())
	for _, i := range j.fresh {
		*j.groupAt[port].At(j.ids[i]) = j.groupOf[i]
		s.setPresent(j.ids[i], false)
		s.absent = append(s.absent, j.ids[i])
	}
	j.renew(port, in.N, j.sel)
	j.batch = batch.Batch{N: in.N, Sel: j.sel, Ops: in.Ops, Cols: in.Cols}
	j.prefix = s.order.prefixes(&j.batch, j.prefix)
	for _, i := range j.sel {
		if takes := in.Op(int(i)).Retracts(); port == 0 {
			j.left(in, int(i), takes)
		} else {
			j.right(in, int(i), takes)
		}
	}
	if err := j.flush(out); err != nil {
		return err
	}
	j.sweep(func(l *lifetime, remove func(uint32, unsafe.Pointer)) { l.sweepBatch(in, remove) })
	return nil
}

// choose selects, in sel, the rows that are kept and, in alone, left ones that never
// match anything and never go; it leaves out the others, late ones among them.
func (j *asofJoin) choose(port int, in *batch.Batch, sel []uint16) error {
	times, expiry := in.Cols[j.spec.Times[port]], j.spec.Sides[port].Expiry
	j.sel, j.alone, j.late = j.sel[:0], j.alone[:0], j.late[:0]
	for _, i := range sel {
		switch null := times.IsNull(int(i)); {
		case !null && expiry != nil && saturatingAdd(times.Int[i], expiry.Shift) < j.watermark:
			j.late = append(j.late, i)
			j.emptied = append(j.emptied, j.groupOf[i])
		case !null && j.groupOf[i] != groupless:
			j.sel = append(j.sel, i)
		case port == 1 || !j.spec.Outer:
			j.emptied = append(j.emptied, j.groupOf[i])
		case j.sides[0].spec.retractable:
			j.sel = append(j.sel, i)
		default:
			j.alone = append(j.alone, i)
			j.emptied = append(j.emptied, j.groupOf[i])
		}
	}
	if len(j.late) == 0 {
		return nil
	}
	j.counters.Late += int64(len(j.late))
	if j.report == nil {
		return nil
	}
	return j.report(in, j.late)
}

// left carries out one change of the left side.
func (j *asofJoin) left(in *batch.Batch, i int, takes bool) {
	s, id, group := j.sides[0], j.ids[i], j.groupOf[i]
	if takes && !s.isPresent(id) {
		j.emptied = append(j.emptied, group)
		j.counters.Unmatched++
		return
	}
	j.touch(id, group)
	matchable := group != groupless && !in.Cols[j.spec.Times[0]].IsNull(i)
	e := entry{j.prefix[i], id}
	switch {
	case takes:
		j.takeAway(s, id, group)
	case s.spec.copies:
		n := (*int64)(unsafe.Add(j.state[i], s.rows.column(0)))
		if *n++; !s.isPresent(id) {
			*n = 1
			s.setPresent(id, true)
			if matchable {
				s.lists.insert(uint32(group), e, s.order)
			}
		}
	default:
		if s.isPresent(id) && group != groupless {
			s.lists.remove(uint32(group), entry{s.order.prefix(j.state[i]), id}, s.order)
		}
		j.write(s, in, i)
		if matchable {
			s.lists.insert(uint32(group), e, s.order)
		}
	}
}

// right carries out one change of the right side, whose rows all can match.
func (j *asofJoin) right(in *batch.Batch, i int, takes bool) {
	s, id, group := j.sides[1], j.ids[i], j.groupOf[i]
	e := entry{j.prefix[i], id}
	switch {
	case takes && !s.isPresent(id):
		j.emptied = append(j.emptied, group)
		j.counters.Unmatched++
	case takes:
		if !s.spec.copies || s.copiesOf(id) == 1 {
			j.touchAround(group, entry{s.order.prefix(j.state[i]), id})
		}
		j.takeAway(s, id, group)
	case s.spec.copies:
		n := (*int64)(unsafe.Add(j.state[i], s.rows.column(0)))
		if *n++; s.isPresent(id) {
			return
		}
		*n = 1
		s.setPresent(id, true)
		j.touchAround(group, e)
		s.lists.insert(uint32(group), e, s.order)
	default:
		if s.isPresent(id) {
			old := entry{s.order.prefix(j.state[i]), id}
			j.touchAround(group, old)
			s.lists.remove(uint32(group), old, s.order)
		}
		j.write(s, in, i)
		j.touchAround(group, e)
		s.lists.insert(uint32(group), e, s.order)
		j.noteRight(id)
	}
}

// takeAway removes a row of a side, or one copy of it.
func (j *asofJoin) takeAway(s *rowGroups, id uint32, group int32) {
	row := s.rows.write(id)
	if s.spec.copies {
		n := (*int64)(unsafe.Add(row, s.rows.column(0)))
		if *n--; *n > 0 {
			return
		}
	}
	if group != groupless {
		s.lists.remove(uint32(group), entry{s.order.prefix(row), id}, s.order)
		j.emptied = append(j.emptied, group)
	}
	s.setPresent(id, false)
	s.absent = append(s.absent, id)
}

// write puts the columns of row i of a batch into its state row.
func (j *asofJoin) write(s *rowGroups, in *batch.Batch, i int) {
	id := j.ids[i]
	if s.spec.retractable {
		s.save(id)
		j.one[0] = uint16(i)
		for c, slot := range s.slots {
			if slot >= s.rows.keys() {
				s.rows.WriteColumn(slot, j.state, in.Cols[c], in.N, j.one)
			}
		}
	}
	s.setPresent(id, true)
}

// touch notes a left row before it or its match changes.
func (j *asofJoin) touch(id uint32, group int32) {
	if j.spec.AtEnd {
		return
	}
	s := j.sides[0]
	j.touchIdx.Grow(s.rows.idEnd())
	number := j.touchIdx.At(id)
	if *number != 0 {
		return
	}
	t := touchedLeft{id: id, group: group}
	if s.isPresent(id) {
		t.count = s.copiesOf(id)
		t.match, t.has = j.matchOf(s.rows.read(id), group)
	}
	j.touched = append(j.touched, t)
	*number = uint32(len(j.touched))
}

// touchAround notes the left rows whose match is the right row e if it is there.
func (j *asofJoin) touchAround(group int32, e entry) {
	if j.spec.AtEnd {
		return
	}
	l, r, list := j.sides[0], j.sides[1], uint32(group)
	row := r.rows.read(e.id)
	var next unsafe.Pointer // the right row that is nearer to the left rows beyond
	if j.spec.Back() {
		if _, n, _, has := r.lists.around(list, func(x entry) bool { return r.order.compareEntries(x, e) <= 0 }); has {
			next = r.rows.read(n.id)
		}
		l.lists.from(list, func(x entry) bool { return !j.fits(l.rows.read(x.id), row) }, func(x entry) bool {
			if next != nil && j.fits(l.rows.read(x.id), next) {
				return false
			}
			j.touch(x.id, group)
			return true
		})
		return
	}
	if n, _, has, _ := r.lists.around(list, func(x entry) bool { return r.order.compareEntries(x, e) < 0 }); has {
		next = r.rows.read(n.id)
	}
	l.lists.from(list, func(x entry) bool { return next != nil && j.fits(l.rows.read(x.id), next) }, func(x entry) bool {
		if !j.fits(l.rows.read(x.id), row) {
			return false
		}
		j.touch(x.id, group)
		return true
	})
}

// flush emits what became of the left rows that were touched.
func (j *asofJoin) flush(out exec.Output) error {
	l, r := j.sides[0], j.sides[1]
	for _, t := range j.touched {
		*j.touchIdx.At(t.id) = 0
		now := int64(0)
		var match uint32
		has := false
		if l.isPresent(t.id) {
			now = l.copiesOf(t.id)
			match, has = j.matchOf(l.rows.read(t.id), t.group)
			j.noteLeft(t.id, match, has)
		}
		var before, after unsafe.Pointer
		was, is := t.count, now
		if t.has {
			before = r.before(t.match)
		} else if !j.spec.Outer {
			was = 0
		}
		if has {
			after = r.rows.read(match)
		} else if !j.spec.Outer {
			is = 0
		}
		changed := l.isChanged(t.id) || t.has != has || has && (t.match != match || r.isChanged(match))
		for k := range max(was, is) {
			switch {
			case k >= is:
				j.out.add(l.before(t.id), before, batch.Delete)
			case k >= was:
				j.out.add(l.rows.read(t.id), after, batch.Insert)
			case changed:
				j.out.add(l.before(t.id), before, batch.UpdateBefore)
				j.out.add(l.rows.read(t.id), after, batch.UpdateAfter)
			}
		}
	}
	j.touched = j.touched[:0]
	err := j.out.emit(out)
	l.settle()
	r.settle()
	j.dropEmptied()
	return err
}

// dropEmptied forgets the groups that have no rows any more, or got none.
func (j *asofJoin) dropEmptied() {
	for _, g := range j.emptied {
		j.groups.drop(g)
	}
	j.emptied = j.emptied[:0]
}

// OnEnd implements exec.Operator.
func (j *asofJoin) OnEnd(out exec.Output) error {
	if !j.spec.AtEnd {
		return nil
	}
	l, r := j.sides[0], j.sides[1]
	err := j.groups.groupsOf(l.rows, func(ids []uint32, rows []unsafe.Pointer, groups []int32) error {
		for k, id := range ids {
			match, has := j.matchOf(rows[k], groups[k])
			if !has && !j.spec.Outer {
				continue
			}
			var right unsafe.Pointer
			if has {
				right = r.rows.read(match)
			}
			for range l.copiesOf(id) {
				j.out.add(rows[k], right, batch.Insert)
			}
		}
		return j.out.emit(out)
	})
	return err
}
