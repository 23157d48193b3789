// Package session is one client's state on the server: variables, prepared
// statements, portals and cursors, the transaction, and cancelling. It runs the
// statements that concern the session alone and hands every other to a Handler.
// It knows no wire format and plans no query.
package session

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/server/pgcopy"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// Handler carries out the statements that concern more than the session. One
// handler serves all sessions at once; one session calls it from one goroutine
// at a time.
type Handler interface {
	// Prepare binds and plans a statement without running it. declared holds the
	// parameter types the client gave, the zero Type where it gave none; it may
	// be shorter than stmt.Params. The answer's Params cover $1 to the highest
	// one, each with a type. Error positions are offsets in stmt.Text.
	Prepare(ctx context.Context, s *Session, stmt ast.Parsed, declared []types.Type) (*Prepared, error)

	// Execute runs a prepared statement, again and again if the client likes:
	// when the catalog has changed since Prepare, the handler plans anew, and
	// refuses (0A000) if the columns changed. s.Tx() is the transaction it
	// belongs to. ctx lives until the result is closed and is cancelled when the
	// client cancels, a timeout passes, or the connection ends.
	Execute(ctx context.Context, s *Session, p *Prepared, params []types.Value) (*Result, error)

	// Evaluate computes constant expressions, such as the arguments of EXECUTE,
	// cast to the wanted types.
	Evaluate(ctx context.Context, s *Session, args []ast.Expr, want []types.Type) ([]types.Value, error)

	// Commit makes what Execute kept in tx.Work take effect, all or nothing. It
	// is called for each transaction that ends well with tx.Work not nil,
	// implicit ones included; when it fails, Rollback follows. Its ctx is done
	// when the client cancels, but not when the client goes away.
	Commit(ctx context.Context, s *Session, tx *Tx) error

	// Rollback forgets what is in tx.Work.
	Rollback(s *Session, tx *Tx)

	// Mark returns what RollbackTo needs in order to bring tx.Work back to how
	// it is now. Both serve SAVEPOINT x and ROLLBACK TO x.
	Mark(s *Session, tx *Tx) any

	// RollbackTo undoes what came after the mark.
	RollbackTo(s *Session, tx *Tx, mark any)
}

// Column describes one column of a result.
type Column struct {
	Name string
	Type types.Type
	// Relation and Attribute are the OID and the column number of the relation
	// column this is a plain copy of; 0 when it is none.
	Relation  uint32
	Attribute int16
}

// Prepared is a statement ready to run, any number of times.
type Prepared struct {
	Statement ast.Parsed
	Params    []types.Type
	// Columns is nil when the statement returns no rows.
	Columns []Column
	// Live says that the rows may never end (SUBSCRIBE), so each batch is sent
	// at once, and a FETCH takes what there is.
	Live bool
	// Plan belongs to the handler.
	Plan any
}

// Rows is the stream of a result's rows.
type Rows interface {
	// Next returns the next batch, or nil after the last one. The batch stays as
	// it is until the next call. Selections are honoured, ops are not looked at.
	// After Next of a live result failed because ctx was done, it can be called
	// again.
	Next(ctx context.Context) (*batch.Batch, error)
	// Close releases everything; it is called exactly once.
	Close()
}

// Result is what a statement answers. Use the functions Command, Affected and
// Select where they fit.
type Result struct {
	// Tag is the command tag: CREATE TABLE, INSERT 0 3.
	Tag string
	// CountRows appends the number of rows that were sent to the tag.
	CountRows bool
	// Rows is nil when the statement returns none.
	Rows Rows
	// Account counts the memory that the statement takes, nil if nobody does.
	Account *memory.Account
	// CopyOut says that the rows travel as COPY data in this form.
	CopyOut *pgcopy.Options
	// CopyIn asks the client for data. Tag is then ignored.
	CopyIn *CopyIn
	// Told, when not nil, is to be called before Tag or Rows are told to the
	// client while the transaction goes on. Until then a commit that meets a
	// conflict may do the statement again and change both; so a connection that
	// can do so commits first.
	Told func()
}

// CopyIn is COPY … FROM STDIN: rows are decoded as Columns in the form of
// Options and given to the sink.
type CopyIn struct {
	Columns []Column
	Options pgcopy.Options
	Sink    CopySink
}

// CopySink takes the rows of a COPY FROM STDIN. After Write or Finish failed
// nothing is called but Abort.
type CopySink interface {
	// Write takes a batch with one column for each of CopyIn.Columns; it must
	// copy what it keeps.
	Write(ctx context.Context, b *batch.Batch) error
	// Finish ends the copy: the rows become part of the transaction.
	Finish(ctx context.Context) (rows int64, err error)
	// Abort forgets the rows. It is called exactly once unless Finish succeeded.
	Abort()
}

// Command is the result of a statement without rows.
func Command(tag string) *Result { return &Result{Tag: tag} }

// Affected is the result of a statement that counts: INSERT 0, UPDATE, DELETE,
// COPY.
func Affected(verb string, rows int64) *Result {
	return &Result{Tag: fmt.Sprintf("%s %d", verb, rows)}
}

// Select is the result of a query.
func Select(rows Rows) *Result { return &Result{Tag: "SELECT", CountRows: true, Rows: rows} }

// ValueRows is a stream of rows that are all there already.
func ValueRows(columns []Column, rows [][]types.Value) Rows {
	t := make([]types.Type, len(columns))
	for i, c := range columns {
		t[i] = c.Type
	}
	return &valueRows{types: t, rest: rows}
}

type valueRows struct {
	types []types.Type
	rest  [][]types.Value
}

func (r *valueRows) Next(context.Context) (*batch.Batch, error) {
	if len(r.rest) == 0 {
		return nil, nil
	}
	n := min(len(r.rest), batch.RowsDefault)
	b := batch.FromValues(r.types, r.rest[:n])
	r.rest = r.rest[n:]
	return b, nil
}

func (r *valueRows) Close() {}

// TextColumns makes result columns of type text.
func TextColumns(names ...string) []Column {
	out := make([]Column, len(names))
	for i, n := range names {
		out[i] = Column{Name: n, Type: types.Of(types.Text)}
	}
	return out
}

// TextRows is ValueRows for columns of type text.
func TextRows(columns []Column, rows [][]string) Rows {
	values := make([][]types.Value, len(rows))
	for i, row := range rows {
		values[i] = make([]types.Value, len(row))
		for j, s := range row {
			values[i][j] = types.Value{Bytes: s}
		}
	}
	return ValueRows(columns, values)
}
