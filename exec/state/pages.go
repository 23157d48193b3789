package state

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// page is a piece of a table's memory. Its content since version is the table's
// own to write; before that, a snapshot may be reading it.
type page struct {
	base    unsafe.Pointer // nil: the page was given up
	version uint32
	size    uint32
}

func (p *page) bytes() []byte { return unsafe.Slice((*byte)(p.base), p.size) }

// copyBytes copies memory without asking the collector, which knows none of it.
func copyBytes(dst, src unsafe.Pointer, n int) {
	copy(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(src), n))
}

// retention keeps pages that a table has replaced for as long as a snapshot may
// read them. Snapshots release from any goroutine.
type retention struct {
	slabs *Slabs
	// newest is the newest version that a snapshot holds, 0 for none. Only the
	// table's goroutine raises it.
	newest atomic.Uint32

	mu      sync.Mutex
	held    []uint32 // versions, ascending
	retired []retiredPage
}

// retiredPage is seen by snapshots of versions in [from, to).
type retiredPage struct {
	base     unsafe.Pointer
	size     uint32
	from, to uint32
}

func (r *retention) hold(version uint32) {
	r.mu.Lock()
	r.held = append(r.held, version)
	r.newest.Store(version)
	r.mu.Unlock()
}

func (r *retention) release(version uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, v := range r.held {
		if v == version {
			r.held = append(r.held[:i], r.held[i+1:]...)
			break
		}
	}
	newest := uint32(0)
	if n := len(r.held); n > 0 {
		newest = r.held[n-1]
	}
	r.newest.Store(newest)
	kept := r.retired[:0]
	for _, p := range r.retired {
		if r.seen(p.from, p.to) {
			kept = append(kept, p)
		} else {
			r.slabs.put(p.base, int(p.size))
		}
	}
	clear(r.retired[len(kept):])
	r.retired = kept
}

func (r *retention) seen(from, to uint32) bool {
	for _, v := range r.held {
		if v >= from && v < to {
			return true
		}
	}
	return false
}

// retire gives up a page whose content dates from its version; now is the
// table's version.
func (r *retention) retire(p page, now uint32) {
	if p.base == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen(p.version, now) {
		r.retired = append(r.retired, retiredPage{p.base, p.size, p.version, now})
		return
	}
	r.slabs.put(p.base, int(p.size))
}

// own makes a page writable: it is copied if a snapshot may be reading it.
func (r *retention) own(p *page, now uint32) {
	if r.newest.Load() >= p.version {
		base := r.slabs.get(int(p.size))
		copyBytes(base, p.base, int(p.size))
		r.retire(*p, now)
		p.base = base
	}
	p.version = now
}
