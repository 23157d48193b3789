package pgwire

import "syscall"

// errTooManyFiles is what accept fails with when the process is out of file
// descriptors: worth waiting, not worth dying.
const errTooManyFiles = syscall.EMFILE
