package operator

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// timeOf computes one event time from another, by an expression that never falls as
// that rises.
type timeOf struct {
	compiled *eval.Projection
	row      batch.Batch
}

func newTimeOf(x *scalar.Expr) (*timeOf, error) {
	p, err := eval.CompileAll([]*scalar.Expr{x}, eval.Options{Context: &eval.Context{}})
	if err != nil {
		return nil, err
	}
	in := &batch.Column{Phys: types.PhysInt, Int: make([]int64, 1)}
	return &timeOf{compiled: p, row: batch.Batch{N: 1, Cols: []*batch.Column{in}}}, nil
}

// of is the time that is computed from mark. It is the first of all where there is
// none, as of a time too early to be put back: so nothing is said too soon.
func (t *timeOf) of(mark exec.Watermark) exec.Watermark {
	t.row.Cols[0].Int[0] = mark
	cols, err := t.compiled.Eval(&t.row)
	if err != nil || cols[0].HasNulls {
		return exec.WatermarkMin
	}
	return cols[0].Int[0]
}
