package background

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSlotsBound checks that no more compute at a time than there are slots, that all
// have their turn, and that the slots are free in the end.
func TestSlotsBound(t *testing.T) {
	o := &Slots{free: 2, overdue: time.Hour}
	var now, most atomic.Int32
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			s := o.Slot()
			for range 200 {
				s.Enter()
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				now.Add(-1)
				s.Leave()
			}
		})
	}
	wait.Wait()
	if most.Load() > 2 || o.free != 2 || len(o.holders) != 0 || o.waiting.Load() != 0 {
		t.Errorf("%d at a time; %d free, %d holders, %d waiting", most.Load(), o.free, len(o.holders), o.waiting.Load())
	}
}

// TestSlotsGiveWay checks that a holder whose turn is over lets others in.
func TestSlotsGiveWay(t *testing.T) {
	o := &Slots{free: 1, overdue: time.Hour}
	first, second := o.Slot(), o.Slot()
	first.Enter()
	in := make(chan struct{})
	go func() {
		second.Enter()
		close(in)
		second.Leave()
	}()
	for done := false; !done; {
		first.GiveWay()
		select {
		case <-in:
			done = true
		default:
		}
	}
	first.Leave()
	if o.free != 1 {
		t.Errorf("%d free", o.free)
	}
}

// TestSlotsLend checks that those who hold a slot and wait for something else do not keep
// others out, and that the slots are as many as before once they are done.
func TestSlotsLend(t *testing.T) {
	o := &Slots{free: 2, overdue: time.Millisecond}
	stuck := []*Slot{o.Slot(), o.Slot()}
	for _, s := range stuck {
		s.Enter()
	}
	for range 3 {
		s := o.Slot()
		s.Enter()
		s.Leave()
	}
	stuck[0].GiveWay()
	for _, s := range stuck {
		s.Leave()
	}
	if o.free != 2 || len(o.holders) != 0 || stuck[0].lent.Load() {
		t.Errorf("%d free, %d holders", o.free, len(o.holders))
	}
}
