package json

import (
	stdjson "encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/format"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

func numeric(p, s int32) types.Type {
	return types.Type{Kind: types.Numeric, Precision: p, Scale: s, HasPrecision: true}
}

func newBatch(columns []format.Column) *batch.Batch {
	var layout []types.Phys
	for _, c := range columns {
		layout = append(layout, c.Type.Phys())
	}
	return batch.New(layout, 0)
}

func all(n int) []int {
	w := make([]int, n)
	for i := range w {
		w[i] = i
	}
	return w
}

// decodeAll feeds data in pieces of the given size and returns the rows in the
// encoder's form and the bad rows.
func decodeAll(t testing.TB, d format.Decoder, columns []format.Column, data string, piece, max int) (rows, bad []string) {
	t.Helper()
	e := NewEncoder(columns, false)
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
		if len(d.Starts()) != out.N {
			t.Fatalf("%d starts for %d rows", len(d.Starts()), out.N)
		}
		if text := strings.TrimSuffix(string(e.Encode(nil, out)), "\n"); text != "" {
			rows = append(rows, strings.Split(text, "\n")...)
		}
		if b != nil {
			bad = append(bad, fmt.Sprintf("%s: %s", data[pos+b.Start:pos+b.End], b.Err))
		}
		pos += n
		if n == 0 && b == nil && out.N == 0 {
			if final {
				if pos != len(data) {
					t.Fatalf("stopped %d bytes before the end", len(data)-pos)
				}
				return rows, bad
			}
			end = min(end+piece, len(data))
		}
	}
}

