package bench

import (
	"github.com/millrace/millrace/batch"
)

// limitQ12 counts bids per bidder: column 0.
func limitQ12() Limit {
	keys := newIDs()
	var counts []int64
	return func(b *batch.Batch) int {
		keys.reserve(b.N)
		counts = grow(counts, len(keys.keys)+b.N)
		for _, k := range b.Cols[0].Int[:b.N] {
			id, _ := keys.of(k)
			counts[id]++
		}
		return b.N
	}
}

// rankOf is 1, 2 or 4: under 10,000, under a million, above.
func rankOf(price int64) uint8 {
	r := uint8(1)
	if price >= 10_000 {
		r = 2
	}
	if price >= 1_000_000 {
		r = 4
	}
	return r
}

// seen is the values of a distinct argument with the ranks they were seen at.
type seen struct {
	keys   *ids
	ranks  []uint8
	counts [16]int64 // of values by the ranks they brought
}

func newSeen() *seen { return &seen{keys: newIDs()} }

func (s *seen) reserve(n int) {
	s.keys.reserve(n)
	s.ranks = grow(s.ranks, len(s.keys.keys)+n)
}

func (s *seen) add(v int64, rank uint8) uint8 {
	id, _ := s.keys.of(v)
	f := &s.ranks[id]
	brought := rank &^ *f
	*f |= rank
	return brought
}

// limitQ15 reads auction, bidder, price.
func limitQ15() Limit {
	bidders, auctions := newSeen(), newSeen()
	var total [8]int64
	return func(b *batch.Batch) int {
		bidders.reserve(b.N)
		auctions.reserve(b.N)
		for i, p := range b.Cols[2].Int[:b.N] {
			r := rankOf(p)
			total[r]++
			if d := bidders.add(b.Cols[1].Int[i], r|8); d != 0 {
				bidders.counts[d]++
			}
			if d := auctions.add(b.Cols[0].Int[i], r|8); d != 0 {
				auctions.counts[d]++
			}
		}
		return 1
	}
}

// limitQ16 reads auction, bidder, price, channel.
func limitQ16() Limit {
	channels := newNames()
	counts := make([][12]int64, 16384)
	bidders, auctions := newSeen(), newSeen()
	bidders.keys.spread, auctions.keys.spread = true, true
	return func(b *batch.Batch) int {
		bidders.reserve(b.N)
		auctions.reserve(b.N)
		for i, p := range b.Cols[2].Int[:b.N] {
			channel := channels.of(b.Cols[3].Str(i))
			c, r := &counts[channel], rankOf(p)
			c[0]++
			c[r]++
			if d := bidders.add(int64(channel)<<40|b.Cols[1].Int[i], r|8); d != 0 {
				c[5+d&3]++
			}
			if d := auctions.add(int64(channel)<<40|b.Cols[0].Int[i], r|8); d != 0 {
				c[8+d&3]++
			}
		}
		return b.N
	}
}

// limitQ17 reads auction, price. All bids of a run are of few days; the kernel
// leaves the day out.
func limitQ17() Limit {
	type totals struct{ bids, low, mid, high, least, most, sum, day int64 }
	keys := newIDs()
	var rows []totals
	return func(b *batch.Batch) int {
		keys.reserve(b.N)
		rows = grow(rows, len(keys.keys)+b.N)
		for i, k := range b.Cols[0].Int[:b.N] {
			p := b.Cols[1].Int[i]
			id, fresh := keys.of(k)
			t := &rows[id]
			if fresh {
				t.least = 1 << 62
			}
			t.bids++
			switch {
			case p < 10_000:
				t.low++
			case p < 1_000_000:
				t.mid++
			default:
				t.high++
			}
			t.least, t.most = min(t.least, p), max(t.most, p)
			t.sum += p
		}
		return b.N
	}
}

// limitQ5 counts bids per auction (column 0) in panes of 2 s by date_time
// (column 1) and, as a pane ends, emits the sums of the last five.
func limitQ5() Limit {
	const pane, panes = 2_000_000, 5
	type part struct {
		keys   *ids
		counts []int64
	}
	var parts []part
	sums := part{keys: newIDs()}
	cur, start := part{keys: newIDs()}, int64(-1)
	o := &sink{}
	fire := func() int {
		parts = append(parts, cur)
		if len(parts) > panes {
			cur = parts[0]
			parts = parts[1:]
			cur.keys.clear()
			clear(cur.counts)
		} else {
			cur = part{keys: newIDs()}
		}
		sums.keys.clear()
		clear(sums.counts)
		for _, p := range parts {
			sums.keys.reserve(len(p.keys.keys))
			sums.counts = grow(sums.counts, len(sums.keys.keys)+len(p.keys.keys))
			for i, k := range p.keys.keys {
				id, _ := sums.keys.of(k)
				sums.counts[id] += p.counts[i]
			}
		}
		for i, k := range sums.keys.keys {
			j := o.next()
			o.ints[0][j], o.ints[1][j] = k, sums.counts[i]
		}
		return len(sums.keys.keys)
	}
	return func(b *batch.Batch) int {
		emitted := 0
		if p := b.Cols[1].Int[b.N-1] / pane; p != start {
			if start >= 0 {
				emitted = fire()
			}
			start = p
		}
		cur.keys.reserve(b.N)
		cur.counts = grow(cur.counts, len(cur.keys.keys)+b.N)
		for _, k := range b.Cols[0].Int[:b.N] {
			id, _ := cur.keys.of(k)
			cur.counts[id]++
		}
		return emitted
	}
}

// limitQ7 is the highest price (column 0) per 10 s by date_time (column 1).
func limitQ7() Limit {
	const size = 10_000_000
	start, most := int64(-1), int64(0)
	return func(b *batch.Batch) int {
		emitted := 0
		if w := b.Cols[1].Int[b.N-1] / size; w != start {
			start, most, emitted = w, 0, 1
		}
		for _, p := range b.Cols[0].Int[:b.N] {
			most = max(most, p)
		}
		return emitted
	}
}
