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
