package oracle

import (
	"context"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/test/servers"
)

// testServer is a server as a process of its own, with a connection to it.
type testServer struct {
	*servers.Millrace
	conn *pgx.Conn
}

func newServer(t *testing.T) *testServer {
	t.Helper()
	m, err := servers.NewMillrace(servers.BuildMillrace(t, "../.."), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Kill()
		if t.Failed() {
			t.Logf("the server's output:\n%s", m.Log())
		}
	})
	return &testServer{Millrace: m}
}

// start runs the server, with jobs at this parallelism, and connects to it.
func (s *testServer) start(t *testing.T, parallelism int) {
	t.Helper()
	ctx := context.Background()
	err := s.Start(ctx, "--parallelism", strconv.Itoa(parallelism))
	if err == nil {
		s.conn, err = pgx.Connect(ctx, s.URL())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// kill ends the server at once, without giving it a chance to save anything.
func (s *testServer) kill() {
	_ = s.conn.Close(context.Background())
	s.Kill()
}
