package pgcopy

import (
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

var columns = []types.Field{{Name: "n", Type: types.Of(types.Int64)}, {Name: "s", Type: types.Of(types.Text)}}

func options(t testing.TB, from bool, pairs ...string) Options {
	t.Helper()
	var given []ast.Option
	for i := 0; i < len(pairs); i += 2 {
		given = append(given, ast.Option{Name: pairs[i], Value: &ast.Literal{Text: pairs[i+1]}})
	}
	o, err := ParseOptions(given, from)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// decode reads data cut into pieces of the given size and renders the rows.
func decode(o Options, data string, piece int) (string, error) {
	d := NewDecoder(append([]types.Field(nil), columns...), o, nil)
	var b strings.Builder
	drain := func() error {
		for {
			x, err := d.Next()
			if err != nil || x == nil {
				return err
			}
			for i := range x.N {
				n, s := "NULL", "NULL"
				if !x.Cols[0].IsNull(i) {
					n = fmt.Sprint(x.Cols[0].Int[i])
				}
				if !x.Cols[1].IsNull(i) {
					s = fmt.Sprintf("%q", x.Cols[1].Str(i))
				}
				fmt.Fprintf(&b, "(%s,%s)", n, s)
			}
		}
	}
	for len(data) > 0 {
		k := min(piece, len(data))
		d.Feed([]byte(data[:k]))
		data = data[k:]
		if err := drain(); err != nil {
			return b.String(), err
		}
	}
	d.Finish()
	err := drain()
	return b.String(), err
}

func TestDecode(t *testing.T) {
	text, csv := options(t, true), options(t, true, "format", "csv")
	for _, c := range []struct {
		o          Options
		data, want string
	}{
		{text, "", ""},
		{text, "1\ta\n2\t\\N\n\\N\t\n", `(1,"a")(2,NULL)(NULL,"")`},
		{text, "1\ta\r\n2\tb", `(1,"a")(2,"b")`},
		{text, "1\t\\t\\n\\\\\\b\\f\\r\\v\\x41\\101\\q\n", `(1,"\t\n\\\b\f\r\vAAq")`},
		{text, "1\ta\r2\tb\r", `(1,"a")(2,"b")`},
		{text, "1\ta\\\rb\n2\tc\n", `(1,"a\rb")(2,"c")`},
		{text, "1\ta\n2\tb\rc\n", "!22P04 literal carriage return found in data"},
		{text, "1\ta\n2\tb\r\n", "!22P04 literal carriage return found in data"},
		{text, "1\ta\r\n2\tb\n", "!22P04 literal newline found in data"},
		{text, "1\ta\r\n2\tb\r", "!22P04 literal carriage return found in data"},
		{text, "1\ta\r2\tb\n", "!22P04 literal newline found in data"},
		{csv, "1,\"a\r\"\n2,b\r\n", "!22P04 unquoted carriage return found in data"},
		{text, "1\ta\\\nb\n2\tc\n", `(1,"a\nb")(2,"c")`},
		{text, "1\ta\n\\.\nrubbish", `(1,"a")`},
		{text, "1\tx\\\\\n2\ty\n", `(1,"x\\")(2,"y")`},
		{text, "1\n", `!22P04 missing data for column "s"`},
		{text, "x\n", `!22P02 invalid input syntax for type bigint: "x"`},
		{text, "1\ta\tb\n", "!22P04 extra data after last expected column"},
		{text, "x\ta\n", `!22P02 invalid input syntax for type bigint: "x"`},
		{text, "1\t\xff\n", `!22021 invalid byte sequence for encoding "UTF8"`},
		{text, "1\t\\xff\n", `!22021 invalid byte sequence for encoding "UTF8"`},
		{options(t, true, "delimiter", "|", "null", "-", "header", "true"), "n|s\n1|-\n-|b\n", `(1,NULL)(NULL,"b")`},
		{csv, "1,a\n2,\n3,\"\"\n", `(1,"a")(2,NULL)(3,"")`},
		{csv, "1,\"a\"\"b,\nc\"\r\n2,x\"y z\"w\r\n", `(1,"a\"b,\nc")(2,"xy zw")`},
		{csv, "1,\"abc", "!22P04 unterminated CSV quoted field"},
		{csv, "1,\\.\n", `(1,"\\.")`},
		{csv, "1,a\n\\.\n", `(1,"a")`},
		{options(t, true, "format", "csv", "quote", "'", "escape", "\\"), `1,'a\'b\\c'` + "\n", `(1,"a'b\\c")`},
		{options(t, true, "format", "csv", "force_null", "s"), "1,\"\"\n", `(1,NULL)`},
		{options(t, true, "format", "csv", "force_not_null", "s"), "1,\n", `(1,"")`},
		{options(t, true, "format", "csv", "header", "match"), "n,s\n1,a\n", `(1,"a")`},
		{options(t, true, "format", "csv", "header", "match"), "n,t\n1,a\n", `!22P04 column name mismatch in header line field 2: got "t", expected "s"`},
		{options(t, true, "format", "binary"), "", "!22P04 COPY file signature not recognized"},
		{options(t, true, "format", "binary"), "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07\xff\xff\xff\xff\xff\xff", `(7,NULL)`},
		{options(t, true, "format", "binary"), "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03", "!22P04 row field count is 3, expected 2"},
		{options(t, true, "format", "binary"), "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00", "!22P04 received copy data after EOF marker"},
		{options(t, true, "format", "binary"), "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00", "!22P04 unexpected end of the copied data"},
	} {
		for _, piece := range []int{1, 2, 7, 1 << 20} {
			got, err := decode(c.o, c.data, piece)
			if err != nil {
				var e *pgerr.Error
				if !errors.As(err, &e) {
					t.Fatal(err)
				}
				got = fmt.Sprintf("!%s %s", e.Code, e.Message)
			}
			if got != c.want {
				t.Errorf("%q in pieces of %d: got %s, want %s", c.data, piece, got, c.want)
			}
		}
	}
}

// TestErrorLines: an error names the line at which its row begins, whatever line
// ends are in the rows before it.
func TestErrorLines(t *testing.T) {
	csv := options(t, true, "format", "csv")
	for _, c := range []struct {
		o    Options
		data string
		want string
	}{
		{options(t, true), "1\ta\nx\tb\n", "The error is in line 2, column n, of the copied data."},
		{options(t, true), "1\ta\\\nb\n1\n", "The error is in line 3 of the copied data."},
		{csv, "1,\"a\nb\n\"\n1,a\nx,y\n", "The error is in line 5, column n, of the copied data."},
		{csv, "1,\"abc\n", "The error is in line 1 of the copied data."},
		{csv, "1,a\n2,\"abc\n", "The error is in line 2 of the copied data."},
		{options(t, true, "format", "binary"), "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03", "The error is in line 1 of the copied data."},
	} {
		for _, piece := range []int{1, 7, 1 << 20} {
			_, err := decode(c.o, c.data, piece)
			var e *pgerr.Error
			if !errors.As(err, &e) || e.Detail != c.want {
				t.Errorf("%q in pieces of %d: got %v, %q", c.data, piece, err, pgerr.From(err).Detail)
			}
		}
	}
}

// TestPlacesBesideDetails: the place is told, too, of an error that has a detail of its own.
func TestPlacesBesideDetails(t *testing.T) {
	numeric := types.Type{Kind: types.Numeric, HasPrecision: true, Precision: 6, Scale: 2}
	d := NewDecoder([]types.Field{{Name: "n", Type: numeric}, {Name: "j", Type: types.Of(types.JSONB)}}, options(t, true), nil)
	d.Feed([]byte("1\t{}\n99999.9\t{}\n"))
	_, err := d.Next()
	if want := "A field with precision 6, scale 2 must round to an absolute value less than 10^4. The error is in line 2, column n, of the copied data."; pgerr.From(err).Detail != want {
		t.Errorf("%v: %s", err, pgerr.From(err).Detail)
	}
}

// TestRoundTrip encodes random rows and decodes them again, in all forms.
func TestRoundTrip(t *testing.T) {
	seed := rand.Int63()
	r := rand.New(rand.NewSource(seed))
	alphabet := []string{"a", "é", "\\", "\t", "\n", "\r", ",", "\"", "'", "|", "N", ".", " ", "\\.", "\\N", ""}
	for round := range 300 {
		var rows [][]types.Value
		var want strings.Builder
		for range r.Intn(5) {
			n, s := types.Value{Int: r.Int63n(100) - 50}, types.Value{}
			for range r.Intn(6) {
				s.Bytes += alphabet[r.Intn(len(alphabet))]
			}
			if r.Intn(4) == 0 {
				s = types.NullValue
			}
			rows = append(rows, []types.Value{n, s})
			if s.Null {
				fmt.Fprintf(&want, "(%d,NULL)", n.Int)
			} else {
				fmt.Fprintf(&want, "(%d,%q)", n.Int, s.Bytes)
			}
		}
		b := batch.FromValues([]types.Type{columns[0].Type, columns[1].Type}, rows)
		for _, pairs := range [][]string{nil, {"delimiter", "|"}, {"format", "csv"}, {"format", "csv", "header", "true", "quote", "'"},
			{"format", "csv", "escape", "\\"}, {"format", "csv", "null", "N", "delimiter", "|"}, {"format", "binary"}} {
			e := NewEncoder(append([]types.Field(nil), columns...), options(t, false, pairs...), nil)
			data := e.Begin(nil)
			for i := range b.N {
				data = e.Row(data, b, i)
			}
			data = e.End(data)
			got, err := decode(options(t, true, pairs...), string(data), 1+r.Intn(9))
			if err != nil || got != want.String() {
				t.Fatalf("seed %d round %d %v: %q gives %s (%v), want %s", seed, round, pairs, data, got, err, want.String())
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		from  bool
		pairs []string
		want  string
	}{
		{true, []string{"format", "xml"}, `COPY format "xml" not recognized`},
		{true, []string{"nope", "1"}, `option "nope" not recognized`},
		{true, []string{"delimiter", "ab"}, "COPY delimiter must be a single one-byte character"},
		{true, []string{"delimiter", "a"}, `COPY delimiter cannot be "a"`},
		{true, []string{"quote", "'"}, "COPY quote available only in CSV mode"},
		{true, []string{"format", "binary", "header", "true"}, "cannot specify HEADER in BINARY mode"},
		{true, []string{"format", "csv", "delimiter", `"`}, "COPY delimiter and quote must be different"},
		{true, []string{"null", "a\tb"}, "COPY delimiter character must not appear in the NULL specification"},
		{true, []string{"null", "x", "null", "y"}, "conflicting or redundant options"},
		{false, []string{"format", "csv", "header", "match"}, `cannot use "match" with HEADER in COPY TO`},
	} {
		var given []ast.Option
		for i := 0; i < len(c.pairs); i += 2 {
			given = append(given, ast.Option{Name: c.pairs[i], Value: &ast.Literal{Text: c.pairs[i+1]}})
		}
		if _, err := ParseOptions(given, c.from); err == nil || err.Error() != c.want {
			t.Errorf("%v: got %v, want %s", c.pairs, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(uint8(0), "1\ta\\N\n\\.\n")
	f.Add(uint8(1), "1,\"a\"\"b\"\n")
	f.Add(uint8(2), "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07\xff\xff\xff\xff\xff\xff")
	f.Fuzz(func(t *testing.T, form uint8, data string) {
		o := options(t, true, "format", []string{"text", "csv", "binary"}[form%3])
		whole, err := decode(o, data, 1<<20)
		parts, err2 := decode(o, data, 3)
		if (err == nil) != (err2 == nil) || err == nil && whole != parts {
			t.Errorf("%q: %s (%v) in one piece, %s (%v) in many", data, whole, err, parts, err2)
		}
	})
}

// Clients that read one row from each message take the signature off the first, as
// PostgreSQL sends them together.
func TestSignatureComesWithTheFirstRow(t *testing.T) {
	rows := batch.FromValues([]types.Type{types.Of(types.Int32)}, [][]types.Value{{{Int: 7}}, {{Int: 7}}})
	signature := string(binarySignature) + strings.Repeat("\x00", 8)
	row := "\x00\x01\x00\x00\x00\x04\x00\x00\x00\x07"
	e := NewEncoder([]types.Field{{Name: "n", Type: types.Of(types.Int32)}}, Options{Format: Binary}, nil)
	for i, got := range []string{string(e.Begin(nil)), string(e.Row(nil, rows, 0)), string(e.Row(nil, rows, 1)), string(e.End(nil))} {
		if want := []string{"", signature + row, row, "\xff\xff"}[i]; got != want {
			t.Errorf("message %d is %q, want %q", i, got, want)
		}
	}
	e = NewEncoder(nil, Options{Format: Binary}, nil)
	if got := string(e.End(e.Begin(nil))); got != signature+"\xff\xff" {
		t.Errorf("without rows it is %q", got)
	}
}
