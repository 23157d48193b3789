package job

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/checkpoint"
	"github.com/millrace/millrace/statestore/manifest"
)

// newest names the newest checkpoint of the first of the jobs that has any; ""
// when none has.
func (m *Manager) newest(ctx context.Context, ids ...string) (string, error) {
	for _, id := range ids {
		numbers, err := checkpoint.List(ctx, m.opt.Objects, id)
		if err != nil {
			return "", err
		}
		if n := len(numbers); n > 0 {
			return checkpointPlace(id, numbers[n-1]), nil
		}
	}
	return "", nil
}

// checkpointPlace is how catalog.Job.RestoreFrom names a checkpoint of this
// server's object store.
func checkpointPlace(id string, n int64) string { return fmt.Sprintf("%s/chk-%d", id, n) }

// settle ends what the last run of a stopped job left open in its sinks and of bad
// rows: what its newest checkpoint covers is committed, the rest is removed. Nobody else would
// do so once the job has another id.
func (m *Manager) settle(ctx context.Context, j *catalog.Job) error {
	if err := m.closeUnfinished(ctx, j.ID); err != nil {
		return err
	}
	meta, _, err := checkpoint.Newest(ctx, m.opt.Objects, j.ID, nil)
	if err != nil {
		return err
	}
	g, err := graph.Decode(j.Graph)
	if err != nil {
		return err
	}
	sinks, lists := map[string]connector.Sink{}, map[string][][]byte{}
	var failed error // the first of those that cannot be opened, which do not hold up the others
	for i := range g.Operators {
		op := &g.Operators[i]
		aside, err := openBy(meta, op.ID, asideBlob)
		if err == nil {
			err = m.keep(aside)
		}
		if err != nil {
			return err
		}
		if op.Kind != graph.SinkKind {
			continue
		}
		list, err := openBy(meta, op.ID, commitBlob)
		if err != nil {
			return err
		}
		sink, err := m.opt.Sinks(ctx, j, op)
		if err != nil {
			if failed == nil {
				failed = fmt.Errorf("%s: %w", op.ID, err)
			}
			continue
		}
		sinks[op.ID] = sink
		if len(list) > 0 {
			lists[op.ID] = list
		}
	}
	if err := commitTo(ctx, sinks, lists); err != nil {
		return err
	}
	for id, sink := range sinks {
		if err := sink.Abort(ctx, connector.WriterID{JobID: j.ID, Operator: id}); err != nil {
			m.opt.Log.Warn("remove what a run left behind", "job", j.Name, "sink", id, "err", err)
		}
	}
	if failed != nil {
		return failed
	}
	if m.opt.Letters != nil {
		return m.opt.Letters.Discard(j.ID, "")
	}
	return nil
}

// openBy is what an operator's tasks left for a checkpoint to make final.
func openBy(meta *manifest.Metadata, id, blob string) (out [][]byte, err error) {
	if meta == nil {
		return nil, nil
	}
	op := meta.Find(id)
	if op == nil {
		return nil, nil
	}
	for _, task := range op.Tasks {
		if b := task.Blobs[blob]; b != nil {
			var list [][]byte
			if err := json.Unmarshal(b, &list); err != nil {
				return nil, fmt.Errorf("decode what %s has to make final: %w", id, err)
			}
			out = append(out, list...)
		}
	}
	return out, nil
}

// dropPatience is how long a DROP waits for a store that does not answer. What it
// cannot remove by then stays behind.
const dropPatience = 30 * time.Second

// Drop ends a job that was removed from the catalog, and deletes its checkpoints
// and those of the jobs it was before, unless it retains them. The job ends even if
// ctx does: that gives up on the store only.
func (m *Manager) Drop(ctx context.Context, j *catalog.Job) error {
	sure := context.WithoutCancel(ctx)
	m.Abandon(j.Name, dropped)
	m.Forget(j.Name)
	ctx, cancel := context.WithTimeoutCause(ctx, dropPatience, pgerr.New(pgerr.IOError, "the store of the checkpoints does not answer"))
	defer cancel()
	if err := m.settle(ctx, j); err != nil {
		m.opt.Log.Warn("commit what a dropped job had written", "job", j.Name, "err", err)
	}
	if Retains(j) {
		if !m.tablesThere(j) {
			return m.release(sure, j.ID)
		}
		m.forgetMarks(ctx, j)
		return nil
	}
	var failed error
	for _, id := range append([]string{j.ID}, j.Lineage...) {
		if m.inUse(id) {
			continue
		}
		if err := m.dropCheckpoints(ctx, id); err != nil && failed == nil {
			failed = m.leftBehind(ctx, id, err)
		}
	}
	return failed
}

