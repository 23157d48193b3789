package operator

import (
	"fmt"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// pairFilter evaluates a condition over pairs of rows of two tables, of just the
// columns that it reads.
type pairFilter struct {
	predicate predicate
	tables    [2]*table
	slots     [2][]int
	reads     []joinColumn
	in        batch.Batch
	rows      [2][]unsafe.Pointer
	at        []int // of the pairs that there are
	selected  []uint16
}

func newPairFilter(op *graph.Operator, env *Env, x *scalar.Expr, o *pairOutput) (*pairFilter, error) {
	f := &pairFilter{tables: o.tables, slots: o.slots, selected: []uint16{}}
	var fields []types.Field
	at := map[int]int{}
	for _, c := range scalar.Columns(x) {
		at[c] = len(f.reads)
		r := joinColumn{0, c}
		if left := len(env.Inputs[0]); c >= left {
			r = joinColumn{1, c - left}
		}
		field := env.Inputs[r.side][r.column]
		f.reads, fields = append(f.reads, r), append(fields, field)
		f.in.Cols = append(f.in.Cols, &batch.Column{Phys: field.Type.Phys()})
	}
	var err error
	f.predicate, err = compilePredicate(scalar.Remap(x, func(c int) int { return at[c] }), op.ID, env, fields)
	return f, err
}

// test makes the right row nil of pairs for which the condition is not true.
func (f *pairFilter) test(left, right []unsafe.Pointer) error {
	f.rows[0], f.rows[1], f.at = f.rows[0][:0], f.rows[1][:0], f.at[:0]
	for k, r := range right {
		if r != nil {
			f.rows[0], f.rows[1], f.at = append(f.rows[0], left[k]), append(f.rows[1], r), append(f.at, k)
		}
	}
	if len(f.at) == 0 {
		return nil
	}
	for i, r := range f.reads {
		f.tables[r.side].ReadColumn(f.slots[r.side][r.column], f.rows[r.side], f.in.Cols[i])
	}
	return f.keep(right)
}

// keep evaluates the condition over in.
func (f *pairFilter) keep(right []unsafe.Pointer) error {
	f.in.N = len(f.at)
	kept, err := f.predicate.selectRows(&f.in, f.selected)
	if err != nil {
		return fmt.Errorf("evaluate join condition: %w", err)
	}
	f.selected = kept[:0]
	next := 0
	for k, at := range f.at {
		if next < len(kept) && int(kept[next]) == k {
			next++
			continue
		}
		right[at] = nil
	}
	return nil
}
