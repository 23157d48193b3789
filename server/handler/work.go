package handler

import (
	"context"
	"errors"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/server/session"
)

// work is what a transaction will do at COMMIT: changes to names first, then
// new tables, then rows, then what follows from them.
type work struct {
	names  *catalog.Tx
	tables []*catalog.Relation // own tables to make
	data   []pendingData
	after  []func(ctx context.Context) error
}

// pendingData is the change of one data statement. again reads anew what the
// change follows from.
type pendingData struct {
	changes []table.Change
	again   func(ctx context.Context) ([]table.Change, error)
}

// conflictsMax is how often a transaction of one round trip is read again when
// others have changed its rows meanwhile.
const conflictsMax = 20

// work returns the transaction's work, begun if need be.
func (h *Handler) work(s *session.Session) *work {
	tx := s.Tx()
	if tx.Work == nil {
		tx.Work = &work{names: h.opt.Catalog.Begin()}
	}
	return tx.Work.(*work)
}

// writable refuses changes in a read-only transaction.
func writable(s *session.Session, verb string) error {
	if s.ReadOnly() {
		return pgerr.New("25006", "cannot execute %s in a read-only transaction", verb)
	}
	return nil
}

// Commit implements session.Handler.
func (h *Handler) Commit(ctx context.Context, _ *session.Session, tx *session.Tx) error {
	w, ok := tx.Work.(*work)
	if !ok {
		return nil
	}
	// A client that goes away in the middle does not leave half of it.
	ctx = context.WithoutCancel(ctx)
	for _, r := range w.tables {
		if err := h.opt.Tables.Create(ctx, tableDefinition(r)); err != nil {
			return err
		}
	}
	err := h.apply(ctx, w, tx.Explicit)
	if err == nil {
		err = w.names.Commit(ctx)
	}
	if err != nil {
		for _, r := range w.tables {
			if e := h.opt.Tables.Drop(ctx, r.ID); e != nil {
				h.opt.Log.Warn("drop a table that was not committed", "table", r.Name, "err", e)
			}
		}
		return err
	}
	for _, f := range w.after {
		if err := f(ctx); err != nil {
			return err
		}
	}
	return nil
}

// apply commits the rows of a transaction. When others were faster, one that the
// client sent in one go is read again; an explicit one fails with 40001.
func (h *Handler) apply(ctx context.Context, w *work, explicit bool) error {
	for try := 0; len(w.data) > 0; try++ {
		var changes []table.Change
		for _, d := range w.data {
			changes = append(changes, d.changes...)
		}
		if len(changes) == 0 {
			return nil
		}
		_, err := h.opt.Tables.Apply(ctx, changes)
		var e *pgerr.Error
		if explicit || try == conflictsMax || !errors.As(err, &e) || e.Code != pgerr.SerializationFailure {
			return err
		}
		for i := range w.data {
			if w.data[i].changes, err = w.data[i].again(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Rollback implements session.Handler.
func (h *Handler) Rollback(_ *session.Session, tx *session.Tx) { tx.Work = nil }

// mark is where RollbackTo goes back to.
type mark struct{ names, tables, data, after int }

// Mark implements session.Handler.
func (h *Handler) Mark(_ *session.Session, tx *session.Tx) any {
	w, ok := tx.Work.(*work)
	if !ok {
		return mark{}
	}
	return mark{names: w.names.Mark(), tables: len(w.tables), data: len(w.data), after: len(w.after)}
}

// RollbackTo implements session.Handler.
func (h *Handler) RollbackTo(_ *session.Session, tx *session.Tx, to any) {
	w, ok := tx.Work.(*work)
	if !ok {
		return
	}
	m := to.(mark)
	w.names.RollbackTo(m.names)
	w.tables, w.data, w.after = w.tables[:m.tables], w.data[:m.data], w.after[:m.after]
}

// names is what relation names mean to the session: the stored catalog with the
// transaction's changes, and the system relations.
func (h *Handler) names(s *session.Session) bind.Catalog {
	return nameTable{h.Snapshot(s), h.system}
}

// Snapshot is the stored catalog with the transaction's changes.
func (h *Handler) Snapshot(s *session.Session) *catalog.Snapshot {
	if tx := s.Tx(); tx != nil {
		if w, ok := tx.Work.(*work); ok {
			return w.names.Snapshot()
		}
	}
	return h.opt.Catalog.Snapshot()
}

// nameTable implements bind.Catalog.
type nameTable struct {
	*catalog.Snapshot
	system map[string]map[string]*catalog.Relation // schema → name
}

// Relation implements bind.Catalog.
func (n nameTable) Relation(schema, name string) *catalog.Relation {
	if r := n.system[schema][name]; r != nil {
		return r
	}
	r := n.Snapshot.Relation(schema, name)
	if r != nil && r.Kind == catalog.Index {
		return nil
	}
	return r
}

// HasSchema implements bind.Catalog.
func (n nameTable) HasSchema(schema string) bool {
	return schema == "public" || n.system[schema] != nil
}

// RelationNames implements bind.Catalog.
func (n nameTable) RelationNames(schema string) []string {
	var out []string
	for name := range n.system[schema] {
		out = append(out, name)
	}
	for _, r := range n.Relations() {
		if r.Schema == schema && r.Kind != catalog.Index {
			out = append(out, r.Name)
		}
	}
	return out
}

// continuousNames is nameTable for jobs: a materialized view is read through its
// query, so that the job has its own copy of the plan and recovers by itself.
type continuousNames struct{ nameTable }

// Relation implements bind.Catalog.
func (n continuousNames) Relation(schema, name string) *catalog.Relation {
	r := n.nameTable.Relation(schema, name)
	if r != nil && r.Kind == catalog.MaterializedView {
		v := *r
		v.Kind = catalog.View
		return &v
	}
	return r
}
