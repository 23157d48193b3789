package bench

import (
	"syscall"
	"time"
	"unsafe"
)

// sleep is precise to what the kernel can do; time.Sleep of an idle process rounds up
// to milliseconds.
func sleep(d time.Duration) {
	if d > 0 {
		t := syscall.NsecToTimespec(d.Nanoseconds())
		// Too short at the worst, and only when interrupted.
		_, _, _ = syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
	}
}
