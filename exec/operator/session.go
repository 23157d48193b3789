package operator

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// sessionAggregate groups by keys and sessions of event time: runs of rows each of
// which comes at most a gap after the one before. Its state is an aggregate's table
// whose last key is where a session begins; an accumulator of it, the latest time,
// says where it ends. A row may lengthen a session, begin one, or join several to
// one. Derived from the table are each key's sessions in order, and when they close.
//
// OnClose emits each session once, when the watermark has passed its end, a gap
// after its last row. Without it changes are emitted as an aggregate does, and the
// watermark only frees state. A row is late if it joins no open session and its own
// would have closed. The end of the input closes every session. Changelog modes:
// inserts in; inserts out on close, changes otherwise.
type sessionAggregate struct {
	a       *accumulators
	spec    *graph.WindowAggregate
	gap     int64
	onClose bool
	limit   int
	env     *Env
	bad     badRows
	refused refusedGroups

	watermark exec.Watermark
	directory *table // a row per key: its list of sessions, and the last of them
	list      uintptr
	latest    uintptr
	lists     rowLists
	order     *rowOrder
	start     uintptr // in a session's row
	lastSlot  uintptr
	sessions  *state.Vector[session] // by row
	next      uint64
	closing   minHeap[closing]
	changes   *changes // when not onClose
	layout    outputLayout

	work     work
	keys     []*batch.Column
	rowKeys  []*batch.Column
	groupIDs []uint32
	dirRows  []unsafe.Pointer
	fresh    []uint16
	one      []uint16
	live     []uint16
	late     []uint16
	found    []uint32
	joined   []uint32 // sessions that became part of others
	column   batch.Column
	rows     []unsafe.Pointer
	closed   []uint32
	out      batch.Batch
}

// session is what is noted of one.
type session struct {
	start, last int64
	number      uint64 // tells it from others that had its row
	group       uint32 // row of the directory; noGroup: it is not a session
	into        uint32 // the session it became part of in this batch
}

const noGroup = 1<<32 - 1

// closing is when a session, named by its row and its number, may close. It is
// not told when the session grows, but then looked at again.
type closing struct {
	at     int64
	number uint64
	id     uint32
}

func (c closing) before(d closing) bool { return c.at < d.at }

func newSessionAggregate(op *graph.Operator, env *Env) (exec.Operator, error) {
	spec := op.WindowAggregate
	a, err := newAccumulators(op, &spec.Aggregate, env, true)
	if err != nil {
		return nil, err
	}
	last := slices.IndexFunc(spec.Accumulators, func(acc graph.Accumulator) bool {
		return acc.Func == "max" && acc.Arg == spec.TimeColumn && acc.Filter == -1
	})
	if last < 0 || spec.Retractable || len(spec.Distincts)+len(spec.Lists)+len(spec.Sketches) > 0 {
		return nil, pgerr.New(pgerr.InternalError, "the sessions of %s cannot be kept", op.ID)
	}
	s := &sessionAggregate{a: a, spec: spec, gap: spec.Spec.Size, onClose: spec.OnClose || spec.AtEnd || env.Bounded, limit: env.BatchRows, env: env,
		bad: newBadRows(op.ID, env, env.Inputs[0]), watermark: exec.WatermarkMin, one: make([]uint16, 1), live: []uint16{}, column: batch.Column{Phys: types.PhysInt}}
	keys := len(spec.Keys)
	s.start, s.lastSlot = a.groups.key(keys), a.all[last].off
	bigint := types.Of(types.Int64)
	schema := graph.Table{Keys: op.Tables[0].Keys[:keys], Columns: []graph.Column{{Name: "list", Type: bigint}, {Name: "latest", Type: bigint}}}
	if s.directory, err = newScratch(a.groups, &schema); err != nil {
		return nil, err
	}
	s.lists, s.sessions, s.closing = newRowLists(a.groups.Table), state.NewVector[session](a.groups.Table), newMinHeap[closing](a.groups.Table)
	s.list, s.latest = s.directory.column(0), s.directory.column(1)
	s.order = &rowOrder{t: a.groups, n: 1, keys: []orderColumn{{slot: keys, phys: types.PhysInt, off: s.start}}}
	s.layout = outputLayout{keys: keys, slot: s.start, window: func(start int64) (int64, int64) { return start, 0 },
		end: func(row unsafe.Pointer) int64 { return *(*int64)(unsafe.Add(row, s.lastSlot)) + s.gap }}
	s.out.Cols = s.layout.columns(a)
	s.refused = newRefusedGroups(op, env, a, s.layout)
	if !s.onClose {
		s.changes = newChanges(op, env, a, s.layout)
	}
	return s, s.index()
}

