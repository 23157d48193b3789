package handler

import (
	"context"
	"strconv"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/job"
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
	return newCutReader(c.cut.Parts[i], want), nil
}
