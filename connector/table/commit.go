package table

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/millrace/millrace/internal/pgerr"
)

// pendingTxn is a transaction on its way through the leader. One that drops a
// table does nothing else.
type pendingTxn struct {
	creates   []Def
	drop      string
	changes   []Change
	unique    []uniqueChange
	alters    []Def               // definitions of tables that are stored, in the layout they have
	replaces  []string            // ids of tables that are dropped with it
	guards    map[string]uint64   // ids of tables that others must not have changed after this position
	reads     map[string]struct{} // ids of tables that must not have changed …
	readAt    uint64              // … after this position
	counts    string              // id of a table whose sequences are to be logged
	writers   []string            // names of the pending files whose rows are in changes
	joint     *joint              // of a part of something larger
	staged    *stager             // its rows in memory, until it is decided
	made      []*table            // its new tables
	gone      *table              // what it has dropped
	counted   []sequenceMark
	redefined []redefined
	altering  []altering
	done      chan struct{}
	result    Result
	err       error
}

// commit queues a transaction and returns when it is durable or refused. The
// first writer to come leads: it takes whatever is queued as one group, with one
// write and one fsync, until the queue is empty.
func (s *Store) commit(ctx context.Context, t *pendingTxn) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	t.done = make(chan struct{})
	s.queueMu.Lock()
	s.queue = append(s.queue, t)
	lead := !s.leading
	s.leading = true
	s.queueMu.Unlock()
	if lead {
		s.lead()
	}
	<-t.done // a queued transaction is always decided
	return t.result, t.err
}

// groupMax bounds a group, so that the first of it does not wait for ever.
const groupMax = 4096

func (s *Store) lead() {
	for {
		s.queueMu.Lock()
		n := groupSize(s.queue)
		if n == 0 {
			s.leading = false
			s.queueMu.Unlock()
			return
		}
		group := s.queue[:n:n]
		s.queueMu.Unlock()
		group = group[:s.carryOut(group)]
		s.queueMu.Lock()
		s.queue = s.queue[len(group):]
		s.queueMu.Unlock()
		for _, t := range group {
			close(t.done)
		}
	}
}

// groupSize is how many of the queue go together. A joint transaction goes alone:
// whatever came behind it could build on rows that are taken back.
func groupSize(queue []*pendingTxn) int {
	n := min(len(queue), groupMax)
	for i, t := range queue[:n] {
		if t.joint != nil {
			return max(i, 1)
		}
	}
	return n
}

// carryOut stages the group in memory, writes it, and lets readers see it. It returns how
// many of the group are decided: those that no longer fit into the frame are not.
func (s *Store) carryOut(group []*pendingTxn) int {
	frame := beginFrame(nil)
	var kept []*pendingTxn
	s.mu.Lock()
	first := s.staged + 1
	for i, t := range group {
		if t.err = s.usable(); t.err != nil {
			continue
		}
		next, err := s.stage(frame, t)
		if errors.Is(err, errFrameFull) && len(kept) > 0 {
			group = group[:i]
			break
		}
		if t.err = err; err == nil {
			frame = next
			kept = append(kept, t)
		}
	}
	last := s.staged
	s.mu.Unlock()
	if len(kept) > 0 {
		s.write(frame, first, last, kept)
	}
	return len(group)
}

// write appends the frame of staged transactions, of positions first to last, to the log
// and lets readers see them.
func (s *Store) write(frame []byte, first, last uint64, kept []*pendingTxn) {
	sealFrame(frame, 0)
	err := s.log.append(frame, first, s.decision(kept[0]))
	s.mu.Lock()
	defer s.mu.Unlock()
	if back := (*takenBack)(nil); errors.As(err, &back) {
		for i := len(kept) - 1; i >= 0; i-- {
			s.takeBack(kept[i], back.err)
		}
		return
	}
	if err != nil {
		// What is on disk is unknown now: no more writes, and readers stay where
		// they are. A restart recovers.
		s.failed = pgerr.New(pgerr.IOError, "own tables cannot be written any more: %s", err).Wrap(err).
			Hint("Look after the disk of the data folder, then restart the server.")
		for _, t := range kept {
			t.err = s.failed
		}
		close(s.changed)
		s.changed = make(chan struct{})
		return
	}
	for _, t := range kept {
		t.staged.finish()
		s.sequences.wrote(t.counted)
	}
	s.redefined, s.altering = nil, nil
	for _, t := range kept {
		for _, id := range t.replaces {
			s.removeTable(s.tables[id])
			s.replaced[id] = struct{}{}
		}
	}
	s.durable = last
	s.sinceSnap += int64(len(frame))
	s.reclaim()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Store) usable() error {
	if s.failed != nil {
		return s.failed
	}
	if s.closed {
		return pgerr.New(pgerr.AdminShutdown, "the table store is closed")
	}
	return nil
}

// errFrameFull is that of a transaction whose rows do not fit into the frame.
var errFrameFull = errors.New("frame is full")

