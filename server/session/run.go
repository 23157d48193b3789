package session

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// Run is a statement that was started: its result and how far it has been read.
type Run struct {
	Columns []Column
	Live    bool
	Result  *Result
	// Formats are the result format codes that a binary cursor asks for where the
	// protocol says none.
	Formats []int16

	s      *Session
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	batch  *batch.Batch // rest of the current batch, from live row pos on
	pos    int
	view   batch.Batch
	sel    []uint16
	rows   int64
	ended  bool
	closed bool
}

// Context is done when the run is closed or the client cancels.
func (r *Run) Context() context.Context { return r.ctx }

// arm makes the run the one that a cancel request hits and starts
// statement_timeout.
func (r *Run) arm() {
	r.s.watch(r.cancel)
	if r.timer == nil {
		r.timer = r.s.timeOut(r.cancel)
	}
}

// timeOut starts statement_timeout, if there is one.
func (s *Session) timeOut(cancel context.CancelCauseFunc) *time.Timer {
	d := s.vars.duration("statement_timeout")
	if d <= 0 {
		return nil
	}
	return time.AfterFunc(d, func() {
		cancel(pgerr.New(pgerr.QueryCanceled, "canceling statement due to statement timeout"))
	})
}

// Suspend is called when the client is to decide whether it wants more.
func (r *Run) Suspend() {
	r.s.watch(nil)
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
}

// Close ends the run; it may be called again.
func (r *Run) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.Suspend()
	if r.Result != nil && r.Result.Rows != nil {
		r.Result.Rows.Close()
	}
	r.cancel(context.Canceled)
}

// Rows is the number of rows read so far.
func (r *Run) Rows() int64 { return r.rows }

// Next returns at most limit more rows (0: no limit), or nil at the end. The
// batch stays as it is until the next call.
func (r *Run) Next(limit int64) (*batch.Batch, error) {
	r.arm()
	return r.next(r.ctx, limit)
}

func (r *Run) next(ctx context.Context, limit int64) (*batch.Batch, error) {
	if r.Result.Rows == nil || r.ended {
		return nil, nil
	}
	for r.batch == nil || r.pos >= r.batch.Live() {
		b, err := r.Result.Rows.Next(ctx)
		if err != nil {
			return nil, translate(ctx, err)
		}
		if b == nil {
			r.ended = true
			return nil, nil
		}
		r.batch, r.pos = b, 0
	}
	live := r.batch.Live()
	n := live - r.pos
	if limit > 0 && int64(n) > limit {
		n = int(limit)
	}
	out := r.batch
	if n < live {
		r.sel = r.sel[:0]
		for k := r.pos; k < r.pos+n; k++ {
			r.sel = append(r.sel, uint16(r.batch.RowAt(k)))
		}
		r.view = *r.batch
		r.view.Sel = r.sel
		out = &r.view
	}
	r.pos += n
	r.rows += int64(n)
	return out, nil
}

// Tag is the command tag, once all rows were read.
func (r *Run) Tag() string { return r.TagFor(r.rows) }

// translate gives the reason of a cancelled context instead of the error that
// its being done led to.
func translate(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return errCanceled
}

// Prepare checks and plans a statement. declared are the parameter types that
// the client gave.
func (s *Session) Prepare(ctx context.Context, stmt ast.Parsed, declared []types.Type) (*Prepared, error) {
	if stmt.Statement == nil {
		return &Prepared{Statement: stmt}, nil
	}
	if err := s.checkState(stmt.Statement); err != nil {
		return nil, err
	}
	if p, ok, err := s.prepareOwn(stmt, declared); ok || err != nil {
		return p, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.watch(cancel)
	defer s.watch(nil)
	s.begin()
	planned := stmt
	cursor, declares := stmt.Statement.(*ast.DeclareCursor)
	if declares {
		planned.Statement = cursor.Statement
	}
	p, err := s.handler.Prepare(ctx, s, planned, declared)
	if err != nil {
		return nil, placeRefusal(translate(ctx, err), stmt.Statement)
	}
	if declares {
		p = &Prepared{Statement: stmt, Params: p.Params}
	}
	return p, nil
}

// placeRefusal lets the refusal of a statement as a whole point at where it
// begins: what refuses that does not always know of a text.
func placeRefusal(err error, st ast.Statement) error {
	switch pgerr.From(err).Code {
	case pgerr.FeatureNotSupported, pgerr.ActiveSQLTransaction:
		if st != nil {
			return pgerr.Place(err, int(st.Offset()))
		}
	}
	return err
}

// checkState refuses everything but the end of it in a failed transaction.
func (s *Session) checkState(st ast.Statement) error {
	if s.tx == nil || !s.tx.failed {
		return nil
	}
	switch st := st.(type) {
	case *ast.Transaction:
		if st.Verb != "begin" {
			return nil
		}
	case *ast.TransactionSavepoint:
		if st.Verb == "rollback to" {
			return nil
		}
	case nil:
		return nil
	}
	return pgerr.New(pgerr.InFailedSQLTransaction, "current transaction is aborted, commands ignored until end of transaction block")
}

// Start runs a prepared statement. ctx is the connection's. The caller reads
// the rows and closes the run; on any error it calls Fail.
func (s *Session) Start(ctx context.Context, p *Prepared, params []types.Value) (*Run, error) {
	if err := s.checkState(p.Statement.Statement); err != nil {
		return nil, err
	}
	s.begin()
	r := &Run{s: s, Columns: p.Columns, Live: p.Live}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	r.arm()
	var err error
	if p.Statement.Statement == nil {
		r.Result = &Result{}
	} else if r.Result, err = s.runOwn(r, p, params); r.Result == nil && err == nil {
		r.Result, err = s.handler.Execute(r.ctx, s, p, params)
	}
	if err != nil {
		err = placeRefusal(translate(r.ctx, err), p.Statement.Statement)
		r.Close()
		return nil, err
	}
	return r, nil
}

// TagFor is Tag for a portal that was run in parts: rows is the number of rows
// in the last part.
func (r *Run) TagFor(rows int64) string {
	if r.Result.CountRows {
		return r.Result.Tag + " " + strconv.FormatInt(rows, 10)
	}
	return r.Result.Tag
}

// Interrupted returns why the run was cancelled, or nil.
func (r *Run) Interrupted() error {
	if r.ctx.Err() == nil {
		return nil
	}
	return translate(r.ctx, r.ctx.Err())
}
