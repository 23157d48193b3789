//go:build !linux

package background

// Thread does nothing: only Linux gives threads a priority of their own.
func Thread() {}

// Yield does nothing.
func Yield() {}
