//go:build !linux

package bench

import (
	"io"
	"net"
)

func raw(nc net.Conn) io.ReadWriter { return nc }
