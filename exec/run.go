package exec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/background"
	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/planner/graph"
)

// Factory makes the parts of a run. Its methods are called before the run
// starts, once for each operator and task.
type Factory interface {
	// Operator makes an operator with what it works on.
	Operator(op *graph.Operator, task, tasks int) (Made, error)
	// Source makes the input of a source or values operator in one task; of
	// values only Splits matters.
	Source(op *graph.Operator, task, tasks int) (*SourceInput, error)
	// Sink makes the writer of a sink operator in one task.
	Sink(op *graph.Operator, task, tasks int) (*SinkOutput, error)
}

// Made is an operator with its state tables, by name, what it counts, and where
// the rows are that it could not use; the latter two may be nil.
type Made struct {
	Operator Operator
	Tables   map[string]*state.Table
	Counters *Counters
	Aside    Aside
}

// Options are what a run needs besides its plan.
type Options struct {
	Parallelism int
	BatchRows   int // rows per batch aimed at
	Factory     Factory
	// OnReport takes a task's report on a barrier. It is called from the task's
	// goroutine and must not block.
	OnReport func(Report)
	// Watermarks are those that operators had reached when their state was
	// saved, by operator id.
	Watermarks map[string]Watermark
	// Slots, if given, are where the tasks compute in the background, making way for what
	// people wait for.
	Slots *background.Slots
	Log   *slog.Logger
	Clock clock.Clock
}

