package handler

import (
	"context"
	"errors"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/types"
)

// viewFollower gives the rows of a materialized view, and then, for each epoch
// that readers come to see, how it differs from the one before. What happened
// and was undone within an epoch is not told.
type viewFollower struct {
	view     *job.View
	want     []int // the view's columns
	snapshot bool  // the first epoch's rows are given, as inserts

	cut   *job.Cut // all of it was given; nil: nothing yet
	next  *job.Cut // what is being given; nil: nothing
	work  []change // of next
	cols  []int    // of the state table, for each wanted column
	pairs [2]*batch.Batch
}

// change is rows that share what happened to them: those of scan, or rows, or for
// an update pairs of rows before and after it. done counts what was given.
type change struct {
	op       batch.Op
	scan     *cutReader
	of, now  *state.Snapshot
	rows     []unsafe.Pointer
	nowRows  []unsafe.Pointer
	done     int
	isUpdate bool
}

// step adds at most limit changes to out, which is empty and has the wanted
// columns. Without any, sealed tells that an epoch was given to its end, else
// the channel is closed when there may be more.
func (f *viewFollower) step(out *batch.Batch, limit int) (sealed bool, ready <-chan struct{}, err error) {
	if f.next == nil {
		next, changed, err := f.view.Changed(f.cut)
		if next == nil {
			return false, changed, err
		}
		f.begin(next)
	}
	for len(f.work) > 0 {
		c := &f.work[0]
		if err := f.give(c, out, limit); err != nil {
			return false, nil, err
		}
		if out.N > 0 {
			return false, nil, nil
		}
		f.work = f.work[1:]
	}
	f.release(&f.cut)
	f.cut, f.next = f.next, nil
	return true, nil, nil
}

// begin finds out what next changes. Rows go before rows come, since a key that
// was taken away and put back may lie elsewhere.
func (f *viewFollower) begin(next *job.Cut) {
	f.next, f.work = next, nil
	if f.cut == nil {
		for _, p := range next.Parts {
			if f.snapshot {
				f.work = append(f.work, change{scan: newCutReader(p, next.Spec, f.want)})
			}
		}
	}
	cols, count := job.ColumnsOf(next.Parts[0].Schema(), next.Spec, f.want)
	f.cols = cols
	if f.cut == nil {
		return
	}
	diffs := state.Diff(f.cut.Parts, next.Parts)
	var came []change
	for _, d := range diffs {
		f.add(&f.work, change{op: batch.Delete, of: d.Old, rows: copies(d.Old, d.Gone, count)})
		f.add(&came, change{op: batch.Insert, of: d.New, rows: copies(d.New, d.Came, count)})
		if count >= 0 {
			gone, more := moreOrLess(&d, count)
			f.add(&f.work, change{op: batch.Delete, of: d.Old, rows: gone})
			f.add(&came, change{op: batch.Insert, of: d.New, rows: more})
		}
	}
	if count < 0 {
		for _, d := range diffs {
			f.add(&f.work, change{isUpdate: true, of: d.Old, rows: d.Before, now: d.New, nowRows: d.After})
		}
	}
	f.work = append(f.work, came...)
}

func (f *viewFollower) add(list *[]change, c change) {
	if len(c.rows) > 0 {
		*list = append(*list, c)
	}
}

// copies repeats each row as often as column count says; -1 is once.
func copies(s *state.Snapshot, rows []unsafe.Pointer, count int) []unsafe.Pointer {
	if count < 0 || len(rows) == 0 {
		return rows
	}
	var out []unsafe.Pointer
	for i, n := range counts(s, rows, count) {
		for range n {
			out = append(out, rows[i])
		}
	}
	return out
}

func counts(s *state.Snapshot, rows []unsafe.Pointer, count int) []int64 {
	c := batch.NewColumn(types.PhysInt, 0)
	s.ReadColumn(count, rows, c)
	return c.Int
}

