package job

import (
	"context"
	"errors"
	"sync"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/statestore/checkpoint"
	"github.com/millrace/millrace/statestore/manifest"
)

// View is what readers see of a materialized view: the rows of its job's newest
// sealed epoch. It outlives restarts of the job: until the new run has sealed
// its first epoch, readers see the old one's last.
type View struct {
	// indexing is held while the parts are replaced, and while an index is made;
	// it is taken before mu.
	indexing sync.Mutex

	mu      sync.Mutex
	epoch   uint64
	serial  uint64            // counts what was published
	parts   []*state.Snapshot // one per task
	changed chan struct{}     // closed at the next publication, or when the view goes
	ended   bool              // no epoch beyond this one has other rows, as the input has ended for good
	gone    bool              // for good, and fault says why
	fault   error             // why there are no rows, and none will come by themselves
	spec    *graph.Materialize
	indexes map[string]*viewIndex // by columns; those that are in use
}

func newView() *View { return &View{changed: make(chan struct{}), indexes: map[string]*viewIndex{}} }

// setSpec tells how the rows lie in the state table.
func (v *View) setSpec(spec *graph.Materialize) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.spec, v.ended = spec, false
}

// publish replaces what readers see, once the indexes know it too. ended tells that
// the rows will not change any more. The view takes over the snapshots.
func (v *View) publish(epoch uint64, parts []*state.Snapshot, ended bool) {
	v.indexing.Lock()
	defer v.indexing.Unlock()
	indexes := v.advance(parts)
	v.mu.Lock()
	if v.gone {
		v.mu.Unlock()
		releaseAll(parts)
		return
	}
	old := v.parts
	v.epoch, v.parts, v.indexes, v.ended, v.fault = epoch, parts, indexes, ended, nil
	v.serial++
	close(v.changed)
	v.changed = make(chan struct{})
	v.mu.Unlock()
	releaseAll(old)
}

// fail tells readers of a view without rows why there will be none.
func (v *View) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.parts != nil || v.gone {
		return
	}
	v.fault = err
	close(v.changed)
	v.changed = make(chan struct{})
}

// expect takes a fault back: a run of the job has begun.
func (v *View) expect() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.gone {
		v.fault = nil
	}
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
	ended  bool // no other epoch follows
	view   *View
}

// Release gives up the rows.
func (c *Cut) Release() { releaseAll(c.Parts) }

// ErrViewEnded says that the rows of a view will not change any more.
var ErrViewEnded = errors.New("the input of the materialized view has ended")

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
// cut given, else a channel that is closed when there may be one. There will be none
// after one with ErrViewEnded.
func (v *View) Changed(after *Cut) (*Cut, <-chan struct{}, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.fault != nil:
		return nil, nil, v.fault
	case after != nil && after.ended:
		return nil, nil, ErrViewEnded
	case v.parts == nil || after != nil && after.serial == v.serial:
		return nil, v.changed, nil
	}
	c := &Cut{Epoch: v.epoch, Spec: v.spec, Parts: append([]*state.Snapshot(nil), v.parts...), serial: v.serial, ended: v.ended, view: v}
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

// close gives up the rows for good, and tells readers why.
func (v *View) close(why error) {
	v.indexing.Lock()
	defer v.indexing.Unlock()
	v.mu.Lock()
	old := v.parts
	v.parts, v.indexes = nil, nil
	if !v.gone {
		v.gone, v.fault = true, why
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

// show lets readers see what the newest checkpoint has of a view whose job was
// stopped or paused before the server started.
func (m *Manager) show(ctx context.Context, j *catalog.Job) {
	v := m.view(j.ViewID)
	spec, epoch, parts, err := m.viewRows(ctx, j)
	switch {
	case err != nil:
		m.opt.Log.Warn("read the rows of a view whose job does not run", "job", j.Name, "err", err)
		v.fail(pgerr.New(pgerr.ObjectNotInPrerequisiteState, "the rows of materialized view %q cannot be read: %s", j.Name, err.Error()).
			Hint("RESUME JOB %s computes them again.", ast.QuoteName(j.Name)).Wrap(err))
	case spec == nil:
		v.fail(restsWithoutRows(j))
	default:
		v.setSpec(spec)
		v.publish(epoch, parts, false)
	}
}

// Rests tells readers of a view that has no rows yet that none will come: its job was
// stopped or paused.
func (m *Manager) Rests(j *catalog.Job) {
	if v, err := m.View(j.ViewID); err == nil {
		v.fail(restsWithoutRows(j))
	}
}

func restsWithoutRows(j *catalog.Job) error {
	return pgerr.New(pgerr.ObjectNotInPrerequisiteState, "materialized view %q has no rows: its job is %s", j.Name, j.State).Hint("RESUME JOB %s starts it.", ast.QuoteName(j.Name))
}

// viewRows reads a view's rows from its job's newest checkpoint; spec is nil when
// there is none.
func (m *Manager) viewRows(ctx context.Context, j *catalog.Job) (spec *graph.Materialize, epoch uint64, parts []*state.Snapshot, err error) {
	meta, _, err := checkpoint.Newest(ctx, m.opt.Objects, j.ID, nil)
	if err != nil || meta == nil {
		return nil, 0, nil, err
	}
	g, err := graph.Decode(meta.Graph)
	if err != nil {
		return nil, 0, nil, err
	}
	var op *manifest.Operator
	for i := range g.Operators {
		if s := g.Operators[i].Materialize; s != nil {
			spec, op = s, meta.Find(g.Operators[i].ID)
		}
	}
	if op == nil {
		return nil, 0, nil, nil
	}
	for _, t := range op.Tables("") {
		s, err := state.Open(ctx, m.opt.Objects, t, m.slabs)
		if err != nil {
			releaseAll(parts)
			return nil, 0, nil, err
		}
		parts = append(parts, s)
	}
	return spec, meta.Epoch, parts, nil
}
