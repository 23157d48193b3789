package operator

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// cpuTime is the processor time that the process has used: on a machine that
// does other work too, the only clock that tells the truth.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkJoin measures a join of bids with auctions as Nexmark orders them: 46
// bids come for three auctions, for hot ones and for some of the last hundred.
func BenchmarkJoin(b *testing.B) {
	for _, c := range []struct{ name, op string }{
		{"inner, numbered", "join inner on 1 by number, number"},
		{"inner, keyed", "join inner on 1 by number, key 0"},
		{"left, numbered", "join left on 1 by number, number"},
		{"semi", "join semi on 1 by number, copies"},
		{"inner, condition", "join inner on 1 by number, key 0 where v < w"},
	} {
		b.Run(c.name, func(b *testing.B) { benchJoin(b, c.op) })
	}
}

func benchJoin(b *testing.B, op string) {
	const events = 2_000_000
	s, err := parseScript("left auction bigint, bidder bigint, v bigint\nright id bigint, seller bigint, w bigint\n" + op)
	if err != nil {
		b.Fatal(err)
	}
	if s.op.Join.Sides[1].Identity == graph.ByCopies {
		if s, err = parseScript("left auction bigint, bidder bigint, v bigint\nright id bigint\n" + op); err != nil {
			b.Fatal(err)
		}
	}
	bids, auctions := benchBatches(s, events)
	slabs := state.NewSlabs(state.SlabOptions{})
	defer slabs.Close()
	out := &countingOutput{}
	cpu := cpuTime()
	rows := 0
	for range b.N {
		tables := map[string]*state.Table{}
		for _, schema := range s.op.Tables {
			t, err := state.NewTable(schema, state.Options{Slabs: slabs})
			if err != nil {
				b.Fatal(err)
			}
			tables[schema.Name] = t
		}
		join, err := New(s.op, Env{Table: func(name string) *state.Table { return tables[name] }, Inputs: s.inputs()})
		if err != nil {
			b.Fatal(err)
		}
		next := 0
		for i, in := range bids {
			rows += in.N
			if err := join.OnBatch(0, in, out); err != nil {
				b.Fatal(err)
			}
			for ; next < len(auctions) && next*46 < i*3; next++ {
				rows += auctions[next].N
				if err := join.OnBatch(1, auctions[next], out); err != nil {
					b.Fatal(err)
				}
			}
		}
		for _, t := range tables {
			t.Close()
		}
	}
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(rows), "cpu-ns/row")
	b.ReportMetric(float64(out.rows)/float64(rows), "out/row")
	b.ReportMetric(0, "ns/op")
}

func benchBatches(s *script, events int) (bids, auctions []*batch.Batch) {
	r := rand.New(rand.NewPCG(1, 2))
	var cols [2][]types.Type
	for i, fields := range s.inputs() {
		for _, f := range fields {
			cols[i] = append(cols[i], f.Type)
		}
	}
	fill := func(port int, id func(i int) int64, n int) (all []*batch.Batch) {
		for from := 0; from < n; from += batch.RowsDefault {
			b := batch.New(layoutOf(s.inputs()[port]), min(batch.RowsDefault, n-from))
			b.N = min(batch.RowsDefault, n-from)
			for k := range b.N {
				for c := range b.Cols {
					b.Cols[c].Int[k] = r.Int64N(1000)
				}
				b.Cols[0].Int[k] = id(from + k)
			}
			all = append(all, b)
		}
		return all
	}
	bids = fill(0, func(i int) int64 {
		last := int64(i)*3/46 + 100
		if r.IntN(2) == 0 {
			return last / 100 * 100
		}
		return last - r.Int64N(100)
	}, events*46/50)
	auctions = fill(1, func(i int) int64 { return int64(i) }, events*3/50)
	return bids, auctions
}

type countingOutput struct{ rows int }

func (c *countingOutput) Emit(b *batch.Batch) error {
	c.rows += b.Live()
	return nil
}

// BenchmarkGoMapJoin is the same with Go maps of slices.
func BenchmarkGoMapJoin(b *testing.B) {
	s, err := parseScript("left auction bigint, bidder bigint, v bigint\nright id bigint, seller bigint, w bigint\njoin inner on 1 by number, number")
	if err != nil {
		b.Fatal(err)
	}
	type row [2]int64
	bids, auctions := benchBatches(s, 2_000_000)
	rows, emitted := 0, 0
	cpu := cpuTime()
	for range b.N {
		var sides [2]map[int64][]row
		sides[0], sides[1] = map[int64][]row{}, map[int64][]row{}
		out := batch.New(layoutOf(append(append([]types.Field{}, s.fields...), s.right...)), 0)
		feed := func(port int, in *batch.Batch) {
			rows += in.N
			for i, k := range in.Cols[0].Int {
				for _, o := range sides[1-port][k] {
					out.Cols[0].Int = append(out.Cols[0].Int, k)
					out.Cols[1].Int = append(out.Cols[1].Int, o[0])
					out.Cols[2].Int = append(out.Cols[2].Int, o[1])
					emitted++
				}
				sides[port][k] = append(sides[port][k], row{in.Cols[1].Int[i], in.Cols[2].Int[i]})
			}
			out.Reset()
		}
		next := 0
		for i, in := range bids {
			feed(0, in)
			for ; next < len(auctions) && next*46 < i*3; next++ {
				feed(1, auctions[next])
			}
		}
	}
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(rows), "cpu-ns/row")
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(emitted)/float64(rows), "out/row")
}