// stage checks a transaction against the state after those before it, applies
// it, and appends it to the frame. On an error nothing has changed.
func (s *Store) stage(frame []byte, t *pendingTxn) ([]byte, error) {
	position := s.staged + 1
	start := len(frame)
	for id := range t.reads {
		if read := s.tables[id]; read != nil && read.changed > t.readAt {
			return nil, errSerialization()
		}
	}
	if err := s.checkFit(t); err != nil {
		return nil, err
	}
	frame = appendTxn(frame, position, 0)
	entries := 0
	if t.joint != nil {
		at := len(frame)
		frame = append(appendEntry(frame, jointEntry), t.joint.id...)
		sealEntry(frame, at)
		entries++
	}
	if gone := s.tables[t.drop]; gone != nil {
		frame = appendDrop(frame, gone)
		entries++
		s.removeTable(gone)
		t.gone = gone
	}
	frame, made, err := s.stageCreates(frame, position, t)
	entries += len(made)
	if err == nil {
		var n int
		frame, n, err = s.stageRows(frame, position, t)
		entries += n
	}
	if err != nil {
		s.undoUnique(t)
		s.undoAlter(t)
		for _, m := range made {
			s.removeTable(m)
		}
		return nil, err
	}
	frame, n := s.stageSequences(frame, t)
	entries += n
	for _, w := range t.writers {
		at := len(frame)
		frame = append(appendEntry(frame, writerEntry), w...)
		sealEntry(frame, at)
		entries++
		s.writers[w] = position
	}
	binary.LittleEndian.PutUint32(frame[start+8:], uint32(entries))
	s.staged = position
	t.made, t.result.Position = made, position
	return frame, nil
}

// appendDrop appends that a table is gone.
func appendDrop(frame []byte, t *table) []byte {
	at := len(frame)
	frame = binary.LittleEndian.AppendUint32(appendEntry(frame, dropEntry), t.number)
	sealEntry(frame, at)
	return frame
}

// stageCreates makes the transaction's new tables.
func (s *Store) stageCreates(frame []byte, position uint64, t *pendingTxn) ([]byte, []*table, error) {
	var all []*table
	for _, d := range t.creates {
		if s.tables[d.ID] != nil {
			return nil, all, pgerr.New(pgerr.DuplicateTable, "relation %q already exists", d.Name)
		}
		made := newTable(storedOf(s.nextNumber, d))
		at := len(frame)
		frame = append(appendEntry(frame, createEntry), made.stored().encode()...)
		sealEntry(frame, at)
		made.created = position
		s.addTable(made)
		all = append(all, made)
	}
	return frame, all, nil
}

func errSerialization() error {
	return pgerr.New(pgerr.SerializationFailure, "could not serialize access due to read/write dependencies among transactions").
		Hint("The transaction might succeed if it is retried.")
}

func (s *Store) addTable(t *table) {
	s.tables[t.def.ID] = t
	s.numbers[t.number] = t
	s.nextNumber = max(s.nextNumber, t.number+1)
}

// droppedMax is how many dropped tables a store knows the names of.
const droppedMax = 10_000

func (s *Store) removeTable(t *table) {
	t.dropped = true
	if len(s.dropped) == droppedMax {
		clear(s.dropped)
	}
	s.dropped[t.def.ID] = t.def.Name
	delete(s.tables, t.def.ID)
	delete(s.numbers, t.number)
	s.sequences.forget(t.def.ID, len(t.def.Columns))
}

// stageRows changes rows and constraints.
func (s *Store) stageRows(frame []byte, position uint64, t *pendingTxn) ([]byte, int, error) {
	s.alter(t)
	if err := s.dropUnique(t); err != nil {
		return nil, 0, err
	}
	frame, n, err := s.stageChanges(frame, position, t)
	if err != nil {
		return nil, 0, err
	}
	frame, more, err := s.addUnique(frame, t)
	if err != nil {
		t.staged.undo()
		t.result = Result{}
		return nil, 0, err
	}
	frame = s.logAltered(frame, position, t)
	return frame, n + more + len(t.altering) + len(t.replaces), nil
}

// stageChanges applies the changes in order, or none of them.
func (s *Store) stageChanges(frame []byte, position uint64, t *pendingTxn) ([]byte, int, error) {
	st := &stager{position: position}
	for i := range t.changes {
		change := &t.changes[i]
		tab, err := s.find(change.Table)
		if err == nil {
			err = st.apply(tab, change, &t.result)
		}
		if err != nil {
			st.undo()
			t.result = Result{}
			return nil, 0, err
		}
	}
	entries := 0
	for _, section := range st.sections {
		if len(section.ops) == 0 {
			continue
		}
		section.table.changed = position
		at := len(frame)
		frame = appendChanges(appendEntry(frame, changesEntry), section.table.number, len(section.ops))
		for _, op := range section.ops {
			frame = appendChange(frame, uint8(op.op), op.rowID, section.table.rows.data(op.version))
		}
		sealEntry(frame, at)
		entries++
	}
	if len(frame) > s.frameMax {
		st.undo()
		t.result = Result{}
		return nil, 0, pgerr.New(pgerr.ProgramLimitExceeded, "transaction is larger than %d bytes", s.frameMax).Wrap(errFrameFull)
	}
	t.staged = st
	return frame, entries, nil
}

// reclaim frees versions that no reader can ask for.
func (s *Store) reclaim() {
	horizon := s.versionHorizon()
	s.reclaimed = max(s.reclaimed, horizon)
	for _, t := range s.tables {
		t.rows.reclaim(horizon)
	}
}

// versionHorizon is the oldest position whose rows may still be asked for.
func (s *Store) versionHorizon() uint64 {
	horizon := s.durable
	for p := range s.pins {
		if p.snapshot {
			horizon = min(horizon, p.position)
		}
	}
	for _, r := range s.retained {
		if r.Snapshot != nil {
			horizon = min(horizon, *r.Snapshot)
		}
	}
	return horizon
}

func errUnknownEntry(kind entryKind) error {
	return fmt.Errorf("entry of kind %d is newer than this program", kind)
}
