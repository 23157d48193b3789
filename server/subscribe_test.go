package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/test/random"
)

// follower applies a subscription's changes to what it has.
type follower struct {
	rows  map[string]int // row → copies
	epoch int
	err   error
}

// apply takes one line of COPY output.
func (f *follower) apply(line string) error {
	op, rest, _ := strings.Cut(line, "\t")
	at, row, _ := strings.Cut(rest, "\t")
	epoch, err := strconv.Atoi(at)
	if err != nil || epoch < f.epoch {
		return fmt.Errorf("epoch %q after %d", at, f.epoch)
	}
	f.epoch = epoch
	switch op {
	case "progress":
	case "insert", "update_after":
		f.rows[row]++
	case "delete", "update_before":
		f.rows[row]--
		if f.rows[row] < 0 {
			return fmt.Errorf("%s of %q, which is not there", op, row)
		}
		if f.rows[row] == 0 {
			delete(f.rows, row)
		}
	default:
		return fmt.Errorf("op %q", op)
	}
	return nil
}

func (f *follower) String() string {
	var out []string
	for row, n := range f.rows {
		for range n {
			out = append(out, row)
		}
	}
	sort.Strings(out)
	return strings.Join(out, "\n")
}

// follow applies a subscription until it has what want says, at the end of an
// epoch. The connection does not survive that.
func follow(ctx context.Context, conn *pgx.Conn, sql string, want <-chan string, done chan<- error) {
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	ended := make(chan struct{})
	defer func() {
		cancel()
		r.Close()
		<-ended
	}()
	go func() {
		defer close(ended)
		_, err := conn.PgConn().CopyTo(ctx, w, "COPY (SUBSCRIBE TO "+sql+" WITH (progress = true)) TO STDOUT")
		w.CloseWithError(err)
	}()
	f := &follower{rows: map[string]int{}}
	target, known := "", false
	for sc := bufio.NewScanner(r); sc.Scan(); {
		if err := f.apply(sc.Text()); err != nil {
			done <- fmt.Errorf("%s: %w", sql, err)
			return
		}
		if !known {
			select {
			case target = <-want:
				known = true
			default:
			}
		}
		if known && strings.HasPrefix(sc.Text(), "progress") && f.String() == target {
			done <- nil
			return
		}
	}
	done <- fmt.Errorf("%s: the stream ended with\n%s\nwant\n%s", sql, f, target)
}

func lines(ctx context.Context, t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	var b strings.Builder
	if _, err := conn.PgConn().CopyTo(ctx, &b, "COPY ("+sql+") TO STDOUT"); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	list := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	sort.Strings(list)
	return strings.Join(list, "\n")
}

