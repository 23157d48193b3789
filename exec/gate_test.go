package exec

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// parseGateGraph reads "a b c; j = lookup(a, b); k = lookup(j, c)": sources, then operators of
// what came before.
func parseGateGraph(text string) (g *graph.Graph, names []string) {
	g = &graph.Graph{}
	parts := strings.Split(text, "; ")
	for _, s := range strings.Fields(parts[0]) {
		names = append(names, s)
		g.Operators = append(g.Operators, graph.Operator{ID: s, Kind: graph.SourceKind})
	}
	for _, p := range parts[1:] {
		name, rest, _ := strings.Cut(p, " = ")
		kind, args, _ := strings.Cut(strings.TrimSuffix(rest, ")"), "(")
		o := graph.Operator{ID: name, Kind: map[string]graph.Kind{"lookup": graph.LookupJoinKind, "join": graph.JoinKind, "filter": graph.FilterKind, "union": graph.UnionKind}[kind]}
		for _, a := range strings.Split(args, ", ") {
			o.Inputs = append(o.Inputs, graph.Input{Operator: slices.Index(names, a)})
		}
		names, g.Operators = append(names, name), append(g.Operators, o)
	}
	return g, names
}

// Which sources wait for which joins.
func TestGates(t *testing.T) {
	for _, c := range []struct{ graph, want string }{
		{"a b; j = join(a, b)", ""},
		{"a b; j = lookup(a, b)", "a: j"},
		{"a b; f = filter(a); g = filter(b); j = lookup(f, g)", "a: j"},
		{"a b c; j = lookup(a, b); k = lookup(j, c)", "a: j k"},
		// What comes to be looked up is joined itself: its own left side waits first.
		{"a b c; j = lookup(a, b); k = lookup(c, j)", "a: j, c: k"},
		// The left side is a union, the right one a join.
		{"a b c d; u = union(a, b); r = join(c, d); j = lookup(u, r)", "a: j, b: j"},
		// Nobody waits who is waited for.
		{"a; f = filter(a); j = lookup(a, f)", ""},
		{"a b; j = lookup(a, b); k = lookup(b, a)", ""},
		{"a b c; j = lookup(a, b); k = lookup(b, c); l = lookup(c, a)", ""},
		{"a b c; j = lookup(a, b); k = lookup(b, a); l = lookup(c, a)", "c: l"},
		// A row of b was joined with one of c when it came: a waits for both.
		{"a b c; j = lookup(b, c); k = lookup(a, j); l = lookup(c, a)", ""},
		{"a b c; j = lookup(b, c); k = lookup(a, j)", "a: k, b: j"},
	} {
		g, names := parseGateGraph(c.graph)
		joins, sources, _ := gates(g)
		byGate := map[*gate]string{}
		for i, x := range joins {
			byGate[x] = names[i]
		}
		var got []string
		for _, i := range slices.Sorted(maps.Keys(sources)) {
			var held []string
			for _, x := range sources[i] {
				held = append(held, byGate[x])
			}
			slices.Sort(held)
			got = append(got, names[i]+": "+strings.Join(held, " "))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: held are %q, want %q", c.graph, s, c.want)
		}
	}
}

// gated is a lookup join that counts what comes to it.
type gated struct {
	Stateless
	right, left *atomic.Int64
	all         int64 // rows on the right
	early       *atomic.Int64
}

func (j gated) OnBatch(port int, in *batch.Batch, _ Output) error {
	if port == 1 {
		j.right.Add(int64(in.Live()))
		return nil
	}
	if j.right.Load() < j.all {
		j.early.Add(int64(in.Live()))
	}
	j.left.Add(int64(in.Live()))
	return nil
}

// gateFactory has a source for each side.
type gateFactory struct {
	*factory
	right *factory
	join  gated
}

func (f gateFactory) Operator(op *graph.Operator, task, tasks int) (Made, error) {
	if op.Kind == graph.LookupJoinKind && op.ID == "second" {
		return Made{Operator: f.join}, nil
	}
	return f.factory.Operator(op, task, tasks)
}

func (f gateFactory) Source(op *graph.Operator, task, tasks int) (*SourceInput, error) {
	if op.ID == "right" {
		return f.right.Source(op, task, tasks)
	}
	in, err := f.factory.Source(op, task, tasks)
	if op.ID == "middle" && err == nil {
		in.Source = unbounded{in.Source}
	}
	return in, err
}

// unbounded has nothing that was there at the start.
type unbounded struct{ connector.Source }

func (unbounded) Endless() bool { return true }

