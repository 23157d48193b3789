package operator

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/statestore/segment"
	"github.com/millrace/millrace/types"
)

// TestAddedAggregates restores the state of an aggregation into one that has more
// aggregates: what they see from then on is state that the next savepoint keeps,
// and a list that is there already serves its new readers at once.
func TestAddedAggregates(t *testing.T) {
	const input = "input k text, v bigint, s text\n"
	old, err := parseScript(input + "aggregate retract by k: count(*), string_agg(s order by v)")
	if err != nil {
		t.Fatal(err)
	}
	next, err := parseScript(input + "aggregate retract by k: count(*), string_agg(s order by v), array_agg(s order by v desc), sum(v), count(distinct v)")
	if err != nil {
		t.Fatal(err)
	}
	rows := func(lines ...string) *batch.Batch {
		var vals [][]types.Value
		for _, l := range lines {
			words := strings.Fields(l)
			var row []types.Value
			for i, w := range words {
				v, err := parseValue(old.fields[i].Type, w)
				if err != nil {
					t.Fatal(err)
				}
				row = append(row, v)
			}
			vals = append(vals, row)
		}
		return batch.FromValues([]types.Type{old.fields[0].Type, old.fields[1].Type, old.fields[2].Type}, vals)
	}
	run := func(s *script, tables map[string]*state.Table, in *batch.Batch) string {
		op, err := New(s.op, Env{Table: func(name string) *state.Table { return tables[name] }, Inputs: [][]types.Field{s.fields}, CoalesceRows: 1})
		if err != nil {
			t.Fatal(err)
		}
		out := &lines{fields: s.op.Fields}
		if err := op.OnBatch(0, in, out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	tables := map[string]*state.Table{}
	for _, schema := range old.op.Tables {
		if tables[schema.Name], err = state.NewTable(schema, state.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := run(old, tables, rows("a 1 x", "a 2 y")); got != "a 2 x|y" {
		t.Fatalf("got %s", got)
	}
	restored := map[string]*state.Table{}
	store := object.NewMemory()
	for _, schema := range next.op.Tables {
		restored[schema.Name] = restoreAs(t, store, tables[schema.Name], schema)
	}
	if got, want := run(next, restored, rows("a 3 z")), "a 2 x|y {y,x} null 0, a 3 x|y|z {z,y,x} 3 1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, table := range restored {
		_ = table.Each(func(_ state.RowID, row unsafe.Pointer) error {
			for i, c := range table.Schema().Columns {
				if table.IsNull(row, table.Keys()+i) {
					t.Errorf("table %q: column %q is null", name, c.Name)
				}
			}
			return nil
		})
	}
}

// restoreAs writes a checkpoint of a table and restores it with another schema; a
// table that is not there is new.
func restoreAs(t *testing.T, store object.Store, from *state.Table, schema graph.Table) *state.Table {
	t.Helper()
	var parts []*manifest.Table
	if from != nil {
		w := segment.NewWriter(store, "job/shared/r1-"+schema.Name)
		s := from.Seal(1)
		m, err := s.Upload(t.Context(), w, 1)
		if err == nil {
			err = w.Close(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Release()
		parts = append(parts, m)
	}
	table, err := state.Restore(t.Context(), store, parts, schema, state.RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return table
}
