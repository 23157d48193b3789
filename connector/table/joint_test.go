package table

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
)

// contents is table a, and whether there is a table b.
func contents(t *testing.T, s *Store) string {
	t.Helper()
	n := s.Snapshot()
	defer n.Close()
	out, _ := shown(t, n, "a")
	if _, err := s.Def("b"); err == nil {
		rows, _ := shown(t, n, "b")
		out += "; b: " + rows
	}
	return out
}

// jointly begins a transaction that does a bit of everything.
func jointly(t *testing.T, s *Store) *Txn {
	t.Helper()
	x := s.Begin(ReadCommitted)
	t.Cleanup(x.Close)
	_, refs := view(t, x, "a")
	add(t, x, Change{Table: "a", Action: Delete, Refs: []Ref{refs["1 x"]}})
	add(t, x, Change{Table: "a", Action: Update, Refs: []Ref{refs["2 y"]}, Rows: rowsOf("2 new")})
	add(t, x, Change{Table: "a", Action: Insert, Rows: rowsOf("3 z")})
	must(t, x.Create(plain("b")))
	add(t, x, Change{Table: "b", Action: Insert, Rows: rowsOf("7 q")})
	return x
}

const (
	jointBefore = "1 x, 2 y"
	jointAfter  = "2 new, 3 z; b: 7 q"
)

