package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/exec/operator"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// discoverInterval is how often sources that follow are asked for new splits.
const discoverInterval = time.Second

// parts makes the operators, sources and sinks of one attempt of a job, restored
// from its starting point. It implements exec.Factory.
type parts struct {
	ctx   context.Context
	m     *Manager
	r     *runner
	start *startingPoint
	opt   Options
	slabs *state.Slabs
	// account counts the attempt's memory; nil: nobody does.
	account *memory.Account
	timed   bool // some operator goes by event time
	srcs    map[string]*sourcePart
	sinks   map[string]connector.Sink
	follows bool      // some source may have new splits
	looked  time.Time // when they were last looked for
	// discovered is closed when that look is over.
	discovered chan struct{}
	began      int64 // the time of the first epoch, in microseconds
	live       *Live // of a query without a job
	// claimed is set once what the job was restored from is seen to.
	claimed bool
}

// sourcePart is a source operator with the splits it has handed out.
type sourcePart struct {
	spec   *graph.Operator
	source connector.Source
	splits []exec.SplitState // in order of assignment: number i goes to task i mod tasks
	known  map[string]bool
	bad    atomic.Int64 // rows that could not be decoded
}

// newParts opens the job's sources and sinks and lists their splits.
func (m *Manager) newParts(ctx context.Context, r *runner, start *startingPoint, account *memory.Account) (*parts, error) {
	p := &parts{ctx: ctx, m: m, r: r, start: start, opt: r.opt, slabs: m.slabs, account: account, srcs: map[string]*sourcePart{}, sinks: map[string]connector.Sink{},
		timed: goesByTime(r.g), looked: m.opt.Clock.Now(), discovered: make(chan struct{}), began: m.opt.Clock.Now().UnixMicro()}
	close(p.discovered)
	for i := range r.g.Operators {
		op := &r.g.Operators[i]
		switch op.Kind {
		case graph.SourceKind:
			if err := p.openSource(op); err != nil {
				return nil, &exec.OperatorError{Operator: op.ID, Err: err}
			}
		case graph.SinkKind:
			s, err := m.opt.Sinks(ctx, r.live.current(), op)
			if err != nil {
				return nil, &exec.OperatorError{Operator: op.ID, Err: err}
			}
			p.sinks[op.ID] = s
		}
	}
	return p, nil
}

// goesByTime reports whether any operator asks for watermarks.
func goesByTime(g *graph.Graph) bool {
	for i := range g.Operators {
		if o := &g.Operators[i]; countsLate(o) || readsWatermark(o) {
			return true
		}
	}
	return false
}

// readsWatermark reports whether the operator's expressions do.
func readsWatermark(o *graph.Operator) bool {
	switch {
	case o.Filter != nil:
		return scalar.ReadsWatermark(o.Filter.Predicate)
	case o.Project != nil:
		return slices.ContainsFunc(o.Project.Exprs, scalar.ReadsWatermark)
	}
	return false
}

// countsLate reports whether the operator goes by event time, and so may find
// rows late.
func countsLate(o *graph.Operator) bool {
	switch {
	case o.Join != nil:
		return o.Join.Sides != nil && (o.Join.Sides[0].Expiry != nil || o.Join.Sides[1].Expiry != nil)
	case o.AsofJoin != nil:
		return o.AsofJoin.Sides[0].Expiry != nil
	case o.TopN != nil:
		return o.TopN.Window != nil
	case o.Over != nil:
		return o.Over.Progress != nil || o.Over.Window != nil
	case o.SetOp != nil:
		return o.SetOp.Expiry != nil
	}
	return o.Kind == graph.WindowAggregateKind || o.Kind == graph.TemporalJoinKind
}

// openSource lists a source's splits: those of the starting point first, in
// order of their ids, then the ones that have appeared since.
func (p *parts) openSource(op *graph.Operator) error {
	sp := &sourcePart{spec: op, known: map[string]bool{}}
	var err error
	if sp.source, err = p.m.opt.Sources(p.ctx, p.r.live.current(), op, p.undecodable(op, &sp.bad)); err != nil {
		return err
	}
	if s := p.start.sources[op.ID]; s != nil {
		sp.splits = append(sp.splits, s.Splits...)
		sort.Slice(sp.splits, func(i, j int) bool { return sp.splits[i].ID < sp.splits[j].ID })
	}
	for _, s := range sp.splits {
		sp.known[s.ID] = true
	}
	if _, err := sp.look(p.ctx); err != nil {
		return err
	}
	p.srcs[op.ID], p.follows = sp, p.follows || sp.source.Follows()
	return nil
}

