package exec

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/background"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// counting is a source of splits whose rows are (key, event time) with ascending
// times, a row now and then far behind the others.
type counting struct {
	splits, rows int
	endless      bool
	behind       int64 // how far some rows are; 0: 40
}

func (c *counting) Schema() []connector.Column { return nil }
func (c *counting) Follows() bool              { return false }
func (c *counting) Splits(context.Context) ([]connector.Split, error) {
	var out []connector.Split
	for i := range c.splits {
		out = append(out, connector.Split{ID: strconv.Itoa(i)})
	}
	return out, nil
}

func (c *counting) Open(_ context.Context, s connector.Split, offset []byte, _ []int) (connector.Reader, error) {
	at, _ := strconv.Atoi(string(offset))
	return &countingReader{c: c, at: at}, nil
}

type countingReader struct {
	c  *counting
	at int
}

func (r *countingReader) Read(_ context.Context, out *batch.Batch, limit int) (connector.Status, error) {
	for ; out.N < limit && (r.c.endless || r.at < r.c.rows); r.at++ {
		when := int64(r.at)
		if r.at%50 == 49 {
			when -= cmp.Or(r.c.behind, 40)
		}
		for k, v := range []int64{int64(r.at % 97), when} {
			out.Cols[k].Resize(out.N + 1)
			out.Cols[k].Int[out.N] = v
		}
		out.N++
	}
	if !r.c.endless && r.at == r.c.rows {
		return connector.End, nil
	}
	return connector.More, nil
}

func (r *countingReader) Ready() <-chan struct{} { return nil }
func (r *countingReader) Offset() []byte         { return strconv.AppendInt(nil, int64(r.at), 10) }
func (r *countingReader) Close() error           { return nil }

// counter counts the rows it sees, and those behind the watermark.
type counter struct {
	rows, late, barriers, ends int64
	watermark                  Watermark
	fail                       int64 // row at which it fails; 0: never
	group                      func(hash int64)
}

func (c *counter) OnBatch(_ int, in *batch.Batch, out Output) error {
	for k := range in.Live() {
		c.rows++
		if in.Cols[1].Int[in.RowAt(k)] < c.watermark {
			c.late++
		}
		if c.group != nil {
			c.group(in.Cols[0].Int[in.RowAt(k)])
		}
		if c.fail > 0 && c.rows == c.fail {
			panic("row that nobody can bear")
		}
	}
	return out.Emit(in)
}

func (c *counter) OnWatermark(w Watermark, _ Output) error {
	if w <= c.watermark && w != WatermarkMin {
		return fmt.Errorf("watermark went from %d to %d", c.watermark, w)
	}
	c.watermark = w
	return nil
}
func (c *counter) OnEnd(Output) error { c.ends++; return nil }

// factory makes counters and remembers them.
type factory struct {
	mu       sync.Mutex
	source   *counting
	splits   []SplitState
	counters map[string][]*counter
	fail     int64
	owners   map[int64]int
	t        *testing.T
}

