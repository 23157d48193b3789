package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/test/servers"
)

// TestRestoreAfterKills restores a job to older and newer savepoints while its input
// changes and the server is killed again and again: the table that it writes has the
// rows of a view over the same query.
func TestRestoreAfterKills(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	p, err := servers.NewMillrace(servers.BuildMillrace(t, "../.."), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	const query = `SELECT c, count(*), max(v) FROM o GROUP BY c`
	for _, s := range []string{`CREATE TABLE o (id int PRIMARY KEY, c int, v int)`, `CREATE TABLE s (c int PRIMARY KEY, n bigint, m int)`,
		`CREATE JOB e WITH (checkpoint_interval = '20ms') AS INSERT INTO s ` + query, `CREATE MATERIALIZED VIEW v AS ` + query} {
		if _, err := read(ctx, p.URL(), s); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	restored := 0
	for round := range rounds() {
		done := make(chan struct{})
		go func() { // until the server is killed
			defer close(done)
			for n := 0; ; n++ {
				id := r.IntN(12)
				sql := fmt.Sprintf(`INSERT INTO o VALUES (%d, %d, %d) ON CONFLICT (id) DO UPDATE SET c = excluded.c, v = excluded.v`, id, r.IntN(5), n)
				switch r.IntN(6) {
				case 0, 1:
					sql = fmt.Sprintf(`DELETE FROM o WHERE id = %d`, id)
				case 2:
					sql = fmt.Sprintf(`SAVEPOINT JOB e AS sp%d_%d`, round, n)
				case 3:
					names, err := read(ctx, p.URL(), `SELECT name FROM millrace.savepoints`)
					if err != nil {
						return
					}
					if len(names) > 0 {
						sql = fmt.Sprintf(`RESTORE JOB e FROM SAVEPOINT %s`, names[r.IntN(len(names))])
						restored++
					}
				}
				if _, err := read(ctx, p.URL(), sql); err != nil {
					return
				}
			}
		}()
		time.Sleep(time.Duration(100+r.IntN(400)) * time.Millisecond)
		p.Kill()
		<-done
		if err := p.Start(ctx); err != nil {
			t.Fatal(err)
		}
		want(ctx, t, p.URL(), `FLUSH`)
		if w, got := want(ctx, t, p.URL(), `SELECT * FROM v`), want(ctx, t, p.URL(), `SELECT * FROM s`); !slices.Equal(w, got) {
			t.Fatalf("round %d: the table has %q, the view %q", round, got, w)
		}
	}
	t.Logf("restored %d times", restored)
	if restored == 0 {
		t.Error("nothing was ever restored")
	}
}
