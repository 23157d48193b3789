package bench

import (
	"context"
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/nexmark"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// marked counts what the garbage collector has to look through, when the sink has
// got a tenth and when it has got nine tenths of the rows.
type marked struct {
	*parts
	total int64
	scan  []uint64 // bytes of the Go heap that may hold pointers
	state []int64  // bytes of state
}

// Sink implements exec.Factory.
func (m *marked) Sink(*graph.Operator, int, int) (*exec.SinkOutput, error) {
	return &exec.SinkOutput{Writer: &markedWriter{counter{p: m.parts}, m}}, nil
}

type markedWriter struct {
	counter
	m *marked
}

// Write implements connector.Writer.
func (w *markedWriter) Write(ctx context.Context, b *batch.Batch) error {
	m := w.m
	if n := m.rows.Load(); len(m.scan) == 0 && n >= m.total/10 || len(m.scan) == 1 && n >= m.total/10*9 {
		runtime.GC()
		s := []metrics.Sample{{Name: "/gc/scan/heap:bytes"}}
		metrics.Read(s)
		m.scan, m.state = append(m.scan, s[0].Value.Uint64()), append(m.state, m.slabs.InUse())
	}
	return w.counter.Write(ctx, b)
}

// TestStateIsNoGarbage checks that the rows that joins, first rows of groups, distinct
// rows and ordered aggregates keep cost the garbage collector nothing, however many they
// are.
func TestStateIsNoGarbage(t *testing.T) {
	const events, scanMax = 1_000_000, 2 << 20
	queries := []Query{{Name: "distinct", SQL: `SELECT DISTINCT auction, bidder, price FROM bid`},
		{Name: "ordered", SQL: `SELECT auction, bidder, array_agg(price ORDER BY price) AS prices FROM bid GROUP BY auction, bidder`}}
	for _, q := range Queries() {
		switch q.Name {
		case "q18", "q19", "q20":
			queries = append(queries, q)
		}
	}
	for _, q := range queries {
		t.Run(q.Name, func(t *testing.T) {
			slabs := state.NewSlabs(state.SlabOptions{})
			defer slabs.Close()
			g, err := Plan(q.SQL)
			if err != nil {
				t.Fatal(err)
			}
			total, _, err := run(t.Context(), g, events, 1, slabs)
			if err != nil {
				t.Fatal(err)
			}
			m := &marked{total: total, parts: &parts{ctx: t.Context(), graph: g, slabs: state.NewSlabs(state.SlabOptions{}),
				source: func(of nexmark.Stream) connector.Source { return sourceOf(of, events) }}}
			defer m.slabs.Close()
			r, err := exec.Start(t.Context(), g, exec.Options{Parallelism: 1, Factory: m})
			if err != nil {
				t.Fatal(err)
			}
			<-r.Ended()
			r.Stop()
			<-r.Done()
			if err := r.Err(); err != nil || len(m.scan) != 2 {
				t.Fatalf("%d measurements: %v", len(m.scan), err)
			}
			t.Logf("to scan: %d KB, then %d KB; state: %d KB, then %d KB", m.scan[0]>>10, m.scan[1]>>10, m.state[0]>>10, m.state[1]>>10)
			if m.state[1] < 2*m.state[0] {
				t.Errorf("the state grew from %d to %d bytes only", m.state[0], m.state[1])
			}
			if m.scan[1] > m.scan[0]+scanMax {
				t.Errorf("the collector scans %d bytes more for %d bytes of state", m.scan[1]-m.scan[0], m.state[1]-m.state[0])
			}
		})
	}
}
