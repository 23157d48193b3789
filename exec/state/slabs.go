package state

import (
	"sync"
	"unsafe"
)

const (
	regionBytes = 16 << 20 // what is asked of the system at a time
	bigBytes    = 4 << 20  // sizes above it are given back to the system
	unitBytes   = 4 << 10  // sizes are whole units
)

// SlabOptions says where memory comes from.
type SlabOptions struct {
	// Heap takes memory from the Go heap, where the race detector sees it and
	// nothing is ever leaked; slower to collect.
	Heap bool
}

// Slabs is memory outside the Go heap, shared by the tables of a process. What a
// table gives up the next one takes, since the first touch of fresh memory costs
// more than using it. It is safe for concurrent use.
type Slabs struct {
	heap bool

	mu      sync.Mutex
	free    map[int][]unsafe.Pointer  // by size in units
	rest    []byte                    // of the newest region
	regions [][]byte                  // cut into pieces; unmapped at the end
	big     map[unsafe.Pointer][]byte // sizes that are a region each
	inUse   int64
	mapped  int64
}

// NewSlabs returns an empty pool.
func NewSlabs(opt SlabOptions) *Slabs {
	return &Slabs{heap: opt.Heap || !canMap, free: map[int][]unsafe.Pointer{}, big: map[unsafe.Pointer][]byte{}}
}

// InUse is how many bytes tables and snapshots hold.
func (s *Slabs) InUse() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse
}

// Mapped is how many bytes were taken from the system.
func (s *Slabs) Mapped() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mapped
}

// Close gives all memory back. No table of the pool may be used after it.
func (s *Slabs) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.regions {
		unmapMemory(r)
	}
	for _, r := range s.big {
		unmapMemory(r)
	}
	s.regions, s.rest, s.mapped = nil, nil, 0
	clear(s.free)
	clear(s.big)
}

func units(n int) int { return (n + unitBytes - 1) / unitBytes }

// get returns size bytes, rounded up to whole units, with whatever is in them.
func (s *Slabs) get(size int) unsafe.Pointer {
	p, _ := s.piece(size)
	return p
}

// getZeros returns size bytes, rounded up to whole units, the first size of them
// zeros. Fresh memory is left untouched: the system has seen to it.
func (s *Slabs) getZeros(size int) unsafe.Pointer {
	p, used := s.piece(size)
	if used {
		clear(unsafe.Slice((*byte)(p), size))
	}
	return p
}

// piece returns memory and whether it was in use before.
func (s *Slabs) piece(size int) (p unsafe.Pointer, used bool) {
	u := units(size)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse += int64(u) * unitBytes
	if l := s.free[u]; len(l) > 0 {
		p = l[len(l)-1]
		s.free[u] = l[:len(l)-1]
		return p, true
	}
	return s.fresh(u * unitBytes), false
}

// fresh returns n bytes that nobody has used. The caller holds the lock.
func (s *Slabs) fresh(n int) unsafe.Pointer {
	if s.heap {
		s.mapped += int64(n)
		b := make([]byte, n)
		return unsafe.Pointer(unsafe.SliceData(b))
	}
	if n > bigBytes {
		b, whole := s.take(n)
		p := unsafe.Pointer(unsafe.SliceData(b))
		if whole != nil {
			s.big[p] = whole
		}
		return p
	}
	if len(s.rest) < n {
		s.spare()
		b, whole := s.take(regionBytes)
		if whole != nil {
			s.regions = append(s.regions, whole)
		}
		s.rest = b
	}
	p := unsafe.Pointer(unsafe.SliceData(s.rest))
	s.rest = s.rest[n:]
	return p
}

// spare keeps what is left of a region for small sizes.
func (s *Slabs) spare() {
	if u := len(s.rest) / unitBytes; u > 0 {
		s.free[u] = append(s.free[u], unsafe.Pointer(unsafe.SliceData(s.rest)))
	}
	s.rest = nil
}

// take gets n bytes from the system, or from the Go heap if it refuses.
func (s *Slabs) take(n int) (b, whole []byte) {
	s.mapped += int64(n)
	if b, whole = mapMemory(n); b == nil {
		return make([]byte, n), nil
	}
	return b, whole
}

// put takes memory back.
func (s *Slabs) put(p unsafe.Pointer, size int) {
	u := units(size)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse -= int64(u) * unitBytes
	switch {
	case u*unitBytes <= bigBytes:
		s.free[u] = append(s.free[u], p)
		return
	case s.big[p] != nil:
		unmapMemory(s.big[p])
		delete(s.big, p)
	}
	s.mapped -= int64(u) * unitBytes
}
