package operator

import (
	"math"
	"unsafe"

	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
)

// Rows of an ASOF join that are due are forgotten, and what they were joined to stays in
// the output. A left row whose match is forgotten goes with it: were it to stay, nobody
// could say what to take back when something else comes to be the nearest. What is due is
// looked for whenever a group is met, so that it makes no difference when it goes.

// asofLife is the lifetimes of both sides' rows.
type asofLife struct {
	sides [2]*lifetime         // nil: they stay
	due   *state.Vector[int64] // by group: nothing of it is due before
	gone  [2][]uint32
}

// hasLife reports whether rows have a lifetime.
func (j *asofJoin) hasLife() bool { return j.life.sides[0] != nil || j.life.sides[1] != nil }

// pruneGroups forgets what is due among the rows that the selected rows of a batch meet.
func (j *asofJoin) pruneGroups(sel []uint16) {
	if !j.hasLife() {
		return
	}
	forgotten := 0
	for _, i := range sel {
		forgotten += j.prune(j.groupOf[i])
	}
	if forgotten > 0 {
		j.counters.Expired += int64(forgotten)
		j.sides[0].settle()
		j.sides[1].settle()
	}
}

// prune forgets what is due of a group and says how much that was.
func (j *asofJoin) prune(group int32) (forgotten int) {
	if group == groupless {
		return 0
	}
	x := &j.life
	for int(group) >= x.due.Len() {
		x.due.Add(math.MinInt64)
	}
	now, due := j.now(), x.due.At(uint32(group))
	if now < *due {
		return 0
	}
	*due = math.MaxInt64
	l, r := j.sides[0], j.sides[1]
	x.gone[0], x.gone[1] = x.gone[0][:0], x.gone[1][:0]
	l.lists.scan(uint32(group), func(e *entry) bool {
		row := l.rows.read(e.id)
		match, has := j.matchOf(row, group)
		if j.isOver(0, group, row) || has && j.isOver(1, group, r.rows.read(match)) {
			x.gone[0] = append(x.gone[0], e.id)
		}
		return true
	})
	r.lists.scan(uint32(group), func(e *entry) bool {
		if j.isOver(1, group, r.rows.read(e.id)) {
			x.gone[1] = append(x.gone[1], e.id)
		}
		return true
	})
	for i, ids := range x.gone {
		for _, id := range ids {
			j.forgetAll(i, id)
		}
		forgotten += len(ids)
	}
	return forgotten
}

// now is the time of the epoch.
func (j *asofJoin) now() int64 {
	if l := j.life.sides[0]; l != nil {
		return l.now
	}
	return j.life.sides[1].now
}

// isOver reports whether a row of a side is due, and if not notes when it will be.
func (j *asofJoin) isOver(side int, group int32, row unsafe.Pointer) bool {
	l := j.life.sides[side]
	if l == nil {
		return false
	}
	at := l.at(row)
	if l.over(at) {
		return true
	}
	due := j.life.due.At(uint32(group))
	*due = min(*due, at+l.micros)
	return false
}

// forgetAll removes a row of a side with all its copies.
func (j *asofJoin) forgetAll(side int, id uint32) {
	s := j.sides[side]
	if s.spec.copies {
		*(*int64)(unsafe.Add(s.rows.write(id), s.rows.column(0))) = 1
	}
	j.forget(side, id)
}

// renew notes that the selected rows are written. Those that are due by now have nothing
// to match, since others went with their group, and begin anew.
func (j *asofJoin) renew(port, n int, sel []uint16) {
	l := j.life.sides[port]
	if l == nil {
		return
	}
	s := j.sides[port]
	l.renew(n, sel, j.ids, j.state, func(_ int, id uint32, _ unsafe.Pointer) {
		if s.isPresent(id) {
			j.forgetAll(port, id)
		}
	})
	for _, i := range sel {
		if g := j.groupOf[i]; g != groupless && int(g) < j.life.due.Len() {
			due := j.life.due.At(uint32(g))
			*due = min(*due, l.now+l.micros)
		}
	}
}

// expire is for a row of a side that the sweep has found to be due.
func (j *asofJoin) expire(side int) func(id uint32, row unsafe.Pointer) {
	return func(id uint32, row unsafe.Pointer) {
		s, group := j.sides[side], *j.groupAt[side].At(id)
		switch {
		case !s.isPresent(id): // it went with another one
			j.counters.Expired--
		case group == groupless || j.cells[side].isNull(row):
			j.forgetAll(side, id)
		default:
			j.counters.Expired += int64(j.prune(group) - 1)
		}
	}
}

// sweep goes on with the sweeps of both sides.
func (j *asofJoin) sweep(sweep func(l *lifetime, remove func(id uint32, row unsafe.Pointer))) {
	if !j.hasLife() {
		return
	}
	for i, l := range j.life.sides {
		sweep(l, j.expire(i))
	}
	j.sides[0].settle()
	j.sides[1].settle()
	j.dropEmptied()
}

// OnBarrier implements exec.Stateful.
func (j *asofJoin) OnBarrier(b exec.Barrier, _ exec.Output) error {
	for _, l := range j.life.sides {
		l.begin(b)
	}
	j.sweep(func(l *lifetime, remove func(uint32, unsafe.Pointer)) { l.sweepBarrier(b, remove) })
	return nil
}
