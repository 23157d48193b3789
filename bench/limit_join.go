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
	s     *stream
	left  int // rows
	empty int // readers that had nothing more
}

func newFeed(of nexmark.Stream, events uint64, share float64, columns ...int) (*feed, error) {
	s, err := newStreamOf(of, events, columns)
	return &feed{s: s, left: int(float64(events) * share)}, err
}

// batches calls fn for about n rows more of the stream.
func (f *feed) batches(n int, fn func(b *batch.Batch)) error {
	for ; n > 0 && f.left > 0; n -= f.s.out.N {
		b, err := f.s.read()
		if err != nil {
			return err
		}
		if f.left -= b.N; b.N > 0 {
			f.empty = 0
			fn(b)
		} else if f.empty++; f.empty == len(f.s.readers) {
			f.left = 0
		}
	}
	return nil
}

// pair is what two sides of a join have of a key: the places of their newest rows.
type pair struct{ left, right uint64 }

// limitQ3 joins auctions of category 10 (id, seller, category) with people of
// three states (id, name, city, state).
func limitQ3(events uint64) (int, error) {
	auctions, err := newFeed(nexmark.Auction, events, auctionsPerEvent, 0, 7, 8)
	if err != nil {
		return 0, err
	}
	people, err := newFeed(nexmark.Person, events, personsPerEvent, 0, 1, 4, 5)
	if err != nil {
		return 0, err
	}
	sellers := newPerKey[pair]()
	var left, right journal
	defer left.close()
	defer right.close()
	id, texts := []int{0}, []int{1, 2, 3}
	for people.left > 0 || auctions.left > 0 {
		if err := auctions.batches(3072, func(b *batch.Batch) {
			sellers.room(b.N)
			for i, c := range b.Cols[2].Int[:b.N] {
				if c != 10 {
					continue
				}
				s := sellers.at(b.Cols[1].Int[i])
				s.left = left.add(b, i, id, nil, s.left)
				for r := s.right; r > 0; r = right.row(r)[0] {
					right.emit(r, 0, 3)
				}
			}
		}); err != nil {
			return 0, err
		}
		if err := people.batches(1024, func(b *batch.Batch) {
			sellers.room(b.N)
			for i, id := range b.Cols[0].Int[:b.N] {
				if s := b.Cols[3].Str(i); s != "OR" && s != "ID" && s != "CA" {
					continue
				}
				s := sellers.at(id)
				s.right = right.add(b, i, nil, texts, s.right)
				for r := s.left; r > 0; r = left.row(r)[0] {
					left.emit(r, 1, 0)
				}
			}
		}); err != nil {
			return 0, err
		}
	}
	return left.out.n + right.out.n, nil
}

// limitQ20 joins bids, all columns, with the auctions of category 10.
func limitQ20(events uint64) (int, error) {
	auctions, err := newFeed(nexmark.Auction, events, auctionsPerEvent, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if err != nil {
		return 0, err
	}
	bids, err := newFeed(nexmark.Bid, events, bidsPerEvent, Auction, Bidder, Price, Channel, URL, DateTime, Extra)
	if err != nil {
		return 0, err
	}
	byAuction := newPerKey[pair]()
	var left, right journal
	defer left.close()
	defer right.close()
	bidInts, bidTexts := []int{1, 2, 5}, []int{3, 4, 6}
	ints, texts := []int{3, 4, 5, 6, 7, 8}, []int{1, 2, 9}
	for bids.left > 0 || auctions.left > 0 {
		if err := auctions.batches(3072, func(b *batch.Batch) {
			byAuction.room(b.N)
			for i, id := range b.Cols[0].Int[:b.N] {
				if b.Cols[8].Int[i] != 10 {
					continue
				}
				a := byAuction.at(id)
				a.right = right.add(b, i, ints, texts, a.right)
				for r := a.left; r > 0; r = left.row(r)[0] {
					left.emit(r, 3, 3)
					right.out.emitRow(b, i, ints, texts)
				}
			}
		}); err != nil {
			return 0, err
		}
		if err := bids.batches(46*1024, func(b *batch.Batch) {
			byAuction.room(b.N)
			load(b, bidTexts)
			for i, id := range b.Cols[0].Int[:b.N] {
				a := byAuction.at(id)
				a.left = left.add(b, i, bidInts, bidTexts, a.left)
				for r := a.right; r > 0; r = right.row(r)[0] {
					right.emit(r, 6, 3)
					left.out.emitRow(b, i, bidInts, bidTexts)
				}
			}
		}); err != nil {
			return 0, err
		}
	}
	return left.out.n, nil
}
