package bench

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector/nexmark"
)

// limitQ10 reads auction, bidder, price, date_time, extra, and writes the day and
// the minute of each bid, formatted when they change.
func limitQ10() Limit {
	const day, minute = 86_400_000_000, 60_000_000
	at, o, text := int64(-1), &sink{}, make([]byte, 0, 1<<20)
	var dt, hm string
	return func(b *batch.Batch) int {
		for _, t := range b.Cols[3].Int[:b.N] {
			if t/minute != at {
				at = t / minute
				moment := time.UnixMicro(t).UTC()
				dt, hm = moment.Format("2006-01-02"), moment.Format("15:04")
			}
			if len(text) > 1<<20-32 {
				text = text[:0]
			}
			i := o.next()
			o.strs[0][i] = batch.View{Off: uint32(len(text)), Len: uint32(len(dt))}
			text = append(text, dt...)
			o.strs[1][i] = batch.View{Off: uint32(len(text)), Len: uint32(len(hm))}
			text = append(text, hm...)
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
func limitQ8(events uint64) error {
	const size = 10_000_000
	people, err := newFeed(nexmark.Person, events, personsPerEvent, 0, 1, 6)
	if err != nil {
		return err
	}
	auctions, err := newFeed(nexmark.Auction, events, auctionsPerEvent, 5, 7)
	if err != nil {
		return err
	}
	ids, sellers, matched := newIDs(), newIDs(), &store{}
	window := int64(-1)
	for people.left > 0 || auctions.left > 0 {
		if err := people.batches(1024, func(b *batch.Batch) {
			if w := b.Cols[2].Int[b.N-1] / size; w != window {
				window = w
				ids.clear()
				sellers.clear()
				*matched = store{}
			}
			ids.reserve(b.N)
			for i, id := range b.Cols[0].Int[:b.N] {
				if _, fresh := ids.of(id); fresh {
					matched.add(b, i, []int{0}, []int{1})
				}
			}
		}); err != nil {
			return err
		}
		if err := auctions.batches(3072, func(b *batch.Batch) {
			sellers.reserve(b.N)
			ids.reserve(b.N)
			for _, seller := range b.Cols[1].Int[:b.N] {
				if _, fresh := sellers.of(seller); !fresh {
					continue
				}
				if n, fresh := ids.of(seller); !fresh && int(n) < len(matched.ints[0]) {
					matched.emit(int32(n) + 1)
				}
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// limitQ6 averages, per seller, the last prices of the auctions won.
func limitQ6(events uint64) error {
	const most = 11
	type last struct {
		n, sum int64
		prices [most]int64
	}
	sellers, o := newIDs(), &sink{}
	var kept []last
	return winners(events, func(seller, price, before int64) {
		sellers.reserve(1)
		id, _ := sellers.of(seller)
		kept = grow(kept, int(id)+1)
		l := &kept[id]
		slot := &l.prices[l.n%most]
		if before > 0 { // the newest one's bid was raised
			slot = &l.prices[(l.n+most-1)%most]
		} else {
			l.n++
		}
		l.sum += price - *slot
		*slot = price
		o.ints[0][o.next()] = l.sum / min(l.n, most)
	})
}

// winners calls won for each bid that is better than those before it on its auction:
// it keeps the auctions (id, date_time, expires, seller) and the bids (auction,
// price, date_time), for auctions that come after their bids.
func winners(events uint64, won func(seller, price, before int64)) error {
	auctions, err := newFeed(nexmark.Auction, events, auctionsPerEvent, 0, 5, 6, 7)
	if err != nil {
		return err
	}
	bids, err := newFeed(nexmark.Bid, events, bidsPerEvent, Auction, Price, DateTime)
	if err != nil {
		return err
	}
	type auction struct{ from, to, seller, best int64 }
	byAuction, known := newChains(), newIDs()
	var rows []auction
	var kept store
	raise := func(a *auction, price, at int64) {
		if at < a.from || at > a.to || price <= a.best {
			return
		}
		won(a.seller, price, a.best)
		a.best = price
	}
	for bids.left > 0 || auctions.left > 0 {
		if err := auctions.batches(3072, func(b *batch.Batch) {
			known.reserve(b.N)
			byAuction.keys.reserve(b.N)
			for i, id := range b.Cols[0].Int[:b.N] {
				n, _ := known.of(id)
				rows = grow(rows, int(n)+1)
				rows[n] = auction{b.Cols[1].Int[i], b.Cols[2].Int[i], b.Cols[3].Int[i], 0}
				for r := byAuction.rows(id); r > 0; r = byAuction.next[r-1] {
					raise(&rows[n], kept.ints[0][r-1], kept.ints[1][r-1])
				}
			}
		}); err != nil {
			return err
		}
		if err := bids.batches(46*1024, func(b *batch.Batch) {
			known.reserve(b.N)
			byAuction.keys.reserve(b.N)
			for i, id := range b.Cols[0].Int[:b.N] {
				byAuction.add(id)
				kept.add(b, i, []int{1, 2}, nil)
				n, _ := known.of(id)
				rows = grow(rows, int(n)+1)
				raise(&rows[n], b.Cols[1].Int[i], b.Cols[2].Int[i])
			}
		}); err != nil {
			return err
		}
	}
	return nil
}