func TestValues(t *testing.T) {
	ts3 := types.Type{Kind: types.Timestamp, Precision: 3, HasPrecision: true}
	vc3 := types.Type{Kind: types.Varchar, Precision: 3, HasPrecision: true}
	pair := types.Type{Kind: types.Row, Fields: []types.Field{{Name: "x", Type: types.Of(types.Int32)}, {Name: "y", Type: types.Of(types.Text)}}}
	tests := []struct {
		typ       types.Type
		in, want  string
		badSubstr string
	}{
		{typ: types.Of(types.Int64), in: `9223372036854775807`, want: `9223372036854775807`},
		{typ: types.Of(types.Int64), in: `-9223372036854775808`, want: `-9223372036854775808`},
		{typ: types.Of(types.Int64), in: `9223372036854775808`, badSubstr: "out of range"},
		{typ: types.Of(types.Int64), in: `3.0`, want: `3`},
		{typ: types.Of(types.Int64), in: `12e2`, want: `1200`},
		{typ: types.Of(types.Int64), in: `3.5`, badSubstr: "not a whole number"},
		{typ: types.Of(types.Int64), in: `1e999999999`, badSubstr: "out of range"},
		{typ: types.Of(types.Int64), in: `"42"`, want: `42`},
		{typ: types.Of(types.Int64), in: `"4x"`, badSubstr: "invalid input syntax"},
		{typ: types.Of(types.Int64), in: `true`, badSubstr: "a JSON boolean is no bigint"},
		{typ: types.Of(types.Int64), in: `[1]`, badSubstr: "a JSON nested value is no bigint"},
		{typ: types.Of(types.Int64), in: `01`, badSubstr: "malformed"},
		{typ: types.Of(types.Int64), in: `1.`, badSubstr: "malformed"},
		{typ: types.Of(types.Int64), in: `-`, badSubstr: "malformed"},
		{typ: types.Of(types.Int64), in: `null`, want: `null`},
		{typ: types.Of(types.Int16), in: `32768`, badSubstr: "out of range"},
		{typ: types.Of(types.Int32), in: `-2147483648`, want: `-2147483648`},
		{typ: types.Of(types.Float64), in: `0.1`, want: `0.1`},
		{typ: types.Of(types.Float64), in: `1e400`, badSubstr: "out of range"},
		{typ: types.Of(types.Float64), in: `"NaN"`, want: `"NaN"`},
		{typ: types.Of(types.Numeric), in: `12345678901234567890.123456789000`, want: `12345678901234567890.123456789000`},
		{typ: numeric(6, 2), in: `1.005`, want: `1.01`},
		{typ: numeric(4, 2), in: `100`, badSubstr: "numeric field overflow"},
		{typ: types.Of(types.Text), in: `"a\"b\\\u00e9\ud83d\ude00\n"`, want: `"a\"b\\é😀\n"`},
		{typ: types.Of(types.Text), in: `"\ud83d"`, badSubstr: "surrogate"},
		{typ: types.Of(types.Text), in: `"\u0000"`, badSubstr: "cannot be converted"},
		{typ: types.Of(types.Text), in: "\"\xff\"", badSubstr: "UTF8"},
		{typ: types.Of(types.Text), in: "\"a\tb\"", badSubstr: "control"},
		{typ: types.Of(types.Text), in: `"\x"`, badSubstr: "escape"},
		{typ: types.Of(types.Text), in: `12.50`, want: `"12.50"`},
		{typ: types.Of(types.Text), in: `false`, want: `"false"`},
		{typ: types.Of(types.Text), in: `{"b": [1, 2]}`, want: `"{\"b\": [1, 2]}"`},
		{typ: types.Of(types.Text), in: `""`, want: `""`},
		{typ: vc3, in: `"abcd"`, badSubstr: "too long"},
		{typ: vc3, in: `"abc  "`, want: `"abc"`},
		{typ: types.Of(types.Bool), in: `true`, want: `true`},
		{typ: types.Of(types.Bool), in: `"off"`, want: `false`},
		{typ: types.Of(types.Bool), in: `1`, badSubstr: "a JSON number is no boolean"},
		{typ: types.Of(types.Bool), in: `tru`, badSubstr: "malformed"},
		{typ: types.Of(types.Timestamp), in: `"2024-02-29T10:00:00.123456Z"`, want: `"2024-02-29T10:00:00.123456"`},
		{typ: types.Of(types.Timestamp), in: `"2023-02-29 10:00:00"`, badSubstr: "out of range"},
		{typ: ts3, in: `"2024-02-29 10:00:00.1235"`, want: `"2024-02-29T10:00:00.124"`},
		{typ: types.Of(types.TimestampTZ), in: `"2024-02-29T10:00:00+02:00"`, want: `"2024-02-29T08:00:00+00"`},
		{typ: types.Of(types.Timestamp), in: `1709200800000`, want: `"2024-02-29T10:00:00"`},
		{typ: types.Of(types.Timestamp), in: `1709200800000.25`, want: `"2024-02-29T10:00:00.00025"`},
		{typ: types.Of(types.Timestamp), in: `-1`, want: `"1969-12-31T23:59:59.999"`},
		{typ: types.Of(types.Date), in: `"2024-02-29"`, want: `"2024-02-29"`},
		{typ: types.Of(types.Date), in: `19782`, want: `"2024-02-29"`},
		{typ: types.Of(types.JSONB), in: `{"b":1, "a" : [true,null, 1.50]}`, want: `{"a": [true, null, 1.50], "b": 1}`},
		{typ: types.Of(types.JSONB), in: `"x"`, want: `"x"`},
		{typ: types.Of(types.JSONB), in: `1.0`, want: `1.0`},
		{typ: types.Of(types.UUID), in: `"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"`, want: `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`},
		{typ: types.Of(types.Bytea), in: `"\\x00ff"`, want: `"\\x00ff"`},
		{typ: types.Of(types.IntervalK), in: `"1 day 2 hours"`, want: `"1 day 02:00:00"`},
		{typ: types.ArrayOf(types.Of(types.Int64)), in: `[1, null, 3]`, want: `[1,null,3]`},
		{typ: types.ArrayOf(types.Of(types.Text)), in: `["a\"b", "", "NULL", null, "c,d"]`, want: `["a\"b","","NULL",null,"c,d"]`},
		{typ: types.ArrayOf(types.Of(types.Int64)), in: `[[1,2],[3,4]]`, want: `[[1,2],[3,4]]`},
		{typ: types.ArrayOf(types.Of(types.Int64)), in: `[]`, want: `[]`},
		{typ: types.ArrayOf(types.Of(types.Int64)), in: `"{5,6}"`, want: `[5,6]`},
		{typ: types.ArrayOf(types.Of(types.Int64)), in: `[1,]`, badSubstr: "malformed"},
		{typ: types.ArrayOf(types.Of(types.Int64)), in: `{"a":1}`, badSubstr: "shape"},
		{typ: pair, in: `{"y":"q(","x":7,"z":[1]}`, want: `{"x":7,"y":"q("}`},
		{typ: pair, in: `{}`, want: `{"x":null,"y":null}`},
	}
	for _, tt := range tests {
		columns := []format.Column{{Name: "v", Type: tt.typ}}
		rows, bad := decodeAll(t, NewDecoder(columns, []int{0}), columns, `{"v":`+tt.in+"}\n", 1<<20, 10)
		switch {
		case tt.badSubstr != "":
			if len(bad) != 1 || !strings.Contains(bad[0], tt.badSubstr) {
				t.Errorf("%s %s: rows %q, bad %q, want bad with %q", tt.typ, tt.in, rows, bad, tt.badSubstr)
			}
		case len(rows) != 1 || rows[0] != `{"v":`+tt.want+`}`:
			t.Errorf("%s %s: rows %q, bad %q, want %s", tt.typ, tt.in, rows, bad, tt.want)
		}
	}
}

