package memory

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// heap reads what the Go heap takes and sets how much it may.
type heap struct {
	samples []metrics.Sample
	limit   int64 // that was set last
}

func newHeap() heap {
	return heap{samples: []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}}
}

// read is the bytes of objects, with those that are to be collected, and of those that
// the last collection found in use.
func (h *heap) read() (objects, live int64) {
	metrics.Read(h.samples)
	return int64(h.samples[0].Value.Uint64()), int64(h.samples[1].Value.Uint64())
}

// objectsAreGarbage collects, and reports whether a look that found the process over its
// limit would not any more.
func (h *heap) objectsAreGarbage(s *seen, outside int64) bool {
	runtime.GC()
	objects, live := h.read()
	s.used, s.live = outside+objects, outside+live
	return !s.over()
}

const (
	heapLimitMin  = 64 << 20 // the collector is never asked to keep less
	heapLimitStep = 32 << 20 // changes below it are not worth a word
)

// tune gives the collector what the rest of the process leaves of the limit, so that it
// works the harder the less there is.
func (h *heap) tune(left int64) {
	left = max(left, heapLimitMin)
	if d := left - h.limit; h.limit == 0 || d > heapLimitStep || d < -heapLimitStep {
		h.limit = left
		debug.SetMemoryLimit(left)
	}
}

// Untune takes the limit of the collector away.
func (p *Pool) Untune() {
	if p != nil && p.heap.limit != 0 {
		debug.SetMemoryLimit(math.MaxInt64)
	}
}