// leftBehind says where the checkpoints of a dropped job still are.
func (m *Manager) leftBehind(ctx context.Context, id string, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return pgerr.New(pgerr.IOError, "the checkpoints of a job that was dropped could not be removed: %s", err.Error()).
		Hint("What is left of them is in %s. Nothing reads it any more.", joinURL(m.opt.Objects.URL(), id))
}

// Retains reports whether a job's checkpoints stay when it is dropped. Those of a
// materialized view go with it unless it says otherwise: nothing else could read
// them.
func Retains(j *catalog.Job) bool {
	if v, ok := j.Options["checkpoint_retention"]; !ok && j.ViewID != "" {
		return false
	} else if o, err := ParseOptions(map[string]string{"checkpoint_retention": v}); ok && err == nil {
		return o.CheckpointRetention == "retain"
	}
	o, err := ParseOptions(nil)
	return err == nil && o.CheckpointRetention == "retain"
}

// inUse reports whether a job has this id, or had it.
func (m *Manager) inUse(id string) bool {
	for _, j := range m.opt.Store.Snapshot().Jobs() {
		if j.ID == id || slices.Contains(j.Lineage, id) {
			return true
		}
	}
	return false
}

// tablesThere reports whether the own tables that a job reads are in the catalog.
// Without them its checkpoints have no use for what the tables' log keeps.
func (m *Manager) tablesThere(j *catalog.Job) bool {
	g, err := graph.Decode(j.Graph)
	if err != nil {
		return true
	}
	snap := m.opt.Store.Snapshot()
	for i := range g.Operators {
		if s := g.Operators[i].Source; s != nil && s.Connector == "" && snap.RelationByID(s.RelationID) == nil {
			return false
		}
	}
	return true
}

// forgetMarks lets own tables keep no more for the checkpoints of a job that was
// dropped than what can be read with them: it will not take back what it wrote.
func (m *Manager) forgetMarks(ctx context.Context, j *catalog.Job) {
	for _, id := range append([]string{j.ID}, j.Lineage...) {
		if m.inUse(id) {
			continue
		}
		numbers, err := checkpoint.List(ctx, m.opt.Objects, id)
		for i := 0; i < len(numbers) && err == nil; i++ {
			var meta *manifest.Metadata
			var offsets [][]byte
			if meta, err = checkpoint.Load(ctx, m.opt.Objects, id, numbers[i]); err != nil {
				break
			}
			if offsets, err = offsetsIn(meta); err == nil {
				err = m.opt.Retain(CheckpointHolder(id, numbers[i]), offsets)
			}
		}
		if err != nil {
			m.opt.Log.Warn("look what own tables keep for a dropped job", "job", j.Name, "id", id, "err", err)
		}
	}
}

// release lets own tables forget what they keep for the checkpoints of a job id.
func (m *Manager) release(ctx context.Context, id string) error {
	list, err := m.opt.Store.Checkpoints(ctx, id)
	if err != nil {
		return err
	}
	for _, c := range list {
		if err := m.opt.Release(CheckpointHolder(id, c.N)); err != nil {
			return err
		}
	}
	return nil
}

// dropCheckpoints deletes all checkpoints of a job id.
func (m *Manager) dropCheckpoints(ctx context.Context, id string) error {
	sure := context.WithoutCancel(ctx)
	if err := m.release(sure, id); err != nil {
		return err
	}
	if err := m.opt.Store.RemoveCheckpoints(sure, id); err != nil {
		return err
	}
	return checkpoint.Drop(ctx, m.opt.Objects, id)
}

// claimed deletes what a job was restored from WITH CLAIM, now that it has a
// checkpoint of its own.
func (r *runner) claimed(ctx context.Context) error {
	var spec restoreMap
	if r.job.RestoreMap == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(r.job.RestoreMap), &spec); err != nil {
		return fmt.Errorf("decode the MAP of job %s: %w", r.job.Name, err)
	}
	if !spec.Claim {
		return nil
	}
	if id, _, ok := ownCheckpoint(r.job.RestoreFrom); ok {
		for _, j := range r.m.opt.Store.Snapshot().Jobs() {
			if j.ID == id || j.ID != r.job.ID && slices.Contains(j.Lineage, id) {
				return nil // somebody else's as well
			}
		}
		return r.m.dropCheckpoints(ctx, id)
	}
	list, err := r.m.opt.Store.Savepoints(ctx, "")
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.URL == r.job.RestoreFrom {
			return r.m.DropSavepoint(ctx, p.Name)
		}
	}
	return dropFolder(ctx, r.job.RestoreFrom)
}
