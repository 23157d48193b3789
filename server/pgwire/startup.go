package pgwire

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sort"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/server/session"
)

// Limits before a client is known: PostgreSQL's own.
const (
	startupBytesMax  = 10000
	passwordBytesMax = 10000
)

// Codes in the place of the protocol version.
const (
	cancelCode = 80877102
	sslCode    = 80877103
	gssCode    = 80877104
)

// minorNewest is the newest 3.x protocol that is spoken.
const minorNewest = 2

// hello is what a client's startup message says.
type hello struct {
	minor        uint32
	params       map[string]string
	unrecognized []string // protocol options we do not know
}

// errSilent ends a connection without a word.
var errSilent = errors.New("connection ended during startup")

// handle runs a connection from its first byte to its last.
func (s *Server) handle(nc net.Conn) {
	c, err := s.login(nc)
	if c == nil {
		if err != nil && !errors.Is(err, errSilent) {
			s.options.Logger.Debug("login failed", "remote", nc.RemoteAddr().String(), "error", err)
		}
		return
	}
	defer s.options.Sessions.Close(c.s)
	c.run()
}

// login takes a connection through startup and authentication. Nothing but
// startup packets, password messages and Terminate is read here.
func (s *Server) login(nc net.Conn) (*conn, error) {
	_ = nc.SetDeadline(time.Now().Add(s.options.StartupTimeout))
	first, err := s.enter(nc)
	if err != nil {
		return nil, err
	}
	defer func() { <-s.pending }()
	_ = nc.SetDeadline(time.Now().Add(s.options.StartupTimeout))
	c := newConn(s, nc)
	h, err := c.startup(first)
	if err == nil {
		err = c.authenticate()
	}
	if err == nil {
		err = c.open(h)
	}
	if err != nil {
		if !errors.Is(err, errSilent) {
			c.refuse(err)
		}
		c.cancel(err)
		return nil, err
	}
	_ = c.nc.SetDeadline(time.Time{})
	s.mu.Lock()
	s.conns[nc] = true
	s.mu.Unlock()
	return c, nil
}

// enter waits for the first word of a client, then for a place among those that log
// in: a crowd comes in one after the other, and those that say nothing keep nobody out.
func (s *Server) enter(nc net.Conn) (first [4]byte, err error) {
	if _, err := io.ReadFull(nc, first[:]); err != nil {
		return first, errSilent
	}
	wait := time.NewTimer(s.options.StartupTimeout)
	defer wait.Stop()
	select {
	case s.pending <- struct{}{}:
		return first, nil
	case <-s.stop:
		return first, errShutdown()
	case <-wait.C:
		err := pgerr.New(pgerr.TooManyConnections, "sorry, too many clients log in at once")
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		if out, e := errorResponse("FATAL", err, "", 0).Encode(nil); e == nil {
			_, _ = nc.Write(out)
		}
		return first, err
	}
}

// refuse tells why there will be no session.
func (c *conn) refuse(err error) {
	c.writeError("FATAL", pgerr.From(err), "", 0)
	_ = c.flush()
	if tc, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = tc.CloseWrite()
	}
}

// startup answers what may come before the startup message and reads that.
// The first packet's length is read already.
func (c *conn) startup(head [4]byte) (hello, error) {
	for ssl, gss, more := false, false, false; ; more = true {
		if more {
			if _, err := io.ReadFull(c.br, head[:]); err != nil {
				return hello{}, errSilent
			}
		}
		body, err := c.readStartupPacket(head)
		if err != nil {
			return hello{}, err
		}
		code := binary.BigEndian.Uint32(body)
		switch {
		case code == cancelCode:
			c.cancelRequest(body)
			return hello{}, errSilent
		case code == sslCode && !ssl:
			ssl = true
			if err := c.answerSSL(); err != nil {
				return hello{}, err
			}
		case code == gssCode && !gss:
			gss = true
			if _, err := c.nc.Write([]byte{'N'}); err != nil {
				return hello{}, errSilent
			}
		case code>>16 == 3:
			return parseHello(code&0xffff, body[4:])
		default:
			return hello{}, pgerr.New(pgerr.FeatureNotSupported, "unsupported frontend protocol %d.%d: server supports 3.0 to 3.%d", code>>16, code&0xffff, minorNewest)
		}
	}
}

// readStartupPacket reads a packet that has no type byte and begins with its length.
func (c *conn) readStartupPacket(head [4]byte) ([]byte, error) {
	n := int64(binary.BigEndian.Uint32(head[:])) - 4
	if n < 4 || n > startupBytesMax {
		return nil, pgerr.New(pgerr.ProtocolViolation, "invalid length of startup packet")
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.br, body); err != nil {
		return nil, errSilent
	}
	return body, nil
}

// answerSSL turns to TLS if it is configured.
func (c *conn) answerSSL() error {
	config := c.srv.options.TLS
	if config == nil {
		if _, err := c.nc.Write([]byte{'N'}); err != nil {
			return errSilent
		}
		return nil
	}
	if c.br.Buffered() > 0 {
		// What was sent in the clear must not count as if it had been encrypted.
		return pgerr.New(pgerr.ProtocolViolation, "received unencrypted data after SSL request")
	}
	if _, err := c.nc.Write([]byte{'S'}); err != nil {
		return errSilent
	}
	tc := tls.Server(c.nc, config)
	if err := tc.Handshake(); err != nil {
		return errSilent
	}
	c.nc = tc
	return nil
}

