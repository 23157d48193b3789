package handler

import (
	"context"
	"maps"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/types"
)

// A data statement's subqueries over the rows that it changes, and what reads the
// rows of a data statement in WITH, are plans over given rows: those travel in the
// context of the run.

type givenKey struct{}

type givenRows map[int64][]*batch.Batch

// withGiven is ctx with the live rows of batches under a number.
func withGiven(ctx context.Context, number int64, rows []*batch.Batch) context.Context {
	all := givenRows{}
	if have, ok := ctx.Value(givenKey{}).(givenRows); ok {
		maps.Copy(all, have)
	}
	all[number] = rows
	return context.WithValue(ctx, givenKey{}, all)
}

// givenReader delivers given rows. It is an operator.RowReader.
type givenReader struct {
	rows []*batch.Batch
	at   int // live rows of the first batch that were delivered
}

func newGivenReader(ctx context.Context, number int64) *givenReader {
	all, _ := ctx.Value(givenKey{}).(givenRows)
	return &givenReader{rows: all[number]}
}

// Read implements operator.RowReader.
func (r *givenReader) Read(_ context.Context, out *batch.Batch, limit int) (bool, error) {
	for len(r.rows) > 0 && out.N < limit {
		b := r.rows[0]
		if r.at == b.Live() {
			r.rows, r.at = r.rows[1:], 0
			continue
		}
		for c := range out.Cols {
			out.Cols[c].AppendRow(b.Cols[c], b.RowAt(r.at))
		}
		out.N++
		r.at++
	}
	return out.N > 0, nil
}

// Close implements operator.RowReader.
func (r *givenReader) Close() {}

// overGiven runs a plan over given rows number 0.
func (h *Handler) overGiven(ctx context.Context, s *session.Session, root logical.Node, given []*batch.Batch, params []types.Value) ([][]types.Value, error) {
	r, err := h.rows(withGiven(ctx, 0, given), s, root, params)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out := [][]types.Value{}
	kept := r.account.Share("rows to return").Meter()
	for {
		b, err := r.Next(ctx)
		if err != nil || b == nil {
			return out, err
		}
		if err := kept.Add(b.Bytes() + int64(b.Live()*len(b.Cols))*valueBytes); err != nil {
			return nil, err
		}
		for k := range b.Live() {
			row := make([]types.Value, len(b.Cols))
			for c := range row {
				row[c] = b.Cols[c].Value(b.RowAt(k))
			}
			out = append(out, row)
		}
	}
}
