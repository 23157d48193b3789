package job

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/exec/state/canonical"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/types"
)

// savedTable is one state table in a savepoint, or the positions of a source.
type savedTable struct {
	store     object.Store
	meta      *manifest.Metadata
	parts     []*manifest.Table // one per task
	fields    []types.Field
	positions []exec.SplitState
}

// positionFields are the columns of a source's state.
func positionFields() []types.Field {
	return []types.Field{{Name: "split", Type: types.Of(types.Text)}, {Name: "position", Type: types.Of(types.Text)},
		{Name: "watermark", Type: types.Of(types.Timestamp)}, {Name: "rows", Type: types.Of(types.Int64)}, {Name: "ended", Type: types.Of(types.Bool)}}
}

// openSaved loads the savepoint of a name or URL.
func (m *Manager) openSaved(ctx context.Context, savepoint string) (object.Store, *manifest.Metadata, error) {
	p := RestorePoint{Kind: "savepoint", Name: savepoint}
	if strings.ContainsAny(savepoint, ":/") {
		p.Name, p.URL = "", savepoint
	}
	from, err := m.resolve(ctx, &catalog.Job{}, p)
	if err != nil {
		return nil, nil, err
	}
	return m.open(ctx, from)
}

// savedTable finds the state of an operator in a savepoint; table may be "" where
// there is but one.
func (m *Manager) savedTable(ctx context.Context, savepoint, operator, table string) (*savedTable, error) {
	store, meta, err := m.openSaved(ctx, savepoint)
	if err != nil {
		return nil, err
	}
	op := meta.Find(operator)
	if op == nil {
		return nil, unknownOperator(meta, savepoint, operator)
	}
	s := &savedTable{store: store, meta: meta}
	names := tableNames(op)
	if len(names) == 0 {
		return s, s.source(op, savepoint)
	}
	switch {
	case slices.Contains(names, table):
	case table == "" && len(names) == 1:
		table = names[0]
	case table == "":
		return nil, pgerr.New(pgerr.InvalidParameterValue, "operator %q has several state tables", operator).Hint("Name one of %s.", strings.Join(names, ", "))
	default:
		return nil, pgerr.New(pgerr.UndefinedObject, "operator %q has no state table %q", operator, table).Hint("It has %s.", strings.Join(quoted(names), ", "))
	}
	s.parts = op.Tables(table)
	schema, err := state.SchemaOf(s.parts[0])
	if err != nil {
		return nil, pgerr.New(pgerr.DataCorrupted, "%s", err.Error()).Wrap(err)
	}
	used := map[string]bool{}
	for _, c := range append(schema.Keys, schema.Columns...) {
		name := c.Name
		for n := 2; used[name]; n++ {
			name = fmt.Sprintf("%s %d", c.Name, n)
		}
		used[name] = true
		s.fields = append(s.fields, types.Field{Name: name, Type: c.Type})
	}
	return s, nil
}

func unknownOperator(meta *manifest.Metadata, savepoint, operator string) error {
	var ids []string
	for i := range meta.Operators {
		ids = append(ids, meta.Operators[i].ID)
	}
	e := pgerr.New(pgerr.UndefinedObject, "savepoint %q has no operator %q", savepoint, operator)
	if near := catalog.Near(operator, ids); near != "" {
		return e.Hint("Perhaps you meant %q.", near)
	}
	return e.Hint("SELECT operator FROM savepoint('%s') lists them.", savepoint)
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "'" + n + "'"
	}
	return out
}

