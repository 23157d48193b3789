package operator

import (
	"fmt"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// values emits constant rows once: at its input's end, which the runtime gives
// it at once since it has none. In a job of several tasks only task 0 emits.
// It keeps no state. Changelog modes: none in, inserts out.
type values struct {
	exec.Stateless
	rows  *batch.Batch
	limit int
}

func newValues(op *graph.Operator, env *Env) (exec.Operator, error) {
	v := &values{rows: batch.New(layoutOf(op.Fields), 0), limit: env.BatchRows}
	if env.Task != 0 {
		return v, nil
	}
	one := &batch.Batch{N: 1} // a row without columns, to evaluate constants on
	for _, row := range op.Values.Rows {
		p, err := compileProgram(row, op.ID, env, nil)
		if err != nil {
			return nil, err
		}
		cols, _, err := p.run(one)
		if err != nil {
			return nil, fmt.Errorf("evaluate values: %w", err)
		}
		v.rows.AppendSelected(&batch.Batch{N: 1, Cols: cols}, nil)
	}
	return v, nil
}

// OnBatch implements exec.Operator.
func (v *values) OnBatch(int, *batch.Batch, exec.Output) error { return nil }

// OnEnd implements exec.Operator.
func (v *values) OnEnd(out exec.Output) error {
	for from := 0; from < v.rows.N; from += v.limit {
		if err := out.Emit(slice(v.rows, from, min(from+v.limit, v.rows.N))); err != nil {
			return err
		}
	}
	v.rows.Reset()
	return nil
}

// slice is rows from..to of b, which may be longer than a selection addresses.
func slice(b *batch.Batch, from, to int) *batch.Batch {
	s := &batch.Batch{N: to - from, Cols: make([]*batch.Column, len(b.Cols))}
	for i, c := range b.Cols {
		d := &batch.Column{Phys: c.Phys, Arena: c.Arena}
		switch c.Phys {
		case types.PhysBool:
			d.Bool = c.Bool[from:to]
		case types.PhysInt:
			d.Int = c.Int[from:to]
		case types.PhysFloat:
			d.Float = c.Float[from:to]
		case types.PhysDecimal:
			d.Dec = c.Dec[from:to]
		case types.PhysBytes:
			d.Views = c.Views[from:to]
		case types.PhysInterval:
			d.Interval = c.Interval[from:to]
		case types.PhysUUID:
			d.UUID = c.UUID[from:to]
		}
		for r := from; r < to; r++ {
			if c.IsNull(r) {
				d.SetNull(r-from, to-from)
			}
		}
		s.Cols[i] = d
	}
	return s
}
