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
// its tasks.
type cutSource struct {
	oneShot
	cut *job.Cut
}

// Splits implements connector.Source.
func (c *cutSource) Splits(context.Context) ([]connector.Split, error) {
	out := make([]connector.Split, len(c.cut.Parts))
	for i := range out {
		out[i].ID = strconv.Itoa(i)
	}
	return out, nil
}

// Open implements connector.Source.
func (c *cutSource) Open(_ context.Context, s connector.Split, _ []byte, want []int) (connector.Reader, error) {
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
	scan, err := t.cut.Scan(t.id, own)
	r.Scan = scan
	return r, err
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
	if r.cols, r.count = columnsOfCut(part.Schema(), spec, want); r.count >= 0 {
		r.times = batch.NewColumn(types.PhysInt, 0)
	}
	return r
}

// columnsOfCut maps the view's columns to those of its state table: keys first,
// then the others in their order. Without a key all columns are, and one more,
// which count is the number of, tells how many copies of the row there are.
func columnsOfCut(schema graph.Table, spec *graph.Materialize, want []int) (cols []int, count int) {
	if spec.Key == nil {
		return want, len(schema.Keys)
	}
	place := map[int]int{}
	for i, k := range spec.Key {
		place[k] = i
	}
	total := len(schema.Keys) + len(schema.Columns)
	for i, next := 0, len(spec.Key); i < total; i++ {
		if _, ok := place[i]; !ok {
			place[i] = next
			next++
		}
	}
	for _, w := range want {
		cols = append(cols, place[w])
	}
	return cols, -1
}

// Read implements connector.Reader.
func (r *cutReader) Read(_ context.Context, out *batch.Batch, limit int) (connector.Status, error) {
	for len(r.rows) == 0 {
		if r.next == state.NoRow {
			return connector.End, nil
		}
		r.rows, r.next = r.part.Rows(r.next, limit, r.rows)
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
