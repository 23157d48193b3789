package pgwire

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// dialRaw connects and sends data.
func dialRaw(t *testing.T, addr string, data []byte) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := nc.Write(data); err != nil {
		t.Fatal(err)
	}
	return nc
}

// answer reads what the server says first.
func answer(nc net.Conn) string {
	buf := make([]byte, 1024)
	n, err := nc.Read(buf)
	if err != nil {
		return err.Error()
	}
	return string(buf[:n])
}

// TestCrowd has far more clients log in at once than may, beside strangers who connect
// and say nothing: all clients get in.
func TestCrowd(t *testing.T) {
	addr, _, _ := startFakeWith(t, Options{PendingMax: 2})
	for range 20 {
		dialRaw(t, addr, nil)
	}
	var wg sync.WaitGroup
	for range 100 {
		nc := dialRaw(t, addr, nil)
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := nc.Write(startup(3<<16, "user", "me")); err != nil {
				t.Error(err)
			}
			if got := answer(nc); !strings.HasPrefix(got, "R\x00\x00\x00\x08") {
				t.Errorf("a client in the crowd: %q", got)
			}
		}()
	}
	wg.Wait()
}

// TestCrowdOfHalfTalkers has clients in the way that do not finish what they began: those
// behind them are told why they do not get in.
func TestCrowdOfHalfTalkers(t *testing.T) {
	addr, _, _ := startFakeWith(t, Options{PendingMax: 1, StartupTimeout: 500 * time.Millisecond})
	half := startup(3<<16, "user", "me")[:6]
	for range 2 { // the second comes in when the time of the first is over
		dialRaw(t, addr, half)
		time.Sleep(100 * time.Millisecond)
	}
	if got := answer(dialRaw(t, addr, startup(3<<16, "user", "me"))); !strings.Contains(got, "C53300\x00") {
		t.Errorf("a client behind half talkers: %q", got)
	}
	time.Sleep(time.Second)
	if got := answer(dialRaw(t, addr, startup(3<<16, "user", "me"))); !strings.HasPrefix(got, "R") {
		t.Errorf("when they are gone: %q", got)
	}
}

// TestShutdownBesideStrangers does not wait for clients that have not logged in.
func TestShutdownBesideStrangers(t *testing.T) {
	addr, srv, _ := startFakeWith(t, Options{})
	dialRaw(t, addr, nil)
	dialRaw(t, addr, startup(3<<16, "user", "me")[:6])
	for srv.Connections() < 2 {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the shutdown took %s", took)
	}
}

// TestNamesAndTails: names that are no text, which an error would repeat, and what follows
// the end of a Bind, spoil a statement and not the connection.
func TestNamesAndTails(t *testing.T) {
	addr, _, _ := startFake(t, "", nil)
	message := func(kind byte, body string) []byte {
		n := len(body) + 4
		return append([]byte{kind, 0, 0, 0, byte(n)}, body...)
	}
	sync := message('S', "")
	for _, c := range []struct {
		message []byte
		code    string
	}{
		{message('P', "\xff\x00rows 1\x00\x00\x00"), "22021"},
		{message('B', "\xff\x00\x00\x00\x00\x00\x00\x00\x00"), "22021"},
		{message('B', "\x00\xff\x00\x00\x00\x00\x00\x00\x00"), "22021"},
		{message('B', "\x00\x00\x00\x00\x00\x00\x00\x00tail"), "08P01"},
		{message('D', "S\xff\x00"), "22021"},
		{message('E', "\xff\x00\x00\x00\x00\x00"), "22021"},
		{message('C', "P\xff\x00"), "22021"},
	} {
		wire := bytes.Join([][]byte{startup(3<<16, "user", "me"), c.message, sync, message('Q', "rows 1\x00"), message('X', "")}, nil)
		got := string(talk(t, addr, wire))
		_, after, ok := strings.Cut(got, "C"+c.code+"\x00")
		if !ok || !strings.Contains(after, "SELECT 1") {
			t.Errorf("%q: %q", c.message, got)
		}
	}
}
