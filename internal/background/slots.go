// Package background is where the work goes on that nobody waits for, above all that of
// jobs: on threads that make way for others, as many at a time as there are processors.
// A client's statement so finds a processor at once, of the system and of Go's runtime,
// which looks at the network late when goroutines compute on all it has.
package background

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// turn is how long a slot is held while others wait for one, and overdue when who holds
// one is taken to wait for something itself, a disk or a bucket: another then has its
// place.
const (
	turn    = 2 * time.Millisecond
	overdue = 50 * time.Millisecond
)

// Slots bounds how many goroutines compute in the background at a time. Nil slots are
// endless.
type Slots struct {
	overdue time.Duration
	mu      sync.Mutex
	free    int
	holders []*Slot
	queue   []*Slot // who waits, the first first
	waiting atomic.Int32
}

// Processors is how many there were to compute with when the process began.
var Processors = runtime.GOMAXPROCS(0)

// spare is how many processors Go's runtime has beside those that compute in the
// background. One would do for clients, but a thread that the kernel stops between two
// slots keeps one, and so does the garbage collector.
const spare = 3

// Reserve gives the runtime processors for all that is not in the background. Shared does
// so; it is for who has set their number since, as benchmarks do.
func Reserve() { runtime.GOMAXPROCS(Processors + spare) }

// Shared are the slots of the process, one for each processor.
var Shared = sync.OnceValue(func() *Slots {
	Reserve()
	return &Slots{free: Processors, overdue: overdue}
})

// Slot is one goroutine's use of the slots. A nil *Slot is of no slots.
type Slot struct {
	of    *Slots
	given chan struct{}
	since time.Time   // of a holder; written under of.mu
	lent  atomic.Bool // of a holder: another has its place
}

// Slot returns what a goroutine enters and leaves by.
func (s *Slots) Slot() *Slot {
	if s == nil {
		return nil
	}
	return &Slot{of: s, given: make(chan struct{}, 1)}
}

// Enter waits until there is room, and takes it.
func (s *Slot) Enter() {
	if s == nil {
		return
	}
	o := s.of
	o.mu.Lock()
	if o.free > 0 {
		o.free--
		o.hold(s)
		o.mu.Unlock()
		return
	}
	o.queue = append(o.queue, s)
	o.waiting.Add(1)
	o.mu.Unlock()
	t := time.NewTicker(o.overdue)
	defer t.Stop()
	for {
		select {
		case <-s.given:
			return
		case <-t.C:
			o.lend()
		}
	}
}

// hold makes s a holder.
func (o *Slots) hold(s *Slot) {
	s.since = time.Now()
	o.holders = append(o.holders, s)
}

// next gives the room of one holder to who has waited longest.
func (o *Slots) next() {
	if len(o.queue) == 0 {
		o.free++
		return
	}
	s := o.queue[0]
	o.queue = slices.Delete(o.queue, 0, 1)
	o.waiting.Add(-1)
	o.hold(s)
	s.given <- struct{}{}
}

// lend gives away the places of those whose turn is long over.
func (o *Slots) lend() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range slices.Clone(o.holders) {
		if len(o.queue) > 0 && !h.lent.Load() && time.Since(h.since) >= o.overdue {
			h.lent.Store(true)
			o.next()
		}
	}
}

// Leave gives the room to who has waited longest.
func (s *Slot) Leave() {
	if s == nil {
		return
	}
	o := s.of
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.Index(o.holders, s)
	o.holders = slices.Delete(o.holders, i, i+1)
	if s.lent.Load() {
		s.lent.Store(false)
		return
	}
	o.next()
}

// GiveWay lets others have their turn, if any wait and this one's is over. It is cheap
// enough to be called for each batch.
func (s *Slot) GiveWay() {
	if s == nil || !s.lent.Load() && (s.of.waiting.Load() == 0 || time.Since(s.since) < turn) {
		return
	}
	s.Leave()
	s.Enter()
}