// tableNames lists an operator's state tables.
func tableNames(op *manifest.Operator) []string {
	var names []string
	for _, task := range op.Tasks {
		for _, t := range task.Tables {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// source takes the positions of an operator without tables.
func (s *savedTable) source(op *manifest.Operator, savepoint string) error {
	if op.Kind != string(graph.SourceKind) {
		return pgerr.New(pgerr.UndefinedObject, "operator %q has no state in savepoint %q", op.ID, savepoint)
	}
	start := newStartingPoint(s.store)
	for _, task := range op.Tasks {
		if err := start.readTask(op.ID, task); err != nil {
			return pgerr.New(pgerr.DataCorrupted, "%s", err.Error()).Wrap(err)
		}
	}
	s.fields = positionFields()
	if src := start.sources[op.ID]; src != nil {
		s.positions = src.Splits
	}
	sort.Slice(s.positions, func(i, j int) bool { return s.positions[i].ID < s.positions[j].ID })
	return nil
}

// StateColumns are the columns of an operator's state in a savepoint.
func (m *Manager) StateColumns(ctx context.Context, savepoint, operator, table string) ([]types.Field, error) {
	s, err := m.savedTable(ctx, savepoint, operator, table)
	if err != nil {
		return nil, err
	}
	return s.fields, nil
}

// StateReader delivers the rows of a state table in a savepoint, one task's part
// in memory at a time. It implements operator.RowReader.
type StateReader struct {
	m    *Manager
	from *savedTable
	part *state.Snapshot // being read
	next state.RowID
	rows []unsafe.Pointer
}

// ReadState opens an operator's state in a savepoint.
func (m *Manager) ReadState(ctx context.Context, savepoint, operator, table string) (*StateReader, error) {
	s, err := m.savedTable(ctx, savepoint, operator, table)
	if err != nil {
		return nil, err
	}
	return &StateReader{m: m, from: s}, nil
}

// Read implements operator.RowReader.
func (r *StateReader) Read(ctx context.Context, out *batch.Batch, limit int) (bool, error) {
	if r.from.parts == nil && r.from.positions != nil {
		r.readPositions(out, limit)
		return true, nil
	}
	for {
		if r.part == nil {
			if len(r.from.parts) == 0 {
				return false, nil
			}
			if err := r.openPart(ctx, r.from.parts[0]); err != nil {
				return false, missing(err, r.from.store.URL())
			}
			r.from.parts = r.from.parts[1:]
		}
		r.rows, r.next = r.part.Rows(r.next, limit, r.rows)
		if len(r.rows) > 0 {
			break
		}
		r.Close()
	}
	for k, c := range out.Cols {
		r.part.ReadColumn(k, r.rows, c)
		for i, row := range r.rows {
			if r.part.NoString(row, k) {
				c.SetNull(i, len(r.rows))
			}
		}
		for i := range c.Dec { // which may be sums, and more than numerics
			c.Dec[i] = c.Dec[i].Shown()
		}
	}
	out.N = len(r.rows)
	if r.next == state.NoRow {
		r.Close()
	}
	return true, nil
}

// openPart loads one task's part, from pages or from Parquet.
func (r *StateReader) openPart(ctx context.Context, t *manifest.Table) (err error) {
	r.next = 0
	if r.from.meta.Format != manifest.Canonical {
		r.part, err = state.Open(ctx, r.from.store, t, r.m.slabs)
		return err
	}
	schema, err := state.SchemaOf(t)
	if err != nil {
		return err
	}
	table, err := canonical.Restore(ctx, r.from.store, []*manifest.Table{t}, r.from.meta.Files, schema,
		state.RestoreOptions{Options: state.Options{Slabs: r.m.slabs, Groups: state.AllGroups}})
	if err != nil {
		return err
	}
	r.part = table.Seal(1)
	table.Close() // the snapshot holds its pages
	return nil
}

func (r *StateReader) readPositions(out *batch.Batch, limit int) {
	n := min(limit, len(r.from.positions))
	for _, p := range r.from.positions[:n] {
		mark := types.Value{Int: p.Watermark}
		if p.Watermark == exec.WatermarkMin || p.Watermark == math.MaxInt64 {
			mark = types.NullValue
		}
		at := types.Value{Bytes: p.Position()}
		if p.Offset == nil {
			at = types.NullValue
		}
		for i, v := range []types.Value{{Bytes: p.ID}, at, mark, {Int: p.Rows}, {Bool: p.Ended}} {
			out.Cols[i].Append(v)
		}
	}
	out.N = n
	if r.from.positions = r.from.positions[n:]; len(r.from.positions) == 0 {
		r.from.positions = nil
	}
}

// Close gives up the part being read.
func (r *StateReader) Close() {
	if r.part != nil {
		r.part.Release()
		r.part = nil
	}
}
