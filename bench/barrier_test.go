package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/nexmark"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/statestore/segment"
)

const (
	stateKeys       = 16 << 20 // about 1 GB with its index
	barrierInterval = 100 * time.Millisecond
	barriersPerMark = 10 // every so many barriers are a checkpoint that is written
	barriersMeasure = 150
)

// barriers measures what barriers cost a task: how long each holds it up, from
// when the operator hears of it until the report is handed over and the next
// batch comes. Every barrier seals the state, as those of a materialized view do,
// and every tenth is written to a folder.
type barriers struct {
	*parts
	objects object.Store
	heard   time.Time
	pauses  []time.Duration
	uploads chan exec.Report
	written []written
	size    int64
}

// written is one checkpoint.
type written struct {
	pages int
	dirty int   // bytes of the pages that it wrote
	bytes int64 // that it wrote, compressed
	took  time.Duration
}

// Operator implements exec.Factory.
func (m *barriers) Operator(op *graph.Operator, task, tasks int) (exec.Made, error) {
	made, err := m.parts.Operator(op, task, tasks)
	if op.Kind == graph.AggregateKind {
		made.Operator = &timed{made.Operator.(exec.Stateful), m}
	}
	return made, err
}

// timed tells when an operator hears of a barrier.
type timed struct {
	exec.Stateful
	m *barriers
}

// OnBarrier implements exec.Stateful.
func (t *timed) OnBarrier(b exec.Barrier, out exec.Output) error {
	t.m.heard = time.Now()
	return t.Stateful.OnBarrier(b, out)
}

// reported is called by the task, at the end of a barrier.
func (m *barriers) reported(r exec.Report) {
	m.pauses = append(m.pauses, time.Since(m.heard))
	if r.Barrier.Checkpoint%barriersPerMark == 0 {
		select {
		case m.uploads <- r:
			return
		default: // the one before is still being written
		}
	}
	r.Release()
}

// upload writes a checkpoint, as a job does in the background.
func (m *barriers) upload(ctx context.Context, r exec.Report) error {
	defer r.Release()
	start, prefix := time.Now(), fmt.Sprintf("job/shared/r-%d-0.0", r.Barrier.Checkpoint)
	w := segment.NewWriter(m.objects, prefix)
	var snapshots []*state.Snapshot
	var tables []*manifest.Table
	for _, op := range r.Operators {
		for _, s := range op.Tables {
			t, err := s.Upload(ctx, w, r.Barrier.Checkpoint)
			if err != nil {
				return err
			}
			snapshots, tables = append(snapshots, s), append(tables, t)
			m.size = op.Counters.StateBytes
		}
	}
	if err := w.Close(ctx); err != nil {
		return err
	}
	c := written{bytes: w.Written(), took: time.Since(start)}
	for i, t := range tables {
		snapshots[i].Confirm(r.Barrier.Checkpoint)
		for _, p := range t.Pages {
			if c.pages++; strings.HasPrefix(t.Segments[p.Segment].Name, prefix) {
				c.dirty += p.Bytes
			}
		}
	}
	m.written = append(m.written, c)
	return nil
}

// BenchmarkBarrier keeps about 1 GB of state under steady updates and sends a
// barrier every 100 ms. The first checkpoint is written before and does not count.
func BenchmarkBarrier(b *testing.B) {
	g, err := Plan(keyedSQL)
	if err != nil {
		b.Fatal(err)
	}
	objects, err := object.OpenLocal(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	source := &keyed{splits: 1, keys: stateKeys, window: stateKeys / 16, updates: true}
	m := &barriers{parts: &parts{ctx: ctx, graph: g, slabs: state.NewSlabs(state.SlabOptions{}), source: func(nexmark.Stream) connector.Source { return source }},
		objects: objects, uploads: make(chan exec.Report)}
	defer m.slabs.Close()
	r, err := exec.Start(ctx, g, exec.Options{Parallelism: 1, Factory: m, OnReport: m.reported})
	if err != nil {
		b.Fatal(err)
	}
	uploaded := make(chan error, 1)
	go func() { // ends with ctx; waited for below
		for {
			select {
			case rep := <-m.uploads:
				if err := m.upload(ctx, rep); err != nil {
					uploaded <- err
					return
				}
			case <-ctx.Done():
				uploaded <- nil
				return
			}
		}
	}()
	send := func(n int64) {
		if err := r.Inject(ctx, exec.Barrier{Epoch: uint64(n), Checkpoint: n}, false); err != nil {
			b.Fatal(err)
		}
	}
	for source.filled.Load() < stateKeys {
		time.Sleep(barrierInterval)
	}
	n := int64(barriersPerMark)
	send(n)
	b.ResetTimer()
	before, start := source.updated.Load(), time.Now()
	for range barriersMeasure {
		time.Sleep(barrierInterval)
		n++
		send(n)
	}
	updates := float64(source.updated.Load()-before) / time.Since(start).Seconds()
	b.StopTimer()
	r.Stop()
	<-r.Done()
	cancel()
	if err := errors.Join(r.Err(), <-uploaded); err != nil && !errors.Is(err, context.Canceled) {
		b.Fatal(err)
	}
	m.metrics(b, updates)
}

// metrics prints what was measured. Checkpoints after the first tell how bytes
// follow changed pages.
func (m *barriers) metrics(b *testing.B, updates float64) {
	pauses := m.pauses[1:]
	slices.Sort(pauses)
	at := func(q float64) float64 { return pauses[int(q*float64(len(pauses)-1))].Seconds() * 1e3 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(m.size)/1e6, "state-MB")
	b.ReportMetric(updates/1e6, "Mupdates/s")
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	if len(m.written) < 2 {
		b.Fatalf("%d checkpoints were written: too few", len(m.written))
	}
	first, rest := m.written[0], m.written[1:]
	var sum written
	for _, w := range rest {
		sum.dirty, sum.bytes, sum.took = sum.dirty+w.dirty, sum.bytes+w.bytes, max(sum.took, w.took)
	}
	b.ReportMetric(float64(first.bytes)/1e6, "first-MB")
	b.ReportMetric(float64(sum.dirty)/float64(len(rest))/1e6, "dirty-MB")
	b.ReportMetric(float64(sum.bytes)/float64(len(rest))/1e6, "written-MB")
	b.ReportMetric(sum.took.Seconds()*1e3, "upload-ms")
}
