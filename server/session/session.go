package session

import (
	"context"
	"crypto/tls"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/exec/eval"
	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// Notice is a message to the client that is not an error.
type Notice struct {
	Severity string // NOTICE, WARNING, INFO
	pgerr.Error
}

// Sink is where a session's asynchronous messages go: the connection. Its
// methods are called from the goroutine that runs the session's statements.
type Sink interface {
	Notice(Notice)
	// ParameterStatus tells a changed variable that clients watch.
	ParameterStatus(name, value string)
}

// Session is one client's state. Only one goroutine may use it, except for
// Cancel, End and Info.
type Session struct {
	PID      uint32
	User     string
	Database string
	Remote   string // the client's address
	Started  time.Time

	// Random is random() and setseed.
	Random eval.Random

	handler  Handler
	parse    func(string) ([]ast.Parsed, error)
	clock    clock.Clock
	log      *slog.Logger
	sink     Sink
	vars     *variables
	prepared map[string]*namedStatement
	portals  map[string]*Portal
	// portalsMade numbers portals in the order they are made.
	portalsMade int64
	tx          *Tx
	secret      []byte
	zone        *types.Zone // the one of zoneName, kept
	zoneName    string
	counts      counts

	mu     sync.Mutex // guards what follows
	cancel context.CancelCauseFunc
	ended  error // why the session is to end, if it is
	done   chan struct{}
	info   Info
}

// Info is what pg_stat_activity shows of a session.
type Info struct {
	PID         uint32
	User        string
	Database    string
	Application string
	Remote      string
	TLS         *tls.ConnectionState // nil: the connection is not encrypted
	Started     time.Time
	State       string // "active", "idle", "idle in transaction", "idle in transaction (aborted)"
	Query       string
	QueryStart  time.Time
	StateChange time.Time
	XactStart   time.Time
}

// errCanceled is the cause of a context that a client cancelled.
var errCanceled = pgerr.New(pgerr.QueryCanceled, "canceling statement due to user request")

// Log returns the session's logger.
func (s *Session) Log() *slog.Logger { return s.log }

// Now is the server's time.
func (s *Session) Now() time.Time { return s.clock.Now() }

// Parse splits a query string into statements.
func (s *Session) Parse(sql string) ([]ast.Parsed, error) { return s.parse(sql) }

// Notice sends a message to the client at once.
func (s *Session) Notice(severity string, code pgerr.Code, message string) {
	s.SendNotice(Notice{Severity: severity, Error: *pgerr.New(code, "%s", message)})
}

// SendNotice is Notice for a message with hint or detail. Notices below
// client_min_messages are dropped.
func (s *Session) SendNotice(n Notice) {
	if slices.Index(minMessages, strings.ToLower(n.Severity)) < slices.Index(minMessages, s.vars.get("client_min_messages")) && n.Severity != "INFO" {
		return
	}
	s.sink.Notice(n)
}

func (s *Session) report(name, value string) { s.sink.ParameterStatus(name, value) }

// Cancel interrupts the running statement, if any; from any goroutine.
func (s *Session) Cancel() { s.interrupt(errCanceled) }

// End interrupts the running statement and makes every later one fail with err:
// for shutdown. The connection must be closed by its owner.
func (s *Session) End(err error) {
	s.mu.Lock()
	if s.ended == nil {
		s.ended = err
		close(s.done)
	}
	s.mu.Unlock()
	s.interrupt(err)
}

// Ended is closed when the session is to end; EndReason tells why.
func (s *Session) Ended() <-chan struct{} { return s.done }

// EndReason is why the session is to end, nil if it is not.
func (s *Session) EndReason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *Session) interrupt(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel(cause)
	}
}

// watch makes cancel the function that interrupts the session; nil for none.
func (s *Session) watch(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	if s.ended != nil && cancel != nil {
		cancel(s.ended)
	}
}

// Note records for pg_stat_activity what the session does now: the query text
// when it begins one, "" when it waits for the client.
func (s *Session) Note(query string) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if query != "" {
		s.info.State, s.info.Query, s.info.QueryStart = "active", query, now
	} else {
		s.info.State = map[Status]string{Idle: "idle", InTransaction: "idle in transaction", Failed: "idle in transaction (aborted)"}[s.Status()]
	}
	s.info.XactStart = time.Time{}
	if s.tx != nil {
		s.info.XactStart = s.tx.Started
	}
	s.info.Application = s.vars.get("application_name")
	s.info.StateChange = now
}

// Info returns what the session does; from any goroutine.
func (s *Session) Info() Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

// Close ends the session: its transaction is rolled back, its cursors closed.
func (s *Session) Close() {
	s.rollback()
	s.closePortals(func(*Portal) bool { return true })
}
