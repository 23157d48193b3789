package bench

import (
	"context"
	"flag"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

var (
	eventsFlag = flag.Uint64("events", 16_000_000, "how many `events` a measurement of a fast query is over")
	modesFlag  = flag.String("modes", "limit,plan,plan-at-2,checkpoints,checkpoints-at-2", "what to measure of a Nexmark query")
	// intervalFlag is as in a job's option. A run must be longer than it: the checkpoint
	// at the end alone says little.
	intervalFlag = flag.Duration("interval", 0, "the `time` between checkpoints; 0: a third of what the plan took without")
)

// growing is by how much fewer events a query with growing state is measured over.
const growing = 8

// events is how many events a measurement of a query is over: the heavier the
// query, the fewer.
func events(q Query) uint64 {
	switch n := *eventsFlag; {
	case q.Grows:
		return n / growing
	case q.Goal < 20:
		return n / 2
	default:
		return n
	}
}

// cpuTime is the processor time that the process has used: on a machine that
// does other work too, the only clock that tells the truth.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// checkpointedRunMin is how long runs with checkpoints take, for what starting and
// ending a job takes not to matter. Where state grows they take as long as the
// others: more state is slower.
const checkpointedRunMin = 1500 * time.Millisecond

// measures are one run's figures of a query.
type measures struct {
	limit, plan, two float64
	one              checkpointed
	spread           checkpointed
}

// BenchmarkNexmark prints a line per query, all rates in millions of events per
// second of one core, by processor time:
//
//	limit             the hand-fused kernel
//	plan, plan-at-2   the compiled plan at parallelism 1 and 2, in the same run
//	of-limit          plan as a part of limit
//	goal, of-goal     what to aim for, and plan as a part of it
//	loss-%            by how much checkpoints slow the plan, at parallelism 1
//	loss-at-2-%       the same at parallelism 2
//	ckpts, ckpt-ms    how many checkpoints that was, and the slowest of them
//	ckpt-KB           what one writes on average
//	state-MB          what the last one refers to
//
// A job's usual interval is 10 s. Runs are much shorter, so checkpoints come after
// each third of what the plan takes without them, and at the end. A page that was
// changed is written once per checkpoint, however often it was changed: that costs
// at least as much per event as checkpoints every 10 s of a longer run, and the
// loss is an upper bound of theirs. -interval=10s with more -events measures them
// themselves.
//
// As in a server, the memory of state is recycled: all runs share slabs, and the
// first one, of the plan at parallelism 2, pays most for touching it first.
func BenchmarkNexmark(b *testing.B) {
	slabs := state.NewSlabs(state.SlabOptions{})
	defer slabs.Close()
	for _, q := range Queries() {
		b.Run(q.Name, func(b *testing.B) {
			g, err := Plan(q.SQL)
			if err != nil {
				b.Fatal(err)
			}
			var m measures
			for range b.N {
				m.measure(b, q, g, slabs)
			}
			m.print(b, q)
		})
	}
}

func (m *measures) measure(b *testing.B, q Query, g *graph.Graph, slabs *state.Slabs) {
	n, modes := events(q), strings.Split(*modesFlag, ",")
	wants := func(mode string) bool { return slices.Contains(modes, mode) }
	interval, more := *intervalFlag, uint64(1)
	plain := func(parallelism int) float64 {
		start := time.Now()
		r := rate(b, n, func() error { _, err := run(b.Context(), g, n, parallelism, slabs); return err })
		more = 1
		if !q.Grows {
			more = max(1, uint64(checkpointedRunMin/time.Since(start)))
		}
		if *intervalFlag == 0 {
			interval = time.Since(start) * time.Duration(more) / 3
		}
		return r
	}
	if wants("plan-at-2") || wants("checkpoints-at-2") {
		m.two = max(m.two, plain(2))
	}
	if wants("checkpoints-at-2") {
		m.spread = runWithCheckpoints(b, q, g, more*n, 2, interval, slabs)
	}
	if wants("limit") {
		m.limit = max(m.limit, rate(b, n, func() error { return runLimit(q, n) }))
	}
	if wants("plan") || wants("checkpoints") {
		m.plan = max(m.plan, plain(1))
	}
	if wants("checkpoints") {
		m.one = runWithCheckpoints(b, q, g, more*n, 1, interval, slabs)
	}
}

func (m *measures) print(b *testing.B, q Query) {
	b.ReportMetric(0, "ns/op")
	report := func(value float64, unit string) {
		if value > 0 && !math.IsInf(value, 0) {
			b.ReportMetric(value, unit)
		}
	}
	report(m.limit, "limit")
	report(m.plan, "plan")
	report(m.two, "plan-at-2")
	report(m.plan/m.limit, "of-limit")
	report(q.Goal, "goal")
	report(m.plan/q.Goal, "of-goal")
	if m.one.rate > 0 {
		b.ReportMetric(100*(1-m.one.rate/m.plan), "loss-%")
		b.ReportMetric(float64(m.one.number), "ckpts")
		b.ReportMetric(m.one.took.Seconds()*1e3, "ckpt-ms")
		b.ReportMetric(m.one.bytes/1e3, "ckpt-KB")
		b.ReportMetric(float64(m.one.full)/1e6, "state-MB")
	}
	if m.spread.rate > 0 {
		b.ReportMetric(100*(1-m.spread.rate/m.two), "loss-at-2-%")
	}
}

// rate is millions of events per second of processor time.
func rate(b *testing.B, events uint64, f func() error) float64 {
	before := cpuTime()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return float64(events) / 1e6 / (cpuTime() - before).Seconds()
}

func runLimit(q Query, events uint64) error {
	if q.Kernel != nil {
		return q.Kernel(events)
	}
	s, err := newStream(q.Columns)
	if err != nil {
		return err
	}
	kernel, rows := q.Limit(), 0
	for left := int(float64(events) * bidsPerEvent); left > 0; {
		b, err := s.read()
		if err != nil {
			return err
		}
		rows += kernel(b)
		left -= b.N
	}
	return nil
}

// TestPlansRun checks that every query compiles, and gives as many rows however
// it is spread.
func TestPlansRun(t *testing.T) {
	slabs := state.NewSlabs(state.SlabOptions{})
	defer slabs.Close()
	for _, q := range Queries() {
		g, err := Plan(q.SQL)
		if err != nil {
			t.Errorf("%s: %v", q.Name, err)
			continue
		}
		one, err := run(context.Background(), g, 200_000, 1, slabs)
		if err != nil {
			t.Errorf("%s: %v", q.Name, err)
			continue
		}
		again, err := run(context.Background(), g, 200_000, 1, slabs)
		// How many changes there are on the way to a result depends on how the rows
		// of several streams happen to interleave.
		fixed := q.Kernel == nil || g.Operators[len(g.Operators)-1].Mode == graph.AppendOnly
		if err != nil || one == 0 || again == 0 || fixed && one != again {
			t.Errorf("%s: %d rows, then %d: %v", q.Name, one, again, err)
		}
		if err := runLimit(q, 200_000); err != nil {
			t.Errorf("%s: %v", q.Name, err)
		}
	}
}
