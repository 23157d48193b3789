// Package deadletter keeps rows that could not be processed: undecodable ones
// and late ones, with their bytes and the reason, in a small durable log of
// bounded size. When it is full the oldest rows go, and a counter tells how many
// went. It decides nothing about policy.
//
// After a crash a job reads some rows again, and sends their bad ones again;
// those that carry a split and an offset are recognized and kept once, as long
// as they are among the last that came. Rows that no longer have a place in a
// source, those of operators and sinks, are put aside first and kept when a
// checkpoint covers them.
package deadletter

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/millrace/millrace/internal/clock"
)

// Options bound the log.
type Options struct {
	Log   *slog.Logger
	Clock clock.Clock
	// BytesMax is how much is kept.
	BytesMax int64
	// SegmentBytes is the size of a file, the unit in which old rows go.
	SegmentBytes int64
	// RecentMax is how many letters are remembered to recognize repetitions.
	RecentMax int
}

// EnsureDefaults fills in what was left zero.
func (o Options) EnsureDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.BytesMax == 0 {
		o.BytesMax = 256 << 20
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = min(16<<20, max(o.BytesMax/4, 1))
	}
	if o.RecentMax == 0 {
		o.RecentMax = 100_000
	}
	return o
}

// Store is the log. Its methods may be called concurrently.
type Store struct {
	opt Options
	dir string

	mu       sync.Mutex
	segments []segment
	file     *os.File // the last segment
	dirty    bool
	next     uint64
	kept     uint64
	recent   map[uint64]struct{}
	order    []uint64 // recent's keys, the oldest at head
	head     int
	scratch  []byte
	origins  map[string]uint32 // files put aside → how many of their letters are kept
	overflow uint64            // letters there was no room to put aside

	asides atomic.Uint64 // files put aside since the start
}

// segment is one file, named by the number of its first letter.
type segment struct {
	path  string
	first uint64
	size  int64
	rows  uint64
}

// Counts are what the log has seen.
type Counts struct {
	Total   uint64 // letters that ever came
	Kept    uint64 // those that can be read
	Dropped uint64 // those that went to make room, or were damaged
}

// Open opens the log in dir, or begins one there.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{opt: o.EnsureDefaults(), dir: dir, next: 1, recent: map[uint64]struct{}{}, origins: map[string]uint32{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open dead letters: %w", err)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open dead letters: %w", err)
	}
	for _, e := range names {
		number, ok := strings.CutPrefix(e.Name(), "letters-")
		if first, err := strconv.ParseUint(number, 16, 64); ok && err == nil && len(number) == 16 {
			s.segments = append(s.segments, segment{path: filepath.Join(dir, e.Name()), first: first})
		}
	}
	sort.Slice(s.segments, func(i, j int) bool { return s.segments[i].first < s.segments[j].first })
	for i := range s.segments {
		if err := s.load(&s.segments[i]); err != nil {
			return nil, err
		}
	}
	for name := range s.origins {
		if _, err := os.Stat(filepath.Join(dir, name)); os.IsNotExist(err) {
			delete(s.origins, name) // all of it is kept
		}
	}
	return s, s.reopen()
}

// load counts a file's letters. What lies behind a damaged record is out of
// reach, which is logged.
func (s *Store) load(g *segment) error {
	s.next = max(s.next, g.first)
	end, rows, err := each(g.path, func(l Letter) bool {
		s.next = max(s.next, l.Number+1)
		s.seen(&l)
		return true
	})
	if err != nil {
		return err
	}
	g.size, g.rows = end, rows
	s.kept += rows
	if info, err := os.Stat(g.path); err == nil && info.Size() != end {
		s.opt.Log.Warn("dead letters end in a torn or damaged record", "file", g.path, "byte", end, "bytes", info.Size())
	}
	return nil
}

// reopen goes on in the last file, cut to what is whole, or begins the first.
func (s *Store) reopen() error {
	if len(s.segments) == 0 {
		return s.begin()
	}
	g := &s.segments[len(s.segments)-1]
	f, err := os.OpenFile(g.path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open dead letters: %w", err)
	}
	if g.size < fileHeader {
		_, err = f.WriteAt(header(), 0)
		g.size = fileHeader
	}
	if err == nil {
		err = f.Truncate(g.size)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("open dead letters: %w", err)
	}
	s.file = f
	return nil
}

func header() []byte {
	h := make([]byte, fileHeader)
	copy(h, fileMagic)
	h[8] = fileVersion
	return h
}

func (s *Store) begin() error {
	path := filepath.Join(s.dir, fmt.Sprintf("letters-%016x", s.next))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("begin a file of dead letters: %w", err)
	}
	if _, err := f.Write(header()); err != nil {
		f.Close()
		return fmt.Errorf("begin a file of dead letters: %w", err)
	}
	if s.file != nil {
		if err := s.file.Sync(); err != nil {
			f.Close()
			return fmt.Errorf("sync dead letters: %w", err)
		}
		s.file.Close()
	}
	s.file, s.dirty = f, true
	s.segments = append(s.segments, segment{path: path, first: s.next, size: fileHeader})
	return nil
}

