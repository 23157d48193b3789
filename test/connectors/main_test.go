package connectors

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMain removes the server that the tests share.
func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}
