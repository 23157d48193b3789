package table

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/types"
)

// follower applies what a reader delivers to a bag of rows, as a job would, and
// remembers its offset at checkpoints.
type follower struct {
	table  string
	keyed  bool
	rows   map[string]int
	reader connector.Reader
	saved  map[string]int
	offset []byte
}

func copyOf(m map[string]int) map[string]int {
	out := map[string]int{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func (f *follower) open(t *testing.T, s *Store) {
	t.Helper()
	src, err := s.Source(f.table)
	must(t, err)
	f.reader, err = src.Open(bg(), connector.Split{ID: SplitID}, f.offset, []int{0, 1})
	must(t, err)
}

// restart goes back to the last checkpoint.
func (f *follower) restart(t *testing.T, s *Store) {
	t.Helper()
	f.rows = copyOf(f.saved)
	f.open(t, s)
}

// checkpoint saves state and offset and has the store retain it.
func (f *follower) checkpoint(t *testing.T, s *Store) {
	t.Helper()
	f.saved, f.offset = copyOf(f.rows), append([]byte(nil), f.reader.Offset()...)
	must(t, s.Retain("follower of "+f.table, f.offset))
}

// read applies one batch and reports whether there was something.
func (f *follower) read(t *testing.T, max int) bool {
	t.Helper()
	b := batch.New([]types.Phys{types.PhysInt, types.PhysBytes}, 0)
	status, err := f.reader.Read(bg(), b, max)
	must(t, err)
	if b.N > max && !(max == 1 && b.N == 2 && b.Op(0) == batch.UpdateBefore && b.Op(1) == batch.UpdateAfter) {
		t.Fatalf("%d rows, asked for %d", b.N, max)
	}
	for i := range b.N {
		op := b.Op(i)
		switch {
		case op == batch.UpdateBefore && (i+1 == b.N || b.Op(i+1) != batch.UpdateAfter), op == batch.UpdateAfter && (i == 0 || b.Op(i-1) != batch.UpdateBefore):
			t.Fatalf("half an update in a batch: %v", b.Ops[:b.N])
		case op.Retracts():
			if f.rows[text(b, i)]--; f.rows[text(b, i)] == 0 {
				delete(f.rows, text(b, i))
			} else if f.rows[text(b, i)] < 0 {
				t.Fatalf("row %q is taken away but was never delivered", text(b, i))
			}
		default:
			f.rows[text(b, i)]++
		}
	}
	return b.N > 0 || status == connector.More
}

func (f *follower) catchUp(t *testing.T, s *Store, max int) string {
	t.Helper()
	for f.read(t, max) {
	}
	position, err := OffsetPosition(f.reader.Offset())
	must(t, err)
	if position != s.Position() {
		t.Fatalf("the reader is idle at %d, the store at %d", position, s.Position())
	}
	var rows []string
	for r, n := range f.rows {
		for range n {
			rows = append(rows, r)
		}
	}
	sort.Strings(rows)
	return strings.Join(rows, ", ")
}

// TestModel runs random transactions, with crashes that cut the log at random
// bytes beyond what was acknowledged, compaction, restarts in the middle of
// snapshots and of transactions, against a plain map.
func TestModel(t *testing.T) {
	seed := random.Seed(t)
	for round := range 15 {
		if !t.Run(fmt.Sprint(round), func(t *testing.T) { runModel(t, rand.New(rand.NewPCG(seed, uint64(round))), round) }) {
			return
		}
	}
}

func runModel(t *testing.T, r *rand.Rand, round int) {
	dir := t.TempDir()
	options := Options{NoSync: true, SegmentBytesMax: 600}
	s, err := Open(dir, options)
	must(t, err)
	defer func() { s.Close() }()
	must(t, s.Create(bg(), keyed("a")))
	must(t, s.Create(bg(), plain("b")))
	model := map[string]map[int64]string{"a": {}}
	bag := map[string]int{}
	fa, fb := &follower{table: "a", rows: map[string]int{}}, &follower{table: "b", rows: map[string]int{}}
	maxRows := []int{1, 2, 3, 7, 1024}[round%5]
	both := []*follower{fa, fb}
	for step := range 120 {
		switch r.IntN(12) {
		case 0, 1, 2, 3: // upserts and inserts in both tables at once
			var up []string
			for range r.IntN(6) {
				k := r.Int64N(8)
				v := fmt.Sprintf("s%d-%d", step, r.IntN(9))
				up = append(up, fmt.Sprintf("%d %s", k, v))
				model["a"][k] = v
			}
			var in []string
			for range r.IntN(4) {
				row := fmt.Sprintf("%d w", r.Int64N(3))
				in = append(in, row)
				bag[row]++
			}
			_, err := s.Apply(bg(), []Change{{Table: "a", Action: Upsert, Rows: rowsOf(up...)}, {Table: "b", Action: Insert, Rows: rowsOf(in...)}})
			must(t, err)
		case 4: // delete what a scan finds
			got, refs := content(t, s, "a")
			for row, ref := range refs {
				if r.IntN(3) == 0 {
					_, err := s.Apply(bg(), []Change{{Table: "a", Action: Delete, Refs: []Ref{ref}}})
					must(t, err)
					var k int64
					fmt.Sscan(row, &k)
					delete(model["a"], k)
				}
			}
			_ = got
		case 5: // take rows out of the bag
			m := rowsOf(fmt.Sprintf("%d w", r.Int64N(3)))
			m.Ops = []batch.Op{batch.Delete}
			_, err := s.Apply(bg(), []Change{{Table: "b", Action: Merge, Rows: m}})
			must(t, err)
			if key := text(m, 0); bag[key] > 0 {
				if bag[key]--; bag[key] == 0 {
					delete(bag, key)
				}
			}
		case 6: // a refused transaction leaves no trace
			for k := range model["a"] {
				_, err := s.Apply(bg(), []Change{{Table: "b", Action: Insert, Rows: rowsOf("5 no")}, {Table: "a", Action: Upsert, Rows: rowsOf("3 no", "3 nono")},
					{Table: "a", Action: Insert, Rows: rowsOf(fmt.Sprintf("%d clash", k))}})
				if err == nil {
					t.Fatal("accepted a second key")
				}
				break
			}
		case 7:
			must(t, s.Compact(bg()))
		case 8, 9: // readers go on a little
			for _, f := range both {
				if f.reader == nil {
					f.open(t, s)
				}
				for range r.IntN(4) {
					f.read(t, maxRows)
				}
				if r.IntN(2) == 0 {
					f.checkpoint(t, s)
				}
			}
		case 10: // crash: the log may end in anything that was never acknowledged
			for _, f := range both {
				if f.reader != nil {
					f.reader.Close()
				}
			}
			s.Close()
			appendGarbage(t, dir, r)
			if s, err = Open(dir, options); err != nil {
				t.Fatal(err)
			}
			for _, f := range both {
				if f.offset != nil {
					f.restart(t, s)
				} else {
					f.reader, f.rows = nil, map[string]int{}
				}
			}
		case 11:
			fa.checkModel(t, s, model["a"], maxRows)
			fb.checkBag(t, s, bag, maxRows)
		}
	}
	fa.checkModel(t, s, model["a"], maxRows)
	fb.checkBag(t, s, bag, maxRows)
}

func (f *follower) checkModel(t *testing.T, s *Store, model map[int64]string, max int) {
	t.Helper()
	var want []string
	for k, v := range model {
		want = append(want, fmt.Sprintf("%d %s", k, v))
	}
	f.check(t, s, want, max)
}

func (f *follower) checkBag(t *testing.T, s *Store, bag map[string]int, max int) {
	t.Helper()
	var want []string
	for row, n := range bag {
		for range n {
			want = append(want, row)
		}
	}
	f.check(t, s, want, max)
}

func (f *follower) check(t *testing.T, s *Store, want []string, max int) {
	t.Helper()
	sort.Strings(want)
	expect(t, s, f.table, strings.Join(want, ", "))
	if f.reader == nil {
		f.open(t, s)
	}
	if got := f.catchUp(t, s, max); got != strings.Join(want, ", ") {
		t.Fatalf("the reader of %s saw %q, want %q", f.table, got, strings.Join(want, ", "))
	}
}

// appendGarbage puts the beginning of a frame, or zeros, behind the log.
func appendGarbage(t *testing.T, dir string, r *rand.Rand) {
	t.Helper()
	paths, _, err := listed(dir, "log-")
	must(t, err)
	f, err := os.OpenFile(paths[len(paths)-1], os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer f.Close()
	frame := append(beginFrame(nil), make([]byte, 50)...)
	sealFrame(frame, 0)
	switch r.IntN(3) {
	case 0:
		_, err = f.Write(frame[:r.IntN(len(frame))])
	case 1:
		_, err = f.Write(make([]byte, r.IntN(40)))
	}
	must(t, err)
}

// TestCutAnywhereRecoversThePrefix truncates a log at every byte: what opens is
// exactly the transactions that were whole.
func TestCutAnywhereRecoversThePrefix(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	var want []string
	for i := range 6 {
		_, err := apply(s, "a", Upsert, fmt.Sprintf("%d v%d", i%4, i), fmt.Sprintf("%d w", 10+i))
		must(t, err)
		got, _ := content(t, s, "a")
		want = append(want, got)
	}
	must(t, s.Close())
	path := filepath.Join(dir, segmentName(1))
	whole, err := os.ReadFile(path)
	must(t, err)
	starts := append(frameStarts(t, whole), len(whole))
	for cut := 0; cut <= len(whole); cut++ {
		must(t, os.WriteFile(path, whole[:cut], 0o600))
		s, err := Open(dir, Options{NoSync: true})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		frames := sort.SearchInts(starts, cut+1) - 1 // whole ones: the first creates the table
		if frames >= 2 {
			expect(t, s, "a", want[frames-2])
		}
		if p := s.Position(); p != uint64(max(frames, 0)) {
			t.Fatalf("cut at %d: position %d, want %d", cut, p, frames)
		}
		// And it can be written again.
		if frames >= 1 {
			if _, err := apply(s, "a", Upsert, "99 new"); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
		s.Close()
	}
}

func TestOffsetsThatAreGoneAreRefused(t *testing.T) {
	for _, keep := range []string{"log:5", "snapshot:21:0"} {
		s := open(t, t.TempDir())
		must(t, s.Create(bg(), keyed("a")))
		for i := range 20 {
			_, err := apply(s, "a", Upsert, fmt.Sprintf("1 v%d", i))
			must(t, err)
		}
		src, err := s.Source("a")
		must(t, err)
		must(t, s.Retain("savepoint", []byte(keep)))
		compact := func() {
			for range 3 { // the last file is dropped only once another was begun
				must(t, s.Compact(bg()))
				_, err = apply(s, "a", Upsert, "1 more")
				must(t, err)
			}
		}
		compact()
		r, err := src.Open(bg(), connector.Split{ID: SplitID}, []byte(keep), []int{0, 1})
		if err != nil {
			t.Fatalf("%s: %v", keep, err)
		}
		r.Close()
		look := func(at string) error {
			return src.(connector.OffsetChecker).CheckOffsets(bg(), []connector.Split{{ID: SplitID}, {ID: SplitID}}, [][]byte{nil, []byte(at)})
		}
		must(t, look(keep))
		must(t, s.Release("savepoint"))
		compact()
		if _, err := src.Open(bg(), connector.Split{ID: SplitID}, []byte(keep), []int{0}); err == nil || !strings.Contains(err.Error(), "any more: the oldest there is is") {
			t.Errorf("%s: %v", keep, err)
		}
		var gone *connector.GoneError
		if err := look(keep); !errors.As(err, &gone) || !strings.Contains(err.Error(), "any more: the oldest there is is") {
			t.Errorf("%s: %v", keep, err)
		}
		if err := look("log:999999"); !errors.As(err, &gone) || !strings.Contains(err.Error(), "the newest there is is") {
			t.Errorf("a position of another store: %v", err)
		}
		for _, bad := range []string{"", "log", "log:x", "snapshot:1", "other:1", "log:999999"} {
			if _, err := src.Open(bg(), connector.Split{ID: SplitID}, []byte(bad), []int{0}); err == nil {
				t.Errorf("offset %q accepted", bad)
			}
		}
	}
}

func TestReadyWakesAReader(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	f := &follower{table: "a", rows: map[string]int{}}
	f.open(t, s)
	for f.read(t, 10) {
	}
	ready := f.reader.Ready()
	select {
	case <-ready:
		t.Fatal("woken for nothing")
	default:
	}
	_, err := apply(s, "a", Insert, "1 x")
	must(t, err)
	<-ready
	if !f.read(t, 10) || len(f.rows) != 1 {
		t.Fatal(f.rows)
	}
}

func TestConcurrentWriters(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Create(bg(), keyed("a")))
	f := &follower{table: "a", rows: map[string]int{}}
	f.open(t, s)
	var wg sync.WaitGroup
	const writers, each = 8, 200
	won := make([]int, writers)
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				// Half of the keys are fought over: exactly one writer gets each.
				k := i
				if i%2 == 0 {
					k = 1_000_000*(w+1) + i
				}
				if _, err := apply(s, "a", Insert, fmt.Sprintf("%d w%d", k, w)); err == nil {
					won[w]++
				}
			}
		}()
	}
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		for range 500 {
			f.read(t, 64)
		}
	}()
	wg.Wait()
	<-reading
	total := 0
	for _, n := range won {
		total += n
	}
	if want := writers*each/2 + each/2; total != want {
		t.Fatalf("%d inserts succeeded, want %d", total, want)
	}
	got, _ := content(t, s, "a")
	if seen := f.catchUp(t, s, 100); seen != got {
		t.Fatal("the reader saw other rows than the table has")
	}
}

func TestSinkCommitsOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Create(bg(), keyed("a")))
	_, err := apply(s, "a", Insert, "1 old", "2 old")
	must(t, err)
	k, err := s.Sink("a")
	must(t, err)
	id := connector.WriterID{JobID: "j", Incarnation: "i1", Operator: "sink(a)"}
	w, err := k.Open(bg(), id)
	must(t, err)
	changes := rowsOf("1 old", "1 new", "3 x", "2 old", "9 absent")
	changes.Ops = []batch.Op{batch.UpdateBefore, batch.UpdateAfter, batch.Insert, batch.Delete, batch.Delete}
	must(t, w.Write(bg(), changes))
	c, err := w.PreCommit(bg(), 1)
	must(t, err)
	id.Task = 1
	w2, err := k.Open(bg(), id)
	must(t, err)
	must(t, w2.Write(bg(), rowsOf("4 y")))
	c2, err := w2.PreCommit(bg(), 1)
	must(t, err)
	if again, err := w2.PreCommit(bg(), 2); again != nil || err != nil {
		t.Fatal(again, err)
	}
	must(t, w2.Write(bg(), rowsOf("5 uncovered")))
	if _, err := w2.PreCommit(bg(), 2); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "a", "1 old, 2 old")
	// It dies after the log has the transaction and before the files are gone.
	saved := map[string][]byte{}
	names, _ := os.ReadDir(s.pendingDir())
	for _, e := range names {
		saved[e.Name()], _ = os.ReadFile(filepath.Join(s.pendingDir(), e.Name()))
	}
	before := s.Position()
	must(t, k.Commit(bg(), [][]byte{c, c2}))
	if s.Position() != before+1 {
		t.Fatalf("%d transactions for one checkpoint", s.Position()-before)
	}
	for name, data := range saved {
		must(t, os.WriteFile(filepath.Join(s.pendingDir(), name), data, 0o600))
	}
	_, err = apply(s, "a", Upsert, "1 newer")
	must(t, err)
	must(t, s.Compact(bg()))
	must(t, s.Close())
	s = open(t, dir)
	k, err = s.Sink("a")
	must(t, err)
	for range 2 {
		must(t, k.Commit(bg(), [][]byte{c, c2}))
		expect(t, s, "a", "1 newer, 3 x, 4 y")
	}
	id.Incarnation, id.Task = "i2", 0
	must(t, k.Abort(bg(), id))
	if names, _ := os.ReadDir(s.pendingDir()); len(names) != 0 {
		t.Fatal(names)
	}
	if err := w.Write(bg(), rowsOf("~ x")); err == nil {
		t.Fatal("a null key was taken")
	}
}

