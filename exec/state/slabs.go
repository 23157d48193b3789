package state

import (
	"sync"
	"time"
	"unsafe"

	"github.com/millrace/millrace/internal/memory"
)

const (
	regionBits  = 24
	regionBytes = 1 << regionBits // what is asked of the system at a time, and its alignment
	bigBytes    = 4 << 20         // sizes above it are asked for, and given back, one by one
	unitBytes   = 4 << 10         // sizes are whole units
)

// spareAge is how long a region that nobody uses is kept for the next one who needs
// memory.
const spareAge = time.Minute

// SlabOptions says where memory comes from.
type SlabOptions struct {
	// Heap takes memory from the Go heap, where the race detector sees it and
	// nothing is ever leaked; slower to collect.
	Heap bool
}

// Slabs is memory outside the Go heap, shared by the tables of a process. What a
// table gives up the next one takes, whatever its sizes are, since the first touch
// of fresh memory costs more than using it; what nobody takes goes back to the
// system after a minute. It is safe for concurrent use.
//
// Memory comes in regions that are cut into pieces of one size each. A region all
// of whose pieces came back may be cut anew.
//
// What is taken through For counts as a share of somebody's memory.
type Slabs struct {
	*slabPool
	share *memory.Share
}

// slabPool is what all Slabs of a process have in common.
type slabPool struct {
	heap bool

	mu      sync.Mutex
	open    map[int][]*region         // regions that have pieces to give, by units of a piece
	regions map[uintptr]*region       // by address >> regionBits
	spare   []*region                 // of which no piece is in use, the newest last
	release *time.Timer               // gives spare regions back; nil: none is waited for
	big     map[unsafe.Pointer][]byte // sizes that are a mapping each
	inUse   int64
	mapped  int64
	closed  bool
}

// region is regionBytes of memory.
type region struct {
	mem, whole []byte
	size       int              // of a piece, in bytes
	free       []unsafe.Pointer // pieces that came back
	cut        int              // bytes that were cut into pieces
	touched    int              // bytes that were ever
	used       int              // pieces in use
	at         int              // where it is in its list of open regions, -1: it has none to give
	since      time.Time        // it is spare
}

// NewSlabs returns an empty pool.
func NewSlabs(opt SlabOptions) *Slabs {
	return &Slabs{slabPool: &slabPool{heap: opt.Heap || !canMap, open: map[int][]*region{}, regions: map[uintptr]*region{}, big: map[unsafe.Pointer][]byte{}}}
}

// For is the same memory, taken by whose share it is.
func (s *Slabs) For(share *memory.Share) *Slabs {
	if share == nil {
		return s
	}
	return &Slabs{slabPool: s.slabPool, share: share}
}

// InUse is how many bytes tables and snapshots hold.
func (s *slabPool) InUse() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse
}

// Mapped is how many bytes were taken from the system.
func (s *slabPool) Mapped() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mapped
}

// Close gives all memory back. No table of the pool may be used after it.
func (s *slabPool) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.regions {
		unmapMemory(r.whole)
	}
	for _, r := range s.big {
		unmapMemory(r)
	}
	if s.release != nil {
		s.release.Stop()
	}
	s.spare, s.mapped, s.closed = nil, 0, true
	clear(s.open)
	clear(s.regions)
	clear(s.big)
}

func units(n int) int { return (n + unitBytes - 1) / unitBytes }

// get returns size bytes, rounded up to whole units, with whatever is in them.
func (s *Slabs) get(size int) unsafe.Pointer {
	p, _ := s.piece(size)
	s.share.Add(int64(units(size) * unitBytes))
	return p
}

// getZeros returns size bytes, rounded up to whole units, the first size of them
// zeros. Fresh memory is left untouched: the system has seen to it.
func (s *Slabs) getZeros(size int) unsafe.Pointer {
	p, used := s.piece(size)
	s.share.Add(int64(units(size) * unitBytes))
	if used {
		clear(unsafe.Slice((*byte)(p), size))
	}
	return p
}

