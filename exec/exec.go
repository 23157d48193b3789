// Package exec runs a graph: tasks that push batches through fused chains of
// operators, exchanges between tasks, barrier alignment and watermarks. It knows
// no SQL and no catalog.
package exec

import (
	"context"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/types"
)

// Watermark is event time in microseconds: no more rows before it are expected.
// WatermarkMax means that the input has ended.
type Watermark = int64

// The ends of the watermark's range.
const (
	WatermarkMin Watermark = -1 << 63
	WatermarkMax Watermark = 1<<63 - 1
)

// Barrier cuts the stream. Everything before it belongs to epoch Epoch. When
// Checkpoint is set the cut is also a checkpoint of that number, and operators
// with durable state hand it over; otherwise only what readers may see is sealed.
type Barrier struct {
	Epoch      uint64
	Checkpoint int64 // 0: none
	// Time is what the clock said when the barrier was made, in microseconds: the
	// time of the epoch that begins with it, the same in all tasks. 0: the time
	// goes on as it was.
	Time int64
	// Final is set on the last barrier of a job that stops or drains.
	Final bool
	// Caught says, of a barrier on an edge, that all rows that were there when the
	// run began have come before it. Sources set it.
	Caught bool
}

// Output takes what an operator emits. The batch stays the operator's: it may
// be reused as soon as Emit returns.
type Output interface {
	Emit(b *batch.Batch) error
}

// Operator is one vertex of a chain, running in one task. Its methods are called
// by that task's goroutine only. The runtime merges ports: it forwards watermarks
// as the minimum over ports, barriers once aligned, and the end once every port
// has ended, each after the operator's own method returned.
type Operator interface {
	// OnBatch handles rows that came on port (0 unless the operator has several
	// inputs). It must not keep in.
	OnBatch(port int, in *batch.Batch, out Output) error
	// OnWatermark tells that event time reached w, which only grows. Operators
	// that buffer by time emit what is now complete.
	OnWatermark(w Watermark, out Output) error
	// OnEnd tells that no more rows come; OnWatermark(WatermarkMax) came before.
	OnEnd(out Output) error
}

// Stateless gives OnWatermark and OnEnd to operators that ignore them.
type Stateless struct{}

// OnWatermark does nothing.
func (Stateless) OnWatermark(Watermark, Output) error { return nil }

// OnEnd does nothing.
func (Stateless) OnEnd(Output) error { return nil }

// Retimer is an operator whose rows have an event time that it computes from that of
// its input, and may have none.
type Retimer interface {
	Operator
	// Retimed is the watermark of what it emits when that of its input is w, neither
	// the first nor the last one: it grows as w does.
	Retimed(w Watermark) Watermark
}

// Stateful is an operator that takes part in barriers. Operators over state
// tables need not implement it: the runtime seals the tables they were given.
// Those that buffer rows outside tables flush on it.
type Stateful interface {
	Operator
	// OnBarrier is called when the barrier is aligned, before it goes on.
	OnBarrier(b Barrier, out Output) error
}

// EventTime is an operator whose event time is that of some of its ports alone: the
// others do not hold the watermark back.
type EventTime interface {
	EventTime(port int) bool
}

// Counters are what a task tells about an operator, added up by the reader.
type Counters struct {
	RowsIn, RowsOut, Late, BadRows, StateRows, StateBytes int64
	// Expired counts entries of state that were forgotten because of their age,
	// Unmatched rows that took something away of which there was no state then.
	Expired, Unmatched int64
}

// Refused is a row that an operator or sink could not use.
type Refused struct {
	Operator string
	Err      error        // may be nil where the batch takes the row back
	Expr     string       // the expression that failed, "" for none
	Batch    *batch.Batch // holds the row
	Row      int
	Fields   []types.Field // of Batch; a name may be missing
}

// BadRow takes refused rows by the job's bad-data policy: it returns an error when
// the policy is to fail. A row that its batch takes back was refused before, if not in
// this run then in one that the state is from. It must not keep the batch.
type BadRow func(ctx context.Context, r *Refused) error

// Aside is where a task keeps rows that it could not use until a checkpoint
// covers them.
type Aside interface {
	// Cut is called at each barrier. At a checkpoint's it returns what is needed to keep
	// what came since the last one's for good, nil when nothing came.
	Cut(b Barrier) ([]byte, error)
	Close() error
}