func TestLinesFieldsAndNulls(t *testing.T) {
	columns := []format.Column{{Name: "a", Type: types.Of(types.Int64), NotNull: true}, {Name: "b", Type: types.Of(types.Text)}}
	data := "\xef\xbb\xbf" + `{"a":1,"b":"x"}` + "\r\n\n  \n" +
		`{"b":"y","unknown":{"deep":[1,{"q":"}"}]},"a":2}` + "\n" +
		`{"a":3}` + "\n" +
		`{"b":"no a"}` + "\n" +
		`{"a":null}` + "\n" +
		`{"a":4,"b":null}  ` + "\n" +
		`{"a":5,"b":"first","b":"last"}` + "\n" +
		`{"a":5,"b":null,"b":"last"}` + "\n" +
		`{"a":5,"b":"first","b":null}` + "\n" +
		`{"a":6} x` + "\n" +
		`[1]` + "\n" +
		`{"a":7` + "\n" +
		`{}` + "\n" +
		`{"a" 7}` + "\n" +
		`{"a":8,}` + "\n" +
		`{"a":9,"b":"no line end"}`
	wantRows := []string{`{"a":1,"b":"x"}`, `{"a":2,"b":"y"}`, `{"a":3,"b":null}`, `{"a":4,"b":null}`, `{"a":5,"b":"last"}`, `{"a":5,"b":"last"}`,
		`{"a":5,"b":null}`, `{"a":9,"b":"no line end"}`}
	for _, piece := range []int{1, 2, 3, 7, 16, 1000} {
		for _, max := range []int{1, 3, 1024} {
			rows, bad := decodeAll(t, NewDecoder(columns, all(2)), columns, data, piece, max)
			if fmt.Sprint(rows) != fmt.Sprint(wantRows) || len(bad) != 8 {
				t.Fatalf("piece %d max %d:\n%s\nbad %d:\n%s", piece, max, strings.Join(rows, "\n"), len(bad), strings.Join(bad, "\n"))
			}
		}
	}
}

func TestOnlyWantedColumnsAreRead(t *testing.T) {
	columns := []format.Column{{Name: "a", Type: types.Of(types.Int64), NotNull: true}, {Name: "b", Type: types.Of(types.Text)}}
	rows, bad := decodeAll(t, NewDecoder(columns, []int{1}), columns[1:], `{"a":"not a number","b":"x"}`, 100, 10)
	if len(bad) != 0 || rows[0] != `{"b":"x"}` {
		t.Fatal(rows, bad)
	}
}

func TestOverlongRowIsReportedAndPassed(t *testing.T) {
	columns := []format.Column{{Name: "a", Type: types.Of(types.Int64)}}
	long := `{"a":1,"x":"` + strings.Repeat("y", format.RowBytesMax) + `"}`
	for _, piece := range []int{1 << 20, 1 << 26} {
		rows, bad := decodeAll(t, NewDecoder(columns, all(1)), columns, "{\"a\":1}\n"+long+"\n{\"a\":2}\n", piece, 10)
		if len(rows) != 2 || len(bad) == 0 || !strings.Contains(bad[0][len(bad[0])-100:], "longer than") {
			t.Fatal(len(rows), len(bad))
		}
	}
}

