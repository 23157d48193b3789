package operator

import (
	"context"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/planner/scalar"
)

// badRows sends rows whose expressions failed where the job's policy says.
type badRows struct {
	ctx      context.Context
	operator string
	report   exec.BadRow
	counters *exec.Counters
	sel      []uint16
}

func newBadRows(operator string, env *Env) badRows {
	return badRows{ctx: env.Context, operator: operator, report: env.BadRow, counters: env.Counters}
}

// drop takes the error of an evaluation. If it is about rows and the policy lets
// the job go on, it counts and reports them, and selects the others of sel (nil:
// all n).
func (b *badRows) drop(err error, sel []uint16, n int) ([]uint16, error) {
	bad := eval.BadRows(err)
	if bad == nil || b.report == nil {
		return nil, err
	}
	for i := range bad {
		b.counters.BadRows++
		if err := b.report(b.ctx, b.operator, bad[i].Err, nil, bad[i].Expr); err != nil {
			return nil, err
		}
	}
	b.sel = bad.Without(sel, n, b.sel)
	return b.sel, nil
}

// predicate selects rows by a condition.
type predicate struct {
	compiled *eval.Predicate
	bad      badRows
}

func compilePredicate(e *scalar.Expr, operator string, env *Env) (predicate, error) {
	p, err := eval.CompilePredicate(e, eval.Options{Context: env.Eval})
	return predicate{p, newBadRows(operator, env)}, err
}

// selectRows returns, in the memory of dst, the rows that pass.
func (p *predicate) selectRows(in *batch.Batch, dst []uint16) ([]uint16, error) {
	kept, err := p.compiled.Select(in, dst)
	if err != nil {
		if _, err = p.bad.drop(err, in.Sel, in.N); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// program computes columns.
type program struct {
	compiled *eval.Projection
	bad      badRows
}

func compileProgram(exprs []*scalar.Expr, operator string, env *Env) (program, error) {
	p, err := eval.CompileAll(exprs, eval.Options{Context: env.Eval})
	return program{p, newBadRows(operator, env)}, err
}

// run returns the columns and the rows they are valid for.
func (p *program) run(in *batch.Batch) ([]*batch.Column, []uint16, error) {
	cols, err := p.compiled.Eval(in)
	if err == nil {
		return cols, in.Sel, nil
	}
	sel, err := p.bad.drop(err, in.Sel, in.N)
	return cols, sel, err
}
