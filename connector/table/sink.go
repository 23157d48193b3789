package table

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
)

// Sink writes a job's rows to a table. What a writer pre-commits lies in a
// pending file; Commit applies the files of a checkpoint as one transaction,
// which records their names in the log, so that each is applied once.
func (s *Store) Sink(id string) (connector.Sink, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.find(id)
	if err != nil {
		return nil, err
	}
	return &sink{store: s, table: t}, nil
}

type sink struct {
	store *Store
	table *table
}

func (s *Store) pendingDir() string { return filepath.Join(s.dir, "pending") }

func hash(parts ...string) string {
	h := fnv.New64a()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Open starts a task's writer.
func (k *sink) Open(_ context.Context, id connector.WriterID) (connector.Writer, error) {
	return &writer{sink: k, id: id}, nil
}

// writer collects one task's rows in the table's layout.
type writer struct {
	sink *sink
	id   connector.WriterID
	rows int
	body []byte // of a changes entry, without its head
	row  []byte
}

// Write takes a changelog with all of the table's columns.
func (w *writer) Write(_ context.Context, b *batch.Batch) error {
	t := w.sink.table
	w.sink.store.mu.RLock()
	def := t.def // an ALTER may change it
	w.sink.store.mu.RUnlock()
	if err := checkNulls(&def, &Change{Table: def.ID, Action: Merge, Rows: b}); err != nil {
		return err
	}
	var refused connector.RefusedRows
	for k := range b.Live() {
		i := b.RowAt(k)
		w.row = t.codec.encode(w.row[:0], b, i)
		if len(w.row) > rowBytesMax {
			if !b.Op(i).Retracts() { // else it was refused when it came
				refused = append(refused, connector.RefusedRow{Row: i,
					Err: pgerr.New(pgerr.ProgramLimitExceeded, "row of %d bytes is larger than the %d that table %q takes", len(w.row), rowBytesMax, t.def.Name)})
			}
			continue
		}
		w.body = appendChange(w.body, uint8(b.Op(i)), 0, w.row)
		w.rows++
	}
	if len(w.body) > frameMax/2 {
		return pgerr.New(pgerr.ProgramLimitExceeded, "more than %d bytes for table %q between two checkpoints", frameMax/2, t.def.Name).
			Hint("Shorten checkpoint_interval.")
	}
	if refused != nil {
		return refused
	}
	return nil
}

// committable is what PreCommit returns, as JSON.
type committable struct {
	Version int    `json:"version"`
	File    string `json:"file"`
}

// PreCommit makes the rows durable in a pending file.
func (w *writer) PreCommit(_ context.Context, epoch uint64) ([]byte, error) {
	if w.rows == 0 {
		return nil, nil
	}
	frame := appendTxn(beginFrame(nil), 0, 1)
	at := len(frame)
	frame = appendChanges(appendEntry(frame, changesEntry), w.sink.table.number, w.rows)
	frame = append(frame, w.body...)
	sealEntry(frame, at)
	sealFrame(frame, 0)
	name := fmt.Sprintf("%s%s-%d-%d", pendingPrefix(w.id), hash(w.id.Incarnation), w.id.Task, epoch)
	err := writeDurably(filepath.Join(w.sink.store.pendingDir(), name), !w.sink.store.opt.NoSync, func(f *bufio.Writer) error {
		_, err := f.Write(frame)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("write pending rows of table %s: %w", w.sink.table.def.Name, err)
	}
	w.rows, w.body = 0, w.body[:0]
	raw, err := json.Marshal(committable{Version: 1, File: name})
	if err != nil {
		return nil, fmt.Errorf("encode what is to be committed: %w", err)
	}
	return raw, nil
}

// Close drops what was not pre-committed.
func (w *writer) Close() error { return nil }

func pendingPrefix(id connector.WriterID) string { return hash(id.JobID, id.Operator) + "-" }

// Commit applies the pending files in one transaction. Those that the log knows,
// or that are gone because they have been applied, are passed over.
func (k *sink) Commit(ctx context.Context, committables [][]byte) error {
	txn := &pendingTxn{}
	var names []string
	for _, raw := range committables {
		var c committable
		if err := json.Unmarshal(raw, &c); err != nil || c.File == "" || c.File != filepath.Base(c.File) {
			return fmt.Errorf("decode what is to be committed to table %s: %q", k.table.def.Name, raw)
		}
		if c.Version != 1 {
			return fmt.Errorf("commit to table %s: version %d is newer than this program", k.table.def.Name, c.Version)
		}
		names = append(names, c.File)
		k.store.mu.RLock()
		_, applied := k.store.writers[c.File]
		k.store.mu.RUnlock()
		if applied {
			continue
		}
		body, err := k.pending(c.File)
		if errors.Is(err, os.ErrNotExist) {
			k.store.opt.Log.Info("rows for a table were committed before", "table", k.table.def.Name, "file", c.File)
			continue
		}
		if err != nil {
			return err
		}
		txn.changes = append(txn.changes, Change{Table: k.table.def.ID, Action: Merge, stored: body})
		txn.writers = append(txn.writers, c.File)
	}
	if len(txn.changes) > 0 {
		if _, err := k.store.commit(ctx, txn); err != nil {
			return fmt.Errorf("commit to table %s: %w", k.table.def.Name, err)
		}
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(k.store.pendingDir(), name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete pending rows: %w", err)
		}
	}
	return nil
}

// pending reads the changes entry of a pending file.
func (k *sink) pending(name string) ([]byte, error) {
	path := filepath.Join(k.store.pendingDir(), name)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read pending rows: %w", err)
	}
	payload, n, err := openFrame(data)
	if err == nil && n != len(data) {
		err = errDamaged
	}
	var body []byte
	if err == nil {
		err = eachTxn(payload, func(_ uint64, entries []entry) error {
			if len(entries) != 1 || entries[0].kind != changesEntry || body != nil {
				return errDamaged
			}
			body = entries[0].body
			c, err := openChanges(body)
			if err == nil && c.table != k.table.number {
				err = fmt.Errorf("the rows are of table number %d, not %d", c.table, k.table.number)
			}
			return err
		})
	}
	if err != nil {
		return nil, errCorrupt(path, 0, err)
	}
	return body, nil
}

// Abort deletes what other incarnations of the job's operator left pending and
// was not applied. It is to be called after Commit of what a checkpoint covers.
func (k *sink) Abort(_ context.Context, id connector.WriterID) error {
	entries, err := os.ReadDir(k.store.pendingDir())
	if err != nil {
		return fmt.Errorf("list pending rows: %w", err)
	}
	prefix := pendingPrefix(id)
	own := prefix + hash(id.Incarnation) + "-"
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) || id.Incarnation != "" && strings.HasPrefix(e.Name(), own) {
			continue
		}
		if err := os.Remove(filepath.Join(k.store.pendingDir(), e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete pending rows: %w", err)
		}
	}
	return nil
}
