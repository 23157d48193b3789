package job

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/upgrade"
	"github.com/millrace/millrace/statestore/checkpoint"
	"github.com/millrace/millrace/statestore/gc"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
)

// SavepointSpec is what a SAVEPOINT statement asks for.
type SavepointSpec struct {
	Name   string // "": chosen
	To     string // URL of a folder; "": savepoints/ in the object store
	Format string // native, canonical or ""
}

// savepointFolder is where savepoints go in the object store that say nothing
// else.
const savepointFolder = "savepoints"

// Savepoint takes a savepoint of a running job.
func (m *Manager) Savepoint(ctx context.Context, j *catalog.Job, spec SavepointSpec) (catalog.Savepoint, error) {
	if err := m.checkSavepoint(ctx, spec); err != nil {
		return catalog.Savepoint{}, err
	}
	unpin := m.pin(j.ID)
	defer unpin()
	n, err := m.Checkpoint(ctx, j.Name)
	if err != nil {
		return catalog.Savepoint{}, err
	}
	return m.copySavepoint(ctx, j, n, spec)
}

// StopWithSavepoint stops a job after a last checkpoint and makes a savepoint of
// that.
func (m *Manager) StopWithSavepoint(ctx context.Context, j *catalog.Job, spec SavepointSpec, drain bool) (catalog.Savepoint, error) {
	if err := m.checkSavepoint(ctx, spec); err != nil {
		return catalog.Savepoint{}, err
	}
	unpin := m.pin(j.ID)
	defer unpin()
	n, err := m.Stop(ctx, j.Name, true, drain)
	if err != nil {
		return catalog.Savepoint{}, err
	}
	return m.copySavepoint(context.WithoutCancel(ctx), j, n, spec)
}

// checkSavepoint refuses what could not be written before a job is disturbed.
func (m *Manager) checkSavepoint(ctx context.Context, spec SavepointSpec) error {
	switch strings.ToLower(spec.Format) {
	case "", manifest.Native:
	default:
		return pgerr.NotSupported(-1, "savepoint format "+strings.ToUpper(spec.Format)).Hint("FORMAT NATIVE is.")
	}
	if spec.Name != "" {
		if _, err := m.opt.Store.FindSavepoint(ctx, spec.Name); err == nil {
			return pgerr.New(pgerr.DuplicateObject, "savepoint %q already exists", spec.Name)
		}
	}
	if spec.To == "" {
		return nil
	}
	store, err := object.Open(ctx, spec.To)
	if err == nil {
		_, err = store.List(ctx, "savepoint-")
	}
	if err != nil {
		return pgerr.New(pgerr.InvalidParameterValue, "cannot write a savepoint to %s: %s", spec.To, err.Error())
	}
	return nil
}

// copySavepoint makes a checkpoint into a savepoint that stands on its own.
func (m *Manager) copySavepoint(ctx context.Context, j *catalog.Job, n int64, spec SavepointSpec) (sp catalog.Savepoint, err error) {
	meta, err := checkpoint.Load(ctx, m.opt.Objects, j.ID, n)
	if err != nil {
		return sp, err
	}
	dropCommits(meta)
	folder, err := checkpoint.SavepointFolder(j.ID)
	if err != nil {
		return sp, err
	}
	to, base := object.Sub(m.opt.Objects, savepointFolder), joinURL(m.opt.Objects.URL(), savepointFolder)
	if spec.To != "" {
		if to, err = object.Open(ctx, spec.To); err != nil {
			return sp, err
		}
		base = spec.To
	}
	if meta, err = checkpoint.CopyToSavepoint(ctx, m.opt.Objects, to, folder, meta); err != nil {
		return sp, err
	}
	sp = catalog.Savepoint{ID: NewID(), Name: spec.Name, JobID: j.ID, JobName: j.Name, URL: joinURL(base, folder), Format: manifest.Native, Created: m.opt.Clock.Now()}
	if sp.Name == "" {
		sp.Name = folder
	}
	sp.Rows, sp.Bytes = meta.Size()
	if err := m.retainSavepoint(&sp, meta); err != nil {
		return sp, err
	}
	return sp, m.opt.Store.AddSavepoint(ctx, sp)
}

