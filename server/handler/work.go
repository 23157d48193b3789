package handler

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/connector/table"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/server/session"
)

// work is what a transaction will do at COMMIT: changes to names and to the rows
// of own tables, together, then what follows from them.
type work struct {
	names *catalog.Tx
	rows  *table.Txn
	done  []step // what was done to rows, in order
	// cut is what the data statement under way reads: its own changes are not in it.
	cut *table.Snapshot
	// after is done after the commit. What must not be left out takes no notice of the
	// end of ctx, which is that of the client's patience.
	after []func(ctx context.Context) error
	// started are jobs that after starts, whose first rows COMMIT waits for.
	started []*catalog.Job
}

// step is something that was done to rows. When others were faster, again does
// it once more, in a transaction that has done the steps before; it fails with
// 40001 when the client was told otherwise.
type step interface {
	again(ctx context.Context, w *work) error
}

// conflictsMax is how often a statement, or a transaction of one round trip, is
// done again when others have changed its rows meanwhile.
const conflictsMax = 100

// isConflict reports whether doing it again may help.
func isConflict(err error) bool {
	var e *pgerr.Error
	return errors.As(err, &e) && e.Code == pgerr.SerializationFailure
}

// work returns the transaction's work, begun if need be.
func (h *Handler) work(s *session.Session) *work {
	tx := s.Tx()
	if tx.Work == nil {
		tx.Work = &work{names: h.opt.Catalog.Begin(), rows: h.beginRows(s, tx)}
	}
	return tx.Work.(*work)
}

// beginRows begins the changes of rows of a transaction, which have an account.
func (h *Handler) beginRows(s *session.Session, tx *session.Tx) *table.Txn {
	x := h.opt.Tables.Begin(isolationOf(tx))
	x.Count(h.openAccount(s, memory.Transaction, x.Abandon))
	return x
}

func isolationOf(tx *session.Tx) table.Isolation {
	switch tx.Isolation {
	case "serializable":
		return table.Serializable
	case "repeatable read":
		return table.RepeatableRead
	}
	return table.ReadCommitted
}

// snapshot is what the rows of own tables are to a statement that begins now.
func (h *Handler) snapshot(s *session.Session) *table.Snapshot {
	tx := s.Tx()
	if tx != nil && tx.Work != nil {
		if w := h.work(s); w.cut != nil {
			return w.cut.Again()
		}
	}
	if tx != nil && (tx.Work != nil || tx.Explicit && isolationOf(tx) != table.ReadCommitted) {
		return h.work(s).rows.Snapshot()
	}
	return h.opt.Tables.Snapshot()
}

// makeTable makes an own table with its transaction.
func (w *work) makeTable(r *catalog.Relation) error {
	w.done = append(w.done, madeTable{r})
	return w.rows.Create(tableDefinition(r))
}

type madeTable struct{ relation *catalog.Relation }

func (m madeTable) again(_ context.Context, w *work) error {
	return w.rows.Create(tableDefinition(m.relation))
}

// writable refuses changes in a read-only transaction.
func writable(s *session.Session, verb string) error {
	if s.ReadOnly() {
		return pgerr.New("25006", "cannot execute %s in a read-only transaction", verb)
	}
	return nil
}

// Commit implements session.Handler.
func (h *Handler) Commit(ctx context.Context, s *session.Session, tx *session.Tx) error {
	if err := h.commit(ctx, s, tx); err != nil {
		return err
	}
	return h.logCounted(ctx, s)
}

func (h *Handler) commit(ctx context.Context, s *session.Session, tx *session.Tx) error {
	w, ok := tx.Work.(*work)
	if !ok {
		return nil
	}
	// A client that goes away or cancels in the middle does not leave half of it.
	waiting := ctx
	ctx = context.WithoutCancel(ctx)
	defer func() { w.rows.Close() }()
	err := w.names.CommitWith(ctx, func(commit catalog.JointCommit) error { return h.commitRows(ctx, w, s, tx, commit) })
	if err != nil {
		return err
	}
	for _, f := range w.after {
		if err := f(waiting); err != nil {
			warnAfter(s, err)
		}
	}
	for _, j := range w.started {
		if err := h.opt.Jobs.CatchUp(waiting, j.Name); err != nil {
			warnAfter(s, err)
		}
	}
	return nil
}

