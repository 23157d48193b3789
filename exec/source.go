package exec

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"sort"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/types"
)

// idlePoll is how long a source without news waits before it asks its readers
// again.
const idlePoll = 20 * time.Millisecond

// SourceInput is what a source operator of one task needs.
type SourceInput struct {
	Source connector.Source
	Want   []int        // relation columns to read, in the order of Layout
	Layout []types.Phys // of the wanted columns
	// Project turns a physical batch into the operator's output; nil: as it is.
	Project func(in *batch.Batch) (*batch.Batch, error)
	// Watermark computes the watermark that each output row announces; nil when
	// nothing downstream asks for event time.
	Watermark func(out *batch.Batch) (*batch.Column, error)
	// Tick moves the time that Project sees on to now, never back, and returns it;
	// it may be nil.
	Tick func() Watermark
	// ProcTime says that the watermark is the clock: rows have the time of their
	// batch in TimeColumn, and time goes on when none come.
	ProcTime bool
	// TimeColumn is the output column with event time, -1 for none.
	TimeColumn    int
	IdleTimeout   time.Duration // 0: never idle
	RowsPerSecond float64       // 0: no limit; of this task
	// Alignment is how far a split may run ahead of the slowest one of all tasks
	// in event time; 0: any distance. Splits without news do not count.
	Alignment time.Duration
	// CatchesUp says that a barrier with catch-up waits for this source: what it
	// reads was written through this server.
	CatchesUp bool
	Splits    []SplitState
	// Counters are of the expressions in Project and Watermark, Aside has the rows
	// that they refused; both may be nil.
	Counters *Counters
	Aside    Aside
	// Undecodable counts the rows that the source's readers could not decode, in
	// all tasks: it is given to one of them. It may be nil.
	Undecodable func() int64
}

// sourceTask drives a task from the splits of its source.
type sourceTask struct {
	task    *task
	in      SourceInput
	node    *node
	control chan control
	splits  []*split
	out     *batch.Batch
	piece   batch.Batch // a cut of the projected batch
	sel     []uint16

	watermark Watermark
	told      Watermark // what exchanges have sent on of it
	ended     bool
	draining  bool
	waiting   []control // barriers that wait for splits to catch up
	started   time.Time
	rows      int64
	turns     []*split // those to read in this round
	turn      int      // the one to read next
	alignment *alignment
	marks     *alignment    // the tasks' watermarks
	slowest   Watermark     // of the splits of all tasks
	gates     []*gate       // nothing is read while one is closed, or beyond what has come to it
	awaited   bool          // a gate of other sources waits for this one
	bell      chan struct{} // rung when something has come to a gate
}

// split is one split being read.
type split struct {
	state    SplitState
	reader   connector.Reader
	idle     bool
	caughtUp bool
	// reachedEnd says that it has once had nothing more to deliver, or never will.
	reachedEnd bool
	lastRow    time.Time
}

