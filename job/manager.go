// Package job keeps continuous queries running: their lifecycle, checkpoints,
// recovery, savepoints and restores. It knows graphs and state, no SQL text and
// no session.
package job

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/deadletter"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/background"
	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/object"
)

// ConnectSource and ConnectSink open what a source or sink operator names. Rows
// that a source cannot decode go to undecodable.
type (
	ConnectSource func(ctx context.Context, j *catalog.Job, op *graph.Operator, undecodable func(connector.BadRow) error) (connector.Source, error)
	ConnectSink   func(ctx context.Context, j *catalog.Job, op *graph.Operator) (connector.Sink, error)
)

// ManagerOptions are what a manager works with.
type ManagerOptions struct {
	Store   *catalog.Store
	Objects object.Store
	Sources ConnectSource
	Sinks   ConnectSink
	// Letters keeps the rows that jobs cannot use; nil: they are counted only.
	Letters *deadletter.Store
	// Tables are the own tables that jobs write to; nil: nothing is taken back.
	Tables *table.Store
	// Retain keeps the changes of own tables from these offsets on for a holder;
	// Release ends that.
	Retain  func(holder string, offsets [][]byte) error
	Release func(holder string) error
	// Describe is what the names in a job's statement mean, for a savepoint's
	// metadata, without secrets.
	Describe func(j *catalog.Job) (json.RawMessage, error)
	Slabs    *state.Slabs
	Memory   *memory.Pool      // nil: nobody counts
	Slots    *background.Slots // where jobs compute; nil: wherever they can
	Version  string            // of the engine, for metadata
	// Parallelism and BatchRows are what jobs use that do not say; 0 for the
	// number of cores and the engine's choice.
	Parallelism int
	BatchRows   int
	Log         *slog.Logger
	Clock       clock.Clock
}

// EnsureDefaults fills in what was left out.
func (o *ManagerOptions) EnsureDefaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Slabs == nil {
		o.Slabs = state.NewSlabs(state.SlabOptions{})
	}
	if o.Retain == nil {
		o.Retain = func(string, [][]byte) error { return nil }
	}
	if o.Release == nil {
		o.Release = func(string) error { return nil }
	}
	if o.Describe == nil {
		o.Describe = func(*catalog.Job) (json.RawMessage, error) { return nil, nil }
	}
}

// Manager owns the runners of all jobs of a server.
type Manager struct {
	opt    ManagerOptions
	slabs  *state.Slabs
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	runners map[string]*runner // by job name
	views   map[string]*View   // by relation id
	pins    map[string]int     // jobs whose checkpoints must stay, by id
}

// NewManager makes a manager without jobs.
func NewManager(opt ManagerOptions) *Manager {
	opt.EnsureDefaults()
	m := &Manager{opt: opt, slabs: opt.Slabs, runners: map[string]*runner{}, views: map[string]*View{}}
	m.ctx, m.cancel = context.WithCancelCause(context.Background())
	return m
}

// Resume starts every job that is wanted to run, from its newest checkpoint.
func (m *Manager) Resume() {
	for _, j := range m.opt.Store.Snapshot().Jobs() {
		if j.ViewID != "" {
			m.view(j.ViewID)
		}
		if j.Wanted != "running" || j.State == "finished" && j.ViewID == "" {
			if j.ViewID != "" {
				m.wg.Go(func() { m.show(m.ctx, j) })
			}
			continue
		}
		if j.State == "running" { // it was, when the server ended
			if err := m.opt.Store.SetJobState(m.ctx, j.ID, "restoring", ""); err != nil {
				m.opt.Log.Error("record job state", "job", j.Name, "state", "restoring", "err", err)
			}
			c := *j
			c.State, j = "restoring", &c
		}
		if err := m.Start(j); err != nil {
			m.opt.Log.Error("resume job", "job", j.Name, "err", err)
		}
	}
}

// NewID makes a job id: 32 hex digits.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, by its contract
	return hex.EncodeToString(b[:])
}

// options are a job's options with the server's defaults below them.
func (m *Manager) options(j *catalog.Job) (Options, error) {
	o, err := ParseOptions(j.Options)
	if err != nil {
		return o, err
	}
	if _, ok := j.Options["parallelism"]; !ok && m.opt.Parallelism > 0 {
		o.Parallelism = m.opt.Parallelism
	}
	if _, ok := j.Options["batch_rows"]; !ok && m.opt.BatchRows > 0 {
		o.BatchRows = m.opt.BatchRows
	}
	return o, nil
}

