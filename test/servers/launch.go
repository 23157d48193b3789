package servers

import (
	"os/exec"
	"runtime"
	"sync"
)

// launches has a thread of its own that lives as long as the process.
var launches = sync.OnceValue(func() chan<- func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range c {
			f()
		}
	}()
	return c
})

// Launch is cmd.Start for a process that is to die with this one. Its Pdeathsig comes
// when the thread ends that began it, and Go's threads end before the process does.
func Launch(cmd *exec.Cmd) error {
	err := make(chan error)
	launches() <- func() { err <- cmd.Start() }
	return <-err
}