func (f *factory) Operator(op *graph.Operator, task, _ int) (Made, error) {
	c := &counter{watermark: WatermarkMin, fail: f.fail}
	if op.ID == "second" && op.Inputs[0].Exchange.Kind == graph.Hash {
		c.group = func(key int64) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if owner, ok := f.owners[key]; ok && owner != task {
				f.t.Errorf("key %d came to task %d and to task %d", key, owner, task)
			}
			f.owners[key] = task
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counters[op.ID] = append(f.counters[op.ID], c)
	return Made{Operator: c}, nil
}

func (f *factory) Source(_ *graph.Operator, task, tasks int) (*SourceInput, error) {
	in := &SourceInput{Source: f.source, Want: []int{0, 1}, Layout: []types.Phys{types.PhysInt, types.PhysInt}, TimeColumn: 1,
		Watermark: func(b *batch.Batch) (*batch.Column, error) {
			c := batch.NewColumn(types.PhysInt, b.N)
			for i := range b.N {
				c.Int[i] = b.Cols[1].Int[i] - 10
			}
			return c, nil
		}}
	if f.splits == nil {
		list, _ := f.source.Splits(context.Background())
		for _, s := range list {
			f.splits = append(f.splits, SplitState{ID: s.ID, Watermark: WatermarkMin})
		}
	}
	for i, s := range f.splits {
		if i%tasks == task {
			in.Splits = append(in.Splits, s)
		}
	}
	return in, nil
}

func (f *factory) Sink(*graph.Operator, int, int) (*SinkOutput, error) { return nil, nil }

// chain is source → first → (exchange) → second.
func chain(kind graph.ExchangeKind) *graph.Graph {
	fields := []types.Field{{Name: "k", Type: types.Of(types.Int64)}, {Name: "t", Type: types.Of(types.Timestamp)}}
	return &graph.Graph{Version: graph.Version, Operators: []graph.Operator{
		{ID: "source", Kind: graph.SourceKind, Fields: fields, TimeColumn: 1},
		{ID: "first", Kind: graph.FilterKind, Fields: fields, Inputs: []graph.Input{{Operator: 0, Exchange: graph.Exchange{Kind: graph.Forward}}}},
		{ID: "second", Kind: graph.AggregateKind, Fields: fields, Inputs: []graph.Input{{Operator: 1, Exchange: graph.Exchange{Kind: kind, Keys: []int{0}}}}},
	}}
}

func newFactory(t *testing.T, splits, rows int) *factory {
	return &factory{source: &counting{splits: splits, rows: rows}, counters: map[string][]*counter{}, owners: map[int64]int{}, t: t}
}

func (f *factory) total(id string) (rows, late int64) {
	for _, c := range f.counters[id] {
		rows, late = rows+c.rows, late+c.late
	}
	return rows, late
}

// ended waits for the end of the input and stops the run.
func ended(t *testing.T, r *Run) {
	t.Helper()
	select {
	case <-r.Ended():
	case <-r.Done():
		t.Fatal(r.Err())
	case <-time.After(10 * time.Second):
		t.Fatal("the input did not end")
	}
	r.Stop()
}

func TestEveryRowArrivesOnce(t *testing.T) {
	for _, kind := range []graph.ExchangeKind{graph.Hash, graph.Single, graph.Forward} {
		for parallelism := 1; parallelism <= 3; parallelism++ {
			for i, rows := range []int{1, 3, 1024, 1, 3, 1024} {
				f := newFactory(t, 4, 2000)
				var slots *background.Slots
				if i >= 3 {
					slots = background.Shared()
				}
				r, err := Start(context.Background(), chain(kind), Options{Parallelism: parallelism, BatchRows: rows, Factory: f, Slots: slots})
				if err != nil {
					t.Fatal(err)
				}
				ended(t, r)
				if n, _ := f.total("second"); n != 8000 {
					t.Errorf("%s at parallelism %d, batches of %d: %d rows, want 8000", kind, parallelism, rows, n)
				}
				for _, c := range f.counters["second"] {
					if c.watermark != WatermarkMax || c.ends != 1 {
						t.Errorf("%s at parallelism %d: watermark %d, %d ends", kind, parallelism, c.watermark, c.ends)
					}
				}
			}
		}
	}
}

// TestInputsInFewerTasks unites what one task makes of a source with the source itself:
// the others' part of that does not come, and holds back neither time nor the end.
func TestInputsInFewerTasks(t *testing.T) {
	g := chain(graph.Single)
	fields, forward := g.Operators[0].Fields, graph.Exchange{Kind: graph.Forward}
	g.Operators[2].ID = "one"
	g.Operators = append(g.Operators,
		graph.Operator{ID: "union", Kind: graph.UnionKind, Fields: fields, Inputs: []graph.Input{{Operator: 2, Exchange: forward}, {Operator: 0, Exchange: forward}}},
		graph.Operator{ID: "second", Kind: graph.AggregateKind, Fields: fields, Inputs: []graph.Input{{Operator: 3, Exchange: graph.Exchange{Kind: graph.Hash, Keys: []int{0}}}}})
	for parallelism := 1; parallelism <= 3; parallelism++ {
		f := newFactory(t, 4, 500)
		r, err := Start(context.Background(), g, Options{Parallelism: parallelism, Factory: f})
		if err != nil {
			t.Fatal(err)
		}
		ended(t, r)
		if n, _ := f.total("second"); n != 4000 {
			t.Errorf("parallelism %d: %d rows, want 4000", parallelism, n)
		}
	}
}

// A row is judged against the watermark of the rows before it, however they
// were cut into batches, and although exchanges do not send each watermark.
func TestLatenessDoesNotDependOnBatches(t *testing.T) {
	for _, kind := range []graph.ExchangeKind{graph.Forward, graph.Single, graph.Hash} {
		for _, rows := range []int{1, 3, 64, 1024} {
			for _, parallelism := range []int{1, 2} {
				f := newFactory(t, 1, 5000)
				f.source.behind = 12 // a little more than the watermark before them
				r, err := Start(context.Background(), chain(kind), Options{Parallelism: parallelism, BatchRows: rows, Factory: f})
				if err != nil {
					t.Fatal(err)
				}
				ended(t, r)
				if _, late := f.total("second"); late != 100 {
					t.Errorf("%s, batches of %d, parallelism %d: %d late rows, want 100", kind, rows, parallelism, late)
				}
			}
		}
	}
}

// At a barrier every operator has seen exactly the rows before the sources'
// offsets.
func TestBarriersCutConsistently(t *testing.T) {
	for i := range 6 {
		parallelism := 1 + i%3
		var slots *background.Slots
		if i >= 3 {
			slots = background.Shared()
		}
		f := newFactory(t, 4, 0)
		f.source.endless = true
		reports := make(chan Report, 64)
		seen := map[*counter]int64{}
		var mu sync.Mutex
		g := chain(graph.Hash)
		r, err := Start(context.Background(), g, Options{Parallelism: parallelism, BatchRows: 16, Factory: cutting{f, seen, &mu}, Slots: slots,
			OnReport: func(rep Report) { reports <- rep }})
		if err != nil {
			t.Fatal(err)
		}
		for n := int64(1); n <= 20; n++ {
			time.Sleep(time.Millisecond)
			if err := r.Inject(context.Background(), Barrier{Epoch: uint64(n), Checkpoint: n}, false); err != nil {
				t.Fatal(err)
			}
			var read int64
			for range r.Tasks() {
				rep := next(t, reports, r)
				for _, op := range rep.Operators {
					if op.Source != nil {
						for _, s := range op.Source.Splits {
							at, _ := strconv.ParseInt(string(s.Offset), 10, 64)
							read += at
						}
					}
				}
			}
			mu.Lock()
			var counted int64
			for c, rows := range seen {
				if c.barriers != n {
					t.Errorf("an operator has seen %d barriers, want %d", c.barriers, n)
				}
				counted += rows
			}
			mu.Unlock()
			if counted != read {
				t.Fatalf("parallelism %d, barrier %d: sources delivered %d rows, the operator has seen %d", parallelism, n, read, counted)
			}
		}
		r.Stop()
	}
}

// cutting makes second note how many rows it had seen at each barrier.
type cutting struct {
	*factory
	seen map[*counter]int64
	mu   *sync.Mutex
}

func (c cutting) Operator(op *graph.Operator, task, tasks int) (Made, error) {
	m, err := c.factory.Operator(op, task, tasks)
	if op.ID != "second" {
		return m, err
	}
	return Made{Operator: cutCounter{m.Operator.(*counter), c}}, err
}

type cutCounter struct {
	*counter
	c cutting
}

func (o cutCounter) OnBarrier(Barrier, Output) error {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	o.barriers++
	o.c.seen[o.counter] = o.rows
	return nil
}

func TestPanicFailsTheRunOnly(t *testing.T) {
	f := newFactory(t, 2, 5000)
	f.fail = 777
	r, err := Start(context.Background(), chain(graph.Hash), Options{Parallelism: 2, Factory: f})
	if err != nil {
		t.Fatal(err)
	}
	<-r.Done()
	if r.Err() == nil {
		t.Error("the run says nothing of the panic")
	}
}

func TestDrainEndsEndlessSources(t *testing.T) {
	f := newFactory(t, 3, 0)
	f.source.endless = true
	r, err := Start(context.Background(), chain(graph.Hash), Options{Parallelism: 2, Factory: f})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Millisecond)
	if err := r.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	ended(t, r)
	first, _ := f.total("first")
	second, _ := f.total("second")
	if first != second {
		t.Errorf("%d rows before the exchange, %d after it", first, second)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		kind   graph.ExchangeKind
		p      int
		stages string
	}{
		{graph.Forward, 1, "[{1 [0 1 2]}]"}, {graph.Hash, 1, "[{1 [0 1 2]}]"},
		{graph.Forward, 2, "[{2 [0 1 2]}]"}, {graph.Hash, 2, "[{2 [0 1]} {2 [2]}]"}, {graph.Single, 2, "[{2 [0 1]} {1 [2]}]"},
	} {
		if got := fmt.Sprint(Cut(chain(c.kind), c.p).Stages); got != c.stages {
			t.Errorf("%s at parallelism %d: %s, want %s", c.kind, c.p, got, c.stages)
		}
	}
}

