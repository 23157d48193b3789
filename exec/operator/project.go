package operator

import (
	"fmt"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
)

// project computes columns from each row; those that it only passes on it
// shares. It keeps no state. Changelog modes: any in, the same out.
type project struct {
	exec.Stateless
	program program
	parts   inParts
	out     batch.Batch
	ops     []batch.Op
	time    *timeOf // nil: event time is that of the input
}

func newProject(op *graph.Operator, env *Env) (exec.Operator, error) {
	p, err := compileProgram(op.Project.Exprs, op.ID, env, env.Inputs[0])
	if err != nil {
		return nil, err
	}
	made := &project{program: p}
	if x := op.Project.Time; x != nil {
		if made.time, err = newTimeOf(x); err != nil {
			return nil, err
		}
	}
	made.parts.may(p.compiled.InParts, true)
	return made, nil
}

// OnBatch implements exec.Operator.
func (p *project) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	b, err := p.apply(in)
	if p.parts.cuts(err) {
		return p.parts.each(in, func(in *batch.Batch) error { return p.OnBatch(0, in, out) })
	}
	if err != nil || b.Live() == 0 {
		return err
	}
	return out.Emit(b)
}

// OnWatermark implements exec.Operator.
func (p *project) OnWatermark(mark exec.Watermark, _ exec.Output) error {
	p.program.now.pass(mark)
	return nil
}

// Retimed implements exec.Retimer.
func (p *project) Retimed(mark exec.Watermark) exec.Watermark {
	if p.time == nil {
		return mark
	}
	return p.time.of(mark)
}

// apply computes the columns of a batch.
func (p *project) apply(in *batch.Batch) (*batch.Batch, error) {
	cols, sel, err := p.program.run(in)
	if err != nil {
		return nil, fmt.Errorf("evaluate projection: %w", err)
	}
	p.out = batch.Batch{N: in.N, Sel: sel, Ops: in.Ops, Cols: cols}
	if sel != nil && in.Ops != nil && len(sel) < in.Live() { // bad rows left updates with one half
		p.out.Ops = splitPairs(in, sel, &p.ops)
	}
	return &p.out, nil
}
