package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// testContract is what every store must hold to.
func testContract(t *testing.T, s Store) {
	ctx := t.Context()
	get := func(name, want string) Info {
		t.Helper()
		data, info, err := s.Get(ctx, name)
		if err != nil || string(data) != want {
			t.Fatalf("get %s: %q, %v, want %q", name, data, err, want)
		}
		if info.Size != int64(len(want)) || info.Name != name || info.ETag == "" || info.Modified.IsZero() {
			t.Fatalf("get %s: info %+v", name, info)
		}
		return info
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	_, _, err := s.Get(ctx, "a/b")
	is(err, ErrNotFound)
	_, err = s.GetRange(ctx, "a/b", 0, 1)
	is(err, ErrNotFound)
	must(s.Create(ctx, "a/b", []byte("first")))
	is(s.Create(ctx, "a/b", []byte("second")), ErrExists)
	first := get("a/b", "first")
	must(s.Replace(ctx, "a/b", []byte("third"), first.ETag))
	is(s.Replace(ctx, "a/b", []byte("fourth"), first.ETag), ErrChanged)
	is(s.Replace(ctx, "a/none", []byte("fourth"), first.ETag), ErrChanged)
	get("a/b", "third")
	must(s.Put(ctx, "a/b", []byte("0123456789")))
	must(s.Put(ctx, "a/c/d", []byte("")))
	must(s.Put(ctx, "ab", []byte("x")))
	for _, r := range []struct {
		off, n int64
		want   string
	}{{0, 3, "012"}, {3, 4, "3456"}, {7, -1, "789"}, {0, -1, "0123456789"}, {2, 0, ""}} {
		data, err := s.GetRange(ctx, "a/b", r.off, r.n)
		if err != nil || string(data) != r.want {
			t.Fatalf("range %d+%d: %q, %v", r.off, r.n, data, err)
		}
	}
	for _, off := range []int64{5, 10, 50} {
		_, err := s.GetRange(ctx, "a/b", off, 100)
		is(err, ErrShort)
	}
	names := func(prefix string) string {
		t.Helper()
		list, err := s.List(ctx, prefix)
		must(err)
		var b []string
		for _, i := range list {
			b = append(b, fmt.Sprintf("%s:%d", i.Name, i.Size))
		}
		return strings.Join(b, " ")
	}
	for prefix, want := range map[string]string{"": "a/b:10 a/c/d:0 ab:1", "a/": "a/b:10 a/c/d:0", "a": "a/b:10 a/c/d:0 ab:1", "a/c": "a/c/d:0", "z/": ""} {
		if got := names(prefix); got != want {
			t.Errorf("list %q: %s, want %s", prefix, got, want)
		}
	}
	must(s.Delete(ctx, "a/c/d"))
	must(s.Delete(ctx, "a/c/d"))
	if got := names("a/"); got != "a/b:10" {
		t.Errorf("after delete: %s", got)
	}
	for _, bad := range []string{"", "/a", "a/", "../a", "a/../b", "a//b"} {
		if err := s.Put(ctx, bad, nil); err == nil {
			t.Errorf("name %q is not refused", bad)
		}
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 20<<16)
	must(s.Create(ctx, "big", big))
	if data, _, err := s.Get(ctx, "big"); err != nil || !bytes.Equal(data, big) {
		t.Errorf("a big object came back as %d bytes, %v", len(data), err)
	}
	in := Sub(s, "sub/folder")
	must(in.Create(ctx, "x", []byte("in")))
	get("sub/folder/x", "in")
	if list, err := in.List(ctx, ""); err != nil || len(list) != 1 || list[0].Name != "x" {
		t.Errorf("list of a part: %v, %v", list, err)
	}
	must(ProveConditionalWrites(ctx, s))
	testRaces(t, s)
}

// testRaces has writers at the same name: one wins, every time.
func testRaces(t *testing.T, s Store) {
	ctx := context.Background()
	for round := range 8 {
		name := fmt.Sprintf("race/%d", round)
		var won, replaced atomic.Int32
		var group sync.WaitGroup
		for w := range 8 {
			group.Go(func() {
				if s.Create(ctx, name, []byte{byte(w)}) == nil {
					won.Add(1)
				}
			})
		}
		group.Wait()
		_, info, err := s.Get(ctx, name)
		if err != nil || won.Load() != 1 {
			t.Fatalf("%d creates of one name succeeded (%v)", won.Load(), err)
		}
		for w := range 8 {
			group.Go(func() {
				if s.Replace(ctx, name, []byte{byte(w), 1}, info.ETag) == nil {
					replaced.Add(1)
				}
			})
		}
		group.Wait()
		if replaced.Load() != 1 {
			t.Fatalf("%d replaces of one version succeeded", replaced.Load())
		}
	}
}

func TestMemory(t *testing.T) { testContract(t, NewMemory()) }

func TestFaultyWithoutFaults(t *testing.T) { testContract(t, NewFaulty(NewMemory())) }

func TestLocal(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), "file://"+filepath.ToSlash(dir)+"/objects")
	if err != nil {
		t.Fatal(err)
	}
	testContract(t, s)
	left, err := os.ReadDir(filepath.Join(dir, "objects", tempFolder))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if f.Name() != "lock" {
			t.Errorf("%s was left behind", f.Name())
		}
	}
}

