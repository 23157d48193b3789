package job

import (
	"context"
	"errors"
	"sync"

	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// View is what readers see of a materialized view: the rows of its job's newest
// sealed epoch. It outlives restarts of the job: until the new run has sealed
// its first epoch, readers see the old one's last.
type View struct {
	mu      sync.Mutex
	epoch   uint64
	serial  uint64            // counts what was published
	parts   []*state.Snapshot // one per task
	changed chan struct{}     // closed at the next publication, or when the view goes
	gone    bool
	spec    *graph.Materialize
}

func newView() *View { return &View{changed: make(chan struct{})} }

// setSpec tells how the rows lie in the state table.
func (v *View) setSpec(spec *graph.Materialize) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.spec = spec
}

// publish replaces what readers see. The view takes over the snapshots.
func (v *View) publish(epoch uint64, parts []*state.Snapshot) {
	v.mu.Lock()
	if v.gone {
		v.mu.Unlock()
		releaseAll(parts)
		return
	}
	old := v.parts
	v.epoch, v.parts = epoch, parts
	v.serial++
	close(v.changed)
	v.changed = make(chan struct{})
	v.mu.Unlock()
	releaseAll(old)
}

// lastEpoch is the epoch that readers see, 0 for none.
func (v *View) lastEpoch() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.epoch
}

// Cut is a consistent set of a view's rows, in state tables that are laid out as
// Spec says. It is to be released.
type Cut struct {
	Epoch uint64
	Spec  *graph.Materialize
	Parts []*state.Snapshot

	serial uint64
}

// Release gives up the rows.
func (c *Cut) Release() { releaseAll(c.Parts) }

// ErrViewGone says that a view was dropped, or its server is shutting down.
var ErrViewGone = errors.New("the materialized view is gone")

// Read returns the newest sealed epoch; it waits for the first one.
func (v *View) Read(ctx context.Context) (*Cut, error) { return v.Next(ctx, nil) }

// Next returns the newest sealed epoch once it is another one than that of the
// cut given, which may be nil.
func (v *View) Next(ctx context.Context, after *Cut) (*Cut, error) {
	for {
		c, changed, err := v.Changed(after)
		if c != nil || err != nil {
			return c, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Changed returns the newest sealed epoch if it is another one than that of the
// cut given, else a channel that is closed when there may be one.
func (v *View) Changed(after *Cut) (*Cut, <-chan struct{}, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.gone:
		return nil, nil, ErrViewGone
	case v.parts == nil || after != nil && after.serial == v.serial:
		return nil, v.changed, nil
	}
	c := &Cut{Epoch: v.epoch, Spec: v.spec, Parts: append([]*state.Snapshot(nil), v.parts...), serial: v.serial}
	for _, p := range c.Parts {
		p.Retain()
	}
	return c, nil, nil
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
	if !v.gone {
		v.gone = true
		close(v.changed)
	}
	v.mu.Unlock()
	releaseAll(old)
}

func releaseAll(parts []*state.Snapshot) {
	for _, p := range parts {
		p.Release()
	}
}
