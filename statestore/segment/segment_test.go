package segment

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
)

func pagesOf(seed uint64) [][]byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var pages [][]byte
	for _, n := range []int{0, 1, 100, 4096, 65536} {
		zeros, noise, text := make([]byte, n), make([]byte, n), bytes.Repeat([]byte("state "), n)[:n]
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		pages = append(pages, zeros, noise, text)
	}
	return pages
}

// rowPages are pages of rows whose columns have words of all kinds.
func rowPages(seed uint64) (pages [][]byte, rowBytes []int) {
	r := rand.New(rand.NewPCG(seed, 2))
	columns := []func(i int) uint64{
		func(int) uint64 { return 0 },
		func(int) uint64 { return 0x8182838485868788 },
		func(i int) uint64 { return uint64(i) },
		func(i int) uint64 { return uint64(-i) },
		func(int) uint64 { return uint64(1_700_000_000_000_000 + r.Int64N(1<<33)) },
		func(i int) uint64 { return 1 << 63 >> (i % 2) },
		func(i int) uint64 { return []uint64{0, math.MaxInt64, math.MaxUint64}[i%3] },
		func(int) uint64 { return r.Uint64() },
		func(int) uint64 { return math.Float64bits(r.Float64()) },
		func(int) uint64 { return r.Uint64() >> r.IntN(64) },
	}
	for _, words := range []int{1, 3, len(columns)} {
		for _, rows := range []int{1, 2, 7, 512} {
			var page []byte
			for i := range rows {
				for c := range words {
					page = binary.LittleEndian.AppendUint64(page, columns[(c+len(pages))%len(columns)](i))
				}
			}
			pages, rowBytes = append(pages, page), append(rowBytes, words*8)
		}
	}
	return pages, rowBytes
}

// TestColumns packs pages of rows, and unpacks nothing that is cut or longer.
func TestColumns(t *testing.T) {
	pages, rowBytes := rowPages(1)
	var e encoder
	for i, page := range pages {
		block, sum := e.appendBlock(nil, page, rowBytes[i])
		got := bytes.Repeat([]byte{0xee}, len(page))
		if err := decodeBlock(nil, block, got, sum); err != nil || !bytes.Equal(got, page) {
			t.Fatalf("page %d: %v", i, err)
		}
		e.packing.measure(page, rowBytes[i])
		packed := e.packing.append(nil, page, rowBytes[i])
		for n := range len(packed) {
			if unpackColumns(got, slices.Concat(packed[:n:n], make([]byte, wordBytes))[:n]) == nil {
				t.Fatalf("page %d: %d bytes of %d are taken", i, n, len(packed))
			}
		}
		for _, n := range []int{len(packed) + 1, len(packed) + 9} {
			if unpackColumns(got, slices.Concat(packed, make([]byte, 32))[:n]) == nil {
				t.Fatalf("page %d: %d bytes more are taken", i, n-len(packed))
			}
		}
		if len(page) > 8 && unpackColumns(got[8:], slices.Concat(packed, make([]byte, wordBytes))[:len(packed)]) == nil && rowBytes[i] > 8 {
			t.Fatalf("page %d: a shorter page is taken", i)
		}
	}
}

// TestCompression has pages compressed where that at least halves them, and now and
// then a page tried where it does not.
func TestCompression(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	words := func(noise int) []byte { // of a hundred bytes, so many are noise
		page := bytes.Repeat([]byte("0123456789"), 6400)
		for i := range page {
			if i%100 < noise {
				page[i] = byte(r.Uint32())
			}
		}
		return page
	}
	var e encoder
	var block []byte
	compressed := func(page []byte, rowBytes int) int {
		n := 0
		for range 32 {
			var sum uint32
			block, sum = e.appendBlock(block[:0], page, rowBytes)
			got := make([]byte, len(page))
			if err := decodeBlock(nil, block, got, sum); err != nil || !bytes.Equal(got, page) {
				t.Fatalf("a page of %d bytes comes back as another: %v", len(page), err)
			}
			if len(block) < len(page)*9/10 {
				n++
			}
		}
		return n
	}
	if n := compressed(words(60), 0); n != 2 {
		t.Errorf("%d of 32 pages are compressed by a third", n)
	}
	if n := compressed(words(10), 0); n != 32 {
		t.Errorf("%d of 32 pages are compressed by most of it", n)
	}
	small := make([]byte, 64000) // columns of 2 bytes of noise
	for i := range small {
		if i%8 < 2 {
			small[i] = byte(r.Uint32())
		}
	}
	if n := compressed(small, 16); n != 32 {
		t.Errorf("%d of 32 pages of small numbers are packed", n)
	}
	if size := len(block); size > len(small)/4+100 {
		t.Errorf("numbers of 2 bytes each, 64000 as they are, take %d bytes", size)
	}
}

