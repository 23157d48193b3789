package table

import (
	"context"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
)

// Snapshot is one consistent cut of all tables. It holds on to old rows until it
// is closed.
type Snapshot struct {
	store *Store
	pin   *pin
}

// Snapshot pins the state after the last committed transaction.
func (s *Store) Snapshot() *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &pin{position: s.durable, snapshot: true}
	s.pins[p] = struct{}{}
	return &Snapshot{store: s, pin: p}
}

// Position is the transaction that the cut is after.
func (n *Snapshot) Position() uint64 { return n.pin.position }

// Close lets go of the cut. Scans of it must not be used any more.
func (n *Snapshot) Close() { n.store.unpin(n.pin) }

// Scan reads the rows of a table in the order of their insertion, with the
// columns wanted. It ends after them. It is a connector.Reader.
func (n *Snapshot) Scan(id string, want []int) (*Scan, error) {
	n.store.mu.RLock()
	defer n.store.mu.RUnlock()
	t, err := n.store.find(id)
	if err != nil {
		return nil, err
	}
	return &Scan{store: n.store, table: t, want: want, versions: t.rows.visible(n.pin.position, 0)}, nil
}

// Source is the table as of the cut, for operators: one split that ends.
func (n *Snapshot) Source(id string) (connector.Source, error) {
	n.store.mu.RLock()
	defer n.store.mu.RUnlock()
	t, err := n.store.find(id)
	if err != nil {
		return nil, err
	}
	return &cut{columns: t.def.Columns, open: func(want []int) (*Scan, error) { return n.Scan(id, want) }}, nil
}

// Scan is the table as of the moment its split is opened. Statements that read
// several tables take a Snapshot and its Sources instead.
func (s *Store) Scan(id string) (connector.Source, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.find(id)
	if err != nil {
		return nil, err
	}
	return &cut{columns: t.def.Columns, open: func(want []int) (*Scan, error) {
		n := s.Snapshot()
		r, err := n.Scan(id, want)
		if err != nil {
			n.Close()
			return nil, err
		}
		r.own = n
		return r, nil
	}}, nil
}

// cut is finished rows as a source. Its readers are Scans.
type cut struct {
	columns []Column
	open    func(want []int) (*Scan, error)
}

// Schema returns the table's columns.
func (c *cut) Schema() []connector.Column { return c.columns }

// Follows is false.
func (c *cut) Follows() bool { return false }

// Splits lists the one split.
func (c *cut) Splits(context.Context) ([]connector.Split, error) {
	return []connector.Split{{ID: SplitID}}, nil
}

// Open starts from the first row: a cut is not resumed.
func (c *cut) Open(_ context.Context, _ connector.Split, _ []byte, want []int) (connector.Reader, error) {
	return c.open(want)
}

// Scan reads the rows of a cut, once.
type Scan struct {
	store    *Store
	table    *table
	want     []int
	versions []uint32
	refs     []Ref
	own      *Snapshot // closed with the scan

	stored     [][]byte // rows of a transaction's own view, instead of versions
	storedRefs []Ref
}

// Read implements connector.Reader.
func (r *Scan) Read(_ context.Context, out *batch.Batch, max int) (connector.Status, error) {
	r.refs = r.refs[:0]
	if r.stored != nil {
		return r.readStored(out, max), nil
	}
	part := r.versions[:min(len(r.versions), max)]
	r.versions = r.versions[len(part):]
	r.store.mu.RLock()
	defer r.store.mu.RUnlock()
	r.table.fill(out, r.want, part)
	for _, v := range part {
		r.refs = append(r.refs, Ref{Row: r.table.rows.versions[v].rowID, Version: r.table.rows.versions[v].born})
	}
	if len(part) == 0 {
		return connector.End, nil
	}
	return connector.More, nil
}

func (r *Scan) readStored(out *batch.Batch, max int) connector.Status {
	n := min(len(r.stored), max)
	prepare(out, n)
	for i, row := range r.stored[:n] {
		for k, w := range r.want {
			r.table.codec.decode(row, w, out.Cols[k], i)
		}
	}
	out.N = n
	r.refs = append(r.refs, r.storedRefs[:n]...)
	r.stored, r.storedRefs = r.stored[n:], r.storedRefs[n:]
	if n == 0 {
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

// Close lets go of the cut if it is the scan's own.
func (r *Scan) Close() error {
	if r.own != nil {
		r.own.Close()
		r.own = nil
	}
	return nil
}

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

// Lookup finds the rows that have the primary keys of the live rows given; only
// the key columns are looked at. found[i] tells which live row existing row i,
// named by refs[i], was found for; existing has all columns.
func (s *Store) Lookup(id string, rows *batch.Batch) (existing *batch.Batch, refs []Ref, found []int, err error) {
	s.mu.RLock()
	t, err := s.find(id)
	s.mu.RUnlock()
	if err != nil {
		return nil, nil, nil, err
	}
	if !t.unique {
		return nil, nil, nil, pgerr.New(pgerr.InvalidColumnReference, "there is no unique constraint matching the ON CONFLICT specification")
	}
	// The index is searched through the table's scratch space, hence the lock.
	s.mu.Lock()
	defer s.mu.Unlock()
	var versions []uint32
	var row []byte
	for k := range rows.Live() {
		row = t.codec.encode(row[:0], rows, rows.RowAt(k))
		if v := t.rows.find(row); v != 0 {
			versions = append(versions, v)
			refs = append(refs, Ref{Row: t.rows.versions[v].rowID, Version: t.rows.versions[v].born})
			found = append(found, k)
		}
	}
	existing = batch.New(t.codec.phys, len(versions))
	want := make([]int, len(t.codec.phys))
	for i := range want {
		want[i] = i
	}
	t.fill(existing, want, versions)
	return existing, refs, found, nil
}