// piece returns memory and whether it was in use before.
func (s *slabPool) piece(size int) (p unsafe.Pointer, used bool) {
	n := units(size) * unitBytes
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse += int64(n)
	if n > bigBytes || s.heap {
		return s.single(n), false
	}
	r := s.opened(n)
	if r == nil {
		return s.single(n), false
	}
	r.used++
	if last := len(r.free) - 1; last >= 0 {
		p, used = r.free[last], true
		r.free = r.free[:last]
	} else {
		p, used = unsafe.Pointer(&r.mem[r.cut]), r.cut < r.touched
		r.cut += n
		r.touched = max(r.touched, r.cut)
	}
	if len(r.free) == 0 && r.cut+n > regionBytes {
		s.shut(r)
	}
	return p, used
}

// opened is a region that has a piece of n bytes to give, nil if there is no memory.
// The caller holds the lock.
func (s *slabPool) opened(n int) *region {
	if l := s.open[n]; len(l) > 0 {
		return l[len(l)-1]
	}
	var r *region
	if last := len(s.spare) - 1; last >= 0 {
		r = s.spare[last]
		s.spare = s.spare[:last]
		r.free, r.cut = r.free[:0], 0
	} else {
		b, whole := mapMemory(regionBytes, regionBytes)
		if b == nil {
			return nil
		}
		s.mapped += regionBytes
		r = &region{mem: b, whole: whole}
		s.regions[uintptr(unsafe.Pointer(unsafe.SliceData(b)))>>regionBits] = r
	}
	r.size = n
	s.reopen(r)
	return r
}

// reopen puts a region among those that have pieces to give, and shut takes it away.
func (s *slabPool) reopen(r *region) {
	r.at = len(s.open[r.size])
	s.open[r.size] = append(s.open[r.size], r)
}

func (s *slabPool) shut(r *region) {
	l := s.open[r.size]
	last := l[len(l)-1]
	l[r.at], last.at = last, r.at
	s.open[r.size], r.at = l[:len(l)-1], -1
}

// single gets n bytes by themselves: from the system, or from the Go heap if it
// refuses. The caller holds the lock.
func (s *slabPool) single(n int) unsafe.Pointer {
	s.mapped += int64(n)
	if !s.heap {
		if b, whole := mapMemory(n, hugePage); b != nil {
			p := unsafe.Pointer(unsafe.SliceData(b))
			s.big[p] = whole
			return p
		}
	}
	return unsafe.Pointer(unsafe.SliceData(make([]byte, n)))
}

// put takes memory back.
func (s *Slabs) put(p unsafe.Pointer, size int) {
	s.giveBack(p, size)
	s.share.Add(-int64(units(size) * unitBytes))
}

func (s *slabPool) giveBack(p unsafe.Pointer, size int) {
	n := units(size) * unitBytes
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse -= int64(n)
	r := s.regions[uintptr(p)>>regionBits]
	if r == nil {
		if whole := s.big[p]; whole != nil {
			unmapMemory(whole)
			delete(s.big, p)
		}
		s.mapped -= int64(n)
		return
	}
	r.used--
	r.free = append(r.free, p)
	if r.at < 0 {
		s.reopen(r)
	}
	if r.used == 0 {
		s.shut(r)
		r.since = time.Now()
		s.spare = append(s.spare, r)
		if s.release == nil {
			s.release = time.AfterFunc(spareAge, s.releaseSpare)
		}
	}
}

// Trim gives all regions back to the system that nobody uses now.
func (s *slabPool) Trim() { s.releaseOlder(0) }

// releaseSpare gives the regions back to the system that have been spare for long.
func (s *slabPool) releaseSpare() { s.releaseOlder(spareAge) }

func (s *slabPool) releaseOlder(age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.release != nil {
		s.release.Stop()
		s.release = nil
	}
	if s.closed {
		return
	}
	kept := s.spare[:0]
	for _, r := range s.spare {
		if time.Since(r.since) < age {
			kept = append(kept, r)
			continue
		}
		delete(s.regions, uintptr(unsafe.Pointer(unsafe.SliceData(r.mem)))>>regionBits)
		unmapMemory(r.whole)
		s.mapped -= regionBytes
	}
	clear(s.spare[len(kept):])
	if s.spare = kept; len(kept) > 0 {
		s.release = time.AfterFunc(spareAge-time.Since(kept[0].since), s.releaseSpare)
	}
}
