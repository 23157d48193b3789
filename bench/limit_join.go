package bench

import (
	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector/nexmark"
)

// Of fifty events one is a person and three are auctions.
const (
	personsPerEvent  = 1.0 / 50
	auctionsPerEvent = 3.0 / 50
)

// feed reads a stream to the end of the events, and hands the batches on.
type feed struct {
	s    *stream
	left int
}

func newFeed(of nexmark.Stream, events uint64, share float64, columns ...int) (*feed, error) {
	s, err := newStreamOf(of, columns)
	return &feed{s, int(float64(events) * share)}, err
}

// batches calls fn for about n rows more of the stream.
func (f *feed) batches(n int, fn func(b *batch.Batch)) error {
	for ; n > 0 && f.left > 0; n -= f.s.out.N {
		b, err := f.s.read()
		if err != nil {
			return err
		}
		f.left -= b.N
		fn(b)
	}
	return nil
}

// chains are lists of rows by key: the newest row of each key, and of each row the
// next older one.
type chains struct {
	keys *ids
	head []int32
	next []int32
}

func newChains() *chains { return &chains{keys: newIDs()} }

func (c *chains) add(k int64) {
	id, _ := c.keys.of(k)
	c.head = grow(c.head, int(id)+1)
	c.next = append(c.next, c.head[id])
	c.head[id] = int32(len(c.next))
}

// rows is the newest row of a key, from 1; 0 for none.
func (c *chains) rows(k int64) int32 {
	id, fresh := c.keys.of(k)
	if fresh {
		c.head = grow(c.head, int(id)+1)
	}
	return c.head[id]
}

// store keeps columns of rows, text in one arena.
type store struct {
	ints  [][]int64
	texts [][]batch.View
	arena []byte
	out   sink
	bytes []byte
}

func (s *store) add(b *batch.Batch, i int, ints, texts []int) {
	for k, c := range ints {
		if len(s.ints) <= k {
			s.ints = append(s.ints, nil)
		}
		s.ints[k] = append(s.ints[k], b.Cols[c].Int[i])
	}
	for k, c := range texts {
		if len(s.texts) <= k {
			s.texts = append(s.texts, nil)
		}
		p := b.Cols[c].BytesAt(i)
		s.texts[k] = append(s.texts[k], batch.View{Off: uint32(len(s.arena)), Len: uint32(len(p))})
		s.arena = append(s.arena, p...)
	}
}

// emit copies a row, as an operator that keeps it must.
func (s *store) emit(r int32) {
	j := s.out.next()
	for k := range s.ints {
		s.out.ints[k&3][j] = s.ints[k][r-1]
	}
	if len(s.bytes) > 1<<20 {
		s.bytes = s.bytes[:0]
	}
	for k := range s.texts {
		v := s.texts[k][r-1]
		s.out.strs[k%3][j] = batch.View{Off: uint32(len(s.bytes)), Len: v.Len}
		s.bytes = append(s.bytes, s.arena[v.Off:v.Off+v.Len]...)
	}
}

