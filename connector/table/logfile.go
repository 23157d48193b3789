package table

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/millrace/millrace/internal/pgerr"
)

// A log file begins with its magic and version; its name gives the position of
// its first transaction.
const (
	logMagic      = "MRTBLLOG"
	snapshotMagic = "MRTBLSNP"
	fileVersion   = 1
	fileHeader    = 16
)

func fileHead(magic string) []byte {
	h := make([]byte, fileHeader)
	copy(h, magic)
	h[8] = fileVersion
	return h
}

func checkHead(data []byte, magic, path string) error {
	switch {
	case len(data) < fileHeader:
		return errShort
	case string(data[:8]) != magic:
		return errCorrupt(path, 0, errors.New("this is no file of its kind"))
	case data[8] != fileVersion:
		return errCorrupt(path, 8, fmt.Errorf("file version %d is newer than this program", data[8]))
	}
	return nil
}

func errCorrupt(path string, offset int64, err error) error {
	return pgerr.New(pgerr.DataCorrupted, "table store is damaged: %s at byte %d: %s", filepath.Base(path), offset, err).Wrap(err).
		Hint("Restore the file %s from a backup.", path)
}

// segment is one log file.
type segment struct {
	path   string
	first  uint64
	size   int64 // of what is durable
	frames []frameRef
}

// frameRef places a frame; not every frame has one.
type frameRef struct {
	position uint64 // of its first transaction
	offset   int64
}

// frameRefEvery is how far apart, in bytes, frames are remembered.
const frameRefEvery = 64 << 10

func (g *segment) remember(position uint64, offset int64) {
	if n := len(g.frames); n == 0 || offset-g.frames[n-1].offset >= frameRefEvery {
		g.frames = append(g.frames, frameRef{position, offset})
	}
}

// logFiles is the log on disk. One writer appends; readers follow. mu guards the
// list of segments and their sizes.
type logFiles struct {
	dir      string
	max      int64
	sync     bool
	mu       sync.RWMutex
	segments []*segment
	file     *os.File    // of the last segment
	roll     atomic.Bool // begin a new segment at the next append
}

func segmentName(position uint64) string { return fmt.Sprintf("log-%016x", position) }

// listed returns the files of a kind in the order of the positions they are
// named by.
func listed(dir, prefix string) (paths []string, positions []uint64, err error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("list table store: %w", err)
	}
	sort.Slice(names, func(i, j int) bool { return names[i].Name() < names[j].Name() })
	for _, e := range names {
		number, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok || len(number) != 16 {
			continue
		}
		if p, err := strconv.ParseUint(number, 16, 64); err == nil {
			paths, positions = append(paths, filepath.Join(dir, e.Name())), append(positions, p)
		}
	}
	return paths, positions, nil
}

// append writes a frame whose first transaction is position, and makes it
// durable. Before readers see it, decide, which may be nil, is asked: when it
// fails, the frame is cut off again and the error is a takenBack, unless it wraps
// ErrUndecided. It is one, too, when the disk has no room for the frame.
func (l *logFiles) append(frame []byte, position uint64, decide func() error) error {
	last := l.segments[len(l.segments)-1]
	if last.size > fileHeader && (l.roll.Load() || last.size+int64(len(frame)) > l.max) {
		if err := l.begin(position); err != nil {
			if noRoom(err) {
				return &takenBack{diskFull(err)}
			}
			return err
		}
		last = l.segments[len(l.segments)-1]
		l.roll.Store(false)
	}
	if _, err := l.file.WriteAt(frame, last.size); err != nil {
		err = fmt.Errorf("write table log: %w", err)
		if noRoom(err) {
			return l.cutBack(last.size, diskFull(err))
		}
		return err
	}
	if l.sync {
		if err := l.file.Sync(); err != nil {
			return fmt.Errorf("sync table log: %w", err)
		}
	}
	if decide != nil {
		if err := decide(); err != nil {
			return l.cutBack(last.size, err)
		}
	}
	l.mu.Lock()
	last.remember(position, last.size)
	last.size += int64(len(frame))
	l.mu.Unlock()
	return nil
}

// noRoom tells a write that found no space, and has done nothing else, from one after
// which nobody knows what is on disk.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func diskFull(err error) error {
	return pgerr.New(pgerr.DiskFull, "there is no room for the change on the disk of the data folder: %s", err.Error()).Wrap(err).
		Hint("Nothing of the transaction was kept. Own tables can be written again when there is room.")
}

// cutBack takes a frame off the end of the log that was refused with err.
func (l *logFiles) cutBack(size int64, err error) error {
	if errors.Is(err, ErrUndecided) {
		return err
	}
	cut := l.file.Truncate(size)
	if cut == nil && l.sync {
		cut = l.file.Sync()
	}
	if cut != nil {
		return fmt.Errorf("take back what was written to the table log: %w", errors.Join(cut, err))
	}
	return &takenBack{err}
}

// begin makes a new segment the last.
func (l *logFiles) begin(position uint64) error {
	path := filepath.Join(l.dir, segmentName(position))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("begin table log: %w", err)
	}
	if _, err = f.Write(fileHead(logMagic)); err == nil && l.sync {
		if err = f.Sync(); err == nil {
			err = syncDir(l.dir)
		}
	}
	if err != nil {
		f.Close()
		os.Remove(path) // it may come again, with the same name
		return fmt.Errorf("begin table log: %w", err)
	}
	if l.file != nil {
		l.file.Close()
	}
	l.mu.Lock()
	l.file = f
	l.segments = append(l.segments, &segment{path: path, first: position, size: fileHeader})
	l.mu.Unlock()
	return nil
}

func (l *logFiles) close() error {
	if l == nil || l.file == nil {
		return nil
	}
	return l.file.Close()
}

