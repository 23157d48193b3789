package clients

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/test/servers"
)

// process is the server as its own process, for what only a process can do: be
// refused at the start, be killed, end with an exit code.
type process struct {
	Port, HTTP int
	cmd        *exec.Cmd
	done       chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

// Write takes what the process prints.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

var build struct {
	sync.Once
	dir, bin string
	err      error
}

// builtServer builds the server once for all tests of the package.
func builtServer(t testing.TB) string {
	t.Helper()
	build.Do(func() {
		if build.dir, build.err = os.MkdirTemp("", "millrace-clients-"); build.err != nil {
			return
		}
		build.bin = filepath.Join(build.dir, "millrace")
		out, err := exec.Command("go", "build", "-o", build.bin, "../../cmd/millrace").CombinedOutput()
		if err != nil {
			build.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if build.err != nil {
		t.Fatalf("build the server: %v", build.err)
	}
	return build.bin
}

// launch starts the server without waiting for it; it is killed with the test.
func launch(t testing.TB, data string, env []string, args ...string) *process {
	t.Helper()
	p := &process{done: make(chan struct{})}
	var err error
	if p.Port, err = servers.FreePort(); err == nil {
		p.HTTP, err = servers.FreePort()
	}
	if err != nil {
		t.Fatal(err)
	}
	all := append([]string{"server", "--data", data, "--listen", fmt.Sprintf("127.0.0.1:%d", p.Port), "--http", fmt.Sprintf("127.0.0.1:%d", p.HTTP)}, args...)
	p.cmd = exec.Command(builtServer(t), all...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := servers.Launch(p.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() { p.stop(syscall.SIGKILL) })
	return p
}

// stop sends a signal and waits for the end.
func (p *process) stop(sig os.Signal) int {
	_ = p.cmd.Process.Signal(sig)
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// ended waits for the process to end by itself and returns its exit code.
func (p *process) ended(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		t.Fatalf("the server does not end; it says\n%s", p.output())
		return -1
	}
}

func (p *process) url(rest string) string {
	return fmt.Sprintf("postgres://millrace@127.0.0.1:%d/millrace?%s", p.Port, rest)
}

// ready waits until the server answers /readyz.
func (p *process) ready(t testing.TB) *process {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if code, _ := p.get("/readyz"); code == http.StatusOK {
			return p
		}
		select {
		case <-p.done:
			t.Fatalf("the server ended; it says\n%s", p.output())
		default:
		}
	}
	t.Fatalf("the server is not ready; it says\n%s", p.output())
	return nil
}

// get is a page of the HTTP port.
func (p *process) get(path string) (int, string) {
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", p.HTTP, path))
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(resp.Body)
	return resp.StatusCode, b.String()
}

func (p *process) connect(t testing.TB) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), p.url("sslmode=disable"))
	if err != nil {
		t.Fatalf("%v; the server says\n%s", err, p.output())
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// lastLine is the last thing the process said.
func (p *process) lastLine() string {
	lines := strings.Split(strings.TrimSpace(p.output()), "\n")
	return lines[len(lines)-1]
}