// TestEncoderWritesJSON holds the encoder against encoding/json.
func TestEncoderWritesJSON(t *testing.T) {
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	columns := []format.Column{{Name: "te\"xt", Type: types.Of(types.Text)}, {Name: "n", Type: types.Of(types.Int64)}}
	for range 2000 {
		raw := make([]rune, r.IntN(20))
		for i := range raw {
			raw[i] = []rune{'"', '\\', '\n', 1, 'a', 'é', '😀', 0x2028, '/'}[r.IntN(9)]
		}
		b := batch.FromValues([]types.Type{columns[0].Type, columns[1].Type}, [][]types.Value{{{Bytes: string(raw)}, {Int: r.Int64()}}})
		line := NewEncoder(columns, true).Encode(nil, b)
		var got struct {
			Op   string
			Text string `json:"te\"xt"`
			N    int64
		}
		var m map[string]any
		if err := stdjson.Unmarshal(line, &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		_ = stdjson.Unmarshal(line, &got)
		if m["op"] != "insert" || m["te\"xt"] != string(raw) || got.N != b.Cols[1].Int[0] {
			t.Fatalf("%s: got %v", line, m)
		}
		rows, bad := decodeAll(t, NewDecoder(columns, all(2)), columns, string(line), 1000, 10)
		if len(bad) != 0 || rows[0]+"\n" != string(NewEncoder(columns, false).Encode(nil, b)) {
			t.Fatalf("%s comes back as %q, bad %q", line, rows, bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("{\"a\":1,\"b\":\"x\",\"c\":1.5,\"d\":[1,{\"x\":null}],\"e\":\"2024-01-01T00:00:00Z\",\"f\":[[\"a\"]]}\n", 3)
	f.Add("{\"a\":\"\\ud83d\\ude00\"}\n\n{]", 1)
	columns := []format.Column{{Name: "a", Type: types.Of(types.Int64)}, {Name: "b", Type: types.Of(types.Text)}, {Name: "c", Type: types.Of(types.Numeric)},
		{Name: "d", Type: types.Of(types.JSONB)}, {Name: "e", Type: types.Of(types.Timestamp)}, {Name: "f", Type: types.ArrayOf(types.Of(types.Text))}}
	f.Fuzz(func(t *testing.T, data string, piece int) {
		if piece < 1 {
			piece = 1
		}
		rows, bad := decodeAll(t, NewDecoder(columns, all(6)), columns, data, piece, 3)
		again, bad2 := decodeAll(t, NewDecoder(columns, all(6)), columns, data, len(data)+1, 1024)
		if fmt.Sprint(rows) != fmt.Sprint(again) || fmt.Sprint(bad) != fmt.Sprint(bad2) {
			t.Fatalf("pieces of %d give %q bad %q, the whole %q bad %q", piece, rows, bad, again, bad2)
		}
		for _, row := range rows {
			if !stdjson.Valid([]byte(row)) {
				t.Fatalf("encoder wrote %s", row)
			}
		}
	})
}

func BenchmarkDecodeBid(b *testing.B) {
	columns := []format.Column{{Name: "auction", Type: types.Of(types.Int64)}, {Name: "bidder", Type: types.Of(types.Int64)}, {Name: "price", Type: types.Of(types.Int64)},
		{Name: "channel", Type: types.Of(types.Text)}, {Name: "url", Type: types.Of(types.Text)}, {Name: "date_time", Type: types.Of(types.Timestamp)}, {Name: "extra", Type: types.Of(types.Text)}}
	line := `{"auction":10234,"bidder":2001,"price":20349502,"channel":"channel-884","url":"https://www.nexmark.com/sxg/nenx/ujp/item.htm?query=1&channel_id=784334848","date_time":"2015-07-15T00:00:00.123","extra":"ywwlgxranqmyuusrnlclwdeqwawduzruwqgjfvinwnplrfgkspuemhkivndnqqaler"}` + "\n"
	data := []byte(strings.Repeat(line, 1024))
	d, out := NewDecoder(columns, all(7)), newBatch(columns)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if n, bad := d.Decode(data, true, out, 1024); n != len(data) || bad != nil {
			b.Fatal(n, bad)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
}
