package table

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
)

// Txn collects changes that take effect together at Commit. It reads its own
// changes through Scan. It is used by one goroutine; dropping it rolls it back.
type Txn struct {
	store   *Store
	changes []Change
	result  Result
}

// Begin starts a transaction.
func (s *Store) Begin() *Txn { return &Txn{store: s} }

// Add queues a change; its rows are copied. Nulls are checked now, keys at Check
// and at Commit. The table may be one that is created before Commit.
func (x *Txn) Add(c Change) error {
	if c.Rows != nil {
		copied := &batch.Batch{}
		for _, col := range c.Rows.Cols {
			mine := batch.NewColumn(col.Phys, 0)
			mine.AppendFrom(col, c.Rows.Sel, c.Rows.N)
			copied.Cols = append(copied.Cols, mine)
		}
		copied.N = c.Rows.Live()
		if c.Rows.Ops != nil {
			for k := range copied.N {
				copied.Ops = append(copied.Ops, c.Rows.Op(c.Rows.RowAt(k)))
			}
		}
		c.Rows = copied
	}
	c.Refs = append([]Ref(nil), c.Refs...)
	s := x.store
	s.mu.Lock()
	t := s.tables[c.Table]
	if t != nil && c.Rows != nil && c.Action <= Upsert {
		// The rows get their ids now, so that what a scan of this transaction
		// says of them still holds at Commit.
		for range c.Rows.N {
			c.ids = append(c.ids, t.rows.nextRow)
			t.rows.nextRow++
		}
	}
	s.mu.Unlock()
	if t != nil {
		if err := s.checkNulls(&c); err != nil {
			return err
		}
	}
	x.changes = append(x.changes, c)
	return nil
}

// Empty reports whether nothing is queued.
func (x *Txn) Empty() bool { return len(x.changes) == 0 }

// Mark names this point of the transaction for RollbackTo.
func (x *Txn) Mark() int { return len(x.changes) }

// RollbackTo drops what was added after the mark.
func (x *Txn) RollbackTo(mark int) { x.changes = x.changes[:mark] }

// Check reports the error that Commit would meet now. Tables that are yet to be
// created are passed over.
func (x *Txn) Check() error {
	return x.tryOut(func(*stager) {})
}

// tryOut applies the transaction, calls f, and takes it back.
func (x *Txn) tryOut(f func(st *stager)) error {
	s := x.store
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &stager{position: s.staged + 1}
	defer st.undo()
	var r Result
	for i := range x.changes {
		t := s.tables[x.changes[i].Table]
		if t == nil {
			continue
		}
		if err := st.apply(t, &x.changes[i], &r); err != nil {
			return err
		}
	}
	f(st)
	return nil
}

// Commit makes the changes durable and visible, or fails as a whole. A
// transaction without changes takes no position.
func (x *Txn) Commit(ctx context.Context) error {
	if x.Empty() {
		return nil
	}
	for i := range x.changes {
		if err := x.store.checkNulls(&x.changes[i]); err != nil {
			return err
		}
	}
	var err error
	x.result, err = x.store.commit(ctx, &pendingTxn{changes: x.changes})
	return err
}

// Result tells what the changes came to, after Commit.
func (x *Txn) Result() Result { return x.result }

// Scan is a table as the transaction sees it: with its own changes. The readers
// of the source are Scans, whose Refs it may Update and Delete.
func (x *Txn) Scan(id string) (connector.Source, error) {
	touched := false
	for i := range x.changes {
		touched = touched || x.changes[i].Table == id
	}
	if !touched {
		return x.store.Scan(id)
	}
	s := x.store
	s.mu.RLock()
	t, err := s.find(id)
	s.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	return &cut{columns: t.def.Columns, open: func(want []int) (*Scan, error) {
		r := &Scan{store: s, table: t, want: want, stored: [][]byte{}}
		err := x.tryOut(func(st *stager) {
			for _, v := range t.rows.visible(st.position, 0) {
				ref := Ref{Row: t.rows.versions[v].rowID, Version: t.rows.versions[v].born}
				if ref.Version == st.position {
					ref.Version = 0
				}
				r.stored = append(r.stored, append([]byte(nil), t.rows.data(v)...))
				r.storedRefs = append(r.storedRefs, ref)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("read table %s within its transaction: %w", t.def.Name, err)
		}
		return r, nil
	}}, nil
}
