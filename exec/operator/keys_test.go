package operator

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

type countRows int

// Emit implements exec.Output.
func (n *countRows) Emit(b *batch.Batch) error {
	*n += countRows(b.Live())
	return nil
}

// TestKeysAreToldOnce tells the different keys of selected rows, those with nulls left
// out, at the end, or that there are too many as soon as there are.
func TestKeysAreToldOnce(t *testing.T) {
	fields := []types.Field{{Name: "n", Type: types.Type{Kind: types.Numeric}}, {Name: "s", Type: types.Of(types.Text)}, {Name: "i", Type: types.Of(types.Int64)}}
	for _, c := range []struct {
		max       int
		want      string
		beforeEnd bool
	}{
		{3, `[[1 a] [1 b] [2 a]] false`, false},
		{2, `[] true`, true},
	} {
		var told []string
		env := Env{Inputs: [][]types.Field{fields}, Keys: func(source string, values [][]types.Value, all bool) {
			list := make([][]string, len(values))
			for i, row := range values {
				list[i] = []string{row[0].Dec.String(), row[1].Bytes}
			}
			told = append(told, fmt.Sprint(list, " ", all))
			if source != "s" {
				t.Errorf("keys for %q", source)
			}
		}}
		op, err := New(&graph.Operator{ID: "k", Kind: graph.KeysKind, Mode: graph.AppendOnly, Fields: fields, Keys: &graph.Keys{Columns: []int{0, 1}, Max: c.max, Source: "s"}}, env)
		if err != nil {
			t.Fatal(err)
		}
		number := func(text string) types.Value {
			d, err := types.ParseDecimal(text)
			if err != nil {
				t.Fatal(err)
			}
			return types.Value{Dec: d}
		}
		b := batch.FromValues([]types.Type{fields[0].Type, fields[1].Type, fields[2].Type}, [][]types.Value{
			{number("1"), {Bytes: "a"}, {Int: 1}}, {types.NullValue, {Bytes: "a"}, {Int: 2}}, {number("1"), {Bytes: "b"}, {Int: 3}}, {number("1.00"), {Bytes: "a"}, {Int: 4}},
			{number("9"), {Bytes: "z"}, {Int: 5}}, {number("2"), {Bytes: "a"}, {Int: 6}}, {number("2"), types.NullValue, {Int: 7}},
		})
		b.Sel = []uint16{0, 1, 2, 3, 5, 6}
		var out countRows
		for range 2 {
			if err := op.OnBatch(0, b, &out); err != nil {
				t.Fatal(err)
			}
		}
		if (len(told) == 1) != c.beforeEnd {
			t.Fatalf("told %q before the end", told)
		}
		if err := op.OnEnd(&out); err != nil {
			t.Fatal(err)
		}
		if len(told) != 1 || told[0] != c.want {
			t.Errorf("told %q, want %s", told, c.want)
		}
		if out != 12 {
			t.Errorf("%d rows come out", out)
		}
	}
}