// index makes what is derived from the table.
func (s *sessionAggregate) index() error {
	return newGather(s.a.groups, len(s.spec.Keys)).each(batch.RowsDefault, func(ids []uint32, rows []unsafe.Pointer, keys []*batch.Column) error {
		s.locate(keys, len(ids), nil)
		for i, id := range ids {
			s.note(id, s.groupIDs[i], s.dirRows[i], *(*int64)(unsafe.Add(rows[i], s.start)), *(*int64)(unsafe.Add(rows[i], s.lastSlot)))
		}
		return nil
	})
}

// locate finds the keys' rows in the directory.
func (s *sessionAggregate) locate(keys []*batch.Column, n int, sel []uint16) {
	s.groupIDs, s.dirRows = roomFor(s.groupIDs, n), roomFor(s.dirRows, n)
	s.fresh = s.directory.find(keys, n, sel, s.groupIDs, s.dirRows, s.fresh[:0])
	for _, i := range s.fresh {
		*(*int64)(unsafe.Add(s.dirRows[i], s.list)) = int64(s.lists.add())
		*(*int64)(unsafe.Add(s.dirRows[i], s.latest)) = noGroup
	}
}

// note makes row id a session of a key.
func (s *sessionAggregate) note(id, group uint32, dir unsafe.Pointer, start, last int64) {
	s.sessions.Grow(s.a.groups.idEnd())
	*s.sessions.At(id) = session{start: start, last: last, number: s.next, group: group, into: id}
	list := uint32(*(*int64)(unsafe.Add(dir, s.list)))
	s.lists.insert(list, entry{bounded(intPrefix(start), false), id}, s.order)
	*(*int64)(unsafe.Add(dir, s.latest)) = int64(s.lists.last(list).id)
	s.closing.push(closing{last + s.gap, s.next, id})
	s.next++
}

// OnBatch implements exec.Operator.
func (s *sessionAggregate) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	times := in.Cols[s.spec.TimeColumn]
	var err error
	if s.live, err = s.bad.selectTimes(s.live[:0], in, s.spec.TimeColumn); err != nil {
		return err
	}
	if len(s.live) == 0 {
		return nil
	}
	s.keys, s.late, s.joined = s.keys[:0], s.late[:0], s.joined[:0]
	for _, c := range s.spec.Keys {
		s.keys = append(s.keys, in.Cols[c])
	}
	s.locate(s.keys, in.N, s.live)
	k := &s.work
	k.in, k.ids, k.rows = in, roomFor(k.ids, in.N), roomFor(k.rows, in.N)
	kept := s.live[:0]
	for _, i := range s.live {
		id, ok := s.place(i, times.Int[i])
		if !ok {
			s.late = append(s.late, i)
			continue
		}
		k.ids[i] = id
		kept = append(kept, i)
	}
	if err := s.fold(kept, out); err != nil {
		return err
	}
	for _, i := range s.late { // keys that have nothing else
		if group := s.groupIDs[i]; s.directory.Live(group) {
			if list := uint32(*(*int64)(unsafe.Add(s.directory.read(group), s.list))); s.lists.len(list) == 0 {
				s.lists.drop(list)
				s.directory.remove(group)
			}
		}
	}
	return reportLate(s.env, in, s.late)
}

// place finds or makes the session of row i, whose time is t. It reports false if
// the row is late.
func (s *sessionAggregate) place(i uint16, t int64) (uint32, bool) {
	dir := s.dirRows[i]
	if id := uint32(*(*int64)(unsafe.Add(dir, s.latest))); id != noGroup { // nearly all are of the last session
		if x := s.sessions.At(id); t >= x.start && t <= x.last+s.gap {
			x.last = max(x.last, t)
			return id, true
		}
	}
	list := uint32(*(*int64)(unsafe.Add(dir, s.list)))
	s.found = s.found[:0]
	s.lists.scan(list, func(e *entry) bool {
		x := s.sessions.At(e.id)
		if t >= x.start-s.gap && t <= x.last+s.gap {
			s.found = append(s.found, e.id)
		}
		return t >= x.start-s.gap
	})
	switch {
	case len(s.found) == 0 && t+s.gap < s.watermark:
		return 0, false
	case len(s.found) > 0 && t >= s.sessions.At(s.found[0]).start:
		id := s.found[0]
		x := s.sessions.At(id)
		x.last = max(x.last, t)
		s.join(list, id, s.found[1:])
		*(*int64)(unsafe.Add(dir, s.latest)) = int64(s.lists.last(list).id)
		return id, true
	}
	id := s.begin(i, t)
	s.join(list, id, s.found)
	*(*int64)(unsafe.Add(dir, s.latest)) = int64(s.lists.last(list).id)
	return id, true
}

