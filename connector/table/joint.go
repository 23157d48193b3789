package table

import "errors"

// joint is what decides about a transaction that is part of something larger.
type joint struct {
	id     string
	decide func(forget string) error
}

// ErrUndecided is wrapped by the error of a decide that cannot tell whether it has
// committed. The store takes no more writes then; opening it again decides.
var ErrUndecided = errors.New("it is not known whether the transaction was committed")

// takenBack is the error of a frame that decide refused, and that is no longer in
// the log.
type takenBack struct{ err error }

func (t *takenBack) Error() string { return t.err.Error() }
func (t *takenBack) Unwrap() error { return t.err }

// decision is called once the transaction's frame is durable; nil: nobody decides.
func (s *Store) decision(t *pendingTxn) func() error {
	if t.joint == nil {
		return nil
	}
	return func() error {
		if err := t.joint.decide(s.joint); err != nil {
			return err
		}
		s.mu.Lock()
		s.joint = t.joint.id
		s.mu.Unlock()
		return nil
	}
}

// takeBack undoes what was staged of the last transaction staged.
func (s *Store) takeBack(t *pendingTxn, err error) {
	s.undoUnique(t)
	s.undoAlter(t)
	t.staged.undo()
	for _, m := range t.made {
		s.removeTable(m)
	}
	if t.gone != nil { // nobody counts in it any more: whoever drops it has taken its name away
		t.gone.dropped = false
		s.addTable(t.gone)
	}
	for _, w := range t.writers {
		delete(s.writers, w)
	}
	s.staged--
	t.result, t.err = Result{}, err
}

// undecided reports whether the last frame of the log is of a joint transaction
// that was not committed. Nothing is written behind such a frame.
func (s *Store) undecided(payload []byte) (bool, error) {
	id := ""
	err := eachTxn(payload, func(_ uint64, entries []entry) error {
		for _, e := range entries {
			if e.kind == jointEntry {
				id = string(e.body)
			}
		}
		return nil
	})
	if err != nil || id == "" || s.opt.Committed == nil {
		return false, err
	}
	committed, err := s.opt.Committed(id)
	if err == nil && !committed {
		s.opt.Log.Warn("the rows of a transaction whose metadata was not committed are left out", "id", id)
	}
	return !committed, err
}
