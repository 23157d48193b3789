package clients

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/test/servers"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if build.dir != "" {
		os.RemoveAll(build.dir)
	}
	os.Exit(code)
}

// TestRefusedStarts: each says in one line what is wrong and exits with 1.
func TestRefusedStarts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	forgetful := httptest.NewServer(http.HandlerFunc(forgetfulBucket))
	defer forgetful.Close()
	for _, c := range []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"an open address without a password", nil, []string{"--listen", "0.0.0.0:0"}, "set MILLRACE_PASSWORD, or listen on a loopback address"},
		{"open HTTP without a password", nil, []string{"--http", "0.0.0.0:0"}, "refusing to listen on 0.0.0.0:0 without a password"},
		{"no address", nil, []string{"--listen", "nonsense"}, `cannot read the address "nonsense"`},
		{"a port in use", nil, []string{"--listen", taken.Addr().String()}, "address already in use"},
		{"a port in use for HTTP", nil, []string{"--http", taken.Addr().String()}, "listen for HTTP"},
		{"a certificate without a key", nil, []string{"--tls-cert", "x"}, "must be given together"},
		{"a certificate that is not there", nil, []string{"--tls-cert", "x", "--tls-key", "y"}, "load the TLS certificate"},
		{"a number that is none", []string{"MILLRACE_PARALLELISM=many"}, nil, `--parallelism takes a number from 0 to 1024, not "many"`},
		{"a log level that is none", nil, []string{"--log-level", "loud"}, `--log-level takes debug, info, warn or error, not "loud"`},
		{"an unknown flag", nil, []string{"--nope"}, "flag provided but not defined: -nope"},
		{"an argument", nil, []string{"extra"}, `unexpected argument "extra"`},
		{"an unknown object store", nil, []string{"--objects", "ftp://x"}, `objects URL "ftp://x"`},
		{"no object store there", nil, []string{"--objects", "s3://bbb?endpoint=http://127.0.0.1:1"}, "connection refused"},
		{"a bucket without conditional writes", []string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"}, []string{"--objects", "s3://bbb?endpoint=" + forgetful.URL}, "in spite of If-None-Match"},
		{"an unknown metadata database", nil, []string{"--metadata", "mysql://x"}, `metadata URL "mysql://x"`},
		{"no metadata database there", nil, []string{"--metadata", "postgres://u:secret@127.0.0.1:1/db"}, "connection refused"},
		{"a folder that cannot be", nil, []string{"--data", "/dev/null/x"}, "make the data folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := launch(t, t.TempDir(), c.env, append(c.args, "--log-level", "error")...)
			if c.name == "a log level that is none" {
				p = launch(t, t.TempDir(), c.env, c.args...)
			}
			if code := p.ended(t); code != 1 {
				t.Errorf("exit code %d", code)
			}
			if got := p.lastLine(); !strings.HasPrefix(got, "millrace: ") || !strings.Contains(got, c.want) || strings.Contains(got, "secret") {
				t.Errorf("it says %q, want %q", p.output(), c.want)
			}
		})
	}
}

