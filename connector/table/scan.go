package table

import (
	"context"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
)

// Snapshot is one consistent cut of all tables. It holds on to old rows until it
// is closed.
type Snapshot struct {
	store  *Store
	pin    *pin
	txn    *Txn   // whose changes are seen too, nil for none …
	change uint64 // … up to this one
}

// Snapshot pins the state after the last committed transaction.
func (s *Store) Snapshot() *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &pin{position: s.durable, snapshot: true}
	s.pins[p] = struct{}{}
	return &Snapshot{store: s, pin: p}
}

// again pins the same cut once more.
func (n *Snapshot) again() *Snapshot {
	n.store.mu.Lock()
	defer n.store.mu.Unlock()
	p := &pin{position: n.pin.position, snapshot: true}
	n.store.pins[p] = struct{}{}
	return &Snapshot{store: n.store, pin: p}
}

// Again is the same cut once more, to be closed on its own.
func (n *Snapshot) Again() *Snapshot {
	c := n.again()
	c.txn, c.change = n.txn, n.change
	return c
}

// Position is the transaction that the cut is after.
func (n *Snapshot) Position() uint64 { return n.pin.position }

// Def returns the definition of a table, with those that the snapshot's
// transaction makes.
func (n *Snapshot) Def(id string) (Def, error) {
	if n.txn != nil {
		return n.txn.Def(id)
	}
	return n.store.Def(id)
}

// Close lets go of the cut. Scans of it must not be used any more.
func (n *Snapshot) Close() { n.store.unpin(n.pin) }

// Scan reads the rows of a table in the order of their insertion, with the
// columns wanted. It ends after them. It is a connector.Reader.
func (n *Snapshot) Scan(id string, want []int) (*Scan, error) {
	if n.txn != nil {
		if r, err := n.txn.scan(n, id, want); r != nil || err != nil {
			return r, err
		}
	}
	n.store.mu.RLock()
	defer n.store.mu.RUnlock()
	t, err := n.store.find(id)
	if err != nil {
		return nil, err
	}
	return &Scan{store: n.store, table: t, want: want, versions: t.rows.visible(n.pin.position, 0)}, nil
}

// Scan reads the rows of a cut, once.
type Scan struct {
	store    *Store
	table    *table
	want     []int
	versions []uint32
	found    *orderedScan // gives more versions
	refs     []Ref

	txn     *Txn // with mixed, not versions
	overlay *overlay
	mixed   []mixedRow
}

// touched notes that a table is read. It returns the overlay of one that the
// transaction has touched, nil for the others. The caller holds mu.
func (x *Txn) touched(id string) (*overlay, error) {
	x.reads[id] = struct{}{}
	return x.overlays[id], x.gone()
}

// scan is Snapshot.Scan for a table that the transaction has touched; nil for
// the others.
func (x *Txn) scan(n *Snapshot, id string, want []int) (*Scan, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	o, err := x.touched(id)
	if o == nil || err != nil {
		return nil, err
	}
	n.store.mu.RLock()
	defer n.store.mu.RUnlock()
	return &Scan{store: n.store, table: o.table, want: want, txn: x, overlay: o, mixed: o.all(n.pin.position, n.change)}, nil
}

// Read implements connector.Reader.
func (r *Scan) Read(_ context.Context, out *batch.Batch, max int) (connector.Status, error) {
	r.refs = r.refs[:0]
	if r.txn != nil {
		return r.readMixed(out, max), nil
	}
	r.store.mu.RLock()
	defer r.store.mu.RUnlock()
	if r.found != nil && len(r.versions) == 0 {
		r.versions = r.found.chunk(max)
	}
	part := r.versions[:min(len(r.versions), max)]
	r.versions = r.versions[len(part):]
	r.table.fill(out, r.want, part)
	for _, v := range part {
		r.refs = append(r.refs, Ref{Row: r.table.rows.versions[v].rowID, Version: r.table.rows.versions[v].born})
	}
	if len(part) == 0 {
		return connector.End, nil
	}
	return connector.More, nil
}

func (r *Scan) readMixed(out *batch.Batch, max int) connector.Status {
	part := r.mixed[:min(len(r.mixed), max)]
	r.mixed = r.mixed[len(part):]
	r.txn.mu.RLock()
	defer r.txn.mu.RUnlock()
	r.store.mu.RLock()
	defer r.store.mu.RUnlock()
	r.refs = r.overlay.fillMixed(out, r.want, part)
	if len(part) == 0 {
		return connector.End
	}
	return connector.More
}

// Refs names the rows of the last batch, for Update and Delete. It is good until
// the next Read.
func (r *Scan) Refs() []Ref { return r.refs }

// Ready is nil: a cut does not wait.
func (r *Scan) Ready() <-chan struct{} { return nil }

// Offset is nil: a scan is not resumed.
func (r *Scan) Offset() []byte { return nil }

// Close does nothing: the snapshot is held elsewhere.
func (r *Scan) Close() error { return nil }

// fill replaces out by the wanted columns of versions. The caller holds mu.
func (t *table) fill(out *batch.Batch, want []int, versions []uint32) {
	prepare(out, len(versions))
	for k, w := range want {
		c := out.Cols[k]
		for i, v := range versions {
			t.codec.decode(t.rows.data(v), w, c, i)
		}
	}
	out.N = len(versions)
}

func prepare(out *batch.Batch, rows int) {
	out.Sel, out.Ops, out.N = nil, nil, 0
	for _, c := range out.Cols {
		c.Reset()
		c.Resize(rows)
	}
}
