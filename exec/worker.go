package exec

import (
	"iter"
	"reflect"
	"slices"
	"time"

	"github.com/millrace/millrace/internal/background"
)

// worker runs the tasks of one index of a job, or of several when there are more than
// processors, one at a time, on a thread of its own in the background. A task has its turn
// until it has to wait; the next one then finds in the caches what it was sent.
type worker struct {
	tasks []*task
	slot  *background.Slot
	bell  chan struct{} // rung when a task may have something to do

	yielded time.Time // when its thread last let others go first
}

// turn is how many batches a task takes before others have theirs.
const turn = 8

// yieldEvery is how long a thread that the kernel passed over waits for a task's.
const yieldEvery = 200 * time.Microsecond

// employ makes the workers of the run's tasks.
func (r *Run) employ() []*worker {
	var workers []*worker
	for _, t := range r.tasks {
		i := t.index % background.Processors
		for len(workers) <= i {
			workers = append(workers, &worker{slot: r.opt.Slots.Slot(), bell: make(chan struct{}, 1)})
		}
		t.worker = workers[i]
		t.worker.tasks = append(t.worker.tasks, t)
	}
	return workers
}

// ring lets the tasks see whether there is something to do.
func (w *worker) ring() {
	select {
	case w.bell <- struct{}{}:
	default:
	}
}

// main runs the tasks until all have returned; main is a task's.
func (w *worker) main(main func(t *task)) {
	background.Thread()
	w.slot.Enter()
	defer w.slot.Leave()
	for _, t := range w.tasks {
		t.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
			t.yield = yield
			main(t)
		})
	}
	for live := slices.Clone(w.tasks); ; {
		live = slices.DeleteFunc(live, func(t *task) bool {
			_, more := t.resume()
			return !more
		})
		if len(live) == 0 {
			return
		}
		select {
		case <-w.bell:
			w.slot.GiveWay()
		default:
			w.slot.Leave()
			w.wait(live)
			w.slot.Enter()
		}
	}
}

// wait waits until one of the tasks can go on.
func (w *worker) wait(live []*task) {
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(w.bell)}}
	for _, t := range live {
		cases = append(cases, t.awaited...)
	}
	chosen, v, _ := reflect.Select(cases)
	if chosen--; chosen < 0 {
		return
	}
	for _, t := range live {
		if chosen < len(t.awaited) {
			t.chosen, t.received = chosen, v
			return
		}
		chosen -= len(t.awaited)
	}
}

// makeWay lets threads that wait for the processor go first, every so often. It is cheap
// enough to be called for each batch.
func (t *task) makeWay() {
	w := t.worker
	if w == nil {
		return
	}
	if now := time.Now(); now.Sub(w.yielded) >= yieldEvery {
		background.Yield()
		w.yielded = now
	}
}

// pause gives the worker's other tasks their turn, and waits for its own.
func (t *task) pause() {
	if t.worker != nil && len(t.worker.tasks) > 1 {
		t.worker.ring()
		t.yield(struct{}{})
	}
}

// await is reflect.Select for cases that receive; the worker's other tasks go on.
func (t *task) await(cases []reflect.SelectCase) (chosen int, received reflect.Value) {
	if t.worker == nil {
		chosen, received, _ = reflect.Select(cases)
		return chosen, received
	}
	now := append(cases, reflect.SelectCase{Dir: reflect.SelectDefault})
	t.awaited = cases
	defer func() { t.awaited = nil }()
	for {
		if chosen, received, _ = reflect.Select(now); chosen < len(cases) {
			return chosen, received
		}
		t.chosen = -1
		t.yield(struct{}{})
		if t.chosen >= 0 {
			return t.chosen, t.received
		}
	}
}

func received[T any](c <-chan T) reflect.SelectCase {
	return reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)}
}
