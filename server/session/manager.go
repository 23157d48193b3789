package session

import (
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/binary"
	"log/slog"
	"sort"
	"sync"

	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/sql/ast"
)

// Options configure a Manager.
type Options struct {
	// Handler runs statements; required.
	Handler Handler
	// Parse splits a query string into statements; required: sql/parse.Statements.
	Parse func(sql string) ([]ast.Parsed, error)
	// ServerVersion is what SHOW server_version says.
	ServerVersion string
	// SessionsMax is how many sessions may be open at once.
	SessionsMax int
	Clock       clock.Clock
	Logger      *slog.Logger
}

// EnsureDefaults fills in what is left open.
func (o *Options) EnsureDefaults() {
	if o.ServerVersion == "" {
		o.ServerVersion = "15.0"
	}
	if o.SessionsMax == 0 {
		o.SessionsMax = 1000
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Manager makes sessions and finds them for cancel requests.
type Manager struct {
	options Options

	mu       sync.Mutex // guards what follows
	sessions map[uint32]*Session
	ended    error
}

// NewManager makes a manager without sessions.
func NewManager(o Options) *Manager {
	o.EnsureDefaults()
	return &Manager{options: o, sessions: map[uint32]*Session{}}
}

// Start is what a client says of itself when it connects.
type Start struct {
	User     string
	Database string
	Remote   string
	TLS      *tls.ConnectionState // nil: the connection is not encrypted
	// Settings are the variables of the startup message, "options" included.
	Settings map[string]string
	// SecretLen is the length of the cancel key: 4, or more in protocol 3.2.
	SecretLen int
}

// Open begins a session. The caller closes it with Close.
func (m *Manager) Open(st Start, sink Sink) (*Session, error) {
	o := m.options
	if st.SecretLen == 0 {
		st.SecretLen = 4
	}
	s := &Session{
		User: st.User, Database: st.Database, Remote: st.Remote, Started: o.Clock.Now(),
		handler: o.Handler, parse: o.Parse, clock: o.Clock, sink: sink,
		prepared: map[string]*namedStatement{}, portals: map[string]*Portal{},
		secret: make([]byte, st.SecretLen), done: make(chan struct{}),
	}
	_, _ = rand.Read(s.secret) // never fails, by its contract
	s.vars = newVariables(map[string]string{
		"server_version": o.ServerVersion, "session_authorization": st.User, "is_superuser": "on",
	})
	if err := s.applyStartup(st.Settings); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended != nil {
		return nil, m.ended
	}
	if len(m.sessions) >= o.SessionsMax {
		return nil, pgerr.New("53300", "sorry, too many clients already").
			Hint("At most %d sessions may be open at once.", o.SessionsMax)
	}
	for s.PID == 0 || m.sessions[s.PID] != nil {
		var b [4]byte
		_, _ = rand.Read(b[:])
		s.PID = binary.BigEndian.Uint32(b[:]) >> 1 // clients show it as a positive int
	}
	s.log = o.Logger.With("pid", s.PID)
	s.info = Info{PID: s.PID, User: s.User, Database: s.Database, Remote: s.Remote, TLS: st.TLS, Started: s.Started,
		State: "idle", StateChange: s.Started, Application: s.vars.get("application_name")}
	m.sessions[s.PID] = s
	return s, nil
}

// Close ends a session and forgets it.
func (m *Manager) Close(s *Session) {
	s.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, s.PID)
}

// Secret returns the key that a cancel request must show.
func (s *Session) Secret() []byte { return s.secret }

// Cancel interrupts the session with this PID if the secret is right.
func (m *Manager) Cancel(pid uint32, secret []byte) {
	if s := m.find(pid); s != nil && subtle.ConstantTimeCompare(s.secret, secret) == 1 {
		s.Cancel()
	}
}

// CancelPID is Cancel for pg_cancel_backend, which needs no secret. It reports
// whether there is such a session.
func (m *Manager) CancelPID(pid uint32) bool {
	s := m.find(pid)
	if s != nil {
		s.Cancel()
	}
	return s != nil
}

// TerminatePID ends a session, for pg_terminate_backend. It reports whether
// there is such a session.
func (m *Manager) TerminatePID(pid uint32) bool {
	s := m.find(pid)
	if s != nil {
		s.End(pgerr.New(pgerr.AdminShutdown, "terminating connection due to administrator command"))
	}
	return s != nil
}

func (m *Manager) find(pid uint32) *Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions[pid]
}

// EndAll interrupts every session with err and refuses new ones.
func (m *Manager) EndAll(err error) {
	m.mu.Lock()
	m.ended = err
	open := make([]*Session, 0, len(m.sessions))
	for _, s := range m.sessions {
		open = append(open, s)
	}
	m.mu.Unlock()
	for _, s := range open {
		s.End(err)
	}
}

// List describes all open sessions, oldest first.
func (m *Manager) List() []Info {
	m.mu.Lock()
	open := make([]*Session, 0, len(m.sessions))
	for _, s := range m.sessions {
		open = append(open, s)
	}
	m.mu.Unlock()
	out := make([]Info, len(open))
	for i, s := range open {
		out[i] = s.Info()
	}
	sort.Slice(out, func(i, j int) bool {
		if !out[i].Started.Equal(out[j].Started) {
			return out[i].Started.Before(out[j].Started)
		}
		return out[i].PID < out[j].PID
	})
	return out
}
