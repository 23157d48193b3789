package pgwire

import (
	"bufio"
	"context"
	"errors"
	"net"
	"runtime/debug"
	"sync/atomic"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/session"
)

const (
	readBufferBytes = 16 << 10
	// flushBytes is how much output gathers before it is written.
	flushBytes = 64 << 10
)

// conn is one client's connection, run by one goroutine.
type conn struct {
	srv    *Server
	nc     net.Conn
	br     *bufio.Reader
	ctx    context.Context
	cancel context.CancelCauseFunc
	s      *session.Session

	messages messageReader
	burst    []pgproto3.FrontendMessage // what came along with the message last received
	ahead    pgproto3.FrontendMessage   // received by peek, not yet dispatched
	readErr  error                      // why nothing comes after the burst
	busy     atomic.Bool                // no message is waited for
	idle     idle

	interrupt <-chan struct{} // what ends waiting for copy data; else nil

	out      []byte
	writeErr error
	openSet  string            // a statement set of simple queries whose END has not come
	skip     bool              // after an error in the extended protocol: until Sync
	sources  map[string]source // of prepared statements
	// portalSources are of the portals of the transaction.
	portalSources map[string]source
	running       source // the text of a simple query, for the positions of notices
	rows          rowEncoder
}

// source is the text that error positions in a prepared statement refer to.
type source struct {
	sql   string
	start int
}

var (
	errGone = errors.New("the client is gone")
	errQuit = errors.New("the client has finished")
)

// brokenError is an error after which client and server no longer agree on where
// they are: it ends the connection.
type brokenError struct{ error }

func (e *brokenError) Unwrap() error { return e.error }

// run serves the client until it leaves or the server stops.
func (c *conn) run() {
	c.sources, c.portalSources = map[string]source{}, map[string]source{}
	c.messages = messageReader{r: c.br, max: c.srv.options.MessageBytesMax}
	c.busy.Store(true)
	c.srv.watch(c)
	done := make(chan struct{})
	c.srv.wg.Go(func() { c.guard(done) })
	err := c.serve()
	c.srv.unwatch(c)
	close(done)
	c.cancel(err)
	if !errors.Is(err, errQuit) && !errors.Is(err, errGone) {
		c.writeError("FATAL", pgerr.From(err), "", 0)
		_ = c.flush()
	}
	c.nc.Close()
}

// serve dispatches messages until the connection ends; the error says why. A
// broken invariant ends this connection, and no other.
func (c *conn) serve() (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.s.Log().Error("panic in a session", "panic", p, "stack", string(debug.Stack()))
			err = pgerr.New(pgerr.InternalError, "internal error: %v", p).
				Hint("This is a bug. The server, its jobs and other connections go on.")
		}
	}()
	for {
		m, err := c.receive()
		if err != nil {
			return err
		}
		if err := c.dispatch(m); err != nil {
			return err
		}
		if c.writeErr != nil {
			return errGone
		}
	}
}

// endsSkip tells what is read again after an error in the extended protocol.
func endsSkip(m pgproto3.FrontendMessage) bool {
	switch m := m.(type) {
	case *pgproto3.Sync, *pgproto3.Terminate:
		return true
	case *malformed:
		return m.kind == 'S' || m.kind == 'X'
	}
	return false
}

// reject answers a message whose body cannot be read as a statement that failed.
func (c *conn) reject(m *malformed) error {
	switch m.kind {
	case 'P', 'B', 'D', 'E', 'C', 'H':
		return c.extended(m.err)
	case 'X':
		return errQuit
	case 'd', 'c', 'f': // what is left of a COPY that failed
		return nil
	}
	if err := c.fail(m.err, "", 0); err != nil {
		return err
	}
	return c.sync()
}

