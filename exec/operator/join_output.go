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

// joinRows are pairs of rows to be made columns of: own is a row of the batch, or,
// negative, row -own-1 of join.before; other is one of the other side's state,
// NoRow for a row of nulls.
type joinRows struct {
	own   []int32
	other []state.RowID
	mixed bool // some own are negative
	sel   []uint16
	rows  []unsafe.Pointer
}

func (r *joinRows) reset() { r.own, r.other, r.mixed, r.sel = r.own[:0], r.other[:0], false, r.sel[:0] }

func (r *joinRows) add(own int32, other state.RowID) {
	r.own, r.other = append(r.own, own), append(r.other, other)
	r.sel = append(r.sel, uint16(own))
	r.mixed = r.mixed || own < 0
}

// resolve finds the other side's rows. It must be called before fill, and again
// once the state was written to.
func (r *joinRows) resolve(other *joinSide) {
	r.rows = roomFor(r.rows, len(r.other))
	for k, id := range r.other {
		if id == state.NoRow {
			r.rows[k] = other.nulls
		} else {
			r.rows[k] = other.table.Read(id)
		}
	}
}

// keep drops all but the rows that kept lists, in order, after resolve.
func (r *joinRows) keep(kept []uint16) {
	if len(kept) == len(r.own) {
		return
	}
	for k, i := range kept {
		r.own[k], r.other[k], r.sel[k], r.rows[k] = r.own[i], r.other[i], r.sel[i], r.rows[i]
	}
	n := len(kept)
	r.own, r.other, r.sel, r.rows = r.own[:n], r.other[:n], r.sel[:n], r.rows[:n]
}

// fill makes dst column c of a side's rows, for as long as the batch is there.
func (j *join) fill(dst *batch.Column, r *joinRows, side, c int) {
	if side == j.port && !r.mixed {
		dst.Refer(j.in.Cols[c], r.sel)
		return
	}
	dst.Reset()
	if side != j.port {
		j.other.table.ReadColumn(j.other.column(c), r.rows, dst)
		return
	}
	in, before := j.in.Cols[c], j.before[side].Cols[c]
	for _, i := range r.own {
		if i >= 0 {
			dst.AppendRow(in, int(i))
		} else {
			dst.AppendRow(before, int(-i-1))
		}
	}
}

// joinOutput is the rows that a join is about to emit. Rows are numbered through
// all batches.
type joinOutput struct {
	j       *join
	columns []joinColumn
	limit   int
	rows    joinRows
	ops     []batch.Op
	changes bool // some op is no insert
	first   int  // the number of the first row that waits
	batch   batch.Batch
	to      exec.Output
}

type joinColumn struct{ side, column int }

func (o *joinOutput) start(j *join, op *graph.Operator, limit int) {
	o.j, o.limit = j, limit
	left := j.sides[0].width
	for i, c := range op.Join.Output {
		side := 0
		if c >= left {
			side, c = 1, c-left
		}
		o.columns = append(o.columns, joinColumn{side, c})
		o.batch.Cols = append(o.batch.Cols, &batch.Column{Phys: op.Fields[i].Type.Phys()})
	}
}

func (o *joinOutput) begin(to exec.Output) { o.to = to }

// last is the number of the last row added, less than that of any row to come.
func (o *joinOutput) last() int { return o.first + len(o.ops) - 1 }

// set changes the op of a row that waits.
func (o *joinOutput) set(row int, op batch.Op) {
	o.ops[row-o.first] = op
	o.changes = true
}

// add adds a row. The halves of an update are never parted.
func (o *joinOutput) add(own int32, other state.RowID, op batch.Op) error {
	if len(o.ops) >= o.limit && op != batch.UpdateAfter {
		if err := o.flush(); err != nil {
			return err
		}
	}
	o.rows.add(own, other)
	o.ops = append(o.ops, op)
	o.changes = o.changes || op != batch.Insert
	return nil
}

// flush emits what waits.
func (o *joinOutput) flush() error {
	if len(o.ops) == 0 {
		return nil
	}
	o.rows.resolve(o.j.other)
	ops := o.ops
	if !o.changes {
		ops = nil
	}
	err := o.emit(&o.rows, ops)
	o.first += len(o.ops)
	o.rows.reset()
	o.ops, o.changes = o.ops[:0], false
	return err
}

// emit emits resolved rows, with nil ops as inserts.
func (o *joinOutput) emit(rows *joinRows, ops []batch.Op) error {
	for i, c := range o.columns {
		o.j.fill(o.batch.Cols[i], rows, c.side, c.column)
	}
	o.batch.N, o.batch.Ops, o.batch.Sel = len(rows.own), ops, nil
	return o.to.Emit(&o.batch)
}

