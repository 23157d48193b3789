package exec

import (
	"context"
	"testing"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/background"
	"github.com/millrace/millrace/planner/graph"
)

// swelling makes one operator's first batch endless.
type swelling struct {
	*factory
	operator string
}

func (s swelling) Operator(op *graph.Operator, task, tasks int) (Made, error) {
	if op.ID == s.operator {
		return Made{Operator: endless{}}, nil
	}
	return s.factory.Operator(op, task, tasks)
}

type endless struct{ Stateless }

func (endless) OnBatch(_ int, in *batch.Batch, out Output) error {
	for {
		if err := out.Emit(in); err != nil {
			return err
		}
	}
}

// TestStuck finds the operator whose one batch has no end, not those that wait for it or
// have nothing to do, and such a run stops at once.
func TestStuck(t *testing.T) {
	for _, operator := range []string{"first", "second", ""} {
		for parallelism := 1; parallelism <= 2; parallelism++ {
			for _, slots := range []*background.Slots{nil, background.Shared()} {
				f := newFactory(t, 2, 0)
				f.source.endless = operator != ""
				r, err := Start(context.Background(), chain(graph.Hash), Options{Parallelism: parallelism, BatchRows: 16, Factory: swelling{f, operator}, Slots: slots})
				if err != nil {
					t.Fatal(err)
				}
				then := r.Progress()
				for deadline := time.Now().Add(10 * time.Second); operator != "" && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
					if got, made := r.Stuck(then); got == operator && made > 0 {
						break
					}
					then = r.Progress() // it may not have begun before
					time.Sleep(10 * time.Millisecond)
				}
				if got, _ := r.Stuck(then); got != operator {
					t.Errorf("parallelism %d: %q is stuck, want %q", parallelism, got, operator)
				}
				began := time.Now()
				r.Stop()
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("the run ended after %s", took)
				}
			}
		}
	}
}
