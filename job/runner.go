package job

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/sql/ast"
)

// tick is how often a runner looks at the clock.
const tick = 25 * time.Millisecond

// runner keeps one job going: it owns the job's run, its checkpoints and its
// restarts. All of its fields belong to the goroutine of main, except those
// that say otherwise.
type runner struct {
	m   *Manager
	job *catalog.Job // as it was started; live has its name and state now
	g   *graph.Graph
	opt Options
	// parallelism is that of opt, which does not change while the job runs.
	parallelism int
	view        *View // of a materialized view, else nil

	requests chan *request
	stop     chan *stopOrder
	tune     chan Options            // the newest options that take effect at once; it holds one
	cancel   context.CancelCauseFunc // ends the run as it is, whatever it waits for
	done     chan struct{}           // main has returned
	why      error                   // then: what those are told who waited, nil when it has ended by itself
	by       *stopOrder              // then: the order that ended it, nil for none

	live    liveStatus
	damaged map[int64]error // own checkpoints that could not be restored
	told    map[string]bool // fallbacks that are in the events

	// What follows is of the current attempt.
	coord       coordinator
	run         *exec.Run
	account     *memory.Account
	parts       *parts
	reports     chan exec.Report
	uploads     chan uploadResult
	writing     bool // an upload will answer, or who collects after it
	collected   []exec.Report
	uncommitted []committable // pre-committed by barriers whose checkpoint failed
	finishing   bool          // a final checkpoint is under way
	watched     progressWatch
	lastPart    uint64 // epochs beyond it have all of the input, which has ended for good
}

// stopOrder tells a runner to end its run after a last checkpoint.
type stopOrder struct {
	end        End
	must       bool // not without one, even if the job is between two attempts, or one batch takes long
	drain      bool // and after the sources were ended where they stand
	checkpoint chan<- requestResult
	settled    atomic.Bool // by whoever is first: the runner, or who gave it and withdraws it
}

// outcome is why an attempt ended.
type outcome int

const (
	stopped  outcome = iota // as ordered
	finished                // its input has ended and everything is committed
	failed
)

// main runs the job until it is stopped, has finished, or may not restart.
func (r *runner) main(ctx context.Context) {
	defer close(r.done)
	var failures []time.Time
	for {
		out, err := r.attempt(ctx)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if out == stopped || ctx.Err() != nil {
			r.why = err
		}
		r.coord.stopped(err)
		switch {
		case out == stopped || ctx.Err() != nil:
			return
		case out == finished:
			r.setState(ctx, "finished", "")
			r.event(ctx, "finished", "the input has ended and every row is committed")
			return
		case r.m.gone(r.job.ID):
			return // what it reads or writes may have gone with it
		}
		failures = append(failures, r.m.opt.Clock.Now())
		delay, again := r.opt.Restart.Next(failures)
		again = again && !isBadRow(err) && !isOutOfMemory(err) && !errors.Is(err, errNoneIntact) // it would come again
		r.m.opt.Log.Warn("job failed", "job", r.name(), "id", r.job.ID, "err", err, "restart", again)
		r.event(ctx, "failed", failure(err))
		if !again {
			r.setState(ctx, "failed", failure(err))
			if r.view != nil {
				r.view.fail(pgerr.New(pgerr.ObjectNotInPrerequisiteState, "the materialized view has no rows: its job has failed: %s", err.Error()).
					Hint("RESUME JOB %s starts it again.", ast.QuoteName(r.name())))
			}
			return
		}
		r.setState(ctx, "restarting", err.Error())
		if r.view != nil {
			r.view.fail(r.between()) // rather than have readers wait without a word
		}
		if !r.pause(ctx, delay) {
			return
		}
		if r.view != nil {
			r.view.expect()
		}
	}
}

// between is the error for those who want something of a job that keeps failing.
func (r *runner) between() error {
	j := r.live.current()
	return pgerr.New(pgerr.ObjectNotInPrerequisiteState, "job %q is between two attempts: %s", j.Name, j.Failure).
		Hint("SELECT * FROM millrace.job_events shows what happened.")
}

// pause waits before a restart; false means that the job was stopped meanwhile.
func (r *runner) pause(ctx context.Context, d time.Duration) bool {
	after := r.m.opt.Clock.After(d)
	for {
		select {
		case <-ctx.Done():
			r.why = context.Cause(ctx)
			return false
		case o := <-r.stop:
			if o.must {
				o.checkpoint <- requestResult{err: r.between()}
				continue
			}
			o.checkpoint <- requestResult{}
			r.why, r.by = o.end.of(r.name()), o
			return false
		case o := <-r.tune:
			r.opt = o
		case q := <-r.requests:
			q.done <- requestResult{err: r.between()}
		case <-after:
			return true
		}
	}
}

