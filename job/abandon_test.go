package job

import (
	"context"
	"testing"
	"time"

	"github.com/millrace/millrace/statestore/object"
)

// TestEndWhileTheStoreHangs ends jobs that wait for a store which does not answer: at
// once, and without giving up anything of what they had.
func TestEndWhileTheStoreHangs(t *testing.T) {
	hang := func(w *world, op string) { w.bucket.Set(object.Fault{Op: op, Delay: time.Hour}) }
	promptly := func(t *testing.T, limit time.Duration, end func()) {
		t.Helper()
		done := make(chan struct{})
		go func() { end(); close(done) }()
		select {
		case <-done:
		case <-time.After(limit):
			t.Fatalf("the job had not ended after %s", limit)
		}
	}
	// restoring is a job with a checkpoint that waits for its store to restore it.
	restoring := func(t *testing.T) *world {
		w := newWorld(t)
		w.create(query)
		w.read(1, 2)
		w.checkpointed()
		w.exactly(1, 2)
		w.manager.Kill()
		hang(w, "get")
		w.boot()
		w.eventually("a hanging restore", func() bool { return w.bucket.Count("get") > 0 })
		return w
	}
	// again starts it once the store is back: it goes on from where it was.
	again := func(w *world) {
		w.t.Helper()
		w.bucket.Set()
		if err := w.manager.Start(w.store.Snapshot().Job("j")); err != nil {
			w.t.Fatal(err)
		}
		w.in.add(3)
		w.read()
		w.checkpointed()
		w.exactly(1, 2, 3)
	}
	t.Run("stopped while restored", func(t *testing.T) {
		w := restoring(t)
		promptly(t, startPatience+5*time.Second, func() {
			if n, err := w.manager.Stop(context.Background(), "j", Stopped, false); n != 0 || err != nil {
				t.Errorf("stopped after checkpoint %d, %v", n, err)
			}
		})
		again(w)
	})
	t.Run("abandoned while restored", func(t *testing.T) {
		w := restoring(t)
		promptly(t, 5*time.Second, func() { w.manager.Abandon("j", Stopped) })
		again(w)
	})
	t.Run("options while restored", func(t *testing.T) {
		w := restoring(t)
		promptly(t, 5*time.Second, func() {
			j := w.store.Snapshot().Job("j")
			for _, n := range []string{"4", "5"} {
				if err := w.manager.Reconfigure(context.Background(), j, map[string]string{"retained_checkpoints": n}); err != nil {
					t.Error(err)
				}
			}
		})
		w.manager.Abandon("j", Stopped)
		again(w)
	})
	for _, op := range []string{"create", "delete", "list"} {
		t.Run("abandoned with a hanging "+op, func(t *testing.T) {
			w := newWorld(t)
			w.create(query, "checkpoint_interval", "20ms", "retained_checkpoints", "1")
			w.read(1)
			w.exactly(1)
			hang(w, op)
			w.read(2)
			w.eventually("a hanging "+op, func() bool { return w.bucket.Count(op) > 0 })
			promptly(t, 5*time.Second, func() { w.manager.Abandon("j", Stopped) })
			w.bucket.Set()
			if err := w.manager.Start(w.store.Snapshot().Job("j")); err != nil {
				t.Fatal(err)
			}
			w.exactly(1, 2)
		})
	}
	t.Run("abandoned with a hanging commit", func(t *testing.T) {
		w := newWorld(t)
		w.create(query, "checkpoint_interval", "20ms")
		reached := make(chan struct{})
		w.out.set(once("commit", reached, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
		w.read(1)
		<-reached
		promptly(t, 5*time.Second, func() { w.manager.Abandon("j", Stopped) })
		if err := w.manager.Start(w.store.Snapshot().Job("j")); err != nil {
			t.Fatal(err)
		}
		w.exactly(1)
	})
}

// TestReadersDoNotWaitForCollecting has a store that does not answer who deletes old
// checkpoints: the job's readers see new epochs meanwhile, and the next checkpoint comes
// once it answers.
func TestReadersDoNotWaitForCollecting(t *testing.T) {
	w := newWorld(t)
	w.create(query, "retained_checkpoints", "1")
	w.read(1)
	w.checkpointed()
	w.bucket.Set(object.Fault{Op: "delete", Delay: 2 * time.Second})
	w.read(2)
	done := make(chan error, 1)
	go func() {
		_, err := w.manager.Checkpoint(context.Background(), "j")
		done <- err
	}()
	w.eventually("collecting", func() bool { return w.bucket.Count("delete") > 0 })
	began := time.Now()
	if _, err := w.manager.ask(context.Background(), "j", &request{catchUp: true}); err != nil || time.Since(began) > time.Second {
		t.Errorf("a reader waited for %s: %v", time.Since(began), err)
	}
	w.exactly(1, 2)
	w.bucket.Set()
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.read(3)
	w.checkpointed()
	w.exactly(1, 2, 3)
}
