package bench

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector/nexmark"
)

// contest is an auction and the best valid bid on it so far.
type contest struct {
	from, to  int64
	of        int64 // what is asked for beside the bid: a category, a seller
	best, at  int64 // best is 0 if there is none
	row       uint64
	early     uint64 // the newest of the bids that came before the auction
	announced bool
}

// winners follows auctions and bids. It keeps the auctions' columns ints and texts,
// and the bids that come before their auction: of others, all but the best so far can
// be forgotten. won is called for each bid that is better than those before it: with
// its number in the batch b, or, where b is nil, with its place among those kept.
type winners struct {
	ints, texts []int // of auction
	bidTexts    []int // of bid; its integers are bidder, price and date_time
	of          int   // the column of auction that is asked for

	auctions, bids journal
	contests       *perKey[contest]
	won            func(w *winners, c *contest, price int64, b *batch.Batch, i int, early uint64)
}

// earlyInts are the columns of bid that are kept.
var earlyInts = []int{1, 2, 3}

func (w *winners) run(events uint64, auctionColumns, bidColumns []int) error {
	auctions, err := newFeed(nexmark.Auction, events, auctionsPerEvent, auctionColumns...)
	if err != nil {
		return err
	}
	bids, err := newFeed(nexmark.Bid, events, bidsPerEvent, bidColumns...)
	if err != nil {
		return err
	}
	w.contests = newPerKey[contest]()
	defer w.auctions.close()
	defer w.bids.close()
	for bids.left > 0 || auctions.left > 0 {
		if err := auctions.batches(3072, w.onAuctions); err != nil {
			return err
		}
		if err := bids.batches(46*1024, w.onBids); err != nil {
			return err
		}
	}
	return nil
}

// onAuctions reads id, date_time, expires, then what is asked for.
func (w *winners) onAuctions(b *batch.Batch) {
	w.contests.room(b.N)
	for i, id := range b.Cols[0].Int[:b.N] {
		c := w.contests.at(id)
		c.from, c.to, c.of, c.announced = b.Cols[1].Int[i], b.Cols[2].Int[i], b.Cols[w.of].Int[i], true
		if w.ints != nil {
			c.row = w.auctions.add(b, i, w.ints, w.texts, 0)
		}
		for r := c.early; r > 0; r = w.bids.row(r)[0] {
			row := w.bids.row(r)
			w.offer(c, int64(row[2]), int64(row[3]), nil, 0, r)
		}
		c.early = 0
	}
}

// onBids reads auction, bidder, price, date_time, then texts.
func (w *winners) onBids(b *batch.Batch) {
	w.contests.room(b.N)
	prices, times := b.Cols[2].Int, b.Cols[3].Int
	for i, id := range b.Cols[0].Int[:b.N] {
		c := w.contests.at(id)
		if !c.announced {
			c.early = w.bids.add(b, i, earlyInts, w.bidTexts, c.early)
			continue
		}
		w.offer(c, prices[i], times[i], b, i, 0)
	}
}

func (w *winners) offer(c *contest, price, at int64, b *batch.Batch, i int, early uint64) {
	if at < c.from || at > c.to || price < c.best || price == c.best && at >= c.at {
		return
	}
	w.won(w, c, price, b, i, early)
	c.best, c.at = price, at
}

var (
	winnersBids     = []int{Auction, Bidder, Price, DateTime}
	winnersCategory = []int{0, 5, 6, 8}
	winnersSeller   = []int{0, 5, 6, 7}
)

// limitQ4 keeps the highest valid bid of each auction, and the sum and number of
// these per category.
func limitQ4(events uint64) (int, error) {
	var sums, counts [1 << 10]int64
	o := &sink{}
	w := &winners{of: 3, won: func(_ *winners, c *contest, price int64, _ *batch.Batch, _ int, _ uint64) {
		k := c.of & 1023
		if c.best == 0 {
			counts[k]++
		}
		sums[k] += price - c.best
		o.ints[0][o.next()] = sums[k] / counts[k]
	}}
	err := w.run(events, winnersCategory, winnersBids)
	return o.n, err
}

// limitQ6 averages, per seller, the last prices of the auctions won.
func limitQ6(events uint64) (int, error) {
	const most = 11
	type last struct {
		n, sum int64
		prices [most]int64
	}
	sellers, o := newPerKey[last](), &sink{}
	w := &winners{of: 3, won: func(_ *winners, c *contest, price int64, _ *batch.Batch, _ int, _ uint64) {
		sellers.room(1)
		l := sellers.at(c.of)
		slot := &l.prices[l.n%most]
		if c.best > 0 { // the newest one's bid was raised
			slot = &l.prices[(l.n+most-1)%most]
		} else {
			l.n++
		}
		l.sum += price - *slot
		*slot = price
		o.ints[0][o.next()] = l.sum / min(l.n, most)
	}}
	err := w.run(events, winnersSeller, winnersBids)
	return o.n, err
}

// limitQ9 puts out each auction, all columns, with each bid that is the best valid one
// so far, the first of equal ones.
func limitQ9(events uint64) (int, error) {
	o := &sink{}
	extra := []int{4}
	w := &winners{of: 4, ints: []int{3, 5, 1, 2, 6, 4}, texts: []int{7, 8, 9}, bidTexts: extra,
		won: func(w *winners, c *contest, _ int64, b *batch.Batch, i int, early uint64) {
			w.auctions.emit(c.row, 6, 3)
			if b != nil {
				o.emitRow(b, i, earlyInts, extra)
			} else {
				w.bids.emit(early, 3, 1)
			}
		}}
	err := w.run(events, []int{0, 5, 6, 3, 8, 4, 7, 1, 2, 9}, append(winnersBids[:4:4], Extra))
	return w.auctions.out.n, err
}
