package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/statestore/object"
)

// How much is asked of the store at once.
const (
	localChunk  = 128 << 10
	bucketChunk = 1 << 20
)

// rangeReader reads an object from an offset on, piece by piece. It knows what the
// object was when it was opened, and fails with object.ErrChanged once it is another.
type rangeReader struct {
	ctx   context.Context // of the call under way
	store files
	name  string
	info  object.Info
	pos   int64
	chunk int64
	rest  []byte
	// failed is why the store could not be read, which is no fault of the file's.
	failed error
}

// get reads a part of the object.
func (r *rangeReader) get(offset, length int64) ([]byte, error) {
	if w, ok := r.store.(object.Watchful); ok {
		return w.GetRangeOf(r.ctx, r.info, offset, length)
	}
	return r.store.GetRange(r.ctx, r.name, offset, length)
}

// Read implements io.Reader.
func (r *rangeReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.pos >= r.info.Size {
			return 0, io.EOF
		}
		want := min(r.chunk, r.info.Size-r.pos)
		data, err := r.get(r.pos, want)
		switch {
		case errors.Is(err, object.ErrNotFound):
			return 0, errVanished(r.name)
		case errors.Is(err, object.ErrShort):
			return 0, errShortened(r.name, r.pos, r.pos+want)
		case err != nil:
			r.failed = fmt.Errorf("read %s at byte %d: %w", r.name, r.pos, err)
			return 0, r.failed
		case int64(len(data)) < want:
			return 0, errShortened(r.name, r.pos+int64(len(data)), r.info.Size)
		}
		r.rest = data
		r.pos += int64(len(data))
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func errVanished(name string) error {
	return pgerr.New(pgerr.UndefinedFile, "file %q has vanished before it was read to its end", name).
		Hint("Put the file back, or restart the job without it.")
}

func errShortened(name string, have, want int64) error {
	return pgerr.New(pgerr.UndefinedFile, "file %q has %d bytes, but byte %d is to be read: it was shortened or replaced", name, have, want).
		Hint("Put the original file back: files must not change once they have been listed.")
}

func errReplaced(name string, at int64) error {
	return pgerr.New(pgerr.UndefinedFile, "file %q is not the one that was read up to byte %d of its content: it was replaced", name, at).
		Hint("Put the original file back: files must not change once they have been listed.")
}

func errRestless(name string) error {
	return pgerr.New(pgerr.ObjectInUse, "file %q changes again and again while it is read", name).
		Hint("Write files elsewhere, or under a name that begins with a dot, and move them into place when they are complete.")
}

// stat finds the object's size.
func stat(ctx context.Context, store files, name string) (object.Info, error) {
	list, err := store.List(ctx, name)
	if err != nil {
		return object.Info{}, fmt.Errorf("look up %s: %w", name, err)
	}
	for _, info := range list {
		if info.Name == name {
			return info, nil
		}
	}
	return object.Info{}, errVanished(name)
}

// stream is the content of a file after decompression.
type stream struct {
	raw    *rangeReader
	r      io.Reader
	zstd   *zstd.Decoder
	offset int64 // of the next byte
}

// openStream opens a file at an offset of its decompressed content. A compressed
// file is decompressed from its start.
func openStream(ctx context.Context, p *place, name, compression string, offset int64) (*stream, error) {
	info, err := stat(ctx, p.files, name)
	if err != nil {
		return nil, err
	}
	raw := &rangeReader{ctx: ctx, store: p.files, name: name, info: info, chunk: bucketChunk}
	if p.local {
		raw.chunk = localChunk
	}
	if compression == "auto" {
		if compression, err = detect(raw); err != nil {
			return nil, err
		}
	}
	s := &stream{raw: raw, r: raw}
	switch {
	case compression == "none":
		if offset > info.Size {
			return nil, errShortened(name, info.Size, offset)
		}
		raw.pos, raw.rest, s.offset = offset, nil, offset
		return s, nil
	case info.Size == 0: // nothing, compressed by leaving it away
	case compression == "gzip":
		if s.r, err = gzip.NewReader(raw); err != nil {
			return nil, s.wrap(err)
		}
	case compression == "zstd":
		if s.zstd, err = zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20)); err != nil {
			return nil, s.wrap(err)
		}
		s.r = s.zstd
	}
	n, err := io.CopyN(io.Discard, s.r, offset)
	s.offset = n
	if err == io.EOF {
		return nil, errShortened(name, n, offset)
	}
	if err != nil {
		return nil, s.wrap(err)
	}
	return s, nil
}

// detect tells the compression by the first bytes.
func detect(raw *rangeReader) (string, error) {
	head := make([]byte, 4)
	n, err := io.ReadFull(raw, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", err
	}
	raw.pos, raw.rest = 0, nil
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return "gzip", nil
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "zstd", nil
	}
	return "none", nil
}

// more appends the next piece of the content to buf; end tells that there is no
// more.
func (s *stream) more(ctx context.Context, buf []byte) (out []byte, end bool, err error) {
	s.raw.ctx = ctx
	size := int(s.raw.chunk)
	if free := cap(buf) - len(buf); free < size {
		grown := make([]byte, len(buf), len(buf)+max(size, len(buf)))
		copy(grown, buf)
		buf = grown
	}
	n, err := io.ReadAtLeast(s.r, buf[len(buf):len(buf)+size], 1)
	buf = buf[:len(buf)+n]
	s.offset += int64(n)
	if err == io.EOF {
		return buf, true, nil
	}
	if err != nil {
		return nil, false, s.wrap(err)
	}
	return buf, false, nil
}

// wrap says where a file that does not decompress is damaged.
func (s *stream) wrap(err error) error {
	var e *pgerr.Error
	switch {
	case errors.As(err, &e):
		return err
	case s.raw.failed != nil:
		return s.raw.failed
	}
	return pgerr.New(pgerr.DataCorrupted, "file %q cannot be decompressed beyond byte %d of its content: %s", s.raw.name, s.offset, err).Wrap(err)
}

// changed reports whether the file is another one by now, if it is in a folder, where
// that can be found out for nothing. One that is gone has been read.
func (s *stream) changed(ctx context.Context, p *place) (bool, error) {
	if !p.local {
		return false, nil
	}
	list, err := p.files.List(ctx, s.raw.name)
	if err != nil || len(list) == 0 {
		return false, err
	}
	return list[0].Size != s.raw.info.Size || !list[0].Modified.Equal(s.raw.info.Modified), nil
}

func (s *stream) close() {
	if s.zstd != nil {
		s.zstd.Close()
	}
}