// TestSubscribersReachTheContent changes a table at random while subscribers
// follow views and queries over it: applied in order, the changes lead to what a
// SELECT says, and nothing is taken away that was not there.
func TestSubscribersReachTheContent(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	seed := random.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	conn := start(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec(`CREATE TABLE t (id bigint PRIMARY KEY, k text, v int)`)
	exec(`CREATE MATERIALIZED VIEW keyed AS SELECT k, count(*) AS n, sum(v) AS s, max(v) AS top FROM t GROUP BY k`)
	exec(`CREATE MATERIALIZED VIEW bag AS SELECT k, v % 3 AS m FROM t`)
	relations := []string{"keyed", "bag", "t", "(SELECT k || '!' AS k, n + 1 AS n FROM keyed WHERE n > 1)",
		"(SELECT count(*) AS groups, sum(n) AS rows FROM keyed)", "(SELECT m, count(*) AS n FROM bag GROUP BY m)"}
	change := func() {
		key := rng.IntN(40)
		switch rng.IntN(4) {
		case 0:
			exec(fmt.Sprintf(`DELETE FROM t WHERE id = %d`, key))
		case 1:
			exec(fmt.Sprintf(`UPDATE t SET v = %d, k = NULLIF('k%d', 'k3') WHERE id < %d`, rng.IntN(100), rng.IntN(6), key/4))
		default:
			exec(fmt.Sprintf(`INSERT INTO t VALUES (%d, 'k%d', %d) ON CONFLICT (id) DO UPDATE SET k = excluded.k, v = excluded.v`, key, rng.IntN(6), rng.IntN(100)))
		}
	}
	for range 20 {
		change()
	}
	want := make([]chan string, len(relations))
	done := make(chan error, len(relations))
	for i, sql := range relations {
		other, err := pgx.ConnectConfig(ctx, conn.Config())
		if err != nil {
			t.Fatal(err)
		}
		want[i] = make(chan string, 1)
		go follow(ctx, other, sql, want[i], done)
	}
	for i := range 60 {
		change()
		if i%7 == 0 {
			time.Sleep(40 * time.Millisecond)
		}
	}
	exec(`FLUSH`)
	for i, sql := range relations {
		if !strings.HasPrefix(sql, "(") {
			sql = "(SELECT * FROM " + sql + ")"
		}
		want[i] <- lines(ctx, t, conn, "SELECT * FROM "+sql+" AS x")
	}
	for range relations {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestSubscribeToAFiniteSource ends with its input.
func TestSubscribeToAFiniteSource(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn := start(t)
	if _, err := conn.Exec(ctx, `CREATE SOURCE bid WITH (connector = 'nexmark', stream = 'bid', events = '1000')`); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _, err := conn.PgConn().CopyTo(ctx, &b, `COPY (SUBSCRIBE TO (SELECT count(*) FROM bid)) TO STDOUT`); err != nil {
		t.Fatal(err)
	}
	if all := strings.Split(strings.TrimSpace(b.String()), "\n"); !strings.HasSuffix(all[len(all)-1], "\t920") {
		t.Errorf("the last change is %q, want a count of 920", all[len(all)-1])
	}
}

// TestTheLastEpochEnds tells the end of an epoch that the input ends in, once, however it
// is asked for.
func TestTheLastEpochEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn := start(t)
	for _, sql := range []string{`CREATE SOURCE bid WITH (connector = 'nexmark', stream = 'bid', events = '2000')`, `BEGIN`,
		`DECLARE c CURSOR FOR SUBSCRIBE TO (VALUES (7)) WITH (progress = true)`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	fetched := ""
	for range 2 {
		rows, err := conn.Query(ctx, `FETCH ALL FROM c`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			fetched += strings.ReplaceAll(fmt.Sprintln(rows.Values()), "\n", ";")
		}
	}
	if want := "[insert 1 7] <nil>;[progress 1 <nil>] <nil>;"; fetched != want {
		t.Errorf("the cursor gives %s, want %s", fetched, want)
	}
	for query, want := range map[string]string{`SELECT count(*) FROM bid`: "1840", `SELECT 1 WHERE false`: "", `VALUES (1), (2)`: "1\n2"} {
		var b strings.Builder
		if _, err := conn.PgConn().CopyTo(ctx, &b, `COPY (SUBSCRIBE TO (`+query+`) WITH (progress = true)) TO STDOUT`); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		f, ended := &follower{rows: map[string]int{}}, ""
		for line := range strings.Lines(b.String()) {
			if err := f.apply(strings.TrimSuffix(line, "\n")); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			if strings.HasPrefix(line, "progress") {
				ended = f.String()
			}
		}
		if !strings.Contains(b.String(), "progress") || ended != want || f.String() != want {
			t.Errorf("%s: at its last progress there is %q, want %q; of\n%s", query, ended, want, b.String())
		}
	}
}

// TestSubscribeSkipsTheSnapshot starts from now.
func TestSubscribeSkipsTheSnapshot(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn := start(t)
	for _, sql := range []string{`CREATE TABLE t (id bigint PRIMARY KEY)`, `INSERT INTO t VALUES (1), (2)`, `CREATE MATERIALIZED VIEW m AS SELECT id FROM t`,
		`BEGIN`, `DECLARE v CURSOR FOR SUBSCRIBE TO m WITH (snapshot = false)`, `DECLARE q CURSOR FOR SUBSCRIBE TO t WITH (snapshot = false, progress = true)`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	var op string
	var epoch int64
	var id *int64
	if err := conn.QueryRow(ctx, `FETCH 1 q`).Scan(&op, &epoch, &id); err != nil || op != "progress" || id != nil {
		t.Fatalf("first row of q: %s %d %v, %v", op, epoch, id, err)
	}
	other, err := pgx.ConnectConfig(ctx, conn.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(ctx)
	time.Sleep(200 * time.Millisecond)
	if _, err := other.Exec(ctx, `INSERT INTO t VALUES (3)`); err != nil {
		t.Fatal(err)
	}
	for op = "progress"; op == "progress"; {
		if err := conn.QueryRow(ctx, `FETCH 1 q`).Scan(&op, &epoch, &id); err != nil {
			t.Fatal(err)
		}
	}
	if op != "insert" || id == nil || *id != 3 {
		t.Errorf("q: %s %v, want the insert of 3", op, id)
	}
	if err := conn.QueryRow(ctx, `FETCH 1 v`).Scan(&op, &epoch, &id); err != nil || op != "insert" || id == nil || *id != 3 {
		t.Errorf("v: %s %v, %v, want the insert of 3", op, id, err)
	}
}

// TestSubscriptionsEndWithTheirInput follows a view whose input ends, and a query over
// it, to the end.
func TestSubscriptionsEndWithTheirInput(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn := start(t)
	for _, sql := range []string{
		`CREATE MATERIALIZED VIEW v AS SELECT g, count(*) AS n FROM generate_series(1, 3) g GROUP BY g`,
		`CREATE SOURCE auctions WITH (connector = 'nexmark', stream = 'auction', events = '1000')`,
		`CREATE MATERIALIZED VIEW w AS SELECT count(*) AS n FROM auctions`,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, c := range []struct{ relation, want string }{
		{"v", "1\t1\n2\t1\n3\t1"},
		{"(SELECT g + 1 AS g FROM v)", "2\n3\n4"},
		{"w", "60"},
	} {
		f := &follower{rows: map[string]int{}}
		var b strings.Builder
		if _, err := conn.PgConn().CopyTo(ctx, &b, "COPY (SUBSCRIBE TO "+c.relation+" WITH (progress = true)) TO STDOUT"); err != nil {
			t.Fatalf("%s: %v", c.relation, err)
		}
		for line := range strings.Lines(b.String()) {
			if err := f.apply(strings.TrimSuffix(line, "\n")); err != nil {
				t.Fatalf("%s: %v", c.relation, err)
			}
		}
		if f.String() != c.want {
			t.Fatalf("%s: the changes come to\n%s\nwant\n%s", c.relation, f, c.want)
		}
	}
}
