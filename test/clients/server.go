// Package clients uses a server the way its users do: with psql, pgx,
// database/sql, pgJDBC and hand-made messages, over the wire, and looks at what
// comes back.
package clients

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/server"
)

// shutdownMax bounds the end of a test's server.
const shutdownMax = 20 * time.Second

// start runs a server in this process until the test ends. Options that are not
// given are for a new folder and free ports.
func start(t testing.TB, opt server.Options) *server.Server {
	t.Helper()
	if opt.Listen == "" {
		opt.Listen = "127.0.0.1:0"
	}
	if opt.Data == "" {
		opt.Data = t.TempDir()
	}
	s, err := server.Start(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownMax)
		defer cancel()
		s.Shutdown(ctx)
	})
	return s
}

// address is the host and the port of a server.
func address(s *server.Server) (host, port string) {
	host, port, _ = net.SplitHostPort(s.Addr().String())
	return host, port
}

func urlOf(s *server.Server) string {
	host, port := address(s)
	return fmt.Sprintf("postgres://millrace@%s:%s/millrace?sslmode=disable", host, port)
}

// connect opens a connection that is closed with the test.
func connect(t testing.TB, s *server.Server) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), urlOf(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}
