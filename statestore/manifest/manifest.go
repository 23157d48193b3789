// Package manifest is what a checkpoint or savepoint consists of: its _metadata
// object, encoded and decoded strictly. It does no I/O and knows bytes, not SQL:
// schemas, plans and positions are carried as they are.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"
)

// Version is the format that this package writes.
const Version = 1

// The kinds of Metadata.
const (
	Checkpoint = "checkpoint"
	Savepoint  = "savepoint"
)

// The formats of a savepoint's state.
const (
	Native    = "native"
	Canonical = "canonical"
)

// Metadata is a whole checkpoint or savepoint.
type Metadata struct {
	Kind        string            `json:"kind"`
	Format      string            `json:"format"` // Native or Canonical
	JobID       string            `json:"job_id"`
	JobName     string            `json:"job_name"`
	Incarnation string            `json:"incarnation"` // of the run that wrote it
	Engine      string            `json:"engine"`      // its version
	Checkpoint  int64             `json:"checkpoint"`
	Epoch       uint64            `json:"epoch"`
	Created     int64             `json:"created"` // microseconds since 1970-01-01 UTC
	Parallelism int               `json:"parallelism"`
	SQL         string            `json:"sql"`
	Options     map[string]string `json:"options,omitempty"`
	Graph       json.RawMessage   `json:"graph,omitempty"`
	// Catalog is what the job's SQL refers to, secrets left out.
	Catalog   json.RawMessage `json:"catalog,omitempty"`
	Operators []Operator      `json:"operators"`
	// Files are all objects of a savepoint, relative to its folder; a checkpoint's
	// are those that its tables name.
	Files []File `json:"files,omitempty"`
}

// Operator is the state of one operator, by task.
type Operator struct {
	ID    string `json:"id"`
	Kind  string `json:"kind,omitempty"`
	Tasks []Task `json:"tasks"`
}

// Task is the state of one operator in one task. Blobs are bytes that the
// operator itself understands, by what they are: a source's positions, a sink's
// commit.
type Task struct {
	Task   int               `json:"task"`
	Tables []*Table          `json:"tables,omitempty"`
	Blobs  map[string][]byte `json:"blobs,omitempty"`
}

// File is an object of a savepoint.
type File struct {
	Name     string `json:"name"`
	Size     int64  `json:"size"`
	Checksum uint32 `json:"crc32c"`
}

// Find returns the operator of that id, nil if there is none.
func (m *Metadata) Find(id string) *Operator {
	for i := range m.Operators {
		if m.Operators[i].ID == id {
			return &m.Operators[i]
		}
	}
	return nil
}

// Tables are the parts of the operator's state table of that name, one per task.
func (o *Operator) Tables(name string) (parts []*Table) {
	for _, t := range o.Tasks {
		for _, table := range t.Tables {
			if table.Name == name {
				parts = append(parts, table)
			}
		}
	}
	return parts
}

// Each calls fn for every table.
func (m *Metadata) Each(fn func(op *Operator, task int, t *Table)) {
	for i := range m.Operators {
		op := &m.Operators[i]
		for _, task := range op.Tasks {
			for _, t := range task.Tables {
				fn(op, task.Task, t)
			}
		}
	}
}

// Segments are the segment objects that the tables refer to, in name order.
func (m *Metadata) Segments() []Segment {
	seen := map[string]Segment{}
	m.Each(func(_ *Operator, _ int, t *Table) {
		for _, s := range t.Segments {
			if s.Name != "" {
				seen[s.Name] = s
			}
		}
	})
	list := make([]Segment, 0, len(seen))
	for _, s := range seen {
		list = append(list, s)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// Size is the number of rows, and of encoded bytes, of all tables.
func (m *Metadata) Size() (rows, encoded int64) {
	m.Each(func(_ *Operator, _ int, t *Table) {
		rows += t.Rows
		encoded += t.EncodedBytes()
	})
	return rows, encoded
}

// envelope is the outermost JSON object. The checksum is that of metadata's bytes
// as they stand.
type envelope struct {
	Millrace int             `json:"millrace"`
	Checksum string          `json:"crc32c"`
	Metadata json.RawMessage `json:"metadata"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode returns the _metadata object.
func Encode(m *Metadata) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	inner := bytes.TrimSpace(body.Bytes())
	out := fmt.Appendf(nil, `{"millrace":%d,"crc32c":"%08x","metadata":`, Version, crc32.Checksum(inner, castagnoli))
	return append(append(out, inner...), '}', '\n'), nil
}

// ErrDamaged is what Decode's errors are when the bytes are not what was written.
var ErrDamaged = errors.New("metadata is damaged")

// Decode reads a _metadata object. It refuses unknown fields, a wrong checksum,
// and tables that contradict themselves.
func Decode(data []byte) (*Metadata, error) {
	var e envelope
	if err := strict(data, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if e.Millrace < 1 {
		return nil, fmt.Errorf("%w: it has no format", ErrDamaged)
	}
	if e.Millrace != Version {
		return nil, fmt.Errorf("metadata has format %d, this version reads %d", e.Millrace, Version)
	}
	if sum := fmt.Sprintf("%08x", crc32.Checksum(e.Metadata, castagnoli)); sum != e.Checksum {
		return nil, fmt.Errorf("%w: its checksum is %s, not %s", ErrDamaged, sum, e.Checksum)
	}
	var m Metadata
	if err := strict(e.Metadata, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return &m, nil
}

// strict decodes one JSON value and nothing else.
func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more follows after its end")
	}
	return nil
}

// check refuses metadata that contradicts itself.
func (m *Metadata) check() error {
	if m.Kind != Checkpoint && m.Kind != Savepoint || m.Format != Native && m.Format != Canonical {
		return fmt.Errorf("kind %q and format %q are unknown", m.Kind, m.Format)
	}
	seen := map[string]bool{}
	for i := range m.Operators {
		op := &m.Operators[i]
		if seen[op.ID] {
			return fmt.Errorf("operator %q comes twice", op.ID)
		}
		seen[op.ID] = true
		for k, task := range op.Tasks {
			if k > 0 && task.Task <= op.Tasks[k-1].Task {
				return fmt.Errorf("tasks of operator %q are out of order", op.ID)
			}
			for _, t := range task.Tables {
				if t == nil {
					return fmt.Errorf("operator %q has a null table", op.ID)
				}
				if err := t.check(); err != nil {
					return fmt.Errorf("operator %q: %w", op.ID, err)
				}
			}
		}
	}
	for _, f := range m.Files {
		if err := checkName(f.Name); err != nil {
			return err
		}
	}
	return nil
}
