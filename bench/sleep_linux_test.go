package bench

import (
	"syscall"
	"time"
)

// sleep is precise to what the kernel can do; time.Sleep of an idle process rounds up
// to milliseconds.
func sleep(d time.Duration) {
	if d > 0 {
		t := syscall.NsecToTimespec(d.Nanoseconds())
		_ = syscall.Nanosleep(&t, nil) // too short at the worst, and only when interrupted
	}
}
