// Package over computes window functions over one sorted partition at a time:
// the kernels behind OVER. It finds no partitions, sorts nothing and keeps
// nothing between partitions. It follows PostgreSQL in every corner of frames.
package over

import (
	"fmt"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// Partition is the rows that calls see. It is the caller's, and is not kept.
type Partition struct {
	N int
	// Cols are the input's columns; those that Columns does not list may be nil.
	Cols []*batch.Column
	// Ties tells for each row whether the order does not tell it apart from the
	// one before it.
	Ties []bool
}

// Evaluator computes the calls of one operator. Not for concurrent use.
type Evaluator struct {
	calls   []call
	columns []int
	layout  layout
	out     []*batch.Column
	failed  int
}

// call is one result column.
type call interface {
	// run fills dst, which has p.N rows without nulls.
	run(p *Partition, l *layout, dst *batch.Column) error
}

// layout is what all calls want to know about a partition: its groups of peers.
type layout struct {
	n      int
	group  []int // of each row
	starts []int // of each group, and the end
}

func (l *layout) fill(p *Partition) {
	l.n = p.N
	l.group, l.starts = l.group[:0], l.starts[:0]
	for i := range p.N {
		if i == 0 || !p.Ties[i] {
			l.starts = append(l.starts, i)
		}
		l.group = append(l.group, len(l.starts)-1)
	}
	l.starts = append(l.starts, p.N)
}

// first and end of the peers of row i.
func (l *layout) first(i int) int { return l.starts[l.group[i]] }
func (l *layout) end(i int) int   { return l.starts[l.group[i]+1] }

// New compiles the calls of spec over input columns in.
func New(spec *graph.Over, in []types.Field, opts eval.Options) (*Evaluator, error) {
	e := &Evaluator{}
	need := map[int]bool{}
	for i := range spec.Calls {
		w := &spec.Calls[i]
		f, err := newFrame(spec, w, in, opts)
		if err != nil {
			return nil, err
		}
		c, err := newCall(w, in, f)
		if err != nil {
			return nil, err
		}
		e.calls = append(e.calls, c)
		e.out = append(e.out, &batch.Column{Phys: w.Type.Phys()})
		for _, a := range w.Args {
			need[a] = true
		}
		for _, a := range w.Accumulators {
			need[a.Arg], need[a.Filter] = true, true
			for _, c := range a.With {
				need[c] = true
			}
		}
		if w.List != nil {
			need[w.List.Filter] = true
		}
		if f != nil && f.key >= 0 {
			need[f.key] = true
		}
	}
	for c := range in {
		if need[c] {
			e.columns = append(e.columns, c)
		}
	}
	return e, nil
}

func newCall(w *graph.WindowCall, in []types.Field, f *frame) (call, error) {
	switch {
	case w.List != nil:
		return newList(w, in, f)
	case len(w.Accumulators) > 0:
		return newAggregate(w, in, f)
	}
	switch w.Func {
	case "row_number", "rank", "dense_rank", "percent_rank", "cume_dist":
		return &ranking{fn: w.Func}, nil
	case "session_start", "session_end":
		return &session{arg: w.Args[0], gap: w.Gap, end: w.Func == "session_end"}, nil
	case "ntile":
		return &ntile{arg: w.Args[0]}, nil
	case "lag", "lead":
		return newShift(w), nil
	case "first_value", "last_value", "nth_value":
		return newFramed(w, f), nil
	}
	return nil, fmt.Errorf("unknown window function %q", w.Func)
}

// Columns are the input columns that calls read.
func (e *Evaluator) Columns() []int { return e.columns }

// Run computes the result columns of a partition, valid until the next call.
func (e *Evaluator) Run(p *Partition) ([]*batch.Column, error) {
	e.layout.fill(p)
	for i, c := range e.calls {
		dst := e.out[i]
		dst.Reset()
		dst.Resize(p.N)
		if err := c.run(p, &e.layout, dst); err != nil {
			e.failed = i
			return nil, err
		}
	}
	return e.out, nil
}

// Failed is the number of the call that the last Run failed with.
func (e *Evaluator) Failed() int { return e.failed }

// setNull makes row i of dst null.
func setNull(dst *batch.Column, i, n int) {
	dst.SetNull(i, n)
	dst.SetValue(i, types.Value{})
}

// copyValue makes row i of dst row j of src, or null if j is negative.
func copyValue(dst *batch.Column, i, n int, src *batch.Column, j int) {
	if j < 0 || src.IsNull(j) {
		setNull(dst, i, n)
		return
	}
	switch dst.Phys {
	case types.PhysInt:
		dst.Int[i] = src.Int[j]
	case types.PhysFloat:
		dst.Float[i] = src.Float[j]
	case types.PhysBool:
		dst.Bool[i] = src.Bool[j]
	case types.PhysDecimal:
		dst.Dec[i] = src.Dec[j]
	case types.PhysBytes:
		dst.Views[i] = dst.AddStr(src.Str(j))
	case types.PhysInterval:
		dst.Interval[i] = src.Interval[j]
	case types.PhysUUID:
		dst.UUID[i] = src.UUID[j]
	}
}
