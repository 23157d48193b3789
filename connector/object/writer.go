package object

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/format"
	"github.com/millrace/millrace/internal/pgerr"
)

// writer collects the rows of one task in files. The file being written is in
// memory, compressed as it grows.
type writer struct {
	sink    *sink
	id      connector.WriterID
	encoder format.Encoder
	text    []byte       // encoded rows on their way into file
	file    bytes.Buffer // the file's bytes so far
	zip     io.WriteCloser
	open    bool
	size    int64 // of the file before compression
	since   time.Time
	number  int           // of the next file, within this writer's life
	done    []pendingFile // uploaded since the last PreCommit; names of the epoch come then
	columns batch.Batch
}

// Write encodes the rows.
func (w *writer) Write(ctx context.Context, b *batch.Batch) error {
	if b.Live() == 0 {
		return nil
	}
	if w.open && w.sink.rollInterval > 0 && w.sink.options.Clock.Now().Sub(w.since) >= w.sink.rollInterval {
		if err := w.roll(ctx); err != nil {
			return err
		}
	}
	if b.Ops != nil && !w.sink.changes {
		for k := range b.Live() {
			if op := b.Op(b.RowAt(k)); op != batch.Insert {
				return pgerr.New(pgerr.InternalError, "a %s came to a sink of files that takes inserts only", op)
			}
		}
	}
	rows := *b
	rows.Cols = w.columns.Cols[:0]
	for i, c := range b.Cols {
		if w.sink.position[i] >= 0 {
			rows.Cols = append(rows.Cols, c)
		}
	}
	w.columns.Cols = rows.Cols
	w.text = w.text[:0]
	if !w.open {
		w.begin()
	}
	w.text = w.encoder.Encode(w.text, &rows)
	if err := w.flush(); err != nil {
		return err
	}
	if w.size >= w.sink.rollBytes {
		return w.roll(ctx)
	}
	return nil
}

func (w *writer) begin() {
	w.file.Reset()
	w.open, w.size, w.since = true, 0, w.sink.options.Clock.Now()
	switch w.sink.compression {
	case "gzip":
		w.zip = gzip.NewWriter(&w.file)
	case "zstd":
		w.zip, _ = zstd.NewWriter(&w.file, zstd.WithEncoderConcurrency(1)) // fails on bad options only
	default:
		w.zip = nil
	}
	w.text = w.encoder.Header(w.text)
}

func (w *writer) flush() error {
	w.size += int64(len(w.text))
	if w.zip == nil {
		w.file.Write(w.text)
		return nil
	}
	if _, err := w.zip.Write(w.text); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return nil
}

// roll finishes the file and makes it durable below the pending folder.
func (w *writer) roll(ctx context.Context) error {
	if w.zip != nil {
		if err := w.zip.Close(); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
	}
	name := fmt.Sprintf("%s%s/task-%d-%06d%s", pendingPrefix(w.id), plainName(w.id.Incarnation), w.id.Task, w.number, w.sink.extension())
	data := bytes.Clone(w.file.Bytes())
	// Names are unique to this incarnation, so whatever is there is an attempt of
	// this very writer.
	if err := w.sink.place.store.Put(ctx, name, data); err != nil {
		return fmt.Errorf("upload %s: %w", name, err)
	}
	w.done = append(w.done, pendingFile{Pending: name, Bytes: len(data), CRC32C: checksum(data)})
	w.number++
	w.open = false
	return nil
}

// PreCommit finishes the file being written. The final names say which operator,
// task and epoch the rows are of; the hash at their end tells runs apart.
func (w *writer) PreCommit(ctx context.Context, epoch uint64) ([]byte, error) {
	if w.open {
		if err := w.roll(ctx); err != nil {
			return nil, err
		}
	}
	if len(w.done) == 0 {
		return nil, nil
	}
	c := committable{Version: 1, Files: w.done}
	for i := range c.Files {
		c.Files[i].Final = fmt.Sprintf("part-%s-%d-%010d-%d-%s%s", plainName(w.id.Operator), w.id.Task, epoch, i, shortHash(w.id.JobID, w.id.Incarnation), w.sink.extension())
	}
	w.done = nil
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode what is to be committed: %w", err)
	}
	return raw, nil
}

// Close drops the file being written; what is pending stays for Commit or Abort.
func (w *writer) Close() error {
	if w.zip != nil && w.open {
		return w.zip.Close()
	}
	return nil
}
