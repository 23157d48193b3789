package pgwire

import "golang.org/x/sys/unix"

// hungUp reports whether the other side of a socket sends nothing more.
func hungUp(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0
}
