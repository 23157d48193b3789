package job

import (
	"context"
	"testing"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/planner/graph"
)

// slow is an input that opens when it is let.
type slow struct {
	*input
	let chan struct{}
}

func (s *slow) Open(ctx context.Context, split connector.Split, at []byte, want []int) (connector.Reader, error) {
	select {
	case <-s.let:
		return s.input.Open(ctx, split, at, want)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestBarriersFollowTheOpeningOfSources has a source that opens late, and one that does not
// for so long that nobody waits any more.
func TestBarriersFollowTheOpeningOfSources(t *testing.T) {
	for _, opens := range []bool{true, false} {
		w := newWorld(t)
		s := &slow{w.in, make(chan struct{})}
		w.manager.opt.Sources = func(context.Context, *catalog.Job, *graph.Operator, func(connector.BadRow) error) (connector.Source, error) {
			return s, nil
		}
		begun := func() bool {
			list, err := w.store.Checkpoints(context.Background(), "")
			if err != nil {
				t.Fatal(err)
			}
			return len(list) > 0
		}
		w.create(query, "checkpoint_interval", "1ms")
		time.Sleep(4 * tick)
		if begun() {
			t.Fatal("a barrier was sent before the source was opened")
		}
		if opens {
			close(s.let)
			w.read(1)
			w.checkpointed()
			w.exactly(1)
		}
		w.eventually("a checkpoint begun", begun)
	}
}
