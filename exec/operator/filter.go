package operator

import (
	"fmt"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/planner/graph"
)

// filter keeps the rows whose predicate is true. It keeps no state and shares
// its input's columns. Changelog modes: any in, the same out. Of an update that
// passes half, the half that passes becomes an insert or a delete. In an upsert
// stream a row that does not pass takes away the one of its key that may have
// passed before.
type filter struct {
	exec.Stateless
	predicate predicate
	parts     inParts
	upsert    bool
	out       batch.Batch
	sel       []uint16 // never nil, which would select all
	ops       []batch.Op
}

func newFilter(op *graph.Operator, env *Env) (exec.Operator, error) {
	p, err := compilePredicate(op.Filter.Predicate, op.ID, env, env.Inputs[0])
	if err != nil {
		return nil, err
	}
	f := &filter{predicate: p, upsert: op.Mode == graph.Upsert, sel: []uint16{}}
	f.parts.may(p.compiled.InParts, true)
	return f, nil
}

// OnBatch implements exec.Operator.
func (f *filter) OnBatch(_ int, in *batch.Batch, out exec.Output) error {
	kept, err := f.predicate.selectRows(in, f.sel)
	if f.parts.cuts(err) {
		return f.parts.each(in, func(in *batch.Batch) error { return f.OnBatch(0, in, out) })
	}
	if err != nil {
		return fmt.Errorf("evaluate filter: %w", err)
	}
	f.sel = kept[:0]
	f.out = batch.Batch{N: in.N, Sel: kept, Ops: in.Ops, Cols: in.Cols, Derived: f.predicate.compiled.Derived(f.out.Derived)}
	switch {
	case f.upsert:
		f.retractDropped(in, kept)
	case in.Ops != nil:
		f.out.Ops = splitPairs(in, kept, &f.ops)
	}
	if len(f.out.Sel) == 0 {
		return nil
	}
	return out.Emit(&f.out)
}

// OnWatermark implements exec.Operator.
func (f *filter) OnWatermark(mark exec.Watermark, _ exec.Output) error {
	f.predicate.now.pass(mark)
	return nil
}

// retractDropped lets all rows through, those that did not pass as deletes.
func (f *filter) retractDropped(in *batch.Batch, kept []uint16) {
	f.ops = append(f.ops[:0], make([]batch.Op, in.N)...)
	for k := range in.Live() {
		f.ops[in.RowAt(k)] = batch.Delete
	}
	for _, i := range kept {
		f.ops[i] = in.Op(int(i))
	}
	f.out.Ops, f.out.Sel = f.ops, in.Sel
	if in.Sel == nil {
		f.out.Sel = identity(in.N)
	}
}

// splitPairs returns the ops for the rows kept of in: the input's own unless an
// update's other half was dropped. scratch holds the ops if they differ.
func splitPairs(in *batch.Batch, kept []uint16, scratch *[]batch.Op) []batch.Op {
	ops := in.Ops
	own := func() {
		if &ops[0] == &in.Ops[0] {
			*scratch = append((*scratch)[:0], in.Ops...)
			ops = *scratch
		}
	}
	at := 0 // in in.Sel
	for k := 0; k < len(kept); k++ {
		switch in.Ops[kept[k]] {
		case batch.UpdateBefore:
			other := int(kept[k]) + 1
			if in.Sel != nil {
				for in.Sel[at] != kept[k] {
					at++
				}
				other = in.N
				if at+1 < len(in.Sel) {
					other = int(in.Sel[at+1])
				}
			}
			if k+1 < len(kept) && int(kept[k+1]) == other && in.Ops[other] == batch.UpdateAfter {
				k++
				continue
			}
			own()
			ops[kept[k]] = batch.Delete
		case batch.UpdateAfter:
			own()
			ops[kept[k]] = batch.Insert
		}
	}
	return ops
}

// identity is the selection of the first n rows.
func identity(n int) []uint16 {
	sel := make([]uint16, n)
	for i := range sel {
		sel[i] = uint16(i)
	}
	return sel
}
