package segment

import (
	"math/rand/v2"
	"testing"
)

// TestJoinChecksums compares the checksums of pieces with that of the whole.
func TestJoinChecksums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for _, size := range []int{0, 1, 2, 3, 8, 100, 4096, 65_536, 1_000_003} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		for _, cut := range []int{0, size / 3, size - size/5, size} {
			if got, want := joinChecksums(Checksum(data[:cut]), Checksum(data[cut:]), size-cut), Checksum(data); got != want {
				t.Errorf("%d bytes and %d more have checksum %08x, together %08x", cut, size-cut, got, want)
			}
		}
		var e encoder
		if block, _ := e.appendBlock(nil, data, 0); Checksum(block) != blockChecksum {
			t.Errorf("the block of a page of %d bytes has checksum %08x, not %08x", size, Checksum(block), blockChecksum)
		}
	}
}