// look adds the splits that were not known and returns them.
func (s *sourcePart) look(ctx context.Context) ([]exec.SplitState, error) {
	list, err := s.source.Splits(ctx)
	if err != nil {
		return nil, fmt.Errorf("list splits: %w", err)
	}
	first := len(s.splits)
	for _, sp := range list {
		if !s.known[sp.ID] {
			s.known[sp.ID] = true
			s.splits = append(s.splits, exec.SplitState{ID: sp.ID, Data: sp.Data, Watermark: exec.WatermarkMin})
		}
	}
	return s.splits[first:], nil
}

// fence has own tables be read up to the same transaction, the newest one to catch up,
// before the barrier that is sent next.
func (p *parts) fence(catchUp bool) {
	if p.m.opt.Tables == nil {
		return
	}
	var sources []connector.Source
	for _, s := range p.srcs {
		sources = append(sources, s.source)
	}
	p.m.opt.Tables.Fence(sources, catchUp)
}

// reader is the task that reads split i.
func (s *sourcePart) reader(i, tasks int) int {
	if connector.InOrder(s.source) {
		return 0
	}
	return i % tasks
}

// discover looks for splits that have appeared, and gives them to the run's tasks. It
// waits neither for the store that lists them nor for the tasks.
func (p *parts) discover(ctx context.Context, run *exec.Run) {
	now := p.m.opt.Clock.Now()
	if now.Sub(p.looked) < discoverInterval || !p.follows {
		return
	}
	select {
	case <-p.discovered:
	default:
		return // the last look is not over
	}
	p.looked, p.discovered = now, make(chan struct{})
	go func(done chan<- struct{}) { // whoever ends the run waits for it
		defer close(done)
		for id, s := range p.srcs {
			if err := s.discover(ctx, run, p.opt.Parallelism); err != nil && ctx.Err() == nil && !errors.Is(err, exec.ErrStopped) {
				p.m.opt.Log.Warn("look for new splits", "job", p.r.name(), "source", id, "err", err)
			}
		}
	}(p.discovered)
}

// discover gives the splits of one source that have appeared to the run's tasks.
func (s *sourcePart) discover(ctx context.Context, run *exec.Run, tasks int) error {
	if !s.source.Follows() {
		return nil
	}
	first := len(s.splits)
	fresh, err := s.look(ctx)
	if err != nil {
		return err
	}
	byTask := map[int][]exec.SplitState{}
	for i, sp := range fresh {
		task := s.reader(first+i, tasks)
		byTask[task] = append(byTask[task], sp)
	}
	for task, splits := range byTask {
		if err := run.AddSplits(ctx, s.spec.ID, task, splits); err != nil {
			return err
		}
	}
	return nil
}

// Operator implements exec.Factory.
func (p *parts) Operator(op *graph.Operator, task, tasks int) (exec.Made, error) {
	tables := map[string]*state.Table{}
	for i := range op.Tables {
		t, err := p.table(op, i, task, tasks)
		if err != nil {
			return exec.Made{}, err
		}
		tables[op.Tables[i].Name] = t
	}
	refused := p.refused(op)
	env := p.env(op, task, tasks, refused)
	env.Table = func(name string) *state.Table { return tables[name] }
	made, err := operator.New(op, env)
	return exec.Made{Operator: made, Tables: tables, Counters: env.Counters, Aside: refused}, err
}

func (p *parts) env(op *graph.Operator, task, tasks int, refused *refused) operator.Env {
	env := operator.Env{Task: task, Parallelism: tasks, BatchRows: p.opt.BatchRows, Context: p.ctx, Clock: p.m.opt.Clock, Memory: p.share(op),
		BadRow: refused.badRow, Counters: refused.counters, Lifetimes: p.lifetimes(op), Expires: p.opt.StateTTL > 0, Now: p.began}
	for _, in := range op.Inputs {
		env.Inputs = append(env.Inputs, p.r.g.Operators[in.Operator].Fields)
	}
	if p.live != nil {
		env.Collect, env.Sealed = p.live.collect, p.live.seal
	}
	if p.opt.LateData == "dead_letter" && countsLate(op) {
		env.Late = refused.late(op.ID, env.Inputs[0])
	}
	return env
}

