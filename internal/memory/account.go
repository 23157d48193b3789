package memory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/internal/pgerr"
)

// AccountOptions say whose memory an account counts.
type AccountOptions struct {
	// Kind is what it is: query, job, subscription.
	Kind string
	// Name is what it is called now: of a job its name.
	Name func() string
	// Session is the process id of the session that it belongs to, 0 for none.
	Session int
	// Budget is how many bytes it may hold; 0: as many as the process.
	Budget int64
	// Over is what to say when it holds more, with a hint.
	Over func(budget int64) *pgerr.Error
	// Stop ends it, without waiting, with an error that tells why. It is called once
	// at the most, by whoever takes memory or by the pool.
	Stop func(err error)
}

// Account is what one query or job holds. Methods of a nil account do nothing.
type Account struct {
	AccountOptions
	pool   *Pool
	number int64
	held   atomic.Int64
	peak   atomic.Int64
	err    atomic.Pointer[pgerr.Error]

	mu     sync.Mutex
	shares []*Share

	// The pool's, of its looks.
	history []sample
	settled bool      // it was there before the history begins
	chosen  time.Time // when it was made a victim
}

// Share is what one part of an account, an operator, holds. Methods of a nil share do
// nothing.
type Share struct {
	account *Account
	name    string
	held    atomic.Int64
}

// Holding is what a part of an account holds.
type Holding struct {
	Name  string
	Bytes int64
}

// Title is what the account is about.
func (a *Account) Title() string {
	if a.Name == nil {
		return a.Kind
	}
	return a.Kind + " " + a.Name()
}

// Share is the account's share of that name.
func (a *Account) Share(name string) *Share {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.shares {
		if s.name == name {
			return s
		}
	}
	s := &Share{account: a, name: name}
	a.shares = append(a.shares, s)
	return s
}

// Held is how many bytes the account holds.
func (a *Account) Held() int64 {
	if a == nil {
		return 0
	}
	return a.held.Load()
}

// Peak is how many bytes it held at the most.
func (a *Account) Peak() int64 {
	if a == nil {
		return 0
	}
	return a.peak.Load()
}

// Err says why the account was stopped, nil if it was not.
func (a *Account) Err() error {
	if a == nil {
		return nil
	}
	if e := a.err.Load(); e != nil {
		return e
	}
	return nil
}

// Close ends the account. What its shares still hold is no longer its own.
func (a *Account) Close() {
	if a == nil {
		return
	}
	a.pool.mu.Lock()
	defer a.pool.mu.Unlock()
	delete(a.pool.accounts, a)
}

// Holdings are the shares that hold something, the largest first.
func (a *Account) Holdings() []Holding {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []Holding
	for _, s := range a.shares {
		if n := s.held.Load(); n > 0 {
			list = append(list, Holding{s.name, n})
		}
	}
	slices.SortStableFunc(list, func(a, b Holding) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return list
}

// Add tells that the share has taken n bytes, or has given them up. Memory that is taken
// is there already: an account that is over its budget is stopped, and gives it back.
func (s *Share) Add(n int64) {
	if s == nil || n == 0 {
		return
	}
	s.held.Add(n)
	a := s.account
	held := a.held.Add(n)
	if n < 0 {
		return
	}
	if held > a.peak.Load() {
		a.peak.Store(held) // another task may have stored more: it is for people
	}
	if a.Budget > 0 && held > a.Budget && a.err.Load() == nil {
		a.refuse(a.Over(a.Budget), "")
	}
}

// Err says why the share's account was stopped, nil if it was not.
func (s *Share) Err() error {
	if s == nil {
		return nil
	}
	return s.account.Err()
}

// Room reports whether the share may take n bytes more. If not, the account is stopped:
// who asks is about to take them at once.
func (s *Share) Room(n int64) error {
	if s == nil {
		return nil
	}
	a := s.account
	if err := a.Err(); err != nil {
		return err
	}
	switch limit := a.pool.Limit(); {
	case a.Budget > 0 && a.held.Load()+n > a.Budget:
		a.refuse(a.Over(a.Budget), s.asks(n))
	case limit > 0 && n > limit/16 && a.pool.Used()+n > limit:
		a.refuse(a.outOf(limit), s.asks(n))
	}
	return a.Err()
}

// heldMin is how much is worth to be counted by Hold.
const heldMin = 256 << 10

// Hold counts n bytes, if they are many, until give is called. An error tells that there
// is no room for them.
func (s *Share) Hold(n int64) (give func(), err error) {
	if n < heldMin {
		return func() {}, nil
	}
	if err := s.Room(n); err != nil {
		return func() {}, err
	}
	s.Add(n)
	return func() { s.Add(-n) }, nil
}

func (s *Share) asks(n int64) string {
	return fmt.Sprintf(" The part %s asked for %s more.", s.name, Size(n))
}

// refuse stops the account with an error that tells who holds how much. The first
// reason counts. asks is who asked for how much more, if anybody did.
func (a *Account) refuse(e *pgerr.Error, asks string) {
	e.Detail = a.detail() + asks
	if !a.err.CompareAndSwap(nil, e) {
		return
	}
	a.pool.stopped.Store(true)
	if a.Stop != nil {
		a.Stop(e)
	}
}

// outOf is the error of who is stopped because the process is at its limit.
func (a *Account) outOf(limit int64) *pgerr.Error {
	e := pgerr.New(pgerr.OutOfMemory, "out of memory: the server has come to its limit of %s, and this %s grew most", Size(limit), a.Kind)
	if a.Kind == jobKind {
		return e.Hint("Once there is more (--memory-limit sets the limit), RESUME JOB %s goes on from the last checkpoint.", a.Name())
	}
	return e.Hint("It needs less, or the server more: --memory-limit sets the limit.")
}

// holdingsTold is how many parts an error tells of.
const holdingsTold = 5

func (a *Account) detail() string {
	var parts []string
	for i, h := range a.Holdings() {
		if i == holdingsTold {
			parts = append(parts, "others the rest")
			break
		}
		parts = append(parts, fmt.Sprintf("%s %s", h.Name, Size(h.Bytes)))
	}
	if parts == nil {
		return fmt.Sprintf("The %s held %s.", a.Kind, Size(a.Held()))
	}
	return fmt.Sprintf("The %s held %s: %s.", a.Kind, Size(a.Held()), strings.Join(parts, ", "))
}

// Meter is what one owner within a share holds. It belongs to one goroutine; the zero
// Meter counts nothing.
type Meter struct {
	share *Share
	held  int64
}

// Meter counts for one owner.
func (s *Share) Meter() Meter { return Meter{share: s} }

// Set tells how much the owner holds now. It returns why the account was stopped, if it
// was.
func (m *Meter) Set(n int64) error {
	m.share.Add(n - m.held)
	m.held = n
	return m.share.Err()
}

// Add tells that the owner holds n more.
func (m *Meter) Add(n int64) error { return m.Set(m.held + n) }
