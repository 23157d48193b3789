package types

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/test/servers"
)

var rewrite = flag.Bool("rewrite", false, "record what a real PostgreSQL answers in testdata/texts.txt")

// readTexts reads lines "type | text => output | binary in hex".
func readTexts(t testing.TB) (lines []string) {
	data, err := os.ReadFile("testdata/texts.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimRight(string(data), "\n"), "\n")
}

func splitText(l string) (typ, text, want string, ok bool) {
	if l == "" || l[0] == '#' {
		return
	}
	in, want, _ := strings.Cut(l, " => ")
	typ, text, ok = strings.Cut(strings.TrimSuffix(in, " =>"), " | ")
	return typ, strings.ReplaceAll(text, `\n`, "\n"), want, ok
}

func named(name string) Type {
	if e, ok := strings.CutSuffix(name, "[]"); ok {
		return ArrayOf(named(e))
	}
	if base, mod, ok := strings.Cut(name, "("); ok {
		t := named(base)
		p, s, _ := strings.Cut(strings.TrimSuffix(mod, ")"), ",")
		n, _ := ParseInt(p, Int32)
		t.Precision, t.HasPrecision = int32(n), true
		if s != "" {
			n, _ = ParseInt(s, Int32)
			t.Scale = int32(n)
		}
		return t
	}
	switch name {
	case "timestamp":
		return Of(Timestamp)
	case "timestamptz":
		return Of(TimestampTZ)
	case "time":
		return Of(Time)
	case "varchar":
		return Of(Varchar)
	case "char":
		return Of(Char)
	}
	for k := Bool; k <= Void; k++ {
		if k.String() == name {
			return Of(k)
		}
	}
	panic("unknown type " + name)
}

func ask(conn *pgx.Conn, typ, text string) string {
	sql := "SELECT CAST('" + strings.ReplaceAll(text, "'", "''") + "' AS " + typ + ")"
	if strings.HasPrefix(typ, "varchar(") || strings.HasPrefix(typ, "char(") {
		sql = "CREATE TEMP TABLE x (v " + typ + ") ON COMMIT DROP; INSERT INTO x VALUES ('" + strings.ReplaceAll(text, "'", "''") + "') RETURNING v"
	}
	res, err := conn.PgConn().Exec(context.Background(), sql).ReadAll()
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return "ERROR " + pe.Code + " " + pe.Message
	}
	out := string(res[len(res)-1].Rows[0][0])
	if len(res) > 1 {
		return out
	}
	b := conn.PgConn().ExecParams(context.Background(), sql, nil, nil, nil, []int16{1}).Read()
	return strings.ReplaceAll(out, "\n", `\n`) + " | " + hex.EncodeToString(b.Rows[0][0])
}

func newYork(t testing.TB) *ParseOptions {
	z, err := LoadZone("America/New_York", true)
	if err != nil {
		t.Fatal(err)
	}
	return &ParseOptions{Zone: z}
}