func BenchmarkGroupCommit(b *testing.B) {
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s, err := Open(b.TempDir(), Options{})
			must(b, err)
			defer s.Close()
			must(b, s.Create(bg(), keyed("a")))
			var wg sync.WaitGroup
			for w := range writers {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := range b.N/writers + 1 {
						if _, err := apply(s, "a", Upsert, fmt.Sprintf("%d x", w*1000+i%1000)); err != nil {
							b.Error(err)
						}
					}
				}()
			}
			wg.Wait()
		})
	}
}

func BenchmarkInsertAndFollow(b *testing.B) {
	s, err := Open(b.TempDir(), Options{NoSync: true})
	must(b, err)
	defer s.Close()
	must(b, s.Create(bg(), plain("a")))
	var rows []string
	for i := range 1024 {
		rows = append(rows, fmt.Sprintf("%d some value", i))
	}
	in := rowsOf(rows...)
	src, err := s.Source("a")
	must(b, err)
	r, err := src.Open(bg(), connector.Split{ID: SplitID}, nil, []int{0, 1})
	must(b, err)
	out := batch.New([]types.Phys{types.PhysInt, types.PhysBytes}, 0)
	b.Run("insert", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Apply(bg(), []Change{{Table: "a", Action: Insert, Rows: in}})
			must(b, err)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
	})
	b.Run("follow", func(b *testing.B) {
		n := 0
		for b.Loop() {
			st, err := r.Read(bg(), out, 1024)
			must(b, err)
			if st == connector.Idle {
				r.Close()
				r, err = src.Open(bg(), connector.Split{ID: SplitID}, []byte("log:1"), []int{0, 1})
				must(b, err)
			}
			n += out.N
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
	})
}
