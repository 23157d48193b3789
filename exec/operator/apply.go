package operator

import (
	"fmt"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// apply runs a subquery for each row of its finished input, or once for all rows
// when it does not depend on them. It keeps the answers by arguments. Changelog
// modes: inserts in, inserts out.
type apply struct {
	exec.Stateless
	spec    *graph.Apply
	id      string
	env     *Env
	fields  []types.Field // of the output
	width   int           // of the input
	args    program
	compare *program
	where   *predicate
	when    *predicate
	run     func(g *graph.Graph, working *WorkingRows, take func(b *batch.Batch) error) error
	anyOf   *anyOf // nil: rows are compared one by one
	memo    map[string]*answer
	held    memory.Meter
	kept    int64 // bytes of the answers kept
	limit   int
	out     *batch.Batch
	sel     []uint16
	asking  []uint16
}

// answer is a subquery's rows for some arguments.
type answer struct {
	rows  *batch.Batch
	set   *valueSet // nil: not made
	asked bool      // whether to make a set has been decided
}

// memoMax and memoBytesMax bound the answers kept.
const (
	memoMax      = 10_000
	memoBytesMax = 64 << 20
)

func newApply(op *graph.Operator, env *Env) (exec.Operator, error) {
	if env.Subquery == nil {
		return nil, pgerr.NotSupported(-1, "a subquery here")
	}
	a := &apply{spec: op.Apply, id: op.ID, env: env, fields: op.Fields, width: len(env.Inputs[0]), run: env.Subquery, memo: map[string]*answer{}, held: env.Memory.Meter(),
		limit: env.BatchRows, out: batch.New(layoutOf(op.Fields), 0), sel: []uint16{}, asking: []uint16{}}
	var err error
	if a.args, err = compileProgram(op.Apply.Args, op.ID, env, env.Inputs[0]); err != nil {
		return nil, err
	}
	if op.Apply.Compare != nil {
		p, err := compileProgram([]*scalar.Expr{op.Apply.Compare}, op.ID, env, nil)
		if err != nil {
			return nil, err
		}
		a.compare = &p
		if a.anyOf, err = newAnyOf(op, env); err != nil {
			return nil, err
		}
	}
	if a.where, err = optionalPredicate(op.Apply.Condition, op.ID, env); err != nil {
		return nil, err
	}
	a.when, err = optionalPredicate(op.Apply.When, op.ID, env)
	return a, err
}

// optionalPredicate compiles a condition, nil for none.
func optionalPredicate(x *scalar.Expr, operator string, env *Env) (*predicate, error) {
	if x == nil {
		return nil, nil
	}
	p, err := compilePredicate(x, operator, env, nil)
	return &p, err
}

// OnBatch implements exec.Operator.
func (a *apply) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	rows := &batch.Batch{N: in.N, Sel: in.Sel, Cols: in.Cols} // those that ask for the answer
	if a.when != nil {
		kept, err := a.when.selectRows(in, a.asking)
		if err != nil {
			return fmt.Errorf("evaluate when a subquery is asked for: %w", err)
		}
		a.asking, rows.Sel = kept[:0], kept
	}
	args, sel, err := a.args.run(rows)
	if err != nil {
		return fmt.Errorf("evaluate a subquery's arguments: %w", err)
	}
	rows.Sel = sel
	// The subquery runs in between: what belongs to this batch is copied first.
	vals := make([][]types.Value, rows.Live())
	for k := range vals {
		for _, c := range args {
			vals[k] = append(vals[k], c.Value(rows.RowAt(k)))
		}
	}
	for i, k := 0, 0; i < in.Live(); i++ {
		row := in.RowAt(i)
		if k < len(vals) && rows.RowAt(k) == row {
			sub, err := a.answer(vals[k])
			if err != nil {
				return err
			}
			if err := a.combine(in, row, sub, out); err != nil {
				return err
			}
			k++
		} else if a.when != nil {
			if err := a.add(in, row, types.NullValue); err != nil {
				return err
			}
		}
		if a.out.N >= a.limit {
			if err := a.flush(out); err != nil {
				return err
			}
		}
	}
	return a.flush(out)
}

