package handler

import (
	"context"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// foundReader reads what an index finds of a view in a cut. The index is asked for
// no more rows than are read.
type foundReader struct {
	parts  []*state.Snapshot
	scan   *state.LookupScan
	cols   []int // of the state table, for each wanted column
	count  int   // the column that counts copies of a row, -1 for none
	enough int64 // rows still to give
	limit  int   // places asked for at once; it grows
	ended  bool

	places []state.Place // still to be read
	copies int64         // of the first of them that have been given
	give   []state.Place
	rows   []unsafe.Pointer
	one    *batch.Column
	times  *batch.Column
}

// Readers ask for few places first, since maybe nobody wants more.
const foundFirst = 64

func newFoundReader(cut *job.Cut, wanted *graph.Lookup, want []int) *foundReader {
	r := &foundReader{parts: cut.Parts, enough: wanted.Enough, limit: foundFirst, times: batch.NewColumn(types.PhysInt, 0)}
	r.cols, r.count = job.ColumnsOf(cut.Parts[0].Schema(), cut.Spec, want)
	var columns []state.LookupColumn
	for i := range wanted.Columns {
		columns = append(columns, state.LookupColumn{Column: wanted.Columns[i].Column, Ordered: wanted.Columns[i].Ordered()})
	}
	var ranges []state.LookupRange
	for _, b := range wanted.Bounds() {
		ranges = append(ranges, state.LookupRange{Low: b[0], High: b[1]})
	}
	r.scan = cut.Lookup(columns, ranges, wanted.Reverse)
	return r
}

// Read implements connector.Reader.
func (r *foundReader) Read(_ context.Context, out *batch.Batch, limit int) (connector.Status, error) {
	if len(r.places) == 0 && !r.ended {
		room := min(limit, r.limit)
		if r.enough > 0 {
			room = int(min(int64(limit), r.enough))
		}
		r.places = r.scan.Next(room, r.places[:0])
		r.ended, r.limit = len(r.places) < room, min(limit, 4*r.limit)
	}
	if len(r.places) == 0 {
		return connector.End, nil
	}
	r.choose(limit)
	for i, c := range r.cols {
		r.fill(c, out.Cols[i])
	}
	out.N = len(r.give)
	if r.enough > 0 {
		if r.enough -= int64(out.N); r.enough <= 0 {
			r.places, r.ended = nil, true
		}
	}
	return connector.More, nil
}

// choose takes the rows to give, each as often as it is in the view.
func (r *foundReader) choose(limit int) {
	r.give = r.give[:0]
	if r.count < 0 {
		r.give, r.places = append(r.give, r.places...), r.places[:0]
		return
	}
	for len(r.places) > 0 && len(r.give) < limit {
		p := r.places[0]
		part := r.parts[p.Part]
		r.rows = part.At([]state.RowID{p.ID}, r.rows)
		part.ReadColumn(r.count, r.rows, r.times)
		if r.give = append(r.give, p); r.copies+1 >= r.times.Int[0] {
			r.copies, r.places = 0, r.places[1:]
		} else {
			r.copies++
		}
	}
}

// fill makes out a column of the rows to give. Rows of one part that follow each
// other are read at once.
func (r *foundReader) fill(column int, out *batch.Column) {
	for from := 0; from < len(r.give); {
		part := r.give[from].Part
		r.rows = r.rows[:0]
		to := from
		for ; to < len(r.give) && r.give[to].Part == part; to++ {
			r.rows = append(r.rows, r.parts[part].Row(r.give[to].ID))
		}
		if from == 0 && to == len(r.give) {
			r.parts[part].ReadColumn(column, r.rows, out)
			return
		}
		if r.one == nil || r.one.Phys != out.Phys {
			r.one = batch.NewColumn(out.Phys, 0)
		}
		r.parts[part].ReadColumn(column, r.rows, r.one)
		for i := range r.rows {
			out.AppendRow(r.one, i)
		}
		from = to
	}
}

// Ready implements connector.Reader.
func (r *foundReader) Ready() <-chan struct{} { return nil }

// Offset implements connector.Reader: a cut is not resumed.
func (r *foundReader) Offset() []byte { return nil }

// Close implements connector.Reader: the cut is held elsewhere.
func (r *foundReader) Close() error { return nil }