func connect(t testing.TB) *pgx.Conn {
	conn, err := pgx.Connect(context.Background(), servers.StartPostgres(t).URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	if _, err := conn.Exec(context.Background(), "SET timezone = 'America/New_York'"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestTexts reads each text, and compares text and binary output with what
// PostgreSQL printed; the binary form must read back too.
func TestTexts(t *testing.T) {
	lines := readTexts(t)
	if *rewrite {
		conn := connect(t)
		for i, l := range lines {
			if typ, text, _, ok := splitText(l); ok && !strings.HasPrefix(typ, "own ") {
				in, _, _ := strings.Cut(l, " =>")
				lines[i] = in + " => " + ask(conn, typ, text)
			}
		}
		if err := os.WriteFile("testdata/texts.txt", []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	opt := newYork(t)
	for n, l := range lines {
		name, text, want, ok := splitText(l)
		if !ok {
			continue
		}
		typ := named(strings.TrimPrefix(name, "own "))
		v, err := ParseText(typ, text, opt)
		var pe *pgerr.Error
		if errors.As(err, &pe) {
			if got := "ERROR " + string(pe.Code) + " " + pe.Message; len(want) < 11 || got[:11] != want[:min(11, len(want))] {
				t.Errorf("line %d: %s\n got %s", n+1, l, got)
			}
			continue
		}
		got := strings.ReplaceAll(string(AppendText(nil, typ, &v, opt.Zone)), "\n", `\n`)
		wantText, wantHex, both := strings.Cut(want, " | ")
		if got != wantText {
			t.Errorf("line %d: %s\n got %s", n+1, l, got)
			continue
		}
		if !both {
			continue
		}
		b := AppendBinary(nil, typ, &v)
		if h := hex.EncodeToString(b); h != wantHex {
			t.Errorf("line %d: %s\n binary %s", n+1, l, h)
			continue
		}
		back, err := ParseBinary(typ, b)
		if again := string(AppendText(nil, typ, &back, opt.Zone)); err != nil || strings.ReplaceAll(again, "\n", `\n`) != wantText {
			t.Errorf("line %d: %s\n binary reads back as %s, %v", n+1, l, again, err)
		}
		var j Value
		enc, err := v.MarshalJSON()
		if err == nil {
			err = j.UnmarshalJSON(enc)
		}
		if again := string(AppendText(nil, typ, &j, opt.Zone)); err != nil || strings.ReplaceAll(again, "\n", `\n`) != wantText {
			t.Errorf("line %d: %s\n through JSON %s is %s, %v", n+1, l, enc, again, err)
		}
	}
}

func FuzzParseText(f *testing.F) {
	for _, l := range readTexts(f) {
		if name, text, _, ok := splitText(l); ok {
			f.Add(uint8(named(strings.TrimPrefix(name, "own ")).Kind), text)
		}
	}
	f.Fuzz(func(t *testing.T, k uint8, s string) {
		typ := Of(Kind(k%25 + 1))
		if typ.Kind == Array {
			typ = ArrayOf(Of(Text))
		}
		if typ.Kind == Row {
			typ.Fields = []Field{{Name: "a", Type: Of(Int32)}, {Name: "b", Type: Of(Text)}}
		}
		v, err := ParseText(typ, s, nil)
		if err != nil {
			return
		}
		// What is printed reads back as an equal value.
		text := string(AppendText(nil, typ, &v, nil))
		w, err := ParseText(typ, text, nil)
		if err != nil || CompareNullsLast(typ, &v, &w) != 0 {
			t.Fatalf("%s %q prints as %q, which reads as %+v, %v", typ, s, text, w, err)
		}
	})
}

func FuzzParseBinary(f *testing.F) {
	for _, l := range readTexts(f) {
		if name, _, want, ok := splitText(l); ok {
			_, h, _ := strings.Cut(want, " | ")
			b, _ := hex.DecodeString(h)
			f.Add(uint8(named(strings.TrimPrefix(name, "own ")).Kind), b)
		}
	}
	for _, k := range []Kind{Text, Char, JSONB, JSONPathK} {
		f.Add(uint8(k-1), []byte("\x01\"\xff\""))
	}
	f.Fuzz(func(t *testing.T, k uint8, b []byte) {
		typ := Of(Kind(k%24 + 1))
		if typ.Kind == Array {
			typ = ArrayOf(Of(Numeric))
		}
		if v, err := ParseBinary(typ, b); err == nil {
			if text := AppendText(nil, typ, &v, nil); !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
				t.Fatalf("%s %x prints as %q", typ, b, text)
			}
			AppendBinary(nil, typ, &v)
		}
	})
}

func FuzzDecodeArray(f *testing.F) {
	f.Add([]byte(EncodeList(Of(Int64), []Value{{Int: 1}, NullValue})))
	f.Add([]byte(EncodeList(Of(Text), []Value{{Bytes: "x"}})))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range []Kind{Int64, Text, Numeric, IntervalK, UUID, Bool} {
			if a, err := DecodeArray(Of(e), string(b)); err == nil {
				appendArray(nil, Of(e), EncodeArray(Of(e), a), nil)
			}
		}
		_, _ = DecodeRow([]Field{{Type: Of(Int64)}, {Type: Of(Text)}}, string(b))
	})
}
