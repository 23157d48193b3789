package bench

import (
	"context"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// events is how many events a measurement is over.
func events(tb testing.TB) uint64 {
	if s := os.Getenv("MILLRACE_BENCH_EVENTS"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			tb.Fatalf("MILLRACE_BENCH_EVENTS: %v", err)
		}
		return n
	}
	return 20_000_000
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

// BenchmarkNexmark prints a line per query: millions of events per second of one
// core, of the compiled plan at parallelism 1 and 2 and of the limit kernel, and
// how far the plan is from its goal.
func BenchmarkNexmark(b *testing.B) {
	n := events(b)
	for _, q := range Queries() {
		b.Run(q.Name, func(b *testing.B) {
			g, err := Plan(q.SQL)
			if err != nil {
				b.Fatal(err)
			}
			var plan, two, limit float64
			for range b.N {
				plan = max(plan, rate(b, n, func() error { _, err := run(context.Background(), g, n, 1); return err }))
				limit = max(limit, rate(b, n, func() error { return runLimit(q, n) }))
				two = max(two, rate(b, n, func() error { _, err := run(context.Background(), g, n, 2); return err }))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(plan, "Mev/s/core")
			b.ReportMetric(two, "Mev/s/core-at-2")
			b.ReportMetric(limit, "limit")
			b.ReportMetric(q.Goal, "goal")
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
	for _, q := range Queries() {
		g, err := Plan(q.SQL)
		if err != nil {
			t.Errorf("%s: %v", q.Name, err)
			continue
		}
		one, err := run(context.Background(), g, 200_000, 1)
		if err != nil {
			t.Errorf("%s: %v", q.Name, err)
			continue
		}
		again, err := run(context.Background(), g, 200_000, 1)
		if err != nil || one != again || one == 0 {
			t.Errorf("%s: %d rows, then %d: %v", q.Name, one, again, err)
		}
		if err := runLimit(q, 200_000); err != nil {
			t.Errorf("%s: %v", q.Name, err)
		}
	}
}
