package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/operator"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/exec/state/canonical"
	"github.com/millrace/millrace/internal/background"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/checkpoint"
	"github.com/millrace/millrace/statestore/gc"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/statestore/segment"
)

// uploadsAtOnce is how many tasks' states are encoded and uploaded side by side.
const uploadsAtOnce = 2

// committable is what a sink has pre-committed, or bad rows that were put aside:
// the checkpoint stores it in that blob of the task, and makes it final.
type committable struct {
	operator string
	task     int
	blob     string // commitBlob or asideBlob
	data     []byte
}

// uploadResult is how writing a checkpoint went.
type uploadResult struct {
	meta    *manifest.Metadata
	bytes   int64 // written by this checkpoint
	reports []exec.Report
	commits []committable // of this checkpoint and of failed ones before it
	marks   map[string]tableMark
	started time.Time
	err     error
	// collected is set when the checkpoint is complete and committed, and those that it
	// makes needless are gone.
	collected bool
}

func (u *uploadResult) release() {
	for i := range u.reports {
		u.reports[i].Release()
	}
}

// upload writes a checkpoint in the background.
func (r *runner) upload(ctx context.Context, p *pendingBarrier, reports []exec.Report) error {
	commits := append(r.uncommitted, committables(reports)...)
	meta, err := r.metadata(p)
	if err != nil {
		return err
	}
	started := p.started
	cancel := func() {}
	if d := r.opt.CheckpointTimeout; d > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, started.Add(d).Sub(r.m.opt.Clock.Now()), fmt.Errorf("it was not written within %s", d))
	}
	marks := r.m.marks(r.g)
	r.writing = true
	go func() { // answers on r.uploads; end waits for it
		defer cancel()
		background.Thread()
		u := uploadResult{meta: meta, reports: reports, commits: commits, marks: marks, started: started}
		if r.m.opt.Letters != nil { // before the sources are past those rows
			u.err = r.m.opt.Letters.Flush()
		}
		if u.err == nil {
			u.bytes, u.err = writeCheckpoint(ctx, r.m.opt.Objects, r.m.opt.Slots, &u)
		}
		if u.err != nil && ctx.Err() != nil {
			u.err = context.Cause(ctx)
		}
		r.uploads <- u
	}()
	return nil
}

// committables are what a barrier's reports have for its checkpoint to make final.
func committables(reports []exec.Report) (out []committable) {
	for i := range reports {
		for _, op := range reports[i].Operators {
			if op.Committable != nil {
				out = append(out, committable{op.ID, op.Task, commitBlob, op.Committable})
			}
			if op.Aside != nil {
				out = append(out, committable{op.ID, op.Task, asideBlob, op.Aside})
			}
		}
	}
	return out
}

// metadata is the part of a checkpoint's metadata that is about the job.
func (r *runner) metadata(p *pendingBarrier) (*manifest.Metadata, error) {
	plan, err := graph.Encode(r.g)
	if err != nil {
		return nil, err
	}
	return &manifest.Metadata{Kind: manifest.Checkpoint, Format: manifest.Native, JobID: r.job.ID, JobName: r.name(),
		Incarnation: r.parts.start.incarnation, Engine: r.m.opt.Version, Checkpoint: p.checkpoint, Epoch: p.epoch,
		Created: r.m.opt.Clock.Now().UnixMicro(), Parallelism: r.opt.Parallelism, SQL: r.job.SQL, Options: r.live.current().Options, Graph: plan}, nil
}

