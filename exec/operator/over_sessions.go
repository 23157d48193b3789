package operator

import (
	"math"
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// overSessions is overChanges that finds the sessions of rows, and forgets the rows of
// those that have closed. A row is late if it makes a session that would have closed, or
// is taken back when it may have been of one. Changelog modes: as overChanges'.
type overSessions struct {
	*overChanges
	env   *Env
	time  int   // the column that sessions go by
	gap   int64 // of them
	late  []uint16
	end   int // of the results: the column of session_end
	mark  exec.Watermark
	due   minHeap[partitionEnd]
	next  *state.Vector[int64] // by partition: when it is due, noEnd if it is not
	found []uint32
}

// noEnd is no time at which a session ends.
const noEnd = math.MaxInt64

// partitionEnd is when the first session of a partition ends.
type partitionEnd struct {
	at    int64
	group uint32
}

func (p partitionEnd) before(q partitionEnd) bool { return p.at < q.at }

func newOverSessions(spec *graph.Over, env *Env, o *overChanges) *overSessions {
	end := spec.Window.End - len(o.groups.slots)
	s := &overSessions{overChanges: o, env: env, time: spec.Order[0].Column, gap: spec.Calls[end].Gap, end: end, mark: exec.WatermarkMin,
		due: newMinHeap[partitionEnd](o.groups.rows.Table), next: state.NewVector[int64](o.groups.rows.Table)}
	o.groups.late = s.isLate
	o.computed = s.leaveOutLate
	o.groups.created = func(group uint32, _ unsafe.Pointer) { // of an id that another partition may have had
		*s.nextOf(group) = noEnd
	}
	_ = o.groups.directory.each(func(group uint32, _ unsafe.Pointer) error { // found out at the first watermark
		s.note(group, math.MinInt64)
		return nil
	})
	return s
}

// sessionTimes leaves out the rows without a time where an operator finds sessions.
type sessionTimes struct {
	bad    badRows
	column int // of the time; -1: there are no sessions
	live   []uint16
}

func newSessionTimes(op *graph.Operator, env *Env) sessionTimes {
	t := sessionTimes{bad: newBadRows(op.ID, env, env.Inputs[0]), column: -1}
	if calls := op.Over.Calls; len(calls) > 0 && calls[0].Func == "session_start" {
		t.column = calls[0].Args[0]
	}
	return t
}

func (t *sessionTimes) leaveOut(in *batch.Batch) (*batch.Batch, error) {
	if t.column < 0 {
		return in, nil
	}
	return t.bad.leaveOutTimeless(in, t.column, &t.live)
}

func (s *overSessions) nextOf(group uint32) *int64 {
	for s.next.Len() <= int(group) {
		s.next.Add(noEnd)
	}
	return s.next.At(group)
}

// note notes when the first session of a partition ends.
func (s *overSessions) note(group uint32, end int64) {
	next := s.nextOf(group)
	if *next == end {
		return
	}
	*next = end
	s.due.push(partitionEnd{end, group})
}

// OnBatch implements exec.Operator.
func (s *overSessions) OnBatch(port int, in *batch.Batch, out exec.Output) error {
	s.late = s.late[:0]
	if err := s.overChanges.OnBatch(port, in, out); err != nil {
		return err
	}
	return reportLate(s.env, in, s.late)
}

// isLate reports whether a row that is not there, or what it has become, may be of a session
// that has closed: even if it was all of it.
func (s *overSessions) isLate(in *batch.Batch, row int) bool {
	late := s.closed(saturatingAdd(in.Cols[s.time].Int[row], s.gap))
	if late {
		s.late = append(s.late, uint16(row))
	}
	return late
}

// leaveOutLate notes when the first session of a partition ends, and takes out the rows
// that have come to sessions which would have closed.
func (s *overSessions) leaveOutLate(group uint32) error {
	g, ends := s.groups, s.now.cols[s.end].Int
	s.note(group, ends[0])
	list := g.listOf(g.directory.read(group))
	s.rows = s.rows[:0]
	for i := 0; i < len(ends) && s.closed(ends[i]); i++ {
		id := s.now.ids[i]
		if s.match.has(id) {
			continue // what joined it to a session that is open has gone
		}
		s.now.ids[i] = noEntry
		s.rows = append(s.rows, g.rows.read(id))
		if g.isPresent(id) { // or a copy has been taken out
			g.lists.remove(list, entry{g.order.prefix(g.rows.read(id)), id}, g.order)
			g.setPresent(id, false)
			g.absent = append(g.absent, id)
		}
	}
	for rows := range slices.Chunk(s.rows, s.limit) {
		in := &batch.Batch{N: len(rows), Cols: s.out.Cols[:len(g.slots)]}
		for c, slot := range g.slots {
			g.rows.ReadColumn(slot, rows, in.Cols[c])
		}
		if err := reportLate(s.env, in, identity(in.N)); err != nil {
			return err
		}
	}
	return nil
}

// OnWatermark implements exec.Operator.
func (s *overSessions) OnWatermark(mark exec.Watermark, out exec.Output) error {
	if err := s.flush(out); err != nil || mark <= s.mark {
		return err
	}
	s.mark = mark
	for s.due.len() > 0 && s.closed(s.due.first().at) {
		p := s.due.pop()
		if !s.groups.directory.Live(p.group) || *s.nextOf(p.group) != p.at {
			continue // it has changed since
		}
		*s.nextOf(p.group) = noEnd
		if err := s.forget(p.group); err != nil {
			return err
		}
	}
	return nil
}

func (s *overSessions) closed(end int64) bool { return end <= closedTo(s.mark, true) }

// forget removes the rows of a partition whose sessions have closed: its first ones.
func (s *overSessions) forget(group uint32) error {
	g := s.groups
	list := g.listOf(g.directory.read(group))
	s.now.reset()
	if err := s.compute(list, &s.now); err != nil {
		return err
	}
	ends := s.now.cols[s.end].Int
	s.found = s.found[:0]
	for i, id := range s.now.ids {
		if !s.closed(ends[i]) {
			s.note(group, ends[i])
			break
		}
		if n := len(s.found); n == 0 || s.found[n-1] != id {
			s.found = append(s.found, id)
		}
	}
	for _, id := range s.found {
		g.lists.remove(list, entry{g.order.prefix(g.rows.read(id)), id}, g.order)
		g.setPresent(id, false)
		g.rows.remove(id)
	}
	if g.lists.len(list) == 0 {
		g.dropGroup(group, list)
	}
	return nil
}
