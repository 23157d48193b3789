package object

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWriteDirect writes all but what is no whole block past the system's cache, and
// nothing that does not lie as it should.
func TestWriteDirect(t *testing.T) {
	memory := make([]byte, 9<<20)
	for i := range memory {
		memory[i] = byte(i>>20 + i)
	}
	const size = 8<<20 + 77
	for _, c := range []struct{ at, rest int }{{0, 77}, {1, size}, {512, size}} {
		data := memory[c.at:][:size]
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rest, err := writeDirect(f, data)
		if err != nil {
			t.Fatal(err)
		}
		if len(rest) != c.rest && len(rest) != size { // all is left where the file system does not do it
			t.Errorf("%d bytes at %d: %d are left", size, c.at, len(rest))
		}
		if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); err != nil || flags&unix.O_DIRECT != 0 {
			t.Errorf("the file has flags %#x: %v", flags, err)
		}
		if _, err := f.Write(rest); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes at %d come back as %d others: %v", size, c.at, len(got), err)
		}
	}
}
