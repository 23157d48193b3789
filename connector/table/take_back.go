package table

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
)

// Written tells which transactions brought in what a job wrote after a point: what
// sinks of it committed, and what was taken back of that before.
type Written struct {
	Since     []byte   // a Mark that is not after the first of them
	Jobs      []string // the ids that the job has and had
	Operators []string // its sinks
	// What Point committed up to Epoch was written before the point.
	Point string
	Epoch uint64
}

// Mark is the place in the log, as an offset, behind which the next transaction
// comes.
func (s *Store) Mark() []byte { return offset{position: s.Position()}.text() }

// Back is a transaction that takes back what a job wrote to tables after a point: a
// key that the job was the last to change gets the row, or none, that it had before
// the job changed it. Without a primary key, of each row as many copies go or come as the
// job wrote or took away, whoever had those copies. It keeps the log that it reads until it
// is closed. The job must not write meanwhile.
type Back struct {
	store    *Store
	written  Written
	pin      *pin
	cursor   *cursor
	position uint64 // it has read up to here
	trails   []*trail
}

// TakeBack reads what a job wrote to tables. What the log does not tell any more is
// a *connector.GoneError.
func (s *Store) TakeBack(tables []string, w Written) (*Back, error) {
	since, err := parseOffset(w.Since)
	if err != nil {
		return nil, err
	}
	b := &Back{store: s, written: w, position: since.position, pin: &pin{position: since.position}}
	s.mu.Lock()
	for _, id := range tables {
		t, err := s.find(id)
		if err == nil {
			err = (&source{store: s, table: t}).check(offset{position: since.position})
		}
		if err != nil {
			s.mu.Unlock()
			return nil, err
		}
		b.trails = append(b.trails, &trail{table: t, rows: map[string]int{}})
	}
	s.pins[b.pin] = struct{}{}
	s.mu.Unlock()
	b.cursor = &cursor{log: s.log}
	if err = b.cursor.seek(since.position + 1); err == nil {
		err = b.Read()
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Close lets go of the log.
func (b *Back) Close() {
	b.cursor.close()
	b.store.unpin(b.pin)
}

// Read reads on to the end of the log: to be called when others were faster.
func (b *Back) Read() error {
	for {
		payload, err := b.cursor.next()
		if err != nil || payload == nil {
			return err
		}
		if err := eachTxn(payload, b.read); err != nil {
			return err
		}
	}
}

func (b *Back) read(position uint64, entries []entry) error {
	if position <= b.position {
		return nil
	}
	b.position = position
	own, drops := false, false
	for _, e := range entries {
		own = own || e.kind == writerEntry && b.written.has(string(e.body))
		drops = drops || e.kind == dropEntry
	}
	for _, e := range entries {
		switch {
		case e.kind == createEntry && drops:
			d, err := decodeTable(e.body)
			if err != nil {
				return err
			}
			if b.trail(d.Number) != nil {
				return &connector.GoneError{Message: "it has got other columns since, or another key"}
			}
		case e.kind == changesEntry:
			c, err := openChanges(e.body)
			if err != nil {
				return err
			}
			if t := b.trail(c.table); t != nil {
				if err := t.follow(c, own); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *Back) trail(number uint32) *trail {
	for _, t := range b.trails {
		if t.table.number == number {
			return t
		}
	}
	return nil
}

// backSuffix is what the name of a pending file ends in that stands for what was
// taken back.
const backSuffix = "back"

// has reports whether a pending file was written by the job after the point. Its
// name is that of its writer, the run, the task and the epoch.
func (w *Written) has(file string) bool {
	for _, op := range w.Operators {
		for _, id := range w.Jobs {
			rest, ok := strings.CutPrefix(file, pendingPrefix(connector.WriterID{JobID: id, Operator: op}))
			if !ok {
				continue
			}
			epoch, err := strconv.ParseUint(rest[strings.LastIndexByte(rest, '-')+1:], 10, 64)
			return err != nil || id != w.Point || epoch > w.Epoch
		}
	}
	return false
}

// Tables are the ids of those in which there is something to take back.
func (b *Back) Tables() (ids []string) {
	for _, t := range b.trails {
		if gone, back := b.inverse(t); len(gone)+len(back) > 0 {
			ids = append(ids, t.table.def.ID)
		}
	}
	return ids
}

// Commit takes back what there is, in the name of a job, so that it can itself be taken
// back. When others have changed one of the tables since Read, the error is 40001:
// read on and try again.
func (b *Back) Commit(ctx context.Context, by string) error { return b.commit(ctx, by, nil) }

// CommitWith is Commit as Txn.CommitWith does it.
func (b *Back) CommitWith(ctx context.Context, by, id string, decide func(forget string) error) error {
	return b.commit(ctx, by, &joint{id: id, decide: decide})
}

func (b *Back) commit(ctx context.Context, by string, with *joint) error {
	txn := &pendingTxn{guards: map[string]uint64{}, joint: with}
	for _, t := range b.trails {
		gone, back := b.inverse(t)
		if len(gone)+len(back) == 0 {
			continue
		}
		if err := b.checkNulls(t.table, back); err != nil {
			return err
		}
		body := appendChanges(nil, t.table.number, len(gone)+len(back))
		for _, row := range gone {
			body = appendChange(body, uint8(batch.Delete), 0, []byte(row))
		}
		for _, row := range back {
			body = appendChange(body, uint8(batch.Insert), 0, []byte(row))
		}
		txn.changes = append(txn.changes, Change{Table: t.table.def.ID, Action: Merge, stored: body})
		txn.guards[t.table.def.ID] = b.position
	}
	for _, op := range b.written.Operators {
		txn.writers = append(txn.writers, pendingPrefix(connector.WriterID{JobID: by, Operator: op})+backSuffix)
	}
	_, err := b.store.commit(ctx, txn)
	return err
}

// checkNulls refuses rows with nulls in columns that have become NOT NULL since.
func (b *Back) checkNulls(t *table, rows []string) error {
	b.store.mu.RLock()
	def := t.def
	b.store.mu.RUnlock()
	for k, col := range def.Columns {
		for _, row := range rows {
			if !col.NotNull || !t.codec.isNull([]byte(row), k) {
				continue
			}
			one := batch.New(t.codec.phys, 1)
			for i, c := range one.Cols {
				t.codec.decode([]byte(row), i, c, 0)
				c.Resize(1)
			}
			one.N = 1
			return NullViolation(&def, k, one, 0)
		}
	}
	return nil
}

// trail is what became of the rows of one table that a job has changed.
type trail struct {
	table   *table
	rows    map[string]int // by key, or whole row without one → in changed
	changed []changedRow
	key     []byte
}

// changedRow is a key, or a row without one.
type changedRow struct {
	own      bool // the job was the last to change it
	was, is  string
	wasThere bool // there was a row before the job's first change
	isThere  bool
	copies   int // without a key: of is, that the job wrote, less those that it took away
}

// follow takes the changes of one transaction.
func (t *trail) follow(c changeCursor, own bool) error {
	for c.left > 0 {
		op, _, row, err := c.next()
		if err == nil {
			err = t.table.codec.check(row)
		}
		if err != nil {
			return err
		}
		if t.key = append(t.key[:0], row...); t.table.unique {
			t.key = t.table.codec.appendKey(t.key[:0], row, t.table.def.Key)
		}
		i, known := t.rows[string(t.key)]
		if !own {
			if known {
				t.changed[i].own = false
			}
			continue
		}
		if !known {
			i = len(t.changed)
			t.rows[string(t.key)] = i
			t.changed = append(t.changed, changedRow{})
		}
		r, there := &t.changed[i], !batch.Op(op).Retracts()
		if !t.table.unique {
			if r.is = string(row); there {
				r.copies++
			} else {
				r.copies--
			}
			continue
		}
		if !r.own {
			*r = changedRow{own: true}
			if !there {
				r.was, r.wasThere = string(row), true
			}
		}
		r.is, r.isThere = "", there
		if there {
			r.is = string(row)
		}
	}
	return nil
}

// inverse is which rows are to go and which to come, the former first: what is
// unique about a row may have been another's.
func (b *Back) inverse(t *trail) (gone, back []string) {
	b.store.mu.RLock()
	unique := len(t.table.keys) > 1 // beside the key
	b.store.mu.RUnlock()
	for i := range t.changed {
		r := &t.changed[i]
		if !t.table.unique {
			gone = append(gone, slices.Repeat([]string{r.is}, max(r.copies, 0))...)
			back = append(back, slices.Repeat([]string{r.is}, max(-r.copies, 0))...)
			continue
		}
		if !r.own || r.wasThere == r.isThere && r.was == r.is {
			continue
		}
		if r.isThere && (!r.wasThere || unique) {
			gone = append(gone, r.is) // else it is replaced
		}
		if r.wasThere {
			back = append(back, r.was)
		}
	}
	return gone, back
}
