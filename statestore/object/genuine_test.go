package object_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/millrace/millrace/statestore/object"
)

// TestPagesOfProxies puts a server between that answers everything with a page: nothing
// of it may be taken for the store's answer.
func TestPagesOfProxies(t *testing.T) {
	var kind atomic.Value
	kind.Store("text/html; charset=utf-8")
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind.Load().(string))
		_, _ = io.WriteString(w, "<html><head><title>Welcome</title></head><body>Log in first</body></html>")
	}))
	defer proxy.Close()
	s, err := object.OpenWith(t.Context(), "s3://bucket/prefix?region=us-east-1&endpoint="+proxy.URL, object.Options{AccessKey: "a", SecretKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"list":      func() error { _, err := s.List(t.Context(), ""); return err },
		"put":       func() error { return s.Put(t.Context(), "o", []byte("x")) },
		"get range": func() error { _, err := s.GetRange(t.Context(), "o", 0, 5); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "is a proxy in between?") {
			t.Errorf("%s: %v, want that the answer is no store's", name, err)
		}
	}
	kind.Store("application/xml")
	if list, err := s.List(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "is a proxy in between?") {
		t.Errorf("%v, %v, want that the answer is no listing", list, err)
	}
}
