package csv

import (
	stdcsv "encoding/csv"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/format"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

func schema() []format.Column {
	return []format.Column{{Name: "a", Type: types.Of(types.Int64), NotNull: true}, {Name: "b", Type: types.Of(types.Text)},
		{Name: "c", Type: types.Of(types.Timestamp)}}
}

func newBatch(columns []format.Column) *batch.Batch {
	var layout []types.Phys
	for _, c := range columns {
		layout = append(layout, c.Type.Phys())
	}
	return batch.New(layout, 0)
}

// decodeAll feeds data in pieces and returns rows as "a|b|c" with ~ for null.
func decodeAll(t testing.TB, d format.Decoder, columns []format.Column, data string, piece, max int) (rows, bad []string) {
	t.Helper()
	out := newBatch(columns)
	pos, end, header := 0, 0, false
	for {
		final := end == len(data)
		if !header {
			n, done, err := d.Header([]byte(data[:end]), final)
			if err != nil {
				return nil, []string{"header: " + err.Error()}
			}
			if header = done; done {
				pos = n
			} else {
				end = min(end+piece, len(data))
			}
			continue
		}
		out.Reset()
		n, b := d.Decode([]byte(data[pos:end]), final, out, max)
		for i := range out.N {
			var f []string
			for k, c := range out.Cols {
				if c.IsNull(i) {
					f = append(f, "~")
				} else {
					f = append(f, string(format.AppendText(nil, columns[k].Type, c, i)))
				}
			}
			rows = append(rows, strings.Join(f, "|"))
		}
		if b != nil {
			bad = append(bad, fmt.Sprintf("%s: %s", data[pos+b.Start:pos+b.End], b.Err))
		}
		pos += n
		if n == 0 && b == nil && out.N == 0 {
			if final {
				return rows, bad
			}
			end = min(end+piece, len(data))
		}
	}
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		data    string
		rows    []string
		bad     []string // substrings
	}{
		{name: "plain", data: "1,x,2024-01-02 03:04:05\n2,,\n", rows: []string{"1|x|2024-01-02 03:04:05", "2|~|~"}},
		{name: "empty", data: ""},
		{name: "blank lines and CRLF", data: "\r\n1,x,\r\n\n2,y,\r\n\r\n", rows: []string{"1|x|~", "2|y|~"}},
		{name: "no last line end", data: "1,x,", rows: []string{"1|x|~"}},
		{name: "no last line end after a quote", data: "1,\"x\",\"2024-01-01 00:00:00\"", rows: []string{"1|x|2024-01-01 00:00:00"}},
		{name: "quotes", data: "1,\"a \"\"b\"\", c\nd\r\ne\",\n2,\"\",\n3,a\"b,\n", rows: []string{"1|a \"b\", c\nd\r\ne|~", "2||~", "3|a\"b|~"}},
		{name: "null token", options: Options{Null: "NULL"}, data: "1,NULL,NULL\n2,\"NULL\",NULL\n3,,NULL\n", rows: []string{"1|~|~", "2|NULL|~", "3||~"}},
		{name: "delimiter", options: Options{Delimiter: ';'}, data: "1;a,b;\n", rows: []string{"1|a,b|~"}},
		{name: "byte-order mark", data: "\xef\xbb\xbf1,x,\n", rows: []string{"1|x|~"}},
		{name: "header", options: Options{Header: true}, data: "b, a ,zzz\nx,1,?\ny,2,?\n", rows: []string{"1|x|~", "2|y|~"}},
		{name: "header only", options: Options{Header: true}, data: "b,a"},
		{name: "empty with header", options: Options{Header: true}, data: ""},
		{name: "header without a needed column", options: Options{Header: true}, data: "b\nx\n", bad: []string{"null value in column \"a\""}},
		{name: "header of others", options: Options{Header: true}, data: "x,y\n1,2\n", bad: []string{"header: CSV header names none of the columns a, b, c"}},
		{name: "header in UTF-16", options: Options{Header: true}, data: "a\x00,\x00b\x00\n\x001\x00", bad: []string{"header: CSV header is not in UTF-8"}},
		{name: "header in Latin-1", options: Options{Header: true}, data: "\xe0,\xe9\n1,2\n", bad: []string{"header: CSV header is not in UTF-8"}},
		{name: "lines that end with a carriage return", options: Options{Header: true}, data: "a,b\r1,2\r", bad: []string{"header: CSV header has a carriage return in it"}},
		{name: "header names twice", options: Options{Header: true}, data: "a,a\n1,2\n", bad: []string{"header: CSV header names field \"a\" twice"}},
		{name: "too few and too many", data: "1,x\n1,x,,y\n2,y,\n", rows: []string{"2|y|~"}, bad: []string{"1,x: missing data", "1,x,,y: extra data"}},
		{name: "values", data: "x,x,\n1,x,yesterday?\n,x,\n9,ok,\n99999999999999999999,x,\n", rows: []string{"9|ok|~"},
			bad: []string{"invalid input syntax for type bigint", "column \"c\"", "null value in column \"a\"", "out of range"}},
		{name: "text after a quote", data: "1,\"x\"y,\n2,z,\n", rows: []string{"2|z|~"}, bad: []string{"1,\"x\"y,: text after"}},
		{name: "quote never closed", data: "1,\"x,\n2,z,\n3,w,\n", rows: []string{"2|z|~", "3|w|~"}, bad: []string{"1,\"x,: CSV quoted field is not closed"}},
		{name: "not UTF-8", data: "1,\xff,\n2,z,\n", rows: []string{"2|z|~"}, bad: []string{"UTF8"}},
	}
	for _, tt := range tests {
		for _, piece := range []int{1, 2, 3, 5, 1000} {
			for _, max := range []int{1, 3, 1024} {
				rows, bad := decodeAll(t, NewDecoder(schema(), []int{0, 1, 2}, tt.options), schema(), tt.data, piece, max)
				ok := fmt.Sprintf("%q", rows) == fmt.Sprintf("%q", tt.rows) && len(bad) == len(tt.bad)
				for i := range min(len(bad), len(tt.bad)) {
					ok = ok && strings.Contains(bad[i], tt.bad[i])
				}
				if !ok {
					t.Fatalf("%s, pieces of %d, %d rows at a time: rows %q, bad %q", tt.name, piece, max, rows, bad)
				}
			}
		}
	}
}

