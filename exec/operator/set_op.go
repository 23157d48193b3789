package operator

import (
	"fmt"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

// setOp is INTERSECT or EXCEPT of two finished inputs: it counts the copies of
// each row on both sides and emits at the end. Nulls are equal to each other. It
// has no state tables: finished data is read again, not restored. Changelog
// modes: inserts in, inserts out.
type setOp struct {
	exec.Stateless
	spec  *graph.SetOp
	table *table
	limit int
	ids   []uint32
	rows  []unsafe.Pointer
	fresh []uint16
}

func newSetOp(op *graph.Operator, env *Env) (exec.Operator, error) {
	var schema graph.Table
	for i, f := range op.Fields {
		schema.Keys = append(schema.Keys, graph.Column{Name: fmt.Sprint("column", i), Type: f.Type})
	}
	for _, c := range []string{"left", "right"} {
		schema.Columns = append(schema.Columns, graph.Column{Name: c, Type: types.Of(types.Int64)})
	}
	t, err := state.NewTable(schema, state.Options{})
	if err != nil {
		return nil, err
	}
	return &setOp{spec: op.SetOp, table: newTable(t), limit: env.BatchRows}, nil
}

// OnBatch implements exec.Operator.
func (s *setOp) OnBatch(port int, in *batch.Batch, _ exec.Output) error {
	s.ids, s.rows = roomFor(s.ids, in.N), roomFor(s.rows, in.N)
	s.fresh = s.table.find(in.Cols, in.N, in.Sel, s.ids, s.rows, s.fresh[:0])
	for k := range in.Live() {
		*(*int64)(unsafe.Add(s.rows[in.RowAt(k)], s.table.column(port)))++
	}
	return nil
}

// copies is how many copies of a row come out that was so often left and right.
func (s *setOp) copies(left, right int64) int64 {
	switch {
	case s.spec.Kind == logical.Intersect && s.spec.All:
		return min(left, right)
	case s.spec.Kind == logical.Intersect:
		return min(left, right, 1)
	case s.spec.All:
		return max(left-right, 0)
	case right > 0:
		return 0
	}
	return min(left, 1)
}

// OnEnd implements exec.Operator.
func (s *setOp) OnEnd(out exec.Output) error {
	defer s.table.Close()
	var rows []unsafe.Pointer
	b := &batch.Batch{}
	for i := range s.table.keys() {
		b.Cols = append(b.Cols, &batch.Column{Phys: s.table.keyPhys(i)})
	}
	send := func() error {
		if len(rows) == 0 {
			return nil
		}
		for i, c := range b.Cols {
			s.table.keyColumn(i, rows, c)
		}
		b.N = len(rows)
		rows = rows[:0]
		return out.Emit(b)
	}
	err := s.table.each(func(_ uint32, row unsafe.Pointer) error {
		left, right := *(*int64)(unsafe.Add(row, s.table.column(0))), *(*int64)(unsafe.Add(row, s.table.column(1)))
		for range s.copies(left, right) {
			if rows = append(rows, row); len(rows) >= s.limit {
				if err := send(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return send()
}
