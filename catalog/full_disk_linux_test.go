package catalog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/pgerr"
)

// TestFullDisk has events and checkpoints while there is no room for them: each is told,
// all are shown, and once there is room they are written, in order, with what comes then.
func TestFullDisk(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2097152"); err != nil {
		t.Skipf("no file system can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	open := func() *Store {
		s, err := Open(ctx, "sqlite:"+filepath.Join(dir, "catalog.db"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	if _, err := s.AcquireLease(ctx, "me", time.Minute); err != nil {
		t.Fatal(err)
	}
	begin, n := time.UnixMicro(1e15), 0
	long := strings.Repeat("x", 20_000)
	add := func() error {
		n++
		return s.AddEvent(ctx, Event{JobID: "j", At: begin.Add(time.Duration(n) * time.Second), Kind: "failed", Message: fmt.Sprint(n, " ", long)})
	}
	expect := func() {
		t.Helper()
		list, err := s.Events(ctx, "j")
		if err != nil || len(list) != n {
			t.Fatalf("%d events, want %d: %v", len(list), n, err)
		}
		for i, e := range list {
			if e.Message != fmt.Sprint(i+1, " ", long) {
				t.Fatalf("event %d is %.10s", i+1, e.Message)
			}
		}
	}
	if err := add(); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	for buf := make([]byte, 4096); err == nil; {
		_, err = f.Write(buf)
	}
	f.Close()
	full := func(err error) bool { return pgerr.From(err).Code == pgerr.DiskFull }
	for tries := 0; !full(err); tries++ { // there is some room in the files that are there
		if err = add(); err != nil && !full(err) || tries == 100 {
			t.Fatalf("the %d. event: %v", n, err)
		}
	}
	if err := add(); !full(err) {
		t.Errorf("another event: %v", err)
	}
	for _, state := range []string{"running", "complete"} {
		if err := s.PutCheckpoint(ctx, Checkpoint{JobID: "j", N: 7, State: state}); !full(err) {
			t.Errorf("a checkpoint: %v", err)
		}
	}
	if _, err := s.RenewLease(ctx, time.Minute); err == nil {
		t.Error("the lease was renewed without room")
	}
	expect()
	if c, ok, err := s.NewestCheckpoint(ctx, "j"); c.N != 7 || !ok || err != nil {
		t.Errorf("the newest checkpoint is %d, %v, %v", c.N, ok, err)
	}
	if list, err := s.Checkpoints(ctx, ""); len(list) != 1 || list[0].State != "complete" || err != nil {
		t.Errorf("checkpoints %v, %v", list, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RenewLease(ctx, time.Minute); err != nil || len(s.owedNotes()) > 0 {
		t.Errorf("with room again: %v, %d notes are owed", err, len(s.owedNotes()))
	}
	expect()
	if err := add(); err != nil {
		t.Error(err)
	}
	var verdict string
	if err := s.db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("the database is %s, %v", verdict, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	expect()
	if c, ok, err := s.NewestCheckpoint(ctx, "j"); c.N != 7 || !ok || err != nil {
		t.Errorf("the newest checkpoint is %d, %v, %v", c.N, ok, err)
	}
	if err := s.RemoveEvents(ctx, "j"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
