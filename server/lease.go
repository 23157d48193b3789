package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/job"
)

// The lease is renewed well before it ends; a server that waits for it looks as
// often.
const (
	leaseTTL   = 15 * time.Second
	leaseRenew = 4 * time.Second
	leaseRetry = time.Second
)

// lockFolder keeps a second process off a data folder; the kernel lets go of the
// lock when the process dies. The file holds the folder's own id, by which a
// restarted server takes its lease again at once.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errors.New("another millrace server is using it")
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock the data folder %s: %w", dir, err)
	}
	return f, nil
}

// folderID reads the data folder's id, or gives it one.
func folderID(f *os.File) (string, error) {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 64))
	if id := strings.TrimSpace(string(text)); err != nil || id != "" {
		return id, err
	}
	id := job.NewID()
	if _, err := f.WriteAt([]byte(id+"\n"), 0); err != nil {
		return "", err
	}
	return id, f.Sync()
}

// acquireLease takes the lease on the metadata database, waiting for a server
// that has it, and reads what that one may have written.
func (s *Server) acquireLease(ctx context.Context) error {
	holder, err := folderID(s.lock)
	if err != nil {
		return fmt.Errorf("read the data folder's id: %w", err)
	}
	waiting := false
	for {
		l, err := s.store.AcquireLease(ctx, holder, leaseTTL)
		if err == nil {
			s.leased = true
			return s.store.Reload(ctx)
		}
		if !errors.Is(err, catalog.ErrLeaseHeld) {
			return fmt.Errorf("take the lease on the metadata database: %w", err)
		}
		if !waiting {
			waiting = true
			s.setReady(errors.New("waiting for the lease, which another server holds"))
			s.opt.Log.Info("another server holds the lease on the metadata database: waiting to take over", "holder", l.Holder, "until", l.Expires)
		}
		select {
		case <-s.opt.Clock.After(leaseRetry):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// renewLease extends the lease; without it the server must stop.
func (s *Server) renewLease() {
	_, err := s.store.RenewLease(s.ctx, leaseTTL)
	if err == nil || s.ctx.Err() != nil {
		return
	}
	s.opt.Log.Error("renew the lease", "err", err)
	if errors.Is(err, catalog.ErrLeaseLost) {
		s.jobs.Kill()
		s.fail(err)
	}
}

// releaseLease lets a server that waits for the lease have it at once.
func (s *Server) releaseLease() {
	if !s.leased {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.store.ReleaseLease(ctx); err != nil && !errors.Is(err, catalog.ErrLeaseLost) {
		s.opt.Log.Warn("release the lease", "err", err)
	}
}
