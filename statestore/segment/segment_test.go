package segment

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// TestSegmentRoundTrip writes pages of two tables through one writer.
func TestSegmentRoundTrip(t *testing.T) {
	ctx, store := t.Context(), object.NewMemory()
	w, err := NewWriter(store, "job/shared/r-1-0")
	if err != nil {
		t.Fatal(err)
	}
	tables := []*manifest.Table{{}, {}, {}}
	var places [3][]manifest.Place
	for i, table := range tables {
		tw := w.Table(table, i == 2)
		for _, p := range pagesOf(uint64(i)) {
			place, err := tw.Add(ctx, p)
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

// TestSegmentGolden reads what version 1 wrote. The file is never rewritten.
func TestSegmentGolden(t *testing.T) {
	ctx := t.Context()
	golden, err := os.ReadFile(filepath.Join("testdata", "v1.seg"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(golden, magic[:]) {
		t.Fatal("the header is another")
	}
	rest := golden[HeaderBytes:]
	store := object.NewMemory()
	if err := store.Put(ctx, "s", golden); err != nil {
		t.Fatal(err)
	}
	off := int64(HeaderBytes)
	for i, n := range goldenLengths {
		want := pagesOf(9)[i]
		into := make([]byte, len(want))
		place := manifest.Place{Offset: off, Length: n, Bytes: len(want), Checksum: goldenSums[i]}
		table := &manifest.Table{Segments: []manifest.Segment{{Name: "s"}}}
		if err := Fetch(ctx, store, table, []Request{{place, into}}); err != nil {
			t.Fatalf("block %d: %v", i, err)
		}
		if !bytes.Equal(into, want) {
			t.Errorf("block %d reads differently", i)
		}
		off += int64(n)
		rest = rest[n:]
	}
	if len(rest) != 0 {
		t.Errorf("%d bytes are left", len(rest))
	}
}

func FuzzDecodeBlock(f *testing.F) {
	enc, err := newEncoder()
	if err != nil {
		f.Fatal(err)
	}
	dec, err := newDecoder(1)
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range pagesOf(1)[:9] {
		block, sum := appendBlock(enc, nil, p)
		f.Add(block, uint32(len(p)), sum)
	}
	f.Fuzz(func(t *testing.T, block []byte, n, sum uint32) {
		page := make([]byte, n%(1<<17))
		if decodeBlock(dec, block, page, sum) != nil {
			return
		}
		// What decodes, encodes again.
		again, sum := appendBlock(enc, nil, page)
		other := make([]byte, len(page))
		if err := decodeBlock(dec, again, other, sum); err != nil || !bytes.Equal(page, other) {
			t.Fatalf("round trip: %v", err)
		}
	})
}
