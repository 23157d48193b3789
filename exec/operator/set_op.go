package operator

import (
	"fmt"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/types"
)

// setOp is INTERSECT or EXCEPT of two inputs. Its state is a table of all columns
// with the number of copies left and right; nulls are equal to each other. A row
// with no copies is deleted. Changelog modes: any but upsert in; out, the copies
// that come and go; over finished data, all at the end, from a table that is no
// state. A row that is due counts as one without copies. Rows whose time, or window,
// the watermark has passed are late, and the state has none of them.
type setOp struct {
	exec.Stateless
	spec     *graph.SetOp
	table    *table
	life     *lifetime    // of rows; nil: they stay
	times    *setOpExpiry // nil: no watermark frees rows
	atEnd    bool
	limit    int
	counters *exec.Counters
	ids      []uint32
	rows     []unsafe.Pointer
	fresh    []uint16

	emitted []unsafe.Pointer
	ops     []batch.Op
	out     batch.Batch
}

func newSetOp(op *graph.Operator, env *Env) (exec.Operator, error) {
	s := &setOp{spec: op.SetOp, limit: env.BatchRows, counters: env.Counters}
	if len(op.Tables) > 0 {
		tables, err := openTables(op, env)
		if err != nil {
			return nil, err
		}
		s.table = tables[0]
		s.life = newLifetime(env, 0, s.table.Table)
		if e := op.SetOp.Expiry; e != nil {
			s.times = newSetOpExpiry(e, s.table, env)
		}
	} else {
		s.atEnd = true
		var schema graph.Table
		for i, f := range op.Fields {
			schema.Keys = append(schema.Keys, graph.Column{Name: fmt.Sprint("column", i), Type: f.Type})
		}
		for _, c := range []string{"left", "right"} {
			schema.Columns = append(schema.Columns, graph.Column{Name: c, Type: types.Of(types.Int64)})
		}
		var err error
		if s.table, err = newFinished(&schema, env.Memory); err != nil {
			return nil, err
		}
	}
	for i := range s.table.keys() {
		s.out.Cols = append(s.out.Cols, &batch.Column{Phys: s.table.keyPhys(i)})
	}
	return s, nil
}

// OnBatch implements exec.Operator.
func (s *setOp) OnBatch(port int, in *batch.Batch, out exec.Output) error {
	if s.times != nil {
		var err error
		if in, err = s.times.onTime(in); err != nil {
			return err
		}
	}
	if in.Live() == 0 {
		return nil
	}
	s.ids, s.rows = roomFor(s.ids, in.N), roomFor(s.rows, in.N)
	s.fresh = s.table.find(in.Cols, in.N, in.Sel, s.ids, s.rows, s.fresh[:0])
	if s.times != nil {
		s.times.created(s.fresh, s.ids, s.rows)
	}
	if s.life != nil {
		s.life.renew(in.N, in.Sel, s.ids, s.rows, func(_ int, _ uint32, row unsafe.Pointer) {
			for side := range 2 {
				*(*int64)(unsafe.Add(row, s.table.column(side))) = 0
			}
		})
	}
	for k := range in.Live() {
		i := in.RowAt(k)
		row := s.rows[i]
		before := s.current(row)
		n := (*int64)(unsafe.Add(row, s.table.column(port)))
		if !in.Op(i).Retracts() {
			*n++
		} else if *n > 0 { // what was never there is not taken away
			*n--
		} else {
			s.counters.Unmatched++
		}
		if s.atEnd {
			continue
		}
		if err := s.change(row, s.current(row)-before, out); err != nil {
			return err
		}
	}
	if err := s.send(out); err != nil || s.atEnd {
		return err
	}
	s.forget(in)
	s.life.sweepBatch(in, s.expire)
	return nil
}

// OnBarrier implements exec.Stateful.
func (s *setOp) OnBarrier(b exec.Barrier, _ exec.Output) error {
	s.life.sweepBarrier(b, s.expire)
	return nil
}

// OnWatermark implements exec.Operator.
func (s *setOp) OnWatermark(mark exec.Watermark, _ exec.Output) error {
	if s.times != nil {
		s.times.advance(mark)
	}
	return nil
}

// expire removes a row that is due.
func (s *setOp) expire(id uint32, _ unsafe.Pointer) { s.table.remove(id) }

// current is how many copies of a row are in the output.
func (s *setOp) current(row unsafe.Pointer) int64 {
	return s.copies(*(*int64)(unsafe.Add(row, s.table.column(0))), *(*int64)(unsafe.Add(row, s.table.column(1))))
}

// change emits n more copies of a row, or -n fewer.
func (s *setOp) change(row unsafe.Pointer, n int64, out exec.Output) error {
	op := batch.Insert
	if n < 0 {
		op, n = batch.Delete, -n
	}
	for range n {
		s.emitted, s.ops = append(s.emitted, row), append(s.ops, op)
		if len(s.emitted) >= s.limit {
			if err := s.send(out); err != nil {
				return err
			}
		}
	}
	return nil
}

// send emits what change has noted.
func (s *setOp) send(out exec.Output) error {
	if len(s.emitted) == 0 {
		return nil
	}
	for i, c := range s.out.Cols {
		s.table.keyColumn(i, s.emitted, c)
	}
	s.out.N, s.out.Ops = len(s.emitted), nil
	for _, op := range s.ops {
		if op != batch.Insert {
			s.out.Ops = s.ops
		}
	}
	err := out.Emit(&s.out)
	s.emitted, s.ops = s.emitted[:0], s.ops[:0]
	return err
}

// forget deletes the batch's rows of which no copy is left.
func (s *setOp) forget(in *batch.Batch) {
	for k := range in.Live() {
		i := in.RowAt(k)
		row := s.rows[i]
		left, right := (*int64)(unsafe.Add(row, s.table.column(0))), *(*int64)(unsafe.Add(row, s.table.column(1)))
		if *left == 0 && right == 0 {
			*left = removed
			s.table.remove(s.ids[i])
		}
	}
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
	if !s.atEnd {
		return nil
	}
	defer s.table.Close()
	if err := s.table.each(func(_ uint32, row unsafe.Pointer) error { return s.change(row, s.current(row), out) }); err != nil {
		return err
	}
	return s.send(out)
}
