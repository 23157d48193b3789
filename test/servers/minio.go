package servers

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// MinIOEnv names the minio binary.
const MinIOEnv = "MILLRACE_TEST_MINIO"

// minIOStartMax is how long a fresh server may take to answer.
const minIOStartMax = 30 * time.Second

// The credentials of test servers.
const (
	MinIOUser     = "millrace-test"
	MinIOPassword = "millrace-test-secret"
)

// MinIO is a running MinIO on an empty folder.
type MinIO struct {
	Endpoint string // http://127.0.0.1:port
	dir      string
	cmd      *exec.Cmd
	log      bytes.Buffer
}

// URL returns the object store URL of a prefix in a bucket, for object.Open and
// MILLRACE_OBJECTS. Credentials travel in the environment (Env).
func (m *MinIO) URL(bucket, prefix string) string {
	u := "s3://" + bucket
	if prefix != "" {
		u += "/" + prefix
	}
	return u + "?endpoint=" + m.Endpoint
}

// Env is what a process needs in its environment to use the server.
func (m *MinIO) Env() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + MinIOUser, "AWS_SECRET_ACCESS_KEY=" + MinIOPassword, "AWS_REGION=us-east-1"}
}

// StartMinIO starts a server that lives until the test ends; buckets are made as
// folders before it starts. It skips the test when MinIO is not installed.
func StartMinIO(t testing.TB, buckets ...string) *MinIO {
	t.Helper()
	bin := os.Getenv(MinIOEnv)
	if _, err := os.Stat(bin); bin == "" || err != nil {
		if bin, err = exec.LookPath("minio"); err != nil {
			t.Skipf("MinIO is not installed and %s does not name its binary", MinIOEnv)
		}
	}
	m, stop, err := RunMinIO(bin, buckets...)
	if err != nil {
		t.Fatalf("start MinIO from %s: %v", bin, err)
	}
	t.Cleanup(stop)
	return m
}

// RunMinIO is StartMinIO for TestMain: the caller calls stop.
func RunMinIO(bin string, buckets ...string) (*MinIO, func(), error) {
	dir, err := os.MkdirTemp("", "millrace-minio-")
	if err != nil {
		return nil, nil, err
	}
	for _, b := range buckets {
		if err := os.MkdirAll(dir+"/"+b, 0o755); err != nil {
			return nil, nil, err
		}
	}
	port, err := FreePort()
	if err != nil {
		return nil, nil, err
	}
	m := &MinIO{Endpoint: fmt.Sprintf("http://127.0.0.1:%d", port), dir: dir}
	m.cmd = exec.Command(bin, "server", "--quiet", "--address", fmt.Sprintf("127.0.0.1:%d", port), dir)
	m.cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+MinIOUser, "MINIO_ROOT_PASSWORD="+MinIOPassword, "MINIO_BROWSER=off", "MINIO_UPDATE=off", "HOME="+dir)
	m.cmd.Stdout, m.cmd.Stderr = &m.log, &m.log
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stop := func() {
		if m.cmd.Process != nil {
			_ = m.cmd.Process.Kill()
			_ = m.cmd.Wait()
		}
		os.RemoveAll(dir)
	}
	if err := Launch(m.cmd); err != nil {
		stop()
		return nil, nil, err
	}
	for deadline := time.Now().Add(minIOStartMax); ; time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get(m.Endpoint + "/minio/health/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK && m.serves() {
				return m, stop, nil
			}
		}
		if time.Now().After(deadline) {
			stop()
			return nil, nil, fmt.Errorf("MinIO did not answer within %s: %s", minIOStartMax, m.log.String())
		}
	}
}

// serves reports whether requests get past "Server not initialized yet": it is
// ready a moment before that.
func (m *MinIO) serves() bool {
	resp, err := http.Get(m.Endpoint + "/")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode != http.StatusServiceUnavailable
}
