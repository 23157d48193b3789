package operator

import (
	"fmt"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// lookupJoin joins left rows with the right rows that are there when they come. Its
// state is a table of the right side's rows; which of them share a key is derived. A row
// that is due is not there. Changelog modes: inserts on the left, any on the right; out,
// inserts.
type lookupJoin struct {
	exec.Stateless
	spec     *graph.LookupJoin
	rows     *rowGroups
	life     *lifetime // of the rows; nil: they stay
	counters *exec.Counters
	number   numbers
	groups   *joinGroups
	groupAt  *state.Vector[int32] // by state row
	nulls    unsafe.Pointer
	limit    int

	in       *batch.Batch
	groupOf  []int32
	sel      []uint16
	ids      []uint32
	state    []unsafe.Pointer
	fresh    []uint16
	prefix   []uint64
	one      []uint16
	emptied  []int32
	residual *predicate
	reads    []joinColumn
	tested   batch.Batch
	passed   []uint16
	tests    []unsafe.Pointer

	left    []uint16         // left rows of the pairs to come out
	right   []unsafe.Pointer // their right rows, nil for none
	found   []bool           // by left row: it is in the output
	columns []joinColumn
	out     batch.Batch
}

// EventTime implements exec.EventTime: rows of the right side have none.
func (j *lookupJoin) EventTime(port int) bool { return port == 0 }

func newLookupJoin(op *graph.Operator, env *Env) (exec.Operator, error) {
	spec := op.LookupJoin
	j := &lookupJoin{spec: spec, limit: env.BatchRows, counters: env.Counters, one: make([]uint16, 1), sel: []uint16{}, passed: []uint16{}}
	var err error
	if j.rows, err = sideGroups(op, env, 1, op.Tables[0].Name, spec.Right, spec.Keys, -1); err != nil {
		return nil, err
	}
	j.nulls, j.groupAt = nullRow(j.rows.rows.Table), state.NewVector[int32](j.rows.rows.Table)
	j.life = newLifetime(env, 0, j.rows.rows.Table)
	if j.groups, err = newJoinGroups(&op.Tables[0], spec.Keys, j.rows); err != nil {
		return nil, err
	}
	width := len(env.Inputs[0])
	place := func(c int) joinColumn {
		if c >= width {
			return joinColumn{1, c - width}
		}
		return joinColumn{0, c}
	}
	for i, c := range spec.Output {
		j.columns = append(j.columns, place(c))
		j.out.Cols = append(j.out.Cols, &batch.Column{Phys: op.Fields[i].Type.Phys()})
	}
	if spec.Residual != nil {
		var fields []types.Field
		at := map[int]int{}
		for _, c := range scalar.Columns(spec.Residual) {
			at[c] = len(j.reads)
			r := place(c)
			f := env.Inputs[r.side][r.column]
			j.reads, fields = append(j.reads, r), append(fields, f)
			j.tested.Cols = append(j.tested.Cols, &batch.Column{Phys: f.Type.Phys()})
		}
		p, err := compilePredicate(scalar.Remap(spec.Residual, func(c int) int { return at[c] }), op.ID, env, fields)
		if err != nil {
			return nil, err
		}
		j.residual = &p
	}
	return j, j.restore()
}

func (j *lookupJoin) restore() error {
	s := j.rows
	j.grow()
	return j.groups.groupsOf(s.rows, func(ids []uint32, rows []unsafe.Pointer, groups []int32) error {
		for k, id := range ids {
			s.setPresent(id, true)
			*j.groupAt.At(id) = groups[k]
			if j.spec.Right.Identity == graph.ByNumber {
				j.number.restored(*(*int64)(unsafe.Add(rows[k], s.rows.key(j.spec.Keys))))
			}
			s.lists.insert(uint32(groups[k]), entry{s.order.prefix(rows[k]), id}, s.order)
		}
		return nil
	})
}

func (j *lookupJoin) grow() {
	j.rows.growRows()
	j.groupAt.Grow(j.rows.rows.idEnd())
}

// OnBatch implements exec.Operator.
func (j *lookupJoin) OnBatch(port int, in *batch.Batch, out exec.Output) error {
	if in.Live() == 0 {
		return nil
	}
	sel := in.Sel
	if sel == nil {
		sel = state.Identity(in.N)
	}
	if port == 1 {
		j.groupOf = j.groups.locate(in.Cols, in.N, sel, j.groupOf)
		j.change(in, sel)
		j.life.sweepBatch(in, j.expire)
		j.settle()
		return nil
	}
	j.groupOf = j.groups.find(in.Cols, in.N, sel, j.groupOf)
	return j.lookUp(in, sel, out)
}

// change carries out changes of the right side. Rows with a null in a key match
// nothing.
func (j *lookupJoin) change(in *batch.Batch, sel []uint16) {
	s := j.rows
	j.sel = j.sel[:0]
	for _, i := range sel {
		if j.groupOf[i] != groupless {
			j.sel = append(j.sel, i)
		}
	}
	if len(j.sel) == 0 {
		return
	}
	var number *batch.Column
	if !s.spec.retractable {
		number = j.number.column(in.N, j.sel)
	}
	j.ids, j.state = roomFor(j.ids, in.N), roomFor(j.state, in.N)
	j.fresh = s.store(in, j.sel, number, j.ids, j.state, j.fresh[:0])
	j.grow()
	for _, i := range j.fresh {
		*j.groupAt.At(j.ids[i]) = j.groupOf[i]
		s.setPresent(j.ids[i], false)
		s.absent = append(s.absent, j.ids[i])
	}
	if j.life != nil {
		j.life.renew(in.N, j.sel, j.ids, j.state, func(i int, id uint32, row unsafe.Pointer) { j.forget(id, row) })
	}
	cut := batch.Batch{N: in.N, Sel: j.sel, Ops: in.Ops, Cols: in.Cols}
	j.prefix = s.order.prefixes(&cut, j.prefix)
	for _, i := range j.sel {
		id, group := j.ids[i], uint32(j.groupOf[i])
		switch takes := in.Op(int(i)).Retracts(); {
		case takes && !s.isPresent(id):
			j.emptied = append(j.emptied, int32(group))
			j.counters.Unmatched++
		case takes:
			s.takeAway(id, group)
			j.emptied = append(j.emptied, int32(group))
		case s.spec.copies:
			n := (*int64)(unsafe.Add(j.state[i], s.rows.column(0)))
			if *n++; !s.isPresent(id) {
				*n = 1
				s.setPresent(id, true)
				s.lists.insert(group, entry{j.prefix[i], id}, s.order)
			}
		case s.spec.retractable:
			j.replace(in, int(i), group)
		default:
			s.setPresent(id, true)
			s.lists.insert(group, entry{j.prefix[i], id}, s.order)
		}
	}
	j.settle()
}

// settle removes the rows that are gone, and the groups that have none left.
func (j *lookupJoin) settle() {
	j.rows.settle()
	for _, g := range j.emptied {
		j.groups.drop(g)
	}
	j.emptied = j.emptied[:0]
}

// OnBarrier implements exec.Stateful.
func (j *lookupJoin) OnBarrier(b exec.Barrier, _ exec.Output) error {
	j.life.sweepBarrier(b, j.expire)
	j.settle()
	return nil
}

// expire removes a row that is due.
func (j *lookupJoin) expire(id uint32, row unsafe.Pointer) { j.forget(id, row) }

// forget makes a row one that is not there, if it is.
func (j *lookupJoin) forget(id uint32, row unsafe.Pointer) {
	s := j.rows
	if !s.isPresent(id) {
		return
	}
	group := *j.groupAt.At(id)
	s.lists.remove(uint32(group), entry{s.order.prefix(row), id}, s.order)
	s.setPresent(id, false)
	s.absent, j.emptied = append(s.absent, id), append(j.emptied, group)
}

// replace puts row i of a batch in the place of the row of its key, if there is one.
func (j *lookupJoin) replace(in *batch.Batch, i int, group uint32) {
	s, id := j.rows, j.ids[i]
	if s.isPresent(id) {
		s.lists.remove(group, entry{s.order.prefix(j.state[i]), id}, s.order)
	}
	j.one[0] = uint16(i)
	for c, slot := range s.slots {
		if slot >= s.rows.keys() {
			s.rows.WriteColumn(slot, j.state, in.Cols[c], in.N, j.one)
		}
	}
	s.setPresent(id, true)
	s.lists.insert(group, entry{j.prefix[i], id}, s.order)
}

// lookUp emits left rows with what is there now.
func (j *lookupJoin) lookUp(in *batch.Batch, sel []uint16, out exec.Output) (err error) {
	j.in = in
	j.found = roomFor(j.found, in.N)
	s := j.rows
	add := func(i uint16, row unsafe.Pointer) {
		if j.left, j.right = append(j.left, i), append(j.right, row); len(j.left) >= j.limit && err == nil {
			err = j.flush(out)
		}
	}
	for _, i := range sel {
		j.found[i] = false
		if group := j.groupOf[i]; group != groupless {
			s.lists.scan(uint32(group), func(e *entry) bool {
				row := s.rows.read(e.id)
				if j.life != nil && j.life.due(row) {
					return true
				}
				for range s.copiesOf(e.id) {
					add(i, row)
				}
				return err == nil
			})
		}
		if j.spec.Outer {
			add(i, nil) // behind those that may pass
		}
		if err != nil {
			return err
		}
	}
	return j.flush(out)
}

// flush emits the pairs that wait and pass. One without a right row passes if none
// did that has the same left row.
func (j *lookupJoin) flush(out exec.Output) error {
	defer func() { j.left, j.right = j.left[:0], j.right[:0] }()
	if err := j.test(); err != nil {
		return err
	}
	n := 0
	for k, i := range j.left {
		row := j.right[k]
		switch {
		case row == nil && (!j.spec.Outer || j.found[i]):
			continue
		case row == nil:
			row = j.nulls
		}
		j.found[i] = true
		j.left[n], j.right[n] = i, row
		n++
	}
	if n == 0 {
		return nil
	}
	for k, c := range j.columns {
		j.fill(j.out.Cols[k], c, j.left[:n], j.right[:n])
	}
	j.out.N = n
	return out.Emit(&j.out)
}

// fill makes dst a column of pairs.
func (j *lookupJoin) fill(dst *batch.Column, c joinColumn, left []uint16, right []unsafe.Pointer) {
	if c.side == 1 {
		j.rows.rows.ReadColumn(j.rows.slots[c.column], right, dst)
		return
	}
	dst.Reset()
	dst.AppendFrom(j.in.Cols[c.column], left, len(left))
}

// test takes the pairs out for which the residual is not true.
func (j *lookupJoin) test() error {
	if j.residual == nil || len(j.left) == 0 {
		return nil
	}
	right := j.tests[:0]
	for _, r := range j.right {
		if r == nil {
			r = j.nulls
		}
		right = append(right, r)
	}
	j.tests = right
	for k, c := range j.reads {
		j.fill(j.tested.Cols[k], c, j.left, right)
	}
	j.tested.N, j.tested.Sel = len(j.left), j.candidates()
	kept, err := j.residual.selectRows(&j.tested, j.passed)
	if err != nil {
		return fmt.Errorf("evaluate join condition: %w", err)
	}
	j.passed = kept[:0]
	n, next := 0, 0
	for k, i := range j.left {
		passes := next < len(kept) && int(kept[next]) == k
		if passes {
			next++
		}
		if passes || j.right[k] == nil {
			j.left[n], j.right[n] = i, j.right[k]
			n++
		}
	}
	j.left, j.right = j.left[:n], j.right[:n]
	return nil
}

// candidates selects the pairs that have a right row.
func (j *lookupJoin) candidates() []uint16 {
	j.sel = j.sel[:0]
	for k, r := range j.right {
		if r != nil {
			j.sel = append(j.sel, uint16(k))
		}
	}
	return j.sel
}