// forgetfulBucket takes every write, whatever its conditions.
func forgetfulBucket(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"00000000000000000000000000000000"`)
	if r.URL.Query().Has("location") {
		fmt.Fprint(w, `<?xml version="1.0"?><LocationConstraint>us-east-1</LocationConstraint>`)
	}
}

func TestBucketsThatDoNot(t *testing.T) {
	minio := servers.StartMinIO(t, "there")
	for _, c := range []struct {
		bucket string
		env    []string
		want   string
	}{
		{"missing", minio.Env(), `bucket "missing" does not exist`},
		{"there", []string{"AWS_ACCESS_KEY_ID=wrong", "AWS_SECRET_ACCESS_KEY=wrong", "AWS_REGION=us-east-1"}, "Access Key"},
		{"there", []string{"AWS_ACCESS_KEY_ID=" + servers.MinIOUser, "AWS_SECRET_ACCESS_KEY=wrong", "AWS_REGION=us-east-1"}, "signature"},
	} {
		p := launch(t, t.TempDir(), c.env, "--objects", minio.URL(c.bucket, ""))
		if code := p.ended(t); code != 1 || !strings.HasPrefix(p.lastLine(), "millrace: s3://"+c.bucket) || !strings.Contains(p.lastLine(), c.want) {
			t.Errorf("exit code %d, it says %s", code, p.output())
		}
	}
}

func TestOneServerPerFolder(t *testing.T) {
	dir := t.TempDir()
	launch(t, dir, nil).ready(t)
	second := launch(t, dir, nil)
	if code := second.ended(t); code != 1 || !strings.Contains(second.lastLine(), "another millrace server is using it") {
		t.Errorf("exit code %d, it says %s", code, second.output())
	}
}

func TestNewerMetadataIsRefused(t *testing.T) {
	dir := t.TempDir()
	launch(t, dir, nil).ready(t).stop(syscall.SIGTERM)
	db, err := sql.Open("sqlite", filepath.Join(dir, "metadata.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	p := launch(t, dir, nil)
	if code := p.ended(t); code != 1 || !strings.Contains(p.lastLine(), "the metadata database is newer than this program") {
		t.Errorf("exit code %d, it says %s", code, p.output())
	}
}

// TestInit: the file is one transaction; when it fails the next start tries
// again, and it is run once.
func TestInit(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "init.sql")
	write := func(sql string) {
		if err := os.WriteFile(file, []byte(sql), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("CREATE TABLE t (n int);\n\n-- ü\nINSERT INTO t\n  SELECT nope;\n")
	p := launch(t, dir, nil, "--init", file)
	if code := p.ended(t); code != 1 || p.lastLine() != "millrace: "+file+`:5: column "nope" does not exist (SQLSTATE 42703)` {
		t.Errorf("exit code %d, it says %s", code, p.output())
	}
	write("CREATE TABLE t (n int);\nINSERT INTO t VALUES (1);\nCREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t;\n")
	p = launch(t, dir, nil, "--init", file).ready(t)
	for range 500 { // the file runs while clients may come
		if strings.Contains(p.output(), "Connect from another terminal") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if got := run(p.connect(t), "SELECT n FROM m; DROP TABLE t CASCADE"); got != "(1) SELECT 1 DROP TABLE" {
		t.Error(got)
	}
	if code := p.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d: %s", code, p.output())
	}
	p = launch(t, dir, nil, "--init", file).ready(t)
	if got := run(p.connect(t), "SELECT n FROM m"); got != "!42P01" {
		t.Error("the file was run on an old folder:", got)
	}
}

func TestPassword(t *testing.T) {
	p := launch(t, t.TempDir(), []string{"MILLRACE_PASSWORD=geheim ü"}).ready(t)
	for password, want := range map[string]string{"geheim ü": "", "wrong": "28P01", "": "28P01"} {
		config, err := pgx.ParseConfig(p.url("sslmode=disable"))
		if err != nil {
			t.Fatal(err)
		}
		config.Password = password
		c, err := pgx.ConnectConfig(bg(), config)
		if got := code(err); got != want && (want == "" || !strings.Contains(got, want)) {
			t.Errorf("password %q: %v", password, err)
		}
		if err == nil {
			if got := run(c, "SELECT current_user, current_database()"); got != "(millrace,millrace) SELECT 1" {
				t.Error(got)
			}
			_ = c.Close(bg())
		}
	}
}

// certificate makes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	spec := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "millrace"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP("127.0.0.1")}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, spec, spec, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	p := launch(t, t.TempDir(), []string{"MILLRACE_TLS_CERT=" + cert, "MILLRACE_TLS_KEY=" + key, "MILLRACE_PASSWORD=x"}).ready(t)
	for _, mode := range []string{"verify-full&sslrootcert=" + cert, "require", "disable"} {
		config, err := pgx.ParseConfig(p.url("sslmode=" + mode))
		if err != nil {
			t.Fatal(err)
		}
		config.Password = "x"
		c, err := pgx.ConnectConfig(bg(), config)
		if err != nil {
			t.Errorf("%s: %v", mode, err)
			continue
		}
		if got := run(c, "SELECT 1"); got != "(1) SELECT 1" {
			t.Error(mode, got)
		}
		_ = c.Close(bg())
	}
}

// sample is a line of the Prometheus text format.
var sample = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\.)*",?)*\})? (NaN|[+-]Inf|[-+0-9.eE]+)$`)

func TestHealth(t *testing.T) {
	p := launch(t, t.TempDir(), nil).ready(t)
	c := p.connect(t)
	if got := run(c, "CREATE TABLE t (n int); CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t; INSERT INTO t VALUES (1); FLUSH"); strings.Contains(got, "!") {
		t.Fatal(got)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, body := p.get(path); code != 200 {
			t.Error(path, code, body)
		}
	}
	code, body := p.get("/metrics")
	if code != 200 {
		t.Fatal(code, body)
	}
	helped, typed, own := map[string]bool{}, map[string]bool{}, 0
	for _, line := range strings.Split(strings.TrimSpace(body), "\n") {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "# HELP "):
			if helped[words[2]] {
				t.Error("described twice:", words[2])
			}
			helped[words[2]] = true
		case strings.HasPrefix(line, "# TYPE "):
			typed[words[2]] = true
		case !sample.MatchString(line):
			t.Errorf("not a sample: %q", line)
		default:
			name, _, _ := strings.Cut(strings.Fields(line)[0], "{")
			base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
			if !typed[name] && !typed[base] {
				t.Error("no type:", name)
			}
			if strings.HasPrefix(name, "millrace_") {
				own++
			}
		}
	}
	if own < 5 {
		t.Errorf("only %d metrics of its own:\n%s", own, body)
	}
}

