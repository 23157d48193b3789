//go:build unix

package state

import (
	"syscall"
	"unsafe"
)

const canMap = true

const hugePage = 2 << 20

// mapMemory takes n bytes from the system, aligned to align, a multiple of huge pages.
// whole is what unmapMemory wants; b is nil when there is no memory.
func mapMemory(n, align int) (b, whole []byte) {
	size := (n + hugePage - 1) &^ (hugePage - 1)
	whole, err := syscall.Mmap(-1, 0, size+align, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, nil
	}
	off := -uintptr(unsafe.Pointer(unsafe.SliceData(whole))) & uintptr(align-1)
	b = whole[off:][:n:n]
	adviseHuge(whole[off:][:size])
	return b, whole
}

func unmapMemory(whole []byte) { _ = syscall.Munmap(whole) }
