package job

import (
	"context"
	"sync"

	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// View is what readers see of a materialized view: the rows of its job's newest
// sealed epoch. It outlives restarts of the job: until the new run has sealed
// its first epoch, readers see the old one's last.
type View struct {
	mu    sync.Mutex
	epoch uint64
	parts []*state.Snapshot // one per task
	ready chan struct{}     // closed once there is an epoch
	spec  *graph.Materialize
}

func newView() *View { return &View{ready: make(chan struct{})} }

// setSpec tells how the rows lie in the state table.
func (v *View) setSpec(spec *graph.Materialize) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.spec = spec
}

// publish replaces what readers see. The view takes over the snapshots.
func (v *View) publish(epoch uint64, parts []*state.Snapshot) {
	v.mu.Lock()
	old, first := v.parts, v.parts == nil
	v.epoch, v.parts = epoch, parts
	if first {
		close(v.ready)
	}
	v.mu.Unlock()
	releaseAll(old)
}

// Cut is a consistent set of a view's rows, in state tables that are laid out as
// Spec says. It is to be released.
type Cut struct {
	Epoch uint64
	Spec  *graph.Materialize
	Parts []*state.Snapshot
}

// Release gives up the rows.
func (c *Cut) Release() { releaseAll(c.Parts) }

// Read returns the newest sealed epoch; it waits for the first one.
func (v *View) Read(ctx context.Context) (*Cut, error) {
	select {
	case <-v.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	c := &Cut{Epoch: v.epoch, Spec: v.spec, Parts: append([]*state.Snapshot(nil), v.parts...)}
	for _, p := range c.Parts {
		p.Retain()
	}
	return c, nil
}

// Size is how many rows and bytes the newest sealed epoch has; -1 for unknown.
func (v *View) Size() (rows, bytes int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.parts == nil {
		return -1, -1
	}
	for _, p := range v.parts {
		rows += int64(p.Len())
	}
	return rows, -1
}

// close gives up the rows for good.
func (v *View) close() {
	v.mu.Lock()
	old := v.parts
	v.parts = nil
	v.mu.Unlock()
	releaseAll(old)
}

func releaseAll(parts []*state.Snapshot) {
	for _, p := range parts {
		p.Release()
	}
}