// writeCheckpoint uploads the changed pages and completes the checkpoint.
func writeCheckpoint(ctx context.Context, store object.Store, slots *background.Slots, u *uploadResult) (int64, error) {
	meta, reports := u.meta, u.reports
	type answer struct {
		tasks map[string]manifest.Task
		bytes int64
		err   error
	}
	jobs := make(chan *exec.Report, len(reports))
	answers := make(chan answer, len(reports))
	for i := range reports {
		jobs <- &reports[i]
	}
	close(jobs)
	for range uploadsAtOnce {
		go func() {
			background.Thread()
			slot := slots.Slot()
			slot.Enter()
			defer slot.Leave()
			for rep := range jobs {
				tasks, n, err := writeTask(ctx, &slotted{store, slot}, meta, rep)
				answers <- answer{tasks, n, err}
			}
		}()
	}
	operators := map[string]*manifest.Operator{}
	for i := range reports {
		for _, op := range reports[i].Operators {
			operators[op.ID] = &manifest.Operator{ID: op.ID, Kind: string(op.Kind)}
		}
	}
	var bytes int64
	var first error
	for range reports {
		a := <-answers
		bytes += a.bytes
		if a.err != nil && first == nil {
			first = a.err
		}
		for id, t := range a.tasks {
			operators[id].Tasks = append(operators[id].Tasks, t)
		}
	}
	if first != nil {
		return bytes, first
	}
	if err := addCommits(operators, u.commits); err != nil {
		return bytes, err
	}
	if err := addMarks(operators, u.marks); err != nil {
		return bytes, err
	}
	for _, id := range sortedKeys(operators) {
		op := operators[id]
		sort.Slice(op.Tasks, func(i, j int) bool { return op.Tasks[i].Task < op.Tasks[j].Task })
		meta.Operators = append(meta.Operators, *op)
	}
	n, err := checkpoint.Complete(ctx, store, meta)
	if errors.Is(err, object.ErrExists) {
		err = completedByUs(ctx, store, meta, err)
	}
	return bytes + n, err
}

// completedByUs forgives a Complete whose answer was lost and which was tried
// again: the checkpoint that is there is this run's.
func completedByUs(ctx context.Context, store object.Store, meta *manifest.Metadata, err error) error {
	there, e := checkpoint.Load(ctx, store, meta.JobID, meta.Checkpoint)
	if e == nil && there.Incarnation == meta.Incarnation {
		return nil
	}
	return err
}

// slotted is a store whose writers leave their slot while they wait for it.
type slotted struct {
	object.Store
	slot *background.Slot
}

// Create implements object.Store.
func (s *slotted) Create(ctx context.Context, name string, data []byte) error {
	s.slot.Leave()
	defer s.slot.Enter()
	return s.Store.Create(ctx, name, data)
}

// writeTask uploads the tables of one task, and gathers what else its operators
// had to say.
func writeTask(ctx context.Context, store object.Store, meta *manifest.Metadata, rep *exec.Report) (map[string]manifest.Task, int64, error) {
	w := segment.NewWriter(store, gc.SegmentPrefix(meta.JobID, meta.Incarnation, meta.Checkpoint, fmt.Sprintf("%d.%d", rep.Stage, rep.Task)))
	tasks := map[string]manifest.Task{}
	var err error
	for _, op := range rep.Operators {
		t := manifest.Task{Task: op.Task, Blobs: map[string][]byte{}}
		if op.Watermark != exec.WatermarkMin {
			t.Blobs[watermarkBlob] = strconv.AppendInt(nil, op.Watermark, 10)
		}
		if op.Source != nil {
			if t.Blobs[sourceBlob], err = json.Marshal(op.Source); err != nil {
				return nil, w.Written(), err
			}
		}
		for _, name := range sortedKeys(op.Tables) {
			table, err := op.Tables[name].Upload(ctx, w, meta.Checkpoint)
			if err != nil {
				return nil, w.Written(), fmt.Errorf("upload the state of %s: %w", op.ID, err)
			}
			t.Tables = append(t.Tables, table)
		}
		tasks[op.ID] = t
	}
	err = w.Close(ctx)
	return tasks, w.Written(), err
}

// addCommits stores what the checkpoint is to make final with its tasks.
func addCommits(operators map[string]*manifest.Operator, commits []committable) error {
	type place struct {
		operator, blob string
		task           int
	}
	lists := map[place][][]byte{}
	for _, c := range commits {
		at := place{c.operator, c.blob, c.task}
		lists[at] = append(lists[at], c.data)
	}
	for at, list := range lists {
		op := operators[at.operator]
		for i := range op.Tasks {
			if op.Tasks[i].Task != at.task {
				continue
			}
			data, err := json.Marshal(list)
			if err != nil {
				return err
			}
			op.Tasks[i].Blobs[at.blob] = data
		}
	}
	return nil
}