// oldest is the first position that the log still holds.
func (l *logFiles) oldest() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.segments[0].first
}

// drop deletes the segments that hold no position above limit.
func (l *logFiles) drop(limit uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.segments) > 1 && l.segments[1].first <= limit+1 {
		if err := os.Remove(l.segments[0].path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete old table log: %w", err)
		}
		l.segments = l.segments[1:]
	}
	return nil
}

// load finds the segments and calls f for the payload of every frame, in order.
// A torn end is cut off, and so is a last frame that is undecided.
func (l *logFiles) load(f func(payload []byte) error, position func() uint64, undecided func(payload []byte) (bool, error)) error {
	paths, positions, err := listed(l.dir, "log-")
	if err != nil {
		return err
	}
	for i, path := range paths {
		last := i == len(paths)-1
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read table log: %w", err)
		}
		if err := checkHead(data, logMagic, path); err != nil {
			if last && errors.Is(err, errShort) { // died while the file was made
				if err := os.Remove(path); err != nil {
					return fmt.Errorf("remove unfinished table log: %w", err)
				}
				break
			}
			return errAt(err, path, 0)
		}
		g := &segment{path: path, first: positions[i], size: fileHeader}
		for g.size < int64(len(data)) {
			payload, n, err := openFrame(data[g.size:])
			if err != nil {
				if !last || !torn(data[g.size:], err) {
					return errAt(err, path, g.size)
				}
				break
			}
			if last && g.size+int64(n) == int64(len(data)) {
				if cut, err := undecided(payload); err != nil {
					return errAt(err, path, g.size)
				} else if cut {
					break
				}
			}
			before := position() + 1
			if len(g.frames) == 0 && len(payload) >= txnHeader {
				before = g.first
			}
			if err := f(payload); err != nil {
				return errAt(err, path, g.size)
			}
			g.remember(before, g.size)
			g.size += int64(n)
		}
		l.segments = append(l.segments, g)
		if last {
			return l.reopen(g, int64(len(data)))
		}
	}
	if n := len(l.segments); n > 0 {
		return l.reopen(l.segments[n-1], l.segments[n-1].size)
	}
	return l.begin(position() + 1)
}

func errAt(err error, path string, offset int64) error {
	var e *pgerr.Error
	if errors.As(err, &e) {
		return err
	}
	return errCorrupt(path, offset, err)
}

// reopen makes g the segment that is appended to, cut to what is whole.
func (l *logFiles) reopen(g *segment, size int64) error {
	f, err := os.OpenFile(g.path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open table log: %w", err)
	}
	l.file = f
	if size == g.size {
		return nil
	}
	if err = f.Truncate(g.size); err == nil && l.sync {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("cut the torn end of the table log: %w", err)
	}
	return nil
}

// torn tells a write that was under way when the process or machine died from
// damage. A frame is only begun once the one before it is durable, so whatever
// whole frame follows proves that the bad one had been whole too.
func torn(data []byte, err error) bool {
	if !errors.Is(err, errShort) && !errors.Is(err, errDamaged) {
		return false
	}
	for at := 1; ; at++ {
		next := bytes.Index(data[at:], []byte(frameMagic))
		if next < 0 {
			return true
		}
		at += next
		if _, _, err := openFrame(data[at:]); err == nil {
			return false
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// cursor reads frames in order.
type cursor struct {
	log    *logFiles
	seg    *segment
	file   *os.File
	offset int64
	buf    []byte
}

// seek places the cursor at the frame that holds position, or just before it.
func (c *cursor) seek(position uint64) error {
	c.log.mu.RLock()
	defer c.log.mu.RUnlock()
	segs := c.log.segments
	i := sort.Search(len(segs), func(i int) bool { return segs[i].first > position }) - 1
	if i < 0 {
		return fmt.Errorf("position %d is no longer in the log", position)
	}
	c.seg, c.offset = segs[i], fileHeader
	for _, r := range c.seg.frames {
		if r.position > position {
			break
		}
		c.offset = r.offset
	}
	return c.open()
}

func (c *cursor) open() error {
	f, err := os.Open(c.seg.path)
	if err != nil {
		return fmt.Errorf("open table log: %w", err)
	}
	c.close()
	c.file = f
	return nil
}

func (c *cursor) close() {
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
}

// next returns the payload of the next frame, nil at the end of what is durable.
// It is good until the call after.
func (c *cursor) next() ([]byte, error) {
	c.log.mu.RLock()
	size := c.seg.size
	var following *segment
	if c.offset >= size {
		for _, g := range c.log.segments { // its own may have been dropped by now
			if g.first > c.seg.first {
				following = g
				break
			}
		}
	}
	c.log.mu.RUnlock()
	if c.offset >= size {
		if following == nil {
			return nil, nil
		}
		c.seg, c.offset = following, fileHeader
		if err := c.open(); err != nil {
			return nil, err
		}
		return c.next()
	}
	head := make([]byte, frameHeader)
	if _, err := c.file.ReadAt(head, c.offset); err != nil {
		return nil, errCorrupt(c.seg.path, c.offset, err)
	}
	n := frameHeader + int(uint32(head[8])|uint32(head[9])<<8|uint32(head[10])<<16|uint32(head[11])<<24)
	if int64(n) > size-c.offset {
		return nil, errCorrupt(c.seg.path, c.offset, errDamaged)
	}
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	c.buf = c.buf[:n]
	if _, err := c.file.ReadAt(c.buf, c.offset); err != nil {
		return nil, errCorrupt(c.seg.path, c.offset, err)
	}
	payload, _, err := openFrame(c.buf)
	if err != nil {
		return nil, errCorrupt(c.seg.path, c.offset, err)
	}
	c.offset += int64(n)
	return payload, nil
}