// Start sets a stored job going.
func (m *Manager) Start(j *catalog.Job) error {
	opt, err := m.options(j)
	if err != nil {
		return err
	}
	g, err := graph.Decode(j.Graph)
	if err != nil {
		return fmt.Errorf("decode the plan of job %s: %w", j.Name, err)
	}
	r := &runner{m: m, job: j, g: g, opt: opt, parallelism: opt.Parallelism, requests: make(chan *request), stop: make(chan *stopOrder), tune: make(chan Options, 1), damaged: map[int64]error{}, told: map[string]bool{}, done: make(chan struct{})}
	r.live.setJob(j)
	if j.ViewID != "" {
		r.view = m.view(j.ViewID)
		for i := range g.Operators {
			if spec := g.Operators[i].Materialize; spec != nil {
				r.view.setSpec(spec)
			}
		}
		r.view.expect()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.runners[j.Name]; old != nil && !old.ended() {
		return pgerr.New(pgerr.ObjectInUse, "job %q is already running", j.Name)
	}
	if m.gone(j.ID) { // whoever drops it from now on finds the runner
		return pgerr.New(pgerr.UndefinedObject, "job %q was dropped meanwhile", j.Name)
	}
	m.runners[j.Name] = r
	ctx, cancel := context.WithCancelCause(m.ctx)
	r.cancel = cancel
	m.wg.Add(1)
	go func() {
		defer m.wg.Done()
		defer cancel(nil)
		background.Thread()
		r.main(ctx)
	}()
	return nil
}

// gone reports whether a job is no longer in the catalog: it is about to be
// stopped, and nothing that is seen of it matters.
func (m *Manager) gone(id string) bool { return m.opt.Store.Snapshot().JobByID(id) == nil }

// ended reports whether the runner has returned.
func (r *runner) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

func (m *Manager) view(relation string) *View {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.views[relation]
	if v == nil {
		v = newView()
		m.views[relation] = v
	}
	return v
}

// View returns what readers of a materialized view see.
func (m *Manager) View(relation string) (*View, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := m.views[relation]; v != nil {
		return v, nil
	}
	return nil, pgerr.New(pgerr.ObjectNotInPrerequisiteState, "the materialized view has no job that keeps it")
}

// DropView forgets a view's rows.
func (m *Manager) DropView(r *catalog.Relation) {
	m.mu.Lock()
	v := m.views[r.ID]
	delete(m.views, r.ID)
	m.mu.Unlock()
	if v != nil {
		v.close(pgerr.New(pgerr.UndefinedTable, "materialized view %q was dropped meanwhile", r.Name))
	}
}

func (m *Manager) runner(name string) *runner {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runners[name]
}

// ask sends a request to a job's runner and waits for the answer.
func (m *Manager) ask(ctx context.Context, name string, q *request) (requestResult, error) {
	r := m.runner(name)
	if r == nil || r.ended() {
		return requestResult{}, ErrNotRunning
	}
	done := make(chan requestResult, 1)
	q.done = done
	select {
	case r.requests <- q:
	case <-r.done:
		return requestResult{}, r.whyEnded()
	case <-ctx.Done():
		return requestResult{}, context.Cause(ctx)
	}
	select {
	case res := <-done:
		return res, res.err
	case <-r.done:
		select {
		case res := <-done:
			return res, res.err
		default:
			return requestResult{}, r.whyEnded()
		}
	case <-ctx.Done():
		return requestResult{}, context.Cause(ctx)
	}
}

// Checkpoint takes a checkpoint now and returns its number.
func (m *Manager) Checkpoint(ctx context.Context, name string) (int64, error) {
	res, err := m.ask(ctx, name, &request{checkpoint: true})
	return res.checkpoint, err
}

// CatchUp waits until a job has read what its own tables hold now, and readers
// see it; a job that writes to own tables has committed by then as well.
func (m *Manager) CatchUp(ctx context.Context, name string) error {
	r := m.runner(name)
	if r == nil || r.ended() {
		return nil
	}
	writes := false
	for i := range r.g.Operators {
		if s := r.g.Operators[i].Sink; s != nil && s.Connector == "" {
			writes = true
		}
	}
	_, err := m.ask(ctx, name, &request{catchUp: true, checkpoint: writes})
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	return err
}

// startPatience is how long a STOP waits for a job that is being restored, to end it
// after a checkpoint as any other. Past it the job ends as it is: it has read nothing
// yet that a checkpoint could keep.
const startPatience = 3 * time.Second

// stopPatience is how long a STOP waits for the barrier of a last checkpoint while an
// operator makes rows of one batch.
const stopPatience = 2 * time.Second

// Abandon ends a job's run as it is, whatever it waits for.
func (m *Manager) Abandon(name string, end End) {
	if r := m.runner(name); r != nil {
		r.cancel(end.of(name))
		<-r.done
	}
}

// Stop ends a job's run after a last checkpoint, whose number it returns, and after its
// sources were ended if drain is set. A job that is between two attempts, whose restore
// takes too long or of which one batch does has no last checkpoint, and 0 is returned.
func (m *Manager) Stop(ctx context.Context, name string, end End, drain bool) (int64, error) {
	return m.order(ctx, name, &stopOrder{end: end, drain: drain})
}

// order gives a stop order and waits until it was carried out. When ctx is done
// first it is withdrawn.
func (m *Manager) order(ctx context.Context, name string, o *stopOrder) (int64, error) {
	r := m.runner(name)
	if r == nil || r.ended() {
		return 0, ErrNotRunning
	}
	done := make(chan requestResult, 1)
	o.checkpoint = done
	for taken := false; !taken; {
		select {
		case r.stop <- o:
			taken = true
		case <-r.done:
			return 0, r.whyEnded()
		case <-m.opt.Clock.After(startPatience):
			if !o.must && !o.drain && r.live.current().State == "restoring" {
				m.Abandon(name, o.end)
				return 0, nil
			}
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	select {
	case res := <-done:
		if res.err != nil {
			return 0, res.err
		}
		<-r.done
		if r.by != o && r.by != nil { // it came later, and the job does what it says
			return 0, r.whyEnded()
		}
		return res.checkpoint, nil
	case <-r.done:
	case <-ctx.Done():
		if o.settled.CompareAndSwap(false, true) {
			return 0, context.Cause(ctx)
		}
		<-r.done
	}
	select {
	case res := <-done:
		return res.checkpoint, res.err
	default:
		return 0, r.whyEnded()
	}
}

// Retune gives a running job options that take effect at once.
func (m *Manager) Retune(j *catalog.Job) error {
	r := m.runner(j.Name)
	if r == nil || r.ended() {
		return nil
	}
	o, err := m.options(j)
	if err != nil {
		return err
	}
	r.live.change(func(old *catalog.Job) { old.Options = j.Options })
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-r.tune: // older ones that it has not come to
	default:
	}
	r.tune <- o
	return nil
}

// Rename gives a job another name, while it runs or not.
func (m *Manager) Rename(ctx context.Context, j *catalog.Job, name string) error {
	tx := m.opt.Store.Begin()
	if err := tx.RenameJob(j.ID, name); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.runners[j.Name]
	if r == nil {
		return nil
	}
	delete(m.runners, j.Name)
	m.runners[name] = r
	r.live.change(func(j *catalog.Job) { j.Name = name })
	return nil
}

// Forget removes a stopped job's runner.
func (m *Manager) Forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.runners, name)
}

// Shutdown takes a last checkpoint of every job and ends all runs. Jobs stay
// wanted: the next start resumes them.
func (m *Manager) Shutdown(ctx context.Context) {
	m.mu.Lock()
	var names []string
	for name := range m.runners {
		names = append(names, name)
	}
	m.mu.Unlock()
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := m.Stop(ctx, name, shutDown, false); err != nil && !errors.Is(err, ErrNotRunning) {
				m.opt.Log.Warn("last checkpoint", "job", name, "err", err)
			}
		}()
	}
	wg.Wait()
	m.Kill()
}

// Kill ends all runs as they are, as a crash would.
func (m *Manager) Kill() {
	m.cancel(shutDown.of(""))
	m.wg.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.views {
		v.close(shutDown.of(""))
	}
}
