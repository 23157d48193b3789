package canonical

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"unsafe"

	"github.com/parquet-go/parquet-go"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/statestore/segment"
	"github.com/millrace/millrace/types"
)

var kinds = []types.Kind{types.Int64, types.Bool, types.Int16, types.Int32, types.Float32, types.Float64, types.Numeric, types.Text, types.Varchar, types.Bytea,
	types.Date, types.Time, types.Timestamp, types.TimestampTZ, types.IntervalK, types.UUID, types.JSONB, types.OID}

func schemaOf(kinds []types.Kind) graph.Table {
	s := graph.Table{Name: "t", Keys: []graph.Column{{Name: "key", Type: types.Of(kinds[0])}, {Name: "key 2", Type: types.Of(types.Text)}}, Local: 1}
	for _, k := range kinds[1:] {
		s.Columns = append(s.Columns, graph.Column{Name: "sum(" + k.String() + ")", Type: types.Of(k)})
	}
	s.Columns = append(s.Columns, graph.Column{Name: "key", Type: types.Of(types.Int64)}) // twice
	return s
}

// fill makes a table of n rows with values of all kinds, nulls among them.
func fill(t *testing.T, n int) *state.Table {
	t.Helper()
	schema := schemaOf(kinds)
	table, err := state.NewTable(schema, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var cols []*batch.Column
	for _, c := range append(append([]graph.Column(nil), schema.Keys...), schema.Columns...) {
		cols = append(cols, batch.NewColumn(c.Type.Phys(), n))
	}
	for k, c := range cols {
		for i := range n {
			if k > 1 && (i+k)%5 == 0 {
				c.SetNull(i, n)
				continue
			}
			setTest(c, i)
		}
	}
	rows := make([]unsafe.Pointer, n)
	table.FindOrInsert(cols[:2], n, nil, make([]state.RowID, n), rows, nil)
	for k := 2; k < len(cols); k++ {
		table.WriteColumn(k, rows, cols[k], n, nil)
	}
	return table
}

func setTest(c *batch.Column, i int) {
	switch c.Phys {
	case types.PhysBool:
		c.Bool[i] = i%2 == 0
	case types.PhysInt:
		c.Int[i] = int64(i) - 20
	case types.PhysFloat:
		c.Float[i] = []float64{float64(i) / 4, math.Inf(1), -0.5}[i%3]
	case types.PhysDecimal:
		d, err := types.ParseDecimal([]string{fmt.Sprint(i), "1.500", "NaN", "-12345678901234567890.12"}[i%4])
		if err != nil {
			panic(err)
		}
		c.Dec[i] = d
	case types.PhysBytes:
		c.Views[i] = c.AddStr(fmt.Sprintf(`"text %d"`, i))
	case types.PhysInterval:
		c.Interval[i] = types.Interval{Months: int32(i), Days: -3, Micros: 1 << 40}
	case types.PhysUUID:
		c.UUID[i] = [16]byte{1, byte(i)}
	}
}

// dump prints all rows by key.
func dump(s *state.Snapshot) map[string]string {
	rows, _ := s.Rows(0, 100000, nil)
	out := map[string]string{}
	var lines []string
	schema := s.Schema()
	lines = make([]string, len(rows))
	for k := range len(schema.Keys) + len(schema.Columns) {
		c := &batch.Column{Phys: s.Phys(k)}
		s.ReadColumn(k, rows, c)
		for i := range rows {
			if c.IsNull(i) {
				lines[i] += "null|"
				continue
			}
			switch c.Phys {
			case types.PhysBool:
				lines[i] += fmt.Sprint(c.Bool[i])
			case types.PhysInt:
				lines[i] += fmt.Sprint(c.Int[i])
			case types.PhysFloat:
				lines[i] += fmt.Sprint(c.Float[i])
			case types.PhysDecimal:
				lines[i] += c.Dec[i].String()
			case types.PhysBytes:
				lines[i] += c.Str(i)
			case types.PhysInterval:
				lines[i] += fmt.Sprint(c.Interval[i])
			case types.PhysUUID:
				lines[i] += fmt.Sprint(c.UUID[i])
			}
			lines[i] += "|"
		}
	}
	for i, l := range lines {
		out[fmt.Sprint(state.GroupOf(rows[i]), "|", l)] = ""
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	ctx, store := t.Context(), object.NewMemory()
	for _, n := range []int{0, 1, 3000} {
		table := fill(t, n)
		s := table.Seal(1)
		defer s.Release()
		name := fmt.Sprintf("state/%d.parquet", n)
		m, file, err := Write(ctx, store, name, s)
		if err != nil {
			t.Fatal(err)
		}
		files := []manifest.File{file}
		got := map[string]string{}
		for _, g := range []state.GroupRange{{Lo: 0, Hi: 300}, {Lo: 300, Hi: 1024}} {
			r, err := Restore(ctx, store, []*manifest.Table{m}, files, table.Schema(), state.RestoreOptions{Options: state.Options{Groups: g}})
			if err != nil {
				t.Fatal(err)
			}
			rs := r.Seal(1)
			for k, v := range dump(rs) {
				got[k] = v
			}
			rs.Release()
		}
		if want := dump(s); len(want) != n || !reflect.DeepEqual(got, want) {
			t.Errorf("%d rows came back as %d and differ", n, len(got))
		}
		meta := &manifest.Metadata{Kind: manifest.Savepoint, Format: manifest.Canonical, Files: files,
			Operators: []manifest.Operator{{ID: "x", Tasks: []manifest.Task{{Tables: []*manifest.Table{m}}}}}}
		if _, err := manifest.Encode(meta); err != nil {
			t.Error(err)
		}
		data, _, _ := store.Get(ctx, name)
		data[len(data)/2] ^= 4
		if err := store.Put(ctx, name, data); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(ctx, store, []*manifest.Table{m}, files, table.Schema(), state.RestoreOptions{}); !errors.Is(err, segment.ErrDamaged) {
			t.Errorf("damage: %v", err)
		}
	}
}

// TestFileIsReadable opens the file as any reader of Parquet would.
func TestFileIsReadable(t *testing.T) {
	ctx, store := t.Context(), object.NewMemory()
	table := fill(t, 10)
	s := table.Seal(1)
	defer s.Release()
	if _, _, err := Write(ctx, store, "t.parquet", s); err != nil {
		t.Fatal(err)
	}
	data, _, _ := store.Get(ctx, "t.parquet")
	rows, err := parquet.Read[struct {
		Key   *int64  `parquet:"key,optional"`
		Text  *string `parquet:"sum(text),optional"`
		Group int32   `parquet:"key_group"`
	}](bytes.NewReader(data), int64(len(data)))
	if err != nil || len(rows) != 10 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, r := range rows {
		if r.Key == nil || *r.Key < -20 || r.Text != nil && len(*r.Text) < 8 {
			t.Errorf("row %+v", r)
		}
	}
}
