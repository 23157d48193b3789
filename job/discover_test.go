package job

import (
	"context"
	"testing"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/planner/graph"
)

// silent is an input of which nobody answers any more, after the first time, what splits
// it has.
type silent struct {
	*input
	asked chan struct{} // has room for one
}

func (s *silent) Follows() bool { return true }

func (s *silent) Splits(ctx context.Context) ([]connector.Split, error) {
	select {
	case s.asked <- struct{}{}:
		return s.input.Splits(ctx)
	default:
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

// TestNobodyWaitsForNewSplits has a source that does not say whether there are new splits:
// checkpoints are taken, and the job stops.
func TestNobodyWaitsForNewSplits(t *testing.T) {
	w := newWorld(t)
	w.manager.opt.Sources = func(context.Context, *catalog.Job, *graph.Operator, func(connector.BadRow) error) (connector.Source, error) {
		return &silent{w.in, make(chan struct{}, 1)}, nil
	}
	w.create(query, "checkpoint_interval", "0s")
	w.read(1)
	time.Sleep(discoverInterval + 4*tick)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := w.manager.Checkpoint(ctx, "j"); err != nil {
		t.Fatal(err)
	}
	w.exactly(1)
	if n, err := w.manager.Stop(ctx, "j", Stopped, false); n == 0 || err != nil {
		t.Errorf("stopped after checkpoint %d, %v", n, err)
	}
}
