package operator

import (
	"fmt"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// expand repeats each row for the rows that a set-returning function gives for it.
// The function has the same rows for the same row, so what is taken back is what
// was given, and no state is kept. Changelog modes: any but upsert in, the same
// out; an update becomes deletes and inserts, since its halves may have different
// numbers of rows.
type expand struct {
	exec.Stateless
	spec  *graph.Expand
	width int // of the input
	args  program
	out   *batch.Batch
	limit int
	vals  []types.Value
}

func newExpand(op *graph.Operator, env *Env) (exec.Operator, error) {
	p, err := compileProgram(argsOf(&op.Expand.Function), op.ID, env, env.Inputs[0])
	return &expand{spec: op.Expand, width: len(env.Inputs[0]), args: p, out: batch.New(layoutOf(op.Fields), 0), limit: env.BatchRows}, err
}

// OnBatch implements exec.Operator.
func (e *expand) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	args, sel, err := e.args.run(in)
	if err != nil {
		return fmt.Errorf("evaluate the arguments of %s: %w", e.spec.Function.Func, err)
	}
	rows := &batch.Batch{N: in.N, Sel: sel}
	for k := range rows.Live() {
		if err := e.row(in, rows.RowAt(k), args, out); err != nil {
			return err
		}
	}
	return e.flush(out)
}

// row emits the rows for row i of the input.
func (e *expand) row(in *batch.Batch, i int, args []*batch.Column, out exec.Output) error {
	e.vals = e.vals[:0]
	for _, c := range args {
		e.vals = append(e.vals, c.Value(i))
	}
	op := batch.Insert
	if in.Op(i).Retracts() {
		op = batch.Delete
	}
	if e.args.bad.report != nil { // of a job, whose other rows wait
		if err := endless(&e.spec.Function, e.vals); err != nil {
			return e.refuse(in, i, err)
		}
	}
	n := int64(0)
	known, err := functionRows(&e.spec.Function, e.args.now.eval, e.vals, func(vals ...types.Value) error {
		n++
		e.add(in, i, op, n, vals)
		if e.out.N < e.limit {
			return nil
		}
		return e.flush(out)
	})
	switch {
	case err != nil && n > 0: // rows of it are out already
		return err
	case err != nil:
		return e.refuse(in, i, err)
	case !known:
		return pgerr.New(pgerr.InternalError, "function %s has no rows of its own", e.spec.Function.Func)
	case n == 0 && e.spec.Left:
		e.add(in, i, op, 0, nil)
	}
	return nil
}

// refuse takes the error of a function as that of an expression over row i.
func (e *expand) refuse(in *batch.Batch, i int, err error) error {
	bad := &e.args.bad
	if bad.report == nil {
		return err
	}
	if !in.Op(i).Retracts() {
		bad.counters.BadRows++
	}
	calls := e.spec.Function.Call()
	for k := range e.spec.Function.Beside {
		calls += ", " + e.spec.Function.Beside[k].Call()
	}
	return bad.report(bad.ctx, &exec.Refused{Operator: bad.operator, Err: err, Expr: calls, Batch: in, Row: i, Fields: bad.fields})
}

// add adds row i with the function's n-th row; without one, with nulls.
func (e *expand) add(in *batch.Batch, i int, op batch.Op, n int64, vals []types.Value) {
	for c, col := range in.Cols {
		e.out.Cols[c].AppendRow(col, i)
	}
	for c := e.width; c < len(e.out.Cols); c++ {
		switch at := c - e.width; {
		case at < len(vals):
			e.out.Cols[c].Append(vals[at])
		case n > 0: // the number of the row
			e.out.Cols[c].Append(types.Value{Int: n})
		default:
			e.out.Cols[c].AppendNull()
		}
	}
	if in.Ops != nil {
		e.out.Ops = append(e.out.Ops, op)
	}
	e.out.N++
}

func (e *expand) flush(out exec.Output) error {
	if e.out.N == 0 {
		return nil
	}
	err := out.Emit(e.out)
	e.out.Reset()
	return err
}
