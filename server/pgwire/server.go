// Package pgwire speaks the PostgreSQL protocol, version 3, to clients: startup,
// TLS, authentication, the simple and the extended query protocol, COPY and
// cancel requests. It turns messages into calls on a session and batches into
// DataRows; it knows no statement and no relation.
package pgwire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/session"
)

// Options configure a Server.
type Options struct {
	// Sessions makes the sessions; required.
	Sessions *session.Manager
	// Password is what every client must prove to know by SCRAM-SHA-256. While
	// it is empty, only clients on the same machine are let in.
	Password string
	// TLS turns encryption on; nil answers that there is none.
	TLS *tls.Config
	// User and Database are what every client is logged in as, whatever it says.
	User, Database string
	// StartupTimeout bounds the time from connect to the end of authentication.
	StartupTimeout time.Duration
	// MessageBytesMax bounds one message after authentication.
	MessageBytesMax int
	// PendingMax bounds the clients that log in at the same time; others wait.
	PendingMax int
	Logger     *slog.Logger
}

// EnsureDefaults fills in what is left open.
func (o *Options) EnsureDefaults() {
	if o.User == "" {
		o.User = "millrace"
	}
	if o.Database == "" {
		o.Database = "millrace"
	}
	if o.StartupTimeout == 0 {
		o.StartupTimeout = 15 * time.Second
	}
	if o.MessageBytesMax == 0 {
		o.MessageBytesMax = 256 << 20
	}
	if o.PendingMax == 0 {
		o.PendingMax = 256
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Server accepts connections and owns a goroutine for each.
type Server struct {
	options Options
	scram   *scramServer // nil without a password
	pending chan struct{}
	stop    chan struct{} // closed by Shutdown
	wg      sync.WaitGroup

	mu        sync.Mutex // guards what follows
	listeners map[net.Listener]bool
	conns     map[net.Conn]bool // whether it is logged in
	watched   map[*conn]bool    // whose statements end when the client goes away
	watching  bool              // there is a goroutine that looks
	stopped   bool
}

// New makes a server that listens nowhere yet.
func New(o Options) (*Server, error) {
	o.EnsureDefaults()
	s := &Server{options: o, pending: make(chan struct{}, o.PendingMax), stop: make(chan struct{}),
		listeners: map[net.Listener]bool{}, conns: map[net.Conn]bool{}, watched: map[*conn]bool{}}
	if o.Password != "" {
		var err error
		if s.scram, err = newSCRAM(o.Password); err != nil {
			return nil, fmt.Errorf("prepare the password for SCRAM: %w", err)
		}
	}
	return s, nil
}

// Serve accepts connections until Shutdown, which makes it return nil. Without a
// password it refuses a listener that is open to other machines.
func (s *Server) Serve(l net.Listener) error {
	if s.scram == nil && !loopback(l.Addr()) {
		l.Close()
		return fmt.Errorf("refusing to listen on %s without a password: only loopback addresses are allowed then", l.Addr())
	}
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return l.Close()
	}
	s.listeners[l] = true
	s.mu.Unlock()
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.isStopped() {
				return nil
			}
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() || errors.Is(err, errTooManyFiles) {
				s.options.Logger.Warn("cannot accept a connection", "error", err)
				time.Sleep(50 * time.Millisecond)
				continue
			}
			return fmt.Errorf("accept connections: %w", err)
		}
		s.adopt(nc)
	}
}

// adopt starts the goroutine of a connection.
func (s *Server) adopt(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		nc.Close()
		return
	}
	s.conns[nc] = false
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		defer func() {
			nc.Close()
			s.mu.Lock()
			delete(s.conns, nc)
			s.mu.Unlock()
		}()
		s.handle(nc)
	}()
}

func (s *Server) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// Shutdown stops listening, interrupts every statement, tells the clients, and
// waits for their connections to end; when ctx is done first it cuts them off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return nil
	}
	s.stopped = true
	close(s.stop)
	for l := range s.listeners {
		l.Close()
	}
	for nc, in := range s.conns {
		if !in {
			nc.Close()
		}
	}
	s.mu.Unlock()
	s.options.Sessions.EndAll(errShutdown())
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for nc := range s.conns {
		nc.Close()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}

// Connections is how many connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func errShutdown() *pgerr.Error {
	return pgerr.New(pgerr.AdminShutdown, "terminating connection due to administrator command")
}

// loopback reports whether an address is reachable from this machine only.
func loopback(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}