// uploaded goes on with a checkpoint whose upload has ended: the sinks commit what it
// covers, and old checkpoints go. Readers do not wait for that, the next checkpoint does.
func (r *runner) uploaded(ctx context.Context, u uploadResult) error {
	now := r.m.opt.Clock.Now()
	if u.err != nil && ctx.Err() != nil { // the run is being ended
		u.release()
		return u.err
	}
	if u.err != nil {
		r.uncommitted = u.commits
		u.release()
		r.coord.uploaded(now, storeFault(u.err, fmt.Sprintf("checkpoint %d of job %q failed", u.meta.Checkpoint, r.name())))
		return r.checkpointFailed(ctx, u.meta.Checkpoint, u.started, u.err)
	}
	c := catalog.Checkpoint{JobID: r.job.ID, N: u.meta.Checkpoint, State: "complete", URL: joinURL(r.m.opt.Objects.URL(), gc.CheckpointName(r.job.ID, u.meta.Checkpoint)),
		Bytes: u.bytes, Started: u.started, Ended: now}
	c.Rows, c.FullBytes = u.meta.Size()
	r.uncommitted = nil
	r.confirm(u)
	offsets := ownOffsets(r.g, u.reports)
	for _, mark := range u.marks {
		offsets = append(offsets, mark.Offset)
	}
	if err := r.m.opt.Retain(CheckpointHolder(r.job.ID, c.N), offsets); err != nil {
		r.m.opt.Log.Warn("retain table changes for checkpoint", "job", r.name(), "n", c.N, "err", err)
	}
	u.release()
	r.recordCheckpoint(ctx, c)
	if err := r.parts.commit(ctx, u.commits); err != nil {
		if ctx.Err() == nil { // else who ends the run says why
			r.coord.uploaded(now, err)
		}
		return fmt.Errorf("commit checkpoint %d: %w", c.N, err)
	}
	claim := !r.parts.start.continues && !r.parts.claimed
	r.parts.claimed = r.parts.claimed || claim
	r.writing = true
	go func(retained int) { // answers on r.uploads; end waits for it
		r.collect(ctx, c.N, retained)
		if claim {
			if err := r.claimed(ctx); err != nil && ctx.Err() == nil {
				r.m.opt.Log.Warn("remove what the job was restored from with CLAIM", "job", r.name(), "from", r.job.RestoreFrom, "err", err)
			}
		}
		r.uploads <- uploadResult{collected: true}
	}(r.opt.RetainedCheckpoints)
	return nil
}

// checkpointFailed records that a checkpoint was not to be, and fails the job
// when that happens too often.
func (r *runner) checkpointFailed(ctx context.Context, n int64, started time.Time, err error) error {
	r.recordCheckpoint(ctx, catalog.Checkpoint{JobID: r.job.ID, N: n, State: "failed", Started: started, Ended: r.m.opt.Clock.Now(), Failure: err.Error()})
	r.event(ctx, "checkpoint_failed", fmt.Sprintf("checkpoint %d: %s", n, err))
	r.m.opt.Log.Warn("checkpoint failed", "job", r.name(), "n", n, "err", err)
	if r.coord.tooManyFailed() {
		return fmt.Errorf("%d checkpoints in a row have failed, the last with: %w", r.coord.failed, err)
	}
	return nil
}

// confirm tells the tables that their pages are safe.
func (r *runner) confirm(u uploadResult) {
	for i := range u.reports {
		for _, op := range u.reports[i].Operators {
			for _, s := range op.Tables {
				s.Confirm(u.meta.Checkpoint)
			}
		}
	}
}

// CheckpointHolder names a checkpoint among those who hold on to own tables'
// changes.
func CheckpointHolder(job string, n int64) string { return fmt.Sprintf("checkpoint %s/%d", job, n) }

// SavepointHolder is the same for a savepoint.
func SavepointHolder(name string) string { return "savepoint " + name }

// ownOffsets are the positions in own tables that reports hold.
func ownOffsets(g *graph.Graph, reports []exec.Report) [][]byte {
	own := map[string]bool{}
	for i := range g.Operators {
		if s := g.Operators[i].Source; s != nil && s.Connector == "" {
			own[g.Operators[i].ID] = true
		}
	}
	var out [][]byte
	for i := range reports {
		for _, op := range reports[i].Operators {
			if op.Source == nil || !own[op.ID] {
				continue
			}
			for _, s := range op.Source.Splits {
				if s.Offset != nil {
					out = append(out, s.Offset)
				}
			}
		}
	}
	return out
}

