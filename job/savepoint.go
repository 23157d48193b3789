package job

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
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
// that. When the savepoint cannot be made the job goes on.
func (m *Manager) StopWithSavepoint(ctx context.Context, j *catalog.Job, spec SavepointSpec, drain bool) (catalog.Savepoint, error) {
	if err := m.checkSavepoint(ctx, spec); err != nil {
		return catalog.Savepoint{}, err
	}
	unpin := m.pin(j.ID)
	defer unpin()
	n, err := m.order(ctx, j.Name, &stopOrder{end: Stopped, must: true, drain: drain})
	if err != nil {
		return catalog.Savepoint{}, err
	}
	sp, err := m.copySavepoint(context.WithoutCancel(ctx), j, n, spec)
	if err != nil { // nothing has happened then
		if e := m.Start(j); e != nil {
			m.opt.Log.Error("start a job again that was to stop with a savepoint", "job", j.Name, "err", e)
		}
	}
	return sp, err
}

// checkSavepoint refuses what could not be written before a job is disturbed.
func (m *Manager) checkSavepoint(ctx context.Context, spec SavepointSpec) error {
	switch spec.Format {
	case "", manifest.Native, manifest.Canonical:
	default:
		return pgerr.New(pgerr.InvalidParameterValue, "unknown savepoint format %q", spec.Format).Hint("The formats are CANONICAL and NATIVE.")
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
	if err != nil {
		return pgerr.New(pgerr.InvalidParameterValue, "cannot write a savepoint to %s: %s", spec.To, err.Error())
	}
	_, err = store.List(ctx, "savepoint-")
	return storeFault(err, "cannot write a savepoint to "+spec.To)
}

// copySavepoint makes a checkpoint into a savepoint that stands on its own, and
// registers it. When it fails it leaves nothing behind.
func (m *Manager) copySavepoint(ctx context.Context, j *catalog.Job, n int64, spec SavepointSpec) (sp catalog.Savepoint, err error) {
	meta, err := checkpoint.Load(ctx, m.opt.Objects, j.ID, n)
	if err != nil {
		return sp, missing(err, checkpointPlace(j.ID, n))
	}
	dropCommits(meta)
	if meta.Catalog, err = m.opt.Describe(j); err != nil {
		return sp, fmt.Errorf("describe what job %s refers to: %w", j.Name, err)
	}
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
	sp = catalog.Savepoint{ID: NewID(), Name: spec.Name, JobID: j.ID, JobName: j.Name, URL: joinURL(base, folder), Format: manifest.Native, Created: m.opt.Clock.Now()}
	if sp.Name == "" {
		sp.Name = folder
	}
	defer func() {
		if err != nil {
			m.discard(to, folder, sp.Name)
		}
	}()
	if spec.Format == manifest.Canonical {
		sp.Format = manifest.Canonical
		meta, err = m.writeCanonical(ctx, to, folder, meta)
	} else {
		meta, err = checkpoint.CopyToSavepoint(ctx, m.opt.Objects, to, folder, meta)
	}
	if err != nil {
		return sp, storeFault(err, "cannot write the savepoint "+sp.URL)
	}
	sp.Rows, sp.Bytes = meta.Size()
	if err := m.retain(SavepointHolder(sp.Name), meta); err != nil {
		return sp, err
	}
	return sp, m.opt.Store.AddSavepoint(ctx, sp)
}

// discard removes what a savepoint that failed has left, as far as it can. A
// savepoint of that name that is registered keeps what it holds.
func (m *Manager) discard(store object.Store, folder, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), discardMax)
	defer cancel()
	if err := checkpoint.DropSavepoint(ctx, store, folder); err != nil {
		m.opt.Log.Warn("remove what is left of a savepoint", "folder", folder, "err", err)
	}
	if _, err := m.opt.Store.FindSavepoint(ctx, name); err == nil {
		return
	}
	if err := m.opt.Release(SavepointHolder(name)); err != nil {
		m.opt.Log.Warn("release what a savepoint held", "savepoint", name, "err", err)
	}
}

// discardMax is how long the removal of a failed savepoint may take.
const discardMax = 30 * time.Second

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

// offsetsIn are the positions in own tables that a checkpoint's or savepoint's sources
// have.
func offsetsIn(meta *manifest.Metadata) ([][]byte, error) {
	g, err := graph.Decode(meta.Graph)
	if err != nil {
		return nil, err
	}
	start := newStartingPoint(nil)
	start.meta = meta
	if err := start.read(g); err != nil {
		return nil, err
	}
	var rep exec.Report
	for id, s := range start.sources {
		rep.Operators = append(rep.Operators, exec.OperatorSnapshot{ID: id, Source: s})
	}
	return ownOffsets(g, []exec.Report{rep}), nil
}

// DropSavepoint deletes a savepoint and its files.
func (m *Manager) DropSavepoint(ctx context.Context, name string) error {
	sp, err := m.opt.Store.FindSavepoint(ctx, name)
	if err != nil {
		return err
	}
	if err := m.unused(ctx, sp); err != nil {
		return err
	}
	if err := dropFolder(ctx, sp.URL); err != nil {
		return err
	}
	if err := m.opt.Release(SavepointHolder(sp.Name)); err != nil {
		return err
	}
	return m.opt.Store.RemoveSavepoint(ctx, name)
}

// unused refuses to drop a savepoint that a job would need to start again.
func (m *Manager) unused(ctx context.Context, sp catalog.Savepoint) error {
	for _, j := range m.opt.Store.Snapshot().Jobs() {
		if j.RestoreFrom != sp.URL || j.Wanted != "running" || j.State == "finished" {
			continue
		}
		_, own, err := m.opt.Store.NewestCheckpoint(ctx, j.ID)
		if err != nil {
			return err
		}
		if !own {
			return pgerr.New(pgerr.ObjectInUse, "savepoint %q is needed by job %q, which has not completed a checkpoint of its own yet", sp.Name, j.Name)
		}
	}
	return nil
}

// splitURL takes the last folder off an object store's URL.
func splitURL(url string) (parent, folder string) {
	path, query, has := strings.Cut(url, "?")
	path = strings.TrimSuffix(path, "/")
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		parent, folder = path[:i], path[i+1:]
	} else {
		folder = path
	}
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
	return len(meta.Files), faults, missing(err, url)
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

// Running reports whether a job has a runner that goes on.
func (m *Manager) Running(name string) bool {
	r := m.runner(name)
	return r != nil && !r.ended()
}
