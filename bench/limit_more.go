package bench

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector/nexmark"
)

// limitQ10 reads auction, bidder, price, date_time, extra, and puts out the day and
// the minute of each bid, which are formatted when they change.
func limitQ10() Limit {
	const minute = 60_000_000
	at, o, text := int64(-1), &sink{}, make([]byte, 0, 1<<20)
	var dt, hm batch.View
	return func(b *batch.Batch) int {
		for _, t := range b.Cols[3].Int[:b.N] {
			if t-at >= minute || t < at {
				at = t - t%minute
				if len(text) > 1<<20-32 {
					text = text[:0]
				}
				dt = batch.View{Off: uint32(len(text)), Len: 10}
				hm = batch.View{Off: dt.Off + 10, Len: 5}
				text = time.UnixMicro(t).UTC().AppendFormat(text, "2006-01-0215:04")
			}
			i := o.next()
			o.strs[0][i], o.strs[1][i] = dt, hm
		}
		return b.N
	}
}

// limitQ13 reads auction, bidder, price, date_time, and looks the value of each
// auction up.
func limitQ13() Limit {
	values, o, text := make([]string, sideInputKeys), &sink{}, make([]byte, 0, 1<<20)
	for i := range values {
		values[i] = fmt.Sprintf("value %d", i)
	}
	return func(b *batch.Batch) int {
		for _, auction := range b.Cols[0].Int[:b.N] {
			v := values[auction%sideInputKeys]
			if len(text) > 1<<20-32 {
				text = text[:0]
			}
			o.strs[0][o.next()] = batch.View{Off: uint32(len(text)), Len: uint32(len(v))}
			text = append(text, v...)
		}
		return b.N
	}
}

// limitQ7All keeps, per 10 s by date_time, the bid with the highest price. It reads
// auction, bidder, price, date_time, extra.
func limitQ7All() Limit {
	const size = 10_000_000
	start, most, at, o := int64(-1), int64(0), int64(0), &sink{}
	return func(b *batch.Batch) int {
		before := o.n
		if w := b.Cols[3].Int[b.N-1] / size; w != start {
			j := o.next()
			o.ints[0][j], o.ints[1][j] = most, at
			start, most = w, 0
		}
		for i, p := range b.Cols[2].Int[:b.N] {
			if p > most {
				most, at = p, b.Cols[0].Int[i]
			}
		}
		return o.n - before
	}
}

// limitQ8 joins the people (id, name, date_time) and sellers (date_time, seller) of
// each 10 s. Windows follow each other: one is kept at a time.
func limitQ8(events uint64) (int, error) {
	const size = 10_000_000
	people, err := newFeed(nexmark.Person, events, personsPerEvent, 0, 1, 6)
	if err != nil {
		return 0, err
	}
	auctions, err := newFeed(nexmark.Auction, events, auctionsPerEvent, 5, 7)
	if err != nil {
		return 0, err
	}
	ids, sellers := newPerKey[uint64](), newIDs()
	id, name := []int{0}, []int{1}
	var matched journal
	defer matched.close()
	window := int64(-1)
	for people.left > 0 || auctions.left > 0 {
		if err := people.batches(1024, func(b *batch.Batch) {
			if w := b.Cols[2].Int[b.N-1] / size; w != window {
				window = w
				ids.clear()
				sellers.clear()
				clear(ids.values)
				matched.close()
			}
			ids.room(b.N)
			for i, k := range b.Cols[0].Int[:b.N] {
				if p := ids.at(k); *p == 0 {
					*p = matched.add(b, i, id, name, 0)
				}
			}
		}); err != nil {
			return 0, err
		}
		if err := auctions.batches(3072, func(b *batch.Batch) {
			sellers.reserve(b.N)
			ids.room(b.N)
			for _, seller := range b.Cols[1].Int[:b.N] {
				if _, fresh := sellers.of(seller); !fresh {
					continue
				}
				if p := *ids.at(seller); p > 0 {
					matched.emit(p, 1, 1)
				}
			}
		}); err != nil {
			return 0, err
		}
	}
	return matched.out.n, nil
}
