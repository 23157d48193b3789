package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/upgrade"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/statestore/checkpoint"
	"github.com/millrace/millrace/statestore/gc"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
)

// The blobs of a task in a checkpoint.
const (
	sourceBlob    = "source"    // JSON of exec.SourceState
	commitBlob    = "commit"    // JSON of a list of committables
	asideBlob     = "aside"     // JSON of a list of what rows put aside need to be kept
	watermarkBlob = "watermark" // decimal
	markBlob      = "mark"      // JSON of a tableMark
)

// startingPoint is what an attempt begins with: a checkpoint or savepoint, or
// nothing.
type startingPoint struct {
	meta        *manifest.Metadata // nil: nothing
	store       object.Store       // what the names in meta are relative to
	continues   bool               // meta is the job's own: its segments stay in use
	fellBack    bool               // newer ones cannot be used
	plan        *upgrade.Plan      // who takes over what; nil when continues
	sources     map[string]*exec.SourceState
	watermarks  map[string]exec.Watermark
	committed   map[string][][]byte // by sink operator: to be committed again
	aside       [][]byte            // bad rows to be kept again
	incarnation string
	epoch       uint64
	next        int64 // number of the next checkpoint
}

// errNoneIntact is final: to begin anew would write to the job's sinks what is
// there already, and that is for a user to decide.
var errNoneIntact = errors.New("no checkpoint of the job is intact")

func newStartingPoint(store object.Store) *startingPoint {
	return &startingPoint{store: store, sources: map[string]*exec.SourceState{}, watermarks: map[string]exec.Watermark{}, committed: map[string][][]byte{}}
}

