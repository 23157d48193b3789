package bench

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/blackhole"
	"github.com/millrace/millrace/connector/nexmark"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/object"
)

// jobWait bounds how long a measured job may take.
const jobWait = 5 * time.Minute

// jobs runs plans as a server does: under a job manager, with metadata in SQLite
// and checkpoints in an object store.
type jobs struct {
	store   *catalog.Store
	objects object.Store
	slabs   *state.Slabs
	source  func(of nexmark.Stream) connector.Source
	manager *job.Manager
}

// newJobs makes a manager whose state takes memory from slabs and gives it back.
func newJobs(tb testing.TB, objects object.Store, source func(of nexmark.Stream) connector.Source, slabs *state.Slabs) *jobs {
	store, err := catalog.Open(tb.Context(), "sqlite://"+tb.TempDir()+"/metadata.db", catalog.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	j := &jobs{store: store, objects: objects, source: source, slabs: slabs}
	j.restart()
	tb.Cleanup(func() {
		j.manager.Kill()
		store.Close()
	})
	return j
}

// restart makes a new manager over what is stored, as a new process would.
func (j *jobs) restart() {
	kind := blackhole.Kind(nil)
	j.manager = job.NewManager(job.ManagerOptions{Store: j.store, Objects: j.objects, Slabs: j.slabs,
		Sources: func(_ context.Context, _ *catalog.Job, op *graph.Operator, _ func(connector.BadRow) error) (connector.Source, error) {
			return j.source(nexmark.Stream(op.Source.RelationID)), nil
		},
		Sinks: func(ctx context.Context, _ *catalog.Job, op *graph.Operator) (connector.Sink, error) {
			return kind.NewSink(ctx, connector.Spec{Relation: op.ID, Options: map[string]string{"connector": "blackhole"}}, connector.Env{})
		},
	})
}

// start creates a job and sets it going. It returns the job's id.
func (j *jobs) start(ctx context.Context, name string, g *graph.Graph, parallelism int, interval time.Duration) (string, error) {
	plan, err := graph.Encode(g)
	if err != nil {
		return "", err
	}
	tx := j.store.Begin()
	c, err := tx.CreateJob(catalog.Job{Name: name, SQL: name, Graph: plan, Wanted: "running", State: "created",
		Options: map[string]string{"parallelism": strconv.Itoa(parallelism), "checkpoint_interval": interval.String()}})
	if err == nil {
		err = tx.Commit(ctx)
	}
	if err != nil {
		return "", err
	}
	return c.ID, j.manager.Start(c)
}

// await waits until a job is in a state.
func (j *jobs) await(ctx context.Context, name, state string) error {
	ctx, cancel := context.WithTimeout(ctx, jobWait)
	defer cancel()
	for {
		switch c := j.store.Snapshot().Job(name); {
		case c == nil:
			return fmt.Errorf("there is no job %q", name)
		case c.State == state:
			return nil
		case c.State == "failed":
			return fmt.Errorf("job %q failed: %s", name, c.Failure)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("job %q was not %s in time", name, state)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// checkpointed is what the checkpoints of a run came to.
type checkpointed struct {
	rate   float64 // millions of events per second of processor time, checkpoints and all
	loss   float64 // the part by which that is slower than without them
	number int
	took   time.Duration // of the slowest, from its barrier to its completion
	bytes  float64       // uploaded by one, on average
	full   int64         // all that the last one refers to
}

// runWithCheckpoints runs a plan over events events as a job with checkpoints.
func runWithCheckpoints(b *testing.B, q Query, g *graph.Graph, events uint64, parallelism int, interval time.Duration, slabs *state.Slabs) checkpointed {
	objects, err := object.OpenLocal(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	j := newJobs(b, objects, func(of nexmark.Stream) connector.Source { return sourceOf(of, events) }, slabs)
	defer j.manager.Kill()
	var c checkpointed
	var id string
	c.rate = rate(b, events, func() error {
		if id, err = j.start(b.Context(), q.Name, g, parallelism, interval); err != nil {
			return err
		}
		return j.await(b.Context(), q.Name, "finished")
	})
	list, err := j.store.Checkpoints(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range list {
		if p.State != "complete" && p.State != "discarded" {
			continue
		}
		c.number++
		c.took = max(c.took, p.Ended.Sub(p.Started))
		c.bytes += float64(p.Bytes)
		c.full = max(c.full, p.FullBytes)
	}
	c.bytes /= float64(max(c.number, 1))
	return c
}