// begin makes a session of row i.
func (s *sessionAggregate) begin(i uint16, t int64) uint32 {
	k := &s.work
	s.column.Resize(k.in.N)
	s.column.Int[i] = t
	s.rowKeys = append(append(s.rowKeys[:0], s.keys...), &s.column)
	s.one[0] = i
	s.a.groups.FindOrInsert(s.rowKeys, k.in.N, s.one, k.ids, k.rows, nil)
	s.a.start(k.rows[i], nil)
	s.note(k.ids[i], s.groupIDs[i], s.dirRows[i], t, t)
	return k.ids[i]
}

// join makes sessions part of another one.
func (s *sessionAggregate) join(list, into uint32, others []uint32) {
	whole := s.sessions.At(into)
	for _, id := range others {
		x := s.sessions.At(id)
		s.lists.remove(list, entry{bounded(intPrefix(x.start), false), id}, s.order)
		whole.last = max(whole.last, x.last)
		x.into, x.group = into, noGroup
		s.joined = append(s.joined, id)
	}
}

// root is the session that a session has become part of, at last.
func (s *sessionAggregate) root(id uint32) uint32 {
	for {
		into := s.sessions.At(id).into
		if into == id {
			return id
		}
		id = into
	}
}

// fold adds the rows of the batch to their sessions.
func (s *sessionAggregate) fold(sel []uint16, out exec.Output) error {
	k := &s.work
	if len(sel) == 0 {
		return nil
	}
	if len(s.joined) > 0 {
		for _, i := range sel {
			k.ids[i] = s.root(k.ids[i])
		}
	}
	s.a.groups.WriteRows(k.ids, k.in.N, sel, k.rows)
	k.sel, k.sign = sel, nil
	k.one = k.single()
	if !s.onClose {
		s.changes.begin(len(sel) + len(s.joined))
		s.changes.grow()
		for _, id := range s.joined { // which go before the one that takes their place comes
			s.changes.touchGroup(id, s.a.groups.write(id))
		}
		s.changes.touch(k)
	}
	for _, id := range s.joined {
		from := s.a.groups.write(id)
		if err := s.a.merge([]unsafe.Pointer{s.a.groups.write(s.root(id))}, []unsafe.Pointer{from}); err != nil {
			return fmt.Errorf("join sessions: %w", err)
		}
		*(*int64)(unsafe.Add(from, s.a.all[0].off)) = 0 // it has no rows any more
	}
	if err := s.a.fold(k); err != nil {
		return err
	}
	if !s.onClose {
		if err := s.changes.emit(out, false, false); err != nil {
			return err
		}
	}
	for _, id := range s.joined {
		s.a.groups.remove(id)
	}
	return nil
}

// OnWatermark implements exec.Operator.
func (s *sessionAggregate) OnWatermark(mark exec.Watermark, out exec.Output) error {
	s.watermark = max(s.watermark, mark)
	for s.closing.len() > 0 && (s.closing.first().at < mark || mark == exec.WatermarkMax) {
		c := s.closing.first()
		x := s.sessions.At(c.id)
		alive := x.group != noGroup && x.number == c.number
		if end := x.last + s.gap; alive && end != c.at {
			c.at = end
			s.closing.replace(c)
			continue
		}
		s.closing.pop()
		if !alive {
			continue
		}
		if s.closed = append(s.closed, c.id); len(s.closed) == s.limit {
			if err := s.close(out); err != nil {
				return err
			}
		}
	}
	return s.close(out)
}

// close emits the sessions that have closed, if that is when they are, and forgets
// them.
func (s *sessionAggregate) close(out exec.Output) error {
	if len(s.closed) == 0 {
		return nil
	}
	if s.onClose {
		s.rows = s.rows[:0]
		for _, id := range s.closed {
			s.rows = append(s.rows, s.a.groups.read(id))
		}
		var err error
		if s.out.N, err = s.refused.fill(s.a, s.rows, s.out.Cols); err != nil {
			return err
		}
		if s.out.N > 0 {
			if err := out.Emit(&s.out); err != nil {
				return err
			}
		}
	}
	for _, id := range s.closed {
		x := s.sessions.At(id)
		group := x.group
		dir := s.directory.write(group)
		list := uint32(*(*int64)(unsafe.Add(dir, s.list)))
		s.lists.remove(list, entry{bounded(intPrefix(x.start), false), id}, s.order)
		x.group = noGroup
		s.a.groups.remove(id)
		if s.lists.len(list) == 0 {
			s.lists.drop(list)
			s.directory.remove(group)
			continue
		}
		*(*int64)(unsafe.Add(dir, s.latest)) = int64(s.lists.last(list).id)
	}
	s.closed = s.closed[:0]
	return nil
}

// OnEnd implements exec.Operator: the watermark's end has closed every session.
func (s *sessionAggregate) OnEnd(exec.Output) error { return nil }
