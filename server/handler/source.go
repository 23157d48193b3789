package handler

import (
	"context"
	"strconv"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/job"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// oneShot gives the parts of a connector.Source whose splits are read once, from
// the beginning.
type oneShot struct{}

// Schema implements connector.Source.
func (oneShot) Schema() []connector.Column { return nil }

// Follows implements connector.Source.
func (oneShot) Follows() bool { return false }

// rowSource is rows of values: of a system relation.
type rowSource struct {
	oneShot
	types []types.Type
	rows  [][]types.Value
}

// Splits implements connector.Source.
func (r *rowSource) Splits(context.Context) ([]connector.Split, error) {
	return []connector.Split{{ID: "all"}}, nil
}

// Open implements connector.Source.
func (r *rowSource) Open(_ context.Context, _ connector.Split, _ []byte, want []int) (connector.Reader, error) {
	return &rowReader{r: r, want: want}, nil
}

type rowReader struct {
	r    *rowSource
	want []int
	at   int
}

// Read implements connector.Reader.
func (r *rowReader) Read(_ context.Context, out *batch.Batch, limit int) (connector.Status, error) {
	for ; r.at < len(r.r.rows) && out.N < limit; r.at++ {
		for i, c := range r.want {
			out.Cols[i].AppendValue(r.r.rows[r.at][c])
		}
		out.N++
	}
	if r.at == len(r.r.rows) {
		return connector.End, nil
	}
	return connector.More, nil
}

// Ready implements connector.Reader.
func (r *rowReader) Ready() <-chan struct{} { return nil }

// Offset implements connector.Reader.
func (r *rowReader) Offset() []byte { return strconv.AppendInt(nil, int64(r.at), 10) }

// Close implements connector.Reader.
func (r *rowReader) Close() error { return nil }

// cutSource is the rows of a materialized view in one cut: a split for each of
// its tasks, or one for all that an index finds.
type cutSource struct {
	oneShot
	cut    *job.Cut
	wanted *graph.Lookup // nil: all rows
}

// Splits implements connector.Source.
func (c *cutSource) Splits(context.Context) ([]connector.Split, error) {
	if c.wanted != nil {
		return []connector.Split{{ID: "index"}}, nil
	}
	var out []connector.Split
	for i := range c.cut.Parts {
		out = append(out, connector.Split{ID: strconv.Itoa(i)})
	}
	return out, nil
}

// Open implements connector.Source.
func (c *cutSource) Open(_ context.Context, s connector.Split, _ []byte, want []int) (connector.Reader, error) {
	if c.wanted != nil {
		return newFoundReader(c.cut, c.wanted, want), nil
	}
	i, err := strconv.Atoi(s.ID)
	if err != nil {
		return nil, err
	}
	return newCutReader(c.cut.Parts[i], c.cut.Spec, want), nil
}

// tableSource reads an own table in one cut. The two columns after its own name
// each row, for UPDATE and DELETE.
type tableSource struct {
	oneShot
	cut     *table.Snapshot
	id      string
	columns int
	wanted  *graph.Lookup // nil: all rows
}

// Splits implements connector.Source.
func (t *tableSource) Splits(context.Context) ([]connector.Split, error) {
	return []connector.Split{{ID: table.SplitID}}, nil
}

// Open implements connector.Source.
func (t *tableSource) Open(_ context.Context, _ connector.Split, _ []byte, want []int) (connector.Reader, error) {
	r := &tableReader{columns: t.columns, want: want}
	var own []int
	for _, w := range want {
		if w < t.columns {
			own = append(own, w)
		}
	}
	var err error
	switch n, points := t.points(); {
	case t.wanted == nil:
		r.Scan, err = t.cut.Scan(t.id, own)
	case points:
		columns, keys := []int{}, make([][]types.Value, len(t.wanted.Ranges))
		for _, c := range t.wanted.Columns[:n] {
			columns = append(columns, c.Column)
		}
		for i, k := range t.wanted.Ranges {
			keys[i] = k.Equal
		}
		r.Scan, err = t.cut.Find(t.id, own, columns, keys)
	default:
		l := table.Lookup{Ranges: t.wanted.Bounds(), Ordered: t.wanted.Ordered, Reverse: t.wanted.Reverse, Enough: t.wanted.Enough}
		for _, c := range t.wanted.Columns {
			l.Columns = append(l.Columns, table.LookupColumn{Column: c.Column, Ordered: c.Ordered()})
		}
		r.Scan, err = t.cut.Lookup(t.id, own, &l)
	}
	return r, err
}

// points is graph.Lookup.IsPoints.
func (t *tableSource) points() (n int, ok bool) {
	if t.wanted == nil {
		return 0, false
	}
	return t.wanted.IsPoints()
}

type tableReader struct {
	*table.Scan
	columns int
	want    []int
	part    batch.Batch
}

// Read implements connector.Reader.
func (r *tableReader) Read(ctx context.Context, out *batch.Batch, limit int) (connector.Status, error) {
	r.part = batch.Batch{}
	for i, w := range r.want {
		if w < r.columns {
			r.part.Cols = append(r.part.Cols, out.Cols[i])
		}
	}
	status, err := r.Scan.Read(ctx, &r.part, limit)
	out.N, out.Sel, out.Ops = r.part.N, nil, nil
	refs := r.Refs()
	for i, w := range r.want {
		if w < r.columns {
			continue
		}
		out.Cols[i].Resize(len(refs))
		for k, ref := range refs {
			out.Cols[i].Int[k] = int64(ref.Row)
			if w > r.columns {
				out.Cols[i].Int[k] = int64(ref.Version)
			}
		}
	}
	return status, err
}

// cutReader reads one task's part of a view.
type cutReader struct {
	part  *state.Snapshot
	cols  []int // of the state table, for each wanted column
	count int   // the column that counts copies of a row, -1 for none
	next  state.RowID
	rows  []unsafe.Pointer
	times *batch.Column
	left  []int64 // copies still to give, of each row in rows
}

func newCutReader(part *state.Snapshot, spec *graph.Materialize, want []int) *cutReader {
	r := &cutReader{part: part}
	if r.cols, r.count = job.ColumnsOf(part.Schema(), spec, want); r.count >= 0 {
		r.times = batch.NewColumn(types.PhysInt, 0)
	}
	return r
}

// Read implements connector.Reader.
func (r *cutReader) Read(_ context.Context, out *batch.Batch, limit int) (connector.Status, error) {
	for len(r.rows) == 0 {
		if !r.more(limit) {
			return connector.End, nil
		}
		r.left = r.left[:0]
		if r.count >= 0 {
			r.part.ReadColumn(r.count, r.rows, r.times)
			r.left = append(r.left, r.times.Int...)
		}
	}
	give := r.rows
	if r.count >= 0 {
		give = r.copies(limit)
	} else {
		r.rows = nil
	}
	for i, c := range r.cols {
		r.part.ReadColumn(c, give, out.Cols[i])
	}
	out.N = len(give)
	return connector.More, nil
}

// more fills rows, if there are any more.
func (r *cutReader) more(limit int) bool {
	if r.next == state.NoRow {
		return false
	}
	r.rows, r.next = r.part.Rows(r.next, limit, r.rows)
	return true
}

// copies is the next rows, each as often as it is in the view.
func (r *cutReader) copies(limit int) []unsafe.Pointer {
	var give []unsafe.Pointer
	for len(r.rows) > 0 && len(give) < limit {
		give = append(give, r.rows[0])
		r.left[0]--
		if r.left[0] <= 0 {
			r.rows, r.left = r.rows[1:], r.left[1:]
		}
	}
	return give
}

// Ready implements connector.Reader.
func (r *cutReader) Ready() <-chan struct{} { return nil }

// Offset implements connector.Reader: a cut is not resumed.
func (r *cutReader) Offset() []byte { return nil }

// Close implements connector.Reader: the cut is held elsewhere.
func (r *cutReader) Close() error { return nil }
