package operator

import (
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/over"
	"github.com/millrace/millrace/planner/graph"
)

// overRefused handles partitions of which a window function has no value: all
// their rows go by the job's bad-data policy, and nothing is emitted for them. As
// the same rows fail in the same way, what is compared with later has no results
// of them either.
type overRefused struct {
	bad    badRows
	calls  *over.Evaluator
	names  []string // of the calls
	groups *rowGroups
	in     batch.Batch
	rows   []unsafe.Pointer
	// known are the rows of partitions that had no value before their first change
	// since the last flush: they have been told.
	known map[uint32]map[uint32]bool
}

func newOverRefused(op *graph.Operator, env *Env, calls *over.Evaluator, groups *rowGroups) overRefused {
	r := overRefused{bad: newBadRows(op.ID, env, env.Inputs[0]), calls: calls, groups: groups}
	for _, f := range env.Inputs[0] {
		r.in.Cols = append(r.in.Cols, &batch.Column{Phys: f.Type.Phys()})
	}
	for _, f := range op.Fields[len(env.Inputs[0]):] {
		r.names = append(r.names, f.Name)
	}
	return r
}

// isData reports whether err is about the values of a partition, and the policy
// may let the job go on.
func (r *overRefused) isData(err error) bool {
	return r.bad.report != nil && isDataError(err)
}

// before notes the rows of a partition that had no value.
func (r *overRefused) before(list uint32, ids []uint32) {
	if r.known == nil {
		r.known = map[uint32]map[uint32]bool{}
	}
	r.known[list] = map[uint32]bool{}
	for _, id := range ids {
		r.known[list][id] = true
	}
}

// tell reports the rows of a partition that have not been told.
func (r *overRefused) tell(err error, list uint32, ids []uint32, rows []unsafe.Pointer) error {
	r.rows = r.rows[:0]
	for i, id := range ids {
		if !r.known[list][id] {
			r.rows = append(r.rows, rows[i])
		}
	}
	for c, slot := range r.groups.slots {
		r.groups.rows.ReadColumn(slot, r.rows, r.in.Cols[c])
	}
	r.in.N = len(r.rows)
	for i := range r.rows {
		r.bad.counters.BadRows++
		refused := &exec.Refused{Operator: r.bad.operator, Err: err, Expr: r.names[r.calls.Failed()], Batch: &r.in, Row: i, Fields: r.bad.fields}
		if err := r.bad.report(r.bad.ctx, refused); err != nil {
			return err
		}
	}
	return nil
}
