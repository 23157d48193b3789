package pgwire

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgproto3/v2"
)

// A client that goes away ends its statement, over TLS too, and whatever it had sent after
// that.
func TestClientsThatGoAway(t *testing.T) {
	for _, mode := range []string{"disable", "require"} {
		for _, behind := range []string{"", "rows 1"} {
			addr, srv, _ := startFake(t, "secret", selfSigned(t))
			c := connect(t, "postgres://me:secret@"+addr+"/db?sslmode="+mode)
			h, err := c.PgConn().Hijack()
			if err != nil {
				t.Fatal(err)
			}
			out, _ := (&pgproto3.Query{String: "wait"}).Encode(nil)
			if _, err := h.Conn.Write(out); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond) // the server has read it
			if behind != "" {
				out, _ = (&pgproto3.Query{String: behind}).Encode(nil)
				if _, err := h.Conn.Write(out); err != nil {
					t.Fatal(err)
				}
			}
			if raw, ok := h.Conn.(*tls.Conn); ok {
				raw.NetConn().Close() // as when a process is killed
			} else {
				h.Conn.Close()
			}
			for began := time.Now(); srv.Connections() > 0; time.Sleep(time.Millisecond) {
				if time.Since(began) > 5*time.Second {
					t.Fatalf("sslmode %s, %q sent behind: the statement goes on", mode, behind)
				}
			}
		}
	}
}

// A cancelled COPY ends between two messages of the client: what it sends after half of one
// still is the rest of that.
func TestCopyCancelledWithinAMessage(t *testing.T) {
	addr, srv, _ := startFake(t, "", nil)
	c := dialOld(t, addr)
	cancel := func() {
		time.Sleep(20 * time.Millisecond) // the server waits for the next message
		for _, s := range srv.options.Sessions.List() {
			srv.options.Sessions.CancelPID(s.PID)
		}
	}
	c.send(&pgproto3.Query{String: "copyin"})
	if got := c.until('G'); got != "G0" {
		t.Fatal(got)
	}
	data, _ := (&pgproto3.CopyData{Data: []byte("1\ta\n")}).Encode(nil)
	if _, err := c.nc.Write(data[:6]); err != nil {
		t.Fatal(err)
	}
	cancel()
	time.Sleep(20 * time.Millisecond)
	if _, err := c.nc.Write(data[6:]); err != nil {
		t.Fatal(err)
	}
	c.send(&pgproto3.CopyDone{})
	if got := c.until('Z'); got != "E:ERROR/57014@0 Z:I" {
		t.Error(got)
	}
	c.send(&pgproto3.Query{String: "rows 1"})
	if got := c.until('Z'); !strings.HasSuffix(got, "C:SELECT 1 Z:I") {
		t.Error(got)
	}
	// Between two messages it ends at once.
	c.send(&pgproto3.Query{String: "copyin"})
	c.until('G')
	cancel()
	if got := c.until('Z'); got != "E:ERROR/57014@0 Z:I" {
		t.Error(got)
	}
	c.send(&pgproto3.CopyDone{}, &pgproto3.Query{String: "rows 1"})
	if got := c.until('Z'); !strings.HasSuffix(got, "C:SELECT 1 Z:I") {
		t.Error(got)
	}
}

// A client that is silent for too long is told, half of a message or not.
func TestIdleTimeouts(t *testing.T) {
	addr, _, _ := startFake(t, "", nil)
	for _, half := range [][]byte{nil, {'Q', 0, 0}} {
		c := dialOld(t, addr)
		c.send(&pgproto3.Query{String: "set idle_session_timeout = 100"})
		c.until('Z')
		for range 4 { // each statement begins the time anew
			time.Sleep(50 * time.Millisecond)
			c.send(&pgproto3.Query{String: "rows 0"})
			c.until('Z')
		}
		if _, err := c.nc.Write(half); err != nil {
			t.Fatal(err)
		}
		m, err := c.fe.Receive()
		if e, ok := m.(*pgproto3.ErrorResponse); !ok || e.Code != "57P05" {
			t.Errorf("%q sent: %v %v", half, m, err)
		}
	}
}
