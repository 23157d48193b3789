package job

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/planner/graph"
)

// TestDropReleases looks what becomes of own tables' changes when a job is dropped
// that read one.
func TestDropReleases(t *testing.T) {
	for _, c := range []struct {
		name, sql, retention string
		released             int
	}{
		{"its checkpoints stay, and may be read", "INSERT INTO out SELECT k FROM raw", "retain", 0},
		{"its checkpoints stay, its table has gone", "INSERT INTO out SELECT id FROM orders", "retain", 2},
		{"its checkpoints go", "INSERT INTO out SELECT k FROM raw", "delete", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			ctx := context.Background()
			var released []string
			w.manager.opt.Release = func(holder string) error {
				released = append(released, holder)
				return nil
			}
			encoded, err := graph.Encode(w.graph(c.sql))
			if err != nil {
				t.Fatal(err)
			}
			j := &catalog.Job{ID: NewID(), Name: "gone", Graph: encoded, Options: map[string]string{"checkpoint_retention": c.retention}}
			for n := range int64(2) {
				if err := w.store.PutCheckpoint(ctx, catalog.Checkpoint{JobID: j.ID, N: n + 1, State: "complete"}); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.manager.Drop(ctx, j); err != nil {
				t.Fatal(err)
			}
			if len(released) != c.released {
				t.Errorf("released %v", released)
			}
			list, err := w.store.Checkpoints(ctx, j.ID)
			if left := map[string]int{"retain": 2, "delete": 0}[c.retention]; err != nil || len(list) != left {
				t.Errorf("%d checkpoints are left, %v", len(list), err)
			}
		})
	}
}

// TestDropCommitsWhatItCan drops a job that could not commit any more, one of whose sinks
// cannot be reached: the others get what its newest checkpoint covers.
func TestDropCommitsWhatItCan(t *testing.T) {
	w := newWorld(t)
	first := &output{pending: map[string][]string{}, done: map[string]bool{}}
	var away atomic.Bool
	w.manager.opt.Sinks = func(_ context.Context, _ *catalog.Job, op *graph.Operator) (connector.Sink, error) {
		switch {
		case !strings.HasSuffix(op.Sink.Relation, "first"):
			return w.out, nil
		case away.Load():
			return nil, errDown
		}
		return first, nil
	}
	j := w.create("INSERT INTO first SELECT k FROM raw; INSERT INTO second SELECT k FROM raw", "checkpoint_interval", "0s", "restart_delay", "1h", "restart_max_delay", "1h")
	w.read(1, 2)
	down := func(_ context.Context, step string) error {
		if step == "commit" {
			return errDown
		}
		return nil
	}
	w.out.set(down)
	first.set(down)
	if _, err := w.manager.Checkpoint(context.Background(), "j"); err == nil {
		t.Fatal("the commit did not fail")
	}
	w.out.set(nil)
	away.Store(true)
	if err := w.manager.Drop(context.Background(), j); err != nil {
		t.Fatal(err)
	}
	w.exactly(1, 2)
}

// TestRetains says what DROP does with checkpoints.
func TestRetains(t *testing.T) {
	for _, c := range []struct {
		retention, view string
		want            bool
	}{{"", "", true}, {"retain", "", true}, {"delete", "", false}, {"", "v", false}, {"retain", "v", true}, {"delete", "v", false}} {
		j := &catalog.Job{ViewID: c.view, Options: map[string]string{}}
		if c.retention != "" {
			j.Options["checkpoint_retention"] = c.retention
		}
		if Retains(j) != c.want {
			t.Errorf("%+v", c)
		}
	}
}