// dropCommits takes out what sinks had pre-committed: the job itself commits it,
// and a restore must not do it again.
func dropCommits(meta *manifest.Metadata) {
	for i := range meta.Operators {
		for k := range meta.Operators[i].Tasks {
			delete(meta.Operators[i].Tasks[k].Blobs, commitBlob)
			delete(meta.Operators[i].Tasks[k].Blobs, asideBlob)
		}
	}
}

// joinURL appends a folder to an object store's URL.
func joinURL(base, folder string) string {
	path, query, has := strings.Cut(base, "?")
	out := strings.TrimSuffix(path, "/") + "/" + folder
	if has {
		out += "?" + query
	}
	return out
}

// retainSavepoint keeps own tables' changes for a later restore.
func (m *Manager) retainSavepoint(sp *catalog.Savepoint, meta *manifest.Metadata) error {
	g, err := graph.Decode(meta.Graph)
	if err != nil {
		return err
	}
	start := startingPoint{meta: meta, sources: map[string]*exec.SourceState{}, watermarks: map[string]exec.Watermark{}, committed: map[string][][]byte{}}
	if err := start.read(g); err != nil {
		return err
	}
	var rep exec.Report
	for id, s := range start.sources {
		rep.Operators = append(rep.Operators, exec.OperatorSnapshot{ID: id, Source: s})
	}
	return m.opt.Retain(SavepointHolder(sp.Name), ownOffsets(g, []exec.Report{rep}))
}

// DropSavepoint deletes a savepoint and its files.
func (m *Manager) DropSavepoint(ctx context.Context, name string) error {
	sp, err := m.opt.Store.FindSavepoint(ctx, name)
	if err != nil {
		return err
	}
	parent, folder := splitURL(sp.URL)
	store, err := object.Open(ctx, parent)
	if err != nil {
		return err
	}
	if err := checkpoint.DropSavepoint(ctx, store, folder); err != nil {
		return err
	}
	if err := m.opt.Release("savepoint " + sp.Name); err != nil {
		return err
	}
	return m.opt.Store.RemoveSavepoint(ctx, name)
}

// splitURL takes the last folder off an object store's URL.
func splitURL(url string) (parent, folder string) {
	path, query, has := strings.Cut(url, "?")
	i := strings.LastIndexByte(path, '/')
	parent, folder = path[:i], path[i+1:]
	if has {
		parent += "?" + query
	}
	return parent, folder
}

// Verify reads all of a savepoint and returns what is wrong with it.
func (m *Manager) Verify(ctx context.Context, name, url string) (files int, faults []error, err error) {
	if url == "" {
		sp, err := m.opt.Store.FindSavepoint(ctx, name)
		if err != nil {
			return 0, nil, err
		}
		url = sp.URL
	}
	store, err := object.Open(ctx, url)
	if err != nil {
		return 0, nil, pgerr.New(pgerr.InvalidParameterValue, "%s", err.Error())
	}
	meta, err := checkpoint.LoadFrom(ctx, store, gc.MetadataName)
	if err != nil {
		if checkpoint.IsDamage(err) {
			return 1, []error{err}, nil
		}
		return 0, nil, missing(err, url)
	}
	faults, err = checkpoint.Verify(ctx, store, meta)
	return len(meta.Files), faults, err
}

// pin keeps a job's checkpoints while a savepoint is made of one.
func (m *Manager) pin(job string) (unpin func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pins == nil {
		m.pins = map[string]int{}
	}
	m.pins[job]++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.pins[job]--
	}
}

// pinned tells whether a job's old checkpoints must stay for now.
func (m *Manager) pinned(job string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pins[job] > 0
}

// RestorePoint is where a RESTORE takes state from.
type RestorePoint struct {
	Kind string // savepoint, checkpoint, latest
	Name string
	URL  string
	N    int64
}

// RestoreSpec is a RESTORE statement, planned.
type RestoreSpec struct {
	From    RestorePoint
	SQL     string       // the new statement; "": as it is
	Graph   *graph.Graph // its plan; nil: as it is
	Depends []string
	To      map[string]string // MAP
	Discard []string
	Allow   bool // ALLOW NON RESTORED STATE
	Options map[string]string
}