// No left row comes to a lookup join before the rows that were on its right at the
// start, and all come after.
func TestLookupsWaitForTheRightSide(t *testing.T) {
	fields := []types.Field{{Name: "k", Type: types.Of(types.Int64)}, {Name: "t", Type: types.Of(types.Timestamp)}}
	hash := graph.Exchange{Kind: graph.Hash, Keys: []int{0}}
	g := &graph.Graph{Version: graph.Version, Operators: []graph.Operator{
		{ID: "left", Kind: graph.SourceKind, Fields: fields, TimeColumn: 1},
		{ID: "right", Kind: graph.SourceKind, Fields: fields, TimeColumn: 1},
		{ID: "first", Kind: graph.FilterKind, Fields: fields, Inputs: []graph.Input{{Operator: 1, Exchange: graph.Exchange{Kind: graph.Forward}}}},
		{ID: "second", Kind: graph.LookupJoinKind, Fields: fields, Inputs: []graph.Input{{Operator: 0, Exchange: hash}, {Operator: 2, Exchange: hash}}},
	}}
	for parallelism := 1; parallelism <= 3; parallelism++ {
		for _, rows := range []int{1, 3, 1024} {
			t.Run(fmt.Sprintf("%d tasks, batches of %d", parallelism, rows), func(t *testing.T) {
				f := gateFactory{newFactory(t, 2, 500), newFactory(t, 3, 3000), gated{right: new(atomic.Int64), left: new(atomic.Int64), early: new(atomic.Int64), all: 9000}}
				r, err := Start(context.Background(), g, Options{Parallelism: parallelism, BatchRows: rows, Factory: f, OnReport: func(rep Report) { rep.Release() }})
				if err != nil {
					t.Fatal(err)
				}
				defer r.Stop()
				deadline := time.After(20 * time.Second)
				for n := uint64(1); f.join.left.Load() < 1000; n++ {
					if err := r.Inject(context.Background(), Barrier{Epoch: n}, false); err != nil {
						t.Fatal(err)
					}
					select {
					case <-time.After(time.Millisecond):
					case <-r.Done():
						t.Fatal(r.Err())
					case <-deadline:
						t.Fatalf("%d left rows came, of 1000; right ones: %d of 9000", f.join.left.Load(), f.join.right.Load())
					}
				}
				if n := f.join.early.Load(); n > 0 {
					t.Errorf("%d left rows came before the right side had", n)
				}
				if n := f.join.right.Load(); n != 9000 {
					t.Errorf("%d right rows came, of 9000", n)
				}
			})
		}
	}
}

// caughtUp is a gateFactory whose left side catches up before barriers.
type caughtUp struct{ gateFactory }

func (f caughtUp) Source(op *graph.Operator, task, tasks int) (*SourceInput, error) {
	in, err := f.gateFactory.Source(op, task, tasks)
	if err == nil {
		in.CatchesUp = op.ID == "left"
	}
	return in, err
}

// TestBarriersThatCatchUpOpenGates sends one barrier, before the right side has come: the
// left side's waits for its rows, and these for that of the right side. In the second graph
// what comes between has caught up, but waits for the right side itself.
func TestBarriersThatCatchUpOpenGates(t *testing.T) {
	fields := chain(graph.Hash).Operators[0].Fields
	source := func(id string) graph.Operator {
		return graph.Operator{ID: id, Kind: graph.SourceKind, Fields: fields, TimeColumn: 1}
	}
	lookup := func(id string, left, right int) graph.Operator {
		hash := graph.Exchange{Kind: graph.Hash, Keys: []int{0}}
		return graph.Operator{ID: id, Kind: graph.LookupJoinKind, Fields: fields, Inputs: []graph.Input{{Operator: left, Exchange: hash}, {Operator: right, Exchange: hash}}}
	}
	barrierOpensGates(t, &graph.Graph{Version: graph.Version, Operators: []graph.Operator{source("left"), source("right"), lookup("second", 0, 1)}})
	barrierOpensGates(t, &graph.Graph{Version: graph.Version, Operators: []graph.Operator{source("left"), source("right"), source("middle"), lookup("first", 2, 1), lookup("second", 0, 3)}})
}

func barrierOpensGates(t *testing.T, g *graph.Graph) {
	for parallelism := 1; parallelism <= 3; parallelism++ {
		f := caughtUp{gateFactory{newFactory(t, 2, 500), newFactory(t, 3, 3000), gated{right: new(atomic.Int64), left: new(atomic.Int64), early: new(atomic.Int64), all: 9000}}}
		passed := make(chan struct{}, 100)
		r, err := Start(context.Background(), g, Options{Parallelism: parallelism, BatchRows: 1, Factory: f, OnReport: func(rep Report) {
			if rep.Barrier.Epoch == 1 {
				passed <- struct{}{}
			}
			rep.Release()
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Inject(context.Background(), Barrier{Epoch: 1}, true); err != nil {
			t.Fatal(err)
		}
		for range r.Tasks() {
			select {
			case <-passed:
			case <-r.Done():
				t.Fatal(r.Err())
			case <-time.After(20 * time.Second):
				t.Fatalf("the barrier does not come through; left rows: %d of 1000; right ones: %d of 9000", f.join.left.Load(), f.join.right.Load())
			}
		}
		if n := f.join.left.Load(); n != 1000 || f.join.early.Load() > 0 {
			t.Errorf("%d left rows have come with the barrier, of 1000, %d before the right side had", n, f.join.early.Load())
		}
		r.Stop()
	}
}

// TestGateOpensAtTheEnd runs a lookup join over finite sources, without a barrier:
// the right side has come when it ends, and then the left side does.
func TestGateOpensAtTheEnd(t *testing.T) {
	fields := chain(graph.Hash).Operators[0].Fields
	for parallelism := 1; parallelism <= 3; parallelism++ {
		ex := graph.Exchange{Kind: graph.Hash, Keys: []int{0}}
		g := &graph.Graph{Version: graph.Version, Operators: []graph.Operator{
			{ID: "left", Kind: graph.SourceKind, Fields: fields, TimeColumn: 1},
			{ID: "right", Kind: graph.SourceKind, Fields: fields, TimeColumn: 1},
			{ID: "second", Kind: graph.LookupJoinKind, Fields: fields, Inputs: []graph.Input{{Operator: 0, Exchange: ex}, {Operator: 1, Exchange: ex}}},
		}}
		f := newFactory(t, 4, 1000)
		r, err := Start(context.Background(), g, Options{Parallelism: parallelism, Factory: f})
		if err != nil {
			t.Fatal(err)
		}
		ended(t, r)
		if n, _ := f.total("second"); n != 8000 {
			t.Errorf("parallelism %d: %d rows, want 8000", parallelism, n)
		}
	}
}
