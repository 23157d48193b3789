package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/upgrade"
	"github.com/millrace/millrace/statestore/checkpoint"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
)

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
	Claim   bool // what the job is restored from is its own from then on
	Options map[string]string
}

// restoring is a restore that was looked at.
type restoring struct {
	from  string
	store object.Store // what the names in meta are relative to
	meta  *manifest.Metadata
	spec  restoreMap
	plan  *upgrade.Plan
	start *startingPoint // of the plan's graph
}

// planRestore loads what a restore of j begins with, compares plans, and looks
// whether the sources can still be read from there.
func (m *Manager) planRestore(ctx context.Context, j *catalog.Job, s RestoreSpec) (*restoring, error) {
	what, err := m.compareWith(ctx, j, s)
	if err != nil {
		return nil, err
	}
	return what, m.checkPositions(ctx, j, what)
}

// compareWith loads what a restore of j begins with, and compares plans.
func (m *Manager) compareWith(ctx context.Context, j *catalog.Job, s RestoreSpec) (*restoring, error) {
	from, err := m.resolve(ctx, j, s.From)
	if err != nil {
		return nil, err
	}
	store, meta, err := m.open(ctx, from)
	if err != nil {
		return nil, err
	}
	g := s.Graph
	if g == nil {
		if g, err = graph.Decode(j.Graph); err != nil {
			return nil, err
		}
	}
	what := &restoring{from: from, store: store, meta: meta, spec: restoreMap{To: s.To, Discard: s.Discard, AllowNonRestored: s.Allow, Claim: s.Claim}}
	if what.plan, err = compare(meta, g, what.spec); err != nil {
		return nil, err
	}
	what.start = newStartingPoint(store)
	what.start.meta, what.start.plan = meta, what.plan
	if err := what.start.read(what.plan.Graph); err != nil {
		return nil, err
	}
	what.markEndedTime()
	return what, nil
}

// intact reads all files of what a job is to begin with, and refuses what is
// damaged: later nobody would be there to be told, and the job that was stopped for
// it would not come back by itself.
func (what *restoring) intact(ctx context.Context) error {
	faults, err := checkpoint.Verify(ctx, what.store, what.meta)
	if err == nil && len(faults) > 0 {
		err = faults[0]
	}
	return missing(err, what.from)
}

// checkPositions marks the sources that cannot be read on from where the state
// was taken.
func (m *Manager) checkPositions(ctx context.Context, j *catalog.Job, what *restoring) error {
	for i := range what.plan.Graph.Operators {
		op := &what.plan.Graph.Operators[i]
		state := what.start.sources[op.ID]
		if op.Kind != graph.SourceKind || state == nil {
			continue
		}
		src, err := m.opt.Sources(ctx, j, op, nil)
		if err != nil && j.ID == "" && pgerr.From(err).Code == pgerr.UndefinedTable {
			continue // made in the same transaction as the job
		}
		if err != nil {
			return &exec.OperatorError{Operator: op.ID, Err: err}
		}
		checker, ok := src.(connector.OffsetChecker)
		if !ok {
			continue
		}
		var splits []connector.Split
		var offsets [][]byte
		for _, sp := range state.Splits {
			if !sp.Ended {
				splits, offsets = append(splits, connector.Split{ID: sp.ID, Data: sp.Data}), append(offsets, sp.Offset)
			}
		}
		err = checker.CheckOffsets(ctx, splits, offsets)
		if gone := (*connector.GoneError)(nil); errors.As(err, &gone) {
			what.plan.Unreadable(op.ID, gone.Error())
		} else if err != nil {
			return &exec.OperatorError{Operator: op.ID, Err: err}
		}
	}
	return nil
}

// markEndedTime marks the operators that take over state in which event time has ended,
// though not all of its input has.
func (what *restoring) markEndedTime() {
	g := what.plan.Graph
	for i := range g.Operators {
		op := &g.Operators[i]
		if countsLate(op) && what.start.watermarks[op.ID] == exec.WatermarkMax && what.start.follows(g, i) {
			what.plan.TimeEnded(op.ID)
		}
	}
}

// EndedTime tells in which of a job's state event time has ended that goes on from its
// last checkpoint, by the verdicts of a restore.
func (m *Manager) EndedTime(ctx context.Context, j *catalog.Job) (*upgrade.Plan, error) {
	what, err := m.compareWith(ctx, j, RestoreSpec{From: RestorePoint{Kind: "latest"}})
	if err != nil {
		return nil, err
	}
	what.plan.Verdicts = slices.DeleteFunc(what.plan.Verdicts, func(v upgrade.Verdict) bool { return !v.TimeEnded })
	return what.plan, nil
}

