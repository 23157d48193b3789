package oracle

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/millrace/millrace/test/servers"
)

// startMax is how long a server may take to answer after a start.
const startMax = 60 * time.Second

// testServer is a server as a process of its own, which can be killed.
type testServer struct {
	bin  string
	data string
	port int
	cmd  *exec.Cmd
	log  bytes.Buffer
	conn *pgx.Conn
}

func newServer(t *testing.T) *testServer {
	t.Helper()
	s := &testServer{bin: filepath.Join(t.TempDir(), "millrace"), data: t.TempDir()}
	cmd := exec.Command("go", "build", "-o", s.bin, "../../cmd/millrace")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.kill()
		}
		if t.Failed() {
			t.Logf("the server's output:\n%s", s.log.String())
		}
	})
	return s
}

// start runs the server, with jobs at this parallelism, and connects to it.
func (s *testServer) start(t *testing.T, parallelism int) {
	t.Helper()
	http, err := servers.FreePort()
	if err == nil {
		s.port, err = servers.FreePort()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(s.bin, "server", "--listen", "127.0.0.1:"+strconv.Itoa(s.port), "--http", "127.0.0.1:"+strconv.Itoa(http), "--data", s.data)
	s.cmd.Env = append(os.Environ(), "MILLRACE_PARALLELISM="+strconv.Itoa(parallelism))
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("postgres://millrace@127.0.0.1:%d/millrace?sslmode=disable", s.port)
	for deadline := time.Now().Add(startMax); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if s.conn, err = pgx.Connect(context.Background(), url); err == nil {
			return
		}
	}
	t.Fatalf("the server did not answer within %s: %v", startMax, err)
}

// kill ends the server at once, without giving it a chance to save anything.
func (s *testServer) kill() {
	_ = s.conn.Close(context.Background())
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}
