package exec

import (
	"context"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"sync/atomic"
)

// task runs the operators of one stage for one share of the keys. It is driven
// by its source or by its mailbox.
type task struct {
	run    *Run
	stage  int
	index  int
	nodes  []*node // topological; nodes[0] is the head
	source *sourceTask
	box    *mailbox
	ports  []int // of each sender: the head's port it feeds
	report Report
	steps  atomic.Int64 // see Progress

	// Of a task that a worker runs: how it is let go on and how it lets others, what it
	// waits for besides messages, and which of that came, -1 for none, with what.
	worker   *worker
	resume   func() (struct{}, bool)
	yield    func(struct{}) bool
	awaited  []reflect.SelectCase
	chosen   int
	received reflect.Value

	senderWatermarks []Watermark
	senderIdle       []bool
	senderBarriers   int
	senderCaught     []bool // of each sender's last barrier
	senderEnds       []bool
	senderPositions  []uint64

	marks []Watermark // of one port's senders, to be merged
	idle  []bool
}

func (t *task) mailbox() *mailbox {
	if t.box == nil {
		t.box = newMailbox(t)
	}
	return t.box
}

// addSender makes room for a sender that feeds the head's port, and returns the
// number of its queue.
func (t *task) addSender(sender *task, port int) int {
	t.ports = append(t.ports, port)
	t.senderWatermarks = append(t.senderWatermarks, WatermarkMin)
	t.senderIdle = append(t.senderIdle, false)
	t.senderEnds = append(t.senderEnds, false)
	t.senderPositions = append(t.senderPositions, 0)
	t.senderCaught = append(t.senderCaught, false)
	return t.box.addSender(sender)
}

// endUnfed ends the head's ports that nobody sends to: an input in fewer tasks goes
// forward to the first ones alone.
func (t *task) endUnfed() {
	if t.box == nil {
		return
	}
	head := t.nodes[0]
	for p := range head.watermarks {
		if !slices.Contains(t.ports, p) {
			head.watermarks[p] = WatermarkMax
			head.positions[p] = positionUnlimited
			head.ends++
		}
	}
}

// main runs the task to its end. A panic in an operator fails this job only.
func (t *task) main(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.run.opt.Log.Error("task panicked", "stage", t.stage, "task", t.index, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("task %d of stage %d: internal error: %v", t.index, t.stage, p)
		}
	}()
	if err := t.restoreWatermarks(); err != nil {
		return err
	}
	if t.source != nil {
		return t.source.main(ctx)
	}
	return t.receive(ctx)
}

// restoreWatermarks tells each operator the event time it had reached, so that
// lateness is judged as before: WatermarkMin when it had reached none, so that
// restored operators can tell this call from the first advance.
func (t *task) restoreWatermarks() error {
	for i, n := range t.nodes {
		if i == 0 && t.source != nil {
			continue // the splits' own watermarks flow through again
		}
		w, ok := t.run.opt.Watermarks[n.spec.ID]
		if !ok {
			w = WatermarkMin
		}
		for p := range n.watermarks {
			if n.watermarks[p] != WatermarkMax { // a port without event time
				n.watermarks[p] = w
			}
		}
		n.watermark = w
		if err := n.op.OnWatermark(w, n); err != nil {
			return n.wrap(err)
		}
	}
	return t.retellWatermarks()
}

// retellWatermarks tells the operators after each one what it had told them before the
// state was saved: each has kept the least of its inputs only, and will not tell again
// what it had reached then.
func (t *task) retellWatermarks() error {
	for i, n := range t.nodes {
		if i == 0 && t.source != nil || n.watermark == WatermarkMin {
			continue
		}
		if err := n.tell(n.watermark); err != nil {
			return err
		}
		for _, x := range n.sends {
			if err := x.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// receive drives the head from the mailbox until the job is stopped.
func (t *task) receive(ctx context.Context) error {
	head := t.nodes[0]
	for n := 1; ctx.Err() == nil; n++ {
		if n%turn == 0 {
			t.pause()
		}
		t.makeWay()
		sender, msg, ok := t.box.receive(false)
		if !ok {
			if err := head.flush(); err != nil {
				return err
			}
			if sender, msg, ok = t.box.receive(true); !ok {
				return ctx.Err()
			}
		}
		if err := t.handle(sender, msg); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// handle deals with a message.
func (t *task) handle(sender int, msg message) error {
	t.steps.Add(1)
	defer t.steps.Add(1)
	switch msg.kind {
	case batchMessage:
		if err := t.nodes[0].onBatch(t.ports[sender], msg.batch); err != nil {
			return err
		}
		msg.batch.Reset()
		t.box.recycle(sender, msg.batch)
		return nil
	case watermarkMessage:
		t.senderWatermarks[sender] = msg.watermark
		return t.advance(t.ports[sender])
	case idleMessage:
		t.senderIdle[sender] = msg.idle
		return t.advance(t.ports[sender])
	case positionMessage:
		return t.onPosition(sender, msg.position)
	case barrierMessage:
		return t.onBarrier(sender, msg.barrier)
	default:
		return t.onEnd(sender)
	}
}

// advance merges the senders of one port.
func (t *task) advance(port int) error {
	t.marks, t.idle = t.marks[:0], t.idle[:0]
	for s, p := range t.ports {
		if p == port {
			t.marks, t.idle = append(t.marks, t.senderWatermarks[s]), append(t.idle, t.senderIdle[s])
		}
	}
	w, idle := merged(t.marks, t.idle)
	if err := t.nodes[0].onWatermark(port, w); err != nil {
		return err
	}
	return t.nodes[0].onIdle(port, idle)
}

// onBarrier holds the sender back until the barrier has come from all of them.
func (t *task) onBarrier(sender int, b Barrier) error {
	t.senderCaught[sender] = b.Caught
	t.openGate(t.ports[sender])
	t.senderBarriers++
	if t.senderBarriers < len(t.ports) {
		t.box.hold(sender)
		return nil
	}
	t.senderBarriers = 0
	b.Caught = !slices.Contains(t.senderCaught, false)
	if err := t.barrier(b); err != nil {
		return err
	}
	t.box.release()
	return nil
}

// openGate opens the gate of the head if that goes by the port and what was there has
// come from all its senders. It does so before the barrier is aligned: the other
// port's may wait for rows behind the gate.
func (t *task) openGate(port int) {
	if g := t.nodes[0].gate; g == nil || g.port != port {
		return
	}
	for s, p := range t.ports {
		if p == port && !t.senderCaught[s] {
			return
		}
	}
	t.nodes[0].passGate()
}

// barrier takes the task's operators through an aligned barrier and hands over
// the report.
func (t *task) barrier(b Barrier) error {
	t.report = Report{Barrier: b, Stage: t.stage, Task: t.index}
	head := t.nodes[0]
	for range head.watermarks {
		if err := head.onBarrier(b); err != nil {
			t.report.Release()
			return err
		}
	}
	t.run.opt.OnReport(t.report)
	return nil
}

func (t *task) onEnd(sender int) error {
	if t.senderEnds[sender] {
		return nil
	}
	port := t.ports[sender]
	t.senderEnds[sender], t.senderCaught[sender] = true, true
	t.openGate(port)
	for s, p := range t.ports {
		if p == port && !t.senderEnds[s] {
			return nil
		}
	}
	if err := t.nodes[0].onEnd(); err != nil {
		return err
	}
	if t.nodes[0].ended {
		t.run.taskEnded()
	}
	return nil
}
