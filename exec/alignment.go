package exec

import "sync/atomic"

// alignment is how far the slowest split of a source is in event time, over all
// tasks: what watermark_alignment goes by, and tasks that have no split which
// counts.
type alignment struct {
	least []atomic.Int64 // by task; WatermarkMax when none of its splits counts
	most  atomic.Int64   // the watermark of the split that has come furthest
	// caught is, by task, the last barrier that it sent on after it had caught up and
	// had told how far it was; without splits it has always.
	caught []atomic.Uint64
}

func newAlignment(tasks int) *alignment {
	a := &alignment{least: make([]atomic.Int64, tasks), caught: make([]atomic.Uint64, tasks)}
	for i := range a.least {
		a.least[i].Store(WatermarkMin)
	}
	a.most.Store(WatermarkMin)
	return a
}

// allCaught reports whether all tasks but one have caught up for a barrier.
func (a *alignment) allCaught(but int, epoch uint64) bool {
	for i := range a.caught {
		if i != but && a.caught[i].Load() < epoch {
			return false
		}
	}
	return true
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

// tellTime moves the watermark to where the splits have come before a barrier that
// waited for them: after a restart there may be a watermark but no row. A task without
// splits goes by the others' watermarks, and has to wait until those have caught up.
func (s *sourceTask) tellTime(epoch uint64) (caught bool, err error) {
	if len(s.splits) == 0 && !s.draining && !s.marks.allCaught(s.task.index, epoch) {
		return false, nil
	}
	if err := s.advance(); err != nil {
		return false, err
	}
	if len(s.splits) > 0 {
		s.marks.caught[s.task.index].Store(epoch)
	}
	return true, nil
}
