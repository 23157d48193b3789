package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/types"
)

func sinkSpec(options map[string]string, changes bool) connector.Spec {
	options["path"] = "s3://bucket/out"
	return connector.Spec{Options: options, Changes: changes, Columns: []connector.Column{{Name: "id", Type: types.Of(types.Int64)}}}
}

func numbers(ids ...int64) *batch.Batch {
	var rows [][]types.Value
	for _, id := range ids {
		rows = append(rows, []types.Value{{Int: id}})
	}
	return batch.FromValues([]types.Type{types.Of(types.Int64)}, rows)
}

// visible returns the lines of the files that a source would read, sorted.
func visible(t *testing.T, s *fakeStore) string {
	t.Helper()
	var lines []string
	p := &place{}
	for name, data := range s.data {
		if !p.matches(name) {
			continue
		}
		var r io.Reader = strings.NewReader(string(data))
		var err error
		switch {
		case strings.HasSuffix(name, ".gz"):
			r, err = gzip.NewReader(r)
		case strings.HasSuffix(name, ".zst"):
			r, err = zstd.NewReader(r)
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Fields(string(text))...)
	}
	sort.Strings(lines)
	return strings.Join(lines, " ")
}

func TestRowsAppearWithTheirCheckpoint(t *testing.T) {
	ctx := context.Background()
	for _, how := range []string{"none", "gzip", "zstd"} {
		store, o := newStore(t)
		sink, err := Kind(o).NewSink(ctx, sinkSpec(map[string]string{"format": "csv", "compression": how, "roll_bytes": "4"}, false), connector.Env{})
		if err != nil {
			t.Fatal(err)
		}
		id := connector.WriterID{JobID: "j1", Incarnation: "i1", Operator: "sink(out)", Task: 0}
		w, _ := sink.Open(ctx, id)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(w.Write(ctx, numbers(1, 2, 3))) // rolled at once
		must(w.Write(ctx, numbers(4)))
		c1, err := w.PreCommit(ctx, 7)
		must(err)
		if got := visible(t, store); got != "" {
			t.Fatalf("%s: visible before the commit: %s", how, got)
		}
		must(w.Write(ctx, numbers(5)))
		if again, err := w.PreCommit(ctx, 8); err != nil || again == nil {
			t.Fatal(again, err)
		}
		if nothing, err := w.PreCommit(ctx, 9); err != nil || nothing != nil {
			t.Fatal(nothing, err)
		}
		// The process dies between the deletes of the first commit.
		deletes := 0
		store.fail = func(op, _ string) error {
			if op == "delete" {
				if deletes++; deletes > 1 {
					return errors.New("killed")
				}
			}
			return nil
		}
		if err := sink.Commit(ctx, [][]byte{c1}); err == nil {
			t.Fatal("the fault did not strike")
		}
		store.fail = nil
		for range 3 {
			must(sink.Commit(ctx, [][]byte{c1}))
			if got := visible(t, store); got != "1 2 3 4" {
				t.Fatalf("%s: visible after the commit: %s", how, got)
			}
		}
		// The job comes back as another incarnation: row 5 was not covered.
		id.Incarnation = "i2"
		w2, _ := sink.Open(ctx, id)
		must(w2.Write(ctx, numbers(6)))
		c2, err := w2.PreCommit(ctx, 8)
		must(err)
		must(sink.Abort(ctx, id))
		must(sink.Commit(ctx, [][]byte{c2}))
		if got := visible(t, store); got != "1 2 3 4 6" {
			t.Fatalf("%s: visible after recovery: %s", how, got)
		}
		for name := range store.data {
			if strings.HasPrefix(name, pendingFolder) {
				t.Errorf("left behind: %s", name)
			}
		}
	}
}

