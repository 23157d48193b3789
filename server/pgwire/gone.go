package pgwire

import (
	"crypto/tls"
	"net"
	"syscall"
	"time"
)

// goneInterval is how often connections with a statement that runs are looked at.
const goneInterval = 50 * time.Millisecond

// watch has the statements of c interrupted when its client goes away, until unwatch.
func (s *Server) watch(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched[c] = true
	if !s.watching {
		s.watching = true
		s.wg.Add(1)
		go s.watchAll()
	}
}

func (s *Server) unwatch(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watched, c)
}

// watchAll interrupts the statements whose clients have gone away, as long as there are
// clients: those which no statement runs for notice by reading.
func (s *Server) watchAll() {
	defer s.wg.Done()
	t := time.NewTicker(goneInterval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-s.stop:
			return
		}
		s.mu.Lock()
		s.watching = len(s.watched) > 0
		for c := range s.watched {
			if c.busy.Load() && gone(c.nc) {
				c.cancel(errGone)
				delete(s.watched, c)
			}
		}
		if !s.watching {
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}

// gone reports whether the client has closed its side, whatever it sent before.
func gone(nc net.Conn) bool {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	closed := false
	_ = raw.Control(func(fd uintptr) { closed = hungUp(int(fd)) })
	return closed
}
