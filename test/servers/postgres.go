// Package servers starts the real servers that tests compare against or run on,
// each on a free loopback port in a temporary folder, and stops them. It is
// imported by tests only. A server whose binary is missing makes the test skip
// and say why.
package servers

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresBinEnv names the folder that holds initdb and postgres.
const PostgresBinEnv = "MILLRACE_TEST_POSTGRES_BIN"

// postgresStartMax is how long a fresh server may take to answer.
const postgresStartMax = 30 * time.Second

// Postgres is a running PostgreSQL with an empty database "postgres", superuser
// "postgres", trust on loopback and fsync off.
type Postgres struct {
	Port int
	Dir  string
	// Bin is the folder of the binaries, for tests that also want psql.
	Bin string
	cmd *exec.Cmd
	log *bytes.Buffer
}

// URL returns the connection string of a database on the server.
func (p *Postgres) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", p.Port, url.PathEscape(database))
}

// CreateDatabase makes an empty database and returns its URL.
func (p *Postgres) CreateDatabase(t testing.TB, name string) string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		t.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		t.Fatalf("create database %s: %v", name, err)
	}
	return p.URL(name)
}

// PostgresBin returns the folder of PostgreSQL's server binaries, or "" when
// there is none.
func PostgresBin() string {
	if dir := os.Getenv(PostgresBinEnv); dir != "" {
		return dir
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	found = append(found, "/usr/local/pgsql/bin/postgres", "/opt/homebrew/bin/postgres", "/usr/local/bin/postgres")
	for i := len(found) - 1; i >= 0; i-- {
		if _, err := os.Stat(found[i]); err == nil {
			return filepath.Dir(found[i])
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path)
	}
	return ""
}

// StartPostgres starts a server that lives until the test (or the benchmark)
// ends. It skips the test when PostgreSQL is not installed.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	bin := PostgresBin()
	if bin == "" {
		t.Skipf("PostgreSQL is not installed and %s is not set", PostgresBinEnv)
	}
	p, stop, err := RunPostgres(bin)
	if err != nil {
		t.Fatalf("start PostgreSQL from %s: %v", bin, err)
	}
	t.Cleanup(stop)
	return p
}

// RunPostgres is StartPostgres for TestMain: the caller calls stop.
func RunPostgres(bin string) (p *Postgres, stop func(), err error) {
	dir, err := os.MkdirTemp("", "millrace-postgres-")
	if err != nil {
		return nil, nil, err
	}
	cred, err := unprivileged()
	if err != nil {
		os.RemoveAll(dir)
		return nil, nil, err
	}
	if cred != nil {
		if err := os.Chown(dir, int(cred.Uid), int(cred.Gid)); err != nil {
			return nil, nil, err
		}
	}
	p = &Postgres{Dir: dir, Bin: bin, log: &bytes.Buffer{}}
	stop = func() {
		p.stop()
		os.RemoveAll(dir)
	}
	if err := p.start(cred); err != nil {
		stop()
		return nil, nil, err
	}
	return p, stop, nil
}

// unprivileged returns the account the server runs as: PostgreSQL refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("running as root and there is no user postgres or nobody")
}

func (p *Postgres) start(cred *syscall.Credential) error {
	attr := func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: cred, Pdeathsig: syscall.SIGQUIT}
	}
	data := filepath.Join(p.Dir, "data")
	initdb := exec.Command(filepath.Join(p.Bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	initdb.Dir, initdb.SysProcAttr = p.Dir, attr()
	initdb.Env = append(os.Environ(), "HOME="+p.Dir)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := FreePort()
	if err != nil {
		return err
	}
	p.Port = port
	p.cmd = exec.Command(filepath.Join(p.Bin, "postgres"), "-D", data, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
		"-c", "full_page_writes=off", "-c", "jit=off", "-c", "synchronous_commit=off", "-c", "timezone=UTC",
		"-c", "wal_level=logical", "-c", "shared_buffers=64MB")
	p.cmd.Dir, p.cmd.SysProcAttr = p.Dir, attr()
	p.cmd.Env = append(os.Environ(), "HOME="+p.Dir)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := Launch(p.cmd); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return p.wait()
}

func (p *Postgres) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), postgresStartMax)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *Postgres) stop() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGQUIT) // immediate shutdown: nothing here is worth saving
	done := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
}

// FreePort returns a loopback TCP port that nobody listened on a moment ago.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
