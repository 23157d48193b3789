package table

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
)

// Isolation says what a transaction sees of others and which conflicts it
// notices. At every level two transactions never both change one version of a
// row: the second to commit fails with 40001.
type Isolation uint8

// The levels.
const (
	// ReadCommitted reads what is committed when the snapshot is taken.
	ReadCommitted Isolation = iota
	// RepeatableRead reads what was committed when the first snapshot was taken.
	RepeatableRead
	// Serializable is RepeatableRead whose Commit fails with 40001 when a table
	// that it read has been changed by others since.
	Serializable
)

// Txn collects changes that take effect together at Commit. Its snapshots show
// what is committed with its own changes over it, and each change is checked
// against that when it is added. One goroutine uses it, others may read its
// snapshots meanwhile. It is to be closed.
type Txn struct {
	store     *Store
	isolation Isolation
	pinned    *Snapshot // what RepeatableRead sees, once something was read

	mu       sync.RWMutex // guards what follows; taken before the store's
	changes  []Change
	creates  []*table
	unique   []uniqueChange // of tables that are stored
	alters   []Def          // of tables that are stored
	replaces []string
	guards   map[string]uint64
	cut      uint64              // position of the last snapshot: the statement under way was not bound before it
	overlays map[string]*overlay // by table id
	steps    []txnStep
	reads    map[string]struct{} // ids of tables read, kept for Serializable
	encoded  []byte
	bytes    int64 // of the rows encoded so far
	result   Result

	account   *memory.Account
	held      memory.Meter // of changes
	abandoned atomic.Pointer[error]
}

// Begin starts a transaction.
func (s *Store) Begin(level Isolation) *Txn {
	return &Txn{store: s, isolation: level, cut: s.Position(), overlays: map[string]*overlay{}, reads: map[string]struct{}{}}
}

// Close gives up what the transaction holds; without Commit it leaves no trace.
// Snapshots of it stay readable.
func (x *Txn) Close() {
	x.account.Close()
	if x.pinned != nil {
		x.pinned.Close()
		x.pinned = nil
	}
}

// Create makes a table at Commit, known to the transaction at once.
func (x *Txn) Create(d Def) error {
	if err := checkTypes(d); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.gone(); err != nil {
		return err
	}
	t := newTable(storedOf(0, d))
	o := newOverlay(t, true)
	x.overlays[d.ID] = o
	x.steps = append(x.steps, txnStep{overlay: o, kind: touchedStep})
	x.creates = append(x.creates, t)
	return nil
}

// overlay finds or makes the overlay of a table.
func (x *Txn) overlay(id string) (*overlay, error) {
	if err := x.gone(); err != nil {
		return nil, err
	}
	if o := x.overlays[id]; o != nil {
		return o, nil
	}
	t, err := x.store.find(id)
	if err != nil {
		return nil, err
	}
	o := newOverlay(t, false)
	o.seen = x.store.staged
	x.overlays[id] = o
	x.steps = append(x.steps, txnStep{overlay: o, kind: touchedStep})
	return o, nil
}

// Def returns the definition of a table, the transaction's own included.
func (x *Txn) Def(id string) (Def, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if o := x.overlays[id]; o != nil {
		return o.def, nil
	}
	return x.store.Def(id)
}

// Add makes a change: its rows are the transaction's from now on; nulls and keys
// are checked. It returns the live rows, counted from 0, that InsertNew passed over because
// a key of theirs is there. When a row in Refs has been changed by others since it was
// read, the error is 40001: reading it again helps. On an error nothing has
// changed. Merge is not for transactions.
func (x *Txn) Add(c Change) (skipped []int, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.store
	s.mu.Lock()
	defer s.mu.Unlock()
	steps, before := len(x.steps), x.bytes
	defer func() {
		switch {
		case x.gone() != nil:
			x.giveUp()
		case err != nil:
			x.undo(steps)
		}
	}()
	o, err := x.overlay(c.Table)
	if err != nil {
		return nil, err
	}
	if err := checkNulls(&o.def, &c); err != nil {
		return nil, err
	}
	c.bound, c.seen = true, min(o.seen, x.cut)
	number := uint64(len(x.changes) + 1)
	switch c.Action {
	case Insert, InsertNew:
		skipped, err = x.insert(o, &c, number)
	case Update, Delete:
		err = x.change(o, &c, number)
	default:
		err = fmt.Errorf("change table %s: action %d is not for transactions", o.table.def.Name, c.Action)
	}
	if err != nil {
		return nil, err
	}
	if len(skipped) > 0 {
		c.Rows = c.Rows.Without(skipped)
	}
	if err := x.hold(&c, x.bytes-before); err != nil {
		return nil, err
	}
	x.changes = append(x.changes, c)
	return skipped, nil
}

// Empty reports whether there is nothing to commit.
func (x *Txn) Empty() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.changes)+len(x.creates)+len(x.unique)+len(x.alters)+len(x.replaces) == 0
}

// TxnMark is a point of a transaction.
type TxnMark struct{ changes, creates, unique, alters, replaces, steps int }