// limitQ3 joins auctions of category 10 (id, seller, category) with people of
// three states (id, name, city, state).
func limitQ3(events uint64) error {
	auctions, err := newFeed(nexmark.Auction, events, auctionsPerEvent, 0, 7, 8)
	if err != nil {
		return err
	}
	people, err := newFeed(nexmark.Person, events, personsPerEvent, 0, 1, 4, 5)
	if err != nil {
		return err
	}
	bySeller, byID := newChains(), newChains()
	var left, right store
	for people.left > 0 || auctions.left > 0 {
		if err := auctions.batches(3072, func(b *batch.Batch) {
			bySeller.keys.reserve(b.N)
			byID.keys.reserve(b.N)
			for i, c := range b.Cols[2].Int[:b.N] {
				if c != 10 {
					continue
				}
				seller := b.Cols[1].Int[i]
				bySeller.add(seller)
				left.add(b, i, []int{0}, nil)
				for r := byID.rows(seller); r > 0; r = byID.next[r-1] {
					right.emit(r)
				}
			}
		}); err != nil {
			return err
		}
		if err := people.batches(1024, func(b *batch.Batch) {
			bySeller.keys.reserve(b.N)
			byID.keys.reserve(b.N)
			for i, id := range b.Cols[0].Int[:b.N] {
				if s := b.Cols[3].Str(i); s != "OR" && s != "ID" && s != "CA" {
					continue
				}
				byID.add(id)
				right.add(b, i, nil, []int{1, 2, 3})
				for r := bySeller.rows(id); r > 0; r = bySeller.next[r-1] {
					left.emit(r)
				}
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// limitQ4 keeps per auction (id, date_time, expires, category) the bids (auction,
// price, date_time) and the highest valid one, and the sum of these per category.
func limitQ4(events uint64) error {
	auctions, err := newFeed(nexmark.Auction, events, auctionsPerEvent, 0, 5, 6, 8)
	if err != nil {
		return err
	}
	bids, err := newFeed(nexmark.Bid, events, bidsPerEvent, Auction, Price, DateTime)
	if err != nil {
		return err
	}
	type auction struct{ from, to, category, best int64 }
	byAuction, known := newChains(), newIDs()
	var rows []auction
	var kept store
	var sums, counts [1 << 10]int64
	raise := func(a *auction, price, at int64) {
		if at < a.from || at > a.to || price <= a.best {
			return
		}
		if c := a.category & 1023; a.best == 0 {
			counts[c]++
		}
		sums[a.category&1023] += price - a.best
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

// limitQ9 keeps of each auction, all columns, the highest valid bid (auction,
// bidder, price, date_time, extra), the first of equal ones.
func limitQ9(events uint64) error {
	auctions, err := newFeed(nexmark.Auction, events, auctionsPerEvent, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if err != nil {
		return err
	}
	bids, err := newFeed(nexmark.Bid, events, bidsPerEvent, Auction, Bidder, Price, DateTime, Extra)
	if err != nil {
		return err
	}
	type auction struct {
		from, to, best, at int64
		row                int32
	}
	byAuction, known := newChains(), newIDs()
	var open []auction
	var left, right store
	offer := func(a *auction, bid int32, price, at int64) {
		if a.row == 0 || at < a.from || at > a.to || price < a.best || price == a.best && at >= a.at {
			return
		}
		a.best, a.at = price, at
		left.emit(a.row)
		right.emit(bid)
	}
	for bids.left > 0 || auctions.left > 0 {
		if err := auctions.batches(3072, func(b *batch.Batch) {
			known.reserve(b.N)
			byAuction.keys.reserve(b.N)
			for i, id := range b.Cols[0].Int[:b.N] {
				n, _ := known.of(id)
				open = grow(open, int(n)+1)
				left.add(b, i, []int{3, 4, 5, 6, 7, 8}, []int{1, 2, 9})
				open[n] = auction{from: b.Cols[5].Int[i], to: b.Cols[6].Int[i], row: int32(len(left.ints[0]))}
				for r := byAuction.rows(id); r > 0; r = byAuction.next[r-1] {
					offer(&open[n], r, right.ints[1][r-1], right.ints[2][r-1])
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
				right.add(b, i, []int{1, 2, 3}, []int{4})
				n, _ := known.of(id)
				open = grow(open, int(n)+1)
				offer(&open[n], int32(len(right.ints[0])), b.Cols[2].Int[i], b.Cols[3].Int[i])
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// limitQ20 joins bids, all columns, with the auctions of category 10.
func limitQ20(events uint64) error {
	auctions, err := newFeed(nexmark.Auction, events, auctionsPerEvent, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if err != nil {
		return err
	}
	bids, err := newFeed(nexmark.Bid, events, bidsPerEvent, Auction, Bidder, Price, Channel, URL, DateTime, Extra)
	if err != nil {
		return err
	}
	byAuction, byID := newChains(), newChains()
	var left, right store
	for bids.left > 0 || auctions.left > 0 {
		if err := auctions.batches(3072, func(b *batch.Batch) {
			byAuction.keys.reserve(b.N)
			byID.keys.reserve(b.N)
			for i, id := range b.Cols[0].Int[:b.N] {
				if b.Cols[8].Int[i] != 10 {
					continue
				}
				byID.add(id)
				right.add(b, i, []int{3, 4, 5, 6, 7, 8}, []int{1, 2, 9})
				for r := byAuction.rows(id); r > 0; r = byAuction.next[r-1] {
					left.emit(r)
				}
			}
		}); err != nil {
			return err
		}
		if err := bids.batches(46*1024, func(b *batch.Batch) {
			byAuction.keys.reserve(b.N)
			byID.keys.reserve(b.N)
			for i, id := range b.Cols[0].Int[:b.N] {
				byAuction.add(id)
				left.add(b, i, []int{1, 2, 5}, []int{3, 4, 6})
				for r := byID.rows(id); r > 0; r = byID.next[r-1] {
					right.emit(r)
				}
			}
		}); err != nil {
			return err
		}
	}
	return nil
}
