package operator

import (
	"context"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// badRows sends rows whose expressions failed where the job's policy says.
type badRows struct {
	ctx      context.Context
	operator string
	report   exec.BadRow
	counters *exec.Counters
	fields   []types.Field // of the batches that expressions are evaluated over
	sel      []uint16
}

func newBadRows(operator string, env *Env, fields []types.Field) badRows {
	return badRows{ctx: env.Context, operator: operator, report: env.BadRow, counters: env.Counters, fields: fields}
}

// drop takes the error of an evaluation over in. If it is about rows and the
// policy lets the job go on, it reports them, counts those that came, and selects the
// others.
func (b *badRows) drop(err error, in *batch.Batch) ([]uint16, error) {
	bad := eval.BadRows(err)
	if bad == nil || b.report == nil {
		return nil, err
	}
	for i := range bad {
		if !in.Op(bad[i].Row).Retracts() {
			b.counters.BadRows++
		}
		r := &exec.Refused{Operator: b.operator, Err: bad[i].Err, Expr: bad[i].Expr, Batch: in, Row: bad[i].Row, Fields: b.fields}
		if err := b.report(b.ctx, r); err != nil {
			return nil, err
		}
	}
	b.sel = bad.Without(in.Sel, in.N, b.sel)
	return b.sel, nil
}

// now keeps the time that expressions see at the time of the batch, unless whoever
// made the operator keeps it.
type now struct {
	clock clock.Clock // nil: somebody else does
	eval  *eval.Context
}

func newNow(env *Env) now {
	if env.Eval != nil {
		return now{eval: env.Eval}
	}
	return now{clock: env.Clock, eval: &eval.Context{Memory: env.Memory}}
}

func (n *now) set() {
	if n.clock != nil {
		n.eval.Now = n.clock.Now().UnixMicro()
	}
}

// pass notes that the input has passed mark, unless whoever made the operator keeps
// its expressions' context: over finished data no watermark is ever known.
func (n *now) pass(mark exec.Watermark) {
	if n.clock == nil || mark == exec.WatermarkMin || mark == exec.WatermarkMax {
		return
	}
	if n.eval.Watermark == nil {
		n.eval.Watermark = new(int64)
	}
	*n.eval.Watermark = mark
}

// predicate selects rows by a condition.
type predicate struct {
	now      now
	compiled *eval.Predicate
	bad      badRows
}

// compilePredicate prepares a condition over batches with these fields.
func compilePredicate(e *scalar.Expr, operator string, env *Env, fields []types.Field) (predicate, error) {
	n := newNow(env)
	p, err := eval.CompilePredicate(e, eval.Options{Context: n.eval})
	return predicate{n, p, newBadRows(operator, env, fields)}, err
}

// selectRows returns, in the memory of dst, the rows that pass.
func (p *predicate) selectRows(in *batch.Batch, dst []uint16) ([]uint16, error) {
	p.now.set()
	kept, err := p.compiled.Select(in, dst)
	if err != nil {
		if _, err = p.bad.drop(err, in); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// program computes columns.
type program struct {
	now      now
	compiled *eval.Projection
	bad      badRows
}

// compileProgram prepares expressions over batches with these fields.
func compileProgram(exprs []*scalar.Expr, operator string, env *Env, fields []types.Field) (program, error) {
	n := newNow(env)
	p, err := eval.CompileAll(exprs, eval.Options{Context: n.eval})
	return program{n, p, newBadRows(operator, env, fields)}, err
}

// run returns the columns and the rows they are valid for.
func (p *program) run(in *batch.Batch) ([]*batch.Column, []uint16, error) {
	p.now.set()
	cols, err := p.compiled.Eval(in)
	if err == nil {
		return cols, in.Sel, nil
	}
	sel, err := p.bad.drop(err, in)
	return cols, sel, err
}
