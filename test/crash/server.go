// Package crash kills a running server with SIGKILL at random moments, over and
// over, and checks at the end that every row was counted exactly once.
package crash

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/test/servers"
)

// startMax is how long a server may take to answer after a start.
const startMax = 60 * time.Second

// process is a millrace server as a process of its own.
type process struct {
	bin  string
	args []string
	env  []string
	port int
	cmd  *exec.Cmd
	log  bytes.Buffer
}

// buildServer compiles the server once for the test.
func buildServer(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "millrace")
	cmd := exec.Command("go", "build", "-o", bin, "../../cmd/millrace")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	return bin
}

func newProcess(t *testing.T, bin, data, objects string, env []string) *process {
	t.Helper()
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	http, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return &process{bin: bin, port: port, env: env, args: []string{"server",
		"--listen", "127.0.0.1:" + strconv.Itoa(port), "--http", "127.0.0.1:" + strconv.Itoa(http),
		"--data", data, "--objects", objects}}
}

// start runs the server with jobs at this parallelism and waits until it
// answers.
func (p *process) start(ctx context.Context, parallelism int) error {
	p.cmd = exec.Command(p.bin, p.args...)
	p.cmd.Env = append(append(os.Environ(), p.env...), "MILLRACE_PARALLELISM="+strconv.Itoa(parallelism))
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(startMax); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(ctx, p.url())
		if err == nil {
			return conn.Close(ctx)
		}
		if p.cmd.ProcessState != nil {
			break
		}
	}
	return fmt.Errorf("the server did not answer within %s; its output:\n%s", startMax, p.tail())
}

func (p *process) url() string {
	return fmt.Sprintf("postgres://millrace@127.0.0.1:%d/millrace?sslmode=disable", p.port)
}

// kill ends the server at once, without giving it a chance to save anything.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// tail is the end of what the server printed.
func (p *process) tail() string {
	lines := strings.Split(p.log.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