// attempt restores the job from its newest checkpoint and runs it.
func (r *runner) attempt(ctx context.Context) (outcome, error) {
	r.setState(ctx, "restoring", "")
	lifetime, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.account = r.openAccount(cancel)
	defer r.account.Close()
	for {
		start, err := r.startingPoint(ctx)
		if err != nil {
			return failed, err
		}
		known := len(r.damaged)
		if err = r.begin(lifetime, start); err == nil {
			break
		}
		if why := r.account.Err(); why != nil {
			return failed, why
		}
		if len(r.damaged) == known { // else an older checkpoint may do
			return failed, fmt.Errorf("start: %w", err)
		}
	}
	defer r.end()
	r.setState(ctx, "running", "")
	if meta := r.parts.start.meta; meta == nil {
		r.event(ctx, "started", "from the beginning")
	} else {
		r.event(ctx, "started", fmt.Sprintf("from %s %d of job %s", meta.Kind, meta.Checkpoint, meta.JobID))
	}
	out, err := r.loop(ctx)
	if out == failed && errors.Is(err, exec.ErrStopped) && r.run.Err() != nil {
		err = r.run.Err() // why it stopped, not that it did
	}
	if why := r.account.Err(); why != nil && out == failed {
		err = why
	}
	return out, err
}

// begin builds the run from a checkpoint, or from nothing.
func (r *runner) begin(ctx context.Context, start *startingPoint) error {
	p, err := r.m.newParts(ctx, r, start, r.account)
	if err != nil {
		return err
	}
	r.parts = p
	if err := p.recommit(ctx); err != nil {
		return err
	}
	if start.fellBack && start.meta != nil {
		r.fallBack(ctx, start.meta)
	}
	r.reports = make(chan exec.Report, 1024)
	r.uploads = make(chan uploadResult, 1)
	r.uncommitted, r.collected, r.finishing, r.writing, r.lastPart = nil, nil, false, false, math.MaxUint64
	run, err := exec.Start(ctx, r.g, exec.Options{
		Parallelism: r.opt.Parallelism, BatchRows: r.opt.BatchRows, Factory: p,
		OnReport: func(rep exec.Report) { r.reports <- rep }, Watermarks: start.watermarks,
		Slots: r.m.opt.Slots, Log: r.m.opt.Log.With("job", r.name()), Clock: r.m.opt.Clock,
	})
	if err != nil {
		return err
	}
	r.run = run
	r.live.setStart(r.g, start)
	r.live.setRun(run)
	r.coord = coordinator{opt: r.opt, tasks: run.Tasks(), seals: r.view != nil || consolidates(r.g) || r.g.Expires(r.opt.StateTTL.Microseconds()), epoch: start.epoch, next: start.next,
		lastDone: r.m.opt.Clock.Now()}
	if start.meta == nil && r.opt.CheckpointInterval > 0 && r.g.Historic(r.opt.StateTTL.Microseconds()) {
		r.coord.beginWithCheckpoint()
	}
	return nil
}

// end stops the run and gives up everything of the attempt.
func (r *runner) end() {
	r.run.Stop()
	<-r.parts.discovered
	if r.writing {
		res := <-r.uploads // it fails at once, as its context is the attempt's
		res.release()
	}
	for {
		select {
		case rep := <-r.reports:
			rep.Release()
			continue
		default:
		}
		break
	}
	for i := range r.collected {
		r.collected[i].Release()
	}
	r.collected = nil
	r.live.setRun(nil)
}