func TestWantedColumnsOnly(t *testing.T) {
	rows, bad := decodeAll(t, NewDecoder(schema(), []int{1}, Options{}), schema()[1:2], "x,y,z\n", 100, 10)
	if len(bad) > 0 || rows[0] != "y" {
		t.Fatal(rows, bad)
	}
}

// TestRoundTrip writes random texts, reads them back, and has encoding/csv read
// them too.
func TestRoundTrip(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	columns := []format.Column{{Name: "b", Type: types.Of(types.Text)}, {Name: "x,\"y", Type: types.Of(types.Text)}}
	for round := range 3000 {
		n := 1 + round%2
		cols := columns[:n]
		o := Options{Header: round%3 == 0, Null: []string{"", "NULL"}[round%2]}
		var rows [][]types.Value
		var want []string
		for range 1 + r.IntN(3) {
			var row []types.Value
			var text []string
			for range n {
				if r.IntN(4) == 0 {
					row, text = append(row, types.NullValue), append(text, "~")
					continue
				}
				raw := make([]rune, r.IntN(5))
				for i := range raw {
					raw[i] = []rune{'"', ',', '\n', '\r', 'N', 'é', ' '}[r.IntN(7)]
				}
				s := string(raw)
				if r.IntN(8) == 0 {
					s = "NULL"
				}
				row, text = append(row, types.Value{Bytes: s}), append(text, s)
			}
			rows, want = append(rows, row), append(want, strings.Join(text, "|"))
		}
		typ := make([]types.Type, n)
		for i := range typ {
			typ[i] = cols[i].Type
		}
		e := NewEncoder(cols, o, false)
		data := string(e.Encode(e.Header(nil), batch.FromValues(typ, rows)))
		got, bad := decodeAll(t, NewDecoder(cols, []int{0, 1}[:n], o), cols, data, 1+r.IntN(10), 10)
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) || len(bad) > 0 {
			t.Fatalf("%q comes back as %q, want %q, bad %q", data, got, want, bad)
		}
		if _, err := stdcsv.NewReader(strings.NewReader(data)).ReadAll(); err != nil {
			t.Fatalf("encoding/csv refuses %q: %v", data, err)
		}
	}
}

func TestEncodeOps(t *testing.T) {
	b := batch.FromValues([]types.Type{types.Of(types.Int64)}, [][]types.Value{{{Int: 1}}, {{Int: 2}}, {{Int: 3}}})
	b.Ops = []batch.Op{batch.UpdateBefore, batch.UpdateAfter, batch.Delete}
	b.Sel = []uint16{0, 2}
	e := NewEncoder([]format.Column{{Name: "n", Type: types.Of(types.Int64)}}, Options{Header: true}, true)
	if got := string(e.Encode(e.Header(nil), b)); got != "op,n\nupdate_before,1\ndelete,3\n" {
		t.Fatalf("%q", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("1,\"x\"\"\",\r\n2,y,\n", 1, true)
	f.Add("\"a\"b,\n\"", 2, false)
	f.Fuzz(func(t *testing.T, data string, piece int, header bool) {
		if piece < 1 {
			piece = 1
		}
		o := Options{Header: header}
		rows, bad := decodeAll(t, NewDecoder(schema(), []int{0, 1, 2}, o), schema(), data, piece, 3)
		again, bad2 := decodeAll(t, NewDecoder(schema(), []int{0, 1, 2}, o), schema(), data, len(data)+1, 1024)
		if fmt.Sprintf("%q", rows) != fmt.Sprintf("%q", again) || fmt.Sprintf("%q", bad) != fmt.Sprintf("%q", bad2) {
			t.Fatalf("pieces of %d give %q bad %q, the whole %q bad %q", piece, rows, bad, again, bad2)
		}
	})
}
