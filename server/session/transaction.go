package session

import (
	"context"
	"time"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// Tx is a transaction. Every statement runs in one: in an explicit one between
// BEGIN and COMMIT, else in an implicit one that ends with the simple query
// string or at Sync.
type Tx struct {
	Explicit bool
	ReadOnly bool
	// Isolation is the level, as SHOW transaction_isolation spells it.
	Isolation string
	Started   time.Time
	// Work belongs to the handler: what is to take effect at COMMIT.
	Work any

	failed bool
	marks  []mark
}

type mark struct {
	name string
	work any
	// vars is a copy of the variables at the savepoint.
	vars map[string]string
	// portals numbers the last portal made before.
	portals int64
}

// Status is the transaction state as ReadyForQuery tells it.
type Status byte

// The transaction states.
const (
	Idle          Status = 'I'
	InTransaction Status = 'T'
	Failed        Status = 'E'
)

// Status returns the state of the session's explicit transaction.
func (s *Session) Status() Status {
	switch {
	case s.tx == nil || !s.tx.Explicit:
		return Idle
	case s.tx.failed:
		return Failed
	default:
		return InTransaction
	}
}

// Tx returns the transaction of the running statement; nil between statements
// outside of a transaction.
func (s *Session) Tx() *Tx { return s.tx }

// RequireNoTransaction refuses a statement that acts at once in an explicit
// transaction, and commits what an implicit one has gathered so far.
func (s *Session) RequireNoTransaction(ctx context.Context, what string) error {
	if s.tx != nil && s.tx.Explicit {
		return pgerr.New(pgerr.ActiveSQLTransaction, "%s cannot run inside a transaction block", what)
	}
	if s.tx == nil || s.tx.Work == nil {
		return nil
	}
	if err := s.handler.Commit(ctx, s, s.tx); err != nil {
		return err
	}
	s.tx.Work = nil
	return nil
}

// begin makes sure that there is a transaction.
func (s *Session) begin() {
	if s.tx == nil {
		s.tx = &Tx{Started: s.clock.Now(), ReadOnly: s.vars.get("default_transaction_read_only") == "on",
			Isolation: s.vars.get("default_transaction_isolation")}
	}
}

// EndImplicit ends the implicit transaction, if there is one: at the end of a
// simple query string and at Sync.
func (s *Session) EndImplicit(ctx context.Context) error {
	if s.tx == nil || s.tx.Explicit {
		return nil
	}
	return s.commit(ctx)
}

// Fail tells the session that the statement failed: an implicit transaction is
// rolled back, an explicit one refuses everything until it is.
func (s *Session) Fail() {
	switch {
	case s.tx == nil:
	case s.tx.Explicit:
		s.tx.failed = true
		s.closePortals(func(p *Portal) bool { return !p.hold })
	default:
		s.rollback()
	}
}

// Settle commits an implicit transaction before the result of its last statement
// is told, so that what is told is what was committed. keep is the portal that
// the statement runs in, nil for none: the caller closes its run.
func (s *Session) Settle(ctx context.Context, keep *Portal) error {
	if s.tx == nil || s.tx.Explicit {
		return nil
	}
	if keep != nil {
		delete(s.portals, keep.Name)
	}
	return s.commit(ctx)
}

func (s *Session) commit(ctx context.Context) error {
	tx := s.tx
	if tx.failed {
		s.rollback()
		return nil
	}
	s.closePortals(func(p *Portal) bool { return !p.hold })
	if tx.Work != nil {
		if err := s.carryOut(ctx, tx); err != nil {
			s.rollback()
			return err
		}
	}
	s.tx = nil
	s.vars.endTransaction(true, s.report)
	return nil
}

// carryOut has the handler commit. The client may cancel that, but its going
// away does not: it asked for the commit.
func (s *Session) carryOut(ctx context.Context, tx *Tx) error {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	s.watch(cancel)
	defer s.watch(nil)
	if timer := s.timeOut(cancel); timer != nil {
		defer timer.Stop()
	}
	if err := s.handler.Commit(ctx, s, tx); err != nil {
		return translate(ctx, err)
	}
	return nil
}

func (s *Session) rollback() {
	tx := s.tx
	if tx == nil {
		return
	}
	s.closePortals(func(p *Portal) bool { return !p.hold || p.tx == tx })
	s.handler.Rollback(s, tx)
	s.tx = nil
	s.vars.endTransaction(false, s.report)
}

// transaction runs BEGIN, COMMIT and ROLLBACK.
func (s *Session) transaction(ctx context.Context, st *ast.Transaction) (*Result, error) {
	switch st.Verb {
	case "begin":
		tag := "BEGIN"
		if st.Start {
			tag = "START TRANSACTION"
		}
		if s.tx.Explicit {
			s.Notice("WARNING", pgerr.ActiveSQLTransaction, "there is already a transaction in progress")
			return Command(tag), nil
		}
		s.tx.Explicit = true
		return Command(tag), s.setModes(st.Modes)
	case "commit":
		return s.end(ctx, "COMMIT", st.Chain)
	default:
		return s.end(ctx, "ROLLBACK", st.Chain)
	}
}

// end runs COMMIT and ROLLBACK.
func (s *Session) end(ctx context.Context, tag string, chain bool) (*Result, error) {
	if !s.tx.Explicit {
		if chain {
			return nil, pgerr.New(pgerr.NoActiveSQLTransaction, "%s AND CHAIN can only be used in transaction blocks", tag)
		}
		s.Notice("WARNING", pgerr.NoActiveSQLTransaction, "there is no transaction in progress")
	}
	if tag == "COMMIT" && s.tx.failed {
		tag = "ROLLBACK"
	}
	readOnly, isolation := s.tx.ReadOnly, s.tx.Isolation
	if tag == "COMMIT" {
		if err := s.commit(ctx); err != nil {
			return nil, err
		}
	} else {
		s.rollback()
	}
	if chain {
		s.begin()
		s.tx.Explicit, s.tx.ReadOnly, s.tx.Isolation = true, readOnly, isolation
	}
	return Command(tag), nil
}

// savepoint runs SAVEPOINT x, RELEASE x and ROLLBACK TO x: PostgreSQL's own,
// which touch no job.
func (s *Session) savepoint(st *ast.TransactionSavepoint) (*Result, error) {
	tags := map[string]string{"savepoint": "SAVEPOINT", "release": "RELEASE", "rollback to": "ROLLBACK"}
	tag := tags[st.Verb]
	if !s.tx.Explicit {
		verb := map[string]string{"savepoint": "SAVEPOINT", "release": "RELEASE SAVEPOINT", "rollback to": "ROLLBACK TO SAVEPOINT"}[st.Verb]
		return nil, pgerr.New(pgerr.NoActiveSQLTransaction, "%s can only be used in transaction blocks", verb)
	}
	if st.Verb == "savepoint" {
		s.portalsMade++
		s.tx.marks = append(s.tx.marks, mark{st.Name.Value, s.handler.Mark(s, s.tx), s.vars.copy(), s.portalsMade})
		return Command(tag), nil
	}
	i := len(s.tx.marks) - 1
	for i >= 0 && s.tx.marks[i].name != st.Name.Value {
		i--
	}
	if i < 0 {
		return nil, pgerr.New(pgerr.InvalidSavepoint, "savepoint %q does not exist", st.Name.Value).At(int(st.Name.Pos))
	}
	if st.Verb == "release" {
		s.tx.marks = s.tx.marks[:i]
		return Command(tag), nil
	}
	m := s.tx.marks[i]
	s.tx.marks = s.tx.marks[:i+1]
	s.closePortals(func(p *Portal) bool { return p.tx == s.tx && p.number > m.portals })
	s.handler.RollbackTo(s, s.tx, m.work)
	s.vars.restore(m.vars, s.report)
	s.tx.failed = false
	return Command(tag), nil
}