// loop drives the attempt until it ends.
func (r *runner) loop(parent context.Context) (outcome, error) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	ended := r.run.Ended()
	var order *stopOrder
	// again follows a last checkpoint that failed: the end of the input cannot be
	// taken back, a stop can, and whoever ordered it was told.
	again := func() {
		if r.finishing {
			r.finishing, ended = false, r.run.Ended()
		}
		order = nil
	}
	opened, longest := r.run.Opened(), r.m.opt.Clock.After(r.patience())
	next := r.m.opt.Clock.After(0)
	for {
		select {
		case <-ctx.Done():
			return stopped, ctx.Err()
		case <-opened:
			opened = nil
		case <-longest: // whoever does not answer holds up nothing but its own barriers
			opened = nil
		case <-r.run.Done():
			if err := r.run.Err(); err != nil {
				return failed, err
			}
			return failed, errors.New("the run stopped by itself")
		case rep := <-r.reports:
			if err := r.reported(ctx, rep); err != nil {
				return failed, err
			}
		case res := <-r.uploads:
			r.writing = false
			final, checkpoint := r.coord.uploads.final, r.coord.uploads.checkpoint
			if res.collected {
				r.coord.uploaded(r.m.opt.Clock.Now(), nil)
			} else if err := r.uploaded(ctx, res); err != nil {
				return failed, err
			}
			if r.writing { // it collects
				break
			}
			if final && res.err == nil {
				switch {
				case order == nil:
					return finished, nil
				case order.settled.CompareAndSwap(false, true):
					r.obey(order, checkpoint)
					return stopped, order.end.of(r.name())
				}
			}
			if final {
				again()
			}
		case q := <-r.requests:
			r.coord.asked = append(r.coord.asked, q)
		case o := <-r.stop:
			order = o
			if o.drain {
				if err := r.run.Drain(ctx); err != nil {
					return failed, err
				}
			} else {
				r.coord.asked = append(r.coord.asked, &request{checkpoint: true, final: true, done: o.checkpoint})
			}
		case o := <-r.tune:
			r.opt, r.coord.opt = o, o
		case <-ended:
			ended = nil
			if order == nil && !r.g.Expires(r.opt.StateTTL.Microseconds()) { // else rows may come or go still
				r.lastPart = r.coord.epoch
			}
			if !r.finishing && (r.view == nil || order != nil) {
				r.finishing = true
				var done chan<- requestResult = make(chan requestResult, 1)
				if order != nil {
					done = order.checkpoint
				}
				r.coord.asked = append(r.coord.asked, &request{checkpoint: true, final: true, done: done})
			}
		case <-next:
			next = r.m.opt.Clock.After(tick)
			r.watch()
			if order != nil && r.endsAsItIs(ctx, order) {
				r.by = order
				return stopped, order.end.of(r.name())
			}
			p, err := r.coord.expire(r.m.opt.Clock.Now(), r.watched.stuck)
			if p != nil {
				if err := r.checkpointFailed(ctx, p.checkpoint, p.started, err); err != nil {
					return failed, err
				}
				if p.final {
					again()
				}
			}
			r.parts.discover(ctx, r.run)
		}
		if opened != nil { // own tables have no place yet where they can be cut
			continue
		}
		if err := r.inject(ctx); err != nil {
			return failed, err
		}
	}
}

// obey ends the run as ordered, after a last checkpoint. That may be the one of an order
// before, and this one's is not needed then.
func (r *runner) obey(o *stopOrder, checkpoint int64) {
	r.by = o
	r.coord.withdraw(o.checkpoint)
	if o.drain {
		return
	}
	select {
	case o.checkpoint <- requestResult{checkpoint: checkpoint}:
	default: // it was answered with the upload
	}
}

// progressWatch is what keeps the barrier under way, if that is one batch.
type progressWatch struct {
	since time.Time
	then  exec.Progress // how far the tasks were then
	stuck string        // which operator was with one batch from the look before to the last one
}

// watch looks now and then for an operator that makes rows of one batch all the time. The
// batch may have come before the barrier was sent or, when that waits at a source, after.
func (r *runner) watch() {
	now := r.m.opt.Clock.Now()
	if r.coord.pending == nil || now.Sub(r.watched.since) < r.patience() {
		return
	}
	stuck := ""
	if operator, made := r.run.Stuck(r.watched.then); operator != "" {
		stuck = fmt.Sprintf("%s was busy with one batch of its input for %s, and made %d rows of it", operator, now.Sub(r.watched.since).Round(time.Second/10), made)
	}
	r.watched = progressWatch{since: now, then: r.run.Progress(), stuck: stuck}
}

// patience is how long nobody minds that a barrier has not passed. A batch that comes when
// the barrier has been sent is found at the second look, before the checkpoint times out.
func (r *runner) patience() time.Duration {
	if t := r.opt.CheckpointTimeout; t > 0 {
		return min(stopPatience, t/3)
	}
	return stopPatience
}

// endsAsItIs reports whether the job is to stop without a last checkpoint: one batch
// becomes so many rows that the barrier would take long to pass.
func (r *runner) endsAsItIs(ctx context.Context, o *stopOrder) bool {
	why := r.watched.stuck
	if o.must || o.drain || r.coord.pending == nil || why == "" || !o.settled.CompareAndSwap(false, true) {
		return false
	}
	r.coord.withdraw(o.checkpoint)
	o.checkpoint <- requestResult{}
	r.event(ctx, "stopped", "without a last checkpoint, which could not pass: "+why)
	return true
}