func (a *apply) flush(out exec.Output) error {
	if a.out.N == 0 {
		return nil
	}
	err := out.Emit(a.out)
	a.out.Reset()
	return err
}

// answer is the subquery's rows for the arguments.
func (a *apply) answer(args []types.Value) (*answer, error) {
	var key []byte
	for i := range args {
		key = types.AppendValue(key, a.spec.Args[i].Type, &args[i])
	}
	if sub := a.memo[string(key)]; sub != nil {
		return sub, a.makeSet(sub)
	}
	g := a.spec.Sub
	if len(args) > 0 {
		g = a.bindOuter(args)
	}
	rows := batch.New(layoutOf(g.Operators[len(g.Operators)-1].Fields), 0)
	if err := a.run(g, nil, func(b *batch.Batch) error {
		rows.AppendSelected(b, b.Sel)
		return a.held.Set(a.kept + int64(bytesOf(rows)))
	}); err != nil {
		return nil, err
	}
	if len(a.memo) >= memoMax || a.kept > memoBytesMax {
		clear(a.memo)
		a.kept = 0
	}
	a.kept += int64(bytesOf(rows)) + int64(len(key))
	if err := a.held.Set(a.kept); err != nil {
		return nil, err
	}
	sub := &answer{rows: rows}
	a.memo[string(key)] = sub
	if len(args) > 0 {
		return sub, nil // it may not come again
	}
	return sub, a.makeSet(sub)
}

// makeSet makes the set of an answer, once, if that is worth it.
func (a *apply) makeSet(sub *answer) (err error) {
	if sub.asked || a.anyOf == nil || sub.rows.N < setRowsMin {
		return nil
	}
	sub.asked = true
	var size int64
	sub.set, size, err = a.anyOf.set(sub.rows, &a.held)
	a.kept += size
	return err
}

// combine adds the output rows of input row i.
func (a *apply) combine(in *batch.Batch, i int, to *answer, out exec.Output) error {
	sub := to.rows
	switch a.spec.Kind {
	case logical.CrossApply, logical.LeftApply:
		return a.pair(in, i, sub, out)
	case logical.ExistsApply:
		return a.add(in, i, types.Value{Bool: sub.N > 0})
	case logical.ScalarApply:
		if sub.N > 1 {
			return pgerr.New(pgerr.CardinalityViolation, "more than one row returned by a subquery used as an expression")
		}
		if sub.N == 0 {
			return a.add(in, i, types.NullValue)
		}
		return a.add(in, i, sub.Cols[0].Value(0))
	case logical.ArrayApply:
		elem := *a.fields[a.width].Type.Elem
		vals := make([]types.Value, sub.N)
		for r := range vals {
			vals[r] = sub.Cols[0].Value(r)
		}
		return a.add(in, i, types.Value{Bytes: types.EncodeList(elem, vals)})
	}
	return a.quantify(in, i, to)
}

func (a *apply) add(in *batch.Batch, i int, v types.Value) error {
	for c, col := range in.Cols {
		a.out.Cols[c].AppendRow(col, i)
	}
	a.out.Cols[a.width].Append(v)
	a.out.N++
	return nil
}

// beside is input row i beside each row of sub.
func (a *apply) beside(in *batch.Batch, i int, sub *batch.Batch) *batch.Batch {
	b := &batch.Batch{N: sub.N}
	for _, col := range in.Cols {
		c := &batch.Column{Phys: col.Phys}
		for range sub.N {
			c.AppendRow(col, i)
		}
		b.Cols = append(b.Cols, c)
	}
	b.Cols = append(b.Cols, sub.Cols...)
	return b
}

// parts calls fn with input row i beside the rows of sub, some at a time, until fn
// says that it is done.
func (a *apply) parts(in *batch.Batch, i int, sub *batch.Batch, fn func(b *batch.Batch) (done bool, err error)) error {
	for from := 0; from < sub.N; from += batch.RowsDefault {
		done, err := fn(a.beside(in, i, slice(sub, from, min(from+batch.RowsDefault, sub.N))))
		if done || err != nil {
			return err
		}
	}
	return nil
}

