package exec

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/planner/graph"
)

func TestMerged(t *testing.T) {
	for _, c := range []struct {
		name    string
		marks   []Watermark
		idle    []bool
		want    Watermark
		allIdle bool
	}{
		{"the least counts", []Watermark{7, 3, 5}, []bool{false, false, false}, 3, false},
		{"but for idle ones", []Watermark{7, 3, 5}, []bool{false, true, false}, 5, false},
		{"all idle: the furthest", []Watermark{7, 3, WatermarkMin}, []bool{true, true, true}, 7, true},
		{"one that has had nothing", []Watermark{WatermarkMin, 5}, []bool{false, false}, WatermarkMin, false},
		{"an ended one does not count", []Watermark{WatermarkMax, 5}, []bool{false, false}, 5, false},
		{"an idle one after the others have ended", []Watermark{WatermarkMax, 5}, []bool{false, true}, 5, true},
		{"all have ended", []Watermark{WatermarkMax, WatermarkMax}, []bool{false, true}, WatermarkMax, false},
	} {
		if w, idle := merged(c.marks, c.idle); w != c.want || idle != c.allIdle {
			t.Errorf("%s: %d, idle %t, want %d, %t", c.name, w, idle, c.want, c.allIdle)
		}
	}
}

// quiet has a source "quiet" beside the others, which gives no rows until it is
// woken.
type quiet struct {
	*factory
	awake *atomic.Bool
}

func (f quiet) Source(op *graph.Operator, task, tasks int) (*SourceInput, error) {
	in, err := f.factory.Source(op, task, tasks)
	in.IdleTimeout = 20 * time.Millisecond
	if op.ID == "quiet" {
		in.Source = quietSource{f.source, f.awake}
	}
	return in, err
}

type quietSource struct {
	*counting
	awake *atomic.Bool
}

func (s quietSource) Open(ctx context.Context, sp connector.Split, offset []byte, want []int) (connector.Reader, error) {
	r, err := s.counting.Open(ctx, sp, offset, want)
	return quietReader{r, s.awake}, err
}

type quietReader struct {
	connector.Reader
	awake *atomic.Bool
}

func (r quietReader) Read(ctx context.Context, out *batch.Batch, limit int) (connector.Status, error) {
	if !r.awake.Load() {
		return connector.Idle, nil
	}
	return r.Reader.Read(ctx, out, limit)
}

// TestIdleSourceLetsOthersGoOn unites a source with a silent one, within a task and
// through exchanges: event time goes on. When the silent one speaks, its rows pass,
// behind the watermark, which does not go back.
func TestIdleSourceLetsOthersGoOn(t *testing.T) {
	fields := chain(graph.Hash).Operators[0].Fields
	for _, kind := range []graph.ExchangeKind{graph.Forward, graph.Hash} {
		for _, parallelism := range []int{1, 3} {
			t.Run(string(kind)+"/"+strconv.Itoa(parallelism), func(t *testing.T) {
				ex := graph.Exchange{Kind: kind, Keys: []int{0}}
				g := &graph.Graph{Version: graph.Version, Operators: []graph.Operator{
					{ID: "quiet", Kind: graph.SourceKind, Fields: fields, TimeColumn: 1},
					{ID: "loud", Kind: graph.SourceKind, Fields: fields, TimeColumn: 1},
					{ID: "union", Kind: graph.UnionKind, Fields: fields, Inputs: []graph.Input{{Operator: 0, Exchange: ex}, {Operator: 1, Exchange: ex}}},
					{ID: "second", Kind: graph.AggregateKind, Fields: fields, Inputs: []graph.Input{{Operator: 2, Exchange: graph.Exchange{Kind: graph.Hash, Keys: []int{0}}}}},
				}}
				f := quiet{newFactory(t, 2, 0), &atomic.Bool{}}
				f.source.endless = true
				timeGoesOnIn(t, g, f, parallelism, func() {
					f.awake.Store(true)
					time.Sleep(50 * time.Millisecond)
				})
				if _, late := f.total("second"); late == 0 {
					t.Error("no row of the source that spoke last has come")
				}
			})
		}
	}
}
