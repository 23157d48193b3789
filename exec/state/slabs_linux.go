package state

import "syscall"

const madvHugePage = 14

// adviseHuge asks for huge pages; where there are none, small ones do.
func adviseHuge(b []byte) { _ = syscall.Madvise(b, madvHugePage) }
