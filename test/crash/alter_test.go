package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/test/servers"
)

// TestAlterTableAfterKills alters a table and writes to it while the server is killed
// again and again: the table has the columns of the last ALTER that was told done, or
// of the one under way, and all rows that were told done, with the values that they
// had in the columns that are left.
func TestAlterTableAfterKills(t *testing.T) {
	binary := servers.BuildMillrace(t, "../..")
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	p, err := servers.NewMillrace(binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	if _, err := read(ctx, p.URL(), `CREATE TABLE t (id int PRIMARY KEY, c0 int)`); err != nil {
		t.Fatal(err)
	}
	seed := random.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	column, id := 0, 0 // the newest that are certain
	for range rounds() {
		done := make(chan struct{})
		var told, rows int
		go func() { // until the server is killed
			defer close(done)
			for n := column + 1; ; n++ {
				if _, err := read(ctx, p.URL(), fmt.Sprintf(`INSERT INTO t VALUES (%d, %d)`, id+rows+1, id+rows+1)); err != nil {
					return
				}
				rows++
				alter := fmt.Sprintf(`ALTER TABLE t RENAME COLUMN c%d TO c%d`, n-1, n)
				if n%2 == 0 { // the columns before are dropped, and added anew with what they had
					alter = fmt.Sprintf(`BEGIN; ALTER TABLE t ADD COLUMN c%d int; UPDATE t SET c%d = c%d; ALTER TABLE t DROP COLUMN c%d; COMMIT`, n, n, n-1, n-1)
				}
				if _, err := read(ctx, p.URL(), alter); err != nil {
					return
				}
				told = n
			}
		}()
		time.Sleep(time.Duration(20+r.IntN(300)) * time.Millisecond)
		p.Kill()
		<-done
		if err := p.Start(ctx); err != nil {
			t.Fatal(err)
		}
		names := want(ctx, t, p.URL(), `SELECT column_name FROM information_schema.columns WHERE table_name = 't' AND column_name <> 'id'`)
		found := -1
		if len(names) == 1 {
			fmt.Sscanf(names[0], "c%d", &found)
		}
		if told = max(told, column); found != told && found != told+1 {
			t.Fatalf("after ALTER number %d the table has the columns %q", told, names)
		}
		got := want(ctx, t, p.URL(), fmt.Sprintf(`SELECT count(*), min(id), max(id), count(*) FILTER (WHERE c%d = id) FROM t`, found))
		certain := id + rows
		if possible := []string{fmt.Sprintf("%d|1|%d|%d", certain, certain, certain), fmt.Sprintf("%d|1|%d|%d", certain+1, certain+1, certain+1)}; certain > 0 &&
			(len(got) != 1 || got[0] != possible[0] && got[0] != possible[1]) {
			t.Fatalf("after %d rows the table has %q", certain, got)
		}
		fmt.Sscanf(strings.Split(got[0], "|")[0], "%d", &id)
		column = found
	}
	t.Logf("%d rows and %d ALTERs were carried out", id, column)
	if column == 0 {
		t.Error("no ALTER was ever carried out")
	}
}