// Mark names this point of the transaction for RollbackTo and Lookup.
func (x *Txn) Mark() TxnMark {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return TxnMark{len(x.changes), len(x.creates), len(x.unique), len(x.alters), len(x.replaces), len(x.steps)}
}

// RollbackTo drops what came after the mark. Snapshots taken after it must not
// be read any more.
func (x *Txn) RollbackTo(m TxnMark) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone() != nil {
		return
	}
	x.undo(m.steps)
	for i := range x.changes[m.changes:] {
		_ = x.held.Add(-x.changes[m.changes+i].held) // it is less
	}
	clear(x.changes[m.changes:])
	x.changes, x.creates, x.unique = x.changes[:m.changes], x.creates[:m.creates], x.unique[:m.unique]
	x.alters, x.replaces = x.alters[:m.alters], x.replaces[:m.replaces]
}

// Refresh waits, after a conflict, until the change that was met can be read.
func (x *Txn) Refresh(ctx context.Context) error {
	s := x.store
	s.mu.RLock()
	target := s.staged
	s.mu.RUnlock()
	for {
		s.mu.RLock()
		done, changed := s.durable >= target || s.failed != nil || s.closed, s.changed
		s.mu.RUnlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Snapshot is what a statement of the transaction reads now.
func (x *Txn) Snapshot() *Snapshot {
	n := x.base()
	x.mu.Lock()
	defer x.mu.Unlock()
	n.txn, n.change = x, uint64(len(x.changes))
	x.cut = n.Position()
	return n
}

// base is the cut of what is committed that the transaction sees.
func (x *Txn) base() *Snapshot {
	if x.isolation == ReadCommitted {
		return x.store.Snapshot()
	}
	if x.pinned == nil {
		x.pinned = x.store.Snapshot()
	}
	return x.pinned.again()
}

// Lookup finds the rows that have the keys of the live rows given, by the
// constraint of that name; only its columns are looked at. found[i] tells which live
// row existing row i, named by refs[i], was found for; existing has all columns. A
// row that the transaction itself made or changed after the mark is error 21000.
func (x *Txn) Lookup(id, constraint string, rows *batch.Batch, since TxnMark) (existing *batch.Batch, refs []Ref, found []int, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	// The index is searched through the table's scratch space, hence the lock.
	x.store.mu.Lock()
	defer x.store.mu.Unlock()
	o, err := x.overlay(id)
	if err != nil {
		return nil, nil, nil, err
	}
	key := keyNamed(o.keys, constraint)
	if key == nil {
		return nil, nil, nil, pgerr.New(pgerr.InvalidColumnReference, "there is no unique constraint matching the ON CONFLICT specification")
	}
	x.reads[id] = struct{}{}
	var hits []mixedRow
	for k := range rows.Live() {
		x.encoded = o.table.codec.encode(x.encoded[:0], rows, rows.RowAt(k))
		m := mixedRow{version: o.own(key, x.encoded), own: true}
		if m.version != 0 && o.rows.versions[m.version].born > uint64(since.changes) {
			return nil, nil, nil, pgerr.New(pgerr.CardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time").
				Hint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
		}
		if m.version == 0 {
			m = mixedRow{version: o.stored(key, x.encoded)}
		}
		if m.version != 0 {
			hits, found = append(hits, m), append(found, k)
		}
	}
	existing = batch.New(o.table.codec.phys, len(hits))
	return existing, o.fillMixed(existing, o.table.allColumns(), hits), found, nil
}

// Commit makes the changes durable and visible, or fails as a whole. A
// transaction without changes takes no position.
func (x *Txn) Commit(ctx context.Context) error {
	if err := x.gone(); err != nil {
		return err
	}
	if x.Empty() {
		return nil
	}
	return x.commit(ctx, nil)
}

func (x *Txn) commit(ctx context.Context, with *joint) error {
	t, err := x.pending(with)
	if err != nil {
		return err
	}
	x.result, err = x.store.commit(ctx, t)
	return err
}

// pending is what is to be committed.
func (x *Txn) pending(with *joint) (*pendingTxn, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.gone(); err != nil {
		return nil, err
	}
	t := &pendingTxn{changes: x.changes, unique: x.unique, alters: x.alters, replaces: x.replaces, guards: x.guards, joint: with}
	for _, c := range x.creates {
		t.creates = append(t.creates, c.def)
	}
	if x.isolation == Serializable && x.pinned != nil {
		t.reads, t.readAt = x.reads, x.pinned.Position()
	}
	return t, nil
}

// CommitWith is Commit of a part of something larger. Once the changes are durable,
// and before anybody sees them, decide commits the rest, under the id given, and
// forgets the id of the joint transaction before this one. When it fails the
// changes are taken back; when the process dies before it has succeeded, they are
// not there when the store is opened again, which asks Options.Committed. No
// other transaction is under way meanwhile.
func (x *Txn) CommitWith(ctx context.Context, id string, decide func(forget string) error) error {
	if err := x.gone(); err != nil {
		return err
	}
	if x.Empty() {
		return decide("")
	}
	return x.commit(ctx, &joint{id: id, decide: decide})
}

// Result tells what the changes came to, after Commit.
func (x *Txn) Result() Result { return x.result }
