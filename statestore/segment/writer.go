package segment

import (
	"context"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
)

// segmentBytes is how large a segment grows before the next one is begun.
const segmentBytes = 32 << 20

// Writer writes the pages of a task's tables into segments: as few as will do.
// Names are Prefix, a number, ".seg". It belongs to one goroutine. What it wrote
// is durable, and the tables' entries for its segments are complete, once Close
// has returned nil.
type Writer struct {
	store   object.Store
	prefix  string
	enc     encoder
	buf     []byte
	sum     uint32 // of buf
	number  int
	written int64
	objects []manifest.File
	open    []*TableWriter // tables with blocks in buf
}

// buffers is memory for segments that are being written.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// NewWriter begins to write. The prefix must be of this run and checkpoint alone,
// such as "<job id>/shared/<incarnation>-<checkpoint>-<task>".
func NewWriter(store object.Store, prefix string) *Writer {
	return &Writer{store: store, prefix: prefix, buf: (*buffers.Get().(*[]byte))[:0]}
}

// Written is how many bytes went into segments and inline.
func (w *Writer) Written() int64 { return w.written }

// Objects are the segments written so far.
func (w *Writer) Objects() []manifest.File { return w.objects }

// TableWriter writes the pages of one table.
type TableWriter struct {
	w       *Writer
	t       *manifest.Table
	inline  bool
	current int // position of the open segment in t.Segments, -1: not there yet
}

// Table begins the pages of t. Inline ones go into t itself.
func (w *Writer) Table(t *manifest.Table, inline bool) *TableWriter {
	w.enc.rows, w.enc.others = compressor{}, compressor{} // another table's pages may be worth it
	return &TableWriter{w: w, t: t, inline: inline, current: -1}
}

// Add writes a page and returns its place. rowBytes is how long each of its rows
// is, 0 for a page that has no rows.
func (tw *TableWriter) Add(ctx context.Context, page []byte, rowBytes int) (manifest.Place, error) {
	if tw.inline {
		return tw.addInline(page, rowBytes), nil
	}
	w := tw.w
	if len(w.buf) >= segmentBytes {
		if err := w.flush(ctx); err != nil {
			return manifest.Place{}, err
		}
	}
	if len(w.buf) == 0 {
		w.buf = append(w.buf, magic[:]...)
		w.sum = crc32.Checksum(magic[:], castagnoli)
	}
	if tw.current < 0 {
		tw.current = len(tw.t.Segments)
		tw.t.Segments = append(tw.t.Segments, manifest.Segment{Name: w.name()})
		w.open = append(w.open, tw)
	}
	start := len(w.buf)
	var sum uint32
	w.buf, sum = w.enc.appendBlock(w.buf, page, rowBytes)
	n := len(w.buf) - start
	w.sum = joinChecksums(w.sum, blockChecksum, n)
	tw.t.Segments[tw.current].Bytes += int64(n)
	return manifest.Place{Segment: tw.current, Offset: int64(start), Length: n, Bytes: len(page), Checksum: sum}, nil
}

func (tw *TableWriter) addInline(page []byte, rowBytes int) manifest.Place {
	t := tw.t
	if tw.current < 0 {
		tw.current = len(t.Segments)
		t.Segments = append(t.Segments, manifest.Segment{})
	}
	start := len(t.Inline)
	var sum uint32
	t.Inline, sum = tw.w.enc.appendBlock(t.Inline, page, rowBytes)
	n := len(t.Inline) - start
	s := &t.Segments[tw.current]
	s.Size, s.Bytes = int64(len(t.Inline)), int64(len(t.Inline))
	tw.w.written += int64(n)
	return manifest.Place{Segment: tw.current, Offset: int64(start), Length: n, Bytes: len(page), Checksum: sum}
}

func (w *Writer) name() string { return fmt.Sprintf("%s-%d.seg", w.prefix, w.number) }

// flush makes the open segment durable.
func (w *Writer) flush(ctx context.Context) error {
	if len(w.buf) == 0 {
		return nil
	}
	name := w.name()
	if err := w.store.Create(ctx, name, w.buf); err != nil {
		return fmt.Errorf("write segment %s: %w", name, err)
	}
	for _, tw := range w.open {
		s := &tw.t.Segments[tw.current]
		s.Size, s.Checksum = int64(len(w.buf)), w.sum
		tw.current = -1
	}
	w.objects = append(w.objects, manifest.File{Name: name, Size: int64(len(w.buf)), Checksum: w.sum})
	w.written += int64(len(w.buf))
	w.open, w.buf = w.open[:0], w.buf[:0]
	w.number++
	return nil
}

// Close writes what is left.
func (w *Writer) Close(ctx context.Context) error {
	err := w.flush(ctx)
	buffers.Put(&w.buf)
	return err
}
