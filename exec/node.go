package exec

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/exec/state"
	"github.com/millrace/millrace/planner/graph"
)

// node is an operator in a task: it merges the ports, counts, seals state at
// barriers, and hands what the operator emits to the operators after it.
type node struct {
	spec    *graph.Operator
	op      Operator
	tables  map[string]*state.Table
	view    bool // its table is read by others at every barrier
	sink    *sinkWriter
	retimer Retimer // nil: event time is that of the inputs
	task    *task
	nodes   []portRef   // next operators in this task
	sends   []*exchange // next operators in other tasks

	watermarks []Watermark // per port
	watermark  Watermark
	idlePorts  []bool
	idle       bool // all ports that event time goes by are
	barriers   int
	ends       int
	ended      bool

	gate      *gate    // holds sources back until a port has caught up; nil: none
	passed    bool     // it has
	positions []uint64 // per port: all rows up to here have come
	position  uint64
	at        *atomic.Uint64 // of the gate's port, for the sources held back
	looked    bool           // rows come to the right of a lookup join

	counters liveCounters
	counted  *Counters // what the operator counts itself, nil for nothing
	aside    Aside     // rows it could not use, nil for none
}

// liveCounters are written by one task and read by anyone.
type liveCounters struct{ rowsIn, rowsOut atomic.Int64 }

type portRef struct {
	node *node
	port int
}

// Emit implements Output: the operators downstream see the batch at once.
func (n *node) Emit(b *batch.Batch) error {
	live := b.Live()
	if live == 0 {
		return nil
	}
	if n.task.run.stopped.Load() { // one batch may come to billions of rows
		return context.Canceled
	}
	n.counters.rowsOut.Add(int64(live))
	for _, d := range n.nodes {
		if err := d.node.onBatch(d.port, b); err != nil {
			return err
		}
	}
	for _, x := range n.sends {
		if err := x.onBatch(b); err != nil {
			return fmt.Errorf("send from %s: %w", n.spec.ID, err)
		}
	}
	return nil
}

func (n *node) onBatch(port int, b *batch.Batch) error {
	n.counters.rowsIn.Add(int64(b.Live()))
	if err := n.op.OnBatch(port, b, n); err != nil {
		return n.wrap(err)
	}
	return nil
}

// pass sends on a batch that the source read.
func (n *node) pass(b *batch.Batch) error { return n.Emit(b) }

func (n *node) wrap(err error) error {
	if _, ok := err.(*OperatorError); ok {
		return err
	}
	return &OperatorError{Operator: n.spec.ID, Err: err}
}

// OperatorError names the operator in which a job failed.
type OperatorError struct {
	Operator string
	Err      error
}

// Error names the operator first.
func (e *OperatorError) Error() string { return e.Operator + ": " + e.Err.Error() }

// Unwrap returns the operator's own error.
func (e *OperatorError) Unwrap() error { return e.Err }

// onWatermark notes how far a port has come.
func (n *node) onWatermark(port int, w Watermark) error {
	if w <= n.watermarks[port] {
		return nil
	}
	n.watermarks[port] = w
	return n.advance()
}

// advance merges the ports and, if event time or idleness has changed, tells the
// operator and the ones after it.
func (n *node) advance() error {
	w, idle := merged(n.watermarks, n.idlePorts)
	if n.idle && !idle {
		if err := n.tellIdle(false); err != nil {
			return err
		}
	}
	if w > n.watermark {
		n.watermark = w
		if err := n.op.OnWatermark(w, n); err != nil {
			return n.wrap(err)
		}
		if err := n.tell(w); err != nil {
			return err
		}
	}
	if idle && !n.idle {
		return n.tellIdle(true)
	}
	return nil
}

// tell sends the operators after it the node's watermark, less what its rows may be
// behind.
func (n *node) tell(w Watermark) error {
	if lag := n.spec.Lag(); lag != 0 && w != WatermarkMin && w != WatermarkMax {
		w = max(w-lag, WatermarkMin+1)
	}
	if n.retimer != nil && w != WatermarkMin && w != WatermarkMax {
		w = n.retimer.Retimed(w)
	}
	for _, d := range n.nodes {
		if err := d.node.onWatermark(d.port, w); err != nil {
			return err
		}
	}
	for _, x := range n.sends {
		if err := x.onWatermark(w); err != nil {
			return err
		}
	}
	return nil
}

// flush pushes out what exchanges hold back.
func (n *node) flush() error {
	for _, d := range n.nodes {
		if err := d.node.flush(); err != nil {
			return err
		}
	}
	for _, x := range n.sends {
		if err := x.flush(); err != nil {
			return err
		}
	}
	return nil
}

// onBarrier counts the ports; with the last one the operator's state is sealed
// into the task's report and the barrier goes on.
func (n *node) onBarrier(b Barrier) error {
	n.barriers++
	if n.barriers < len(n.watermarks) {
		return nil
	}
	n.barriers = 0
	if b.Caught {
		n.passGate()
	}
	if s, ok := n.op.(Stateful); ok {
		if err := s.OnBarrier(b, n); err != nil {
			return n.wrap(err)
		}
	}
	if err := n.seal(b); err != nil {
		return n.wrap(err)
	}
	for _, d := range n.nodes {
		if err := d.node.onBarrier(b); err != nil {
			return err
		}
	}
	for _, x := range n.sends {
		if err := x.broadcast(message{kind: barrierMessage, barrier: b}); err != nil {
			return err
		}
	}
	return nil
}

// seal adds the operator's part to the task's report on the barrier.
func (n *node) seal(b Barrier) error {
	var aside []byte
	if n.aside != nil {
		var err error
		if aside, err = n.aside.Cut(b); err != nil {
			return err
		}
	}
	if b.Checkpoint == 0 && !n.view {
		return nil
	}
	snap := OperatorSnapshot{ID: n.spec.ID, Kind: n.spec.Kind, Task: n.task.index, Watermark: n.watermark, View: n.view, Aside: aside}
	if n.counted != nil {
		snap.Counters = *n.counted
	}
	for _, t := range n.tables {
		snap.Counters.StateRows += int64(t.Len())
		snap.Counters.StateBytes += t.Size()
	}
	if len(n.tables) > 0 {
		snap.Tables = make(map[string]*state.Snapshot, len(n.tables))
		for name, t := range n.tables {
			snap.Tables[name] = t.Seal(b.Epoch)
		}
	}
	if n.sink != nil && b.Checkpoint != 0 {
		committable, err := n.sink.preCommit(b)
		if err != nil {
			return fmt.Errorf("pre-commit: %w", err)
		}
		snap.Committable = committable
	}
	if n.task.source != nil && n == n.task.nodes[0] {
		snap.Source = n.task.source.state()
		if f := n.task.source.in.Undecodable; f != nil {
			snap.Counters.BadRows += f()
		}
	}
	n.task.report.Operators = append(n.task.report.Operators, snap)
	return nil
}

// onEnd counts the ports; with the last one the operator finishes and the end
// goes on.
func (n *node) onEnd() error {
	n.ends++
	if n.ends < len(n.watermarks) || n.ended {
		return nil
	}
	n.ended = true
	if err := n.op.OnEnd(n); err != nil {
		return n.wrap(err)
	}
	for _, d := range n.nodes {
		if err := d.node.onEnd(); err != nil {
			return err
		}
	}
	for _, x := range n.sends {
		if err := x.broadcast(message{kind: endMessage}); err != nil {
			return err
		}
	}
	return nil
}
