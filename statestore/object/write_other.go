//go:build !linux

package object

import "os"

// writeDurably writes data to a new file and syncs it.
func writeDurably(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}
