package operator

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// functionScan emits the rows of a set-returning function once, at its input's
// end, which the runtime gives it at once since it has none. It keeps no state.
// Changelog modes: none in, inserts out.
type functionScan struct {
	exec.Stateless
	spec  *graph.FunctionScan
	args  program
	env   *Env
	out   *batch.Batch
	limit int
	emit  exec.Output
	count int64
}

// RowReader delivers the rows of a function that lie outside of the query.
type RowReader interface {
	// Read fills out, which is empty, with at most limit rows; false tells that
	// there are no more.
	Read(ctx context.Context, out *batch.Batch, limit int) (bool, error)
	Close()
}

func newFunctionScan(op *graph.Operator, env *Env) (exec.Operator, error) {
	p, err := compileProgram(argsOf(op.FunctionScan), op.ID, env, nil)
	return &functionScan{spec: op.FunctionScan, args: p, env: env, out: batch.New(layoutOf(op.Fields), 0), limit: env.BatchRows}, err
}

// argsOf are the arguments of a function and of those beside it.
func argsOf(f *graph.FunctionScan) []*scalar.Expr {
	args := append([]*scalar.Expr(nil), f.Args...)
	for i := range f.Beside {
		args = append(args, f.Beside[i].Args...)
	}
	return args
}

// OnBatch implements exec.Operator.
func (f *functionScan) OnBatch(int, *batch.Batch, exec.Output) error { return nil }

// OnEnd implements exec.Operator.
func (f *functionScan) OnEnd(out exec.Output) error {
	if f.env.Task != 0 {
		return nil
	}
	cols, _, err := f.args.run(&batch.Batch{N: 1})
	if err != nil {
		return fmt.Errorf("evaluate the arguments of %s: %w", f.spec.Func, err)
	}
	args := make([]types.Value, len(cols))
	for i, c := range cols {
		args[i] = c.Value(0)
	}
	f.emit = out
	if err := f.rows(args); err != nil || f.out.N == 0 {
		return err
	}
	return out.Emit(f.out)
}

func (f *functionScan) rows(args []types.Value) error {
	known, err := functionRows(f.spec, f.args.now.eval, args, f.row)
	if err != nil || known {
		return err
	}
	for i := range args {
		if args[i].Null {
			return nil
		}
	}
	return f.outside(strings.TrimPrefix(f.spec.Func, "pg_catalog."), args)
}

// functionRows gives the rows of a function and of those beside it to row. It
// reports false when they lie outside of the query.
func functionRows(spec *graph.FunctionScan, ctx *eval.Context, args []types.Value, row func(vals ...types.Value) error) (known bool, err error) {
	if len(spec.Beside) == 0 {
		one := tableFunction{spec: spec, ctx: ctx, give: row}
		return one.rows(args)
	}
	return besideRows(spec, ctx, args, row)
}

// errEnough ends a function whose rows nobody wants any more.
var errEnough = errors.New("enough rows")

// FirstRow computes a function of constants up to its first row, for the error that there
// is in any case.
func FirstRow(spec *graph.FunctionScan) error {
	var args []types.Value
	for _, x := range argsOf(spec) {
		if x.Op != scalar.OpConst {
			return nil
		}
		args = append(args, *x.Value)
	}
	if err := endless(spec, args); err != nil {
		return err
	}
	_, err := functionRows(spec, &eval.Context{}, args, func(...types.Value) error { return errEnough })
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// besideRows gives the rows of several functions beside each other, which run in turns:
// none is a row ahead of the others.
func besideRows(spec *graph.FunctionScan, ctx *eval.Context, args []types.Value, row func(vals ...types.Value) error) (known bool, err error) {
	all := make([]func() ([]types.Value, bool), len(spec.Beside)+1)
	failed := make([]error, len(all))
	known = true
	for i := range all {
		s := spec
		if i > 0 {
			s = &spec.Beside[i-1]
		}
		own := args[:len(s.Args)]
		args = args[len(s.Args):]
		next, stop := iter.Pull(func(yield func([]types.Value) bool) {
			one := tableFunction{spec: s, ctx: ctx, give: func(vals ...types.Value) error {
				if !yield(vals) {
					return errEnough
				}
				return nil
			}}
			ok, err := one.rows(own)
			known = known && ok
			if !errors.Is(err, errEnough) {
				failed[i] = err
			}
		})
		defer stop()
		all[i] = next
	}
	for {
		var vals []types.Value
		more := false
		for i, next := range all {
			one, ok := next()
			switch {
			case failed[i] != nil || !known:
				return known, failed[i]
			case ok:
				vals, more = append(vals, one...), true
				continue
			}
			for range spec.Columns[i] {
				vals = append(vals, types.NullValue)
			}
		}
		if !more {
			return true, nil
		}
		if err := row(vals...); err != nil {
			return true, err
		}
	}
}

// row adds a row of values, and its number if asked for.
func (f *functionScan) row(vals ...types.Value) error {
	for i, v := range vals {
		f.out.Cols[i].Append(v)
	}
	if f.spec.Ordinality {
		f.count++
		f.out.Cols[len(vals)].Append(types.Value{Int: f.count})
	}
	if f.out.N++; f.out.N < f.limit {
		return nil
	}
	err := f.emit.Emit(f.out)
	f.out.Reset()
	return err
}

// outside delivers what lies outside of the query.
func (f *functionScan) outside(name string, args []types.Value) error {
	if f.env.Rows == nil {
		return pgerr.NotSupported(f.spec.Pos, "function "+name+" in FROM")
	}
	r, err := f.env.Rows(name, args)
	if err != nil {
		return pgerr.Place(err, f.spec.Pos)
	}
	defer r.Close()
	for {
		f.out.Reset()
		given := *f.out
		if f.spec.Ordinality {
			given.Cols = given.Cols[:len(given.Cols)-1]
		}
		more, err := r.Read(f.env.Context, &given, f.limit)
		if err != nil || !more {
			f.out.Reset()
			return pgerr.Place(err, f.spec.Pos)
		}
		f.out.N = given.N
		for range given.N {
			if f.count++; f.spec.Ordinality {
				f.out.Cols[len(given.Cols)].Append(types.Value{Int: f.count})
			}
		}
		if err := f.emit.Emit(f.out); err != nil {
			return err
		}
	}
}
