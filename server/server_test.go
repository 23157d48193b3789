package server_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/server"
)

// start runs a server in a folder of its own until the test ends, and connects to
// it.
func start(t *testing.T) *pgx.Conn {
	t.Helper()
	ctx := context.Background()
	s, err := server.Start(ctx, server.Options{Listen: "127.0.0.1:0", Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(ctx) })
	conn, err := pgx.Connect(ctx, "postgres://millrace@"+s.Addr().String()+"/millrace")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(ctx) })
	return conn
}

// TestLimitOfAnEndlessSource reads the first rows of a stream that never ends.
func TestLimitOfAnEndlessSource(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn := start(t)
	if _, err := conn.Exec(ctx, `CREATE SOURCE bid WITH (connector = 'nexmark', stream = 'bid')`); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]int{
		`SELECT * FROM bid LIMIT 3`:                     3,
		`SELECT auction + 1 FROM bid OFFSET 2 LIMIT 2`:  2,
		`SELECT * FROM bid LIMIT 0`:                     0,
		`SELECT * FROM bid FETCH FIRST 2000 ROWS ONLY`:  2000,
		`SELECT price FROM bid WHERE price > 9 LIMIT 1`: 1,
	} {
		rows, err := conn.Query(ctx, sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		n := 0
		for rows.Next() {
			n++
		}
		if err := rows.Err(); err != nil || n != want {
			t.Errorf("%s: %d rows, %v; want %d", sql, n, err, want)
		}
	}
}
