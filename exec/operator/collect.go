package operator

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/pgerr"
)

// collect hands a query's rows to its reader, through Env.Collect, which blocks
// while the reader is behind, and the barriers between them through Env.Sealed.
// It keeps no state. Changelog modes: any in; nothing out.
type collect struct {
	exec.Stateless
	take   func(b *batch.Batch) error
	sealed func(epoch uint64) error
}

func newCollect(env *Env) (exec.Operator, error) {
	if env.Collect == nil {
		return nil, pgerr.New(pgerr.InternalError, "a plan that collects rows has no reader")
	}
	return &collect{take: env.Collect, sealed: env.Sealed}, nil
}

// OnBarrier implements exec.Stateful.
func (c *collect) OnBarrier(b exec.Barrier, _ exec.Output) error {
	if c.sealed == nil {
		return nil
	}
	return c.sealed(b.Epoch)
}

// OnBatch implements exec.Operator.
func (c *collect) OnBatch(_ int, in *batch.Batch, _ exec.Output) error {
	if in.Live() == 0 {
		return nil
	}
	b := &batch.Batch{Cols: make([]*batch.Column, len(in.Cols))}
	for i, col := range in.Cols {
		b.Cols[i] = &batch.Column{Phys: col.Phys}
	}
	b.AppendSelected(in, in.Sel)
	return c.take(b)
}