func (c *conn) dispatch(m pgproto3.FrontendMessage) error {
	if c.skip && !endsSkip(m) {
		return nil
	}
	switch m := m.(type) {
	case *malformed:
		return c.reject(m)
	case *pgproto3.Query:
		sql := m.String
		return c.query(sql)
	case *pgproto3.Parse:
		return c.extended(c.parse(m))
	case *pgproto3.Bind:
		return c.extended(c.bind(m))
	case *pgproto3.Describe:
		return c.extended(c.describe(m))
	case *pgproto3.Execute:
		return c.execute(m.Portal, int64(m.MaxRows))
	case *pgproto3.Close:
		return c.extended(c.forget(m))
	case *pgproto3.Sync:
		return c.sync()
	case *pgproto3.Flush:
		return c.flush()
	case *pgproto3.Terminate:
		return errQuit
	case *pgproto3.CopyData, *pgproto3.CopyDone, *pgproto3.CopyFail:
		// What is left of a COPY that failed.
	case *pgproto3.FunctionCall:
		c.fail(pgerr.New(pgerr.FeatureNotSupported, "function calls by message are not supported"), "", 0)
		return c.sync()
	default:
		return pgerr.New(pgerr.ProtocolViolation, "unexpected message %T", m)
	}
	return nil
}

// sync ends the implicit transaction and the skipping after an error.
func (c *conn) sync() error {
	c.skip = false
	if err := c.s.EndImplicit(c.ctx); err != nil {
		if fatal := c.fail(err, "", 0); fatal != nil {
			return fatal
		}
	}
	c.skip = false
	if c.s.Status() == session.Idle {
		clear(c.portalSources)
	}
	c.ready()
	return c.flush()
}

// ready tells the client that it may send the next statement.
func (c *conn) ready() {
	c.s.Note("")
	c.send(&pgproto3.ReadyForQuery{TxStatus: byte(c.s.Status())})
}

// send puts a message into the buffer.
func (c *conn) send(m pgproto3.BackendMessage) {
	out, err := m.Encode(c.out)
	if err != nil { // only absurd lengths
		c.writeErr = err
		return
	}
	c.out = out
}

// flush writes the buffer to the client.
func (c *conn) flush() error {
	if c.writeErr == nil && len(c.out) > 0 {
		if _, err := c.nc.Write(c.out); err != nil {
			c.writeErr = err
		}
	}
	c.out = c.out[:0]
	if c.writeErr != nil {
		return errGone
	}
	return nil
}

// Notice implements session.Sink. The statement may go on for long after it, which is
// what the notice may be about.
func (c *conn) Notice(n session.Notice) {
	e := errorResponse(n.Severity, &n.Error, c.running.sql, c.running.start)
	c.send((*pgproto3.NoticeResponse)(e))
	_ = c.flush() // the next one fails as well
}

// ParameterStatus implements session.Sink.
func (c *conn) ParameterStatus(name, value string) {
	c.send(&pgproto3.ParameterStatus{Name: name, Value: value})
}

// fail reports a failed statement to client and session. sql and start are the
// text the error's position refers to and where the statement begins in it. The
// returned error, if any, ends the connection.
func (c *conn) fail(err error, sql string, start int) error {
	if c.writeErr != nil || errors.Is(err, errGone) || errors.Is(context.Cause(c.ctx), errGone) {
		c.s.Fail()
		return errGone
	}
	e := pgerr.From(err)
	var broken *brokenError
	if e.Code == pgerr.AdminShutdown || errors.As(err, &broken) {
		return e
	}
	if e.Code == pgerr.InternalError {
		c.s.Log().Error("statement failed", "error", err, "sql", sql)
	}
	c.s.Fail()
	c.writeError("ERROR", e, sql, start)
	return nil
}

func (c *conn) writeError(severity string, e *pgerr.Error, sql string, start int) {
	c.send(errorResponse(severity, e, sql, start))
}

// errorResponse makes the message of an error or notice. Its position counts
// characters from 1.
func errorResponse(severity string, e *pgerr.Error, sql string, start int) *pgproto3.ErrorResponse {
	m := &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: string(e.Code),
		Message: e.Message, Detail: e.Detail, Hint: e.HintText,
		SchemaName: e.Schema, TableName: e.Table, ColumnName: e.Column, ConstraintName: e.Constraint, Routine: e.Routine}
	if m.Code == "" {
		m.Code = string(pgerr.SuccessfulCompletion)
	}
	if at := e.Position + start; e.Position >= 0 && at >= 0 && at <= len(sql) && sql != "" {
		m.Position = int32(utf8.RuneCountInString(sql[:at])) + 1
	}
	return m
}
