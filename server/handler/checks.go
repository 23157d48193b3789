package handler

import (
	"context"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/server/session"
)

// checks are the CHECK constraints of a relation, in the order they are tested.
type checks struct {
	relation *catalog.Relation
	names    []string
	programs []*eval.Program
}

func (h *Handler) compileChecks(ctx context.Context, s *session.Session, r *catalog.Relation, list []bind.Check) (*checks, error) {
	c := &checks{relation: r}
	for _, x := range list {
		p, err := eval.Compile(x.X, eval.Options{Context: h.evalContext(ctx, s)})
		if err != nil {
			return nil, err
		}
		c.names, c.programs = append(c.names, x.Name), append(c.programs, p)
	}
	return c, nil
}

// add hands rows on that pass, and returns the error of the first that does not. What
// comes before that one is handed on too, since it may be refused for another reason,
// which counts then.
func (c *checks) add(rows *batch.Batch, then func(*batch.Batch) error) error {
	k, refused := c.refused(rows)
	if refused == nil {
		return then(rows)
	}
	if k > 0 {
		before := *rows
		before.Sel = make([]uint16, k)
		for i := range before.Sel {
			before.Sel[i] = uint16(rows.RowAt(i))
		}
		if err := then(&before); err != nil {
			return err
		}
	}
	return refused
}

// refused returns the first live row that is refused, and why: nulls before
// conditions.
func (c *checks) refused(rows *batch.Batch) (first int, why error) {
	first = rows.Live()
	for n, col := range c.relation.Columns {
		if !col.NotNull || n >= len(rows.Cols) || !rows.Cols[n].HasNulls {
			continue
		}
		for k := range first {
			if i := rows.RowAt(k); rows.Cols[n].IsNull(i) {
				d := tableDefinition(c.relation)
				first, why = k, table.NullViolation(&d, n, c.shown(rows), i)
				break
			}
		}
	}
	for n, p := range c.programs {
		result, err := p.Eval(rows)
		bad := map[int]error{}
		for _, b := range eval.BadRows(err) {
			bad[b.Row] = b.Err
		}
		if err != nil && len(bad) == 0 {
			return 0, err
		}
		for k := range first {
			i := rows.RowAt(k)
			if bad[i] == nil && (result.IsNull(i) || result.Bool[i]) {
				continue
			}
			first, why = k, bad[i]
			if why == nil {
				why = c.violation(n, rows, i)
			}
			break
		}
	}
	return first, why
}

// shown is rows without hidden columns.
func (c *checks) shown(rows *batch.Batch) *batch.Batch {
	n := min(len(c.relation.Columns), len(rows.Cols))
	return &batch.Batch{N: rows.N, Sel: rows.Sel, Cols: rows.Cols[:n]}
}

func (c *checks) violation(n int, rows *batch.Batch, i int) error {
	return pgerr.New(pgerr.CheckViolation, "new row for relation %q violates check constraint %q", c.relation.Name, c.names[n]).
		Of(c.relation.Schema, c.relation.Name, "", c.names[n]).
		WithDetail("Failing row contains (%s).", table.RowText(specOf(c.relation).Columns, c.shown(rows), i))
}
