package exec

import (
	"context"
	"sync"

	"github.com/millrace/millrace/batch"
)

type messageKind uint8

const (
	batchMessage messageKind = iota
	watermarkMessage
	idleMessage
	barrierMessage
	endMessage
	positionMessage
)

// message is what travels between tasks.
type message struct {
	kind      messageKind
	batch     *batch.Batch
	watermark Watermark
	idle      bool
	barrier   Barrier
	position  uint64
}

// queueMessages is how many messages one sender may have under way to one
// receiver: enough to keep both busy, few enough that a barrier is not stuck
// behind much data.
const queueMessages = 8

// wakeMessages is how many messages, or how much room for them, wake whoever waits for
// one: waking up costs more than a message does.
const wakeMessages = queueMessages / 2

// batchesUnderWay is how many batches one sender and its receiver have between them: those
// in the queue, the one that is being filled and the one that is being read. With room for
// less, batches would be dropped whenever a full queue is emptied, and made anew.
const batchesUnderWay = queueMessages + 2

// mailbox is the receiving side of a task's exchanges: one bounded queue per
// sender, so that a sender whose barrier has come can be held back while the
// others catch up.
type mailbox struct {
	mu       sync.Mutex
	receiver *task
	notEmpty sync.Cond
	queues   []*queue
	next     int // where the round-robin goes on
	closed   bool
}

type queue struct {
	sender  *task
	notFull sync.Cond
	ring    [queueMessages]message
	head, n int
	held    bool           // its barrier came; nothing more is taken until release
	free    []*batch.Batch // emptied batches on their way back to the sender
}

func newMailbox(receiver *task) *mailbox {
	m := &mailbox{receiver: receiver}
	m.notEmpty.L = &m.mu
	return m
}

// addSender makes a queue for one more sender, and returns its number.
func (m *mailbox) addSender(sender *task) int {
	q := &queue{sender: sender}
	q.notFull.L = &m.mu
	m.queues = append(m.queues, q)
	return len(m.queues) - 1
}

// send puts a message into the sender's queue and waits while it is full. It
// returns context.Canceled once the mailbox is closed.
func (m *mailbox) send(sender int, msg message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queues[sender]
	for q.n == queueMessages && !m.closed {
		m.wait(&q.notFull, q.sender)
	}
	if m.closed {
		return context.Canceled
	}
	q.ring[(q.head+q.n)%queueMessages] = msg
	q.n++
	if q.n >= wakeMessages || msg.kind != batchMessage && msg.kind != watermarkMessage && msg.kind != positionMessage {
		wake(&m.notEmpty, m.receiver)
	}
	return nil
}

// wait lets t wait until wake is called for it, or shorter.
func (m *mailbox) wait(c *sync.Cond, t *task) {
	if t.worker == nil {
		c.Wait()
		return
	}
	m.mu.Unlock()
	t.yield(struct{}{})
	m.mu.Lock()
}

// wake ends t's waiting.
func wake(c *sync.Cond, t *task) {
	if t.worker == nil {
		c.Signal()
		return
	}
	t.worker.ring()
}

// flush wakes the receiver if the sender has put anything into its queue.
func (m *mailbox) flush(sender int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queues[sender].n > 0 {
		wake(&m.notEmpty, m.receiver)
	}
}

// spare returns a batch that the receiver has emptied, or nil.
func (m *mailbox) spare(sender int) *batch.Batch {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queues[sender]
	if len(q.free) == 0 {
		return nil
	}
	b := q.free[len(q.free)-1]
	q.free = q.free[:len(q.free)-1]
	return b
}

// recycle hands a batch back to the sender it came from.
func (m *mailbox) recycle(sender int, b *batch.Batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queues[sender]
	if len(q.free) < batchesUnderWay {
		q.free = append(q.free, b)
	}
}

// receive takes the next message of any sender that is not held. With block
// unset it returns ok == false when there is none; with it set, only when the
// mailbox was closed.
func (m *mailbox) receive(block bool) (sender int, msg message, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		for i := range m.queues {
			s := (m.next + i) % len(m.queues)
			q := m.queues[s]
			if q.n == 0 || q.held {
				continue
			}
			msg = q.ring[q.head]
			q.ring[q.head] = message{}
			q.head = (q.head + 1) % queueMessages
			q.n--
			m.next = s + 1
			if q.n == queueMessages-wakeMessages {
				wake(&q.notFull, q.sender)
			}
			return s, msg, true
		}
		if !block || m.closed {
			return 0, message{}, false
		}
		m.wait(&m.notEmpty, m.receiver)
	}
}

// hold stops taking from a sender until release.
func (m *mailbox) hold(sender int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queues[sender].held = true
}

// release lets all senders through again.
func (m *mailbox) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.queues {
		m.queues[i].held = false
	}
}

// close wakes everybody up; senders then fail and receivers get what is left.
func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	wake(&m.notEmpty, m.receiver)
	for _, q := range m.queues {
		wake(&q.notFull, q.sender)
	}
}
