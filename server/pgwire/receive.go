package pgwire

import (
	"errors"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/session"
)

// errInterrupted ends waiting for copy data, and nothing else.
var errInterrupted = errors.New("interrupted while waiting")

// idle is how long the client may be silent, while it is waited for.
type idle struct {
	until   time.Time // zero: for ever
	err     error     // what the client is told then
	waiting bool      // nothing of the next message has come
}

// receive returns the next message. Its fields are good until the next receive. It
// returns nothing when c.interrupt is closed first.
func (c *conn) receive() (pgproto3.FrontendMessage, error) {
	if m := c.ahead; m != nil {
		c.ahead = nil
		return m, nil
	}
	if len(c.burst) == 0 {
		if err := c.wait(); errors.Is(err, errInterrupted) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
	m := c.burst[0]
	c.burst = c.burst[1:]
	return m, nil
}

// wait reads the next burst. The goroutine that is going to answer does so itself: to
// wake another for it costs more than a point read.
func (c *conn) wait() error {
	if c.readErr != nil {
		return c.readErr
	}
	if limit, err := c.idleLimit(); limit > 0 && c.interrupt == nil {
		c.idle.until, c.idle.err = time.Now().Add(limit), err
		_ = c.nc.SetReadDeadline(c.idle.until)
		defer func() {
			c.idle.until = time.Time{}
			_ = c.nc.SetReadDeadline(time.Time{})
		}()
	}
	c.idle.waiting = true
	if err := c.calledOff(); err != nil {
		return err
	}
	c.busy.Store(false)
	defer c.busy.Store(true)
	if _, err := c.br.Peek(1); err != nil {
		return readError(err)
	}
	c.idle.waiting = false
	c.burst, c.readErr = c.messages.burst()
	if len(c.burst) > 0 {
		return nil
	}
	return c.readErr
}

// peek waits for the next message without taking it. Nothing of what was sent
// need have reached the client: it is flushed when the client asks for it.
func (c *conn) peek() (pgproto3.FrontendMessage, error) {
	if c.ahead == nil {
		m, err := c.receive()
		if err != nil {
			return nil, err
		}
		c.ahead = m
	}
	return c.ahead, nil
}

// idleLimit says how long the client may be silent now, and the error after it.
func (c *conn) idleLimit() (limit time.Duration, timeout error) {
	if c.s.Status() == session.Idle {
		return c.s.Duration("idle_session_timeout"),
			pgerr.New("57P05", "terminating connection due to idle-session timeout")
	}
	return c.s.Duration("idle_in_transaction_session_timeout"),
		pgerr.New("25P03", "terminating connection due to idle-in-transaction timeout")
}

// calledOff is why the client is no longer waited for, nil if it is.
func (c *conn) calledOff() error {
	select {
	case <-c.srv.stop:
		return errShutdown()
	case <-c.s.Ended():
		return c.s.EndReason()
	default:
	}
	if !c.idle.until.IsZero() && !time.Now().Before(c.idle.until) {
		return c.idle.err
	}
	select {
	case <-c.interrupt:
		if c.idle.waiting {
			return errInterrupted
		}
	default:
	}
	return nil
}

// wake makes a read of the client's bytes look whether it is called off.
func (c *conn) wake() { _ = c.nc.SetReadDeadline(time.Unix(1, 0)) }

// guard wakes the connection when the session or the server ends.
func (c *conn) guard(done <-chan struct{}) {
	select {
	case <-c.srv.stop:
	case <-c.s.Ended():
	case <-done:
		return
	}
	c.wake()
}

// wire is what the client sends. After a deadline that called nothing off reading
// goes on, and nothing is lost.
type wire struct{ c *conn }

func (w wire) Read(p []byte) (int, error) {
	c := w.c
	for {
		n, err := c.nc.Read(p)
		if n > 0 || c.s == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		_ = c.nc.SetReadDeadline(c.idle.until) // before the look: a wake after it counts
		if err := c.calledOff(); err != nil {
			return 0, err
		}
	}
}