// startingPoint finds the newest intact checkpoint of the runner's job, else what
// the job was told to restore from.
func (r *runner) startingPoint(ctx context.Context) (*startingPoint, error) {
	if err := r.m.closeUnfinished(ctx, r.job.ID); err != nil {
		return nil, err
	}
	sp := newStartingPoint(r.m.opt.Objects)
	sp.incarnation = NewID()[:12]
	meta, skipped, err := checkpoint.Newest(ctx, r.m.opt.Objects, r.job.ID, func(m *manifest.Metadata) error {
		if r.damaged[m.Checkpoint] != nil {
			return fmt.Errorf("restore checkpoint %d: %w", m.Checkpoint, r.damaged[m.Checkpoint])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	recorded, err := r.m.opt.Store.Checkpoints(ctx, r.job.ID)
	if err != nil {
		return nil, err
	}
	there, err := checkpoint.List(ctx, r.m.opt.Objects, r.job.ID)
	if err != nil {
		return nil, err
	}
	skipped = append(lost(recorded, meta, there), skipped...)
	for _, e := range skipped {
		if why := "a checkpoint cannot be used: " + e.Error(); !r.told[why] {
			r.told[why] = true // once a run, however often it starts again
			r.event(ctx, "fallback", why)
		}
	}
	if meta == nil && len(skipped) > 0 && r.job.RestoreFrom == "" && r.view == nil {
		return nil, fmt.Errorf("%w: %w", errNoneIntact, errors.Join(skipped...))
	}
	sp.next = nextNumber(r.job, recorded, there)
	sp.meta, sp.continues, sp.fellBack = meta, true, len(skipped) > 0
	if meta == nil && r.job.RestoreFrom != "" {
		if len(skipped) > 0 {
			r.event(ctx, "fallback", "restoring from "+r.job.RestoreFrom+" again")
		}
		if err := r.restoreFrom(ctx, sp); err != nil {
			return nil, err
		}
	}
	if r.view != nil { // epochs do not go back for those who follow
		sp.epoch = r.view.lastEpoch()
	}
	if sp.meta == nil {
		return sp, nil
	}
	sp.epoch = max(sp.epoch, sp.meta.Epoch)
	return sp, sp.read(r.g)
}

// lost are the faults of checkpoints that were complete and whose objects are not
// where they were: newer than the one that was found, and not among those that were
// found damaged.
func lost(recorded []catalog.Checkpoint, found *manifest.Metadata, there []int64) (faults []error) {
	for _, c := range recorded {
		if c.State != "complete" || found != nil && c.N <= found.Checkpoint || slices.Contains(there, c.N) {
			continue
		}
		faults = append(faults, fmt.Errorf("checkpoint %d is no longer at %s", c.N, c.URL))
	}
	return faults
}

// nextNumber is the number of a job's next checkpoint. None is given twice: those
// that failed, are damaged or are gone keep theirs.
func nextNumber(j *catalog.Job, recorded []catalog.Checkpoint, there []int64) int64 {
	next := max(j.FirstCheckpoint, 1)
	for _, c := range recorded {
		next = max(next, c.N+1)
	}
	for _, n := range there {
		next = max(next, n+1)
	}
	return next
}

// restoreFrom loads what the job was told to start from.
func (r *runner) restoreFrom(ctx context.Context, sp *startingPoint) error {
	store, meta, err := r.m.open(ctx, r.job.RestoreFrom)
	if err != nil {
		return err
	}
	var spec restoreMap
	if r.job.RestoreMap != "" {
		if err := json.Unmarshal([]byte(r.job.RestoreMap), &spec); err != nil {
			return fmt.Errorf("decode the MAP of job %s: %w", r.job.Name, err)
		}
	}
	plan, err := compare(meta, r.g, spec)
	if err != nil {
		return err
	}
	sp.store, sp.meta, sp.plan, sp.continues = store, meta, plan, false
	return nil
}

// restoreMap is what a RESTORE says about state without a place, as stored.
type restoreMap struct {
	To               map[string]string `json:"to,omitempty"`
	Discard          []string          `json:"discard,omitempty"`
	AllowNonRestored bool              `json:"allow_non_restored,omitempty"`
	Claim            bool              `json:"claim,omitempty"`
}

func (m restoreMap) encode() (string, error) {
	data, err := json.Marshal(m)
	return string(data), err
}

// compare decides what becomes of a checkpoint's state under graph g.
func compare(meta *manifest.Metadata, g *graph.Graph, spec restoreMap) (*upgrade.Plan, error) {
	old, err := graph.Decode(meta.Graph)
	if err != nil {
		return nil, fmt.Errorf("decode the plan that wrote the state: %w", err)
	}
	stats, tables := map[string]upgrade.Size{}, map[upgrade.TableID]upgrade.Size{}
	meta.Each(func(op *manifest.Operator, _ int, t *manifest.Table) {
		id := upgrade.TableID{Operator: op.ID, Table: t.Name}
		stats[op.ID], tables[id] = stats[op.ID].Plus(t.Rows, t.EncodedBytes()), tables[id].Plus(t.Rows, t.EncodedBytes())
	})
	return upgrade.Compare(old, g, upgrade.Options{Stats: stats, Tables: tables, Mapping: upgrade.Mapping{To: spec.To, Discard: spec.Discard},
		AllowNonRestored: spec.AllowNonRestored})
}

// open loads a checkpoint or savepoint, and the store that its names are relative
// to.
func (m *Manager) open(ctx context.Context, from string) (object.Store, *manifest.Metadata, error) {
	if id, n, ok := ownCheckpoint(from); ok {
		meta, err := checkpoint.Load(ctx, m.opt.Objects, id, n)
		return m.opt.Objects, meta, missing(err, from)
	}
	if root, id, n, ok := checkpointURL(from); ok {
		store, err := object.Open(ctx, root)
		if err != nil {
			return nil, nil, pgerr.New(pgerr.InvalidParameterValue, "%s", err.Error())
		}
		meta, err := checkpoint.Load(ctx, store, id, n)
		return store, meta, missing(err, from)
	}
	store, err := object.Open(ctx, from)
	if err != nil {
		return nil, nil, pgerr.New(pgerr.InvalidParameterValue, "%s", err.Error())
	}
	meta, err := checkpoint.LoadFrom(ctx, store, gc.MetadataName)
	if err != nil {
		return nil, nil, missing(err, from)
	}
	if meta.Kind == manifest.Checkpoint {
		return nil, nil, pgerr.New(pgerr.FeatureNotSupported, "%s is a checkpoint, which refers to files outside of its folder", from).
			Hint("Name a checkpoint by its place below the checkpoint folder, …/<job id>/chk-<n>, and take a SAVEPOINT to move state.")
	}
	return store, meta, nil
}

// ownCheckpoint takes the name of a checkpoint of this server's object store
// apart: <job id>/chk-<n>.
func ownCheckpoint(from string) (id string, n int64, ok bool) {
	id, number, ok := strings.Cut(from, "/chk-")
	if !ok || strings.Contains(id, "/") {
		return "", 0, false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return id, n, err == nil && n > 0
}

// checkpointURL takes the URL of a checkpoint apart: <root>/<job id>/chk-<n>.
func checkpointURL(url string) (root, id string, n int64, ok bool) {
	parent, folder := splitURL(url)
	root, id = splitURL(parent)
	_, n, ok = ownCheckpoint(id + "/" + folder)
	path, _, _ := strings.Cut(root, "?")
	return root, id, n, ok && strings.Contains(path, ":") && !strings.HasSuffix(path, "/")
}

// plainURL is the URL of a checkpoint's or savepoint's folder when that of its
// _metadata may have been given.
func plainURL(url string) string {
	path, query, has := strings.Cut(url, "?")
	path = strings.TrimSuffix(strings.TrimSuffix(path, "/"+gc.MetadataName), "/")
	if has {
		path += "?" + query
	}
	return path
}

// dropFolder deletes the savepoint at a URL.
func dropFolder(ctx context.Context, url string) error {
	parent, folder := splitURL(url)
	store, err := object.Open(ctx, parent)
	if err != nil {
		return err
	}
	return checkpoint.DropSavepoint(ctx, store, folder)
}

// missing words the error for a checkpoint or savepoint that is not there, or
// cannot be read.
func missing(err error, from string) error {
	switch {
	case errors.Is(err, object.ErrNotFound):
		return pgerr.New(pgerr.UndefinedFile, "there is no checkpoint or savepoint at %s", from).Wrap(err)
	case checkpoint.IsDamage(err):
		return pgerr.New(pgerr.DataCorrupted, "%s is damaged: %s", from, err.Error()).Wrap(err)
	}
	return storeFault(err, "cannot read "+from)
}

// storeFault words the error of an object store that a statement names: it is no
// bug when that store cannot be reached.
func storeFault(err error, what string) error {
	var told *pgerr.Error
	if err == nil || errors.As(err, &told) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return pgerr.New(pgerr.IOError, "%s: %s", what, err.Error()).Wrap(err)
}

// read takes positions, watermarks and commits out of the metadata for the
// operators of g.
func (sp *startingPoint) read(g *graph.Graph) error {
	for i := range g.Operators {
		id := g.Operators[i].ID
		old := sp.old(id)
		if old == nil {
			continue
		}
		for _, task := range old.Tasks {
			if err := sp.readTask(id, task); err != nil {
				return fmt.Errorf("restore %s: %w", id, err)
			}
		}
	}
	return nil
}

// old is the operator of the metadata whose state an operator takes over.
func (sp *startingPoint) old(id string) *manifest.Operator {
	if sp.meta == nil {
		return nil
	}
	if sp.plan != nil {
		from, ok := sp.plan.Operators[id]
		if !ok {
			return nil
		}
		id = from
	}
	return sp.meta.Find(id)
}

func (sp *startingPoint) readTask(id string, task manifest.Task) error {
	if b := task.Blobs[sourceBlob]; b != nil {
		var s exec.SourceState
		if err := json.Unmarshal(b, &s); err != nil {
			return fmt.Errorf("decode positions: %w", err)
		}
		if sp.sources[id] == nil {
			sp.sources[id] = &exec.SourceState{}
		}
		sp.sources[id].Splits = append(sp.sources[id].Splits, s.Splits...)
	}
	mark := exec.WatermarkMin // a task that had reached none wrote none
	if b := task.Blobs[watermarkBlob]; b != nil {
		var err error
		if mark, err = strconv.ParseInt(string(b), 10, 64); err != nil {
			return fmt.Errorf("decode watermark: %w", err)
		}
	}
	if have, ok := sp.watermarks[id]; !ok || mark < have {
		sp.watermarks[id] = mark
	}
	if b := task.Blobs[commitBlob]; b != nil && sp.continues {
		var list [][]byte
		if err := json.Unmarshal(b, &list); err != nil {
			return fmt.Errorf("decode commits: %w", err)
		}
		sp.committed[id] = append(sp.committed[id], list...)
	}
	if b := task.Blobs[asideBlob]; b != nil && sp.continues {
		var list [][]byte
		if err := json.Unmarshal(b, &list); err != nil {
			return fmt.Errorf("decode bad rows: %w", err)
		}
		sp.aside = append(sp.aside, list...)
	}
	return nil
}

// resolve finds the place that a RESTORE names. The result is what
// catalog.Job.RestoreFrom holds.
func (m *Manager) resolve(ctx context.Context, j *catalog.Job, p RestorePoint) (string, error) {
	switch {
	case p.URL != "":
		url := plainURL(p.URL)
		if root, id, n, ok := checkpointURL(url); ok && root == strings.TrimSuffix(m.opt.Objects.URL(), "/") {
			return checkpointPlace(id, n), nil
		} else if !ok && p.Kind == "checkpoint" {
			return "", pgerr.New(pgerr.InvalidParameterValue, "%q is not the place of a checkpoint", p.URL).Hint("Checkpoints are at …/<job id>/chk-<n>; SHOW CHECKPOINTS lists them.")
		}
		return url, nil
	case p.Kind == "savepoint":
		s, err := m.opt.Store.FindSavepoint(ctx, p.Name)
		return s.URL, err
	case j.ID == "":
		return "", pgerr.New(pgerr.InvalidParameterValue, "a job that is made cannot have a checkpoint yet").
			Hint("Write FROM SAVEPOINT, or name another job's checkpoint by its URL.")
	case p.Kind == "latest":
		at, err := m.newest(ctx, j.ID)
		if at == "" {
			at = j.RestoreFrom
		}
		if err == nil && at == "" {
			return "", pgerr.New(pgerr.UndefinedObject, "job %q has no complete checkpoint", j.Name)
		}
		return at, err
	}
	for _, id := range append([]string{j.ID}, j.Lineage...) {
		numbers, err := checkpoint.List(ctx, m.opt.Objects, id)
		if err != nil {
			return "", err
		}
		if slices.Contains(numbers, p.N) {
			return checkpointPlace(id, p.N), nil
		}
	}
	return "", pgerr.New(pgerr.UndefinedObject, "job %q has no checkpoint %d", j.Name, p.N).
		Hint("SHOW CHECKPOINTS FOR JOB %s lists them.", ast.QuoteName(j.Name))
}
