package job

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/checkpoint"
	"github.com/millrace/millrace/statestore/object"
)

// fork makes and starts a job from a checkpoint of another.
func (w *world) fork(name string, from RestorePoint) *catalog.Job {
	w.t.Helper()
	ctx := context.Background()
	saved, err := w.manager.Saved(ctx, from)
	if err != nil {
		w.t.Fatal(err)
	}
	j, _, err := w.manager.Fork(ctx, name, RestoreSpec{From: from, Graph: saved.Graph, SQL: saved.SQL, Options: saved.Options})
	if err != nil {
		w.t.Fatal(err)
	}
	tx := w.store.Begin()
	made, err := tx.CreateJob(j)
	if err == nil {
		err = tx.Commit(ctx)
	}
	if err == nil {
		err = w.manager.Start(made)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// TestFork has a job and its fork write to one sink: what was before the fork
// comes once, what comes after it comes from both. The checkpoint that the fork
// began with stays until it has one of its own.
func TestFork(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	j := w.create(query, "checkpoint_interval", "0s", "retained_checkpoints", "1")
	w.read(1, 2)
	n := w.checkpointed()
	f := w.fork("f", RestorePoint{Kind: "checkpoint", URL: "file://" + w.dir + "/objects/" + checkpointPlace(j.ID, n)})
	if f.ID == j.ID || f.FirstCheckpoint != n+1 || !slices.Equal(f.Lineage, []string{j.ID}) || f.RestoreFrom != checkpointPlace(j.ID, n) {
		t.Errorf("the fork is %+v", f)
	}
	w.eventually("the fork runs", func() bool { return w.store.Snapshot().Job("f").State == "running" })
	w.checkpointed()
	w.checkpointed()
	list, err := checkpoint.List(ctx, w.bucket, j.ID)
	if err != nil || !slices.Equal(list, []int64{n, n + 2}) {
		t.Errorf("the parent has checkpoints %v, %v", list, err)
	}
	w.crash() // the fork needs it again
	w.eventually("both run", func() bool { return w.state() == "running" && w.store.Snapshot().Job("f").State == "running" })
	if m, err := w.manager.Checkpoint(ctx, "f"); err != nil || m != n+1 {
		t.Errorf("the fork's first checkpoint is %d, %v", m, err)
	}
	w.checkpointed()
	if list, err = checkpoint.List(ctx, w.bucket, j.ID); err != nil || len(list) != 1 {
		t.Errorf("the parent still has checkpoints %v, %v", list, err)
	}
	w.in.add(3)
	w.eventually("row 3 twice", func() bool {
		w.checkpointed()
		if _, err := w.manager.Checkpoint(ctx, "f"); err != nil {
			t.Fatal(err)
		}
		return slices.Equal(w.out.rows(), []int64{1, 2, 3, 3})
	})
}

func TestAlterRefusesAndGoesOn(t *testing.T) {
	w := newWorld(t)
	j := w.create("INSERT INTO out SELECT k, count(*) FROM raw GROUP BY k", "checkpoint_interval", "0s")
	w.read(1)
	g, err := graph.Decode(j.Graph)
	if err != nil {
		t.Fatal(err)
	}
	other := w.graph(query)
	if _, err := w.manager.Alter(context.Background(), j, RestoreSpec{Graph: other, SQL: query}); err == nil || !strings.Contains(err.Error(), "state of 1 operator would be lost") {
		t.Errorf("ALTER gave %v", err)
	}
	// The bucket fails when the last checkpoint is due.
	w.bucket.Set(object.Fault{Op: "create", Nth: 2, Err: errDown})
	if _, err := w.manager.Alter(context.Background(), j, RestoreSpec{Graph: g, SQL: "the same"}); !errors.Is(err, errDown) {
		t.Errorf("ALTER gave %v", err)
	}
	w.bucket.Set()
	if !w.manager.Running("j") || w.store.Snapshot().Job("j").ID != j.ID {
		t.Fatal("the job does not go on")
	}
	done, err := w.manager.Alter(context.Background(), j, RestoreSpec{Graph: g, SQL: "the same"})
	if err != nil || done.Job.ID == j.ID || done.Job.SQL != "the same" || done.Checkpoint == 0 {
		t.Errorf("ALTER gave %+v, %v", done, err)
	}
	w.eventually("running", func() bool { return w.state() == "running" })
	w.read(2)
}

// TestShutdownInTime does not wait for a bucket that hangs.
func TestShutdownInTime(t *testing.T) {
	w := newWorld(t)
	w.create(query, "checkpoint_interval", "0s")
	w.read(1)
	w.bucket.Set(object.Fault{Op: "create", Delay: time.Hour})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	w.manager.Shutdown(ctx)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	w.bucket.Set()
	w.boot()
	w.eventually("running", func() bool { return w.state() == "running" })
	w.read(2)
	w.checkpointed()
	w.exactly(1, 2)
}

func TestCheckpointTimeout(t *testing.T) {
	w := newWorld(t)
	w.create(query, "checkpoint_interval", "0s", "checkpoint_timeout", "100ms")
	w.read(1)
	w.bucket.Set(object.Fault{Op: "create", Delay: time.Hour})
	if _, err := w.manager.Checkpoint(context.Background(), "j"); err == nil || !strings.Contains(err.Error(), "it was not written within 100ms") {
		t.Errorf("a bucket that hangs: %v", err)
	}
	w.bucket.Set()
	w.read(2)
	w.out.set(func(ctx context.Context, step string) error { // a slow sink holds the barrier back
		if step == "precommit" {
			time.Sleep(300 * time.Millisecond)
		}
		return nil
	})
	if _, err := w.manager.Checkpoint(context.Background(), "j"); err == nil || !strings.Contains(err.Error(), "did not pass through the job within 100ms") {
		t.Errorf("a sink that hangs: %v", err)
	}
	w.out.set(nil)
	w.eventually("a checkpoint", func() bool {
		_, err := w.manager.Checkpoint(context.Background(), "j")
		return err == nil
	})
	w.exactly(1, 2)
	if w.state() != "running" {
		t.Errorf("the job is %s", w.state())
	}
}

func TestRenameWhileRunning(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	j := w.create(query, "checkpoint_interval", "10ms")
	w.read(1)
	if err := w.manager.Rename(ctx, j, "k"); err != nil {
		t.Fatal(err)
	}
	w.read(2)
	w.exactly(1, 2)
	if _, err := w.manager.Checkpoint(ctx, "k"); err != nil {
		t.Error(err)
	}
	if _, err := w.manager.Checkpoint(ctx, "j"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("under its old name: %v", err)
	}
	if s, ok := w.manager.Status("k"); !ok || s.Job.Name != "k" {
		t.Errorf("its status is %+v, %t", s.Job, ok)
	}
	sp, err := w.manager.Savepoint(ctx, w.store.Snapshot().Job("k"), SavepointSpec{})
	if err != nil || sp.JobName != "k" {
		t.Errorf("its savepoint is %+v, %v", sp, err)
	}
}
