package handler

import (
	"context"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// writes carries out the INSERTs, UPDATEs and DELETEs of a statement's WITH. All
// of them read the statement's cut; the context has what they return.
func (h *Handler) writes(ctx context.Context, s *session.Session, x *table.Txn, list []bind.Write, params []types.Value) (context.Context, error) {
	for i, w := range list {
		var o *outcome
		var err error
		var fields []logical.Field
		if w.Insert != nil {
			fields = w.Insert.ReturningColumns
			o, err = h.insert(ctx, s, x, w.Insert, params)
		} else {
			fields = w.Change.ReturningColumns
			o, err = h.change(ctx, s, x, w.Change, w.Update, params)
		}
		if err != nil {
			return nil, err
		}
		analysisOf(ctx).wrote(w.Name, o.affected)
		ctx = withGiven(ctx, int64(i)+1, batchesOf(fields, o.rows))
	}
	return ctx, nil
}

// batchesOf puts rows of values in batches.
func batchesOf(fields []logical.Field, rows [][]types.Value) (out []*batch.Batch) {
	layout := make([]types.Phys, len(fields))
	for i, f := range fields {
		layout[i] = resultType(f.Type).Phys()
	}
	for len(rows) > 0 {
		b := batch.New(layout, 0)
		for b.N < batch.RowsDefault && len(rows) > 0 {
			for c, v := range rows[0] {
				b.Cols[c].Append(v)
			}
			b.N, rows = b.N+1, rows[1:]
		}
		out = append(out, b)
	}
	return out
}

// prepareWriting prepares a query whose WITH changes tables.
func (h *Handler) prepareWriting(s *session.Session, p *session.Prepared, q *ast.Query, b *bind.BoundQuery) {
	d := &dataPlan{h: h, verb: "SELECT"}
	d.do = func(ctx context.Context, s *session.Session, x *table.Txn, params []types.Value) (*outcome, error) {
		b, err := bind.Query(q, h.writeOptions(s, b.Params))
		if err != nil {
			return nil, err
		}
		if ctx, err = h.writes(ctx, s, x, b.Writes, params); err != nil {
			return nil, err
		}
		r, err := h.rows(ctx, s, b.Root, params)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		o := &outcome{}
		if o.rows, err = r.all(ctx, fieldsOf(b.Columns)); err != nil {
			return nil, err
		}
		analysisOf(ctx).ran(r)
		if o.rows == nil {
			o.rows = [][]types.Value{}
		}
		o.affected = int64(len(o.rows))
		return o, nil
	}
	d.columns = h.tableColumns(s, b.Columns)
	p.Params, p.Columns, p.Plan = b.Params, d.columns, d
}

func fieldsOf(list []logical.Field) []types.Field {
	out := make([]types.Field, len(list))
	for i, f := range list {
		out[i] = types.Field{Name: f.Name, Type: f.Type}
	}
	return out
}
