package job

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/statestore/checkpoint"
	"github.com/millrace/millrace/statestore/gc"
	"github.com/millrace/millrace/statestore/object"
)

func TestBucketDownAndBack(t *testing.T) {
	w := newWorld(t)
	w.create(query, "checkpoint_interval", "20ms")
	w.in.add(1, 2, 3)
	w.exactly(1, 2, 3)
	w.bucket.Set(object.Fault{Op: "create", Err: errDown})
	w.in.add(4)
	w.eventually("failed checkpoints", w.happened("the bucket is down"))
	w.in.add(5)
	time.Sleep(60 * time.Millisecond)
	if got := w.out.rows(); len(got) != 3 {
		t.Errorf("rows became visible without a checkpoint: %v", got)
	}
	if w.state() != "running" {
		t.Errorf("the job is %s: failed checkpoints do not end it by default", w.state())
	}
	w.bucket.Set()
	w.exactly(1, 2, 3, 4, 5)
	var failed, complete int
	list, err := w.store.Checkpoints(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		switch c.State {
		case "failed":
			failed++
		case "complete":
			complete++
		}
	}
	if failed == 0 || complete == 0 {
		t.Errorf("%d checkpoints have failed, %d are complete", failed, complete)
	}
}

func TestTooManyFailedCheckpointsRestartTheJob(t *testing.T) {
	w := newWorld(t)
	w.create(query, "checkpoint_interval", "10ms", "tolerable_failed_checkpoints", "1", "restart", "fixed_delay", "restart_attempts", "1000", "restart_delay", "5ms")
	w.in.add(1)
	w.exactly(1)
	w.bucket.Set(object.Fault{Op: "create", Err: errDown})
	w.in.add(2)
	w.eventually("a restart", w.happened("2 checkpoints in a row have failed"))
	w.bucket.Set()
	w.exactly(1, 2)
}

