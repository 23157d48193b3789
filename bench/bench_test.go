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
	// intervalFlag is as in a job's option. A run lasts a little longer than two of them.
	intervalFlag = flag.Duration("interval", 10*time.Second, "the `time` between checkpoints; 0: a third of what the plan took without, which is quick")
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

// checkpointedRunMin is how long runs with checkpoints take at least, for what
// starting and ending a job takes not to matter, and intervalsPerRun how many times
// the interval between them.
const (
	checkpointedRunMin = 1500 * time.Millisecond
	intervalsPerRun    = 2.2
)

// grownStateMax is how many bytes of state a run with checkpoints may come to. What
// grows faster than that allows has a shorter run.
const grownStateMax = 6 << 30

// measures are one run's figures of a query.
type measures struct {
	limit           float64
	one, two        plain // at parallelism 1 and 2
	oneCheckpointed checkpointed
	twoCheckpointed checkpointed
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
// Runs with checkpoints last for two intervals, or until there are 6 GiB of state,
// and have one more checkpoint at the end. Where state grows with every event the
// loss is beside a run without checkpoints over as many events. With -interval=0 a
// run is short, and checkpoints come after each third of what the plan takes without
// them: a page that was changed is written once per checkpoint, however often it was
// changed, so that this costs at least as much per event, and the loss is an upper
// bound.
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
	if wants("plan-at-2") || wants("checkpoints-at-2") {
		m.two.keepBest(runPlain(b, g, n, 2, slabs))
	}
	if wants("checkpoints-at-2") {
		m.twoCheckpointed = runBoth(b, q, g, n, 2, m.two, slabs)
	}
	if wants("limit") {
		m.limit = max(m.limit, rate(b, n, func() error { return runLimit(q, n) }))
	}
	if wants("plan") || wants("checkpoints") {
		m.one.keepBest(runPlain(b, g, n, 1, slabs))
	}
	if wants("checkpoints") {
		m.oneCheckpointed = runBoth(b, q, g, n, 1, m.one, slabs)
	}
}

// plain is what a run without checkpoints came to.
type plain struct {
	rate  float64 // millions of events per second of processor time
	took  time.Duration
	state int64 // bytes of memory at the end
}

func (p *plain) keepBest(r plain) {
	if r.rate > p.rate {
		*p = r
	}
}

func runPlain(b *testing.B, g *graph.Graph, events uint64, parallelism int, slabs *state.Slabs) (p plain) {
	start := time.Now()
	p.rate = rate(b, events, func() (err error) {
		_, p.state, err = run(b.Context(), g, events, parallelism, slabs)
		return err
	})
	p.took = time.Since(start)
	return p
}

// runBoth runs a plan with checkpoints, and without them where their loss cannot be
// told from the plain run over n events.
func runBoth(b *testing.B, q Query, g *graph.Graph, n uint64, parallelism int, p plain, slabs *state.Slabs) checkpointed {
	interval, more := *intervalFlag, 1.0
	switch {
	case interval > 0:
		more = max(1, min(intervalsPerRun*interval.Seconds()/p.took.Seconds(), grownStateMax/float64(p.state+1)))
	case !q.Grows: // else more state is slower, and the two could not be compared
		more = max(1, checkpointedRunMin.Seconds()/p.took.Seconds())
	}
	n = uint64(more * float64(n))
	if interval == 0 {
		interval = time.Duration(more * float64(p.took) / 3)
	} else if q.Grows {
		touchMemory(b, slabs, grownStateMax+grownStateMax/3) // snapshots keep pages, too
		p = runPlain(b, g, n, parallelism, slabs)
	}
	c := runWithCheckpoints(b, q, g, n, parallelism, interval, slabs)
	c.loss = 1 - c.rate/p.rate
	return c
}

func (m *measures) print(b *testing.B, q Query) {
	b.ReportMetric(0, "ns/op")
	report := func(value float64, unit string) {
		if value > 0 && !math.IsInf(value, 0) {
			b.ReportMetric(value, unit)
		}
	}
	report(m.limit, "limit")
	report(m.one.rate, "plan")
	report(m.two.rate, "plan-at-2")
	report(m.one.rate/m.limit, "of-limit")
	report(q.Goal, "goal")
	report(m.one.rate/q.Goal, "of-goal")
	if c := &m.oneCheckpointed; c.rate > 0 {
		b.ReportMetric(100*c.loss, "loss-%")
		b.ReportMetric(float64(c.number), "ckpts")
		b.ReportMetric(c.took.Seconds()*1e3, "ckpt-ms")
		b.ReportMetric(c.bytes/1e3, "ckpt-KB")
		b.ReportMetric(float64(c.full)/1e6, "state-MB")
	}
	if c := &m.twoCheckpointed; c.rate > 0 {
		b.ReportMetric(100*c.loss, "loss-at-2-%")
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
		_, err := q.Kernel(events)
		return err
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
		one, _, err := run(context.Background(), g, 200_000, 1, slabs)
		if err != nil {
			t.Errorf("%s: %v", q.Name, err)
			continue
		}
		again, _, err := run(context.Background(), g, 200_000, 1, slabs)
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

// TestKernelsJoin checks that the kernels of joins put out as many rows as the plans.
func TestKernelsJoin(t *testing.T) {
	slabs := state.NewSlabs(state.SlabOptions{})
	defer slabs.Close()
	for _, q := range Queries() {
		if q.Name != "q3" && q.Name != "q20" {
			continue
		}
		g, err := Plan(q.SQL)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time in memory that was used
			want, _, err := run(t.Context(), g, 1_000_000, 1, slabs)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := q.Kernel(1_000_000); err != nil || int64(got) != want || got == 0 {
				t.Errorf("%s: the kernel puts %d rows out, the plan %d: %v", q.Name, got, want, err)
			}
		}
	}
}
