package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// clientVariable has what a client process is to do. Measurements of latency have
// their clients in processes of their own, as users have: within the server's, they
// would wait for its scheduler twice.
const clientVariable = "MILLRACE_BENCH_CLIENT"

// client is what a client process does: so many requests of a kind, one every so
// often, whether or not the one before was answered in time.
type client struct {
	Kind     string // read, jobs, describe, health, echo; serve: be what echo talks to
	Addr     string
	Requests int
	Every    time.Duration
}

// latencies are percentiles, in microseconds.
type latencies struct{ P50, P99, P999 int64 }

// answered is what a client process measured: from when a request was due, and from
// when it was sent, which is later if the one before was late.
type answered struct{ Due, Service latencies }

// report puts what was measured into a benchmark's line.
func (a answered) report(b *testing.B, prefix string) {
	for name, l := range map[string]latencies{"": a.Due, "-service": a.Service} {
		b.ReportMetric(float64(l.P50), prefix+"p50"+name+"-µs")
		b.ReportMetric(float64(l.P99), prefix+"p99"+name+"-µs")
		b.ReportMetric(float64(l.P999), prefix+"p999"+name+"-µs")
	}
}

// start begins it in a process of its own, which ends with the benchmark or when its
// input does.
func (c client) start(tb testing.TB) (in io.Closer, out *bufio.Reader) {
	tb.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(tb.Context(), os.Args[0], "-test.run=^TestClientProcess$")
	cmd.Env = append(os.Environ(), clientVariable+"="+string(text), "GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // it has told what it had to
	})
	return stdin, bufio.NewReader(stdout)
}

// run does it, and returns what it measured.
func (c client) run(tb testing.TB) answered {
	tb.Helper()
	_, out := c.start(tb)
	line, err := out.ReadString('\n')
	if err != nil {
		tb.Fatalf("client %s: %v", c.Kind, err)
	}
	var a answered
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		tb.Fatalf("client %s: %v: %s", c.Kind, err, line)
	}
	return a
}

// floor is what a request costs that a process without anything to do answers at
// once: nobody can be faster on the machine as it is now.
func floor(tb testing.TB, requests int, every time.Duration) answered {
	tb.Helper()
	in, out := client{Kind: "serve"}.start(tb)
	defer in.Close()
	addr, err := out.ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return client{Kind: "echo", Addr: addr[:len(addr)-1], Requests: requests, Every: every}.run(tb)
}

// TestClientProcess is the main function of a client process.
func TestClientProcess(t *testing.T) {
	text, ok := os.LookupEnv(clientVariable)
	if !ok {
		t.Skip("it is for processes that benchmarks start")
	}
	var c client
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	if c.Kind == "serve" {
		serveEcho(t)
		return
	}
	request, err := c.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := request(0); err != nil { // makes what is made once
		t.Fatal(err)
	}
	due, service := make([]time.Duration, c.Requests), make([]time.Duration, c.Requests)
	for i, at := 0, time.Now(); i < c.Requests; i, at = i+1, at.Add(c.Every) {
		sleep(time.Until(at))
		start := time.Now()
		if err := request(i); err != nil {
			t.Fatal(err)
		}
		due[i], service[i] = time.Since(at), time.Since(start)
	}
	line, err := json.Marshal(answered{percentiles(due), percentiles(service)})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(line))
}

func percentiles(list []time.Duration) latencies {
	slices.Sort(list)
	at := func(perMille int) int64 { return list[(len(list)-1)*perMille/1000].Microseconds() }
	return latencies{at(500), at(990), at(999)}
}

// serveEcho sends back what it gets, until its input ends.
func serveEcho(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		l.Close()
	}()
	fmt.Println(l.Addr())
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		buf := make([]byte, 64)
		for err == nil {
			var n int
			if n, err = nc.Read(buf); err == nil {
				_, err = nc.Write(buf[:n])
			}
		}
		nc.Close()
	}
}

// describeSQL is what psql asks for \d.
const describeSQL = `SELECT n.nspname, c.relname, c.relkind, pg_catalog.pg_get_userbyid(c.relowner)
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r','p','v','m','S','f','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema'
AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1, 2`

// connect returns what makes the client's i-th request and waits for the answer.
func (c client) connect(ctx context.Context) (request func(i int) error, err error) {
	switch c.Kind {
	case "echo":
		nc, err := net.Dial("tcp", c.Addr)
		if err != nil {
			return nil, err
		}
		buf, rw := make([]byte, 32), raw(nc)
		return func(int) error {
			if _, err := rw.Write(buf); err != nil {
				return err
			}
			_, err := io.ReadFull(rw, buf)
			return err
		}, nil
	case "health":
		return func(int) error {
			r, err := http.Get("http://" + c.Addr + "/healthz")
			if err != nil {
				return err
			}
			defer r.Body.Close()
			_, err = io.Copy(io.Discard, r.Body)
			return err
		}, nil
	}
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://millrace@%s/millrace", c.Addr))
	if err != nil {
		return nil, err
	}
	switch c.Kind {
	case "read":
		return readRows(ctx, conn)
	case "jobs":
		return func(int) error { return all(ctx, conn, `SHOW JOBS`) }, nil
	case "describe":
		return func(int) error { return all(ctx, conn, describeSQL) }, nil
	}
	return nil, fmt.Errorf("no kind of client is %q", c.Kind)
}

// all reads the rows of a query; there must be some.
func all(ctx context.Context, conn *pgx.Conn, sql string) error {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return err
	}
	n := 0
	for rows.Next() {
		n++
	}
	if rows.Err() == nil && n == 0 {
		return fmt.Errorf("no rows: %s", sql)
	}
	return rows.Err()
}
