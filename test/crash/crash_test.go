// Package crash kills a running server with SIGKILL at random moments, over and
// over, and checks at the end that every row was counted exactly once.
package crash

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/nexmark"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/test/random"
	"github.com/millrace/millrace/test/servers"
	"github.com/millrace/millrace/types"
)

// roundLeast and roundMost bound the time between a start and its kill.
const (
	roundLeast = 100 * time.Millisecond
	roundMost  = 1500 * time.Millisecond
)

// events is how many mixed events the job reads; rows per second are chosen so
// that the input lasts for most of the rounds.
const events = 1_000_000

// payments is how many rows are inserted into the own table while the server is
// being killed.
const payments = 2000

func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("MILLRACE_CRASH_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return 5
}

// TestEveryRowOnceAfterKills kills the server again and again while a job
// aggregates a stream into files and views keep aggregates of a stream and of
// an own table, and compares all of it with PostgreSQL.
func TestEveryRowOnceAfterKills(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	pg := servers.StartPostgres(t)
	minio := servers.StartMinIO(t, "millrace")
	rng := random.New(t)
	for _, e := range minio.Env() {
		k, v, _ := strings.Cut(e, "=")
		t.Setenv(k, v)
	}
	p, err := servers.NewMillrace(servers.BuildMillrace(t, "../.."), t.TempDir(), "--objects", minio.URL("millrace", "state"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(ctx, "--parallelism", "2"); err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	n := rounds()
	perSecond := events * 92 / 100 / max(1, n*8/10)
	createAll(ctx, t, p, minio.Endpoint, perSecond)
	writer := newWriter(p)
	go writer.main(ctx)
	var seen history
	for i := range n {
		wait := roundLeast + time.Duration(rng.Int64N(int64(roundMost-roundLeast)))
		time.Sleep(wait)
		seen.look(ctx, t, p)
		p.Kill()
		parallelism := 1 + rng.IntN(3)
		if err := p.Start(ctx, "--parallelism", strconv.Itoa(parallelism)); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
	t.Logf("%d kills done", n)
	seen.check(t, n)
	if err := writer.wait(ctx); err != nil {
		t.Fatal(err)
	}
	waitFinished(ctx, t, p, "files")
	compare(ctx, t, p, pg, minio)
}

// history is what was seen of the job just before each kill: that the kills hit
// something.
type history struct {
	looks       int             // when the server answered
	running     int             // the job had input left
	parallelism map[string]bool // what it ran with
	checkpoint  int64           // the newest
	resumed     int             // starts from a checkpoint
}

func (h *history) look(ctx context.Context, t *testing.T, p *servers.Millrace) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, roundMost)
	defer cancel()
	if apart, err := read(ctx, p.URL(), `SELECT coalesce(sum(n), 0), coalesce(sum(total), 0) FROM (SELECT n, total FROM channels UNION ALL SELECT -n, -total FROM whole) AS q`); err == nil && apart[0] != "0|0" {
		t.Errorf("the tables that one job writes differ by %s", apart[0])
	}
	rows, err := read(ctx, p.URL(), `SELECT j.state, coalesce(j.last_checkpoint, 0),
			(SELECT count(*) FROM millrace.job_events e WHERE e.job_id = j.id AND e.kind = 'started' AND e.message LIKE 'from checkpoint %'),
			(SELECT max(parallelism) FROM millrace.operators o WHERE o.job_id = j.id)
		FROM millrace.jobs j WHERE j.name = 'files'`)
	if err != nil || len(rows) != 1 {
		return // it was not up yet
	}
	f := strings.Split(rows[0], "|")
	h.looks++
	if f[0] == "running" {
		h.running++
	}
	if h.parallelism == nil {
		h.parallelism = map[string]bool{}
	}
	if f[3] != "NULL" {
		h.parallelism[f[3]] = true
	}
	n, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil || n < h.checkpoint {
		t.Errorf("after checkpoint %d the newest is %s", h.checkpoint, f[1])
	}
	h.checkpoint = n
	if h.resumed, err = strconv.Atoi(f[2]); err != nil {
		t.Error(err)
	}
}

// check fails a test that would have passed without a crash to survive.
func (h *history) check(t *testing.T, kills int) {
	t.Helper()
	t.Logf("before %d of %d kills the server answered: the job ran in %d of them, at %d kinds of parallelism, and was resumed from a checkpoint %d times; its newest is %d",
		h.looks, kills, h.running, len(h.parallelism), h.resumed, h.checkpoint)
	if kills < 10 {
		return // too few to say
	}
	if h.running < kills/2 || h.resumed < kills/2 || len(h.parallelism) < 2 {
		t.Errorf("too few kills hit a job in the middle of its work, at different parallelism")
	}
}

func createAll(ctx context.Context, t *testing.T, p *servers.Millrace, endpoint string, perSecond int) {
	t.Helper()
	conn, err := pgx.Connect(ctx, p.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	path := func(dir string) string { return "s3://millrace/" + dir + "?endpoint=" + endpoint }
	for _, sql := range []string{
		fmt.Sprintf(`CREATE SOURCE bid (auction bigint, bidder bigint, price bigint, channel varchar, url varchar,
			date_time timestamp(3), extra varchar, WATERMARK FOR date_time AS date_time - INTERVAL '1' SECOND)
			WITH (connector = 'nexmark', stream = 'bid', events = '%d', event_rate = '20000', rows_per_second = '%d')`, events, perSecond),
		fmt.Sprintf(`CREATE SINK windows (window_start timestamp(3), auction bigint, n bigint, total numeric, top bigint)
			WITH (connector = 'object', path = '%s', format = 'json')`, path("windows")),
		fmt.Sprintf(`CREATE SINK totals (channel varchar, n bigint, total numeric, least bigint)
			WITH (connector = 'object', path = '%s', format = 'json')`, path("totals")),
		`CREATE TABLE payment (id bigint PRIMARY KEY, customer bigint NOT NULL, amount numeric(12,2))`,
		`CREATE TABLE channels (channel varchar PRIMARY KEY, n bigint, total numeric)`,
		`CREATE TABLE whole (n bigint, total numeric)`,
		`CREATE MATERIALIZED VIEW bidders WITH (checkpoint_interval = '400ms') AS
			SELECT bidder, count(*) AS n, sum(price) AS total, max(price) AS top FROM bid GROUP BY bidder`,
		`CREATE MATERIALIZED VIEW customers WITH (checkpoint_interval = '300ms') AS
			SELECT customer, count(*) AS n, sum(amount) AS total, min(amount) AS least FROM payment GROUP BY customer`,
		`CREATE JOB files WITH (checkpoint_interval = '300ms') AS BEGIN
			INSERT INTO windows SELECT window_start, auction, count(*), sum(price), max(price)
				FROM TUMBLE(bid, date_time, INTERVAL '2' SECOND) GROUP BY window_start, window_end, auction;
			INSERT INTO totals SELECT channel, count(*), sum(price), min(price) FROM bid GROUP BY channel;
			INSERT INTO channels SELECT channel, count(*), sum(price) FROM bid GROUP BY channel;
			INSERT INTO whole SELECT count(*), sum(price) FROM bid;
		END`,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// writer inserts payments, each until it was acknowledged, whatever happens to
// the server meanwhile.
type writer struct {
	p    *servers.Millrace
	done chan error
}

func newWriter(p *servers.Millrace) *writer { return &writer{p: p, done: make(chan error, 1)} }

func (w *writer) main(ctx context.Context) {
	var conn *pgx.Conn
	for id := 0; id < payments && ctx.Err() == nil; {
		if conn == nil {
			c, err := pgx.Connect(ctx, w.p.URL())
			if err != nil {
				time.Sleep(20 * time.Millisecond)
				continue
			}
			conn = c
		}
		// The insert is repeated until it is acknowledged: DO NOTHING makes
		// that harmless.
		_, err := conn.Exec(ctx, "INSERT INTO payment VALUES ($1, $2, $3::numeric) ON CONFLICT (id) DO NOTHING",
			id, id%17, fmt.Sprintf("%d.%02d", id*7%1000, id%100))
		if err != nil {
			conn.Close(ctx)
			conn = nil
			continue
		}
		id++
		time.Sleep(5 * time.Millisecond)
	}
	w.done <- ctx.Err()
}

func (w *writer) wait(ctx context.Context) error {
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func waitFinished(ctx context.Context, t *testing.T, p *servers.Millrace, job string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		rows, err := read(ctx, p.URL(), "SELECT state FROM millrace.jobs WHERE name = '"+job+"'")
		if err == nil && len(rows) == 1 && rows[0] == "finished" {
			return
		}
	}
	jobs, _ := read(ctx, p.URL(), "SELECT name, state, failure FROM millrace.jobs")
	t.Fatalf("job %s did not finish; jobs: %v; server:\n%s", job, jobs, p.Log())
}

// read returns the rows as lines of text.
func read(ctx context.Context, url, sql string) ([]string, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var vals []string
		for _, v := range rows.RawValues() {
			if v == nil {
				v = []byte("NULL")
			}
			vals = append(vals, string(v))
		}
		out = append(out, strings.Join(vals, "|"))
	}
	sort.Strings(out)
	return out, rows.Err()
}

func compare(ctx context.Context, t *testing.T, p *servers.Millrace, pg *servers.Postgres, minio *servers.MinIO) {
	t.Helper()
	url := pg.CreateDatabase(t, "oracle")
	loadOracle(ctx, t, url)
	flush(ctx, t, p)
	same(t, "view bidders", want(ctx, t, url, `SELECT bidder, count(*), sum(price), max(price) FROM bid GROUP BY bidder`),
		want(ctx, t, p.URL(), `SELECT * FROM bidders`))
	same(t, "view customers", want(ctx, t, url, `SELECT customer, count(*), sum(amount), min(amount) FROM payment GROUP BY customer`),
		want(ctx, t, p.URL(), `SELECT * FROM customers`))
	same(t, "table channels", want(ctx, t, url, `SELECT channel, count(*), sum(price) FROM bid GROUP BY channel`),
		want(ctx, t, p.URL(), `SELECT * FROM channels`))
	same(t, "table whole", want(ctx, t, url, `SELECT count(*), sum(price) FROM bid`), want(ctx, t, p.URL(), `SELECT * FROM whole`))
	same(t, "files of windows", want(ctx, t, url, `SELECT auction, count(*), max(price), sum(price),
			date_bin('2 seconds', date_time, '1970-01-01') FROM bid GROUP BY date_bin('2 seconds', date_time, '1970-01-01'), auction`),
		files(ctx, t, minio, "windows", []string{"auction", "n", "top", "total", "window_start"}))
	same(t, "files of totals", want(ctx, t, url, `SELECT channel, min(price), count(*), sum(price) FROM bid GROUP BY channel`),
		files(ctx, t, minio, "totals", []string{"channel", "least", "n", "total"}))
}

func want(ctx context.Context, t *testing.T, url, sql string) []string {
	t.Helper()
	rows, err := read(ctx, url, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

func flush(ctx context.Context, t *testing.T, p *servers.Millrace) {
	t.Helper()
	conn, err := pgx.Connect(ctx, p.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "FLUSH"); err != nil {
		t.Fatalf("FLUSH: %v", err)
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		rows, err := read(ctx, p.URL(), `SELECT coalesce(sum(n), 0) FROM bidders`)
		if err == nil && rows[0] == strconv.Itoa(events*92/100) {
			return
		}
	}
	t.Log("the view has not seen every bid")
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("%s: nothing to compare", what)
	}
	var missing, extra []string
	count := map[string]int{}
	for _, w := range want {
		count[w]++
	}
	for _, g := range got {
		if count[g]--; count[g] < 0 {
			extra = append(extra, g)
		}
	}
	for w, n := range count {
		if n > 0 {
			missing = append(missing, w)
		}
	}
	sort.Strings(missing)
	if len(missing)+len(extra) > 0 {
		t.Errorf("%s: %d rows expected, %d seen; missing %d %v; extra %d %v", what, len(want), len(got),
			len(missing), missing[:min(5, len(missing))], len(extra), extra[:min(5, len(extra))])
		return
	}
	t.Logf("%s: %d rows, all as PostgreSQL says", what, len(want))
}

// files adds up what the visible files of a sink say: plain rows, or changes
// with an op each.
func files(ctx context.Context, t *testing.T, minio *servers.MinIO, dir string, columns []string) []string {
	t.Helper()
	store, err := object.Open(ctx, minio.URL("millrace", dir))
	if err != nil {
		t.Fatal(err)
	}
	list, err := store.List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, info := range list {
		if !strings.HasPrefix(info.Name, "part-") {
			continue
		}
		data, _, err := store.Get(ctx, info.Name)
		if err != nil {
			t.Fatal(err)
		}
		for sc := bufio.NewScanner(bytes.NewReader(data)); sc.Scan(); {
			var row map[string]json.RawMessage
			if err := json.Unmarshal(sc.Bytes(), &row); err != nil {
				t.Fatalf("%s: %v: %s", info.Name, err, sc.Text())
			}
			var vals []string
			for _, c := range columns {
				vals = append(vals, strings.Replace(strings.Trim(string(row[c]), `"`), "T", " ", 1))
			}
			key := strings.Join(vals, "|")
			switch strings.Trim(string(row["op"]), `"`) {
			case "delete", "update_before":
				count[key]--
			default:
				count[key]++
			}
		}
	}
	var out []string
	for k, n := range count {
		if n < 0 {
			t.Errorf("files of %s take back a row that was not there: %s", dir, k)
		}
		for range n {
			out = append(out, k)
		}
	}
	sort.Strings(out)
	return out
}

// loadOracle gives PostgreSQL the same input.
func loadOracle(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `CREATE TABLE bid (auction bigint, bidder bigint, price bigint, channel varchar, date_time timestamp(3));
		CREATE TABLE payment (id bigint PRIMARY KEY, customer bigint, amount numeric(12,2))`); err != nil {
		t.Fatal(err)
	}
	bids := &bidRows{ctx: ctx, t: t}
	bids.open()
	if _, err := conn.CopyFrom(ctx, pgx.Identifier{"bid"}, []string{"auction", "bidder", "price", "channel", "date_time"}, bids); err != nil {
		t.Fatal(err)
	}
	for id := range payments {
		if _, err := conn.Exec(ctx, "INSERT INTO payment VALUES ($1, $2, $3::numeric)", id, id%17, fmt.Sprintf("%d.%02d", id*7%1000, id%100)); err != nil {
			t.Fatal(err)
		}
	}
}

// bidRows feeds the generator's bids to COPY.
type bidRows struct {
	ctx    context.Context
	t      *testing.T
	source connector.Source
	splits []connector.Split
	reader connector.Reader
	out    *batch.Batch
	at     int
}

func (b *bidRows) open() {
	kind := nexmark.Kind()
	spec := connector.Spec{Relation: "bid", Options: map[string]string{"stream": "bid", "events": strconv.Itoa(events), "event_rate": "20000"}}
	probe, err := kind.NewSource(b.ctx, spec, connector.Env{})
	if err != nil {
		b.t.Fatal(err)
	}
	spec.Columns = probe.Schema()
	if b.source, err = kind.NewSource(b.ctx, spec, connector.Env{}); err != nil {
		b.t.Fatal(err)
	}
	if b.splits, err = b.source.Splits(b.ctx); err != nil {
		b.t.Fatal(err)
	}
	b.out = batch.New([]types.Phys{types.PhysInt, types.PhysInt, types.PhysInt, types.PhysBytes, types.PhysInt}, 0)
	b.at = -1
}

// Next implements pgx.CopyFromSource.
func (b *bidRows) Next() bool {
	b.at++
	for b.at >= b.out.N {
		if b.reader == nil {
			if len(b.splits) == 0 {
				return false
			}
			r, err := b.source.Open(b.ctx, b.splits[0], nil, []int{0, 1, 2, 3, 5})
			if err != nil {
				b.t.Fatal(err)
			}
			b.reader, b.splits = r, b.splits[1:]
		}
		b.out.Reset()
		status, err := b.reader.Read(b.ctx, b.out, 1024)
		if err != nil {
			b.t.Fatal(err)
		}
		if status == connector.End {
			b.reader.Close()
			b.reader = nil
		}
		b.at = 0
	}
	return true
}

// Values implements pgx.CopyFromSource.
func (b *bidRows) Values() ([]any, error) {
	c, i := b.out.Cols, b.at
	return []any{c[0].Int[i], c[1].Int[i], c[2].Int[i], strings.Clone(c[3].Str(i)), time.UnixMicro(c[4].Int[i]).UTC()}, nil
}

// Err implements pgx.CopyFromSource.
func (b *bidRows) Err() error { return nil }