// inject sends the barrier that is due, if any.
func (r *runner) inject(ctx context.Context) error {
	d, ok := r.coord.decide(r.m.opt.Clock.Now())
	if !ok {
		return nil
	}
	if d.checkpoint != 0 {
		r.recordCheckpoint(ctx, catalog.Checkpoint{JobID: r.job.ID, N: d.checkpoint, State: "running", Started: r.m.opt.Clock.Now()})
	}
	r.watched = progressWatch{since: r.m.opt.Clock.Now(), then: r.run.Progress()}
	r.parts.fence(d.catchUp)
	return r.run.Inject(ctx, exec.Barrier{Epoch: d.epoch, Checkpoint: d.checkpoint, Time: r.m.opt.Clock.Now().UnixMicro(), Final: d.final}, d.catchUp)
}

// reported takes a task's report. With the last one of its barrier, readers see
// the epoch, and a checkpoint's upload begins.
func (r *runner) reported(ctx context.Context, rep exec.Report) error {
	r.collected = append(r.collected, rep)
	passed := r.coord.reported(rep.Barrier.Epoch)
	if passed == nil {
		return nil
	}
	reports := r.collected
	r.collected = nil
	r.publish(passed.epoch, reports)
	answer(passed.requests, requestResult{})
	if passed.expired {
		r.uncommitted = append(r.uncommitted, committables(reports)...)
	}
	if passed.checkpoint == 0 || passed.expired {
		for i := range reports {
			reports[i].Release()
		}
		return nil
	}
	r.live.setReports(reports)
	return r.upload(ctx, passed, reports)
}

// consolidates reports whether changes are held back until the next barrier.
func consolidates(g *graph.Graph) bool {
	return slices.ContainsFunc(g.Operators, func(o graph.Operator) bool {
		return o.Kind == graph.ConsolidateKind || o.Kind == graph.LookupJoinKind
	})
}

// viewParts are the view's rows in the reports on a barrier, retained, in the order of
// the tasks, whichever reported first: indexes and subscriptions go from the same part of
// one epoch to that of the next.
func viewParts(reports []exec.Report) []*state.Snapshot {
	var of []exec.OperatorSnapshot
	for i := range reports {
		for _, op := range reports[i].Operators {
			if op.View {
				of = append(of, op)
			}
		}
	}
	slices.SortFunc(of, func(a, b exec.OperatorSnapshot) int { return a.Task - b.Task })
	parts := make([]*state.Snapshot, len(of))
	for i := range of {
		parts[i] = of[i].Tables[""]
		parts[i].Retain()
	}
	return parts
}

// publish shows the view's rows of a sealed epoch to readers.
func (r *runner) publish(epoch uint64, reports []exec.Report) {
	if r.view == nil {
		return
	}
	slot := r.m.opt.Slots.Slot()
	slot.Enter()
	defer slot.Leave()
	r.view.publish(epoch, viewParts(reports), epoch > r.lastPart)
}

// setState records what the job is doing.
func (r *runner) setState(ctx context.Context, state, failure string) {
	now := r.m.opt.Clock.Now()
	r.live.change(func(j *catalog.Job) { j.State, j.Failure, j.Updated = state, failure, now })
	if err := r.m.opt.Store.SetJobState(context.WithoutCancel(ctx), r.job.ID, state, failure); err != nil && !r.m.gone(r.job.ID) {
		r.m.opt.Log.Error("record job state", "job", r.name(), "state", state, "err", err)
	}
}

// event adds a line to the job's history.
func (r *runner) event(ctx context.Context, kind, message string) {
	e := catalog.Event{JobID: r.job.ID, At: r.m.opt.Clock.Now(), Kind: kind, Message: message}
	if err := r.m.opt.Store.AddEvent(context.WithoutCancel(ctx), e); err != nil {
		r.m.opt.Log.Error("record job event", "job", r.name(), "kind", kind, "message", message, "err", err)
	}
}

func (r *runner) recordCheckpoint(ctx context.Context, c catalog.Checkpoint) {
	if err := r.m.opt.Store.PutCheckpoint(context.WithoutCancel(ctx), c); err != nil {
		r.m.opt.Log.Error("record checkpoint", "job", r.name(), "n", c.N, "state", c.State, "err", err)
	}
}
