package handler

import (
	"context"

	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
)

// restartIdentity has a table's identity columns count from their start, once the
// transaction has committed.
func (h *Handler) restartIdentity(s *session.Session, name ast.Path) error {
	r, err := h.findRelation(s, name)
	if err != nil {
		return err
	}
	for c, col := range r.Columns {
		if col.Identity == nil {
			continue
		}
		w := h.work(s)
		w.after = append(w.after, func(ctx context.Context) error {
			return h.opt.Tables.SetValue(context.WithoutCancel(ctx), r.ID, c, col.Identity.Start, false)
		})
	}
	return nil
}

// logCounted makes the numbers durable that sequences gave in a transaction without
// rows for them.
func (h *Handler) logCounted(ctx context.Context, s *session.Session) error {
	for _, id := range s.TakeCounted() {
		if err := h.opt.Tables.LogSequences(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