// cancelRequest interrupts a statement of another connection. The client gets
// no answer, whether the key was right or not.
func (c *conn) cancelRequest(body []byte) {
	var m pgproto3.CancelRequest
	if err := m.Decode(body); err == nil {
		c.srv.options.Sessions.Cancel(m.ProcessID, m.SecretKey)
	}
}

func parseHello(minor uint32, body []byte) (hello, error) {
	h := hello{minor: min(minor, minorNewest), params: map[string]string{}}
	fields := strings.Split(string(body), "\x00")
	// name, value, …, "" and what follows the last terminator
	for i := 0; ; i += 2 {
		if i >= len(fields)-1 {
			return h, pgerr.New(pgerr.ProtocolViolation, "invalid startup packet layout: expected terminator as last byte")
		}
		if fields[i] == "" {
			break
		}
		if i+1 >= len(fields)-1 {
			return h, pgerr.New(pgerr.ProtocolViolation, "invalid startup packet layout: expected terminator as last byte")
		}
		if strings.HasPrefix(fields[i], "_pq_.") {
			h.unrecognized = append(h.unrecognized, fields[i])
			continue
		}
		h.params[fields[i]] = fields[i+1]
	}
	sort.Strings(h.unrecognized)
	if minor > minorNewest || minor == 1 || len(h.unrecognized) > 0 {
		if minor == 1 {
			h.minor = 0
		}
		h.unrecognized = append([]string{}, h.unrecognized...) // not nil: negotiate
	}
	return h, nil
}

// open begins the session and greets the client.
func (c *conn) open(h hello) error {
	o := c.srv.options
	if h.params["user"] == "" {
		return pgerr.New(pgerr.InvalidAuthorization, "no PostgreSQL user name specified in startup packet")
	}
	if r := strings.ToLower(h.params["replication"]); r != "" && r != "false" && r != "off" && r != "no" && r != "0" {
		return pgerr.New(pgerr.FeatureNotSupported, "replication connections are not supported").Hint("SUBSCRIBE TO a view sends its changes.")
	}
	settings, err := parseOptions(h.params["options"])
	if err != nil {
		return err
	}
	for name, v := range h.params {
		switch name {
		case "user", "database", "options", "replication":
		default:
			settings[name] = v
		}
	}
	start := session.Start{User: o.User, Database: o.Database, Remote: c.nc.RemoteAddr().String(), Settings: settings}
	if encrypted, ok := c.nc.(*tls.Conn); ok {
		state := encrypted.ConnectionState()
		start.TLS = &state
	}
	if h.minor >= 2 {
		start.SecretLen = 32
	}
	if c.s, err = o.Sessions.Open(start, c); err != nil {
		return err
	}
	if h.unrecognized != nil {
		// The answer belongs before AuthenticationOk.
		c.send(&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: h.minor, UnrecognizedOptions: h.unrecognized})
	}
	c.send(&pgproto3.AuthenticationOk{})
	reported := c.s.Reported()
	names := make([]string, 0, len(reported))
	for name := range reported {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		c.ParameterStatus(name, reported[name])
	}
	c.send(&pgproto3.BackendKeyData{ProcessID: c.s.PID, SecretKey: c.s.Secret()})
	c.ready()
	return c.flush()
}

// parseOptions reads the startup message's options: -c name=value and
// --name=value, with backslashes before blanks.
func parseOptions(text string) (map[string]string, error) {
	out := map[string]string{}
	words := splitWords(text)
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "-c"):
			w = w[2:]
		case strings.HasPrefix(w, "--"):
			w = w[2:]
		default:
			return nil, pgerr.New(pgerr.SyntaxError, "invalid command-line argument for server process: %s", w)
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, pgerr.New(pgerr.SyntaxError, "-c %s requires a value", w)
		}
		out[strings.ReplaceAll(name, "-", "_")] = value
	}
	return out, nil
}

func splitWords(text string) []string {
	var words []string
	var b strings.Builder
	in := false
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case ch == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
			in = true
		case ch == ' ' || ch == '\t' || ch == '\n':
			if in {
				words = append(words, b.String())
				b.Reset()
				in = false
			}
		default:
			b.WriteByte(ch)
			in = true
		}
	}
	if in {
		words = append(words, b.String())
	}
	return words
}

// readPassword reads the one message that is allowed during authentication.
func (c *conn) readPassword() ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(c.br, head[:]); err != nil {
		return nil, errSilent
	}
	n := int64(binary.BigEndian.Uint32(head[1:])) - 4
	switch {
	case head[0] == 'X':
		return nil, errSilent
	case head[0] != 'p':
		return nil, pgerr.New(pgerr.ProtocolViolation, "expected a password response, got message type %q", head[0])
	case n < 0 || n > passwordBytesMax:
		return nil, pgerr.New(pgerr.ProtocolViolation, "invalid length of a password message: %d", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.br, body); err != nil {
		return nil, errSilent
	}
	return body, nil
}

// newConn prepares a connection whose client has not said anything yet.
func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, nc: nc}
	c.br = bufio.NewReaderSize(wire{c}, readBufferBytes)
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c
}

// authenticate proves that the client may come in.
func (c *conn) authenticate() error {
	if c.srv.scram != nil {
		return c.authenticateSCRAM()
	}
	if !loopback(c.nc.RemoteAddr()) {
		return pgerr.New(pgerr.InvalidAuthorization, "no password is configured, so only clients on the same machine are let in")
	}
	return nil
}