// lifetimes says how long the entries of op's tables stay.
func (p *parts) lifetimes(op *graph.Operator) []int64 {
	return op.Lifetimes(p.opt.StateTTL.Microseconds())
}

// Source implements exec.Factory.
func (p *parts) Source(op *graph.Operator, task, tasks int) (*exec.SourceInput, error) {
	if op.Source == nil { // values, or a function
		in := &exec.SourceInput{TimeColumn: -1}
		if s := p.start.sources[op.ID]; s != nil {
			in.Splits = s.Splits
		}
		return in, nil
	}
	s, refused := p.srcs[op.ID], p.refused(op)
	env := p.env(op, task, tasks, refused)
	in := &exec.SourceInput{Source: s.source, TimeColumn: op.TimeColumn, CatchesUp: op.Source.Connector == "", Counters: env.Counters, Aside: refused}
	if task == 0 {
		in.Undecodable = s.bad.Load
	}
	for i, sp := range s.splits {
		if s.reader(i, tasks) == task {
			in.Splits = append(in.Splits, sp)
		}
	}
	times := &eval.Context{Memory: env.Memory}
	env.Eval = times
	in.Tick = func() exec.Watermark {
		times.Now = max(times.Now, p.m.opt.Clock.Now().UnixMicro())
		return times.Now
	}
	in.ProcTime = op.Source.ProcTime && op.TimeColumn >= 0
	physical := make([]types.Field, len(op.Source.Physical))
	for i, c := range op.Source.Physical {
		in.Want = append(in.Want, c.Column)
		in.Layout = append(in.Layout, c.Type.Phys())
		physical[i] = types.Field{Name: c.Name, Type: c.Type}
	}
	if op.Source.Exprs != nil {
		f, err := operator.Projection(op.ID, op.Source.Exprs, physical, env)
		if err != nil {
			return nil, err
		}
		in.Project = f
	}
	if op.Source.Watermark != nil && p.timed && op.TimeColumn >= 0 {
		f, err := operator.Projection(op.ID, []*scalar.Expr{op.Source.Watermark}, op.Fields, env)
		if err != nil {
			return nil, err
		}
		in.Watermark = func(b *batch.Batch) (*batch.Column, error) {
			out, err := f(b)
			if err != nil {
				return nil, err
			}
			return out.Cols[0], nil
		}
	}
	return in, p.pace(op, in, tasks)
}

// pace reads the options that the runtime acts on.
func (p *parts) pace(op *graph.Operator, in *exec.SourceInput, tasks int) error {
	if v := op.Source.Options["rows_per_second"]; v != "" {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return fmt.Errorf("option rows_per_second: %w", err)
		}
		if in.RowsPerSecond = n; !connector.InOrder(in.Source) {
			in.RowsPerSecond = n / float64(tasks)
		}
	}
	for name, field := range map[string]*time.Duration{"idle_timeout": &in.IdleTimeout, "watermark_alignment": &in.Alignment} {
		v := op.Source.Options[name]
		if v == "" {
			continue
		}
		d, ok := connector.ParseDuration(v)
		if !ok {
			return fmt.Errorf("option %s: %q is no duration", name, v)
		}
		*field = d
	}
	return nil
}

// Sink implements exec.Factory.
func (p *parts) Sink(op *graph.Operator, task, tasks int) (*exec.SinkOutput, error) {
	w, err := p.sinks[op.ID].Open(p.ctx, p.writerID(op.ID, task))
	if err != nil {
		return nil, err
	}
	refused := p.refused(op)
	return &exec.SinkOutput{Writer: w, BadRow: refused.badRow, Counters: refused.counters, Aside: refused}, nil
}

func (p *parts) writerID(operator string, task int) connector.WriterID {
	return connector.WriterID{JobID: p.r.job.ID, Incarnation: p.start.incarnation, Operator: operator, Task: task}
}