// pair adds input row i with each row of sub that the condition lets through.
func (a *apply) pair(in *batch.Batch, i int, sub *batch.Batch, out exec.Output) error {
	alone := true
	err := a.parts(in, i, sub, func(b *batch.Batch) (bool, error) {
		var sel []uint16
		if a.where != nil {
			kept, err := a.where.selectRows(b, a.sel)
			if err != nil {
				return false, fmt.Errorf("evaluate a lateral join's condition: %w", err)
			}
			a.sel, sel = kept[:0], kept
		}
		alone = alone && sel != nil && len(sel) == 0
		a.out.AppendSelected(b, sel)
		if a.out.N >= a.limit {
			return false, a.flush(out)
		}
		return false, nil
	})
	if err != nil || !alone || a.spec.Kind == logical.CrossApply {
		return err
	}
	for c := range a.out.Cols {
		if c < a.width {
			a.out.Cols[c].AppendRow(in.Cols[c], i)
		} else {
			a.out.Cols[c].AppendNull()
		}
	}
	a.out.N++
	return nil
}

// quantify is ANY, true if some comparison is, and ALL, false if some is; else
// null if some is.
func (a *apply) quantify(in *batch.Batch, i int, to *answer) error {
	decides := a.spec.Kind == logical.AnyApply
	result, sub := types.Value{Bool: !decides}, to.rows
	if to.set != nil {
		switch found, null, ok := a.anyOf.find(to.set, in, i); {
		case found:
			return a.add(in, i, types.Value{Bool: decides})
		case ok && len(a.anyOf.ordered) == 1 && (null || to.set.nulls.N > 0):
			return a.add(in, i, types.NullValue)
		case ok && !null:
			sub = to.set.nulls // only they may say that it is not known
		}
	}
	err := a.parts(in, i, sub, func(b *batch.Batch) (bool, error) {
		cols, _, err := a.compare.run(b)
		if err != nil {
			return false, fmt.Errorf("compare with a subquery's rows: %w", err)
		}
		for r := range b.N {
			v := cols[0].Value(r)
			if !v.Null && v.Bool == decides {
				result = v
				return true, nil
			}
			if v.Null {
				result = v
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	return a.add(in, i, result)
}

// bindOuter is the subquery with the arguments' values in place of OpOuter, and with what
// can be computed of these alone: so it can be looked up. What belongs to nested Applies'
// own subqueries stays. Where a computation fails nothing is looked up: the rows for which
// it is asked for tell.
func (a *apply) bindOuter(vals []types.Value) *graph.Graph {
	bound, fails := map[*scalar.Expr]bool{}, false
	g := a.spec.Sub.MapExprs(func(e *scalar.Expr) *scalar.Expr {
		v := &types.Value{}
		switch {
		case e.Op == scalar.OpOuter:
			v = &vals[e.Column]
		case (e.Op == scalar.OpCall || e.Op == scalar.OpCast) && ofBound(e, bound):
			var err error
			if *v, err = a.constant(e); err != nil {
				fails = true
				return e
			}
		default:
			return e
		}
		c := &scalar.Expr{Op: scalar.OpConst, Type: e.Type, Value: v, Pos: e.Pos, Text: e.Text}
		bound[c] = true
		return c
	})
	for i := range g.Operators {
		if s := g.Operators[i].Source; fails && s != nil && s.Lookup != nil && s.Lookup.Outer {
			c := *s
			c.Lookup = nil
			g.Operators[i].Source = &c
		}
	}
	return g
}

// ofBound reports whether x is of constants alone, bound ones among them.
func ofBound(x *scalar.Expr, bound map[*scalar.Expr]bool) (some bool) {
	for _, arg := range x.Args {
		if arg.Op != scalar.OpConst {
			return false
		}
		some = some || bound[arg]
	}
	return some && scalar.VolatilityOf(x) == scalar.Immutable
}

// constant computes an expression without columns.
func (a *apply) constant(x *scalar.Expr) (types.Value, error) {
	p, err := compileProgram([]*scalar.Expr{x}, a.id, a.env, nil)
	if err != nil {
		return types.Value{}, err
	}
	p.now.set()
	cols, err := p.compiled.Eval(&batch.Batch{N: 1})
	if err != nil {
		return types.Value{}, err
	}
	return cols[0].Value(0), nil
}
