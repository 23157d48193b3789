// Package invariant stops the program when its own reasoning is broken. It is
// never used for bad input.
package invariant

import "fmt"

// Assert panics with the message unless ok.
func Assert(ok bool, format string, args ...any) {
	if !ok {
		panic("invariant broken: " + fmt.Sprintf(format, args...))
	}
}
