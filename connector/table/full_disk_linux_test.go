package table

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
)

// fullDisk is a folder on a small file system, which takes root: fill takes all the room
// there is left, and free gives it back.
func fullDisk(t *testing.T, bytes int) (dir string, fill, free func()) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("no file system can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	fill = func() {
		t.Helper()
		f, err := os.Create(ballast)
		must(t, err)
		defer f.Close()
		for buf := make([]byte, 4096); err == nil; {
			_, err = f.Write(buf)
		}
	}
	return dir, fill, func() { must(t, os.Remove(ballast)) }
}

// TestFullDisk writes while there is no room, alone and from many clients at once, in a log
// of one file and in one of many: each transaction is told and leaves nothing, and when
// there is room again the store goes on, now and after a restart.
func TestFullDisk(t *testing.T) {
	for _, segment := range []int64{0, 1} { // 1: each frame begins a file
		dir, fill, free := fullDisk(t, 1<<20)
		store := filepath.Join(dir, "store")
		s, err := Open(store, Options{NoSync: true, SegmentBytesMax: segment})
		must(t, err)
		must(t, s.Create(bg(), keyed("a")))
		must(t, s.Create(bg(), plain("gone")))
		_, err = apply(s, "a", Insert, "1 x")
		must(t, err)
		f := &follower{table: "a", keyed: true, rows: map[string]int{}}
		f.open(t, s)
		f.catchUp(t, s, 100)
		fill()
		long := string(make([]byte, 8000))
		for range 3 {
			if _, err := apply(s, "a", Insert, "2 "+long); code(err) != pgerr.DiskFull {
				t.Fatal(err)
			}
			if _, err := apply(s, "a", Upsert, "1 "+long); code(err) != pgerr.DiskFull {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				// Every second one wants the same key: it comes first in its group or fails by the key.
				row := fmt.Sprintf("%d %s", 10+i/2, long)
				if _, err := apply(s, "a", Insert, row); code(err) != pgerr.DiskFull && code(err) != pgerr.UniqueViolation {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		x := s.Begin(ReadCommitted)
		must(t, x.Create(plain("b")))
		add(t, x, Change{Table: "b", Action: Insert, Rows: rowsOf("7 " + long)})
		if err := x.Commit(bg()); code(err) != pgerr.DiskFull {
			t.Fatal(err)
		}
		x.Close()
		expect(t, s, "a", "1 x")
		if f.read(t, 100) {
			t.Error("a reader of the log sees what was not written")
		}
		free()
		_, err = apply(s, "a", Insert, "2 y", "10 z")
		must(t, err)
		_, err = apply(s, "a", Upsert, "1 new")
		must(t, err)
		must(t, s.Drop(bg(), "gone"))
		const want = "1 new, 10 z, 2 y"
		expect(t, s, "a", want)
		f.catchUp(t, s, 100)
		if _, err := s.Def("b"); err == nil {
			t.Error("the new table of a transaction that was not written is there")
		}
		must(t, s.Close())
		s = open(t, store)
		expect(t, s, "a", want)
		must(t, s.Close())
	}
}

// TestDropOnFullDisk: a table whose drop is not written stays, and can be dropped later.
func TestDropOnFullDisk(t *testing.T) {
	dir, fill, free := fullDisk(t, 1<<20)
	store := filepath.Join(dir, "store")
	s, err := Open(store, Options{NoSync: true, SegmentBytesMax: 1})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	must(t, s.Create(bg(), keyed("a")))
	_, err = apply(s, "a", Insert, "1 x")
	must(t, err)
	fill()
	if err := s.Drop(bg(), "a"); code(err) != pgerr.DiskFull {
		t.Fatal(err)
	}
	expect(t, s, "a", "1 x")
	free()
	must(t, s.Drop(bg(), "a"))
	if _, err := s.Def("a"); code(err) != pgerr.UndefinedTable {
		t.Error(err)
	}
}
