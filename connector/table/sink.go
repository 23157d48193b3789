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
	"slices"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
)

// Sink writes a job's rows to a table. What a writer pre-commits lies in
// pending files; CommitAll applies those of a checkpoint, of all of the job's sinks, as
// one transaction, or several if they are large, which record their names in the log, so
// that each is applied once.
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

func (s *Store) pendingPath(name string) string { return filepath.Join(s.pendingDir(), name) }

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
	// parts are files with what came before in this epoch: they get its number later.
	parts []string
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
		if w.rows > 0 && len(w.body)+len(w.row) > w.sink.store.opt.PartBytesMax {
			name := fmt.Sprintf("%s%s-%d.%d-part", pendingPrefix(w.id), hash(w.id.Incarnation), w.id.Task, len(w.parts))
			if err := w.store(name); err != nil {
				return err
			}
			w.parts = append(w.parts, name)
		}
		w.body = appendChange(w.body, uint8(b.Op(i)), 0, w.row)
		w.rows++
	}
	if refused != nil {
		return refused
	}
	return nil
}

// committable is what PreCommit returns, as JSON: version 1 has one file, version 2
// several.
type committable struct {
	Version int      `json:"version"`
	File    string   `json:"file,omitempty"`
	Files   []string `json:"files,omitempty"`
}

// PreCommit makes the rows durable in pending files.
func (w *writer) PreCommit(_ context.Context, epoch uint64) ([]byte, error) {
	if w.rows == 0 {
		return nil, nil // parts are there only with rows behind them
	}
	prefix := fmt.Sprintf("%s%s-%d", pendingPrefix(w.id), hash(w.id.Incarnation), w.id.Task)
	c := committable{Version: 1, File: fmt.Sprintf("%s-%d", prefix, epoch)}
	if err := w.store(c.File); err != nil {
		return nil, err
	}
	if w.parts != nil {
		for i, part := range w.parts {
			name := fmt.Sprintf("%s.%d-%d", prefix, i, epoch)
			if err := os.Rename(w.sink.store.pendingPath(part), w.sink.store.pendingPath(name)); err != nil {
				return nil, fmt.Errorf("name pending rows of table %s: %w", w.sink.table.def.Name, err)
			}
			c.Files = append(c.Files, name)
		}
		c = committable{Version: 2, Files: append(c.Files, c.File)}
		w.parts = nil
		if err := syncDir(w.sink.store.pendingDir()); err != nil {
			return nil, fmt.Errorf("write pending rows of table %s: %w", w.sink.table.def.Name, err)
		}
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode what is to be committed: %w", err)
	}
	return raw, nil
}

// store writes the rows that w holds to a file, and lets go of them.
func (w *writer) store(name string) error {
	frame := appendTxn(beginFrame(nil), 0, 1)
	at := len(frame)
	frame = appendChanges(appendEntry(frame, changesEntry), w.sink.table.number, w.rows)
	frame = append(frame, w.body...)
	sealEntry(frame, at)
	sealFrame(frame, 0)
	err := writeDurably(w.sink.store.pendingPath(name), !w.sink.store.opt.NoSync, func(f *bufio.Writer) error {
		_, err := f.Write(frame)
		return err
	})
	if err != nil {
		return fmt.Errorf("write pending rows of table %s: %w", w.sink.table.def.Name, err)
	}
	if w.rows, w.body = 0, w.body[:0]; cap(w.body) > 1<<20 {
		w.body = nil // who wrote much once need not again
	}
	return nil
}

// Close drops what was not pre-committed.
func (w *writer) Close() error {
	for _, part := range w.parts {
		_ = os.Remove(w.sink.store.pendingPath(part)) // Abort of a later run does it else
	}
	return nil
}

func pendingPrefix(id connector.WriterID) string { return hash(id.JobID, id.Operator) + "-" }

