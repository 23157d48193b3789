package state

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"
)

// TestSlabsHandOut takes and gives back pieces of many sizes: none overlap, zeros are
// zeros, and nothing is lost.
func TestSlabsHandOut(t *testing.T) {
	type piece struct {
		mem  []byte
		mark uint64
	}
	r := rand.New(rand.NewPCG(1, 2))
	s := NewSlabs(SlabOptions{})
	defer s.Close()
	sizes := []int{100, unitBytes, 3 * unitBytes, 64 << 10, 1 << 20, bigBytes, bigBytes + 1, 9 << 20}
	var held []piece
	giveBack := func(i int) {
		p := held[i]
		if first, last := binary.LittleEndian.Uint64(p.mem), binary.LittleEndian.Uint64(p.mem[len(p.mem)-8:]); first != p.mark || last != p.mark {
			t.Fatalf("a piece of %d bytes has %d and %d in it, want %d", len(p.mem), first, last, p.mark)
		}
		s.put(unsafe.Pointer(unsafe.SliceData(p.mem)), len(p.mem))
		held[i] = held[len(held)-1]
		held = held[:len(held)-1]
	}
	for i := range 5000 {
		if len(held) > 60 || len(held) > 0 && r.IntN(3) == 0 {
			giveBack(r.IntN(len(held)))
			continue
		}
		size := sizes[r.IntN(len(sizes))]
		var mem []byte
		if zeros := r.IntN(2) == 0; zeros {
			mem = unsafe.Slice((*byte)(s.getZeros(size)), size)
			for _, at := range []int{0, size / 2, size - 1} {
				if mem[at] != 0 {
					t.Fatalf("byte %d of %d is %d, want zero", at, size, mem[at])
				}
			}
		} else {
			mem = unsafe.Slice((*byte)(s.get(size)), size)
		}
		p := piece{mem, uint64(i) + 1}
		binary.LittleEndian.PutUint64(mem[size-8:], p.mark)
		binary.LittleEndian.PutUint64(mem, p.mark)
		mem[size/2] |= 1
		held = append(held, p)
	}
	for len(held) > 0 {
		giveBack(len(held) - 1)
	}
	if n := s.InUse(); n != 0 {
		t.Errorf("%d bytes are in use, want none", n)
	}
}

// TestSlabsServeOtherSizes checks that memory that was given up serves pieces of
// other sizes, and goes back to the system when nobody wants it.
func TestSlabsServeOtherSizes(t *testing.T) {
	if !canMap {
		t.Skip("this system maps no memory")
	}
	const total = 4 * regionBytes
	s := NewSlabs(SlabOptions{})
	defer s.Close()
	fill := func(size int) (pieces []unsafe.Pointer) {
		for range total / size {
			pieces = append(pieces, s.get(size))
		}
		return pieces
	}
	for _, size := range []int{64 << 10, 128 << 10, 4 << 10, 4 << 20} {
		for _, p := range fill(size) {
			s.put(p, size)
		}
		if n := s.Mapped(); n != total {
			t.Errorf("%d bytes were taken from the system for pieces of %d, want %d", n, size, total)
		}
	}
	held := s.get(unitBytes)
	for _, r := range s.spare {
		r.since = time.Now().Add(-2 * spareAge)
	}
	s.releaseSpare()
	if n := s.Mapped(); n != regionBytes {
		t.Errorf("%d bytes are kept, want %d", n, regionBytes)
	}
	s.put(held, unitBytes)
	for range 2 {
		s.releaseSpare() // what became spare just now stays
	}
	if n := s.Mapped(); n != regionBytes {
		t.Errorf("%d bytes are kept, want %d", n, regionBytes)
	}
}
