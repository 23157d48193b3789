//go:build !linux

package pgwire

import "golang.org/x/sys/unix"

// hungUp reports whether the other side of a socket sends nothing more; where it has
// sent what is not read yet, that is seen later.
func hungUp(fd int) bool {
	n, _, err := unix.Recvfrom(fd, make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == nil && n == 0
}
