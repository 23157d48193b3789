package exec

import (
	"context"
	"sync"
	"testing"
)

// TestMailboxDelivers sends more than queues take, holds senders back at their
// barriers as a task does, and checks that all comes, in each sender's order, and that
// nobody waits for ever.
func TestMailboxDelivers(t *testing.T) {
	const senders, messages, between = 3, 3000, 7
	m := newMailbox(&task{})
	for range senders {
		m.addSender(&task{})
	}
	var wait sync.WaitGroup
	for s := range senders {
		wait.Go(func() {
			for i := range messages {
				msg := message{kind: watermarkMessage, watermark: Watermark(i)}
				if i%between == between-1 {
					msg.kind = barrierMessage
				}
				if err := m.send(s, msg); err != nil {
					t.Errorf("sender %d, message %d: %v", s, i, err)
				}
			}
			m.flush(s)
		})
	}
	var next [senders]int
	barriers := 0
	for range senders * messages {
		s, msg, ok := m.receive(true)
		if !ok || int(msg.watermark) != next[s] {
			t.Fatalf("message %d of sender %d came (%t), want %d", msg.watermark, s, ok, next[s])
		}
		next[s]++
		if msg.kind != barrierMessage {
			continue
		}
		if barriers++; barriers%senders != 0 {
			m.hold(s)
		} else {
			m.release()
		}
	}
	wait.Wait()
	if _, _, ok := m.receive(false); ok {
		t.Error("there is more than was sent")
	}
}

// TestMailboxCloseFreesSenders checks that senders that wait for room fail when the
// mailbox is closed.
func TestMailboxCloseFreesSenders(t *testing.T) {
	m := newMailbox(&task{})
	m.addSender(&task{})
	failed := make(chan error)
	go func() {
		for {
			if err := m.send(0, message{}); err != nil {
				failed <- err
				return
			}
		}
	}()
	m.receive(true)
	m.close()
	if err := <-failed; err != context.Canceled {
		t.Errorf("a sender fails with %v", err)
	}
}