// follows reports whether operator i of g has a source with event time that has not come
// to its end.
func (sp *startingPoint) follows(g *graph.Graph, i int) bool {
	op := &g.Operators[i]
	if state := sp.sources[op.ID]; op.Source != nil && op.TimeColumn >= 0 && state != nil {
		return slices.ContainsFunc(state.Splits, func(s exec.SplitState) bool { return !s.Ended })
	}
	return slices.ContainsFunc(op.Inputs, func(in graph.Input) bool { return sp.follows(g, in.Operator) })
}

// ExplainRestore tells what a restore would keep, without doing anything.
func (m *Manager) ExplainRestore(ctx context.Context, j *catalog.Job, s RestoreSpec) (*upgrade.Plan, error) {
	what, err := m.planRestore(ctx, j, s)
	if err != nil {
		return nil, err
	}
	return what.plan, nil
}

// Restored is what became of a job that was restored.
type Restored struct {
	Job  *catalog.Job
	Plan *upgrade.Plan
	// Again tells which of the job's output was committed after the point that its
	// state is from, and so is written again; "": none.
	Again string
	// TakenBack are the own tables that are as they were at that point, but for what
	// others did; Staying those that are not.
	TakenBack []string
	Staying   []Staying
}

// Restore stops a job and starts it, under a new id, from a savepoint or
// checkpoint. When it refuses, the job goes on as it was.
func (m *Manager) Restore(ctx context.Context, j *catalog.Job, s RestoreSpec) (Restored, error) {
	unpin := m.pin(j.ID)
	defer unpin()
	what, err := m.planRestore(ctx, j, s)
	if err != nil {
		return Restored{}, err
	}
	next, err := m.successor(j, what, s)
	if err != nil {
		return Restored{}, err
	}
	if err := what.intact(ctx); err != nil {
		return Restored{}, err
	}
	running := m.Running(j.Name)
	m.Abandon(j.Name, restored)
	ctx = context.WithoutCancel(ctx)
	if s.From.Kind == "latest" { // a checkpoint may have completed while the job was stopped
		if what, err = m.planRestore(ctx, j, s); err == nil {
			next, err = m.successor(j, what, s)
		}
		if err != nil {
			return Restored{}, m.goOn(j, running, err)
		}
	}
	next.Wanted = "running"
	if err := m.settle(ctx, j); err != nil {
		err = fmt.Errorf("commit what job %s had written: %w", j.Name, err)
		if newest, e := m.newest(ctx, j.ID); e != nil || newest == what.from {
			return Restored{}, m.goOn(j, running, err) // those rows would be lost
		}
		m.opt.Log.Warn("restore", "job", j.Name, "err", err) // they are written again
	}
	again, err := m.again(ctx, j, what.meta)
	if err != nil {
		return Restored{}, m.goOn(j, running, err)
	}
	taking, err := m.takeBack(j, what.meta, what.plan.Graph)
	if err != nil {
		return Restored{}, m.goOn(j, running, err)
	}
	defer taking.close()
	made, err := m.replace(ctx, j, next, what.plan, taking)
	if err != nil {
		return Restored{}, m.goOn(j, running, err)
	}
	done := Restored{Job: made, Plan: what.plan, Again: again, TakenBack: taking.taken(what.plan.Graph)}
	if again != "" {
		done.Staying = taking.staying
	}
	return done, m.Start(made)
}

// again tells which output of a stopped job comes after a point. What sinks make
// visible goes by checkpoints, so only what a later one covers is there already.
func (m *Manager) again(ctx context.Context, j *catalog.Job, point *manifest.Metadata) (string, error) {
	for _, id := range append([]string{j.ID}, j.Lineage...) {
		numbers, err := checkpoint.List(ctx, m.opt.Objects, id)
		switch {
		case err != nil:
			return "", err
		case len(numbers) == 0: // it has made nothing visible
			continue
		}
		newest := numbers[len(numbers)-1]
		switch {
		case id == point.JobID && newest == point.Checkpoint:
			return "", nil
		case newest == point.Checkpoint+1:
			return fmt.Sprintf("up to checkpoint %d", newest), nil
		case newest > point.Checkpoint:
			return fmt.Sprintf("in checkpoints %d to %d", point.Checkpoint+1, newest), nil
		}
		return fmt.Sprintf("up to checkpoint %d of job %s", newest, id), nil
	}
	if j.RestoreFrom == "" {
		return "", nil
	}
	return "as far as it came", nil // those checkpoints are gone
}

// goOn starts a job again that was stopped for nothing, and returns err.
func (m *Manager) goOn(j *catalog.Job, running bool, err error) error {
	if running {
		if e := m.Start(j); e != nil {
			return errors.Join(err, e)
		}
	}
	return err
}