// TestCrashes crashes between each two steps of a checkpoint; the rows must come
// out once.
func TestCrashes(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, arm := range map[string]func(w *world, reached chan<- struct{}){
		"before the pre-commit": func(w *world, reached chan<- struct{}) {
			w.out.set(once("precommit", reached, hang))
		},
		"before the state is written": func(w *world, reached chan<- struct{}) {
			w.bucket.Set(object.Fault{Op: "create", Delay: time.Hour})
			close(reached)
		},
		"after _metadata, before its answer": func(w *world, reached chan<- struct{}) {
			w.bucket.Set(object.Fault{Op: "create", After: true, Err: errDown})
			close(reached)
		},
		"after the catalog record, before the commit": func(w *world, reached chan<- struct{}) {
			w.out.set(once("commit", reached, hang))
		},
		"after the commit, before its answer": func(w *world, reached chan<- struct{}) {
			w.out.set(once("committed", reached, hang))
		},
		"after a commit that failed": func(w *world, reached chan<- struct{}) {
			w.out.set(once("commit", reached, func(context.Context) error { return errDown }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.create(query, "checkpoint_interval", "20ms", "restart_delay", "1ms")
			w.in.add(1, 2)
			w.exactly(1, 2)
			reached := make(chan struct{})
			arm(w, reached)
			w.in.add(3, 4)
			<-reached
			time.Sleep(50 * time.Millisecond)
			w.crash()
			w.in.add(5)
			w.exactly(1, 2, 3, 4, 5)
		})
	}
}

// once runs f at the first such step and lets everything else pass.
func once(step string, reached chan<- struct{}, f func(context.Context) error) func(context.Context, string) error {
	armed := make(chan struct{}, 1)
	armed <- struct{}{}
	return func(ctx context.Context, s string) error {
		if s != step {
			return nil
		}
		select {
		case <-armed:
			close(reached)
			return f(ctx)
		default:
			return nil
		}
	}
}

// TestLostAnswer has the bucket store a checkpoint and lose the answer: the run
// must recognize it as its own or take the next one.
func TestLostAnswer(t *testing.T) {
	w := newWorld(t)
	w.create(query, "checkpoint_interval", "0s")
	w.in.add(1)
	w.checkpointed()
	w.bucket.Set(object.Fault{Op: "create", After: true, Err: errDown})
	w.read(2)
	if _, err := w.manager.Checkpoint(context.Background(), "j"); !errors.Is(err, errDown) {
		t.Fatalf("the checkpoint gave %v", err)
	}
	w.bucket.Set()
	w.checkpointed()
	w.exactly(1, 2)
}

// break_ damages the newest checkpoint's metadata.
func (w *world) break_(id string) int64 {
	w.t.Helper()
	list, err := checkpoint.List(context.Background(), w.bucket, id)
	if err != nil || len(list) == 0 {
		w.t.Fatalf("checkpoints %v: %v", list, err)
	}
	n := list[len(list)-1]
	path := filepath.Join(w.dir, "objects", gc.CheckpointName(id, n))
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestDamagedCheckpoint(t *testing.T) {
	w := newWorld(t)
	j := w.create("INSERT INTO out SELECT k, count(*) FROM raw GROUP BY k", "checkpoint_interval", "0s")
	w.read(1)
	good := w.checkpointed()
	w.read(2)
	w.checkpointed()
	w.manager.Kill()
	bad := w.break_(j.ID)
	w.boot()
	w.eventually("a fallback", w.happened("fallback: a checkpoint cannot be used: load checkpoint 2: "))
	w.eventually("a start", w.happened("from checkpoint 1 of job "+j.ID))
	if good != 1 || bad != 2 {
		t.Errorf("checkpoints %d and %d", good, bad)
	}
	w.eventually("running", func() bool { return w.state() == "running" })
	if n := w.checkpointed(); n != 3 {
		t.Errorf("the next checkpoint is %d: a damaged one keeps its number", n)
	}
}

// TestNoIntactCheckpoint must not begin anew by itself: the sink has rows.
func TestNoIntactCheckpoint(t *testing.T) {
	w := newWorld(t)
	j := w.create(query, "checkpoint_interval", "0s", "retained_checkpoints", "1")
	w.read(1)
	w.checkpointed()
	w.manager.Kill()
	w.break_(j.ID)
	w.boot()
	w.eventually("failed", func() bool { return w.state() == "failed" })
	if !strings.Contains(w.store.Snapshot().Job("j").Failure, "no checkpoint of the job is intact") {
		t.Errorf("it failed with %s", w.store.Snapshot().Job("j").Failure)
	}
	w.exactly(1)
}

// TestDamagedSegment has a checkpoint whose metadata is right and whose state is
// not.
func TestDamagedSegment(t *testing.T) {
	w := newWorld(t)
	w.create("INSERT INTO out SELECT k, count(*) FROM raw GROUP BY k", "checkpoint_interval", "0s")
	for i := range int64(3000) {
		w.in.add(i)
	}
	w.read()
	w.checkpointed()
	for i := range int64(3000) {
		w.in.add(i + 3000)
	}
	w.read()
	w.checkpointed()
	w.manager.Kill()
	segments, err := filepath.Glob(filepath.Join(w.dir, "objects", "*", "shared", "*-2-*"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("segments of checkpoint 2: %v, %v", segments, err)
	}
	for _, s := range segments {
		if err := os.Truncate(s, 100); err != nil {
			t.Fatal(err)
		}
	}
	w.boot()
	w.eventually("a fallback", w.happened("fallback: a checkpoint cannot be used"))
	w.eventually("a start", w.happened("from checkpoint 1 of job"))
}

// TestRestoreFromDamage refuses to restore from, and to fork, state with a damaged
// or missing file, and leaves the job as it was.
func TestRestoreFromDamage(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	j := w.create("INSERT INTO out SELECT k, count(*) FROM raw GROUP BY k", "checkpoint_interval", "0s", "retained_checkpoints", "5")
	for i := range int64(3000) {
		w.in.add(i)
	}
	w.read()
	n := w.checkpointed()
	sp, err := w.manager.Savepoint(ctx, j, SavepointSpec{Name: "sp"})
	if err != nil {
		t.Fatal(err)
	}
	files := func(pattern ...string) []string {
		list, err := filepath.Glob(filepath.Join(append([]string{w.dir, "objects"}, pattern...)...))
		if err != nil || len(list) == 0 {
			t.Fatalf("%v: %v, %v", pattern, list, err)
		}
		return list
	}
	for _, s := range files("savepoints", "*", "segments", "*") {
		data, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(s, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range files(j.ID, "shared", fmt.Sprintf("*-%d-*", n)) {
		if err := os.Remove(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, from := range []RestorePoint{{Kind: "savepoint", Name: "sp"}, {Kind: "savepoint", URL: sp.URL}, {Kind: "checkpoint", N: n}} {
		if _, err := w.manager.Restore(ctx, j, RestoreSpec{From: from}); pgerr.From(err).Code != pgerr.DataCorrupted {
			t.Errorf("RESTORE from %+v: %v", from, err)
		}
		if now := w.store.Snapshot().Job("j"); now.ID != j.ID || !w.manager.Running("j") {
			t.Errorf("after a refused restore from %+v the job is %+v", from, now)
		}
	}
	saved, err := w.manager.Saved(ctx, RestorePoint{Kind: "savepoint", Name: "sp"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.manager.Fork(ctx, "f", RestoreSpec{From: RestorePoint{Kind: "savepoint", Name: "sp"}, Graph: saved.Graph, SQL: saved.SQL}); pgerr.From(err).Code != pgerr.DataCorrupted {
		t.Errorf("a fork: %v", err)
	}
}

// TestNumbersNeverGoBack has a job that starts again after a checkpoint that came
// to nothing.
func TestNumbersNeverGoBack(t *testing.T) {
	w := newWorld(t)
	j := w.create(query, "checkpoint_interval", "0s")
	w.read(1)
	w.checkpointed()
	n := w.checkpointed()
	w.manager.Kill()
	if err := w.store.PutCheckpoint(context.Background(), catalog.Checkpoint{JobID: j.ID, N: n + 1, State: "running", Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w.boot()
	if got := w.checkpointed(); got != n+2 {
		t.Errorf("after checkpoint %d, which failed, comes %d", n+1, got)
	}
}

// TestCheckpointsGone has a job start where its checkpoints are not, as with the
// wrong object store: it must not begin anew, and write everything again.
func TestCheckpointsGone(t *testing.T) {
	w := newWorld(t)
	j := w.create(query, "checkpoint_interval", "0s")
	w.read(1)
	w.checkpointed()
	n := w.checkpointed()
	w.exactly(1)
	w.manager.Kill()
	here, away := filepath.Join(w.dir, "objects", j.ID), filepath.Join(w.dir, "away")
	if err := os.Rename(here, away); err != nil {
		t.Fatal(err)
	}
	w.boot()
	w.eventually("failed", func() bool { return w.state() == "failed" })
	if why := w.store.Snapshot().Job("j").Failure; !strings.Contains(why, "no checkpoint of the job is intact") || !strings.Contains(why, fmt.Sprintf("checkpoint %d is no longer at ", n)) {
		t.Errorf("it failed with %s", why)
	}
	w.exactly(1)
	w.manager.Kill()
	if err := os.Rename(away, here); err != nil {
		t.Fatal(err)
	}
	if err := w.manager.Start(w.store.Snapshot().Job("j")); err != nil {
		t.Fatal(err)
	}
}

func TestRetention(t *testing.T) {
	w := newWorld(t)
	j := w.create(query, "checkpoint_interval", "0s", "retained_checkpoints", "2")
	for i := range int64(5) {
		w.in.add(i)
		w.checkpointed()
	}
	list, err := checkpoint.List(context.Background(), w.bucket, j.ID)
	if err != nil || !slices.Equal(list, []int64{4, 5}) {
		t.Errorf("checkpoints %v are left, %v", list, err)
	}
	records, err := w.store.Checkpoints(context.Background(), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range records {
		if want := map[bool]string{true: "complete", false: "discarded"}[c.N > 3]; c.State != want {
			t.Errorf("checkpoint %d is %s, want %s", c.N, c.State, want)
		}
	}
}

func TestRestartNone(t *testing.T) {
	w := newWorld(t)
	w.create(query, "restart", "none", "checkpoint_interval", "10ms")
	w.in.add(1)
	w.exactly(1)
	w.in.set(func(in *input) { in.fail = errors.New("the input broke") })
	w.eventually("failed", func() bool { return w.state() == "failed" })
	w.in.set(func(in *input) { in.fail = nil })
	if _, err := w.manager.Checkpoint(context.Background(), "j"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("a failed job took a checkpoint: %v", err)
	}
	if err := w.manager.Start(w.store.Snapshot().Job("j")); err != nil {
		t.Fatal(err)
	}
	w.in.add(2)
	w.exactly(1, 2)
}

// TestStopBetweenAttempts stops a job that keeps failing.
func TestStopBetweenAttempts(t *testing.T) {
	w := newWorld(t)
	w.create(query, "checkpoint_interval", "10ms", "restart_delay", "1h", "restart_max_delay", "1h")
	w.in.set(func(in *input) { in.fail = errors.New("the input broke") })
	w.eventually("restarting", func() bool { return w.state() == "restarting" })
	j := w.store.Snapshot().Job("j")
	if _, err := w.manager.StopWithSavepoint(context.Background(), j, SavepointSpec{}, false); err == nil || !strings.Contains(err.Error(), "between two attempts: ") {
		t.Errorf("STOP WITH SAVEPOINT gave %v", err)
	}
	if !w.manager.Running("j") {
		t.Fatal("the job does not go on")
	}
	if n, err := w.manager.Stop(context.Background(), "j", Stopped, false); n != 0 || err != nil {
		t.Errorf("STOP gave %d, %v", n, err)
	}
	if w.manager.Running("j") {
		t.Error("the job was not stopped")
	}
}

// TestStopWhileTheBucketIsDown is told the reason, and the job goes on.
func TestStopWhileTheBucketIsDown(t *testing.T) {
	w := newWorld(t)
	w.create(query, "checkpoint_interval", "0s")
	w.in.add(1)
	w.checkpointed()
	w.bucket.Set(object.Fault{Op: "create", Err: errDown})
	if _, err := w.manager.Stop(context.Background(), "j", Stopped, false); !errors.Is(err, errDown) {
		t.Errorf("STOP gave %v", err)
	}
	// A STOP that is cancelled is withdrawn.
	w.bucket.Set(object.Fault{Op: "create", Delay: 200 * time.Millisecond})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if _, err := w.manager.Stop(ctx, "j", Stopped, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("STOP gave %v", err)
	}
	time.Sleep(300 * time.Millisecond)
	w.bucket.Set()
	if !w.manager.Running("j") {
		t.Fatal("the job was stopped after all")
	}
	w.read(2)
	w.checkpointed()
	w.exactly(1, 2)
}

// TestFailedSavepoint leaves nothing, and the job as it was.
func TestFailedSavepoint(t *testing.T) {
	for _, format := range []string{"native", "canonical"} {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t)
			j := w.create("INSERT INTO out SELECT k, count(*) FROM raw GROUP BY k", "checkpoint_interval", "0s")
			w.read(1, 2, 3)
			w.bucket.Set(object.Fault{Op: "create", Nth: 2, Err: errDown}) // the first is the checkpoint's
			_, err := w.manager.StopWithSavepoint(context.Background(), j, SavepointSpec{Name: "sp", Format: format}, false)
			if err == nil {
				t.Fatal("the savepoint was made")
			}
			w.bucket.Set()
			if list, err := w.bucket.List(context.Background(), savepointFolder); err != nil || len(list) > 0 {
				t.Errorf("left: %v, %v", list, err)
			}
			if !w.manager.Running("j") {
				t.Error("the job does not go on")
			}
			w.checkpointed()
		})
	}
}

// TestRestoreCommitsWhatWasCovered restores a job whose sink failed to commit what
// its newest checkpoint covers: those rows must not be lost, nor come twice.
func TestRestoreCommitsWhatWasCovered(t *testing.T) {
	w := newWorld(t)
	w.create(query, "checkpoint_interval", "0s", "restart_delay", "1h", "restart_max_delay", "1h")
	w.read(1)
	w.checkpointed()
	w.read(2)
	w.out.set(func(_ context.Context, step string) error {
		if step == "commit" {
			return errDown
		}
		return nil
	})
	if _, err := w.manager.Checkpoint(context.Background(), "j"); err == nil {
		t.Fatal("the commit did not fail")
	}
	w.eventually("restarting", func() bool { return w.state() == "restarting" })
	j := w.store.Snapshot().Job("j")
	if _, err := w.manager.Restore(context.Background(), j, RestoreSpec{From: RestorePoint{Kind: "latest"}}); !errors.Is(err, errDown) {
		t.Fatalf("RESTORE gave %v, though rows would be lost", err)
	}
	w.out.set(nil)
	made, err := w.manager.Restore(context.Background(), w.store.Snapshot().Job("j"), RestoreSpec{From: RestorePoint{Kind: "latest"}})
	if err != nil {
		t.Fatal(err)
	}
	w.read(3)
	if n := w.checkpointed(); n != 3 || made.Job.FirstCheckpoint != 3 {
		t.Errorf("the next checkpoint is %d", n)
	}
	w.exactly(1, 2, 3)
}

// TestPositionsGone refuses to restore to where the input cannot be read.
func TestPositionsGone(t *testing.T) {
	w := newWorld(t)
	j := w.create(query, "checkpoint_interval", "0s")
	w.read(1, 2, 3)
	n := w.checkpointed()
	w.in.set(func(in *input) { in.gone = 5 })
	spec := RestoreSpec{From: RestorePoint{Kind: "checkpoint", N: n}}
	plan, err := w.manager.ExplainRestore(context.Background(), j, spec)
	if err != nil {
		t.Fatal(err)
	}
	if v := plan.Verdicts[0]; v.Result != "blocked" || !strings.Contains(v.Why, "from row 3 any more: the oldest there is is 5") {
		t.Errorf("the verdict is %+v", v)
	}
	if _, err := w.manager.Restore(context.Background(), j, spec); err == nil || !strings.Contains(err.Error(), "cannot be read on") {
		t.Errorf("RESTORE gave %v", err)
	}
	if !w.manager.Running("j") {
		t.Error("the job does not go on")
	}
	spec.Discard = []string{plan.Verdicts[0].Operator}
	if plan, err = w.manager.ExplainRestore(context.Background(), j, spec); err != nil || plan.Err() != nil {
		t.Errorf("with DISCARD: %v, %v", err, plan.Err())
	}
}
