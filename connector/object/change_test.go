package object_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/test/servers"
	"github.com/millrace/millrace/types"
)

// numbers are lines with numbers from the from-th to before the to-th: long ones
// that hardly compress, so that few make many bytes.
func numbers(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "%d\n", int64(uint64(i+1)*0x9E3779B97F4A7C15))
	}
	return b.String()
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestFilesThatChangeWhileRead replaces files in the middle of them, with the reader open
// and between two: each row comes once, or an error tells what is wrong.
func TestFilesThatChangeWhileRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	rename := func(text string) {
		if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			t.Fatal(err)
		}
	}
	overwrite := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	changes(t, "file://"+dir, 25_000, nil, rename)
	t.Run("in place", func(t *testing.T) { changes(t, "file://"+dir, 25_000, nil, overwrite) })
	t.Run("at its end", func(t *testing.T) { // after its last row, before its end was seen
		rename(numbers(0, 10))
		r := openFile(t, "file://"+dir, nil, nil)
		if got, end, err := readSome(r, 10); got != 10 || end || err != nil {
			t.Fatal(got, end, err)
		}
		overwrite(numbers(0, 12))
		if got, end, err := readSome(r, 1000); got != 2 || !end || err != nil {
			t.Errorf("%d rows more, %v, %v", got, end, err)
		}
	})
	t.Run("all the time", func(t *testing.T) {
		rename(numbers(0, 100_000))
		r := openFile(t, "file://"+dir, nil, nil)
		done := make(chan struct{})
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for i := time.Duration(0); ; i++ {
				select {
				case <-done:
					return
				default:
					_ = os.Chtimes(path, time.Time{}, time.Unix(1e9, 0).Add(i))
				}
			}
		}()
		got, _, err := readSome(r, 200_000)
		close(done)
		<-stopped
		if err == nil && got != 100_000 || err != nil && !strings.Contains(err.Error(), "changes again and again") {
			t.Errorf("%d rows, %v", got, err)
		}
	})
}

// TestObjectsThatChangeWhileRead is the same in a bucket.
func TestObjectsThatChangeWhileRead(t *testing.T) {
	m := servers.StartMinIO(t, "changing")
	keys := map[string]string{"access_key": servers.MinIOUser, "secret_key": servers.MinIOPassword}
	store, err := object.OpenWith(context.Background(), m.URL("changing", ""), object.Options{AccessKey: servers.MinIOUser, SecretKey: servers.MinIOPassword})
	if err != nil {
		t.Fatal(err)
	}
	changes(t, m.URL("changing", ""), 150_000, keys, func(text string) {
		if err := store.Put(context.Background(), "f", []byte(text)); err != nil {
			t.Fatal(err)
		}
	})
}

func openFile(t *testing.T, url string, extra map[string]string, offset []byte) connector.Reader {
	t.Helper()
	spec := connector.Spec{Relation: "public.f", Options: map[string]string{"path": url, "format": "csv"}, Columns: []connector.Column{{Name: "id", Type: types.Of(types.Int64)}}}
	for k, v := range extra {
		spec.Options[k] = v
	}
	src, err := kind().NewSource(context.Background(), spec, connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Open(context.Background(), connector.Split{ID: "f"}, offset, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// readSome reads rows up to max of them, or to the end.
func readSome(r connector.Reader, max int) (n int, end bool, err error) {
	b := batch.New([]types.Phys{types.PhysInt}, 0)
	for n < max && !end && err == nil {
		var status connector.Status
		status, err = r.Read(context.Background(), b, min(1000, max-n))
		if err == nil {
			n += b.N
		}
		end = status == connector.End && err == nil
	}
	return n, end, err
}

// changes has put replace a file after some of its rows were read. Compressed, too,
// the rows have to be more than a piece that is read at once.
func changes(t *testing.T, url string, rows int, extra map[string]string, put func(text string)) {
	const read = 5000
	for _, zip := range []bool{false, true} {
		pack := func(text string) string {
			if zip {
				return gzipped(t, text)
			}
			return text
		}
		first := numbers(0, rows)
		for _, restart := range []bool{false, true} {
			for _, c := range []struct {
				name, after string
				want        int    // rows in all
				err         string // or what is wrong
			}{
				{"the same", pack(first), rows, ""},
				{"longer", pack(numbers(0, rows+77)), rows + 77, ""},
				{"others before", pack(numbers(1, rows+500)), 0, `file "f" is not the one that was read up to byte `},
				{"shorter", pack(numbers(0, 10)), 0, `it was shortened or replaced`},
			} {
				put(pack(first))
				r := openFile(t, url, extra, nil)
				n, _, err := readSome(r, read)
				if n != read || err != nil {
					t.Fatal(n, err)
				}
				put(c.after)
				if restart {
					at := r.Offset()
					r = openFile(t, url, extra, at)
					if string(r.Offset()) != string(at) {
						t.Errorf("%s: a reader that has not begun is at %q, not at %q", c.name, r.Offset(), at)
					}
				}
				more, _, err := readSome(r, 2*rows)
				if c.err == "" && (err != nil || n+more != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
					t.Errorf("%s, compressed %v, restart %v: %d rows, %v", c.name, zip, restart, n+more, err)
				}
			}
		}
	}
	// A file that was cut is replaced by the whole one.
	whole := gzipped(t, numbers(0, rows))
	put(whole[:len(whole)/2])
	r := openFile(t, url, extra, nil)
	n, _, err := readSome(r, rows)
	if n == 0 || err == nil || !strings.Contains(err.Error(), `file "f" cannot be decompressed beyond byte`) {
		t.Fatalf("%d rows, %v", n, err)
	}
	at := r.Offset()
	put(whole)
	more, _, err := readSome(openFile(t, url, extra, at), 2*rows)
	if n+more != rows || err != nil {
		t.Errorf("%d and %d rows of a cut file, %v", n, more, err)
	}
}
