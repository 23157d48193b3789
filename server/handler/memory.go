package handler

import (
	"context"

	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/types"
)

// accountKey is where the context of a statement has its account, if the statement has
// one for all of its queries.
type accountKey struct{}

// accountOf is the account of the statement under way, nil if its queries have their own.
func accountOf(ctx context.Context) *memory.Account {
	a, _ := ctx.Value(accountKey{}).(*memory.Account)
	return a
}

// queryBudget is how much a statement of the session may hold: what it set, else half of
// what the server may.
func (h *Handler) queryBudget(s *session.Session) int64 {
	if n := s.Size("query_memory_limit"); n > 0 {
		return n
	}
	return h.opt.Memory.Limit() / 2
}

// openAccount makes the account of a statement or of a cursor, whose stop ends it.
func (h *Handler) openAccount(s *session.Session, kind string, stop func(error)) *memory.Account {
	return h.opt.Memory.Open(memory.AccountOptions{Kind: kind, Session: int(s.PID), Budget: h.queryBudget(s), Stop: stop,
		Over: func(budget int64) *pgerr.Error {
			e := pgerr.New(pgerr.OutOfMemory, "out of memory: the %s holds more than query_memory_limit, %s", kind, memory.Size(budget))
			if kind == memory.Transaction {
				return e.Hint("Commit in smaller parts; SET query_memory_limit = '…' gives it more.")
			}
			return e.Hint("It may need less with a filter, a LIMIT or fewer columns; SET query_memory_limit = '…' gives it more.")
		}})
}

// withAccount makes one account for all that a data statement does, which end closes.
func (h *Handler) withAccount(ctx context.Context, s *session.Session) (inner context.Context, end func()) {
	if accountOf(ctx) != nil {
		return ctx, func() {}
	}
	inner, cancel := context.WithCancelCause(ctx)
	a := h.openAccount(s, "statement", cancel)
	if a != nil {
		inner = context.WithValue(inner, accountKey{}, a)
	}
	return inner, func() {
		a.Close()
		cancel(nil)
	}
}

// writtenCopies is how often a value is there while a statement writes it: as the client
// sent it, in a batch, in the record of the log, and in the table.
const writtenCopies = 4

// holdParameters counts what the values that a client sent take while they are written,
// until give is called. An error tells that there is no room.
func holdParameters(ctx context.Context, params []types.Value) (give func(), err error) {
	n := int64(0)
	for i := range params {
		n += int64(len(params[i].Bytes)) * writtenCopies
	}
	if n < 1<<20 {
		return func() {}, nil
	}
	share := accountOf(ctx).Share("parameters")
	if err := share.Room(n); err != nil {
		return nil, err
	}
	share.Add(n)
	return func() { share.Add(-n) }, nil
}
