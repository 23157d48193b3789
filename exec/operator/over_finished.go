package operator

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/exec/over"
	"github.com/millrace/millrace/planner/graph"
)

// overFinished computes window functions over finished data: it keeps all rows,
// sorts them at the end and goes through the partitions one by one. It has no
// state tables: finished data is read again, not restored. Changelog modes:
// inserts in, inserts out.
type overFinished struct {
	exec.Stateless
	sorter *sorter
	calls  *over.Evaluator
	keys   int // of the sorter's keys: the partition's, then the order's
	order  int
	part   over.Partition
	out    *batch.Batch
	width  int
	bad    badRows
	times  sessionTimes
	names  []string // of the calls
}

func newOver(op *graph.Operator, env *Env) (exec.Operator, error) {
	spec := op.Over
	calls, err := over.New(spec, env.Inputs[0], eval.Options{Context: env.Eval})
	if err != nil {
		return nil, err
	}
	switch {
	case spec.AtEnd || env.Bounded:
	case spec.Progress != nil:
		return newOverProgress(op, env, calls)
	case spec.Window != nil:
		return newOverWindow(op, env, calls)
	default:
		return newOverChanges(op, env, calls)
	}
	sort := &graph.Sort{Limit: -1}
	for _, k := range spec.Keys {
		sort.Keys = append(sort.Keys, graph.SortKey{Column: k})
	}
	sort.Keys = append(sort.Keys, spec.Order...)
	for c := range env.Inputs[0] { // what the order does not decide
		sort.Keys = append(sort.Keys, graph.SortKey{Column: c})
	}
	layout := layoutOf(env.Inputs[0])
	o := &overFinished{calls: calls, keys: len(spec.Keys), order: len(spec.Order), width: len(layout), out: batch.New(layoutOf(op.Fields), 0),
		sorter: &sorter{spec: sort, layout: layout, valued: valuedTypes(env.Inputs[0]), rows: env.BatchRows, keep: -1}}
	o.bad, o.times = newBadRows(op.ID, env, env.Inputs[0]), newSessionTimes(op, env)
	for _, f := range op.Fields[len(layout):] {
		o.names = append(o.names, f.Name)
	}
	o.part.Cols = make([]*batch.Column, len(layout))
	for _, c := range calls.Columns() {
		o.part.Cols[c] = batch.NewColumn(layout[c], 0)
	}
	return o, nil
}

// OnBatch implements exec.Operator.
func (o *overFinished) OnBatch(_ int, in *batch.Batch, _ exec.Output) error {
	if err := insertsOnly(in); err != nil {
		return err
	}
	in, err := o.times.leaveOut(in)
	if err == nil {
		o.sorter.add(in)
	}
	return err
}

// OnEnd implements exec.Operator.
func (o *overFinished) OnEnd(out exec.Output) error {
	s := o.sorter
	s.sortRefs()
	for from := 0; from < len(s.refs); {
		to := from + 1
		for to < len(s.refs) && s.compareBy(s.spec.Keys[:o.keys], s.refs[to-1], s.refs[to]) == 0 {
			to++
		}
		if err := o.partition(s.refs[from:to], out); err != nil {
			return err
		}
		from = to
	}
	s.chunks, s.refs = nil, nil
	return o.emit(out)
}

// partition computes and emits one partition.
func (o *overFinished) partition(refs []ref, out exec.Output) error {
	s, p := o.sorter, &o.part
	p.N, p.Ties = len(refs), p.Ties[:0]
	for _, c := range o.calls.Columns() {
		p.Cols[c].Reset()
		for _, r := range refs {
			p.Cols[c].AppendRow(s.chunks[r.chunk].Cols[c], int(r.row))
		}
	}
	order := s.spec.Keys[o.keys : o.keys+o.order]
	for i := range refs {
		p.Ties = append(p.Ties, i > 0 && s.compareBy(order, refs[i-1], refs[i]) == 0)
	}
	results, err := o.calls.Run(p)
	if err != nil {
		return o.refuse(err, refs)
	}
	for i, r := range refs {
		for c := range o.width {
			o.out.Cols[c].AppendRow(s.chunks[r.chunk].Cols[c], int(r.row))
		}
		for c, col := range results {
			o.out.Cols[o.width+c].AppendRow(col, i)
		}
		if o.out.N++; o.out.N == s.rows {
			if err := o.emit(out); err != nil {
				return err
			}
		}
	}
	return nil
}

// refuse sends the rows of a partition that a window function has no value for where
// the job's policy says.
func (o *overFinished) refuse(err error, refs []ref) error {
	if o.bad.report == nil || !isDataError(err) {
		return err
	}
	for _, r := range refs {
		o.bad.counters.BadRows++
		refused := &exec.Refused{Operator: o.bad.operator, Err: err, Expr: o.names[o.calls.Failed()],
			Batch: o.sorter.chunks[r.chunk], Row: int(r.row), Fields: o.bad.fields}
		if err := o.bad.report(o.bad.ctx, refused); err != nil {
			return err
		}
	}
	return nil
}

func (o *overFinished) emit(out exec.Output) error {
	if o.out.N == 0 {
		return nil
	}
	err := out.Emit(o.out)
	o.out.Reset()
	return err
}
