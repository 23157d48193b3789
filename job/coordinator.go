package job

import (
	"fmt"
	"slices"
	"time"
)

// coordinator decides when barriers go out and when a checkpoint is complete. It
// is pure: it is told what happened and when, and answers with what to do.
type coordinator struct {
	opt      Options
	tasks    int
	seals    bool // somebody waits for sealed epochs, or goes by their time
	epoch    uint64
	next     int64 // number of the next checkpoint
	pending  *pendingBarrier
	uploads  *upload
	asked    []*request // what users wait for, not yet begun
	lastSeal time.Time
	lastDone time.Time // when the last checkpoint started or, if later, when it may be followed
	failed   int       // checkpoints failed in a row
	first    bool      // the job is not to be called ready before its first checkpoint has been tried
}

// beginWithCheckpoint asks for a checkpoint at once, while there is next to no state:
// it holds the positions that the job reads from.
func (c *coordinator) beginWithCheckpoint() {
	c.first = true
	c.asked = append(c.asked, &request{checkpoint: true, done: make(chan requestResult, 1)})
}

// sealInterval is how often a view's rows become visible.
const sealInterval = 100 * time.Millisecond

// request is somebody's wish for a barrier of their own.
type request struct {
	checkpoint bool // a complete checkpoint, not only a seal
	catchUp    bool // after own tables have been read to their end
	final      bool // the job stops with it
	done       chan<- requestResult
}

// requestResult tells the one who asked.
type requestResult struct {
	checkpoint int64
	err        error
}

// pendingBarrier is a barrier on its way through the tasks.
type pendingBarrier struct {
	epoch      uint64
	checkpoint int64
	final      bool
	started    time.Time
	missing    int
	requests   []*request
	expired    bool // as a checkpoint: it only seals now
}

// upload is a checkpoint whose barrier has passed and whose state is being
// written.
type upload struct {
	checkpoint int64
	final      bool
	started    time.Time
	requests   []*request
}

// inject is the decision to send a barrier.
type inject struct {
	epoch      uint64
	checkpoint int64
	catchUp    bool
	final      bool
}

// decide says which barrier to send now, if any. One is under way at a time.
func (c *coordinator) decide(now time.Time) (inject, bool) {
	if c.pending != nil {
		return inject{}, false
	}
	due := c.opt.CheckpointInterval > 0 && now.Sub(c.lastDone) >= c.opt.CheckpointInterval
	var take []*request
	var rest []*request
	d := inject{}
	for _, r := range c.asked {
		if (r.checkpoint || r.catchUp && c.first) && c.uploads != nil {
			rest = append(rest, r)
			continue
		}
		take = append(take, r)
		d.catchUp = d.catchUp || r.catchUp
		d.final = d.final || r.final
		due = due || r.checkpoint
	}
	checkpoint := due && c.uploads == nil
	if !checkpoint && len(take) == 0 && !(c.seals && now.Sub(c.lastSeal) >= sealInterval) {
		return inject{}, false
	}
	c.asked = rest
	c.epoch++
	d.epoch = c.epoch
	c.lastSeal = now
	if checkpoint {
		d.checkpoint = c.next
		c.next++
		c.lastDone = now
	}
	c.pending = &pendingBarrier{epoch: d.epoch, checkpoint: d.checkpoint, final: d.final, started: now, missing: c.tasks, requests: take}
	return d, true
}

// reported counts a task's report. passed is set when it was the last one: once
// readers see its epoch, its requests are to be answered, unless they wait for the
// checkpoint's upload.
func (c *coordinator) reported(epoch uint64) (passed *pendingBarrier) {
	if c.pending == nil || c.pending.epoch != epoch {
		return nil
	}
	c.pending.missing--
	if c.pending.missing > 0 {
		return nil
	}
	passed = c.pending
	c.pending = nil
	if passed.checkpoint != 0 && !passed.expired {
		c.uploads = &upload{checkpoint: passed.checkpoint, final: passed.final, started: passed.started, requests: passed.requests}
		passed.requests = nil
	}
	return passed
}

// uploaded ends a checkpoint, well or not.
func (c *coordinator) uploaded(now time.Time, err error) {
	u := c.uploads
	c.uploads, c.first = nil, false
	c.lastDone = maxTime(c.lastDone, now.Add(c.opt.CheckpointMinPause-c.opt.CheckpointInterval))
	if err != nil {
		c.failed++
	} else {
		c.failed = 0
	}
	answer(u.requests, requestResult{checkpoint: u.checkpoint, err: err})
}

// expire gives up the checkpoint whose barrier has been under way for too long,
// and returns it. The barrier itself goes on through the job. why says what it waits
// for, "" if nobody knows.
func (c *coordinator) expire(now time.Time, why string) (p *pendingBarrier, err error) {
	p = c.pending
	if p == nil || p.checkpoint == 0 || p.expired || c.opt.CheckpointTimeout == 0 || now.Sub(p.started) <= c.opt.CheckpointTimeout {
		return nil, nil
	}
	p.expired, c.first = true, false
	c.failed++
	err = fmt.Errorf("checkpoint %d did not pass through the job within %s", p.checkpoint, c.opt.CheckpointTimeout)
	if why != "" {
		err = fmt.Errorf("%w: %s", err, why)
	}
	answer(p.requests, requestResult{err: err})
	p.requests = nil
	return p, err
}

// withdraw forgets the request that done is the answer to.
func (c *coordinator) withdraw(done chan<- requestResult) {
	is := func(q *request) bool { return q.done == done }
	c.asked = slices.DeleteFunc(c.asked, is)
	if c.pending != nil {
		c.pending.requests = slices.DeleteFunc(c.pending.requests, is)
	}
}

// tooManyFailed reports whether the job must restart because its checkpoints
// keep failing.
func (c *coordinator) tooManyFailed() bool {
	return c.opt.TolerableFailed >= 0 && c.failed > c.opt.TolerableFailed
}

// stopped answers everybody who still waits.
func (c *coordinator) stopped(reason error) {
	if reason == nil {
		reason = ErrNotRunning
	}
	answer(c.asked, requestResult{err: reason})
	c.asked = nil
	if c.pending != nil {
		answer(c.pending.requests, requestResult{err: reason})
		c.pending = nil
	}
	if c.uploads != nil {
		answer(c.uploads.requests, requestResult{err: reason})
		c.uploads = nil
	}
}

func answer(requests []*request, r requestResult) {
	for _, q := range requests {
		q.done <- r // each has room for its one answer
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
