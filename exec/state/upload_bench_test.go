package state

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/statestore/segment"
	"github.com/millrace/millrace/types"
)

// cpuTime is the processor time that the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// nexmarkBids are batches of rows as a join keeps bids: the key of the join, the number
// of the row, and what else a bid has.
func nexmarkBids(batches int) (graph.Table, []*batch.Batch) {
	text, big := types.Of(types.Text), types.Of(types.Int64)
	schema := graph.Table{Local: 1, Unindexed: true}
	var layout []types.Phys
	for i, name := range []string{"auction", "row", "bidder", "price", "channel", "url", "date_time", "extra"} {
		c := graph.Column{Name: name, Type: big}
		if i == 4 || i == 5 || i == 7 {
			c.Type = text
		}
		if layout = append(layout, c.Type.Phys()); i < 2 {
			schema.Keys = append(schema.Keys, c)
		} else {
			schema.Columns = append(schema.Columns, c)
		}
	}
	const channels, letters = 10_004, 1 << 20
	r := rand.New(rand.NewPCG(1, 2))
	words := &batch.Column{Phys: types.PhysBytes}
	var channel, url []batch.View
	for i := range channels {
		channel = append(channel, words.AddStr(fmt.Sprintf("channel-%d", i)))
		url = append(url, words.AddStr(fmt.Sprintf("https://www.nexmark.com/%x/%x/item.htm?query=1&channel_id=%d", r.IntN(1<<16), r.IntN(1<<16), r.IntN(1<<30))))
	}
	first := uint32(len(words.Arena))
	for range letters {
		words.Arena = append(words.Arena, byte('a'+r.IntN(26)))
	}
	auctions := nexmarkAuctions(batches * batch.RowsDefault)
	var out []*batch.Batch
	for k := range batches {
		b := batch.New(layout, batch.RowsDefault)
		b.N = batch.RowsDefault
		for i := range batch.RowsDefault {
			n := k*batch.RowsDefault + i
			b.Cols[0].Int[i], b.Cols[1].Int[i], b.Cols[2].Int[i], b.Cols[3].Int[i], b.Cols[6].Int[i] = auctions[n], int64(n), r.Int64N(1000)+int64(n/50), r.Int64N(1e8), 1_700_000_000_000_000+int64(n)*100
			c := r.IntN(channels - 4)
			if r.IntN(2) == 0 {
				c = channels - 1 - r.IntN(4)
			}
			b.Cols[4].Views[i], b.Cols[5].Views[i] = channel[c], url[c]
			b.Cols[7].Views[i] = batch.View{Off: first + r.Uint32N(letters-1024), Len: 54 + r.Uint32N(28)}
		}
		for _, c := range []int{4, 5, 7} {
			b.Cols[c].Arena = words.Arena
		}
		out = append(out, b)
	}
	return schema, out
}

// BenchmarkUpload tells what it takes to keep bids, the sum of each batch's least time,
// and to write a checkpoint of them to a folder, the least processor time of all rounds:
// both per bid, and as well measured on a busy machine.
func BenchmarkUpload(b *testing.B) {
	const batches = 256
	schema, bids := nexmarkBids(batches)
	slabs := NewSlabs(SlabOptions{})
	defer slabs.Close()
	store, err := object.OpenLocal(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	sel := identity(batch.RowsDefault)
	hashes, ids, rows := make([]uint64, batch.RowsDefault), make([]RowID, batch.RowsDefault), make([]unsafe.Pointer, batch.RowsDefault)
	kept, uploaded := slices.Repeat([]time.Duration{math.MaxInt64}, batches), time.Duration(math.MaxInt64)
	written := int64(0)
	for round := 0; b.Loop(); round++ {
		t, err := NewTable(schema, Options{Slabs: slabs})
		if err != nil {
			b.Fatal(err)
		}
		for k, in := range bids {
			start := time.Now()
			t.Append(in.Cols, hashes, sel, ids, rows)
			kept[k] = min(kept[k], time.Since(start))
		}
		s := t.Seal(1)
		w := segment.NewWriter(store, fmt.Sprint("job/shared/r-1-", round))
		start := cpuTime()
		if _, err = s.Upload(b.Context(), w, 1); err == nil {
			err = w.Close(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
		uploaded = min(uploaded, cpuTime()-start)
		written = w.Written()
		s.Release()
		t.Close()
		for _, o := range w.Objects() {
			if err := store.Delete(b.Context(), o.Name); err != nil {
				b.Fatal(err)
			}
		}
	}
	const n = batches * batch.RowsDefault
	sum := time.Duration(0)
	for _, d := range kept {
		sum += d
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(sum.Nanoseconds())/n, "ns/kept")
	b.ReportMetric(float64(uploaded.Nanoseconds())/n, "ns/uploaded")
	b.ReportMetric(float64(written)/n, "bytes/row")
}