// moreOrLess is the copies that went and came of the rows whose number changed.
func moreOrLess(d *state.Difference, count int) (gone, came []unsafe.Pointer) {
	if len(d.Before) == 0 {
		return nil, nil
	}
	before, after := counts(d.Old, d.Before, count), counts(d.New, d.After, count)
	for i := range before {
		for range before[i] - after[i] {
			gone = append(gone, d.Before[i])
		}
		for range after[i] - before[i] {
			came = append(came, d.After[i])
		}
	}
	return gone, came
}

// give adds the next rows of a change to out; none are left when it adds nothing.
func (f *viewFollower) give(c *change, out *batch.Batch, limit int) error {
	switch {
	case c.scan != nil:
		_, err := c.scan.Read(context.Background(), out, limit)
		out.Ops = nil
		return err
	case c.isUpdate:
		f.givePairs(c, out, limit)
		return nil
	}
	n := min(limit, len(c.rows)-c.done)
	f.read(c.of, c.rows[c.done:c.done+n], out)
	c.done += n
	for range n {
		out.Ops = append(out.Ops, c.op)
	}
	return nil
}

// givePairs adds rows before and after an update in turn.
func (f *viewFollower) givePairs(c *change, out *batch.Batch, limit int) {
	from := c.done / 2
	to := min(len(c.rows), (c.done+limit+1)/2)
	if f.pairs[0] == nil {
		for i := range f.pairs {
			f.pairs[i] = &batch.Batch{}
			for _, col := range out.Cols {
				f.pairs[i].Cols = append(f.pairs[i].Cols, batch.NewColumn(col.Phys, 0))
			}
		}
	}
	f.read(c.of, c.rows[from:to], f.pairs[0])
	f.read(c.now, c.nowRows[from:to], f.pairs[1])
	for ; out.N < limit && c.done < 2*len(c.rows); c.done++ {
		side := c.done % 2
		for i, col := range out.Cols {
			col.AppendRow(f.pairs[side].Cols[i], c.done/2-from)
		}
		out.N++
		out.Ops = append(out.Ops, [2]batch.Op{batch.UpdateBefore, batch.UpdateAfter}[side])
	}
}

func (f *viewFollower) read(s *state.Snapshot, rows []unsafe.Pointer, out *batch.Batch) {
	for i, c := range f.cols {
		s.ReadColumn(c, rows, out.Cols[i])
	}
	out.N = len(rows)
}

func (f *viewFollower) release(c **job.Cut) {
	if *c != nil {
		(*c).Release()
		*c = nil
	}
}

func (f *viewFollower) close() {
	f.release(&f.cut)
	f.release(&f.next)
}

// viewSource is a view as a continuous query reads it: its rows and then its
// changes, in one split since they have one order.
type viewSource struct{ view *job.View }

// Schema implements connector.Source.
func (viewSource) Schema() []connector.Column { return nil }

// Follows implements connector.Source.
func (viewSource) Follows() bool { return false }

// Splits implements connector.Source.
func (viewSource) Splits(context.Context) ([]connector.Split, error) {
	return []connector.Split{{ID: "view"}}, nil
}

// Open implements connector.Source.
func (v viewSource) Open(_ context.Context, _ connector.Split, _ []byte, want []int) (connector.Reader, error) {
	return &viewReader{f: viewFollower{view: v.view, want: want, snapshot: true}}, nil
}

type viewReader struct {
	f     viewFollower
	ready <-chan struct{}
}

// Read implements connector.Reader.
func (r *viewReader) Read(_ context.Context, out *batch.Batch, limit int) (connector.Status, error) {
	sealed, ready, err := r.f.step(out, limit)
	r.ready = ready
	if errors.Is(err, job.ErrViewEnded) {
		return connector.End, nil
	}
	if err != nil {
		return connector.End, err
	}
	if out.N > 0 || sealed {
		return connector.More, nil
	}
	return connector.Idle, nil
}

// Ready implements connector.Reader.
func (r *viewReader) Ready() <-chan struct{} { return r.ready }

// Offset implements connector.Reader: a view is not read on from a place.
func (r *viewReader) Offset() []byte { return nil }

// Close implements connector.Reader.
func (r *viewReader) Close() error {
	r.f.close()
	return nil
}
