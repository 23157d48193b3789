package object

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/statestore/object"
)

// failing is a store with one file of which it cannot read what comes after byte good.
type failing struct {
	data []byte
	good int64
	err  error
}

func (f failing) URL() string { return "s3://b" }
func (f failing) List(context.Context, string) ([]object.Info, error) {
	return []object.Info{{Name: "f", Size: int64(len(f.data))}}, nil
}

func (f failing) GetRange(_ context.Context, _ string, offset, length int64) ([]byte, error) {
	if offset+length > f.good {
		return nil, f.err
	}
	return f.data[offset : offset+length], nil
}

// TestStoreThatFails reads files of a store that does not answer in the middle of them:
// that is not the files' damage.
func TestStoreThatFails(t *testing.T) {
	text := make([]byte, 4*bucketChunk)
	for i := range text {
		text[i] = byte(i * i >> 3)
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	down := errors.New("503 Slow Down")
	for compression, data := range map[string][]byte{"none": text, "gzip": zipped.Bytes(), "zstd": enc.EncodeAll(text, nil)} {
		p := &place{files: failing{data: data, good: int64(len(data)) / 2, err: down}, local: true}
		s, err := openStream(context.Background(), p, "f", compression, 0)
		for end := false; err == nil && !end; {
			_, end, err = s.more(context.Background(), nil)
		}
		if !errors.Is(err, down) || pgerr.From(err).Code == pgerr.DataCorrupted || strings.Contains(err.Error(), "decompress") {
			t.Errorf("%s: %v", compression, err)
		}
	}
}