func TestEqualEpochsOfTwoRunsDoNotCollide(t *testing.T) {
	ctx := context.Background()
	store, o := newStore(t)
	sink, _ := Kind(o).NewSink(ctx, sinkSpec(map[string]string{"format": "csv"}, false), connector.Env{})
	for i, id := range []connector.WriterID{{JobID: "a", Incarnation: "1"}, {JobID: "a", Incarnation: "2"}, {JobID: "b", Incarnation: "1"}, {JobID: "b", Incarnation: "1", Task: 1}, {JobID: "b", Incarnation: "1", Operator: "x"}} {
		w, _ := sink.Open(ctx, id)
		if err := w.Write(ctx, numbers(int64(i))); err != nil {
			t.Fatal(err)
		}
		c, err := w.PreCommit(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := sink.Commit(ctx, [][]byte{c}); err != nil {
			t.Fatal(err)
		}
	}
	if got := visible(t, store); got != "0 1 2 3 4" {
		t.Fatal(got)
	}
}

func TestLostAndDamagedPendingFilesAreErrors(t *testing.T) {
	ctx := context.Background()
	store, o := newStore(t)
	sink, _ := Kind(o).NewSink(ctx, sinkSpec(map[string]string{"format": "json"}, false), connector.Env{})
	w, _ := sink.Open(ctx, connector.WriterID{JobID: "j"})
	_ = w.Write(ctx, numbers(1))
	c, _ := w.PreCommit(ctx, 1)
	for name := range store.data {
		store.data[name] = []byte("{\"id\":2}\n")
	}
	if err := sink.Commit(ctx, [][]byte{c}); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Fatal(err)
	}
	clear(store.data)
	if err := sink.Commit(ctx, [][]byte{c}); err == nil || !strings.Contains(err.Error(), "are gone") {
		t.Fatal(err)
	}
	if err := sink.Commit(ctx, [][]byte{[]byte("{")}); err == nil {
		t.Fatal("accepted")
	}
}

func TestChangesCarryTheirOp(t *testing.T) {
	ctx := context.Background()
	store, o := newStore(t)
	b := numbers(1, 1, 2)
	b.Ops = []batch.Op{batch.UpdateBefore, batch.UpdateAfter, batch.Delete}
	plain, _ := Kind(o).NewSink(ctx, sinkSpec(map[string]string{"format": "json"}, false), connector.Env{})
	w, _ := plain.Open(ctx, connector.WriterID{})
	if err := w.Write(ctx, b); err == nil {
		t.Fatal("changes went into a file of inserts")
	}
	sink, _ := Kind(o).NewSink(ctx, sinkSpec(map[string]string{"format": "json"}, true), connector.Env{})
	w, _ = sink.Open(ctx, connector.WriterID{})
	if err := w.Write(ctx, b); err != nil {
		t.Fatal(err)
	}
	c, _ := w.PreCommit(ctx, 1)
	if err := sink.Commit(ctx, [][]byte{c}); err != nil {
		t.Fatal(err)
	}
	if got := visible(t, store); got != `{"op":"delete","id":2} {"op":"update_after","id":1} {"op":"update_before","id":1}` {
		t.Fatal(got)
	}
}

type handClock struct{ now time.Time }

func (c *handClock) Now() time.Time                       { return c.now }
func (c *handClock) After(time.Duration) <-chan time.Time { return nil }

func TestRollInterval(t *testing.T) {
	ctx := context.Background()
	store, o := newStore(t)
	clock := &handClock{now: time.Unix(0, 0)}
	o.Clock = clock
	sink, _ := Kind(o).NewSink(ctx, sinkSpec(map[string]string{"format": "csv", "roll_interval": "10s"}, false), connector.Env{})
	w, _ := sink.Open(ctx, connector.WriterID{})
	for i := range int64(4) {
		if err := w.Write(ctx, numbers(i)); err != nil {
			t.Fatal(err)
		}
		clock.now = clock.now.Add(6 * time.Second)
	}
	if len(store.data) != 1 {
		t.Fatal(len(store.data))
	}
	c, _ := w.PreCommit(ctx, 1)
	if strings.Count(string(c), "final") != 2 {
		t.Fatal(fmt.Sprintf("%s", c))
	}
}
