package datagen

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/types"
)

func mods(k types.Kind, p, s int32) types.Type {
	return types.Type{Kind: k, Precision: p, Scale: s, HasPrecision: true}
}

func allTypes() []connector.Column {
	var cols []connector.Column
	for i, t := range []types.Type{types.Of(types.Bool), types.Of(types.Int16), types.Of(types.Int32), types.Of(types.Int64), types.Of(types.Float32),
		types.Of(types.Float64), mods(types.Numeric, 10, 2), types.Of(types.Numeric), types.Of(types.Text), mods(types.Varchar, 4, 0), mods(types.Char, 12, 0),
		types.Of(types.Bytea), types.Of(types.Date), types.Of(types.Time), mods(types.Timestamp, 3, 0), types.Of(types.TimestampTZ), types.Of(types.IntervalK),
		types.Of(types.UUID), types.Of(types.JSONB), types.ArrayOf(types.Of(types.Text)),
		{Kind: types.Row, Fields: []types.Field{{Name: "x", Type: types.Of(types.Int32)}, {Name: "y", Type: types.Of(types.Text)}}}} {
		cols = append(cols, connector.Column{Name: fmt.Sprintf("c%d", i), Type: t})
	}
	return cols
}

func rows(t *testing.T, columns []connector.Column, options map[string]string, max int, restart bool) []string {
	t.Helper()
	ctx := context.Background()
	src, err := Kind().NewSource(ctx, connector.Spec{Columns: columns, Options: options}, connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	splits, _ := src.Splits(ctx)
	var out []string
	want := make([]int, len(columns))
	layout := make([]types.Phys, len(columns))
	for i, c := range columns {
		want[i], layout[i] = i, c.Type.Phys()
	}
	for _, s := range splits {
		r, err := src.Open(ctx, s, nil, want)
		if err != nil {
			t.Fatal(err)
		}
		b := batch.New(layout, 0)
		for {
			status, err := r.Read(ctx, b, max)
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.N {
				var f []string
				for k, c := range b.Cols {
					if c.IsNull(i) {
						f = append(f, "~")
						continue
					}
					v := c.Value(i)
					text := types.AppendText(nil, columns[k].Type, &v, nil)
					f = append(f, string(text))
					if back, err := types.ParseText(columns[k].Type, string(text), nil); err != nil {
						t.Fatalf("%s: %q is no %s: %v %v", columns[k].Name, text, columns[k].Type, back, err)
					}
				}
				out = append(out, strings.Join(f, "|"))
			}
			if status == connector.End {
				break
			}
			if restart {
				if r, err = src.Open(ctx, s, r.Offset(), want); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return out
}

func TestEveryTypeIsRepeatable(t *testing.T) {
	for _, kind := range []string{"random", "sequence"} {
		options := map[string]string{"rows": "101", "seed": "3"}
		for _, c := range allTypes() {
			options["fields."+c.Name+".kind"] = kind
		}
		base := rows(t, allTypes(), options, 1000, false)
		if len(base) != 101 {
			t.Fatal(len(base))
		}
		for _, max := range []int{1, 3, 26} {
			if got := rows(t, allTypes(), options, max, true); fmt.Sprint(got) != fmt.Sprint(base) {
				t.Fatalf("%s differs when read %d at a time", kind, max)
			}
		}
		distinct := map[string]bool{}
		for _, r := range base {
			distinct[r] = true
		}
		if len(distinct) != 101 {
			t.Fatalf("%s: %d distinct rows", kind, len(distinct))
		}
	}
}

func TestBounds(t *testing.T) {
	cols := []connector.Column{{Name: "s", Type: types.Of(types.Int64)}, {Name: "r", Type: types.Of(types.Int32)}, {Name: "n", Type: mods(types.Numeric, 6, 2)},
		{Name: "ts", Type: types.Of(types.Timestamp)}, {Name: "t", Type: types.Of(types.Text)}, {Name: "f", Type: types.Of(types.Float64)}, {Name: "nul", Type: types.Of(types.Int64)}}
	got := rows(t, cols, map[string]string{"rows": "1000", "fields.s.kind": "sequence", "fields.s.min": "10", "fields.s.max": "12",
		"fields.r.min": "-2", "fields.r.max": "2", "fields.n.kind": "sequence", "fields.n.min": "1.50", "fields.n.max": "3.00",
		"fields.ts.kind": "sequence", "fields.ts.min": "2024-01-01", "fields.t.kind": "sequence", "fields.t.length": "5",
		"fields.f.min": "5", "fields.f.max": "6", "fields.nul.null_rate": "0.5"}, 100, false)
	seen := [7]map[string]int{}
	for i := range seen {
		seen[i] = map[string]int{}
	}
	for _, row := range got {
		for i, f := range strings.Split(row, "|") {
			seen[i][f]++
		}
	}
	keys := func(m map[string]int) string {
		var k []string
		for s := range m {
			k = append(k, s)
		}
		sort.Strings(k)
		return strings.Join(k, " ")
	}
	if keys(seen[0]) != "10 11 12" || keys(seen[1]) != "-1 -2 0 1 2" || keys(seen[2]) != "1.50 2.50" {
		t.Error(keys(seen[0]), keys(seen[1]), keys(seen[2]))
	}
	if seen[3]["2024-01-01 00:16:39"] != 1 || seen[4]["00999"] != 1 || len(seen[4]) != 1000 {
		t.Error(seen[3]["2024-01-01 00:16:39"], seen[4]["00999"])
	}
	for f := range seen[5] {
		if f != "5" && !strings.HasPrefix(f, "5.") {
			t.Error(f)
		}
	}
	if n := seen[6]["~"]; n < 400 || n > 600 {
		t.Errorf("%d nulls", n)
	}
}

func TestOptionErrors(t *testing.T) {
	cols := []connector.Column{{Name: "i", Type: types.Of(types.Int32), NotNull: true}, {Name: "t", Type: mods(types.Varchar, 5, 0)}}
	tests := []struct{ option, value, err string }{
		{"rows", "-5", `invalid value for option "rows": "-5"`},
		{"fields.x.kind", "random", `option "fields.x.kind" names no column`},
		{"fields.i.knd", "random", `connector "datagen" has no option "fields.i.knd"`},
		{"field.i.kind", "random", `connector "datagen" has no option "field.i.kind"`},
		{"fields.i.kind", "rnd", `invalid value for option "fields.i.kind": "rnd"`},
		{"fields.i.min", "abc", `invalid value for option "fields.i.min": "abc"`},
		{"fields.i.max", "-1", `invalid value for option "fields.i.max": "-1"`},
		{"fields.i.length", "3", `option "fields.i.length" has no meaning for a column of type integer`},
		{"fields.t.min", "a", `option "fields.t.min" has no meaning for a column of type character varying(5)`},
		{"fields.t.length", "6", `invalid value for option "fields.t.length": "6"`},
		{"fields.i.null_rate", "0.1", `invalid value for option "fields.i.null_rate": "0.1"`},
		{"fields.t.null_rate", "2", `invalid value for option "fields.t.null_rate": "2"`},
	}
	for _, tt := range tests {
		_, err := Kind().NewSource(context.Background(), connector.Spec{Columns: cols, Options: map[string]string{tt.option: tt.value}}, connector.Env{})
		if err == nil || err.Error() != tt.err {
			t.Errorf("%s = %s: %v, want %s", tt.option, tt.value, err, tt.err)
		}
	}
}
