package bench

import (
	"context"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// eventsDefault is how many events a measurement of a fast query is over.
const eventsDefault = 8_000_000

// events is how many events a measurement of a query is over: the heavier the
// query, the fewer.
func events(tb testing.TB, q Query) uint64 {
	n := uint64(eventsDefault)
	if s := os.Getenv("MILLRACE_BENCH_EVENTS"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			tb.Fatalf("MILLRACE_BENCH_EVENTS: %v", err)
		}
	}
	switch {
	case q.Goal < 10:
		n /= 4
	case q.Goal < 15:
		n /= 2
	}
	return n
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

// benchCheckpointInterval is far shorter than a job's usual 10 s, so that short
// runs have several checkpoints, and their cost shows enlarged.
const benchCheckpointInterval = 250 * time.Millisecond

// BenchmarkNexmark prints a line per query, all rates in millions of events per
// second of one core, by processor time:
//
//	plan, plan-at-2   the compiled plan at parallelism 1 and 2
//	limit, of-limit   the hand-fused kernel in the same run, and plan as a part of it
//	goal              what to aim for
//	with-checkpoints  the plan as a job with a checkpoint every quarter of a second
//	ckpt-ms, ckpt-KB  the slowest such checkpoint, and what one writes on average
//	state-MB          what the last one refers to
//
// As in a server, the memory of state is recycled: plan finds most of what it
// needs with slabs, since plan-at-2 ran before it, while that and the job take
// fresh memory, whose first touch costs 0.5 ns a byte, and on some virtual
// machines six times as much.
func BenchmarkNexmark(b *testing.B) {
	slabs := state.NewSlabs(state.SlabOptions{})
	defer slabs.Close()
	for _, q := range Queries() {
		b.Run(q.Name, func(b *testing.B) {
			g, err := Plan(q.SQL)
			if err != nil {
				b.Fatal(err)
			}
			n := events(b, q)
			var plan, two, limit float64
			var with checkpointed
			for range b.N {
				two = max(two, rate(b, n, func() error { _, err := run(b.Context(), g, n, 2, slabs); return err }))
				limit = max(limit, rate(b, n, func() error { return runLimit(q, n) }))
				plan = max(plan, rate(b, n, func() error { _, err := run(b.Context(), g, n, 1, slabs); return err }))
				with = runWithCheckpoints(b, q, g, n, benchCheckpointInterval)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(plan, "plan")
			b.ReportMetric(two, "plan-at-2")
			b.ReportMetric(limit, "limit")
			b.ReportMetric(plan/limit, "of-limit")
			b.ReportMetric(q.Goal, "goal")
			b.ReportMetric(with.rate, "with-checkpoints")
			b.ReportMetric(with.took.Seconds()*1e3, "ckpt-ms")
			b.ReportMetric(with.bytes/1e3, "ckpt-KB")
			b.ReportMetric(float64(with.full)/1e6, "state-MB")
		})
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
