package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
)

// note is a line of what has happened: an event, or a checkpoint and what has become of
// it.
type note struct {
	event      *Event
	checkpoint *Checkpoint
}

func (n *note) job() string {
	if n.event != nil {
		return n.event.JobID
	}
	return n.checkpoint.JobID
}

// owedMax is how many notes are kept that the database could not take.
const owedMax = 10_000

// record writes a note. If the database cannot take any now, its disk being full, say, the
// error tells, and the note is kept: readers see it, and it is written before the next one,
// or when the lease is renewed. It is lost only if the process ends before that.
func (s *Store) record(ctx context.Context, n note) error {
	s.write.Lock()
	defer s.write.Unlock()
	err := s.settle(ctx)
	if err == nil {
		err = s.writeNotes(ctx, []note{n})
	}
	if err != nil && passes(err) {
		notes := append(slices.Clone(s.owedNotes()), n)
		s.setOwed(notes[max(0, len(notes)-owedMax):])
	}
	return err
}

// settle writes the notes that are owed. The caller holds write.
func (s *Store) settle(ctx context.Context) error {
	notes := s.owedNotes()
	if len(notes) == 0 {
		return nil
	}
	err := s.writeNotes(ctx, notes)
	if err == nil || !passes(err) {
		s.setOwed(nil)
	}
	return err
}

// passes reports whether a database that refused a write may take it later. It may not if
// another server writes there now, or if something is wrong with what is written.
func passes(err error) bool {
	var lite interface{ Code() int }
	var sql interface{ SQLState() string }
	switch {
	case errors.Is(err, ErrLeaseLost):
		return false
	case errors.As(err, &lite):
		return slices.Contains([]int{sqliteBusy, sqliteReadOnly, sqliteIOError, sqliteFull, sqliteCannotOpen}, lite.Code()&0xff)
	case errors.As(err, &sql): // no connection, no resources, shutting down, its disk
		return slices.Contains([]string{"08", "53", "57", "58"}, sql.SQLState()[:2])
	}
	return true // it does not answer
}

func (s *Store) writeNotes(ctx context.Context, notes []note) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		for _, n := range notes {
			var err error
			if n.event != nil {
				err = s.addEvent(ctx, tx, n.event)
			} else {
				err = s.putCheckpoint(ctx, tx, n.checkpoint)
			}
			if err != nil {
				return writeFault(err)
			}
		}
		return nil
	})
}

func (s *Store) owedNotes() []note {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.owed
}

func (s *Store) setOwed(notes []note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owed = notes
}

// remove deletes notes from the database, and from those that are owed.
func (s *Store) remove(ctx context.Context, gone func(n *note) bool, query string, args ...any) error {
	s.write.Lock()
	defer s.write.Unlock()
	err := s.inTx(ctx, func(tx *sql.Tx) error { return s.execAll(ctx, tx, []write{{query, args}}) })
	if err == nil && len(s.owedNotes()) > 0 {
		s.setOwed(slices.DeleteFunc(slices.Clone(s.owedNotes()), func(n note) bool { return gone(&n) }))
	}
	return err
}

// withOwedEvents adds to a job's events, or all jobs', those that are owed.
func (s *Store) withOwedEvents(list []Event, jobID string) []Event {
	notes := s.owedNotes()
	if len(notes) == 0 {
		return list
	}
	for _, n := range notes {
		if n.event != nil && (jobID == "" || n.job() == jobID) {
			list = append(list, *n.event)
		}
	}
	slices.SortStableFunc(list, func(a, b Event) int { return a.At.Compare(b.At) })
	return list
}

// withOwedCheckpoints does the same for checkpoints.
func (s *Store) withOwedCheckpoints(list []Checkpoint, jobID string) []Checkpoint {
	notes := s.owedNotes()
	if len(notes) == 0 {
		return list
	}
	for _, n := range notes {
		c := n.checkpoint
		if c == nil || jobID != "" && c.JobID != jobID {
			continue
		}
		if i := slices.IndexFunc(list, func(have Checkpoint) bool { return have.JobID == c.JobID && have.N == c.N }); i >= 0 {
			list[i] = *c
		} else {
			list = append(list, *c)
		}
	}
	slices.SortFunc(list, func(a, b Checkpoint) int { return cmp.Or(strings.Compare(a.JobID, b.JobID), cmp.Compare(b.N, a.N)) })
	return list
}
