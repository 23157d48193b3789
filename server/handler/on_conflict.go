package handler

import (
	"context"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/types"
)

// insertOrUpdate is ON CONFLICT DO UPDATE, in a statement that began at the mark.
func (h *Handler) insertOrUpdate(ctx context.Context, s *session.Session, o *outcome, x *table.Txn, b *bind.BoundInsert, checks *checks, in *batch.Batch,
	params []types.Value, begun table.TxnMark) error {
	old, refs, found, err := x.Lookup(b.Relation.ID, b.OnConflict.Constraint, in, begun)
	if err != nil {
		return err
	}
	fresh := in.Without(found)
	if fresh.Live() > 0 {
		skipped, err := x.Add(table.Change{Table: b.Relation.ID, Action: table.InsertNew, Rows: fresh, Conflict: b.OnConflict.Constraint})
		if err != nil {
			return err
		}
		if len(skipped) > 0 { // a key twice in the statement, or somebody else was faster
			if _, _, _, err := x.Lookup(b.Relation.ID, b.OnConflict.Constraint, fresh, begun); err != nil {
				return err
			}
			return pgerr.New(pgerr.SerializationFailure, "could not serialize access due to concurrent update")
		}
	}
	if len(found) == 0 {
		o.add(fresh, int64(fresh.Live()))
		return nil
	}
	sel := make([]uint16, len(found))
	for i, k := range found {
		sel[i] = uint16(in.RowAt(k))
	}
	proposed := batch.New(layoutOf(b.Relation), 0)
	proposed.AppendSelected(in, sel)
	both := &batch.Batch{N: old.N, Cols: append(append([]*batch.Column(nil), old.Cols...), proposed.Cols...)}
	next, err := h.conflictRows(ctx, s, b.OnConflict, both, params)
	if err != nil {
		return err
	}
	if err := oncePerRow(refs, next); err != nil {
		return err
	}
	if next.Live() == 0 {
		o.add(fresh, int64(fresh.Live()))
		return nil
	}
	err = checks.add(next, func(next *batch.Batch) error {
		c := table.Change{Table: b.Relation.ID, Action: table.Update, Rows: next}
		for k := range next.Live() {
			c.Refs = append(c.Refs, refs[next.RowAt(k)])
		}
		_, err := x.Add(c)
		return err
	})
	if err != nil {
		return err
	}
	o.add(inOrder(b.Relation, in, found, fresh, next), int64(fresh.Live()+next.Live()))
	return nil
}

// oncePerRow refuses to propose a row for an existing one that has been updated by one
// before. Row i of next, where it is selected, is the new one of refs[i].
func oncePerRow(refs []table.Ref, next *batch.Batch) error {
	updated, k := map[table.Ref]bool{}, 0
	for i, r := range refs {
		if updated[r] {
			return pgerr.New(pgerr.CardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time").
				Hint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
		}
		if k < next.Live() && next.RowAt(k) == i {
			updated[r] = true
			k++
		}
	}
	return nil
}

// conflictRows are the new rows of ON CONFLICT DO UPDATE for pairs of an existing
// and a proposed row: those selected of as many rows as there are pairs.
func (h *Handler) conflictRows(ctx context.Context, s *session.Session, oc *bind.OnConflict, both *batch.Batch, params []types.Value) (*batch.Batch, error) {
	if oc.Rows != nil {
		return h.queriedRows(ctx, s, oc, both, params)
	}
	evalContext := h.evalContext(ctx, s)
	if where := substitute(oc.Where, params); where != nil {
		p, err := eval.CompilePredicate(where, eval.Options{Context: evalContext})
		if err != nil {
			return nil, err
		}
		if both.Sel, err = p.Select(both, nil); err != nil {
			return nil, rowCause(err)
		}
	}
	exprs := make([]*scalar.Expr, len(oc.NewRow))
	for i, x := range oc.NewRow {
		exprs[i] = substitute(x, params)
	}
	p, err := eval.CompileAll(exprs, eval.Options{Context: evalContext})
	if err != nil {
		return nil, err
	}
	cols, err := p.Eval(both)
	if err != nil {
		return nil, rowCause(err)
	}
	return &batch.Batch{N: both.N, Sel: both.Sel, Cols: cols}, nil
}

// queriedRows is conflictRows where there are subqueries.
func (h *Handler) queriedRows(ctx context.Context, s *session.Session, oc *bind.OnConflict, both *batch.Batch, params []types.Value) (*batch.Batch, error) {
	rows, err := h.overGiven(ctx, s, oc.Rows, []*batch.Batch{both}, params)
	if err != nil {
		return nil, err
	}
	width := len(oc.NewRow)
	out := &batch.Batch{N: both.N, Sel: []uint16{}}
	for _, x := range oc.NewRow {
		out.Cols = append(out.Cols, &batch.Column{Phys: x.Type.Phys()})
	}
	for i := range both.N {
		passed := len(rows) > 0 && rows[0][width].Int == int64(i)+1
		for c, col := range out.Cols {
			if passed {
				col.Append(rows[0][c])
			} else {
				col.Append(types.NullValue)
			}
		}
		if passed {
			out.Sel, rows = append(out.Sel, uint16(i)), rows[1:]
		}
	}
	return out, nil
}

// inOrder puts the rows that were inserted and those that were updated in the
// order of the statement's input, which is what clients that number the rows of
// RETURNING expect. Row i of next is live row found[i] of in.
func inOrder(rel *catalog.Relation, in *batch.Batch, found []int, fresh, next *batch.Batch) *batch.Batch {
	if fresh.Live() == 0 {
		return next
	}
	out := batch.New(layoutOf(rel), 0)
	i := 0
	for k := range next.Live() {
		row := next.RowAt(k)
		from := i
		for i < fresh.Live() && fresh.RowAt(i) < in.RowAt(found[row]) {
			i++
		}
		appendRows(out, fresh, from, i)
		out.AppendSelected(next, []uint16{uint16(row)})
	}
	appendRows(out, fresh, i, fresh.Live())
	return out
}

// appendRows appends a batch's live rows from to to.
func appendRows(out, b *batch.Batch, from, to int) {
	if from == to {
		return // no selection would mean all rows
	}
	sel := make([]uint16, 0, to-from)
	for k := from; k < to; k++ {
		sel = append(sel, uint16(b.RowAt(k)))
	}
	out.AppendSelected(b, sel)
}