// restoring is a restore that was looked at and may be carried out.
type restoring struct {
	from string
	meta *manifest.Metadata
	spec restoreMap
}

// planRestore loads what a restore begins with and compares plans.
func (m *Manager) planRestore(ctx context.Context, j *catalog.Job, s RestoreSpec) (*restoring, *upgrade.Plan, error) {
	from, err := m.resolve(ctx, j, s.From)
	if err != nil {
		return nil, nil, err
	}
	_, meta, err := m.open(ctx, from)
	if err != nil {
		return nil, nil, err
	}
	g := s.Graph
	if g == nil {
		if g, err = graph.Decode(j.Graph); err != nil {
			return nil, nil, err
		}
	}
	spec := restoreMap{To: s.To, Discard: s.Discard, AllowNonRestored: s.Allow}
	plan, err := compare(meta, g, spec)
	if err != nil {
		return nil, nil, err
	}
	return &restoring{from: from, meta: meta, spec: spec}, plan, nil
}

// ExplainRestore tells what a restore would keep, without doing anything.
func (m *Manager) ExplainRestore(ctx context.Context, j *catalog.Job, s RestoreSpec) (*upgrade.Plan, error) {
	_, plan, err := m.planRestore(ctx, j, s)
	return plan, err
}

// Restore stops a job and starts it, under a new id, from a savepoint or
// checkpoint. When it refuses, the job goes on as it was.
func (m *Manager) Restore(ctx context.Context, j *catalog.Job, s RestoreSpec) (*catalog.Job, error) {
	what, plan, err := m.planRestore(ctx, j, s)
	if err != nil {
		return nil, err
	}
	if err := plan.Err(); err != nil {
		return nil, err
	}
	next := *j
	next.ID = NewID()
	next.Lineage = append([]string{j.ID}, j.Lineage...)
	next.RestoreFrom, next.FirstCheckpoint = what.from, what.meta.Checkpoint+1
	next.Wanted, next.State, next.Failure = "running", "created", ""
	if next.RestoreMap, err = what.spec.encode(); err != nil {
		return nil, err
	}
	if next.Graph, err = graph.Encode(plan.Graph); err != nil {
		return nil, err
	}
	if s.Graph != nil {
		next.SQL, next.Depends = s.SQL, s.Depends
	}
	next.Options = mergeOptions(j.Options, s.Options)
	if _, err := m.options(&next); err != nil {
		return nil, err
	}
	if _, err := m.Stop(ctx, j.Name, false, false); err != nil && !errors.Is(err, ErrNotRunning) {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	tx := m.opt.Store.Begin()
	made, err := tx.ReplaceJob(j.ID, next)
	if err == nil {
		err = tx.Commit(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("record the restored job: %w", err)
	}
	if err := m.opt.Store.AddEvent(ctx, catalog.Event{JobID: made.ID, At: m.opt.Clock.Now(), Kind: "restored", Message: "from " + what.from}); err != nil {
		m.opt.Log.Warn("record job event", "job", j.Name, "err", err)
	}
	return made, m.Start(made)
}

func mergeOptions(a, b map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		out[k] = v
	}
	return out
}

// Running reports whether a job has a runner that goes on.
func (m *Manager) Running(name string) bool {
	r := m.runner(name)
	return r != nil && !r.ended()
}

// Drop ends a job that was removed from the catalog and deletes its checkpoints,
// unless it retains them.
func (m *Manager) Drop(ctx context.Context, j *catalog.Job) error {
	if _, err := m.Stop(ctx, j.Name, false, false); err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	m.Forget(j.Name)
	o, err := ParseOptions(j.Options)
	if err != nil || o.CheckpointRetention == "retain" {
		return err
	}
	list, err := m.opt.Store.Checkpoints(ctx, j.ID)
	if err != nil {
		return err
	}
	for _, c := range list {
		if err := m.opt.Release(CheckpointHolder(j.ID, c.N)); err != nil {
			return err
		}
	}
	if err := m.opt.Store.RemoveCheckpoints(ctx, j.ID); err != nil {
		return err
	}
	return checkpoint.Drop(ctx, m.opt.Objects, j.ID)
}
