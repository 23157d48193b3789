package job

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/statestore/gc"
)

// TestUnfinishedCheckpoints ends a run between the steps of a checkpoint, of which
// each leaves another record, object or holder behind, and looks what the next run
// makes of it.
func TestUnfinishedCheckpoints(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name     string
		leave    func(t *testing.T, metadata string)
		state    string
		released bool
	}{
		{"before _metadata", func(t *testing.T, metadata string) {
			if err := os.Remove(metadata); err != nil {
				t.Fatal(err)
			}
		}, "failed", true},
		{"after _metadata, before its record", func(*testing.T, string) {}, "complete", false},
		{"_metadata is damaged", func(t *testing.T, metadata string) {
			if err := os.WriteFile(metadata, []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "failed", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			j := w.create(query, "checkpoint_interval", "0s")
			w.read(1)
			w.checkpointed()
			w.read(2)
			n := w.checkpointed()
			w.manager.Kill()
			if err := w.store.PutCheckpoint(ctx, catalog.Checkpoint{JobID: j.ID, N: n, State: "running"}); err != nil {
				t.Fatal(err)
			}
			c.leave(t, filepath.Join(w.dir, "objects", filepath.FromSlash(gc.CheckpointName(j.ID, n))))

			var released, retained []string
			w.manager = NewManager(w.manager.opt)
			w.manager.opt.Release = func(holder string) error { released = append(released, holder); return nil }
			w.manager.opt.Retain = func(holder string, _ [][]byte) error { retained = append(retained, holder); return nil }
			if err := w.manager.closeUnfinished(ctx, j.ID); err != nil {
				t.Fatal(err)
			}
			holder := CheckpointHolder(j.ID, n)
			if slices.Contains(released, holder) != c.released || slices.Contains(retained, holder) == c.released {
				t.Errorf("released %v, retained %v", released, retained)
			}
			list, err := w.store.Checkpoints(ctx, j.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got := list[0]; got.N != n || got.State != c.state || (got.URL == "") != c.released || (got.Failure != "") != c.released || got.Ended.IsZero() {
				t.Errorf("the record is %+v", got)
			}
			if got := list[1]; got.State != "complete" {
				t.Errorf("the one before is %+v", got)
			}
		})
	}
}

// TestRunsCloseUnfinished has a run end in the middle of a checkpoint, and the next
// one begin.
func TestRunsCloseUnfinished(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	j := w.create(query, "checkpoint_interval", "0s")
	w.read(1)
	n := w.checkpointed()
	w.manager.Kill()
	if err := w.store.PutCheckpoint(ctx, catalog.Checkpoint{JobID: j.ID, N: n + 1, State: "running"}); err != nil {
		t.Fatal(err)
	}
	w.boot()
	w.eventually("the end of the record", func() bool {
		list, err := w.store.Checkpoints(ctx, j.ID)
		return err == nil && slices.ContainsFunc(list, func(c catalog.Checkpoint) bool { return c.N == n+1 && c.State == "failed" })
	})
}

// TestCollectReleasesWhatHasNoRecord takes checkpoints of which the catalog has
// none, as if it had been away, and one that it still takes for running.
func TestCollectReleasesWhatHasNoRecord(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	var mu sync.Mutex
	var released []string
	w.manager.opt.Release = func(holder string) error {
		mu.Lock()
		defer mu.Unlock()
		released = append(released, holder)
		return nil
	}
	j := w.create(query, "checkpoint_interval", "0s", "retained_checkpoints", "1")
	w.read(1)
	lost := w.checkpointed()
	if err := w.store.RemoveCheckpoint(ctx, j.ID, lost); err != nil {
		t.Fatal(err)
	}
	w.read(2)
	open := w.checkpointed()
	if err := w.store.PutCheckpoint(ctx, catalog.Checkpoint{JobID: j.ID, N: open, State: "running"}); err != nil {
		t.Fatal(err)
	}
	w.read(3)
	w.checkpointed()
	w.manager.Kill()
	mu.Lock()
	defer mu.Unlock()
	if want := []string{CheckpointHolder(j.ID, lost), CheckpointHolder(j.ID, open)}; !slices.Equal(released, want) {
		t.Errorf("released %v, want %v", released, want)
	}
	list, err := w.store.Checkpoints(ctx, j.ID)
	if err != nil || len(list) != 2 || list[1].N != open || list[1].State != "discarded" {
		t.Errorf("records are %+v, %v", list, err)
	}
}