// startLater has a job started at COMMIT, which waits until it has read what its own tables
// hold if it keeps a view, so that a reader who comes next sees it. That a job cannot
// start, or does not get on, keeps no other from starting.
func (h *Handler) startLater(w *work, j *catalog.Job) {
	w.after = append(w.after, func(context.Context) error { return h.opt.Jobs.Start(j) })
	if j.ViewID != "" {
		w.started = append(w.started, j)
	}
}

// startNow starts a job and waits as COMMIT does.
func (h *Handler) startNow(ctx context.Context, j *catalog.Job) error {
	if err := h.opt.Jobs.Start(j); err != nil || j.ViewID == "" {
		return err
	}
	return h.opt.Jobs.CatchUp(ctx, j.Name)
}

// warnAfter tells what could not be done after the commit. The transaction has its
// effect nevertheless, so this is no error, and what else follows from it is done.
func warnAfter(s *session.Session, err error) {
	e := *pgerr.From(err)
	if errors.Is(err, context.Canceled) || e.Code == pgerr.QueryCanceled {
		e = *pgerr.New(pgerr.Warning, "the transaction is committed; the rows of its new views are not waited for")
	}
	e.Position = -1
	s.Log().Warn("after a commit", "err", err)
	s.SendNotice(session.Notice{Severity: "WARNING", Error: e})
}

// commitRows commits the rows of a transaction. When others were faster, one that
// the client sent in one go is done again; an explicit one fails with 40001.
func (h *Handler) commitRows(ctx context.Context, w *work, s *session.Session, tx *session.Tx, commit catalog.JointCommit) error {
	for try := 0; ; try++ {
		err := w.commitRows(ctx, commit)
		if tx.Explicit || try == conflictsMax || !isConflict(err) {
			return err
		}
		if try == 0 {
			// One after the other, so that those who lost do not beat each other
			// again and again.
			select {
			case h.again <- struct{}{}:
				defer func() { <-h.again }()
			case <-ctx.Done():
				return err
			}
		}
		w.rows.Close()
		w.rows = h.beginRows(s, tx)
		for _, d := range w.done {
			if err := d.again(ctx, w); err != nil {
				return err
			}
		}
	}
}

// commitRows commits the rows, and the names with them if there are any: in one
// step, whatever dies in between.
func (w *work) commitRows(ctx context.Context, commit catalog.JointCommit) error {
	if commit == nil {
		return w.rows.Commit(ctx)
	}
	id := catalog.NewID()
	return w.rows.CommitWith(ctx, id, func(forget string) error {
		err := commit(id, forget)
		if errors.Is(err, catalog.ErrUndecided) {
			err = fmt.Errorf("%w: %w", table.ErrUndecided, err)
		}
		return err
	})
}

// Rollback implements session.Handler.
func (h *Handler) Rollback(_ *session.Session, tx *session.Tx) {
	if w, ok := tx.Work.(*work); ok {
		w.rows.Close()
	}
	tx.Work = nil
}

// mark is where RollbackTo goes back to.
type mark struct {
	names, done, after, started int
	rows                        table.TxnMark
}

// Mark implements session.Handler.
func (h *Handler) Mark(_ *session.Session, tx *session.Tx) any {
	w, ok := tx.Work.(*work)
	if !ok {
		return mark{}
	}
	return mark{names: w.names.Mark(), done: len(w.done), after: len(w.after), started: len(w.started), rows: w.rows.Mark()}
}

// RollbackTo implements session.Handler.
func (h *Handler) RollbackTo(_ *session.Session, tx *session.Tx, to any) {
	w, ok := tx.Work.(*work)
	if !ok {
		return
	}
	m := to.(mark)
	w.names.RollbackTo(m.names)
	w.rows.RollbackTo(m.rows)
	w.done, w.after, w.started = w.done[:m.done], w.after[:m.after], w.started[:m.started]
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
		if j := n.JobByID(r.JobID); j != nil {
			v.Options = nil
			if ttl := stateTTL(j.Options); ttl > 0 { // what the copy keeps goes as what the view keeps does
				v.Options = map[string]string{"state_ttl": strconv.FormatInt(ttl, 10) + " microseconds"}
			}
		}
		return &v
	}
	return r
}
