package background

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Niceness decides who gets more, not who is first: a thread that wakes up may still wait
// for the next tick of the clock, 4 ms, while one in the background runs. Threads of the
// idle class (SCHED_IDLE) give way at once. But they get next to nothing beside others
// that never stop, so they are of it only while they get most of what they want.

// The threads are looked at this often. They leave the idle class when they waited for a
// processor for more than half of the time they wanted one, and come back when it was
// less than a quarter.
const (
	classInterval = 100 * time.Millisecond
	starvedAbove  = 0.5
	fedBelow      = 0.25
)

// idleClass is the class of the process's threads in the background.
var idleClass class

type class struct {
	mu      sync.Mutex
	threads map[int]*thread
	normal  bool // they have left it
}

// thread is what is known of one: how long it has run and waited, in nanoseconds.
type thread struct {
	stat        *os.File
	ran, waited int64
}

// mayBeIdle reports whether threads can leave the idle class again: that takes
// CAP_SYS_NICE or a RLIMIT_NICE that allows their niceness. A thread which ends with the
// question tries it.
var mayBeIdle = sync.OnceValue(func() bool {
	answer := make(chan bool)
	go func() {
		runtime.LockOSThread()
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceness)
		answer <- setIdle(0, true) == nil && setIdle(0, false) == nil
	}()
	return <-answer
})

// setIdle moves a thread into the idle class, or out of it.
func setIdle(tid int, idle bool) error {
	a, err := unix.SchedGetAttr(tid, 0)
	if err != nil {
		return err
	}
	if a.Policy = unix.SCHED_NORMAL; idle {
		a.Policy = unix.SCHED_IDLE
	}
	return unix.SchedSetAttr(tid, a, 0)
}

// join makes a thread one of the class.
func (c *class) join(tid int) {
	f, err := os.Open(fmt.Sprintf("/proc/self/task/%d/schedstat", tid))
	if err != nil {
		return // nobody would know whether it starves
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.threads) == 0 {
		c.threads = map[int]*thread{}
		go c.watch()
	}
	t := &thread{stat: f}
	t.ran, t.waited, _ = t.read()
	c.threads[tid] = t
	_ = setIdle(tid, !c.normal)
}

// watch moves the threads out of the class and back, until none is left.
func (c *class) watch() {
	for range time.Tick(classInterval) {
		c.mu.Lock()
		c.look()
		none := len(c.threads) == 0
		if none {
			c.threads = nil
		}
		c.mu.Unlock()
		if none {
			return
		}
	}
}

// look goes by the time since the last look.
func (c *class) look() {
	var ran, waited int64
	for tid, t := range c.threads {
		r, w, ok := t.read()
		if !ok { // it has ended
			t.stat.Close()
			delete(c.threads, tid)
			continue
		}
		ran, waited = ran+r-t.ran, waited+w-t.waited
		t.ran, t.waited = r, w
	}
	limit := starvedAbove
	if c.normal {
		limit = fedBelow
	}
	starved := float64(waited) > limit*float64(ran+waited)
	if starved == c.normal {
		return
	}
	c.normal = starved
	for tid := range c.threads {
		_ = setIdle(tid, !c.normal)
	}
}

// read returns how long the thread has run and how long it has waited for a processor.
func (t *thread) read() (ran, waited int64, ok bool) {
	var buf [64]byte
	n, _ := t.stat.ReadAt(buf[:], 0)
	f := bytes.Fields(buf[:n])
	if len(f) < 2 {
		return 0, 0, false
	}
	ran, err1 := strconv.ParseInt(string(f[0]), 10, 64)
	waited, err2 := strconv.ParseInt(string(f[1]), 10, 64)
	return ran, waited, err1 == nil && err2 == nil
}