func (s *sourceTask) main(ctx context.Context) error {
	defer s.close()
	s.watermark, s.told = WatermarkMin, WatermarkMin
	s.started = s.task.run.opt.Clock.Now()
	s.out = batch.New(s.in.Layout, 0)
	if err := s.open(ctx, s.in.Splits); err != nil {
		return err
	}
	if s.task.run.unopened.Add(-1) == 0 {
		close(s.task.run.opened)
	}
	if err := s.letSilentTasksFirst(ctx); err != nil {
		return err
	}
	s.task.steps.Add(1)
	for n := 1; ctx.Err() == nil; n++ {
		if n%turn == 0 {
			s.task.pause()
		}
		if n%positionEvery == 0 {
			if err := s.tellPosition(); err != nil {
				return err
			}
		}
		if err := s.handleControl(ctx); err != nil {
			return err
		}
		s.takeTurns()
		s.align()
		progress, share := false, s.share()
		for i := 0; i < len(s.turns) && s.due() > 0; i++ {
			sp := s.turns[s.turn%len(s.turns)]
			s.turn = (s.turn + 1) % len(s.turns)
			if s.ahead(sp) {
				continue
			}
			s.task.makeWay()
			read, err := s.read(ctx, sp, share)
			if err != nil {
				return err
			}
			progress = progress || read
			if err := s.handleControl(ctx); err != nil {
				return err
			}
		}
		if err := s.finish(); err != nil || s.ended && s.task.run.here {
			return err
		}
		waiting := len(s.waiting)
		if err := s.releaseBarriers(); err != nil {
			return err
		}
		if !progress && len(s.waiting) == waiting {
			if err := s.advance(); err != nil {
				return err
			}
			if err := s.tellPosition(); err != nil {
				return err
			}
			if err := s.flush(); err != nil {
				return err
			}
			if err := s.wait(ctx); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// isSilent reports whether the task will never have a row to deliver.
func (s *sourceTask) isSilent() bool {
	return s.in.Source != nil && !s.in.Source.Follows() && len(s.in.Splits) == 0
}

// letSilentTasksFirst ends the task if it is silent, and else waits until those
// that are have ended. They hold event time back until then: were rows to pass
// before, it would be chance which of them are judged late.
func (s *sourceTask) letSilentTasksFirst(ctx context.Context) error {
	run := s.task.run
	if !s.isSilent() {
		s.task.await([]reflect.SelectCase{received(ctx.Done()), received(run.quiet)})
		return ctx.Err()
	}
	if err := s.finish(); err != nil {
		return err
	}
	if run.silent.Add(-1) == 0 {
		close(run.quiet)
	}
	return nil
}

// takeTurns finds the splits to be read in this round. Those that have to wait
// hold the watermark back all the same: nobody knows how old their rows are.
func (s *sourceTask) takeTurns() {
	limit := len(s.splits)
	if staged, ok := s.in.Source.(connector.Staged); ok {
		limit = staged.AtOnce()
	}
	clear(s.turns)
	s.turns = s.turns[:0]
	for _, sp := range s.splits {
		if len(s.turns) == limit {
			break
		}
		if sp.reader != nil {
			s.turns = append(s.turns, sp)
		}
	}
}

// open starts readers for splits that this task has been given.
func (s *sourceTask) open(ctx context.Context, states []SplitState) error {
	now := s.task.run.opt.Clock.Now()
	for _, st := range states {
		sp := &split{state: st, lastRow: now}
		if e, ok := s.in.Source.(connector.Endless); ok && e.Endless() {
			sp.reachedEnd = true
		}
		s.marks.reached(st.Watermark)
		if !st.Ended && s.in.Source != nil {
			r, err := s.in.Source.Open(ctx, connector.Split{ID: st.ID, Data: st.Data}, st.Offset, s.in.Want)
			if err != nil {
				return s.node.wrap(fmt.Errorf("open split %s: %w", st.ID, err))
			}
			sp.reader = r
		}
		s.splits = append(s.splits, sp)
	}
	if caught := &s.marks.caught[s.task.index]; len(s.splits) == 0 {
		caught.Store(math.MaxUint64)
	} else if caught.Load() == math.MaxUint64 {
		caught.Store(0)
	}
	sort.SliceStable(s.splits, func(i, j int) bool { return s.splits[i].state.ID < s.splits[j].state.ID })
	if len(states) > 0 {
		s.ended = false
	}
	return nil
}

func (s *sourceTask) close() {
	for _, sp := range s.splits {
		if sp.reader != nil {
			sp.reader.Close()
		}
	}
}

// due is how many rows the rate limit lets through now.
func (s *sourceTask) due() int {
	if s.in.RowsPerSecond == 0 {
		return s.task.run.opt.BatchRows
	}
	return int(s.task.run.opt.Clock.Now().Sub(s.started).Seconds()*s.in.RowsPerSecond) - int(s.rows)
}

// share is how many rows each split may deliver in this round. A limited rate is
// divided among the splits: if the first ones took it all, the others would hold
// the watermark back.
func (s *sourceTask) share() int {
	if s.in.RowsPerSecond == 0 {
		return s.task.run.opt.BatchRows
	}
	active := 0
	for _, sp := range s.turns {
		if !sp.idle {
			active++
		}
	}
	return min(max(s.due()/max(active, 1), 1), s.task.run.opt.BatchRows)
}

// align tells the other tasks how far the slowest split is in event time, and
// finds out how far the slowest of all is.
func (s *sourceTask) align() {
	if s.in.Alignment == 0 || s.in.Watermark == nil {
		return
	}
	least := WatermarkMax
	for _, sp := range s.turns {
		if !sp.idle {
			least = min(least, sp.state.Watermark)
		}
	}
	s.slowest = s.alignment.tell(s.task.index, least)
}

// ahead reports whether a split is to wait for slower ones.
func (s *sourceTask) ahead(sp *split) bool {
	if s.in.Alignment == 0 || s.in.Watermark == nil || sp.state.Watermark <= s.slowest {
		return false
	}
	return s.slowest == WatermarkMin || sp.state.Watermark-s.slowest > s.in.Alignment.Microseconds()
}

// read delivers at most limit rows of a split and reports whether there were any.
func (s *sourceTask) read(ctx context.Context, sp *split, limit int) (bool, error) {
	if sp.reader == nil || s.draining || s.isHeld() {
		return false, nil
	}
	s.out.Reset()
	limited := s.limit(sp)
	status, err := sp.reader.Read(ctx, s.out, limit)
	if err != nil {
		return false, s.node.wrap(fmt.Errorf("read split %s: %w", sp.state.ID, err))
	}
	sp.idle = status == connector.Idle
	sp.caughtUp = sp.caughtUp || status != connector.More
	sp.reachedEnd = sp.reachedEnd || status != connector.More
	if s.out.N > 0 {
		sp.idle = false
		if s.in.IdleTimeout > 0 {
			sp.lastRow = s.task.run.opt.Clock.Now()
		}
		s.rows += int64(s.out.N)
		sp.state.Rows += int64(s.out.N)
		if err := s.deliver(sp); err != nil {
			return false, err
		}
	}
	if status == connector.End {
		sp.state.Offset = append([]byte(nil), sp.reader.Offset()...) // a report may hold the old one
		sp.state.Ended = true
		sp.reader.Close()
		sp.reader = nil
	}
	return s.out.N > 0 || status == connector.End || status == connector.More && !limited, nil
}

// deliver pushes the batch just read down the chain. Rows that are behind the
// watermark their predecessors announced are judged against exactly that
// watermark, however the rows were cut into batches.
func (s *sourceTask) deliver(sp *split) error {
	b := s.out
	if err := s.setIdle(false); err != nil {
		return err
	}
	if s.in.Tick != nil {
		s.in.Tick()
	}
	if s.in.Project != nil {
		p, err := s.in.Project(b)
		if err != nil {
			return s.node.wrap(err)
		}
		b = p
	}
	if s.in.ProcTime && b.Live() > 0 {
		at := b.Cols[s.in.TimeColumn].Int[b.RowAt(0)]
		if err := s.node.pass(b); err != nil {
			return err
		}
		return s.advanceTo(at)
	}
	if s.in.Watermark == nil || b.Live() == 0 {
		return s.node.pass(b)
	}
	marks, err := s.in.Watermark(b)
	if err != nil {
		return s.node.wrap(err)
	}
	others := s.leastOther(sp)
	times := b.Cols[s.in.TimeColumn]
	from, live := 0, b.Live()
	for k := 0; k < live; k++ {
		i := b.RowAt(k)
		w := min(sp.state.Watermark, others)
		if w > s.told && !times.IsNull(i) && times.Int[i] < w && !(k > from && b.Op(i) == batch.UpdateAfter) {
			if err := s.emit(b, from, k); err != nil {
				return err
			}
			from = k
			if err := s.advanceTo(w); err != nil {
				return err
			}
			if err := s.flush(); err != nil {
				return err
			}
		}
		if !marks.IsNull(i) && marks.Int[i] > sp.state.Watermark {
			sp.state.Watermark = marks.Int[i]
		}
	}
	if err := s.emit(b, from, live); err != nil {
		return err
	}
	least := min(sp.state.Watermark, others)
	s.marks.reached(sp.state.Watermark)
	s.marks.least[s.task.index].Store(least)
	return s.advanceTo(least)
}

// flush pushes out what exchanges hold back: rows, and then the watermark that they made.
func (s *sourceTask) flush() error {
	s.told = s.watermark
	return s.node.flush()
}

// emit passes on the live rows [from, to) of b.
func (s *sourceTask) emit(b *batch.Batch, from, to int) error {
	if from == to {
		return nil
	}
	if from == 0 && to == b.Live() {
		return s.node.pass(b)
	}
	s.sel = s.sel[:0]
	for k := from; k < to; k++ {
		s.sel = append(s.sel, uint16(b.RowAt(k)))
	}
	s.piece = *b
	s.piece.Sel = s.sel
	return s.node.pass(&s.piece)
}

// leastOther is the least watermark of the other splits that count.
func (s *sourceTask) leastOther(self *split) Watermark {
	least := WatermarkMax
	var now time.Time
	for _, sp := range s.splits {
		if sp == self || sp.state.Ended {
			continue
		}
		if s.in.IdleTimeout > 0 {
			if now.IsZero() {
				now = s.task.run.opt.Clock.Now()
			}
			if now.Sub(sp.lastRow) >= s.in.IdleTimeout {
				continue
			}
		}
		least = min(least, sp.state.Watermark)
	}
	return least
}

// procTimeGrain is how coarsely a column may keep the processing time: the clock's
// watermark stays behind by as much.
const procTimeGrain = Watermark(time.Second / time.Microsecond / 1000)

// advance moves the watermark after splits went idle or ended, or with the clock.
func (s *sourceTask) advance() error {
	if s.in.ProcTime && !s.ended {
		return s.advanceTo(s.in.Tick() - procTimeGrain)
	}
	if s.in.Watermark == nil || s.ended {
		return nil
	}
	least := s.leastOther(nil)
	all := s.marks.tell(s.task.index, least)
	switch {
	case all == WatermarkMax: // all are idle or done: nothing holds back the one that has come furthest
		if err := s.advanceTo(s.marks.most.Load()); err != nil || !s.isIdle() {
			return err
		}
		return s.setIdle(true)
	case least == WatermarkMax: // no split counts here: the task must not hold the others back
		least = all
	}
	return s.advanceTo(least)
}

func (s *sourceTask) advanceTo(w Watermark) error {
	if w <= s.watermark || w == WatermarkMax {
		return nil
	}
	s.watermark = w
	return s.node.onWatermark(0, w)
}

// finish ends the stream once every split has ended and no more can come.
func (s *sourceTask) finish() error {
	if s.ended {
		return nil
	}
	if !s.draining {
		if s.in.Source == nil {
			if s.isHeld() {
				return nil
			}
			return s.end()
		}
		if s.in.Source.Follows() {
			return nil
		}
		for _, sp := range s.splits {
			if !sp.state.Ended {
				return nil
			}
		}
	}
	return s.end()
}

func (s *sourceTask) end() error {
	s.ended = true
	s.marks.least[s.task.index].Store(WatermarkMax)
	if err := s.node.onWatermark(0, WatermarkMax); err != nil {
		return err
	}
	if err := s.tellPosition(); err != nil {
		return err
	}
	if err := s.node.onEnd(); err != nil {
		return err
	}
	if err := s.node.flush(); err != nil {
		return err
	}
	s.task.run.taskEnded()
	return nil
}

// wait sleeps until a reader may have rows, a request comes, or it is time to
// ask again.
func (s *sourceTask) wait(ctx context.Context) error {
	cases := []reflect.SelectCase{received(ctx.Done()), received(s.control), received(s.bell), received(s.task.run.opt.Clock.After(idlePoll))}
	for _, sp := range s.splits {
		if sp.reader == nil {
			continue
		}
		if ready := sp.reader.Ready(); ready != nil {
			cases = append(cases, received(ready))
		}
	}
	s.task.steps.Add(1)
	chosen, v := s.task.await(cases)
	s.task.steps.Add(1)
	if chosen == 0 {
		return ctx.Err()
	}
	if chosen == 1 {
		return s.do(ctx, v.Interface().(control))
	}
	return nil
}