// EnsureDefaults fills in what was left out.
func (o *Options) EnsureDefaults() {
	o.Parallelism = max(o.Parallelism, 1)
	if o.BatchRows <= 0 {
		o.BatchRows = batch.RowsDefault
	}
	if o.OnReport == nil {
		o.OnReport = func(r Report) { r.Release() }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
}

// ErrStopped says that a run takes no requests any more; Err tells why.
var ErrStopped = errors.New("the run has stopped")

// Run is a graph being executed.
type Run struct {
	opt     Options
	plan    *Plan
	tasks   []*task
	sources []*sourceTask
	cancel  context.CancelFunc
	ended   atomic.Int64
	// silent counts the source tasks that have nothing to read and have not said
	// so yet; quiet is closed when there are none left.
	silent atomic.Int64
	quiet  chan struct{}
	// unopened counts the source tasks that have not opened the splits they began with;
	// opened is closed when there are none left.
	unopened atomic.Int64
	opened   chan struct{}
	stopped  atomic.Bool   // tasks are to return
	allDone  chan struct{} // every task has seen the end of its input
	done     chan struct{} // every task has stopped
	err      error
	ctx      context.Context // of the tasks
	started  bool            // the tasks have goroutines
	here     bool            // the only task runs in its caller's, to the end of its input
}

// Start builds the tasks of g and sets them going. The run goes on until its
// context is cancelled, Stop is called or a task fails; tasks whose input has
// ended stay for barriers.
func Start(ctx context.Context, g *graph.Graph, opt Options) (*Run, error) {
	r, err := New(ctx, g, opt)
	if err == nil {
		r.Start()
	}
	return r, err
}

// New builds the tasks of g. What is to follow is Start, or Main if the run IsSingle, or
// Stop.
func New(ctx context.Context, g *graph.Graph, opt Options) (*Run, error) {
	opt.EnsureDefaults()
	r := &Run{opt: opt, plan: Cut(g, opt.Parallelism), allDone: make(chan struct{}), done: make(chan struct{}), quiet: make(chan struct{}), opened: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(ctx)
	if err := r.build(r.ctx); err != nil {
		r.cancel()
		r.close()
		return nil, err
	}
	for _, s := range r.sources {
		if s.isSilent() {
			r.silent.Add(1)
		}
	}
	if r.silent.Load() == 0 {
		close(r.quiet)
	}
	r.unopened.Store(int64(len(r.sources)))
	return r, nil
}

// build makes the tasks, stage by stage, and connects them.
func (r *Run) build(ctx context.Context) error {
	byOperator := make([][]*node, len(r.plan.Graph.Operators)) // operator → task → node
	joins, held, awaited := gates(r.plan.Graph)
	for s := range r.plan.Stages {
		st := &r.plan.Stages[s]
		for i := range st.Tasks {
			t := &task{run: r, stage: s, index: i}
			r.tasks = append(r.tasks, t)
			for _, o := range st.Operators {
				n, err := r.newNode(ctx, t, &r.plan.Graph.Operators[o], st.Tasks)
				if err != nil {
					return err
				}
				if n.gate = joins[o]; n.gate != nil {
					n.gate.closed.Add(1)
					n.at = new(atomic.Uint64)
					n.gate.at = append(n.gate.at, n.at)
				}
				n.looked = awaited[o]
				if t.source != nil && t.source.node == n {
					t.source.gates, t.source.awaited = held[o], awaited[o]
					for _, g := range held[o] {
						g.holds = append(g.holds, t.source)
					}
				}
				t.nodes = append(t.nodes, n)
				byOperator[o] = append(byOperator[o], n)
			}
		}
	}
	for s := range r.plan.Stages {
		for _, o := range r.plan.Stages[s].Operators {
			r.connect(o, byOperator)
		}
	}
	for _, t := range r.tasks {
		t.endUnfed()
	}
	return nil
}

func (r *Run) newNode(ctx context.Context, t *task, spec *graph.Operator, tasks int) (*node, error) {
	n := &node{spec: spec, task: t, watermark: WatermarkMin, view: spec.Kind == graph.MaterializeKind}
	n.watermarks = make([]Watermark, max(1, len(spec.Inputs)))
	n.idlePorts = make([]bool, len(n.watermarks))
	n.positions = make([]uint64, len(n.watermarks))
	for p := range n.watermarks {
		n.watermarks[p] = WatermarkMin
	}
	fail := func(err error) (*node, error) { return nil, &OperatorError{Operator: spec.ID, Err: err} }
	switch spec.Kind {
	case graph.SourceKind:
		n.op = pass{}
		return n, r.drive(n, tasks)
	case graph.SinkKind:
		out, err := r.opt.Factory.Sink(spec, t.index, tasks)
		if err != nil {
			return fail(err)
		}
		n.sink = newSinkWriter(ctx, out, spec)
		n.op, n.counted, n.aside = n.sink, out.Counters, out.Aside
	default:
		made, err := r.opt.Factory.Operator(spec, t.index, tasks)
		n.op, n.tables, n.counted, n.aside = made.Operator, made.Tables, made.Counters, made.Aside
		if err != nil {
			return fail(err)
		}
		if generates(spec.Kind) {
			return n, r.drive(n, tasks)
		}
	}
	n.retimer, _ = n.op.(Retimer)
	if e, ok := n.op.(EventTime); ok {
		for p := range n.watermarks {
			if !e.EventTime(p) {
				n.watermarks[p] = WatermarkMax
			}
		}
	}
	return n, nil
}

// drive makes n the head of a task that nobody sends to. Values whose rows went
// out before the state was saved are not emitted again.
func (r *Run) drive(n *node, tasks int) error {
	in, err := r.opt.Factory.Source(n.spec, n.task.index, tasks)
	if err != nil {
		return &OperatorError{Operator: n.spec.ID, Err: err}
	}
	if in.Source == nil && len(in.Splits) > 0 && in.Splits[0].Ended {
		n.op = pass{}
	}
	if in.Counters != nil {
		n.counted = in.Counters
	}
	if in.Aside != nil {
		n.aside = in.Aside
	}
	n.task.source = &sourceTask{task: n.task, in: *in, node: n, control: make(chan control, 4), bell: make(chan struct{}, 1)}
	n.task.source.alignment, n.task.source.marks = r.shared(n.spec.ID, tasks)
	r.sources = append(r.sources, n.task.source)
	return nil
}

// shared is what the tasks of one source know of each other.
func (r *Run) shared(operator string, tasks int) (splits, marks *alignment) {
	for _, s := range r.sources {
		if s.node.spec.ID == operator {
			return s.alignment, s.marks
		}
	}
	return newAlignment(tasks), newAlignment(tasks)
}

// connect wires the inputs of operator o, fused or through mailboxes.
func (r *Run) connect(o int, nodes [][]*node) {
	spec := &r.plan.Graph.Operators[o]
	for port, in := range spec.Inputs {
		if r.plan.StageOf[in.Operator] == r.plan.StageOf[o] {
			for t, n := range nodes[o] {
				from := nodes[in.Operator][t]
				from.nodes = append(from.nodes, portRef{n, port})
			}
			continue
		}
		from := &r.plan.Graph.Operators[in.Operator]
		for _, sender := range nodes[in.Operator] {
			var boxes []*mailbox
			var ids []int // of the sender's queue in each box
			for t, n := range nodes[o] {
				if in.Exchange.Kind == graph.Forward && sender.task.index%len(nodes[o]) != t {
					continue
				}
				boxes = append(boxes, n.task.mailbox())
				ids = append(ids, n.task.addSender(sender.task, port))
			}
			x := newExchange(in.Exchange.Kind, in.Exchange.Keys, from.Fields, r.opt.BatchRows, boxes, ids)
			g := nodes[o][0].gate
			x.looked = nodes[o][0].looked || g != nil && port == g.port
			sender.sends = append(sender.sends, x)
		}
	}
}

// Start sets the tasks going. The run owns their goroutines: the last to stop
// closes done.
func (r *Run) Start() {
	r.started = true
	var wg sync.WaitGroup
	var once sync.Once
	main := func(t *task) {
		err := t.main(r.ctx)
		if err != nil && !errors.Is(err, context.Canceled) {
			once.Do(func() { r.err = err })
		}
		r.cancel()
		r.closeBoxes()
	}
	if r.opt.Slots == nil {
		for _, t := range r.tasks {
			wg.Go(func() { main(t) })
		}
	} else {
		for _, w := range r.employ() {
			wg.Go(func() { w.main(main) })
		}
	}
	go func() {
		<-r.ctx.Done()
		r.stopped.Store(true)
		r.closeBoxes()
		wg.Wait()
		r.close()
		close(r.done)
	}()
}

// IsSingle reports whether there is only one task, which Main can run.
func (r *Run) IsSingle() bool { return len(r.tasks) == 1 }

// Main runs the only task in the goroutine of the caller until its input has ended: no
// other goroutine need wake up for a query that reads a row. Stop is to follow.
func (r *Run) Main() error {
	r.here = true
	defer context.AfterFunc(r.ctx, func() { r.stopped.Store(true) })()
	return r.tasks[0].main(r.ctx)
}

func (r *Run) closeBoxes() {
	for _, t := range r.tasks {
		if t.box != nil {
			t.box.close()
		}
	}
}

// close gives up the writers and state tables.
func (r *Run) close() {
	for _, t := range r.tasks {
		for _, n := range t.nodes {
			if n.sink != nil {
				if err := n.sink.writer.Close(); err != nil {
					r.opt.Log.Warn("close sink writer", "operator", n.spec.ID, "err", err)
				}
			}
			if n.aside != nil {
				if err := n.aside.Close(); err != nil {
					r.opt.Log.Warn("close what is kept aside", "operator", n.spec.ID, "err", err)
				}
			}
			for _, table := range n.tables {
				table.Close()
			}
		}
	}
}

func (r *Run) taskEnded() {
	if r.ended.Add(1) == int64(len(r.tasks)) {
		close(r.allDone)
	}
}

// Inject sends a barrier from every source. With catchUp it waits, in each source
// that catches up, until every split has once had nothing more to deliver.
func (r *Run) Inject(ctx context.Context, b Barrier, catchUp bool) error {
	for _, s := range r.sources {
		if err := r.tell(ctx, s, control{barrier: &b, catchUp: catchUp}); err != nil {
			return err
		}
	}
	return nil
}

// AddSplits gives new splits to one task of a source.
func (r *Run) AddSplits(ctx context.Context, operator string, task int, splits []SplitState) error {
	for _, s := range r.sources {
		if s.node.spec.ID == operator && s.task.index == task {
			return r.tell(ctx, s, control{splits: splits})
		}
	}
	return fmt.Errorf("run has no task %d of source %s", task, operator)
}

// Drain ends every source where it stands, as if its input had ended there.
func (r *Run) Drain(ctx context.Context) error {
	for _, s := range r.sources {
		if err := r.tell(ctx, s, control{drain: true}); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) tell(ctx context.Context, s *sourceTask, c control) error {
	select {
	case s.control <- c:
		return nil
	case <-r.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Opened is closed once the sources have opened what they began with: only then do own
// tables have a place that a fence can go by.
func (r *Run) Opened() <-chan struct{} { return r.opened }

// Tasks is how many reports each barrier brings.
func (r *Run) Tasks() int { return len(r.tasks) }

// Ended is closed once the end of the input has passed through every task.
func (r *Run) Ended() <-chan struct{} { return r.allDone }

// Done is closed once every task has stopped.
func (r *Run) Done() <-chan struct{} { return r.done }

// Err says why the run stopped by itself, nil if it was told to. It is to be
// read after Done.
func (r *Run) Err() error { return r.err }

// Stop cancels the tasks and waits for them.
func (r *Run) Stop() {
	r.cancel()
	if r.started {
		<-r.done
	} else {
		r.close()
	}
}

// Counters adds up what the tasks count, by operator id.
func (r *Run) Counters() map[string]Counters {
	m := map[string]Counters{}
	for _, t := range r.tasks {
		for _, n := range t.nodes {
			c := m[n.spec.ID]
			c.RowsIn += n.counters.rowsIn.Load()
			c.RowsOut += n.counters.rowsOut.Load()
			m[n.spec.ID] = c
		}
	}
	return m
}

// pass is the operator of a source node: rows go through as they are.
type pass struct{ Stateless }

// OnBatch passes the rows on.
func (pass) OnBatch(_ int, in *batch.Batch, out Output) error { return out.Emit(in) }
