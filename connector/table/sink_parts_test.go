package table

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
)

// TestSinkOfManyRows writes more between two checkpoints than is held in memory and than
// is committed together: all of it comes once, whatever was committed before a crash, and
// what was not pre-committed goes.
func TestSinkOfManyRows(t *testing.T) {
	dir := t.TempDir()
	begin := func() *Store {
		s, err := Open(dir, Options{NoSync: true, PartBytesMax: 200})
		must(t, err)
		return s
	}
	s := begin()
	must(t, s.Create(bg(), keyed("a")))
	write := func(incarnation string, from, to int, op batch.Op) (connector.Sink, connector.Writer) {
		k, err := s.Sink("a")
		must(t, err)
		w, err := k.Open(bg(), connector.WriterID{JobID: "j", Incarnation: incarnation, Operator: "sink(a)"})
		must(t, err)
		for i := from; i < to; i++ {
			b := rowsOf(fmt.Sprintf("%d v", i))
			b.Ops = []batch.Op{op}
			must(t, w.Write(bg(), b))
		}
		return k, w
	}
	k, w := write("one", 0, 100, batch.Insert)
	c, err := w.PreCommit(bg(), 1)
	must(t, err)
	_, lost := write("one", 100, 200, batch.Insert)
	must(t, lost.Close())
	var all, some committable
	must(t, json.Unmarshal(c, &all))
	if len(all.Files) < 10 {
		t.Fatalf("100 rows are in %d files", len(all.Files))
	}
	some.Version, some.Files = 2, all.Files[:3]
	applied, err := json.Marshal(some)
	must(t, err)
	saved, err := os.ReadFile(s.pendingPath(all.Files[1]))
	must(t, err)
	must(t, k.Commit(bg(), [][]byte{applied})) // it dies after that
	must(t, os.WriteFile(s.pendingPath(all.Files[1]), saved, 0o600))
	before := s.Position()
	for range 2 {
		must(t, k.Commit(bg(), [][]byte{c}))
	}
	if n := s.Position() - before; n < 2 || n > 10 {
		t.Errorf("the rest was committed in %d transactions", n)
	}
	k, w = write("two", 0, 99, batch.Delete)
	must(t, w.Write(bg(), rowsOf("99 w", "0 again")))
	c, err = w.PreCommit(bg(), 2)
	must(t, err)
	must(t, s.Close())
	s = begin()
	k, err = s.Sink("a")
	must(t, err)
	must(t, k.Commit(bg(), [][]byte{c}))
	write("three", 300, 350, batch.Insert) // and dies
	must(t, k.Abort(bg(), connector.WriterID{JobID: "j", Incarnation: "four", Operator: "sink(a)"}))
	files, err := os.ReadDir(s.pendingDir())
	must(t, err)
	if len(files) > 0 {
		t.Errorf("%d files are left, %s the first", len(files), files[0].Name())
	}
	expect(t, s, "a", "0 again, 99 w")
	must(t, s.Close())
	s = begin()
	defer s.Close()
	expect(t, s, "a", "0 again, 99 w")
}
