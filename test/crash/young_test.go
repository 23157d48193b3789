package crash

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/test/servers"
)

// A view shows what it has computed from versions of rows that its tables do not have
// any more. It does so however soon the server dies after it was made.
func TestYoungViewKeepsWhatItHasShown(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	p, err := servers.NewMillrace(servers.BuildMillrace(t, "../.."), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(ctx, "--parallelism", "2"); err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	run := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := read(ctx, p.URL(), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	run(`CREATE TABLE orders (id int, k int, ts timestamp, WATERMARK FOR ts AS ts) APPEND ONLY`,
		`CREATE TABLE rates (k int PRIMARY KEY, rate int, ts timestamp, WATERMARK FOR ts AS ts)`,
		`INSERT INTO rates VALUES (1, 10, '2024-01-01 00:00:00')`,
		`CREATE MATERIALIZED VIEW priced AS SELECT o.id, r.rate FROM orders o LEFT JOIN rates FOR SYSTEM_TIME AS OF o.ts r ON o.k = r.k`)
	shown := func() []string {
		t.Helper()
		run(`FLUSH`)
		rows, err := read(ctx, p.URL(), `SELECT * FROM priced`)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	run(`INSERT INTO orders VALUES (1, 1, '2024-01-01 00:00:05')`)
	shown()
	run(`UPDATE rates SET rate = 20, ts = '2024-01-01 00:01:00'`)
	shown()
	run(`INSERT INTO orders VALUES (2, 1, '2024-01-01 00:01:30')`)
	shown()
	run(`UPDATE rates SET rate = 30, ts = '2024-01-01 00:02:00'`, `INSERT INTO orders VALUES (3, 1, '2024-01-01 00:03:00')`)
	before := shown()
	if want := []string{"1|10", "2|20"}; !slices.Equal(before, want) {
		t.Fatalf("the view shows %q, want %q", before, want)
	}
	p.Kill()
	if err := p.Start(ctx, "--parallelism", "3"); err != nil {
		t.Fatal(err)
	}
	if after := shown(); !slices.Equal(after, before) {
		t.Errorf("after a crash the view shows %q, it had shown %q", after, before)
	}
}
