package table

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// retention is what a holder keeps: the log behind Position, and if Snapshot is
// set the rows as of it.
type retention struct {
	Position uint64  `json:"position"`
	Snapshot *uint64 `json:"snapshot,omitempty"`
}

func (s *Store) retainedPath() string { return filepath.Join(s.dir, "retained.json") }

// Retain keeps, durably, whatever readers need to go on from the offsets given,
// until Release. The holder is a name: of a checkpoint or a savepoint. A second
// Retain of a holder takes the place of the first.
func (s *Store) Retain(holder string, offsets ...[]byte) error {
	if len(offsets) == 0 {
		return s.Release(holder)
	}
	r := retention{Position: ^uint64(0)}
	for _, o := range offsets {
		at, err := parseOffset(o)
		if err != nil {
			return err
		}
		r.Position = min(r.Position, at.position)
		if at.snapshot && (r.Snapshot == nil || at.position < *r.Snapshot) {
			p := at.position
			r.Snapshot = &p
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, had := s.retained[holder]
	s.retained[holder] = r
	if err := s.saveRetained(); err != nil {
		if delete(s.retained, holder); had {
			s.retained[holder] = old
		}
		return err
	}
	return nil
}

// Release lets go of what the holder kept; an unknown holder is no error.
func (s *Store) Release(holder string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.retained[holder]; !ok {
		return nil
	}
	delete(s.retained, holder)
	return s.saveRetained()
}

// Holders lists who retains something.
func (s *Store) Holders() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []string
	for h := range s.retained {
		out = append(out, h)
	}
	return out
}

func (s *Store) saveRetained() error {
	data, err := json.Marshal(s.retained)
	if err == nil {
		err = writeDurably(s.retainedPath(), !s.opt.NoSync, func(w *bufio.Writer) error {
			_, err := w.Write(data)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("save what is retained of own tables: %w", err)
	}
	return nil
}

func (s *Store) loadRetained() error {
	data, err := os.ReadFile(s.retainedPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s.retained)
	}
	if err != nil {
		return fmt.Errorf("read what is retained of own tables, %s: %w", s.retainedPath(), err)
	}
	return nil
}

// writeDurably replaces a file as one step.
func writeDurably(path string, sync bool, fill func(w *bufio.Writer) error) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err = fill(w); err == nil {
		err = w.Flush()
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil && sync {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}

// CompactIfNeeded compacts when enough has been written since the last snapshot.
func (s *Store) CompactIfNeeded(ctx context.Context) error {
	s.mu.RLock()
	due := s.sinceSnap >= s.opt.CompactBytesMin
	s.mu.RUnlock()
	if !due {
		return nil
	}
	return s.Compact(ctx)
}

// Compact writes the rows as of the newest position that nobody looks behind to
// a snapshot file, and deletes the log files that no reader, checkpoint or
// savepoint needs. Writers and readers go on meanwhile.
func (s *Store) Compact(ctx context.Context) error {
	s.compactMu.Lock()
	defer s.compactMu.Unlock()
	s.mu.Lock()
	if err := s.usable(); err != nil {
		s.mu.Unlock()
		return err
	}
	at := s.versionHorizon()
	written := s.sinceSnap
	hold := &pin{position: at, snapshot: true}
	s.pins[hold] = struct{}{}
	s.mu.Unlock()
	defer s.unpin(hold)
	if at > s.snapshot {
		if err := s.writeSnapshot(ctx, at); err != nil {
			return err
		}
	}
	s.log.roll.Store(true) // so that the next compaction can drop what is now the last file
	s.mu.Lock()
	s.snapshot = max(s.snapshot, at)
	s.sinceSnap -= written
	limit := s.snapshot
	for p := range s.pins {
		if p != hold {
			limit = min(limit, p.position)
		}
	}
	for _, r := range s.retained {
		limit = min(limit, r.Position)
	}
	err := s.dropMarks()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	paths, positions, err := listed(s.dir, "snapshot-")
	if err != nil {
		return err
	}
	for i, p := range paths {
		if positions[i] < s.snapshot {
			if err := os.Remove(p); err != nil {
				return fmt.Errorf("delete old table snapshot: %w", err)
			}
		}
	}
	return s.log.drop(limit)
}

func (s *Store) unpin(p *pin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pins, p)
}

// dropMarks forgets applied pending files that are no longer there.
func (s *Store) dropMarks() error {
	names, err := os.ReadDir(s.pendingDir())
	if err != nil {
		return fmt.Errorf("list pending rows of own tables: %w", err)
	}
	there := map[string]bool{}
	for _, e := range names {
		there[strings.TrimSuffix(e.Name(), ".tmp")] = true
	}
	for name, position := range s.writers {
		if !there[name] && position <= s.durable {
			delete(s.writers, name)
		}
	}
	return nil
}

// snapshotRows is how many rows go into one frame of a snapshot.
const snapshotRows = 1024

// writeSnapshot writes the rows seen at a position.
func (s *Store) writeSnapshot(ctx context.Context, at uint64) error {
	path := filepath.Join(s.dir, fmt.Sprintf("snapshot-%016x", at))
	err := writeDurably(path, !s.opt.NoSync, func(w *bufio.Writer) error {
		if _, err := w.Write(fileHead(snapshotMagic)); err != nil {
			return err
		}
		s.mu.RLock()
		frame, tables := s.snapshotHead(at)
		s.mu.RUnlock()
		if _, err := w.Write(frame); err != nil {
			return err
		}
		total := uint64(0)
		for _, t := range tables {
			n, err := s.snapshotTable(ctx, w, t, at)
			if err != nil {
				return err
			}
			total += n
		}
		end := appendTxn(beginFrame(nil), at, 1)
		start := len(end)
		end = binary.LittleEndian.AppendUint64(appendEntry(end, endEntry), total)
		sealEntry(end, start)
		sealFrame(end, 0)
		_, err := w.Write(end)
		return err
	})
	if err != nil {
		return fmt.Errorf("write table snapshot: %w", err)
	}
	return nil
}

// snapshotHead makes the first frame: tables, next row ids, applied files.
func (s *Store) snapshotHead(at uint64) ([]byte, []*table) {
	frame := appendTxn(beginFrame(nil), at, 0)
	count := 0
	add := func(kind entryKind, body []byte) {
		start := len(frame)
		frame = append(appendEntry(frame, kind), body...)
		sealEntry(frame, start)
		count++
	}
	var tables []*table
	next := uint32(1)
	for number := uint32(1); number < s.nextNumber; number++ {
		t := s.numbers[number]
		if t != nil && t.created > at {
			break
		}
		next = number + 1
		if t != nil {
			tables = append(tables, t)
		}
	}
	add(snapshotEntry, binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(nil, at), next))
	for _, t := range tables {
		add(createEntry, s.decided(t).encode())
		add(rowIDEntry, binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, t.number), t.rows.nextRow))
		for _, m := range s.sequences.all(t.def.ID, len(t.def.Columns)) {
			add(sequenceEntry, m.append(nil, t.number))
		}
	}
	if s.joint != "" {
		add(jointEntry, []byte(s.joint))
	}
	for name, position := range s.writers {
		if position <= at {
			add(writerEntry, []byte(name))
		}
	}
	binary.LittleEndian.PutUint32(frame[frameHeader+8:], uint32(count))
	sealFrame(frame, 0)
	return frame, tables
}

func (s *Store) snapshotTable(ctx context.Context, w *bufio.Writer, t *table, at uint64) (uint64, error) {
	s.mu.RLock()
	versions := t.rows.visible(at, 0)
	s.mu.RUnlock()
	total := uint64(len(versions))
	var frame []byte
	for len(versions) > 0 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		part := versions[:min(len(versions), snapshotRows)]
		versions = versions[len(part):]
		frame = appendTxn(beginFrame(frame[:0]), at, 1)
		start := len(frame)
		frame = appendChanges(appendEntry(frame, changesEntry), t.number, len(part))
		s.mu.RLock()
		for _, v := range part {
			frame = appendChange(frame, 0, t.rows.versions[v].rowID, t.rows.data(v))
		}
		s.mu.RUnlock()
		sealEntry(frame, start)
		sealFrame(frame, 0)
		if _, err := w.Write(frame); err != nil {
			return 0, err
		}
	}
	return total, nil
}
