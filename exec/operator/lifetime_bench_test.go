package operator

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/types"
)

// BenchmarkLifetime is the cost of state that expires, on ten million groups: of a
// row of the stream with and without a lifetime, and of a barrier when no group is
// due and when all are. The longest barrier is reported: it is the pause.
func BenchmarkLifetime(b *testing.B) {
	const groups = 10_000_000
	for _, c := range []struct {
		name     string
		ttl      int64
		barriers bool
		now      int64 // of the barriers
	}{{"row/forever", 0, false, 0}, {"row/ttl", 1 << 40, false, 0}, {"barrier/none due", 1 << 40, true, 2}, {"barrier/all due", 10, true, 100}} {
		b.Run(c.name, func(b *testing.B) {
			op, table := lifetimeAggregate(b, c.ttl)
			defer table.Close()
			fillGroups(b, op, groups)
			in := batch.New([]types.Phys{types.PhysInt, types.PhysInt}, 0)
			in.Cols[0].Resize(batch.RowsDefault)
			in.Cols[1].Resize(batch.RowsDefault)
			in.N = batch.RowsDefault
			rng := rand.New(rand.NewPCG(1, 2))
			longest := time.Duration(0)
			b.ResetTimer()
			if !c.barriers {
				for n := 0; n < b.N; n += in.N {
					for i := range in.Cols[0].Int {
						in.Cols[0].Int[i] = rng.Int64N(groups)
					}
					if err := op.OnBatch(0, in, discard{}); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			for range b.N {
				began := time.Now()
				if err := op.(exec.Stateful).OnBarrier(exec.Barrier{Time: c.now}, discard{}); err != nil {
					b.Fatal(err)
				}
				longest = max(longest, time.Since(began))
			}
			b.ReportMetric(float64(longest.Microseconds()), "µs-longest")
			b.ReportMetric(float64(groups-table.Len())/float64(b.N), "expired/op")
		})
	}
}

// lifetimeAggregate is an aggregate by one integer whose groups have a lifetime.
func lifetimeAggregate(b *testing.B, ttl int64) (exec.Operator, *state.Table) {
	s, err := parseScript("input k bigint, v bigint\naggregate by k: count(*), sum(v)")
	if err != nil {
		b.Fatal(err)
	}
	lifetimes := s.op.Lifetimes(ttl)
	table, err := state.NewTable(s.op.Tables[0], state.Options{Extra: Extra(s.op, 0, lifetimes)})
	if err != nil {
		b.Fatal(err)
	}
	op, err := New(s.op, Env{Table: func(string) *state.Table { return table }, Inputs: s.inputs(), Lifetimes: lifetimes, Now: 1})
	if err != nil {
		b.Fatal(err)
	}
	return op, table
}

func fillGroups(b *testing.B, op exec.Operator, n int) {
	in := batch.New([]types.Phys{types.PhysInt, types.PhysInt}, 0)
	for from := 0; from < n; from += batch.RowsDefault {
		in.N = min(batch.RowsDefault, n-from)
		in.Cols[0].Resize(in.N)
		in.Cols[1].Resize(in.N)
		for i := range in.N {
			in.Cols[0].Int[i], in.Cols[1].Int[i] = int64(from+i), 1
		}
		if err := op.OnBatch(0, in, discard{}); err != nil {
			b.Fatal(err)
		}
	}
	if err := op.(exec.Stateful).OnBarrier(exec.Barrier{}, discard{}); err != nil {
		b.Fatal(fmt.Errorf("fill: %w", err))
	}
}
