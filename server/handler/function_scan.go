package handler

import (
	"context"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/operator"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// functionRows opens the functions in FROM that read what the server keeps.
func (h *Handler) functionRows(ctx context.Context) func(function string, args []types.Value) (operator.RowReader, error) {
	return func(function string, args []types.Value) (operator.RowReader, error) {
		if function == "pg_get_keywords" {
			return keywordRows(), nil
		}
		if function == logical.GivenRows {
			return newGivenReader(ctx, args[0].Int), nil
		}
		if function != "savepoint" {
			return nil, pgerr.NotSupported(-1, "function "+function+" in FROM")
		}
		if len(args) == 1 {
			return h.savepointTables(ctx, args[0].Bytes)
		}
		table := ""
		if len(args) > 2 {
			table = args[2].Bytes
		}
		r, err := h.opt.Jobs.ReadState(ctx, args[0].Bytes, args[1].Bytes, table)
		if err != nil {
			return nil, err
		}
		return r, nil
	}
}

// keywordRows lists the words that do not name everything.
func keywordRows() *valueReader {
	classes := map[ast.KeywordClass][2]string{
		ast.ColumnKeyword:   {"C", "unreserved (cannot be function or type name)"},
		ast.FunctionKeyword: {"T", "reserved (can be function or type name)"},
		ast.ReservedKeyword: {"R", "reserved"},
	}
	r := &valueReader{}
	for _, word := range ast.Keywords() {
		class := classes[ast.Keyword(word)]
		label := "can be bare label"
		if ast.NeedsAs(word) {
			label = "requires AS"
		}
		r.rows = append(r.rows, []types.Value{{Bytes: word}, {Bytes: class[0]}, {Bool: !ast.NeedsAs(word)}, {Bytes: class[1]}, {Bytes: label}})
	}
	return r
}

// stateColumns gives the binder the columns of an operator's state.
func (h *Handler) stateColumns(savepoint, operator, table string) ([]types.Field, error) {
	return h.opt.Jobs.StateColumns(context.Background(), savepoint, operator, table)
}

// savepointTables lists a savepoint's operators and state tables.
func (h *Handler) savepointTables(ctx context.Context, savepoint string) (operator.RowReader, error) {
	sizes, err := h.opt.Jobs.SavedSizes(ctx, savepoint)
	if err != nil {
		return nil, err
	}
	r := &valueReader{}
	for _, z := range sizes {
		var columns []types.Value
		for _, c := range z.Columns {
			columns = append(columns, types.Value{Bytes: c})
		}
		r.rows = append(r.rows, []types.Value{{Bytes: z.Operator}, {Bytes: z.Kind}, {Bytes: z.Table},
			{Bytes: types.EncodeList(types.Of(types.Text), columns)}, {Int: z.Rows}, {Int: z.Bytes}})
	}
	return r, nil
}

// valueReader delivers rows of values.
type valueReader struct{ rows [][]types.Value }

// Read implements operator.RowReader.
func (r *valueReader) Read(_ context.Context, out *batch.Batch, limit int) (bool, error) {
	n := min(limit, len(r.rows))
	for _, row := range r.rows[:n] {
		for i, v := range row {
			out.Cols[i].Append(v)
		}
	}
	out.N, r.rows = n, r.rows[n:]
	return n > 0, nil
}

// Close implements operator.RowReader.
func (r *valueReader) Close() {}
