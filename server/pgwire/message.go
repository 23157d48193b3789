package pgwire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/millrace/millrace/internal/pgerr"
)

// bodyBytesKept bounds the buffer that stays for the next message.
const bodyBytesKept = 64 << 10

// malformed stands for a message whose frame is sound and whose body is not. It
// spoils one statement: the next message begins where its frame ends.
type malformed struct {
	pgproto3.FrontendMessage
	kind byte
	err  error
}

// messageReader cuts what a client sends after authentication into messages.
// They share its buffer: the fields of a burst are good until the next is read.
type messageReader struct {
	r        *bufio.Reader
	max      int
	buf      []byte // the bodies of the burst
	messages []pgproto3.FrontendMessage
}

// burst waits for a message and returns it with those that have come along: a client
// that binds, describes and executes a statement sends all of that at once, and handing
// messages from one goroutine to another costs more than reading them. Beside
// an error there may be messages that came before it.
func (r *messageReader) burst() ([]pgproto3.FrontendMessage, error) {
	if cap(r.buf) > bodyBytesKept {
		r.buf = nil
	}
	r.buf = r.buf[:0]
	clear(r.messages)
	r.messages = r.messages[:0]
	for len(r.messages) == 0 || r.whole() {
		m, err := r.next()
		if err != nil {
			return r.messages, err
		}
		r.messages = append(r.messages, m)
	}
	return r.messages, nil
}

// whole reports whether the next message can be read without waiting.
func (r *messageReader) whole() bool {
	if r.r.Buffered() < 5 {
		return false
	}
	head, err := r.r.Peek(5)
	return err == nil && r.r.Buffered() > int(int32(binary.BigEndian.Uint32(head[1:])))
}

// next reads one message. An error means that nobody knows where the next one
// would begin, or that nothing more comes.
func (r *messageReader) next() (pgproto3.FrontendMessage, error) {
	var head [5]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return nil, readError(err)
	}
	m := newMessage(head[0])
	if m == nil {
		return nil, pgerr.New(pgerr.ProtocolViolation, "invalid frontend message type %d", head[0])
	}
	n := int(int32(binary.BigEndian.Uint32(head[1:]))) - 4
	switch {
	case n < 0:
		return nil, pgerr.New(pgerr.ProtocolViolation, "invalid message length")
	case n > r.max:
		return nil, pgerr.New(pgerr.ProgramLimitExceeded, "a message of %d bytes exceeds the limit of %d", n, r.max)
	}
	body, err := r.body(n)
	if err != nil {
		return nil, readError(err)
	}
	if err := decodeMessage(m, body); err != nil {
		return &malformed{kind: head[0], err: err}, nil
	}
	return m, nil
}

// body reads n bytes into the buffer, which grows as they come: a header that
// promises much costs nothing.
func (r *messageReader) body(n int) ([]byte, error) {
	start := len(r.buf)
	for len(r.buf) < start+n {
		have := len(r.buf)
		part := min(start+n-have, max(have-start, bodyBytesKept/2))
		r.buf = slices.Grow(r.buf, part)[:have+part]
		if _, err := io.ReadFull(r.r, r.buf[have:]); err != nil {
			return nil, err
		}
	}
	return r.buf[start : start+n : start+n], nil
}

// newMessage is what a message of a kind is decoded into, nil for a kind that no
// client may send here.
func newMessage(kind byte) pgproto3.FrontendMessage {
	switch kind {
	case 'B':
		return &pgproto3.Bind{}
	case 'C':
		return &pgproto3.Close{}
	case 'D':
		return &pgproto3.Describe{}
	case 'E':
		return &pgproto3.Execute{}
	case 'F':
		return &pgproto3.FunctionCall{}
	case 'H':
		return &pgproto3.Flush{}
	case 'P':
		return &pgproto3.Parse{}
	case 'Q':
		return &pgproto3.Query{}
	case 'S':
		return &pgproto3.Sync{}
	case 'X':
		return &pgproto3.Terminate{}
	case 'c':
		return &pgproto3.CopyDone{}
	case 'd':
		return &pgproto3.CopyData{}
	case 'f':
		return &pgproto3.CopyFail{}
	case 'p':
		return &pgproto3.PasswordMessage{}
	}
	return nil
}

// decodeMessage fills m from a body. Texts end at a NUL, so one that holds a NUL
// shows by what is left behind it, which pgproto3 does not mind in a Parse.
func decodeMessage(m pgproto3.FrontendMessage, body []byte) error {
	if _, ok := m.(*pgproto3.Query); ok && bytes.IndexByte(body, 0) < 0 {
		return pgerr.New(pgerr.ProtocolViolation, "invalid string in message")
	}
	err := m.Decode(body)
	names := ""
	switch m := m.(type) {
	case *pgproto3.Parse:
		names = m.Name
		if err == nil && len(m.Name)+len(m.Query)+4+4*len(m.ParameterOIDs) != len(body) {
			err = errors.New("the body goes on after the last parameter type")
		}
	case *pgproto3.Bind:
		names = m.DestinationPortal + m.PreparedStatement
		if err == nil && bindBytes(m) != len(body) {
			err = errors.New("the body goes on after the last result format")
		}
	case *pgproto3.Describe:
		names = m.Name
	case *pgproto3.Close:
		names = m.Name
	case *pgproto3.Execute:
		names = m.Portal
	}
	if err != nil {
		return pgerr.New(pgerr.ProtocolViolation, "invalid message format").Wrap(err)
	}
	if !utf8.ValidString(names) { // which an error may repeat to the client
		return pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"")
	}
	return nil
}

// bindBytes is how long the body of a Bind is that says what m says.
func bindBytes(m *pgproto3.Bind) int {
	n := len(m.DestinationPortal) + len(m.PreparedStatement) + 2 + 2*3 + 2*len(m.ParameterFormatCodes) + 2*len(m.ResultFormatCodes)
	for _, p := range m.Parameters {
		n += 4 + len(p)
	}
	return n
}

// readError tells a connection that ended from one that fails otherwise.
func readError(err error) error {
	var told *pgerr.Error
	if errors.As(err, &told) || errors.Is(err, errInterrupted) {
		return err
	}
	var ne net.Error
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &ne) {
		return errGone
	}
	return pgerr.New(pgerr.ProtocolViolation, "read a message: %s", err.Error()).Wrap(err)
}