// image is what a crash would leave of a folder now.
func image(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	must(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

// TestJointCrash dies at each step of a joint transaction: what it did is there
// exactly if the other part was committed, for readers of the log too, and the
// store goes on either way.
func TestJointCrash(t *testing.T) {
	for _, segment := range []int64{0, 1} { // 1: each frame begins a file
		dir := t.TempDir()
		s, err := Open(dir, Options{NoSync: true, SegmentBytesMax: segment})
		must(t, err)
		defer s.Close()
		must(t, s.Create(bg(), keyed("a")))
		_, err = apply(s, "a", Insert, "1 x", "2 y")
		must(t, err)
		f := &follower{table: "a", keyed: true, rows: map[string]int{}}
		f.open(t, s)
		f.catchUp(t, s, 100)
		f.checkpoint(t, s)
		images := map[string]string{"before": image(t, dir)}
		committed := map[string]bool{}
		x := jointly(t, s)
		must(t, x.CommitWith(bg(), "id1", func(forget string) error {
			if got := contents(t, s); forget != "" || !strings.HasPrefix(got, jointBefore+"; b: ") || strings.Contains(got, "7 q") || f.read(t, 100) {
				t.Errorf("while it is decided: %q, forget %q", got, forget)
			}
			images["undecided"] = image(t, dir)
			committed["id1"] = true
			images["decided"] = image(t, dir)
			return nil
		}))
		images["after"] = image(t, dir)
		for point, data := range images {
			want, yes := jointBefore, point == "decided" || point == "after"
			if yes {
				want = jointAfter
			}
			s, err := Open(data, Options{NoSync: true, SegmentBytesMax: segment, Committed: func(id string) (bool, error) { return yes && committed[id], nil }})
			must(t, err)
			if got := contents(t, s); got != want {
				t.Errorf("died %s: %q, want %q", point, got, want)
			}
			_, err = apply(s, "a", Insert, "9 on")
			must(t, err)
			f.restart(t, s)
			if got := f.catchUp(t, s, 100); got != strings.TrimSuffix(want, "; b: 7 q")+", 9 on" {
				t.Errorf("died %s: a reader of the log comes to %q", point, got)
			}
			must(t, s.Close())
			s = open(t, data) // what follows decides
			if got := contents(t, s); got != strings.Replace(want+", 9 on", "; b: 7 q, 9 on", ", 9 on; b: 7 q", 1) {
				t.Errorf("died %s, and opened once more: %q", point, got)
			}
			must(t, s.Close())
		}
	}
}

// TestJointTakenBack takes the rows back when the other part is refused, also from
// a store that is opened again, and lets others go on.
func TestJointTakenBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	_, err := apply(s, "a", Insert, "1 x", "2 y")
	must(t, err)
	refused := errors.New("refused")
	var others sync.WaitGroup
	defer others.Wait()
	err = jointly(t, s).CommitWith(bg(), "id1", func(string) error {
		others.Add(1)
		go func() { // comes behind it
			defer others.Done()
			if _, err := apply(s, "a", Insert, "3 mine"); err != nil {
				t.Error(err)
			}
		}()
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatalf("it gave %v", err)
	}
	others.Wait()
	if got := contents(t, s); got != jointBefore+", 3 mine" {
		t.Errorf("after it: %q", got)
	}
	must(t, s.Close())
	s = open(t, dir)
	if got := contents(t, s); got != jointBefore+", 3 mine" {
		t.Errorf("opened again: %q", got)
	}
}

// TestJointUndecided stops writing when nobody knows, and decides when the store is
// opened again.
func TestJointUndecided(t *testing.T) {
	for _, committed := range []bool{false, true} {
		dir := t.TempDir()
		s := open(t, dir)
		must(t, s.Create(bg(), keyed("a")))
		_, err := apply(s, "a", Insert, "1 x", "2 y")
		must(t, err)
		if err := jointly(t, s).CommitWith(bg(), "id1", func(string) error { return ErrUndecided }); !errors.Is(err, ErrUndecided) {
			t.Fatalf("it gave %v", err)
		}
		if _, err := apply(s, "a", Insert, "5 more"); err == nil {
			t.Error("a write went through")
		}
		must(t, s.Close())
		s, err = Open(dir, Options{NoSync: true, Committed: func(id string) (bool, error) { return committed && id == "id1", nil }})
		must(t, err)
		if got := contents(t, s); got != map[bool]string{false: jointBefore, true: jointAfter}[committed] {
			t.Errorf("committed %v: %q", committed, got)
		}
		must(t, s.Close())
	}
}

// TestJointUnknown opens a store whose last joint transaction nobody knows, since the other
// side was lost: it is refused, also when the log has been compacted, for what is in no
// catalog is dropped.
func TestJointUnknown(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		dir := t.TempDir()
		s := open(t, dir)
		must(t, s.Create(bg(), keyed("a")))
		_, err := apply(s, "a", Insert, "1 x", "2 y")
		must(t, err)
		must(t, jointly(t, s).CommitWith(bg(), "id1", func(string) error { return nil }))
		_, err = apply(s, "a", Insert, "8 later")
		must(t, err)
		if compacted {
			must(t, s.Compact(bg()))
		}
		must(t, s.Close())
		for _, knows := range []string{"", "id0", "id1"} {
			s, err = Open(dir, Options{NoSync: true, Committed: func(id string) (bool, error) { return id == knows, nil }})
			if knows != "id1" {
				if code(err) != pgerr.DataCorrupted {
					t.Errorf("compacted %v: opened beside metadata that knows %q: %v", compacted, knows, err)
				}
				continue
			}
			must(t, err)
			if got := contents(t, s); got != strings.Replace(jointAfter, ";", ", 8 later;", 1) {
				t.Errorf("compacted %v: %q", compacted, got)
			}
			must(t, s.Close())
		}
	}
}

// TestLogEndsBeforeItsReaders cuts off the end of a log that a checkpoint has read.
func TestLogEndsBeforeItsReaders(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	var size int64
	for i := range 3 {
		size = s.log.segments[0].size
		_, err := apply(s, "a", Insert, fmt.Sprintf("%d x", i))
		must(t, err)
	}
	f := &follower{table: "a", keyed: true, rows: map[string]int{}}
	f.open(t, s)
	f.catchUp(t, s, 100)
	must(t, s.Retain("checkpoint j/1", f.reader.Offset()))
	must(t, s.Close())
	must(t, os.Truncate(filepath.Join(dir, segmentName(1)), size+5))
	if _, err := Open(dir, Options{NoSync: true}); code(err) != pgerr.DataCorrupted || !strings.Contains(err.Error(), "checkpoint j/1 has read") {
		t.Fatal(err)
	}
	must(t, os.Remove(filepath.Join(dir, "retained.json")))
	expect(t, open(t, dir), "a", "0 x, 1 x")
}
