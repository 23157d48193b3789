package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

type figures struct{}

func (figures) Collect(emit func(Metric)) {
	for _, job := range []string{"a", `b"\n`} {
		emit(Metric{Name: "millrace_job_rows_total", Help: "Rows.", Labels: []Label{{"job", job}}, Value: 7})
	}
	emit(Metric{Name: "millrace_jobs", Help: "Jobs.", Kind: Gauge, Value: 2})
	emit(Metric{Name: "not a name", Value: 1})
}

func TestRoutes(t *testing.T) {
	var ready error
	s := New(Options{Ready: func(context.Context) error { return ready }, Metrics: figures{}, Version: "v1"})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if code, body := get("/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("healthz: %d %q", code, body)
	}
	if code, body := get("/readyz"); code != 200 || body != "ready\n" {
		t.Errorf("readyz: %d %q", code, body)
	}
	ready = errors.New("the bucket does not answer")
	if code, body := get("/readyz"); code != 503 || body != "not ready: the bucket does not answer\n" {
		t.Errorf("readyz: %d %q", code, body)
	}
	if code, _ := get("/nowhere"); code != 404 {
		t.Errorf("nowhere: %d", code)
	}
	code, body := get("/metrics")
	for _, want := range []string{`millrace_job_rows_total{job="a"} 7`, "# TYPE millrace_job_rows_total counter", "# TYPE millrace_jobs gauge\nmillrace_jobs 2",
		`millrace_build_info{version="v1"} 1`, "go_goroutines"} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics (%d) lack %s", code, want)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	http.DefaultClient.CloseIdleConnections()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
