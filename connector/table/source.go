package table

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
)

// SplitID is the one split of a table. A table is not divided: its changes have
// one order, so that what a job computes from them, lateness included, does not
// depend on parallelism.
const SplitID = "table"

// offset is a place in the reading of a table. In text:
//
//	snapshot:<position>:<row id>   the rows as of position, up to that row id, are delivered
//	log:<position>                 all changes up to position are delivered
//	log:<position>+<rows>          and so many rows of the transaction after it
type offset struct {
	snapshot bool
	position uint64
	row      uint64
}

func (o offset) text() []byte {
	if o.snapshot {
		return fmt.Appendf(nil, "snapshot:%d:%d", o.position, o.row)
	}
	if o.row > 0 {
		return fmt.Appendf(nil, "log:%d+%d", o.position, o.row)
	}
	return fmt.Appendf(nil, "log:%d", o.position)
}

func parseOffset(b []byte) (offset, error) {
	kind, rest, _ := strings.Cut(string(b), ":")
	sep := "+"
	if kind == "snapshot" {
		sep = ":"
	}
	head, tail, more := strings.Cut(rest, sep)
	o := offset{snapshot: kind == "snapshot"}
	var err error
	if o.position, err = strconv.ParseUint(head, 10, 64); err == nil && more {
		o.row, err = strconv.ParseUint(tail, 10, 64)
	}
	if err != nil || kind != "snapshot" && kind != "log" || o.snapshot && !more {
		return offset{}, fmt.Errorf("bad offset %q of an own table", b)
	}
	return o, nil
}

// OffsetPosition returns the position up to which a reader with that offset has
// delivered everything: a FLUSH is over when it has reached Store.Position. A
// reader that is still at the snapshot has delivered nothing yet.
func OffsetPosition(text []byte) (uint64, error) {
	o, err := parseOffset(text)
	if err != nil || o.snapshot {
		return 0, err
	}
	return o.position, nil
}

// Source reads a table: first its rows, as inserts, then its changes.
func (s *Store) Source(id string) (connector.Source, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.find(id)
	if err != nil {
		return nil, err
	}
	return &source{store: s, table: t}, nil
}

type source struct {
	store *Store
	table *table
	// at is the position of the last transaction that the reader has begun with, fence the
	// one that it is not to go beyond, 0 for none. fenceMu guards both.
	at, fence uint64
}

// Fence has the readers of sources of this store stop behind the same transaction, until
// they are told to pass: the last one that any of them has begun with or, to catch up, the
// newest there is.
func (s *Store) Fence(sources []connector.Source, catchUp bool) {
	position := uint64(0)
	if catchUp {
		position = s.Position()
	}
	s.fenceMu.Lock()
	defer s.fenceMu.Unlock()
	for _, x := range sources {
		if t, ok := x.(*source); ok && t.store == s {
			position = max(position, t.at)
		}
	}
	for _, x := range sources {
		if t, ok := x.(*source); ok && t.store == s {
			t.fence = position
		}
	}
}

// begin notes that rows of a transaction are to be delivered, unless that lies beyond the
// fence.
func (s *source) begin(position uint64) bool {
	s.store.fenceMu.Lock()
	defer s.store.fenceMu.Unlock()
	if s.fence != 0 && position > s.fence {
		return false
	}
	s.at = max(s.at, position)
	return true
}

// Schema returns the table's columns.
func (s *source) Schema() []connector.Column {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	return s.table.def.Columns
}

// Follows is false: there is ever one split, though it does not end.
func (s *source) Follows() bool { return false }

// Splits lists the one split.
func (s *source) Splits(context.Context) ([]connector.Split, error) {
	return []connector.Split{{ID: SplitID}}, nil
}