// Commit applies the pending files. Those that the log knows, or that are gone because
// they have been applied, are passed over.
func (k *sink) Commit(ctx context.Context, committables [][]byte) error {
	return k.CommitAll(ctx, []connector.Part{{Sink: k, Committables: committables}})
}

// pendingFile is one that a sink is to apply.
type pendingFile struct {
	sink *sink
	name string
	body []byte // its changes entry
}

// CommitAll implements connector.Combined.
func (k *sink) CommitAll(ctx context.Context, parts []connector.Part) error {
	var files []pendingFile
	for _, p := range parts {
		of := p.Sink.(*sink)
		names, err := of.files(p.Committables)
		if err != nil {
			return err
		}
		for _, name := range names {
			files = append(files, pendingFile{sink: of, name: name})
		}
	}
	var together []pendingFile
	bytes := 0
	for _, f := range files {
		var err error
		if f.body, err = f.sink.unapplied(f.name); err != nil {
			return err
		}
		if f.body == nil {
			continue
		}
		if bytes > 0 && bytes+len(f.body) > 4*k.store.opt.PartBytesMax {
			if err := k.store.commitFiles(ctx, together); err != nil {
				return err
			}
			together, bytes = nil, 0
		}
		together = append(together, f)
		bytes += len(f.body)
	}
	if err := k.store.commitFiles(ctx, together); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Remove(k.store.pendingPath(f.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete pending rows: %w", err)
		}
	}
	return nil
}

// commitFiles applies pending files in one transaction, or in several when it does not fit
// into a frame.
func (s *Store) commitFiles(ctx context.Context, files []pendingFile) error {
	if len(files) == 0 {
		return nil
	}
	txn := &pendingTxn{}
	var tables []string
	s.mu.RLock()
	for _, f := range files {
		def := &f.sink.table.def
		txn.changes = append(txn.changes, Change{Table: def.ID, Action: Merge, stored: f.body})
		txn.writers = append(txn.writers, f.name)
		if !slices.Contains(tables, def.Name) {
			tables = append(tables, def.Name)
		}
	}
	s.mu.RUnlock()
	_, err := s.commit(ctx, txn)
	if half := len(files) / 2; half > 0 && errors.Is(err, errFrameFull) {
		if err := s.commitFiles(ctx, files[:half]); err != nil {
			return err
		}
		return s.commitFiles(ctx, files[half:])
	}
	if err != nil {
		return fmt.Errorf("commit to table %s: %w", strings.Join(tables, ", "), err)
	}
	return nil
}

// files are the names of the pending files of committables.
func (k *sink) files(committables [][]byte) (names []string, err error) {
	for _, raw := range committables {
		var c committable
		err := json.Unmarshal(raw, &c)
		if c.Version == 1 {
			c.Files = []string{c.File}
		}
		if err != nil || slices.ContainsFunc(c.Files, func(f string) bool { return f == "" || f != filepath.Base(f) }) {
			return nil, fmt.Errorf("decode what is to be committed to table %s: %q", k.table.def.Name, raw)
		}
		if c.Version > 2 {
			return nil, fmt.Errorf("commit to table %s: version %d is newer than this program", k.table.def.Name, c.Version)
		}
		names = append(names, c.Files...)
	}
	return names, nil
}

// unapplied is the changes entry of a pending file, nil if it has been applied.
func (k *sink) unapplied(name string) ([]byte, error) {
	k.store.mu.RLock()
	_, applied := k.store.writers[name]
	k.store.mu.RUnlock()
	if applied {
		return nil, nil
	}
	body, err := k.pending(name)
	if errors.Is(err, os.ErrNotExist) {
		k.store.opt.Log.Info("rows for a table were committed before", "table", k.table.def.Name, "file", name)
		return nil, nil
	}
	return body, err
}

// pending reads the changes entry of a pending file.
func (k *sink) pending(name string) ([]byte, error) {
	path := k.store.pendingPath(name)
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
		if err := os.Remove(k.store.pendingPath(e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete pending rows: %w", err)
		}
	}
	return nil
}