// collect deletes checkpoints that are no longer retained, and what only they
// needed; not while a savepoint is being made of one.
func (r *runner) collect(ctx context.Context, newest int64, retained int) {
	if r.m.pinned(r.job.ID) {
		return
	}
	wanted, err := r.wanted(ctx)
	if err != nil {
		r.m.opt.Log.Warn("look who needs old checkpoints", "job", r.name(), "err", err)
		return
	}
	deleted, err := checkpoint.Collect(ctx, r.m.opt.Objects, r.job.ID, retained, wanted)
	if err != nil && ctx.Err() == nil {
		r.m.opt.Log.Warn("delete old checkpoints", "job", r.name(), "err", err)
	}
	if len(deleted) == 0 {
		return
	}
	gone := gc.Checkpoints(r.job.ID, deleted)
	for _, n := range gone { // also of those that could not be recorded
		if err := r.m.opt.Release(CheckpointHolder(r.job.ID, n)); err != nil {
			r.m.opt.Log.Warn("release table changes of checkpoint", "job", r.name(), "n", n, "err", err)
		}
	}
	list, err := r.m.opt.Store.Checkpoints(ctx, r.job.ID)
	if err != nil {
		r.m.opt.Log.Warn("list checkpoints", "job", r.name(), "err", err)
		return
	}
	for _, c := range list {
		if c.N < newest && (c.State == "complete" || c.State == "running") && slices.Contains(gone, c.N) {
			c.State, c.URL = "discarded", ""
			r.recordCheckpoint(ctx, c)
		}
	}
}

// wanted are the job's checkpoints that other jobs begin with which have none of
// their own yet.
func (r *runner) wanted(ctx context.Context) (map[int64]bool, error) {
	var out map[int64]bool
	for _, j := range r.m.opt.Store.Snapshot().Jobs() {
		from := j.RestoreFrom
		if _, id, n, ok := checkpointURL(from); ok {
			from = checkpointPlace(id, n)
		}
		id, n, ok := ownCheckpoint(from)
		if !ok || id != r.job.ID {
			continue
		}
		_, has, err := r.m.opt.Store.NewestCheckpoint(ctx, j.ID)
		if err != nil {
			return nil, err
		}
		if !has {
			if out == nil {
				out = map[int64]bool{}
			}
			out[n] = true
		}
	}
	return out, nil
}

// table makes or restores one task's part of an operator's state table of that
// number.
func (p *parts) table(op *graph.Operator, number, task, tasks int) (*state.Table, error) {
	schema := &op.Tables[number]
	opt := state.Options{Slabs: p.m.slabs.For(p.share(op)), Groups: exec.GroupRange(task, tasks), Extra: operator.Extra(op, number, p.lifetimes(op))}
	old, from := p.start.old(op.ID), schema.Name
	rename := map[string]string{}
	if p.start.plan != nil {
		found := false
		for i := range p.start.plan.Tables {
			t := &p.start.plan.Tables[i]
			if t.Operator == op.ID && t.Name == schema.Name {
				found, from = true, t.From
				for k, c := range t.Columns {
					if c >= 0 {
						rename[t.NewTable.Columns[k].Name] = t.OldTable.Columns[c].Name
					}
				}
			}
		}
		if !found {
			old = nil
		}
	}
	if old == nil {
		return state.NewTable(*schema, opt)
	}
	restore := state.RestoreOptions{Options: opt, Rename: rename, Continue: p.start.continues}
	if p.start.meta.Format == manifest.Canonical {
		return canonical.Restore(p.ctx, p.start.store, old.Tables(from), p.start.meta.Files, *schema, restore)
	}
	t, err := state.Restore(p.ctx, p.start.store, old.Tables(from), *schema, restore)
	if checkpoint.IsDamage(err) && p.start.continues {
		p.r.damaged[p.start.meta.Checkpoint] = fmt.Errorf("%s: %w", op.ID, err)
	}
	return t, err
}
