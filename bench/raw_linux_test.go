package bench

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// rawConn reads and writes a connection as a C program would: the thread waits in the
// kernel, and Go's runtime, which would look after it every 20 µs, does not know.
type rawConn struct {
	file *os.File
	fd   uintptr
}

func raw(nc net.Conn) io.ReadWriter {
	f, err := nc.(*net.TCPConn).File()
	if err != nil {
		return nc
	}
	return rawConn{f, f.Fd()} // which also makes it wait
}

func (c rawConn) call(number uintptr, p []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(number, c.fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		default:
			return int(n), nil
		}
	}
}

func (c rawConn) Read(p []byte) (int, error)  { return c.call(syscall.SYS_READ, p) }
func (c rawConn) Write(p []byte) (int, error) { return c.call(syscall.SYS_WRITE, p) }
