package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// Rows of a side that has a lifetime are forgotten one by one, and what they were
// joined to stays in the output. So a row that is in the output by itself, or is
// not, need not be what the other side's rows say: its side is tracked.

// track makes out which sides are tracked. Of a side that comes to be, rows are
// taken to be alone if they have no partner now.
func (j *join) track() {
	for i, s := range j.sides {
		if s.alone == never || j.sides[1-i].life == nil {
			continue
		}
		s.tracked = true
		column, ok := s.table.Extra(aloneColumn)
		if !ok {
			continue // the number of matches tells
		}
		s.aloneAt = s.table.Column(column - s.table.Keys())
		if len(s.table.AddedExtra()) == 0 {
			continue
		}
		other := j.sides[1-i]
		keys := newGather(newTable(s.table), s.keys)
		_ = keys.each(batch.RowsDefault, func(ids []uint32, rows []unsafe.Pointer, cols []*batch.Column) error {
			hashes, heads := make([]uint64, len(ids)), make([]state.RowID, len(ids))
			state.HashKeys(cols, s.table.Loose(), len(ids), nil, hashes)
			other.probe(cols, len(ids), hashes, state.Identity(len(ids)), heads)
			for k, id := range ids {
				if !s.table.IsNull(rows[k], column) {
					continue
				}
				s.table.SetNull(s.table.Write(id), column, false)
				s.setAlone(id, s.alone.visible(count(heads[k] != state.NoRow)))
			}
			return nil
		})
	}
}

// isAlone reports whether a row of a tracked side is in the output by itself.
func (s *joinSide) isAlone(id state.RowID) bool {
	if s.Matches {
		return s.alone.visible(s.getMatches(id))
	}
	return *(*int64)(unsafe.Add(s.table.Read(id), s.aloneAt)) != 0
}

// setAlone notes whether a row of a tracked side, whose matches are not counted,
// is in the output by itself.
func (s *joinSide) setAlone(id state.RowID, yes bool) {
	*(*int64)(unsafe.Add(s.table.Write(id), s.aloneAt)) = count(yes)
}

// wasAlone reports whether the old row of a unit was in the output by itself.
func (j *join) wasAlone(u *joinUnit) bool {
	if s := j.own; s.tracked && !j.null(u.oldRow) {
		return s.isAlone(s.ids[u.oldRow])
	}
	return j.own.alone.visible(u.matches[0])
}

// settleAlone notes of the row that a unit brings whether it is in the output by
// itself. Copies of it of which that is not true are forgotten: they came when
// there was something else to match.
func (j *join) settleAlone(u *joinUnit) {
	s := j.own
	id, now := s.ids[u.row], s.alone.visible(u.matches[1])
	if s.Identity == graph.ByCopies && s.count(id) > 1 && s.isAlone(id) != now {
		*(*int64)(unsafe.Add(s.table.Write(id), s.copies)) = 1
	}
	if !s.Matches {
		s.setAlone(id, now)
	}
}

// othersAlone reports whether the other side's row m was in the output by itself
// before the unit and is after it.
func (j *join) othersAlone(u *joinUnit, m state.RowID, before, after bool) (was, is bool) {
	a := j.other.alone
	x, y := j.othersMatches(u, m, before, after)
	was, is = a.visible(x), a.visible(y)
	if j.other.tracked && !j.other.Matches {
		if was = j.other.isAlone(m); was != is {
			j.other.setAlone(m, is)
		}
	}
	return was, is
}

// prune forgets the rows of the selected keys that are due; heads are the newest
// rows of the keys. It reports whether there were any.
func (s *joinSide) prune(heads []state.RowID, sel []uint16) bool {
	pruned := false
	for _, i := range sel {
		if heads[i] == state.NoRow || !s.table.Live(heads[i]) {
			continue
		}
		for m := heads[i]; m != state.NoRow; {
			next := s.after(m)
			if s.life.due(s.table.Read(m)) {
				s.life.counters.Expired++
				s.expireNow(m, nil)
				pruned = true
			}
			m = next
		}
	}
	return pruned
}

// forget makes a row one that is not there, if it is. h is its join key's hash.
func (s *joinSide) forget(id state.RowID, h uint64) {
	if !s.there(id) {
		return
	}
	if s.chains != nil {
		s.chains.Unlink(id, h)
	}
	switch s.Identity {
	case graph.ByKey:
		s.alive[id] = false
	case graph.ByCopies:
		*(*int64)(unsafe.Add(s.table.Write(id), s.copies)) = 0
	}
	s.gone = append(s.gone, id)
}

// expireNow removes a row that is due.
func (s *joinSide) expireNow(id state.RowID, _ unsafe.Pointer) {
	s.expire(id, func(unsafe.Pointer) bool { return true })
}

// pruneKeys forgets what is due among the rows that the batch meets.
func (j *join) pruneKeys(keys []*batch.Column, sel []uint16) {
	if j.other.life != nil && j.other.prune(j.heads, sel) {
		j.other.probe(keys, j.in.N, j.hashes, sel, j.heads)
	}
	if own := j.own; own.life != nil && j.other.alone != never && !j.other.Matches { // it counts which row is the first, the last
		j.ownHeads = roomFor(j.ownHeads, j.in.N)
		own.probe(keys, j.in.N, j.hashes, sel, j.ownHeads)
		own.prune(j.ownHeads, sel)
	}
}

// OnBarrier implements exec.Stateful.
func (j *join) OnBarrier(b exec.Barrier, _ exec.Output) error {
	for _, s := range j.sides {
		s.life.sweepBarrier(b, s.expireNow)
	}
	return nil
}
