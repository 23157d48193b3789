package exec

import "sync/atomic"

// alignment is how far the slowest split of a source is in event time, over all
// tasks: what watermark_alignment goes by, and tasks that have no split which
// counts.
type alignment struct {
	least []atomic.Int64 // by task; WatermarkMax when none of its splits counts
	most  atomic.Int64   // the watermark of the split that has come furthest
}

func newAlignment(tasks int) *alignment {
	a := &alignment{least: make([]atomic.Int64, tasks)}
	for i := range a.least {
		a.least[i].Store(WatermarkMin)
	}
	a.most.Store(WatermarkMin)
	return a
}

// reached notes how far a split has come.
func (a *alignment) reached(w Watermark) {
	for {
		have := a.most.Load()
		if w <= have || a.most.CompareAndSwap(have, w) {
			return
		}
	}
}

// tell sets how far the slowest split of a task is, and returns the same for all
// of them.
func (a *alignment) tell(task int, least Watermark) Watermark {
	a.least[task].Store(least)
	for i := range a.least {
		least = min(least, a.least[i].Load())
	}
	return least
}
