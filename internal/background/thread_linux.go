package background

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// niceness is what threads in the background add to the process's: one that wakes up
// gets a processor before them, and three times as much of it if it wants that. Jobs go
// on all the same beside a statement that computes for minutes.
const niceness = 5

// Thread gives the calling goroutine a thread of its own, until it ends, that makes way
// for others.
func Thread() {
	runtime.LockOSThread()
	now, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0) // of the thread: 20 less its niceness
	if err == nil {
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 20-now+niceness) // more of it is always allowed
	}
	if mayBeIdle() {
		idleClass.join(unix.Gettid())
	}
}

// Yield lets the threads that wait for the calling one's processor go first. The kernel
// stops a thread in the background for one that wakes up, but may prefer it to one that it
// put aside before, and then does not look again before its next tick, up to 10 ms.
func Yield() {
	_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // cannot fail
}
