package object

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/types"
)

func spec(options map[string]string) connector.Spec {
	if options["path"] == "" {
		options["path"] = "s3://bucket/"
	}
	return connector.Spec{Relation: "public.f", Options: options, Columns: []connector.Column{
		{Name: "id", Type: types.Of(types.Int64)}, {Name: "name", Type: types.Of(types.Text)},
		{Name: "file", Type: types.Of(types.Text), Metadata: "path"}, {Name: "at", Type: types.Of(types.Int64), Metadata: "offset"}}}
}

func compress(t *testing.T, how, data string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch how {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b)
	default:
		return []byte(data)
	}
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read reads a split to its end, max rows at a time, opening it anew after every
// read when restart is set.
func read(t *testing.T, src connector.Source, split string, max int, restart bool) ([]string, error) {
	t.Helper()
	ctx := context.Background()
	r, err := src.Open(ctx, connector.Split{ID: split}, nil, []int{0, 1, 2, 3})
	if err != nil {
		return nil, err
	}
	b := batch.New([]types.Phys{types.PhysInt, types.PhysBytes, types.PhysBytes, types.PhysInt}, 0)
	var rows []string
	for {
		status, err := r.Read(ctx, b, max)
		if err != nil {
			return rows, err
		}
		for i := range b.N {
			rows = append(rows, fmt.Sprintf("%d %s %s@%d", b.Cols[0].Int[i], b.Cols[1].Str(i), b.Cols[2].Str(i), b.Cols[3].Int[i]))
		}
		if status == connector.End {
			return rows, r.Close()
		}
		if restart {
			if r, err = src.Open(ctx, connector.Split{ID: split}, append([]byte(nil), r.Offset()...), []int{0, 1, 2, 3}); err != nil {
				return rows, err
			}
		}
	}
}

func TestEveryFormatAndCompressionRestartsExactly(t *testing.T) {
	for _, form := range []string{"json", "csv", "csv with header"} {
		for _, how := range []string{"none", "gzip", "zstd"} {
			store, o := newStore(t)
			var text strings.Builder
			var want []string
			if form == "csv with header" {
				text.WriteString("name,id\n")
			}
			const rows = 400
			for i := range rows {
				name := strings.Repeat("é", i%7) + "line"
				want = append(want, fmt.Sprintf("%d %s f@%d", i, name, text.Len()))
				switch form {
				case "json":
					fmt.Fprintf(&text, "{\"id\":%d,\"name\":\"%s\"}\n", i, name)
				case "csv":
					fmt.Fprintf(&text, "%d,\"%s\"\n", i, name)
				default:
					fmt.Fprintf(&text, "%s,%d\n", name, i)
				}
				if i%50 == 7 {
					text.WriteString("broken,row,x\n")
				}
			}
			store.data["f"] = compress(t, how, text.String())
			format, header, _ := strings.Cut(form, " with ")
			options := map[string]string{"format": format, "follow": "false"}
			if header != "" {
				options["header"] = "true"
			}
			var bad []string
			env := connector.Env{BadRow: func(b connector.BadRow) error {
				bad = append(bad, fmt.Sprintf("%s %s@%s %s", b.Relation, b.Split, b.Offset, b.Raw))
				return nil
			}}
			src, err := Kind(o).NewSource(context.Background(), spec(options), env)
			if err != nil {
				t.Fatal(err)
			}
			for _, max := range []int{1, 3, 1024} {
				for _, restart := range []bool{false, true} {
					bad = nil
					got, err := read(t, src, "f", max, restart)
					if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
						t.Fatalf("%s %s, %d rows at a time, restart %v: %v\n%s", form, how, max, restart, err, strings.Join(got, "\n"))
					}
					if len(bad) != rows/50 || !strings.HasPrefix(bad[0], "public.f f@") || !strings.HasSuffix(bad[0], " broken,row,x") {
						t.Fatalf("%s %s: bad rows %q", form, how, bad)
					}
				}
			}
		}
	}
}

