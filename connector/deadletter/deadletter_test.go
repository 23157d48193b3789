package deadletter

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func open(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func letter(i int) Letter {
	return Letter{Time: time.UnixMicro(int64(i)).UTC(), Relation: "public.t", Job: "j", Operator: "source(t)", Split: "file", Offset: fmt.Sprint(i), Code: "22P02",
		Error: "bad", Raw: []byte{0, byte(i), 0xff}}
}

func scan(t *testing.T, s *Store) []Letter {
	t.Helper()
	var out []Letter
	if err := s.Scan(func(l Letter) bool { out = append(out, l); return true }); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLettersSurvive(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	for i := range 5 {
		for range 2 { // the second time it comes from a restart
			if err := s.Append(letter(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	late := letter(9)
	late.Split, late.Offset = "", ""
	for range 2 {
		if err := s.Append(late); err != nil {
			t.Fatal(err)
		}
	}
	before := scan(t, s)
	if len(before) != 7 || before[4].Number != 5 || !bytes.Equal(before[4].Raw, []byte{0, 4, 0xff}) || before[0].RawLength != 3 || !before[3].Time.Equal(time.UnixMicro(3)) {
		t.Fatalf("%+v", before)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	s.Close() // a killed process leaves the same bytes
	s = open(t, dir, Options{})
	if got := scan(t, s); !reflect.DeepEqual(got, before) {
		t.Fatalf("%+v", got)
	}
	if err := s.Append(letter(2)); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(letter(100)); err != nil {
		t.Fatal(err)
	}
	if got := scan(t, s); len(got) != 8 || got[7].Number != 8 {
		t.Fatal(len(got))
	}
	n := 0
	_ = s.Scan(func(Letter) bool { n++; return n < 3 })
	if n != 3 {
		t.Fatal(n)
	}
}

func TestSizeIsBounded(t *testing.T) {
	dir := t.TempDir()
	o := Options{BytesMax: 4000, SegmentBytes: 1000}
	s := open(t, dir, o)
	for i := range 500 {
		if err := s.Append(letter(i)); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		c, got := s.Counts(), scan(t, s)
		if c.Total != 500 || c.Kept != uint64(len(got)) || c.Dropped != 500-c.Kept || got[len(got)-1].Number != 500 || len(got) < 20 || len(got) > 50 {
			t.Fatal(c, len(got))
		}
		for i := range got[1:] {
			if got[i+1].Number != got[i].Number+1 {
				t.Fatal("a letter in the middle is missing")
			}
		}
	}
	check()
	s.Close()
	s = open(t, dir, o)
	check()
}

func TestLongRowsAreCut(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	l := letter(1)
	l.Raw = make([]byte, RawBytesMax+10)
	if err := s.Append(l); err != nil {
		t.Fatal(err)
	}
	if got := scan(t, s)[0]; len(got.Raw) != RawBytesMax || got.RawLength != RawBytesMax+10 {
		t.Fatal(len(got.Raw), got.RawLength)
	}
}

func TestCutAnywhere(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	for i := range 3 {
		if err := s.Append(letter(i)); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	path := filepath.Join(dir, "letters-0000000000000001")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	record := (len(whole) - fileHeader) / 3
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		want := max(cut-fileHeader, 0) / record
		if got := scan(t, s); len(got) != want {
			t.Fatalf("cut at %d: %d letters, want %d", cut, len(got), want)
		}
		if err := s.Append(letter(50)); err != nil {
			t.Fatal(err)
		}
		if got := scan(t, s); len(got) != want+1 || got[want].Offset != "50" {
			t.Fatalf("cut at %d: cannot go on", cut)
		}
		s.Close()
	}
}

func TestGolden(t *testing.T) {
	l := letter(7)
	l.Number = 3
	l.RawLength = 3
	for _, name := range []string{"golden.hex", "golden-v2.hex"} {
		got := fmt.Sprintf("%x", appendRecord(nil, &l))
		want, err := os.ReadFile("testdata/" + name)
		if err != nil || got != string(bytes.TrimSpace(want)) {
			t.Errorf("%v: the record is now\n%s", err, got)
		}
		l.origin, l.index = "aside-00-r-1", 9
	}
}

// TestKeepIsOnce stops at every byte of taking letters over from a file that was
// put aside, and starts again.
func TestKeepIsOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	put := func(run string, n int) []string {
		t.Helper()
		a := s.Aside("job", run)
		for i := range n {
			l := letter(i % 2) // equal letters are different rows
			l.Split, l.Offset = "", ""
			if err := a.Put(l); err != nil {
				t.Fatal(err)
			}
		}
		names, err := a.Cut()
		if err != nil || len(names) != 1 {
			t.Fatal(names, err)
		}
		return names
	}
	lost, names := put("r1", 3), put("r2", 3)
	aside := filepath.Join(dir, names[0])
	saved, err := os.ReadFile(aside)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Discard("job", "r2"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, lost[0])); !os.IsNotExist(err) {
		t.Fatal("what another attempt put aside is still there", err)
	}
	if err := s.Keep(names); err != nil {
		t.Fatal(err)
	}
	if got := scan(t, s); len(got) != 3 {
		t.Fatal(len(got))
	}
	s.Close()
	path := filepath.Join(dir, "letters-0000000000000001")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := fileHeader; cut <= len(whole); cut++ {
		for p, data := range map[string][]byte{path: whole[:cut], aside: saved} {
			if err := os.WriteFile(p, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, dir, Options{})
		for range 2 { // the file is gone the second time
			if err := s.Keep(names); err != nil {
				t.Fatal(err)
			}
		}
		if got := scan(t, s); len(got) != 3 || got[2].Number != 3 {
			t.Fatalf("cut at %d: %d letters", cut, len(got))
		}
		s.Close()
	}
}

func TestAsideIsBounded(t *testing.T) {
	s := open(t, t.TempDir(), Options{BytesMax: 4000, SegmentBytes: 1000})
	a := s.Aside("job", "r")
	for i := range 100 {
		if err := a.Put(letter(i)); err != nil {
			t.Fatal(err)
		}
	}
	names, err := a.Cut()
	if err != nil || len(names) < 3 {
		t.Fatal(names, err)
	}
	if err := s.Keep(names); err != nil {
		t.Fatal(err)
	}
	if c := s.Counts(); c.Total != 100 || c.Kept == 0 || c.Dropped != 100-c.Kept {
		t.Fatal(c)
	}
}

func FuzzReadRecord(f *testing.F) {
	l := letter(1)
	f.Add(appendRecord(nil, &l))
	l.origin, l.index = "aside-1-r-1", 7
	f.Add(appendRecord(nil, &l))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, n, err := readRecord(data)
		if err == nil && !bytes.Equal(appendRecord(nil, &l), data[:n]) {
			t.Fatal("a record that reads does not write back the same")
		}
	})
}
