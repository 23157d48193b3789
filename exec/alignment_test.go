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

// uneven is a counting source whose split 0 gives one row at a time. It records
// how far the others run ahead of it.
type uneven struct {
	*counting
	slowest, lead atomic.Int64
}

func (u *uneven) Open(ctx context.Context, s connector.Split, offset []byte, want []int) (connector.Reader, error) {
	r, err := u.counting.Open(ctx, s, offset, want)
	return &unevenReader{r.(*countingReader), u, s.ID == "0"}, err
}

type unevenReader struct {
	*countingReader
	u    *uneven
	slow bool
}

func (r *unevenReader) Read(ctx context.Context, out *batch.Batch, limit int) (connector.Status, error) {
	if r.slow {
		limit = 1
	}
	status, err := r.countingReader.Read(ctx, out, limit)
	switch at := int64(r.at); {
	case r.slow && status == connector.End:
		r.u.slowest.Store(1 << 40)
	case r.slow:
		r.u.slowest.Store(at)
	default:
		r.u.lead.Store(max(r.u.lead.Load(), at-r.u.slowest.Load()))
	}
	return status, err
}

type unevenFactory struct {
	*factory
	u         *uneven
	alignment time.Duration
}

func (f *unevenFactory) Source(op *graph.Operator, task, tasks int) (*SourceInput, error) {
	in, err := f.factory.Source(op, task, tasks)
	in.Source, in.Alignment = f.u, f.alignment
	return in, err
}

// TestAlignmentHoldsFastSplitsBack reads splits of uneven speed: with an
// alignment no split gets further ahead than that and the batches under way, and
// every row arrives all the same.
func TestAlignmentHoldsFastSplitsBack(t *testing.T) {
	const splits, rows, batchRows = 5, 4000, 16
	run := func(alignment time.Duration, parallelism int) int64 {
		f := newFactory(t, splits, rows)
		u := &uneven{counting: f.source}
		r, err := Start(context.Background(), chain(graph.Hash), Options{Parallelism: parallelism, BatchRows: batchRows, Factory: &unevenFactory{f, u, alignment}})
		if err != nil {
			t.Fatal(err)
		}
		ended(t, r)
		if n, _ := f.total("second"); n != splits*rows {
			t.Errorf("alignment %s, parallelism %d: %d rows arrived, want %d", alignment, parallelism, n, splits*rows)
		}
		return u.lead.Load()
	}
	for _, parallelism := range []int{1, 2, 3} {
		t.Run(strconv.Itoa(parallelism), func(t *testing.T) {
			const limit = 100
			// The watermark trails the rows by 10, and a split that is judged
			// once reads one batch more.
			if lead := run(limit*time.Microsecond, parallelism); lead > limit+10+3*batchRows {
				t.Errorf("a split ran %d ahead, limit %d", lead, limit)
			}
			if lead := run(0, 1); lead < limit*4 {
				t.Errorf("without alignment the lead is %d: the test shows nothing", lead)
			}
		})
	}
}

// silent is a counting source whose split 0 never gives a row.
type silent struct{ *counting }

func (s silent) Open(ctx context.Context, sp connector.Split, offset []byte, want []int) (connector.Reader, error) {
	r, err := s.counting.Open(ctx, sp, offset, want)
	if sp.ID == "0" {
		return silentReader{r}, err
	}
	return r, err
}

type silentReader struct{ connector.Reader }

func (silentReader) Read(context.Context, *batch.Batch, int) (connector.Status, error) {
	return connector.Idle, nil
}

type silentFactory struct{ *factory }

func (f silentFactory) Source(op *graph.Operator, task, tasks int) (*SourceInput, error) {
	in, err := f.factory.Source(op, task, tasks)
	in.Source, in.IdleTimeout = silent{f.source}, 20*time.Millisecond
	return in, err
}

// TestTaskWithoutSplitsGoesWithTheOthers has fewer splits than tasks, and an
// endless input: time goes on in every task after the exchange.
func TestTaskWithoutSplitsGoesWithTheOthers(t *testing.T) {
	f := newFactory(t, 1, 0)
	f.source.endless = true
	timeGoesOn(t, f, 3)
}

// TestIdleTimeoutAcrossTasks has a silent split, which is alone in its task.
func TestIdleTimeoutAcrossTasks(t *testing.T) {
	f := newFactory(t, 2, 0)
	f.source.endless = true
	timeGoesOn(t, silentFactory{f}, 2)
}

func timeGoesOn(t *testing.T, f Factory, parallelism int) {
	t.Helper()
	timeGoesOnIn(t, chain(graph.Hash), f, parallelism, func() {})
}

// timeGoesOnIn waits until event time has come to all tasks of "second", and calls
// then while the graph still runs.
func timeGoesOnIn(t *testing.T, g *graph.Graph, f Factory, parallelism int, then func()) {
	t.Helper()
	reports := make(chan Report, 64)
	r, err := Start(context.Background(), g, Options{Parallelism: parallelism, Factory: f, OnReport: func(rep Report) { reports <- rep }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	for deadline, n := time.Now().Add(10*time.Second), int64(1); ; n++ {
		if time.Now().After(deadline) {
			t.Fatal("no time has come through the exchange")
		}
		time.Sleep(5 * time.Millisecond)
		if err := r.Inject(context.Background(), Barrier{Epoch: uint64(n), Checkpoint: n}, false); err != nil {
			t.Fatal(err)
		}
		moved := 0
		for range r.Tasks() {
			for _, op := range next(t, reports, r).Operators {
				if op.ID == "second" && op.Watermark > WatermarkMin {
					moved++
				}
			}
		}
		if moved == parallelism {
			then()
			return
		}
	}
}
