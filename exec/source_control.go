package exec

import (
	"context"
	"time"

	"github.com/millrace/millrace/connector"
)

// fencePatience is how long a barrier waits for a source to come to its fence.
const fencePatience = 10 * time.Second

// control is a request to a source task.
type control struct {
	barrier *Barrier
	splits  []SplitState
	drain   bool
	// catchUp delays the barrier until each split has once had nothing more to deliver,
	// in a source that catches up, or that a gate waits for: sources behind it catch up
	// no sooner. And it delays it until constant rows have come.
	catchUp bool
	came    time.Time
}

// handleControl does what was asked without waiting for requests.
func (s *sourceTask) handleControl(ctx context.Context) error {
	s.task.steps.Add(2)
	for {
		select {
		case c := <-s.control:
			if err := s.do(ctx, c); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (s *sourceTask) do(ctx context.Context, c control) error {
	if c.drain {
		s.draining = true
	}
	if len(c.splits) > 0 {
		if err := s.open(ctx, c.splits); err != nil {
			return err
		}
	}
	if c.barrier == nil {
		return nil
	}
	if c.catchUp {
		for _, sp := range s.splits {
			sp.caughtUp = sp.state.Ended || !s.in.CatchesUp && (sp.reachedEnd || !s.awaited)
		}
	}
	c.came = s.task.run.opt.Clock.Now()
	s.waiting = append(s.waiting, c)
	return s.releaseBarriers()
}

// releaseBarriers sends on the barriers that need not wait any longer, in order.
func (s *sourceTask) releaseBarriers() error {
	for len(s.waiting) > 0 {
		c := s.waiting[0]
		if c.catchUp && !s.draining {
			if s.isHeld() { // those that wait for it wait for what opens its gate, too
				return nil
			}
			for _, sp := range s.splits {
				if there, reached := sp.fence(); there && reached {
					sp.caughtUp, sp.reachedEnd = true, true
				}
				if !sp.caughtUp {
					return nil
				}
			}
			if s.in.Source == nil && !s.ended { // constant rows are to come yet
				return nil
			}
		}
		if c.catchUp && s.in.Watermark != nil && s.in.CatchesUp {
			if caught, err := s.tellTime(c.barrier.Epoch); !caught || err != nil {
				return err
			}
		}
		if s.isShort(c) {
			return nil
		}
		s.waiting = s.waiting[1:]
		b := *c.barrier
		b.Caught = s.hasCaughtUp()
		if err := s.tellPosition(); err != nil {
			return err
		}
		if err := s.task.barrier(b); err != nil {
			return err
		}
	}
	return nil
}

// isShort reports whether a split is to be read up to its fence first. Those that are not
// waited for may go on.
func (s *sourceTask) isShort(c control) bool {
	wait := !s.draining && !s.isHeld() && s.task.run.opt.Clock.Now().Sub(c.came) < fencePatience
	for _, sp := range s.splits {
		if there, reached := sp.fence(); wait && there && !reached && !s.ahead(sp) {
			return true
		}
	}
	for _, sp := range s.splits {
		if f, ok := sp.reader.(connector.Fenced); ok {
			f.Pass()
		}
	}
	return false
}

// fence reports whether the split has a fence, and has come to it.
func (sp *split) fence() (there, reached bool) {
	if f, ok := sp.reader.(connector.Fenced); ok {
		return f.Fence()
	}
	return false, false
}

// state is where the splits stand now.
func (s *sourceTask) state() *SourceState {
	if s.in.Source == nil {
		return &SourceState{Splits: []SplitState{{ID: "values", Ended: s.ended}}}
	}
	st := &SourceState{Splits: make([]SplitState, len(s.splits))}
	for i, sp := range s.splits {
		if sp.reader != nil {
			sp.state.Offset = append([]byte(nil), sp.reader.Offset()...)
		}
		st.Splits[i] = sp.state
	}
	return st
}
