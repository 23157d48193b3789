package job

import (
	"cmp"
	"context"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/planner/graph"
)

// Live is a continuous query that somebody follows while it runs. It has no name,
// no checkpoints and no restarts: when it fails, it is over. One goroutine uses
// it.
type Live struct {
	m       *Manager
	run     *exec.Run
	parts   *parts
	changes chan LiveChange
	epoch   uint64
	account *memory.Account
	pending bool            // a barrier is under way
	opened  <-chan struct{} // of the run, nil when it was closed
	next    <-chan time.Time
}

// LiveChange is some changes of an epoch, with their ops, or the end of an epoch,
// which has no rows.
type LiveChange struct {
	Epoch uint64 // of an end
	Rows  *batch.Batch
}

// Live starts a graph whose last operator collects. A row that fails ends it. open makes
// the account of its memory.
func (m *Manager) Live(ctx context.Context, g *graph.Graph, open func(stop func(error)) *memory.Account) (*Live, error) {
	j := &catalog.Job{ID: NewID(), Name: "subscription"}
	opt, err := m.options(j)
	if err != nil {
		return nil, err
	}
	opt.BadData = "fail"
	r := &runner{m: m, job: j, g: g, opt: opt, parallelism: opt.Parallelism}
	r.live.setJob(j)
	l := &Live{m: m, changes: make(chan LiveChange, 4)}
	start := &startingPoint{incarnation: j.ID, sources: map[string]*exec.SourceState{}, watermarks: map[string]exec.Watermark{}}
	ctx, cancel := context.WithCancelCause(ctx)
	l.account = open(cancel)
	if l.parts, err = m.newParts(ctx, r, start, l.account); err != nil {
		l.account.Close()
		cancel(nil)
		return nil, err
	}
	l.parts.live = l
	l.run, err = exec.Start(ctx, g, exec.Options{Parallelism: opt.Parallelism, BatchRows: opt.BatchRows, Factory: l.parts, Log: m.opt.Log, Clock: m.opt.Clock})
	if err != nil {
		l.account.Close()
		cancel(nil)
		return nil, err
	}
	l.opened = l.run.Opened()
	return l, nil
}

// send waits until the reader takes a change.
func (l *Live) send(c LiveChange) error {
	select {
	case l.changes <- c:
		return nil
	case <-l.parts.ctx.Done():
		return context.Cause(l.parts.ctx)
	}
}

func (l *Live) collect(b *batch.Batch) error { return l.send(LiveChange{Rows: b}) }

func (l *Live) seal(epoch uint64) error { return l.send(LiveChange{Epoch: epoch}) }

// Next returns the next change; ok is false at the end of the input. It may be
// called again after ctx was done.
func (l *Live) Next(ctx context.Context) (c LiveChange, ok bool, err error) {
	ended := l.run.Ended()
	for {
		select {
		case c := <-l.changes:
			l.pending = l.pending && c.Rows != nil
			return c, true, nil
		case <-ctx.Done():
			return c, false, context.Cause(ctx)
		case <-l.run.Done():
			return c, false, cmp.Or(l.account.Err(), l.run.Err(), context.Cause(ctx))
		case <-l.opened:
			l.opened, l.next = nil, l.m.opt.Clock.After(0)
		case <-l.next:
			l.next = l.m.opt.Clock.After(sealInterval)
			l.barrier()
		case <-ended:
			select {
			case c := <-l.changes:
				return c, true, nil
			default:
				return c, false, nil
			}
		}
	}
}

// barrier ends an epoch once the one before it is through, at the same transaction in all
// own tables, and looks for what is new in the sources.
func (l *Live) barrier() {
	if l.pending {
		return
	}
	l.pending = true
	l.epoch++
	l.parts.fence(true)
	// Whoever waits for a change may give up, but not when only some sources have the
	// barrier. That the run has stopped is seen where it is said why.
	_ = l.run.Inject(context.WithoutCancel(l.parts.ctx), exec.Barrier{Epoch: l.epoch, Time: l.m.opt.Clock.Now().UnixMicro()}, true)
	l.parts.discover(l.parts.ctx, l.run)
}

// Close ends the query. The context that it was started with must be done by
// then, so that nobody waits for the reader.
func (l *Live) Close() {
	l.run.Stop()
	<-l.parts.discovered
	l.account.Close()
}
