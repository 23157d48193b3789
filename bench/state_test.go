package bench

import (
	"flag"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/nexmark"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/lower"
	"github.com/millrace/millrace/planner/optimize"
)

var rowsFlag = flag.Int64("rows", 1_000_000, "how many `rows` of each input measurements of state keep")

// stateQueries keep something of every row, each in an operator of its kind.
var stateQueries = []struct {
	name string
	sql  string // "" is a materialized view
	kind graph.Kind
}{
	{"aggregate", `SELECT auction, count(*) AS n, sum(price) AS total FROM bid GROUP BY auction`, graph.AggregateKind},
	{"distinct-aggregate", `SELECT price % 16 AS k, count(DISTINCT auction) AS n FROM bid GROUP BY price % 16`, graph.AggregateKind},
	{"join", `SELECT b.price, a.category FROM bid b JOIN auction a ON b.auction = a.id`, graph.JoinKind},
	{"semi-join", `SELECT b.auction, b.price FROM bid b WHERE EXISTS (SELECT FROM auction a WHERE a.id = b.auction)`, graph.JoinKind},
	{"anti-join", `SELECT b.auction, b.price FROM bid b WHERE NOT EXISTS (SELECT FROM auction a WHERE a.id = b.auction)`, graph.JoinKind},
	{"interval-join", `SELECT b.price, a.category FROM bid b JOIN auction a ON b.auction = a.id
		AND b.date_time BETWEEN a.date_time AND a.date_time + INTERVAL '10' SECOND`, graph.JoinKind},
	{"window-join", `SELECT b.price, a.category FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND) b JOIN TUMBLE(auction, date_time, INTERVAL '10' SECOND) a
		ON b.auction = a.id AND b.window_start = a.window_start AND b.window_end = a.window_end`, graph.JoinKind},
	{"temporal-join", `SELECT b.price, a.category FROM bid b JOIN auction_version FOR SYSTEM_TIME AS OF b.date_time a ON b.auction = a.id`, graph.TemporalJoinKind},
	{"lookup-join", `SELECT b.price, a.category FROM (SELECT *, proctime() AS now FROM bid) b JOIN auction_version FOR SYSTEM_TIME AS OF b.now a ON b.auction = a.id`,
		graph.LookupJoinKind},
	{"asof-join", `SELECT b.price, a.category FROM bid b ASOF JOIN auction a ON b.auction = a.id AND b.date_time >= a.date_time`, graph.AsofJoinKind},
	{"intersect", `SELECT auction FROM bid INTERSECT ALL SELECT id FROM auction`, graph.SetOpKind},
	{"distinct", `SELECT DISTINCT auction FROM bid`, graph.AggregateKind},
	{"upsert", `SELECT id, category FROM auction_version`, graph.UpsertKind},
	{"ordered-aggregate", `SELECT auction, array_agg(price ORDER BY price) AS prices FROM bid GROUP BY auction`, graph.AggregateKind},
	{"top-n", `SELECT auction, price, rn FROM (SELECT auction, price, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rn FROM bid) t
		WHERE rn <= 3`, graph.TopNKind},
	{"deduplicate", `SELECT auction, price FROM (SELECT auction, price, row_number() OVER (PARTITION BY auction ORDER BY date_time DESC) AS rn FROM bid) t
		WHERE rn = 1`, graph.TopNKind},
	{"window-top-n", `SELECT auction, price FROM (SELECT auction, price, row_number() OVER (PARTITION BY window_start, window_end, auction ORDER BY price DESC) AS rn
		FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND)) t WHERE rn <= 3`, graph.TopNKind},
	{"over", `SELECT auction, sum(price) OVER (PARTITION BY auction ORDER BY date_time ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS s FROM bid`, graph.OverKind},
	{"session", `SELECT auction, count(*) AS n FROM bid GROUP BY auction, SESSION(date_time, INTERVAL '10' SECOND)`, graph.WindowAggregateKind},
	{"over-changes", `SELECT auction, price, rank() OVER (PARTITION BY auction ORDER BY price) AS r FROM bid`, graph.OverKind},
	{"window-aggregate", `SELECT auction, count(*) AS n FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND) GROUP BY auction, window_start, window_end`, graph.WindowAggregateKind},
	{"hop-aggregate", `SELECT auction, count(*) AS n FROM HOP(bid, date_time, INTERVAL '2' SECOND, INTERVAL '10' SECOND) GROUP BY auction, window_start, window_end`,
		graph.WindowAggregateKind},
	{"cumulate-aggregate", `SELECT auction, count(*) AS n FROM CUMULATE(bid, date_time, INTERVAL '2' SECOND, INTERVAL '10' SECOND) GROUP BY auction, window_start, window_end`,
		graph.WindowAggregateKind},
	{"materialize", "", graph.MaterializeKind},
}