// startTests compiles the residual over a batch of just the columns that it reads.
func (j *join) startTests(op *graph.Operator, env *Env) error {
	j.tested = &batch.Batch{}
	var fields []types.Field
	at := map[int]int{}
	for _, c := range scalar.Columns(op.Join.Residual) {
		at[c] = len(j.reads)
		r := joinColumn{0, c}
		if c >= j.sides[0].width {
			r = joinColumn{1, c - j.sides[0].width}
		}
		f := env.Inputs[r.side][r.column]
		j.reads, fields = append(j.reads, r), append(fields, f)
		j.tested.Cols = append(j.tested.Cols, &batch.Column{Phys: f.Type.Phys()})
	}
	residual := scalar.Remap(op.Join.Residual, func(c int) int { return at[c] })
	p, err := compilePredicate(residual, op.ID, env, fields)
	j.residual = &p
	return err
}

// collect notes a unit's candidates for the residual. If these take several rounds, the
// old row's come first: it may have been in the output by itself with the key that the new
// one has beside a row whose key is null.
func (j *join) collect(u *joinUnit) error {
	limit := j.out.limit
	if len(j.pairs.own) >= limit {
		if err := j.test(); err != nil {
			return err
		}
	}
	if u.old != nothing && u.new != nothing && j.takesRounds(u) {
		old := *u
		old.new, u.old = nothing, nothing
		if err := j.collect(&old); err != nil {
			return err
		}
	}
	at := len(j.pairs.own)
	for m := u.head; m != state.NoRow; m = j.other.after(m) {
		if len(j.pairs.own) >= 2*limit {
			u.pairs, u.more = len(j.pairs.own)-at, true
			j.units = append(j.units, *u)
			if err := j.test(); err != nil {
				return err
			}
			*u = j.units[:1][0] // with the matches so far
			u.begun, u.more, at = true, false, 0
		}
		if u.old != nothing {
			j.pairs.add(u.old, m)
		}
		if u.new != nothing {
			j.pairs.add(u.new, m)
		}
	}
	u.pairs = len(j.pairs.own) - at
	j.units = append(j.units, *u)
	return nil
}

// takesRounds reports whether a unit's candidates are more than are tested at once.
func (j *join) takesRounds(u *joinUnit) bool {
	n := len(j.pairs.own)
	for m := u.head; m != state.NoRow; m = j.other.after(m) {
		if n >= 2*j.out.limit {
			return true
		}
		n += 2
	}
	return false
}

// test evaluates the residual over the candidates and carries on with what passed.
func (j *join) test() error {
	if len(j.units) == 0 {
		return nil
	}
	n := len(j.pairs.own)
	j.passed = roomFor(j.passed, n)
	clear(j.passed)
	if n > 0 {
		kept, err := j.testPairs()
		if err != nil {
			return err
		}
		for _, i := range kept {
			j.passed[i] = true
		}
	}
	at := 0
	var last joinUnit
	for i := range j.units {
		u := &j.units[i]
		if err := j.replay(u, at); err != nil {
			return err
		}
		at += u.pairs
		last = *u
	}
	j.units = append(j.units[:0], last)[:0] // collect goes on with the last one
	j.pairs.reset()
	return nil
}

// testPairs resolves the candidates and selects those that pass the residual.
func (j *join) testPairs() ([]uint16, error) {
	j.pairs.resolve(j.other)
	for i, r := range j.reads {
		j.fill(j.tested.Cols[i], &j.pairs, r.side, r.column)
	}
	j.tested.N = len(j.pairs.own)
	kept, err := j.residual.selectRows(j.tested, j.selected)
	if err != nil {
		return nil, fmt.Errorf("evaluate join condition: %w", err)
	}
	j.selected = kept[:0]
	return kept, nil
}

// meetPairs emits the candidates that pass as inserts.
func (j *join) meetPairs() error {
	if len(j.pairs.own) == 0 {
		return nil
	}
	if j.residual == nil {
		j.pairs.resolve(j.other)
	} else {
		kept, err := j.testPairs()
		if err != nil {
			return err
		}
		j.pairs.keep(kept)
	}
	var err error
	if len(j.pairs.own) > 0 {
		err = j.out.emit(&j.pairs, nil)
	}
	j.pairs.reset()
	return err
}

// replay carries out a unit whose candidates begin at number at.
func (j *join) replay(u *joinUnit, at int) error {
	step := 1
	if u.old != nothing && u.new != nothing {
		step = 2
	}
	whole := !u.begun && !u.more
	for k := at; k < at+u.pairs; k += step {
		before, after := j.verdict(u, k, step)
		u.matches[0] += count(before)
		u.matches[1] += count(after)
	}
	if whole { // else it has no new row that could have the old one's key
		if err := j.goes(u); err != nil {
			return err
		}
	}
	for k := at; k < at+u.pairs; k += step {
		before, after := j.verdict(u, k, step)
		if !before && !after {
			continue
		}
		if err := j.meet(u, j.pairs.other[k], before, after); err != nil {
			return err
		}
	}
	if u.more {
		return nil
	}
	if !whole {
		if err := j.goes(u); err != nil {
			return err
		}
	}
	return j.comes(u)
}

// verdict tells whether the old and the new row of a unit passed with candidate k.
func (j *join) verdict(u *joinUnit, k, step int) (before, after bool) {
	switch {
	case step == 2:
		return j.passed[k], j.passed[k+1]
	case u.old != nothing:
		return j.passed[k], false
	}
	return false, j.passed[k]
}
