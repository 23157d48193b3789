package table

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
)

// A table's definition changes in two ways. What leaves the rows as they are, names
// and what may be null, is an entry of the log with the new definition. Where the
// columns change, another table takes the old one's place in the same transaction.
// Either way, transactions that others began before do not fit any more, and fail
// with 40001.

// altering is a table whose definition a transaction changes, on its way through the
// leader.
type altering struct {
	table    *table
	before   Def
	previous uint64 // altered before
}

// Alter gives a table another definition with columns of the same types and the same
// key, for the transaction now and for everybody at Commit. Its unique constraints
// stay. That the rows fit is the caller's to check, under Guard.
func (x *Txn) Alter(d Def) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.store.mu.Lock()
	defer x.store.mu.Unlock()
	o, err := x.overlay(d.ID)
	if err != nil {
		return err
	}
	if !sameLayout(&o.def, &d) {
		return pgerr.New(pgerr.InternalError, "another definition of table %s has other columns", o.def.Name)
	}
	before := o.def
	x.steps = append(x.steps, txnStep{overlay: o, kind: alteredStep, def: &before})
	o.alter(d)
	if !o.fresh {
		x.alters = append(x.alters, d)
	}
	return nil
}

// alter replaces the definition that the transaction's own rows are held to.
func (o *overlay) alter(d Def) {
	d.Unique = o.unique
	o.def = d
	if o.fresh {
		_ = o.table.redefine(d) // it has the same layout
	}
	o.keys = keysOf(&d)
}

// Replace drops a table at Commit, in favour of one that the transaction has made and
// filled with its rows.
func (x *Txn) Replace(id string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if o := x.overlays[id]; o == nil || !o.fresh {
		x.store.mu.RLock()
		defer x.store.mu.RUnlock()
		if _, err := x.store.find(id); err != nil {
			return err
		}
	}
	x.replaces = append(x.replaces, id)
	return nil
}

// Guard has Commit fail with 40001 if others change the table after the position at
// which the transaction has looked at all of its rows.
func (x *Txn) Guard(id string, position uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.guards == nil {
		x.guards = map[string]uint64{}
	}
	x.guards[id] = position
}

// CopySequence has a column of a new table count on from where that of another is.
func (s *Store) CopySequence(from string, column int, to string, as int) {
	s.sequences.mu.Lock()
	defer s.sequences.mu.Unlock()
	if c, ok := s.sequences.last[sequenceOf{from, column}]; ok {
		s.sequences.set(sequenceOf{to, as}, counted{last: c.last, called: c.called})
	}
}

func sameLayout(a, b *Def) bool {
	return slices.EqualFunc(a.Columns, b.Columns, func(x, y Column) bool { return x.Type.Equal(y.Type) }) && slices.Equal(a.Key, b.Key)
}

// redefine replaces a definition. Rows, and the indexes on them, stay.
func (t *table) redefine(d Def) error {
	if !sameLayout(&t.def, &d) {
		return errDamaged
	}
	t.def.Name, t.def.Columns, t.def.KeyName = d.Name, d.Columns, d.KeyName
	t.setUnique(d.Unique)
	return nil
}

// checkFit refuses a transaction that was made for tables as they are not any more.
func (s *Store) checkFit(t *pendingTxn) error {
	for id, at := range t.guards {
		if tab := s.tables[id]; tab != nil && (tab.changed > at || tab.altered > at) {
			return errConflict()
		}
	}
	for i := range t.changes {
		c := &t.changes[i]
		if tab := s.tables[c.Table]; tab != nil && (tab.replaced || c.bound && tab.altered > c.seen) {
			return errConflict()
		}
	}
	for _, d := range t.alters {
		if tab := s.tables[d.ID]; tab == nil || tab.replaced {
			return errConflict()
		}
	}
	for _, id := range t.replaces {
		own := slices.ContainsFunc(t.creates, func(d Def) bool { return d.ID == id })
		if tab := s.tables[id]; !own && (tab == nil || tab.replaced) {
			return errConflict()
		}
	}
	return nil
}

// alter gives tables their new definitions, before the transaction's changes are
// carried out.
func (s *Store) alter(t *pendingTxn) {
	for _, d := range t.alters {
		tab := s.tables[d.ID]
		t.altering = append(t.altering, altering{tab, tab.def, tab.altered})
		d.Unique = tab.def.Unique
		_ = tab.redefine(d) // Alter has compared the layouts
	}
	s.altering = t.altering
}

// logAltered appends the new definitions, and the tables that are replaced, to the
// frame.
func (s *Store) logAltered(frame []byte, position uint64, t *pendingTxn) []byte {
	for _, a := range t.altering {
		a.table.altered = position
		at := len(frame)
		frame = append(appendEntry(frame, defineEntry), a.table.stored().encode()...)
		sealEntry(frame, at)
	}
	for _, id := range t.replaces {
		tab := s.tables[id]
		tab.replaced = true
		frame = appendDrop(frame, tab)
	}
	return frame
}

// undoAlter takes back what alter and logAltered did.
func (s *Store) undoAlter(t *pendingTxn) {
	for i := len(t.altering) - 1; i >= 0; i-- {
		a := t.altering[i]
		_ = a.table.redefine(a.before)
		a.table.altered = a.previous
	}
	for _, id := range t.replaces {
		if tab := s.tables[id]; tab != nil {
			tab.replaced = false
		}
	}
	t.altering, s.altering = nil, nil
}
