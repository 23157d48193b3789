package canonical

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/statestore/segment"
)

// Write stores one task's part of a table as the object name in a savepoint's
// folder (of which store is the view), and returns what _metadata says of it.
func Write(ctx context.Context, store object.Store, name string, s *state.Snapshot) (*manifest.Table, manifest.File, error) {
	fail := func(err error) (*manifest.Table, manifest.File, error) {
		return nil, manifest.File{}, fmt.Errorf("write %s: %w", name, err)
	}
	cols, schema := columnsOf(s.Schema())
	var buf bytes.Buffer
	w := parquet.NewGenericWriter[any](&buf, schema, parquet.Compression(&zstd.Codec{}), parquet.MaxRowsPerRowGroup(1<<20), parquet.CreatedBy("millrace", "1", ""))
	data := make([]*batch.Column, len(cols))
	for i, c := range cols {
		data[i] = &batch.Column{Phys: c.Type.Phys()}
	}
	groupLeaf, _ := schema.Lookup(GroupColumn)
	var rows []unsafe.Pointer
	var out []parquet.Row
	for from := state.RowID(0); from != state.NoRow; {
		rows, from = s.Rows(from, batch.RowsDefault, rows)
		for k := range cols {
			s.ReadColumn(k, rows, data[k])
		}
		out = out[:0]
		for i, row := range rows {
			r := make(parquet.Row, len(cols)+1)
			r[groupLeaf.ColumnIndex] = parquet.Int32Value(int32(state.GroupOf(row))).Level(0, 0, groupLeaf.ColumnIndex)
			for k, c := range cols {
				if data[k].IsNull(i) || s.NoString(row, k) {
					r[c.index] = parquet.NullValue().Level(0, 0, c.index)
				} else {
					r[c.index] = valueOf(c.Type, data[k], i).Level(0, 1, c.index)
				}
			}
			out = append(out, r)
		}
		if _, err := w.WriteRows(out); err != nil {
			return fail(err)
		}
	}
	if err := w.Close(); err != nil {
		return fail(err)
	}
	m, err := s.Describe()
	if err != nil {
		return fail(err)
	}
	m.File, m.End, m.RowBytes, m.RowsPerPage, m.Bytes = name, 0, 0, 0, int64(buf.Len())
	if err := store.Create(ctx, name, buf.Bytes()); err != nil {
		return fail(err)
	}
	return m, manifest.File{Name: name, Size: int64(buf.Len()), Checksum: segment.Checksum(buf.Bytes())}, nil
}

// Restore makes a table from the Parquet files that tasks of a savepoint had of
// it, by the rules of state.Restore. files are the savepoint's, for the checksums.
func Restore(ctx context.Context, store object.Store, old []*manifest.Table, files []manifest.File, schema graph.Table, opt state.RestoreOptions) (*state.Table, error) {
	t, err := state.NewTable(schema, opt.Options)
	if err != nil {
		return nil, err
	}
	for _, m := range old {
		if (m.Groups[0] >= t.Groups().Hi || m.Groups[1] <= t.Groups().Lo) && m.Local == schema.Local {
			continue
		}
		if err := restoreFile(ctx, store, m, files, t, opt.Rename); err != nil {
			t.Close()
			return nil, fmt.Errorf("restore table %q from %s: %w", m.Name, m.File, err)
		}
	}
	return t, nil
}

func restoreFile(ctx context.Context, store object.Store, m *manifest.Table, files []manifest.File, t *state.Table, rename map[string]string) error {
	data, _, err := store.Get(ctx, m.File)
	if errors.Is(err, object.ErrNotFound) {
		return fmt.Errorf("%w: it is missing", segment.ErrDamaged)
	}
	if err != nil {
		return err
	}
	known := false
	for _, f := range files {
		if f.Name == m.File {
			known = true
			if err := segment.Check(f.Name, data, f.Size, f.Checksum); err != nil {
				return err
			}
		}
	}
	if !known {
		return fmt.Errorf("%w: the savepoint does not list it", segment.ErrDamaged)
	}
	was, err := state.SchemaOf(m)
	if err != nil {
		return err
	}
	cols, schema := columnsOf(was)
	from, err := t.MatchColumns(was, rename)
	if err != nil {
		return err
	}
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return fmt.Errorf("%w: %w", segment.ErrDamaged, err)
	}
	if !parquet.EqualNodes(file.Schema(), schema) {
		return fmt.Errorf("%w: its columns are not those of the table", segment.ErrDamaged)
	}
	l := loader{t: t, cols: cols, from: from}
	n := int64(0)
	for _, g := range file.RowGroups() {
		k, err := l.load(g.Rows())
		if err != nil {
			return err
		}
		n += k
	}
	if n != m.Rows {
		return fmt.Errorf("%w: it has %d rows, not %d", segment.ErrDamaged, n, m.Rows)
	}
	return nil
}

// loader puts rows of a file into a table.
type loader struct {
	t    *state.Table
	cols []column
	from []int // for each column of the table: the one of the file, -1 for none
}

func (l *loader) load(r parquet.Rows) (n int64, err error) {
	defer r.Close()
	buf := make([]parquet.Row, batch.RowsDefault)
	for {
		k, err := r.ReadRows(buf)
		if k > 0 {
			if err := l.add(buf[:k]); err != nil {
				return n, err
			}
			n += int64(k)
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("%w: %w", segment.ErrDamaged, err)
		}
	}
}

func (l *loader) add(rows []parquet.Row) error {
	n := len(rows)
	data := make([]*batch.Column, len(l.cols))
	for k, c := range l.cols {
		data[k] = batch.NewColumn(c.Type.Phys(), n)
		for i, r := range rows {
			v := r[c.index]
			if v.IsNull() {
				data[k].SetNull(i, n)
			} else if err := setValue(c.Type, data[k], i, v); err != nil {
				return fmt.Errorf("%w: column %q: %w", segment.ErrDamaged, c.name, err)
			}
		}
	}
	return l.t.Load(data, n, l.from)
}