// Open starts a reader. An offset that lies behind what is retained is refused.
func (s *source) Open(_ context.Context, split connector.Split, at []byte, want []int) (connector.Reader, error) {
	if split.ID != SplitID {
		return nil, fmt.Errorf("open table %s: no split %q", s.table.def.Name, split.ID)
	}
	st := s.store
	st.mu.Lock()
	defer st.mu.Unlock()
	r := &reader{store: st, source: s, table: s.table, want: want, limit: math.MaxUint64, offset: offset{snapshot: true, position: st.durable}}
	if at != nil {
		var err error
		if r.offset, err = parseOffset(at); err != nil {
			return nil, err
		}
	}
	if err := s.check(r.offset); err != nil {
		return nil, pgerr.New(pgerr.ObjectNotInPrerequisiteState, "%s", err.Error()).Wrap(err)
	}
	s.begin(r.offset.position)
	r.pin = &pin{position: r.offset.position, snapshot: r.offset.snapshot}
	st.pins[r.pin] = struct{}{}
	if r.offset.snapshot {
		r.versions = s.table.rows.visible(r.offset.position, r.offset.row)
	}
	return r, nil
}

// CheckOffsets implements connector.OffsetChecker.
func (s *source) CheckOffsets(_ context.Context, _ []connector.Split, offsets [][]byte) error {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	for _, at := range offsets {
		if at == nil {
			continue
		}
		o, err := parseOffset(at)
		if err == nil {
			err = s.check(o)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check refuses an offset whose rows or changes are not there. The store's lock
// is held.
func (s *source) check(o offset) error {
	st := s.store
	oldest := st.log.oldest() - 1
	if o.snapshot {
		oldest = max(oldest, st.reclaimed)
	}
	if o.position < oldest {
		return &connector.GoneError{Message: fmt.Sprintf("table %q cannot be read from position %d any more: the oldest there is is %d", s.table.def.Name, o.position, oldest)}
	}
	if o.position > st.durable {
		return &connector.GoneError{Message: fmt.Sprintf("table %q cannot be read from position %d: the newest there is is %d, so the position is of another store, or the data folder was put back to an older state", s.table.def.Name, o.position, st.durable)}
	}
	return nil
}

// reader delivers one table. offset is where it stands.
type reader struct {
	store    *Store
	source   *source
	table    *table
	want     []int
	offset   offset
	pin      *pin
	versions []uint32 // of the snapshot, still to be delivered
	ready    chan struct{}
	ops      []batch.Op

	cursor *cursor
	txns   []tableTxn // of the frame at hand, still to be delivered
	rows   changeCursor
	held   bool   // the next transaction lies beyond the fence or the limit
	limit  uint64 // no row of a later position is to be delivered
	skip   uint64 // rows of the next transaction that were delivered before
}

// tableTxn is what one transaction did to the table.
type tableTxn struct {
	position uint64
	bodies   [][]byte
}

// Read implements connector.Reader.
func (r *reader) Read(_ context.Context, out *batch.Batch, max int) (connector.Status, error) {
	if r.offset.snapshot {
		if len(r.versions) > 0 && r.offset.position > r.limit {
			return connector.More, nil
		}
		if len(r.versions) > 0 {
			r.readSnapshot(out, max)
			return connector.More, nil
		}
		r.offset = offset{position: r.offset.position}
		r.moveTo(r.offset.position)
	}
	r.store.mu.RLock()
	r.ready = r.store.changed
	dropped, closed := r.table.dropped, r.store.closed
	r.store.mu.RUnlock()
	if dropped || closed {
		return connector.End, pgerr.New(pgerr.UndefinedTable, "table %q has been dropped", r.table.def.Name)
	}
	room := max
	if room == 1 {
		room = 2 // for an update
	}
	prepare(out, room)
	if err := r.readLog(out, max); err != nil {
		return connector.End, fmt.Errorf("read table %s: %w", r.table.def.Name, err)
	}
	for _, c := range out.Cols {
		c.Resize(out.N)
	}
	if out.N == 0 && !r.held {
		return connector.Idle, nil
	}
	return connector.More, nil
}

func (r *reader) readSnapshot(out *batch.Batch, max int) {
	part := r.versions[:min(len(r.versions), max)]
	r.versions = r.versions[len(part):]
	r.store.mu.RLock()
	defer r.store.mu.RUnlock()
	r.table.fill(out, r.want, part)
	r.offset.row = r.table.rows.versions[part[len(part)-1]].rowID
}

// moveTo lets go of what lies before position.
func (r *reader) moveTo(position uint64) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.pin.position, r.pin.snapshot = position, false
}

// readLog delivers changes until out is full or the log is at its end.
func (r *reader) readLog(out *batch.Batch, max int) error {
	if r.cursor == nil {
		r.skip = r.offset.row
		c := &cursor{log: r.store.log}
		if err := c.seek(r.offset.position + 1); err != nil {
			return err
		}
		r.cursor = c
	}
	r.ops = r.ops[:0]
	changes := false
	for out.N < max {
		if r.rows.left == 0 {
			more, err := r.advance()
			if err != nil {
				return err
			}
			if !more {
				break
			}
			continue
		}
		before := r.rows
		op, _, row, err := r.rows.next()
		if err == nil {
			err = r.table.codec.check(row)
		}
		if err != nil {
			return err
		}
		if r.skip > 0 {
			r.skip--
			continue
		}
		o := batch.Op(op)
		switch {
		case o == batch.UpdateBefore && out.N+1 == max && out.N > 0:
			r.rows = before // the pair stays together in the next batch
			max = out.N
			continue
		case o == batch.UpdateBefore && max == 1:
			max = 2
		case o == batch.UpdateAfter && out.N == 0:
			o = batch.Insert
		}
		for k, w := range r.want {
			r.table.codec.decode(row, w, out.Cols[k], out.N)
		}
		r.ops = append(r.ops, o)
		changes = changes || o != batch.Insert
		out.N++
		r.offset.row++
	}
	if changes {
		out.Ops = r.ops
	}
	return nil
}

// advance goes to the next rows of the table: within the transaction, the frame,
// or the log. It reports false at the end of the log, at the fence and at the limit.
func (r *reader) advance() (bool, error) {
	r.held = false
	for {
		if len(r.txns) > 0 && len(r.txns[0].bodies) > 0 {
			at := r.txns[0].position
			if r.held = at > r.limit || !r.source.begin(at); r.held {
				return false, nil
			}
			var err error
			r.rows, err = openChanges(r.txns[0].bodies[0])
			r.txns[0].bodies = r.txns[0].bodies[1:]
			return true, err
		}
		if len(r.txns) > 0 {
			r.offset = offset{position: r.txns[0].position}
			r.txns = r.txns[1:]
			continue
		}
		payload, err := r.cursor.next()
		if err != nil || payload == nil {
			return false, err
		}
		if err := r.load(payload); err != nil {
			return false, err
		}
		r.moveTo(r.offset.position)
	}
}

// load finds the table's rows in a frame.
func (r *reader) load(payload []byte) error {
	r.txns = r.txns[:0]
	return eachTxn(payload, func(position uint64, entries []entry) error {
		if position <= r.offset.position {
			return nil
		}
		t := tableTxn{position: position}
		for _, e := range entries {
			if e.kind != changesEntry {
				continue
			}
			c, err := openChanges(e.body)
			if err != nil {
				return err
			}
			if c.table == r.table.number {
				t.bodies = append(t.bodies, e.body)
			}
		}
		r.txns = append(r.txns, t)
		return nil
	})
}

// Ready is closed when something has been committed since the last Read.
func (r *reader) Ready() <-chan struct{} { return r.ready }

// Fence implements connector.Fenced.
func (r *reader) Fence() (there, reached bool) {
	r.store.fenceMu.Lock()
	defer r.store.fenceMu.Unlock()
	return r.source.fence != 0, !r.offset.snapshot && r.offset.position >= r.source.fence
}

// Pass implements connector.Fenced.
func (r *reader) Pass() {
	r.store.fenceMu.Lock()
	defer r.store.fenceMu.Unlock()
	r.source.fence = 0
}

// Position implements connector.Positioned.
func (r *reader) Position() uint64 {
	if r.offset.snapshot {
		return 0
	}
	return r.offset.position
}

// Limit implements connector.Positioned.
func (r *reader) Limit(position uint64) { r.limit = position }

// Offset implements connector.Reader.
func (r *reader) Offset() []byte { return r.offset.text() }

// Close lets go of the log and the rows.
func (r *reader) Close() error {
	if r.cursor != nil {
		r.cursor.close()
	}
	r.store.unpin(r.pin)
	return nil
}