// TestSegmentRoundTrip writes pages of two tables through one writer.
func TestSegmentRoundTrip(t *testing.T) {
	ctx, store := t.Context(), object.NewMemory()
	w := NewWriter(store, "job/shared/r-1-0")
	tables := []*manifest.Table{{}, {}, {}}
	var places [3][]manifest.Place
	for i, table := range tables {
		tw := w.Table(table, i == 2)
		for _, p := range pagesOf(uint64(i)) {
			place, err := tw.Add(ctx, p, 0)
			if err != nil {
				t.Fatal(err)
			}
			places[i] = append(places[i], place)
		}
	}
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if list, _ := store.List(ctx, ""); len(list) != 1 || len(w.Objects()) != 1 || w.Objects()[0].Size != list[0].Size {
		t.Errorf("objects %v, said %v", list, w.Objects())
	}
	for _, o := range w.Objects() {
		if data, _, err := store.Get(ctx, o.Name); err != nil || Check(o.Name, data, o.Size, o.Checksum) != nil {
			t.Errorf("object %s is not what is said of it: %v", o.Name, err)
		}
	}
	for i, table := range tables {
		var want []Request
		for k, p := range pagesOf(uint64(i)) {
			want = append(want, Request{places[i][k], make([]byte, len(p))})
		}
		if err := Fetch(ctx, store, table, want); err != nil {
			t.Fatal(err)
		}
		for k, p := range pagesOf(uint64(i)) {
			if !bytes.Equal(want[k].Into, p) {
				t.Errorf("table %d: page %d is different", i, k)
			}
		}
	}
}

// TestSegmentGolden reads what earlier versions wrote. The files are never
// rewritten.
func TestSegmentGolden(t *testing.T) {
	rows, _ := rowPages(9)
	for _, g := range []struct {
		file   string
		pages  [][]byte
		blocks []goldenBlock
	}{
		{"v1.seg", pagesOf(9), goldenBlocks},
		{"v1_columns.seg", rows, goldenColumns},
	} {
		golden, err := os.ReadFile(filepath.Join("testdata", g.file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(golden, magic[:]) {
			t.Fatalf("%s: the header is another", g.file)
		}
		store := object.NewMemory()
		if err := store.Put(t.Context(), "s", golden); err != nil {
			t.Fatal(err)
		}
		off := int64(HeaderBytes)
		for i, b := range g.blocks {
			want := g.pages[i]
			into := make([]byte, len(want))
			place := manifest.Place{Offset: off, Length: b.length, Bytes: len(want), Checksum: b.sum}
			table := &manifest.Table{Segments: []manifest.Segment{{Name: "s"}}}
			if err := Fetch(t.Context(), store, table, []Request{{place, into}}); err != nil {
				t.Fatalf("%s, block %d: %v", g.file, i, err)
			}
			if !bytes.Equal(into, want) {
				t.Errorf("%s: block %d reads differently", g.file, i)
			}
			off += int64(b.length)
		}
		if off != int64(len(golden)) {
			t.Errorf("%s: %d bytes are left", g.file, int64(len(golden))-off)
		}
	}
}

func FuzzDecodeBlock(f *testing.F) {
	var e encoder
	dec, err := newDecoder(1)
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range pagesOf(1)[:9] {
		block, _ := e.appendBlock(nil, p, 0)
		f.Add(block, uint32(len(p)))
	}
	rows, rowBytes := rowPages(1)
	for i, p := range rows {
		block, _ := e.appendBlock(nil, p, rowBytes[i])
		f.Add(block, uint32(len(p)))
	}
	if golden, err := os.ReadFile(filepath.Join("testdata", "v1.seg")); err == nil {
		f.Add(golden[len(golden)-31:], uint32(len(pagesOf(9)[8])))
	}
	f.Fuzz(func(t *testing.T, block []byte, n uint32) {
		page, block := make([]byte, n%(1<<17)), bytes.Clone(block)
		sum := uint32(0)
		if len(block) >= blockBytesMin { // what comes after the checks of these is to be tried
			binary.LittleEndian.PutUint32(block[1:], uint32(len(page)))
			sum = crc32.Checksum(block[:len(block)-4], castagnoli)
			binary.LittleEndian.PutUint32(block[len(block)-4:], sum)
		}
		if decodeBlock(dec, block, page, sum) != nil {
			return
		}
		// What decodes, encodes again.
		for _, rowBytes := range []int{0, 8, 24} {
			again, sum := e.appendBlock(nil, page, rowBytes)
			other := make([]byte, len(page))
			if err := decodeBlock(dec, again, other, sum); err != nil || !bytes.Equal(page, other) {
				t.Fatalf("round trip: %v", err)
			}
		}
	})
}