func TestLargeFileIsReadInPieces(t *testing.T) {
	store, o := newStore(t)
	var text strings.Builder
	n := 0
	for text.Len() < 3*bucketChunk {
		fmt.Fprintf(&text, "{\"id\":%d,\"name\":%q}\n", n, strings.Repeat("x", n%3000))
		n++
	}
	store.data["f"] = compress(t, "zstd", text.String())
	src, err := Kind(o).NewSource(context.Background(), spec(map[string]string{"format": "json"}), connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(t, src, "f", 100, true)
	if err != nil || len(got) != n {
		t.Fatal(len(got), n, err)
	}
}

func TestFilesThatCount(t *testing.T) {
	store, o := newStore(t)
	for _, name := range []string{"b.json", "a/c.json", "_pending/x.json", ".hidden", "a/_b/c", "d.tmp", "empty"} {
		store.data[name] = nil
	}
	src, err := Kind(o).NewSource(context.Background(), spec(map[string]string{"format": "json"}), connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	splits, err := src.Splits(context.Background())
	if err != nil || fmt.Sprint(splits) != "[{a/c.json []} {b.json []} {empty []}]" || !src.Follows() {
		t.Fatal(splits, err)
	}
	if rows, err := read(t, src, "empty", 10, false); err != nil || len(rows) != 0 {
		t.Fatal(rows, err)
	}
	src, err = Kind(o).NewSource(context.Background(), spec(map[string]string{"format": "json", "path": "s3://bucket/x/*.json"}), connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if splits, _ = src.Splits(context.Background()); fmt.Sprint(splits) != "[{b.json []}]" {
		t.Fatal(splits)
	}
}

func TestFilesThatChangeAreReported(t *testing.T) {
	store, o := newStore(t)
	whole := "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n"
	src, err := Kind(o).NewSource(context.Background(), spec(map[string]string{"format": "json"}), connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"none", "gzip"} {
		open := func(at string) error {
			r, err := src.Open(context.Background(), connector.Split{ID: "f"}, []byte(at), []int{0})
			if err != nil {
				return err
			}
			b := batch.New([]types.Phys{types.PhysInt}, 0)
			for {
				if status, err := r.Read(context.Background(), b, 10); err != nil || status == connector.End {
					return err
				}
			}
		}
		store.data["f"] = compress(t, how, whole)
		if err := open("27"); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		store.data["f"] = compress(t, how, whole[:9])
		if err := open("18"); err == nil || !strings.Contains(err.Error(), `file "f" has 9 bytes, but byte 18 is to be read`) {
			t.Errorf("%s shortened: %v", how, err)
		}
		delete(store.data, "f")
		if err := open("9"); err == nil || !strings.Contains(err.Error(), `file "f" has vanished`) {
			t.Errorf("%s vanished: %v", how, err)
		}
		if how == "gzip" {
			store.data["f"] = compress(t, how, whole)[:25]
			if err := open("0"); err == nil || !strings.Contains(err.Error(), `file "f" cannot be decompressed beyond byte`) {
				t.Errorf("cut: %v", err)
			}
		}
	}
}

func TestBadRowPolicyCanFail(t *testing.T) {
	store, o := newStore(t)
	store.data["f"] = []byte("{\"id\":1}\nnonsense\n")
	src, _ := Kind(o).NewSource(context.Background(), spec(map[string]string{"format": "json"}),
		connector.Env{BadRow: func(b connector.BadRow) error { return fmt.Errorf("stop: %w", b.Err) }})
	if _, err := read(t, src, "f", 10, false); err == nil || err.Error() != "stop: malformed JSON" {
		t.Fatal(err)
	}
}

func TestOptionErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "one.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		options map[string]string
		sink    bool
		err     string
	}{
		{options: map[string]string{"path": "s3://b/x"}, err: `connector "object" requires option "format"`},
		{options: map[string]string{"format": "json", "path": "x"}, err: `invalid value for option "path": "x"`},
		{options: map[string]string{"format": "xml"}, err: `invalid value for option "format": "xml"`},
		{options: map[string]string{"format": "json", "header": "true"}, err: `option "header" is for format 'csv' only`},
		{options: map[string]string{"format": "csv", "delimiter": "ab"}, err: `invalid value for option "delimiter": "ab"`},
		{options: map[string]string{"format": "json", "follow": "maybe"}, err: `invalid value for option "follow": "maybe"`},
		{options: map[string]string{"format": "json", "roll_bytes": "big"}, sink: true, err: `invalid value for option "roll_bytes": "big"`},
		{options: map[string]string{"format": "json", "compression": "lz4"}, sink: true, err: `invalid value for option "compression": "lz4"`},
		{options: map[string]string{"format": "json", "path": "file://" + dir + "/missing"}, err: `path "` + dir + `/missing" of option "path" cannot be read: no such file or directory`},
		{options: map[string]string{"format": "json", "path": "file://" + dir + "/one.json"}, sink: true, err: `invalid value for option "path": "file://` + dir + `/one.json"`},
		{options: map[string]string{"format": "json", "path": "file://" + dir + "/one.json"}},
		{options: map[string]string{"format": "json", "roll_bytes": "1MB", "roll_interval": "10s", "delivery": "exactly_once"}, sink: true},
	}
	_, o := newStore(t)
	for _, tt := range tests {
		var err error
		if tt.sink {
			_, err = Kind(o).NewSink(context.Background(), spec(tt.options), connector.Env{})
		} else {
			_, err = Kind(o).NewSource(context.Background(), spec(tt.options), connector.Env{})
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.err {
			t.Errorf("%v: error %q, want %q", tt.options, got, tt.err)
		}
	}
}
