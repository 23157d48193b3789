package handler

import (
	"context"
	"slices"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/sql/ast"
)

// makeUnique has a table hold what a unique index says. A view's rows come from its
// query alone: there it must say what the view's key says already.
func (h *Handler) makeUnique(w *work, base *catalog.Relation, index *catalog.Relation, st *ast.CreateIndex) error {
	u := catalog.Unique{Name: index.Name, NullsNotDistinct: st.NullsNotDistinct, Index: true}
	for _, c := range index.Columns {
		u.Columns = append(u.Columns, slices.IndexFunc(base.Columns, func(of catalog.Column) bool { return of.Name == c.Name }))
	}
	index.Unique = []catalog.Unique{u}
	if base.Kind == catalog.MaterializedView {
		return h.checkUniqueView(base, &u, st)
	}
	if slices.ContainsFunc(base.UniqueKeys(), func(have catalog.Unique) bool { return have.Name == u.Name }) {
		return pgerr.New(pgerr.DuplicateTable, "relation %q already exists", u.Name).At(int(st.Name.Pos))
	}
	for _, j := range w.names.Snapshot().JobsOn(base.ID) {
		if g, err := graph.Decode(j.Graph); err != nil || writes(g, base.ID) {
			return pgerr.New(pgerr.ObjectInUse, "job %q writes to table %q", j.Name, base.Name).At(int(st.Relation.Offset())).
				WithDetail("A job has nobody to tell of a row that a unique index refuses.")
		}
	}
	if err := w.names.AddUnique(base.ID, u); err != nil {
		return err
	}
	return w.do(addedUnique{base.ID, storedUnique(u)})
}

// checkUniqueView reports an error unless the view's key makes the columns unique.
func (h *Handler) checkUniqueView(base *catalog.Relation, u *catalog.Unique, st *ast.CreateIndex) error {
	if v, err := h.opt.Jobs.View(base.ID); err == nil {
		key := v.Key()
		has := func(k int) bool { return slices.Contains(u.Columns, k) }
		if len(key) > 0 && !slices.ContainsFunc(key, func(k int) bool { return !has(k) }) {
			return nil
		}
	}
	return pgerr.NotSupported(int(st.Pos), "a unique index on columns of a materialized view that its query does not make unique").
		WithDetail("There is nobody to tell of a row that the index refuses.").
		Hint("The columns of GROUP BY are unique together; without UNIQUE any columns can have an index.")
}

// writes reports whether a job writes to the relation.
func writes(g *graph.Graph, relation string) bool {
	return slices.ContainsFunc(g.Operators, func(o graph.Operator) bool { return o.Sink != nil && o.Sink.RelationID == relation })
}

func storedUnique(u catalog.Unique) table.Unique {
	return table.Unique{Name: u.Name, Columns: u.Columns, NullsNotDistinct: u.NullsNotDistinct}
}

// dropUniqueIndex lets its table forget what a unique index says.
func (w *work) dropUniqueIndex(index *catalog.Relation) error {
	base := w.names.Snapshot().RelationByID(index.Depends[0])
	if base == nil || !base.IsOwnTable() {
		return nil
	}
	if err := w.names.DropUnique(base.ID, index.Name); err != nil {
		return err
	}
	return w.do(droppedUnique{base.ID, index.Name})
}

// do does a step for the first time.
func (w *work) do(s step) error {
	if err := s.again(context.Background(), w); err != nil {
		return err
	}
	w.done = append(w.done, s)
	return nil
}

type addedUnique struct {
	table  string
	unique table.Unique
}

func (a addedUnique) again(_ context.Context, w *work) error {
	return w.rows.AddUnique(a.table, a.unique)
}

type droppedUnique struct{ table, name string }

func (d droppedUnique) again(_ context.Context, w *work) error {
	return w.rows.DropUnique(d.table, d.name)
}
