package table

import "github.com/millrace/millrace/internal/memory"

// What a transaction holds is told to its account change by change, and what its commit
// will take with it: a row is there as it came, in the overlay, in the record of the log
// and in the table.

// heldPerRow is about what a row, or a reference to one, takes beside its data: versions,
// steps and the entries of maps, in the overlay and in the table.
const heldPerRow = 350

// Count has the transaction tell the account what it holds. Close closes the account.
func (x *Txn) Count(a *memory.Account) {
	x.account, x.held = a, a.Share("changed rows").Meter()
}

// Abandon ends a transaction that holds too much: what it has is given up now, or by who
// is at it, and whatever is asked of it from now on fails with err. It does not wait.
func (x *Txn) Abandon(err error) {
	x.abandoned.CompareAndSwap(nil, &err)
	if x.mu.TryLock() {
		x.giveUp()
		x.mu.Unlock()
	}
}

// gone says why the transaction was abandoned, nil if it was not.
func (x *Txn) gone() error {
	if err := x.abandoned.Load(); err != nil {
		return *err
	}
	return nil
}

// giveUp drops what an abandoned transaction has. The caller holds mu.
func (x *Txn) giveUp() {
	x.changes, x.creates, x.unique, x.alters, x.replaces, x.steps = nil, nil, nil, nil, nil, nil
	x.overlays = map[string]*overlay{}
	_ = x.held.Set(0) // it is less
}

// hold counts a change that was added, with the bytes that its rows take encoded.
func (x *Txn) hold(c *Change, encoded int64) error {
	rows := len(c.Refs)
	if c.Rows != nil {
		c.held, rows = 3*encoded+c.Rows.Bytes(), max(rows, c.Rows.Live())
	}
	c.held += heldPerRow * int64(rows)
	return x.held.Add(c.held)
}
