package background

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// A thread leaves the idle class when it gets less than half of what it wants, comes back
// when it gets most of it, and is forgotten when it has ended.
func TestThreadsOfTheIdleClassDoNotStarve(t *testing.T) {
	if !mayBeIdle() {
		t.Skip("a thread cannot leave the idle class here: that takes CAP_SYS_NICE, or a RLIMIT_NICE")
	}
	tids, done := make(chan int), make(chan bool)
	go func() {
		runtime.LockOSThread() // and ends with it
		tids <- unix.Gettid()
		<-done
	}()
	tid := <-tids
	path := filepath.Join(t.TempDir(), "schedstat")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &class{threads: map[int]*thread{tid: {stat: f}}}
	if err := setIdle(tid, true); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		ran, waited int64
		want        uint32
	}{
		{100, 0, unix.SCHED_IDLE},
		{200, 90, unix.SCHED_IDLE},    // 47 %
		{210, 290, unix.SCHED_NORMAL}, // 95 %
		{260, 340, unix.SCHED_NORMAL}, // 50 %
		{360, 360, unix.SCHED_IDLE},   // 17 %
		{360, 360, unix.SCHED_IDLE},   // wants nothing
	} {
		if _, err := f.WriteAt(fmt.Appendf(nil, "%d %d 7\n", step.ran, step.waited), 0); err != nil {
			t.Fatal(err)
		}
		c.look()
		a, err := unix.SchedGetAttr(tid, 0)
		if err != nil || a.Policy != step.want {
			t.Errorf("at %+v: policy %d, %v", step, a.Policy, err)
		}
	}
	close(done)
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if c.look(); len(c.threads) > 0 {
		t.Error("a thread that has ended is not forgotten")
	}
}

// Thread moves the calling thread into the class and lowers its priority.
func TestThreadMakesWay(t *testing.T) {
	type made struct {
		attr *unix.SchedAttr
		err  error
	}
	results := make(chan made)
	go func() {
		Thread()
		a, err := unix.SchedGetAttr(0, 0)
		results <- made{a, err}
	}()
	m := <-results
	if m.err != nil || m.attr.Nice != niceness {
		t.Fatalf("%+v, %v", m.attr, m.err)
	}
	idleClass.mu.Lock()
	defer idleClass.mu.Unlock()
	if mayBeIdle() && !idleClass.normal && m.attr.Policy != unix.SCHED_IDLE {
		t.Errorf("policy %d", m.attr.Policy)
	}
}
