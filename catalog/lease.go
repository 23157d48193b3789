package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Lease is the right to be the one server on a metadata database and a bucket.
// Its incarnation grows with every new holder, so it can be part of object names
// that a dead run must not overwrite.
type Lease struct {
	Holder      string
	Incarnation int64
	Expires     time.Time
}

// leaseName is the row of the one lease there is so far.
const leaseName = "server"

// The errors of the lease.
var (
	// ErrLeaseHeld says that another server has it and is alive.
	ErrLeaseHeld = errors.New("another server holds the lease")
	// ErrLeaseLost says that another server took it: this one must stop.
	ErrLeaseLost = errors.New("another server has taken the lease")
)

// AcquireLease takes the lease for ttl if it is free or has expired, or if this
// holder has it from before. On ErrLeaseHeld the lease that stands in the way is
// returned. From then on every write fails with ErrLeaseLost once another server
// has taken it. Call Reload afterwards: another server may have written.
func (s *Store) AcquireLease(ctx context.Context, holder string, ttl time.Duration) (Lease, error) {
	s.write.Lock()
	defer s.write.Unlock()
	now := s.clock.Now()
	l := Lease{Holder: holder, Incarnation: 1, Expires: now.Add(ttl)}
	err := s.plainTx(ctx, func(tx *sql.Tx) error {
		// The row is made first, so that two servers meet at its lock.
		if err := s.execAll(ctx, tx, []write{{"INSERT INTO leases (name, holder, incarnation, expires) VALUES (?, '', 0, 0) ON CONFLICT (name) DO NOTHING", []any{leaseName}}}); err != nil {
			return err
		}
		old, err := s.readLease(ctx, tx)
		if err != nil {
			return err
		}
		if old.Holder != holder && old.Holder != "" && old.Expires.After(now) {
			l = old
			return ErrLeaseHeld
		}
		l.Incarnation = old.Incarnation + 1
		return s.execAll(ctx, tx, []write{{"UPDATE leases SET holder = ?, incarnation = ?, expires = ? WHERE name = ?",
			[]any{holder, l.Incarnation, micros(l.Expires), leaseName}}})
	})
	if err != nil {
		return l, fmt.Errorf("acquire the lease: %w", err)
	}
	s.mu.Lock()
	s.lease = &l
	s.mu.Unlock()
	return l, nil
}

// RenewLease extends the lease that was acquired.
func (s *Store) RenewLease(ctx context.Context, ttl time.Duration) (Lease, error) {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.RLock()
	held := s.lease
	s.mu.RUnlock()
	if held == nil {
		return Lease{}, fmt.Errorf("renew the lease: %w", ErrLeaseLost)
	}
	l := *held
	l.Expires = s.clock.Now().Add(ttl)
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		return s.execAll(ctx, tx, []write{{"UPDATE leases SET expires = ? WHERE name = ?", []any{micros(l.Expires), leaseName}}})
	})
	if err != nil {
		return *held, fmt.Errorf("renew the lease: %w", err)
	}
	s.mu.Lock()
	s.lease = &l
	s.mu.Unlock()
	if err := s.settle(ctx); err != nil {
		s.log.Error("record what has happened", "err", err)
	}
	return l, nil
}

// ReleaseLease gives the lease up, so that a waiting server need not wait for it
// to expire.
func (s *Store) ReleaseLease(ctx context.Context) error {
	s.write.Lock()
	defer s.write.Unlock()
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		return s.execAll(ctx, tx, []write{{"UPDATE leases SET holder = '', expires = 0 WHERE name = ?", []any{leaseName}}})
	})
	if err != nil && !errors.Is(err, ErrLeaseLost) {
		return fmt.Errorf("release the lease: %w", err)
	}
	s.mu.Lock()
	s.lease = nil
	s.mu.Unlock()
	return nil
}

// fence fails when this server had the lease and lost it. The row stays locked
// until the transaction ends.
func (s *Store) fence(ctx context.Context, tx *sql.Tx) error {
	s.mu.RLock()
	held := s.lease
	s.mu.RUnlock()
	if held == nil {
		return nil
	}
	now, err := s.readLease(ctx, tx)
	if err != nil {
		return err
	}
	if now.Incarnation != held.Incarnation || now.Holder != held.Holder {
		return ErrLeaseLost
	}
	return nil
}

func (s *Store) readLease(ctx context.Context, tx *sql.Tx) (Lease, error) {
	var l Lease
	var expires int64
	err := tx.QueryRowContext(ctx, s.dialect.bind("SELECT holder, incarnation, expires FROM leases WHERE name = ?"+s.dialect.forUpdate), leaseName).
		Scan(&l.Holder, &l.Incarnation, &expires)
	l.Expires = fromMicros(expires)
	return l, err
}

// plainTx is inTx without the fence.
func (s *Store) plainTx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}
