package object

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Fault is what a Faulty store does to an operation.
type Fault struct {
	// Op is "create", "put", "replace", "get", "list" or "delete".
	Op string
	// Nth is which operation of that kind, from 1 on; 0 means every one.
	Nth int
	// Err is returned. Unless After is set, nothing else happens.
	Err error
	// After lets the operation happen before Err is returned, as when the answer
	// is lost.
	After bool
	// Delay is waited first.
	Delay time.Duration
	// Torn is how many objects a list leaves out at its end.
	Torn int
}

// Faulty passes operations on to a store and lets some of them go wrong.
type Faulty struct {
	Store

	mu     sync.Mutex
	faults []Fault
	counts map[string]int
}

// ErrInjected is a fault's error when none is given.
var ErrInjected = errors.New("injected fault")

// NewFaulty wraps a store.
func NewFaulty(s Store, faults ...Fault) *Faulty {
	return &Faulty{Store: s, faults: faults, counts: map[string]int{}}
}

// Count is how many operations of a kind there were.
func (f *Faulty) Count(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[op]
}

// Set replaces the faults and counts from 1 again.
func (f *Faulty) Set(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = faults
	clear(f.counts)
}

// do runs an operation through the faults.
func (f *Faulty) do(ctx context.Context, op string, run func() error) (torn int, err error) {
	f.mu.Lock()
	f.counts[op]++
	n := f.counts[op]
	var hit Fault
	for _, x := range f.faults {
		if x.Op == op && (x.Nth == 0 || x.Nth == n) {
			hit = x
		}
	}
	f.mu.Unlock()
	if hit.Delay > 0 {
		select {
		case <-time.After(hit.Delay):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	if hit.Op != "" && hit.Err == nil && hit.Delay == 0 && hit.Torn == 0 {
		hit.Err = ErrInjected
	}
	if hit.Err != nil && !hit.After {
		return 0, hit.Err
	}
	if err := run(); err != nil {
		return 0, err
	}
	return hit.Torn, hit.Err
}

// Create implements Store.
func (f *Faulty) Create(ctx context.Context, name string, data []byte) error {
	_, err := f.do(ctx, "create", func() error { return f.Store.Create(ctx, name, data) })
	return err
}

// Put implements Store.
func (f *Faulty) Put(ctx context.Context, name string, data []byte) error {
	_, err := f.do(ctx, "put", func() error { return f.Store.Put(ctx, name, data) })
	return err
}

// Replace implements Store.
func (f *Faulty) Replace(ctx context.Context, name string, data []byte, etag string) error {
	_, err := f.do(ctx, "replace", func() error { return f.Store.Replace(ctx, name, data, etag) })
	return err
}

// Get implements Store.
func (f *Faulty) Get(ctx context.Context, name string) (data []byte, info Info, err error) {
	_, err = f.do(ctx, "get", func() (err error) {
		data, info, err = f.Store.Get(ctx, name)
		return err
	})
	return data, info, err
}

// GetRange implements Store; it counts as a get.
func (f *Faulty) GetRange(ctx context.Context, name string, offset, length int64) (data []byte, err error) {
	_, err = f.do(ctx, "get", func() (err error) {
		data, err = f.Store.GetRange(ctx, name, offset, length)
		return err
	})
	return data, err
}

// List implements Store.
func (f *Faulty) List(ctx context.Context, prefix string) (list []Info, err error) {
	torn, err := f.do(ctx, "list", func() (err error) {
		list, err = f.Store.List(ctx, prefix)
		return err
	})
	return list[:max(0, len(list)-torn)], err
}

// Delete implements Store.
func (f *Faulty) Delete(ctx context.Context, name string) error {
	_, err := f.do(ctx, "delete", func() error { return f.Store.Delete(ctx, name) })
	return err
}
