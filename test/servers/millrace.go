package servers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// millraceStartMax is how long a Millrace server may take to answer.
const millraceStartMax = 60 * time.Second

// Millrace is the server under test as a process of its own, so that it can be
// killed for real. It keeps its data folder and its port over restarts.
type Millrace struct {
	Port int

	bin  string
	args []string
	cmd  *exec.Cmd
	dead chan struct{} // closed when the process has ended
	log  logTail
}

// BuildMillrace compiles the server into the test's temporary folder. The
// module's root is the folder root, seen from the test's.
func BuildMillrace(t testing.TB, root string) (bin string) {
	t.Helper()
	bin = filepath.Join(t.TempDir(), "millrace")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/millrace")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	return bin
}

// NewMillrace prepares a server on a free port over a data folder; args are
// further flags. Start runs it.
func NewMillrace(bin, data string, args ...string) (*Millrace, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	return &Millrace{Port: port, bin: bin, args: append([]string{"server",
		"--listen", "127.0.0.1:" + strconv.Itoa(port), "--http", "", "--data", data}, args...)}, nil
}

// URL returns the server's connection string.
func (m *Millrace) URL() string {
	return fmt.Sprintf("postgres://millrace@127.0.0.1:%d/millrace?sslmode=disable", m.Port)
}

// Start runs the server with these flags beside the ones it always has, and
// waits until it answers.
func (m *Millrace) Start(ctx context.Context, args ...string) error {
	m.cmd = exec.Command(m.bin, append(append([]string{}, m.args...), args...)...)
	m.cmd.Env = append(os.Environ(), "GOGC=400") // its heap is small, and processors are scarce
	m.cmd.Stdout, m.cmd.Stderr = &m.log, &m.log
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := Launch(m.cmd); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	dead := make(chan struct{})
	m.dead = dead
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait()
		close(dead)
	}(m.cmd)
	deadline := time.After(millraceStartMax)
	for {
		conn, err := pgx.Connect(ctx, m.URL())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-dead:
			return fmt.Errorf("the server ended: %s; its output:\n%s", m.cmd.ProcessState, m.Log())
		case <-deadline:
			m.Kill()
			return fmt.Errorf("the server did not answer within %s; its output:\n%s", millraceStartMax, m.Log())
		case <-ctx.Done():
			m.Kill()
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Kill ends the server at once, without giving it a chance to save anything.
func (m *Millrace) Kill() {
	if m.cmd == nil || m.cmd.Process == nil {
		return
	}
	_ = m.cmd.Process.Kill()
	<-m.dead
}

// Log returns the end of what the server printed.
func (m *Millrace) Log() string { return m.log.String() }

// logTail keeps the last bytes written to it.
type logTail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// logTailBytesMax bounds what is kept of a server's output.
const logTailBytesMax = 1 << 16

// Write keeps p.
func (l *logTail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > 2*logTailBytesMax {
		l.buf.Next(l.buf.Len() - logTailBytesMax)
	}
	return l.buf.Write(p)
}

// String returns the last 60 lines.
func (l *logTail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(l.buf.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}
