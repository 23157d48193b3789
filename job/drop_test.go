package job

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/internal/pgerr"
)

// logged collects what a manager logs.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// TestDropWhileStarting drops jobs as soon as they are made: their runners say
// nothing of it, and one that was dropped before it could start does not.
func TestDropWhileStarting(t *testing.T) {
	w := newWorld(t)
	out := &logged{}
	w.manager.opt.Log = slog.New(slog.NewTextHandler(out, nil))
	for range 20 {
		j := w.create(query)
		tx := w.store.Begin()
		if err := tx.DropJob(j.ID); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := w.manager.Drop(context.Background(), j); err != nil {
			t.Fatal(err)
		}
		if err := w.manager.Start(j); pgerr.From(err).Code != pgerr.UndefinedObject || w.manager.Running("j") {
			t.Fatalf("to start it after that gave %v", err)
		}
	}
	if s := out.String(); strings.Contains(s, "ERROR") || strings.Contains(s, "WARN") {
		t.Errorf("logged: %s", s)
	}
}