// Large objects are written piece by piece, past the system's cache; /dev/shm has no disk
// behind it.
func TestLocalLargeObjects(t *testing.T) {
	dirs := []string{t.TempDir()}
	if shm, err := os.MkdirTemp("/dev/shm", "millrace"); err == nil {
		t.Cleanup(func() { os.RemoveAll(shm) })
		dirs = append(dirs, shm)
	}
	for _, dir := range dirs {
		s, err := OpenLocal(dir)
		if err != nil {
			t.Fatal(err)
		}
		for i, size := range []int{4 << 20, 4<<20 + 1, 12 << 20, 13<<20 + 77} {
			name, data := fmt.Sprint("large/", i), make([]byte, size)
			for j := range data {
				data[j] = byte(j>>20 + j)
			}
			if err := s.Create(t.Context(), name, data); err != nil {
				t.Fatal(err)
			}
			got, _, err := s.Get(t.Context(), name)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s of %d bytes in %s: %d bytes, %v", name, size, dir, len(got), err)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	ctx := t.Context()
	f := NewFaulty(NewMemory(), Fault{Op: "create", Nth: 2}, Fault{Op: "put", After: true, Err: ErrInjected}, Fault{Op: "list", Torn: 1})
	if err := f.Create(ctx, "a", nil); err != nil {
		t.Fatal(err)
	}
	if err := f.Create(ctx, "b", nil); !errors.Is(err, ErrInjected) {
		t.Fatalf("got %v", err)
	}
	if err := f.Put(ctx, "c", nil); !errors.Is(err, ErrInjected) {
		t.Fatalf("got %v", err)
	}
	if _, _, err := f.Get(ctx, "c"); err != nil {
		t.Errorf("the write whose answer was lost did not happen: %v", err)
	}
	if list, _ := f.List(ctx, ""); len(list) != 1 {
		t.Errorf("the torn list has %d objects", len(list))
	}
}

func TestProofFails(t *testing.T) {
	s := NewFaulty(NewMemory(), Fault{Op: "create", Nth: 1, After: true, Err: errors.New("access denied")})
	err := ProveConditionalWrites(t.Context(), s)
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("got %v", err)
	}
}

func TestProofNamesTheFault(t *testing.T) {
	for want, s := range map[string]Store{
		"cannot write with If-None-Match: not implemented":        NewFaulty(NewMemory(), Fault{Op: "create", Nth: 2, Err: errors.New("not implemented")}),
		"cannot replace an object with If-Match: not implemented": NewFaulty(NewMemory(), Fault{Op: "replace", Nth: 1, Err: errors.New("not implemented")}),
	} {
		if err := ProveConditionalWrites(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// silent takes requests and does not answer.
type silent struct{ Store }

func (silent) Create(ctx context.Context, _ string, _ []byte) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestProofOfSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := ProveConditionalWrites(t.Context(), silent{NewMemory()})
		if err == nil || !strings.Contains(err.Error(), "does not answer") || time.Since(began) > proofTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	for _, u := range []string{"", "http://x", "s3:///x", "s3://b/p?endpoint=nonsense", "s3://b/p?end=x", "file://host/x", "s3://b:%zz"} {
		if _, err := Open(t.Context(), u); err == nil {
			t.Errorf("%q is not refused", u)
		}
	}
}

func TestBucketURL(t *testing.T) {
	s, err := Open(t.Context(), "s3://b/some/prefix/?endpoint=http://127.0.0.1:9000")
	if err != nil {
		t.Fatal(err)
	}
	if want := "s3://b/some/prefix?endpoint=http://127.0.0.1:9000"; s.URL() != want {
		t.Errorf("URL is %s, want %s", s.URL(), want)
	}
	if got, want := Sub(s, "x").URL(), "s3://b/some/prefix/x?endpoint=http://127.0.0.1:9000"; got != want {
		t.Errorf("URL of a part is %s, want %s", got, want)
	}
}