// successor is the job that takes j's place after a restore.
func (m *Manager) successor(j *catalog.Job, what *restoring, s RestoreSpec) (catalog.Job, error) {
	next := *j
	if err := what.plan.Err(); err != nil {
		return next, err
	}
	next.ID = NewID()
	next.Lineage = append([]string{j.ID}, j.Lineage...)
	next.RestoreFrom, next.FirstCheckpoint = what.from, what.meta.Checkpoint+1
	next.State, next.Failure = "created", ""
	var err error
	if next.RestoreMap, err = what.spec.encode(); err != nil {
		return next, err
	}
	if next.Graph, err = graph.Encode(what.plan.Graph); err != nil {
		return next, err
	}
	if s.Graph != nil {
		next.SQL, next.Depends = s.SQL, s.Depends
	}
	next.Options = mergeOptions(j.Options, s.Options)
	_, err = m.options(&next)
	return next, err
}

// replace records that next has taken j's place, and in one step with that takes
// back what is to be.
func (m *Manager) replace(ctx context.Context, j *catalog.Job, next catalog.Job, plan *upgrade.Plan, taking *takingBack) (*catalog.Job, error) {
	var made *catalog.Job
	var err error
	for again, tries := true, 0; again; again = tries < conflictsMax && taking.again(err) {
		tries++
		tx := m.opt.Store.Begin()
		if made, err = tx.ReplaceJob(j.ID, next); err == nil {
			err = taking.commitWith(ctx, tx, next.ID)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("record the restored job: %w", err)
	}
	m.restored(ctx, made, plan)
	return made, nil
}

// restored adds to a job's history where its state is from, and what of it was
// given up.
func (m *Manager) restored(ctx context.Context, j *catalog.Job, plan *upgrade.Plan) {
	add := func(kind, message string) {
		if err := m.opt.Store.AddEvent(ctx, catalog.Event{JobID: j.ID, At: m.opt.Clock.Now(), Kind: kind, Message: message}); err != nil {
			m.opt.Log.Warn("record job event", "job", j.Name, "err", err)
		}
	}
	add("restored", "from "+j.RestoreFrom)
	for i := range plan.Verdicts {
		if gone := plan.Verdicts[i].GivenUp(); gone != "" {
			add("state_dropped", gone)
		}
	}
}

// Reconfigure changes a job's options, durably and, if it runs, at once: with a
// restart from a last checkpoint where its tasks have to be made anew. When that
// checkpoint fails the job goes on with its old options.
func (m *Manager) Reconfigure(ctx context.Context, j *catalog.Job, options map[string]string) error {
	next := *j
	next.Options = options
	before, err := m.options(j)
	if err != nil {
		return err
	}
	after, err := m.options(&next)
	if err != nil {
		return err
	}
	restart := m.Running(j.Name) && !atOnce(before, after)
	if restart {
		_, err := m.Stop(ctx, j.Name, altered, false)
		if err != nil && !errors.Is(err, ErrNotRunning) {
			// Perhaps it failed meanwhile, and the options are what it needs: then
			// it is between two attempts now, or has ended.
			_, err = m.Stop(ctx, j.Name, altered, false)
		}
		if err != nil && !errors.Is(err, ErrNotRunning) {
			return err
		}
		if e := (*pgerr.Error)(nil); errors.As(err, &e) { // it was stopped or paused meanwhile, or dropped
			restart = false
		}
		ctx = context.WithoutCancel(ctx)
	}
	tx := m.opt.Store.Begin()
	if err = tx.UpdateJob(j.ID, func(j *catalog.Job) { j.Options = options }); err == nil {
		err = tx.Commit(ctx)
	}
	if err != nil {
		return m.goOn(j, restart, err)
	}
	now := m.opt.Store.Snapshot().JobByID(j.ID)
	switch {
	case now == nil:
		return nil // dropped meanwhile
	case restart:
		return m.Start(now)
	}
	return m.Retune(now)
}

// atOnce reports whether a running job can go from one set of options to another
// without its tasks being made anew.
func atOnce(a, b Options) bool {
	for _, o := range []*Options{&a, &b} {
		o.CheckpointInterval, o.CheckpointTimeout, o.CheckpointMinPause, o.TolerableFailed = 0, 0, 0, 0
		o.RetainedCheckpoints, o.CheckpointRetention, o.Restart = 0, "", RestartPolicy{}
	}
	return a == b
}

// Altered is what became of a job that got a new query.
type Altered struct {
	Job        *catalog.Job
	Plan       *upgrade.Plan // nil when the job had no state yet
	Checkpoint int64         // that its state is from, 0 for none
}

// Alter puts a job on a new query: a running one after a last checkpoint, whose
// state the new query takes over. When it refuses, the job goes on as it was. One
// that was stopped stays so.
func (m *Manager) Alter(ctx context.Context, j *catalog.Job, s RestoreSpec) (Altered, error) {
	s.From = RestorePoint{Kind: "latest"}
	unpin := m.pin(j.ID)
	defer unpin()
	running := m.Running(j.Name)
	if running {
		// Looked at before the job is disturbed.
		n, err := m.Checkpoint(ctx, j.Name)
		if err != nil {
			return Altered{}, err
		}
		s.From = RestorePoint{Kind: "checkpoint", N: n}
		what, err := m.planRestore(ctx, j, s)
		if err != nil {
			return Altered{}, err
		}
		if err := what.plan.Err(); err != nil {
			return Altered{}, err
		}
		if s.From.N, err = m.order(ctx, j.Name, &stopOrder{end: altered, must: true}); err != nil {
			return Altered{}, err
		}
	}
	ctx = context.WithoutCancel(ctx)
	made, plan, err := m.alter(ctx, j, s)
	if err != nil {
		return Altered{}, m.goOn(j, running, err)
	}
	if made.Wanted == "running" && made.State != "finished" {
		err = m.Start(made)
	}
	return Altered{Job: made, Plan: plan, Checkpoint: made.FirstCheckpoint - 1}, err
}

// alter replaces a job that does not run by one with another query.
func (m *Manager) alter(ctx context.Context, j *catalog.Job, s RestoreSpec) (*catalog.Job, *upgrade.Plan, error) {
	if s.From.Kind == "latest" && j.RestoreFrom == "" {
		at, err := m.newest(ctx, j.ID)
		if err != nil {
			return nil, nil, err
		}
		if at == "" {
			made, err := m.alterAnew(ctx, j, s)
			return made, nil, err
		}
	}
	what, err := m.planRestore(ctx, j, s)
	if err != nil {
		return nil, nil, err
	}
	next, err := m.successor(j, what, s)
	if err != nil {
		return nil, nil, err
	}
	if j.Wanted != "running" || j.State == "finished" {
		next.State = j.State
	}
	if err := m.settle(ctx, j); err != nil {
		return nil, nil, fmt.Errorf("commit what job %s had written: %w", j.Name, err)
	}
	made, err := m.replace(ctx, j, next, what.plan, &takingBack{})
	return made, what.plan, err
}

// alterAnew changes the query of a job that has no state yet.
func (m *Manager) alterAnew(ctx context.Context, j *catalog.Job, s RestoreSpec) (*catalog.Job, error) {
	encoded, err := graph.Encode(s.Graph)
	if err != nil {
		return nil, err
	}
	tx := m.opt.Store.Begin()
	if err := tx.UpdateJob(j.ID, func(j *catalog.Job) { j.SQL, j.Graph, j.Depends = s.SQL, encoded, s.Depends }); err != nil {
		return nil, err
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, err
	}
	return m.opt.Store.Snapshot().FindJob(j.Name)
}

// Saved is what a savepoint or checkpoint says of its job.
type Saved struct {
	SQL, JobID, JobName string
	Checkpoint          int64
	Options             map[string]string
	Graph               *graph.Graph
	Catalog             json.RawMessage
}

// Saved reads what a fork can start from.
func (m *Manager) Saved(ctx context.Context, p RestorePoint) (Saved, error) {
	from, err := m.resolve(ctx, &catalog.Job{}, p)
	if err != nil {
		return Saved{}, err
	}
	_, meta, err := m.open(ctx, from)
	if err != nil {
		return Saved{}, err
	}
	g, err := graph.Decode(meta.Graph)
	if err != nil {
		return Saved{}, fmt.Errorf("decode the plan that wrote the state: %w", err)
	}
	return Saved{SQL: meta.SQL, JobID: meta.JobID, JobName: meta.JobName, Checkpoint: meta.Checkpoint, Options: meta.Options, Graph: g, Catalog: meta.Catalog}, nil
}

// Fork makes a new job, which is to be stored and started, of a savepoint or
// checkpoint: it has a job id of its own, and so have its sinks' transactions.
// s.Graph must be set.
func (m *Manager) Fork(ctx context.Context, name string, s RestoreSpec) (catalog.Job, *upgrade.Plan, error) {
	j := &catalog.Job{Name: name}
	what, err := m.planRestore(ctx, j, s)
	if err != nil {
		return *j, nil, err
	}
	next, err := m.successor(j, what, s)
	if err != nil {
		return next, nil, err
	}
	unpin := m.pin(what.meta.JobID) // it may be a checkpoint of a job that runs
	defer unpin()
	next.Lineage = []string{what.meta.JobID}
	next.Wanted = "running"
	return next, what.plan, what.intact(ctx)
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
