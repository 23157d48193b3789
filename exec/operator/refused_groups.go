package operator

import (
	"errors"
	"slices"
	"strings"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// refusedGroups handles groups of which an aggregate has no value: a sum beyond its
// type, arrays that do not go together. Folding never fails, so that such a group goes
// on and has its value again when the rows are gone that were too much. As long as it
// has none it has no row in the output: what it comes to is found out from its state
// row, as everything is that was emitted before. When it ceases to have a value its
// keys go by the job's bad-data policy.
type refusedGroups struct {
	bad    badRows
	layout outputLayout
	names  []string // of the aggregates
	cols   []*batch.Column
	key    batch.Batch
	one    [1]unsafe.Pointer
}

func newRefusedGroups(op *graph.Operator, env *Env, a *accumulators, layout outputLayout) refusedGroups {
	cols := layout.columns(a)
	keys := len(cols) - len(a.outputs)
	r := refusedGroups{bad: newBadRows(op.ID, env, op.Fields[:keys]), layout: layout, cols: cols, key: batch.Batch{N: 1, Cols: cols[:keys]}}
	for i := range a.spec.Outputs {
		r.names = append(r.names, a.nameOf(&a.spec.Outputs[i]))
	}
	return r
}

// nameOf is an aggregate as text, from the names of what it is computed from.
func (a *accumulators) nameOf(o *graph.Output) string {
	name := a.spec.Accumulators[o.Accumulators[0]].Name
	if at := strings.IndexByte(name, '('); at >= 0 && o.Func != "value" {
		return o.Func + name[at:]
	}
	return name
}

// isDataError reports whether err is about values that came, so that a job may go on
// without them.
func isDataError(err error) bool {
	var e *pgerr.Error
	return errors.As(err, &e) && (e.Code[:2] == pgerr.NumericValueOutOfRange[:2] || e.Code == pgerr.ProgramLimitExceeded)
}

// passable reports whether the job may go on without the group that err is about.
func (r *refusedGroups) passable(err error) bool { return r.bad.report != nil && isDataError(err) }

// fill is the layout's, without the rows that have no value, which it tells and takes
// out of rows. It returns how many are left.
func (r *refusedGroups) fill(a *accumulators, rows []unsafe.Pointer, cols []*batch.Column) (int, error) {
	err := r.layout.fill(a, rows, cols)
	if err == nil || !r.passable(err) {
		return len(rows), err
	}
	kept := rows[:0]
	for _, row := range rows {
		ok, err := r.hasValue(a, row, true)
		if err != nil {
			return 0, err
		}
		if ok {
			kept = append(kept, row)
		}
	}
	return len(kept), r.layout.fill(a, kept, cols)
}

// hasValue reports whether all aggregates of a state row have a value, and tells it
// if they have not.
func (r *refusedGroups) hasValue(a *accumulators, row unsafe.Pointer, tell bool) (bool, error) {
	r.one[0] = row
	err := r.layout.fill(a, r.one[:], r.cols)
	switch {
	case err == nil:
		return true, nil
	case !r.passable(err):
		return false, err
	case tell:
		return false, r.report(err, a.failed)
	}
	return false, nil
}

// takeBack tells that the group of a state row, which had no value, is gone or has one.
func (r *refusedGroups) takeBack(a *accumulators, row unsafe.Pointer) error {
	r.one[0] = row
	r.layout.fillKeys(a, r.one[:], r.cols)
	r.key.Ops = append(r.key.Ops[:0], batch.Delete)
	return r.bad.report(r.bad.ctx, &exec.Refused{Operator: r.bad.operator, Batch: &r.key, Fields: r.bad.fields})
}

// refuse tells that an aggregate of a list has no value, of the group of a state row.
func (r *refusedGroups) refuse(a *accumulators, row unsafe.Pointer, f *listFailure) error {
	if !r.passable(f.err) {
		return f.err
	}
	r.one[0] = row
	r.layout.fillKeys(a, r.one[:], r.cols)
	return r.report(f.err, slices.IndexFunc(a.spec.Outputs, func(o graph.Output) bool { return &a.all[o.Accumulators[0]] == f.acc }))
}

// report sends the keys in r.cols where the policy says.
func (r *refusedGroups) report(err error, output int) error {
	r.bad.counters.BadRows++
	r.key.Ops = nil
	refused := &exec.Refused{Operator: r.bad.operator, Err: err, Batch: &r.key, Fields: r.bad.fields}
	if output >= 0 {
		refused.Expr = r.names[output]
	}
	return r.bad.report(r.bad.ctx, refused)
}

// listFailure is why an aggregate of all rows of a group has no value.
type listFailure struct {
	err error
	acc *accumulator
}

// refusal is why a list has no value for a group, nil if all have.
func (a *accumulators) refusal(group uint32) *listFailure {
	for _, l := range a.lists {
		if f := l.failed[group]; f != nil {
			return f
		}
	}
	return nil
}

// compute computes a reader's aggregate of a group. Its slot is null if there is no
// value; that this is why is not stored, but found out anew after a restore.
func (l *list) compute(r *listReader, id uint32) (types.Value, error) {
	v, err := r.compute(l.rowsOf(r, id))
	if err == nil || !isDataError(err) {
		return v, err
	}
	if l.failed == nil {
		l.failed = map[uint32]*listFailure{}
	}
	l.failed[id] = &listFailure{err: err, acc: r.acc}
	return types.NullValue, nil
}

// mayHaveFailed reports whether a group's row that came with the state may lack the
// value of an aggregate.
func (l *list) mayHaveFailed(row unsafe.Pointer) bool {
	for _, r := range l.readers {
		if l.a.groups.IsNull(row, r.acc.column) {
			return true
		}
	}
	return false
}