// seen remembers a letter and reports whether it was known.
func (s *Store) seen(l *Letter) bool {
	if l.origin != "" {
		known := l.index <= s.origins[l.origin]
		s.origins[l.origin] = max(s.origins[l.origin], l.index)
		return known
	}
	if l.Split == "" || l.Offset == "" {
		return false
	}
	h := fnv.New64a()
	for _, part := range []string{l.Relation, l.Job, l.Operator, l.Split, l.Offset} {
		h.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	key := h.Sum64()
	if _, ok := s.recent[key]; ok {
		return true
	}
	s.recent[key] = struct{}{}
	if len(s.order) < s.opt.RecentMax {
		s.order = append(s.order, key)
		return false
	}
	delete(s.recent, s.order[s.head])
	s.order[s.head] = key
	s.head = (s.head + 1) % len(s.order)
	return false
}

// Append keeps a letter; it numbers it, and dates it unless it is dated. The
// bytes are handed to the operating system: they survive the process at once,
// and the machine after Flush. Raw may be reused by the caller.
func (s *Store) Append(l Letter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return fmt.Errorf("append a dead letter: the log is closed")
	}
	if s.seen(&l) {
		return nil
	}
	l.fill(s.opt.Clock)
	if g := &s.segments[len(s.segments)-1]; g.size >= s.opt.SegmentBytes && g.rows > 0 {
		if err := s.begin(); err != nil {
			return err
		}
	}
	l.Number = s.next
	s.scratch = appendRecord(s.scratch[:0], &l)
	g := &s.segments[len(s.segments)-1]
	if _, err := s.file.WriteAt(s.scratch, g.size); err != nil {
		return fmt.Errorf("append a dead letter: %w", err)
	}
	g.size += int64(len(s.scratch))
	g.rows++
	s.next++
	s.kept++
	s.dirty = true
	return s.makeRoom()
}

// makeRoom deletes the oldest files while too much is kept.
func (s *Store) makeRoom() error {
	var total int64
	for _, g := range s.segments {
		total += g.size
	}
	for len(s.segments) > 1 && total > s.opt.BytesMax {
		g := s.segments[0]
		if err := os.Remove(g.path); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("delete old dead letters: %w", err)
		}
		total -= g.size
		s.kept -= g.rows
		s.segments = s.segments[1:]
	}
	return nil
}

// Flush makes what was appended durable. A job calls it before a checkpoint that
// has its sources past the bad rows.
func (s *Store) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirty || s.file == nil {
		return nil
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("sync dead letters: %w", err)
	}
	if err := s.syncDir(); err != nil {
		return err
	}
	s.dirty = false
	return nil
}

// syncDir makes the names of files durable.
func (s *Store) syncDir() error {
	d, err := os.Open(s.dir)
	if err == nil {
		err = d.Sync()
		d.Close()
	}
	if err != nil {
		return fmt.Errorf("sync dead letters: %w", err)
	}
	return nil
}

// Counts returns the counters.
func (s *Store) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counts{Total: s.next - 1 + s.overflow, Kept: s.kept, Dropped: s.next - 1 - s.kept + s.overflow}
}

// Scan calls f for the letters kept, oldest first, until it returns false.
// Letters that go meanwhile to make room may be left out.
func (s *Store) Scan(f func(l Letter) bool) error {
	s.mu.Lock()
	segments := append([]segment(nil), s.segments...)
	s.mu.Unlock()
	for _, g := range segments {
		stopped := false
		_, _, err := each(g.path, func(l Letter) bool {
			stopped = !f(l)
			return !stopped
		})
		if err != nil || stopped {
			return err
		}
	}
	return nil
}

// each calls f for the letters of a file and returns where the last whole record
// ends, and how many there are. A file that is gone has none.
func each(path string, f func(l Letter) bool) (end int64, rows uint64, err error) {
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read dead letters: %w", err)
	}
	if len(data) < fileHeader {
		return 0, 0, nil
	}
	if string(data[:8]) != fileMagic || data[8] != fileVersion {
		return 0, 0, fmt.Errorf("read dead letters: %s is not a file of them, or of a newer version", path)
	}
	end = fileHeader
	for end < int64(len(data)) {
		l, n, err := readRecord(data[end:])
		if err != nil {
			return end, rows, nil
		}
		end += int64(n)
		rows++
		if !f(l) {
			break
		}
	}
	return end, rows, nil
}

// Close makes everything durable and closes the log.
func (s *Store) Close() error {
	err := s.Flush()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
	return err
}