// BenchmarkState prints, for each kind of operator that keeps something of every
// row of its input, each with a key of its own, what that takes:
//
//	bytes/key       of the operator's tables, outside of the Go heap
//	off-heap-B/key  all memory taken for state, what is derived included
//	heap-B/key      by how much the Go heap grew
//	gc-ms           processor time of a garbage collection with the state there
//	gc-before-ms    and before it was
//	gc-cpu-%        what all collections took of the processor time while rows came
//	gc-pauses-ms    how long they stopped everything, in total
//	gc-pause-ms     and at a time
//
// A join has a row of each side for each key.
func BenchmarkState(b *testing.B) {
	for _, q := range stateQueries {
		b.Run(q.name, func(b *testing.B) {
			var g *graph.Graph
			var err error
			if q.sql == "" {
				g, err = viewPlan(`SELECT auction, bidder, price FROM bid`)
			} else {
				g, err = Plan(q.sql)
			}
			if err != nil {
				b.Fatal(err)
			}
			for range b.N {
				keepRows(b, g, q.kind)
			}
		})
	}
}

// viewPlan compiles a query to the job of a materialized view.
func viewPlan(sql string) (*graph.Graph, error) {
	root, err := bound(sql)
	if err != nil {
		return nil, err
	}
	rel := &catalog.Relation{ID: "out", Schema: "public", Name: "out", Kind: catalog.MaterializedView}
	for _, f := range root.Fields() {
		rel.Columns = append(rel.Columns, catalog.Column{Name: f.Name, Type: f.Type})
	}
	view := optimize.Materialize(&logical.Materialize{Input: root, Relation: rel}, optimize.Options{Evaluate: constant})
	return lower.View(view, lower.Options{})
}

func keepRows(b *testing.B, g *graph.Graph, kind graph.Kind) {
	if !slices.ContainsFunc(g.Operators, func(op graph.Operator) bool { return op.Kind == kind }) {
		b.Fatalf("the plan has no operator of kind %s", kind)
	}
	slabs, read, sources := state.NewSlabs(state.SlabOptions{}), new(atomic.Int64), int64(0)
	defer slabs.Close()
	for i := range g.Operators {
		if g.Operators[i].Kind == graph.SourceKind {
			sources++
		}
	}
	heapBefore, gcBefore := collect()
	before := collections()
	p := &parts{ctx: b.Context(), graph: g, slabs: slabs,
		source: func(of nexmark.Stream) connector.Source {
			// A lookup join reads its left side only when it has seen all of the right one.
			ends := kind == graph.LookupJoinKind && of == nexmark.Auction
			return &numbered{stream: of, rows: *rowsFlag, ends: ends, read: read}
		}}
	kept, reported := make(chan int64, 1), sync.Once{}
	r, err := exec.Start(b.Context(), g, exec.Options{Parallelism: 1, Factory: p, OnReport: func(rep exec.Report) {
		for _, op := range rep.Operators {
			if op.Kind == kind {
				reported.Do(func() { kept <- op.Counters.StateBytes })
			}
		}
		rep.Release()
	}})
	if err != nil {
		b.Fatal(err)
	}
	for read.Load() < sources**rowsFlag {
		select {
		case <-r.Done():
			b.Fatal(r.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	if err := r.Inject(b.Context(), exec.Barrier{Epoch: 1, Checkpoint: 1}, false); err != nil {
		b.Fatal(err)
	}
	tables := <-kept
	spent := collections().since(before)
	heap, gc := collect()
	perKey := func(bytes int64) float64 { return max(0, float64(bytes)) / float64(*rowsFlag) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(perKey(tables), "bytes/key")
	b.ReportMetric(perKey(slabs.InUse()), "off-heap-B/key")
	b.ReportMetric(perKey(heap-heapBefore), "heap-B/key")
	b.ReportMetric(gc.Seconds()*1e3, "gc-ms")
	b.ReportMetric(gcBefore.Seconds()*1e3, "gc-before-ms")
	b.ReportMetric(100*spent.gc/(spent.gc+spent.user), "gc-cpu-%")
	b.ReportMetric(spent.pauses.Seconds()*1e3, "gc-pauses-ms")
	b.ReportMetric(spent.pauses.Seconds()*1e3/float64(max(spent.times, 1)), "gc-pause-ms")
	r.Stop()
	<-r.Done()
}

// collected is what garbage collections have taken, in seconds of processor time, and
// what all else has.
type collected struct {
	gc, user float64
	pauses   time.Duration
	times    uint32
}

// collections collects garbage, without which nobody counts, and says what has been
// taken so far.
func collections() collected {
	runtime.GC()
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/user:cpu-seconds"}}
	metrics.Read(s)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return collected{gc: s[0].Value.Float64(), user: s[1].Value.Float64(), pauses: time.Duration(m.PauseTotalNs), times: m.NumGC}
}

func (c collected) since(b collected) collected {
	return collected{gc: c.gc - b.gc, user: c.user - b.user, pauses: c.pauses - b.pauses, times: c.times - b.times}
}

// collect returns the live bytes of the Go heap, and what a collection costs.
func collect() (heap int64, each time.Duration) {
	const times = 4
	runtime.GC() // what has died is not part of the cost
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(s)
	before := s[0].Value.Float64()
	for range times {
		runtime.GC()
	}
	metrics.Read(s)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), time.Duration((s[0].Value.Float64() - before) / times * float64(time.Second))
}
