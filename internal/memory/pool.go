// Package memory knows how much memory the process may take, how much it takes, and
// which query or job holds how much of it. Whoever goes over a budget of its own is
// stopped at once; when the process comes to its limit, the one that grew most is. It
// hands out no memory itself: others tell what they took, a slab or a batch at a time.
package memory

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/internal/clock"
	"github.com/millrace/millrace/internal/pgerr"
)

// Options say what a pool goes by.
type Options struct {
	// Limit is how many bytes the process may take; 0: no limit.
	Limit int64
	// Outside is how many bytes were taken from the system besides the Go heap, and
	// Trim gives back those of them that nobody uses.
	Outside func() int64
	Trim    func()
	// Tune says that the garbage collector's limit is the pool's to set.
	Tune  bool
	Log   *slog.Logger
	Clock clock.Clock
}

// EnsureDefaults fills in what was left out.
func (o *Options) EnsureDefaults() {
	if o.Outside == nil {
		o.Outside = func() int64 { return 0 }
	}
	if o.Trim == nil {
		o.Trim = func() {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
}

// Pool is the memory of a process. A nil pool has no limit and opens no accounts.
type Pool struct {
	opt  Options
	used atomic.Int64 // as of the last look
	full atomic.Bool  // it was near the limit then
	// stopped says that accounts were stopped whose memory is to go back to the system.
	stopped atomic.Bool

	mu       sync.Mutex
	accounts map[*Account]struct{}
	opened   int64 // numbers accounts

	heap heap // the watcher's
}

// NewPool makes a pool without accounts. Watch keeps its limit.
func NewPool(opt Options) *Pool {
	opt.EnsureDefaults()
	return &Pool{opt: opt, accounts: map[*Account]struct{}{}, heap: newHeap()}
}

// Limit is how many bytes the process may take, 0 for no limit.
func (p *Pool) Limit() int64 {
	if p == nil {
		return 0
	}
	return p.opt.Limit
}

// Used is how many bytes the process takes, what is to be collected among them, as of
// the last look.
func (p *Pool) Used() int64 {
	if p == nil {
		return 0
	}
	return p.used.Load()
}

// Admit refuses to begin what will keep memory, while there is none: once who was stopped
// has had the time to give back what it held.
func (p *Pool) Admit(ctx context.Context) error {
	if p == nil {
		return nil
	}
	for end := p.opt.Clock.Now().Add(graceMax); p.full.Load() && p.opt.Clock.Now().Before(end); {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.opt.Clock.After(lookMin):
		}
	}
	if !p.full.Load() {
		return nil
	}
	return pgerr.New(pgerr.OutOfMemory, "out of memory: the server is at its limit of %s", Size(p.opt.Limit)).
		Hint("Stop or shrink what holds much: SELECT * FROM millrace.memory shows it; --memory-limit sets the limit.")
}

// Open makes an account. The caller closes it.
func (p *Pool) Open(opt AccountOptions) *Account {
	if p == nil {
		return nil
	}
	a := &Account{AccountOptions: opt, pool: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened++
	a.number = p.opened
	p.accounts[a] = struct{}{}
	return a
}

// Accounts lists what is open.
func (p *Pool) Accounts() []*Account {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*Account, 0, len(p.accounts))
	for a := range p.accounts {
		list = append(list, a)
	}
	return list
}

const (
	lookMin = 5 * time.Millisecond
	lookMax = 200 * time.Millisecond
	// fastest is how many bytes a second the process is taken to grow at the most.
	fastest = 4 << 30
	// graceMax is how long a victim has to give its memory back before there is
	// another one.
	graceMax = 2 * time.Second
	// overdraft is over which share of the limit nobody waits for the collector.
	overdraft = 1.08
	// historySpan is how far back growth is measured.
	historySpan = 10 * time.Second
)

// Watch keeps the limit until ctx is done: it looks the more often the nearer the
// limit is.
func (p *Pool) Watch(ctx context.Context) {
	if p == nil {
		return
	}
	for {
		next := p.look()
		select {
		case <-ctx.Done():
			return
		case <-p.opt.Clock.After(next):
		}
	}
}

// look measures, stops a victim if that must be, and says when to look again.
func (p *Pool) look() time.Duration {
	list := p.Accounts()
	if gone := !slices.ContainsFunc(list, func(a *Account) bool { return a.Err() != nil }); gone && p.stopped.Swap(false) {
		debug.FreeOSMemory() // of who was stopped: nobody may want as much again
	}
	outside := p.opt.Outside()
	objects, live := p.heap.read()
	p.used.Store(outside + objects)
	if p.opt.Limit <= 0 {
		return lookMax
	}
	if p.opt.Tune {
		p.heap.tune(p.opt.Limit - outside)
	}
	seen := seen{now: p.opt.Clock.Now(), used: outside + objects, live: outside + live, limit: p.opt.Limit}
	if seen.used > p.opt.Limit {
		p.opt.Trim()
		outside = p.opt.Outside()
		seen.used, seen.live = outside+objects, outside+live
	}
	p.full.Store(seen.full())
	for _, a := range list {
		seen.holders = append(seen.holders, a.sample(seen.now))
	}
	v := seen.victim()
	if v >= 0 && !seen.overdrawn() && p.heap.objectsAreGarbage(&seen, outside) {
		v = -1 // what the last collection found in use was somebody's who has ended since
	}
	if v >= 0 {
		p.stop(seen.holders[v].account, seen)
	}
	return min(lookMax, max(lookMin, time.Duration(float64(p.opt.Limit-seen.used)/fastest*float64(time.Second))))
}

// stop stops an account because the process is at its limit.
func (p *Pool) stop(a *Account, s seen) {
	a.refuse(a.outOf(p.opt.Limit), "")
	a.chosen = s.now
	p.opt.Log.Warn("stopped for want of memory", "what", a.Title(), "held", Size(a.Held()), "used", Size(s.used), "limit", Size(s.limit))
}