func TestGroupRangesCoverAllGroupsOnce(t *testing.T) {
	for tasks := 1; tasks <= 64; tasks++ {
		next := 0
		for task := range tasks {
			r := GroupRange(task, tasks)
			if r.Lo != next {
				t.Fatalf("%d tasks: task %d begins at %d, want %d", tasks, task, r.Lo, next)
			}
			for g := r.Lo; g < r.Hi; g++ {
				if TaskOf(g, tasks) != task {
					t.Fatalf("%d tasks: group %d goes to task %d, but task %d owns it", tasks, g, TaskOf(g, tasks), task)
				}
			}
			next = r.Hi
		}
		if next != 1024 {
			t.Fatalf("%d tasks end at %d", tasks, next)
		}
	}
}

// next waits for a report.
func next(t *testing.T, reports <-chan Report, r *Run) Report {
	t.Helper()
	select {
	case rep := <-reports:
		return rep
	case <-r.Done():
		t.Fatal(r.Err())
	case <-time.After(10 * time.Second):
		t.Fatal("no report came")
	}
	return Report{}
}

// TestReportsDoNotChange keeps the positions that barriers reported while the
// splits come to their ends: a checkpoint is written in the background.
func TestReportsDoNotChange(t *testing.T) {
	f := newFactory(t, 3, 20_000)
	reports := make(chan Report, 4096)
	r, err := Start(context.Background(), chain(graph.Hash), Options{BatchRows: 8, Factory: f, OnReport: func(rep Report) { reports <- rep }})
	if err != nil {
		t.Fatal(err)
	}
	var kept []Report
	for n := int64(1); n <= 200; n++ {
		if err := r.Inject(context.Background(), Barrier{Epoch: uint64(n), Checkpoint: n}, false); err != nil {
			t.Fatal(err)
		}
		for range r.Tasks() {
			kept = append(kept, next(t, reports, r))
		}
	}
	ended(t, r)
	half := 0
	for _, rep := range kept {
		for _, op := range rep.Operators {
			if op.Source == nil {
				continue
			}
			for _, s := range op.Source.Splits {
				if at := strconv.FormatInt(s.Rows, 10); string(s.Offset) != at {
					t.Fatalf("barrier %d: split %s delivered %s rows and is at %s", rep.Barrier.Epoch, s.ID, at, s.Offset)
				}
				if s.Rows > 0 && !s.Ended {
					half++
				}
			}
		}
	}
	if half == 0 {
		t.Error("no barrier came in the middle of a split: the test shows nothing")
	}
}