// TestTerminate: with clients connected and a statement running the server takes
// a last checkpoint and ends with 0, soon; nothing is lost.
func TestTerminate(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, dir, nil).ready(t)
	c, busy := p.connect(t), p.connect(t)
	if got := run(c, "CREATE TABLE t (n int); CREATE MATERIALIZED VIEW m WITH (checkpoint_interval = '1h') AS SELECT count(*) AS n FROM t; INSERT INTO t SELECT g FROM generate_series(1, 1000) AS g (g)"); strings.Contains(got, "!") {
		t.Fatal(got)
	}
	told := make(chan string, 1)
	go func() { told <- run(busy, "SELECT pg_sleep(60)") }()
	time.Sleep(200 * time.Millisecond)
	begun := time.Now()
	if code := p.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d: %s", code, p.output())
	}
	if d := time.Since(begun); d > 5*time.Second {
		t.Error("the end took", d)
	}
	if got := <-told; got != "!57P01" {
		t.Error("the client was told", got)
	}
	p = launch(t, dir, nil).ready(t)
	if got := run(p.connect(t), "FLUSH; SELECT n FROM m; SELECT count(*) > 0 FROM millrace.checkpoints WHERE state = 'complete'"); got != "FLUSH (1000) SELECT 1 (t) SELECT 1" {
		t.Error(got)
	}
}

// TestTakeOver: a second server on the same PostgreSQL and bucket waits until the
// first is gone.
func TestTakeOver(t *testing.T) {
	minio := servers.StartMinIO(t, "state")
	url := servers.StartPostgres(t).CreateDatabase(t, "meta")
	env := append(minio.Env(), "MILLRACE_METADATA="+url, "MILLRACE_OBJECTS="+minio.URL("state", "m"))
	first := launch(t, t.TempDir(), env).ready(t)
	if got := run(first.connect(t), "CREATE SOURCE bid WITH (connector = 'nexmark', stream = 'bid', events = 5000); CREATE MATERIALIZED VIEW m WITH (checkpoint_interval = '500ms') AS SELECT count(*) AS n FROM bid; CREATE TABLE t (n int); INSERT INTO t VALUES (1); CREATE MATERIALIZED VIEW of_t AS SELECT * FROM t; FLUSH"); strings.Contains(got, "!") {
		t.Fatal(got)
	}
	second := launch(t, t.TempDir(), env)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if code, body := second.get("/readyz"); code == 503 && strings.Contains(body, "lease") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the second server does not wait: %s", second.output())
		}
	}
	if code, _ := second.get("/healthz"); code != 200 {
		t.Error("a server that waits is not healthy:", code)
	}
	ctx, cancel := context.WithTimeout(bg(), time.Second)
	defer cancel()
	if c, err := pgx.Connect(ctx, second.url("sslmode=disable")); err == nil {
		_ = c.Close(bg())
		t.Error("a server that waits takes clients")
	}
	want := run(first.connect(t), "SELECT n FROM m")
	first.stop(syscall.SIGKILL)
	second.ready(t)
	got := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && got != want; time.Sleep(100 * time.Millisecond) {
		got = run(second.connect(t), "SELECT n FROM m")
	}
	if got != want || !strings.HasSuffix(got, "SELECT 1") {
		t.Errorf("after the take-over the view is %s, before it was %s", got, want)
	}
	// Own tables lie in the first one's folder: that is told, and nobody waits.
	c := second.connect(t)
	for _, sql := range []string{"SELECT * FROM t", "INSERT INTO t VALUES (2)", "UPDATE t SET n = 3"} {
		if got := run(c, sql); got != "!55000" {
			t.Errorf("%s: %s", sql, got)
		}
	}
	_ = run(c, "SET statement_timeout = '10s'")
	if got := run(c, "SELECT * FROM of_t"); !strings.HasPrefix(got, "!55000") && got != "(1) SELECT 1" {
		t.Error(got)
	}
	if code := second.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d: %s", code, second.output())
	}
}
