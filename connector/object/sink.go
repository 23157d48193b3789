package object

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"strings"
	"time"

	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/format"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/statestore/object"
)

// pendingFolder holds what no checkpoint covers yet. Its name hides it from
// sources, Spark, DuckDB and the like.
const pendingFolder = "_pending"

// sink writes files. A file goes through three names' worth of life: bytes in
// the writer's memory, an object below _pending/ once the file is rolled or the
// writer pre-commits, and its final name at Commit. Commit copies and then
// deletes, so that doing it again is harmless.
type sink struct {
	place        *place
	dialect      dialect
	compression  string
	rollBytes    int64
	rollInterval time.Duration
	columns      []format.Column
	position     []int
	changes      bool
	options      Options
}

func newSink(ctx context.Context, o Options, s *connector.Settings, spec connector.Spec, _ connector.Env) (connector.Sink, error) {
	k := &sink{options: o, compression: s.Text("compression"), changes: spec.Changes}
	if k.compression == "auto" {
		k.compression = "none"
	}
	var err error
	if k.dialect, err = readDialect(s); err != nil {
		return nil, err
	}
	if k.rollBytes, err = s.Bytes("roll_bytes", 1, 1<<30); err != nil {
		return nil, err
	}
	if k.rollInterval, err = s.Duration("roll_interval"); err != nil {
		return nil, err
	}
	if k.columns, k.position, err = fileColumns(spec); err != nil {
		return nil, err
	}
	for _, c := range spec.Columns {
		if c.Metadata != "" && spec.Direction == connector.SinkOnly {
			return nil, pgerr.New(pgerr.UndefinedColumn, "column %q cannot be METADATA: a sink of connector \"object\" has none", c.Name)
		}
	}
	if k.changes {
		for _, c := range k.columns {
			if c.Name == "op" {
				return nil, pgerr.New(pgerr.DuplicateColumn, "column \"op\" collides with the field that says what a row does").Hint("Give the column another name.")
			}
		}
	}
	if k.place, err = openPlace(ctx, o, s, true); err != nil {
		return nil, err
	}
	return k, nil
}

// extension is what file names end in.
func (k *sink) extension() string {
	return "." + k.dialect.name + map[string]string{"none": "", "gzip": ".gz", "zstd": ".zst"}[k.compression]
}

// pendingPrefix is below what an operator of a job leaves its pending files.
func pendingPrefix(id connector.WriterID) string {
	return fmt.Sprintf("%s/%s/%s/", pendingFolder, plainName(id.JobID), plainName(id.Operator))
}

// plainName makes a name for files of an id: the letters and digits of its
// start, and a hash of all of it.
func plainName(id string) string {
	var b strings.Builder
	for _, c := range id {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 32 {
			break
		}
	}
	return strings.Trim(b.String(), "-") + "-" + shortHash(id)
}

func shortHash(parts ...string) string {
	h := fnv.New64a()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))[:10]
}

// Open starts a task's writer.
func (k *sink) Open(_ context.Context, id connector.WriterID) (connector.Writer, error) {
	return &writer{sink: k, id: id, encoder: k.dialect.encoder(k.columns, k.changes)}, nil
}

// pendingFile is a file in a committable.
type pendingFile struct {
	Pending string `json:"pending"`
	Final   string `json:"final"`
	Bytes   int    `json:"bytes"`
	CRC32C  uint32 `json:"crc32c"`
}

// committable is what PreCommit returns, as JSON.
type committable struct {
	Version int           `json:"version"`
	Files   []pendingFile `json:"files"`
}

func checksum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// Commit gives pending files their final names. A file whose final name is
// there has been committed before.
func (k *sink) Commit(ctx context.Context, committables [][]byte) error {
	for _, raw := range committables {
		var c committable
		if err := json.Unmarshal(raw, &c); err != nil {
			return fmt.Errorf("decode what is to be committed to %s: %w", k.place.store.URL(), err)
		}
		if c.Version != 1 {
			return fmt.Errorf("commit to %s: version %d is newer than this program", k.place.store.URL(), c.Version)
		}
		for _, f := range c.Files {
			if err := k.publish(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *sink) publish(ctx context.Context, f pendingFile) error {
	data, _, err := k.place.store.Get(ctx, f.Pending)
	if errors.Is(err, object.ErrNotFound) {
		if _, err := stat(ctx, k.place.store, f.Final); err != nil {
			return pgerr.New(pgerr.DataCorrupted, "neither %q nor its pending form %q is in %s: rows that a checkpoint covers are gone", f.Final, f.Pending, k.place.store.URL())
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read pending file %s: %w", f.Pending, err)
	}
	if len(data) != f.Bytes || checksum(data) != f.CRC32C {
		return pgerr.New(pgerr.DataCorrupted, "pending file %q in %s is damaged: its checksum does not match", f.Pending, k.place.store.URL())
	}
	if err := k.place.store.Create(ctx, f.Final, data); err != nil && !errors.Is(err, object.ErrExists) {
		return fmt.Errorf("create %s: %w", f.Final, err)
	}
	if err := k.place.store.Delete(ctx, f.Pending); err != nil {
		return fmt.Errorf("delete pending file %s: %w", f.Pending, err)
	}
	return nil
}

// Abort deletes what other incarnations of the job's operator, whatever their
// number of tasks, left pending. It is to be called after Commit of what a
// checkpoint covers.
func (k *sink) Abort(ctx context.Context, id connector.WriterID) error {
	prefix := pendingPrefix(id)
	list, err := k.place.store.List(ctx, prefix)
	if err != nil {
		return fmt.Errorf("list pending files: %w", err)
	}
	own := prefix + plainName(id.Incarnation) + "/"
	var first error
	for _, info := range list {
		if id.Incarnation != "" && strings.HasPrefix(info.Name, own) {
			continue
		}
		if err := k.place.store.Delete(ctx, info.Name); err != nil && first == nil {
			first = fmt.Errorf("delete pending file %s: %w", info.Name, err)
		}
	}
	return first
}
