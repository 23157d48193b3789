package bench

import "github.com/millrace/millrace/batch"

// bidRow is a bid without its strings: keeping those costs what copying them
// does, which the kernels leave out.
type bidRow struct{ auction, bidder, price, at int64 }

func bidAt(b *batch.Batch, i int) bidRow {
	return bidRow{b.Cols[0].Int[i], b.Cols[1].Int[i], b.Cols[2].Int[i], b.Cols[5].Int[i]}
}

// limitQ18 keeps the last bid of each bidder for each auction. It reads all
// columns of bid.
func limitQ18() Limit {
	keys, o := newIDs(), &sink{}
	var kept []bidRow
	keys.spread = true
	return func(b *batch.Batch) int {
		keys.reserve(b.N)
		kept = grow(kept, len(keys.keys)+b.N)
		before := o.n
		for i, bidder := range b.Cols[1].Int[:b.N] {
			id, fresh := keys.of(bidder<<32 | b.Cols[0].Int[i])
			if !fresh {
				if kept[id].at > b.Cols[5].Int[i] {
					continue
				}
				o.ints[0][o.next()] = kept[id].price
			}
			kept[id] = bidAt(b, i)
			j := o.next()
			o.ints[0][j], o.ints[1][j], o.ints[2][j] = b.Cols[0].Int[i], bidder, b.Cols[2].Int[i]
		}
		return o.n - before
	}
}

// limitQ19 keeps the ten dearest bids of each auction. It reads all columns of
// bid, and puts out each place that changes.
func limitQ19() Limit {
	const most = 10
	type place struct {
		price int64
		row   uint32
	}
	type top struct {
		n      int
		places [most]place
	}
	keys, o := newIDs(), &sink{}
	var kept []bidRow
	var tops []top
	rows := uint32(0)
	return func(b *batch.Batch) int {
		keys.reserve(b.N)
		tops = grow(tops, len(keys.keys)+b.N)
		kept = grow(kept, int(rows)+b.N)
		before := o.n
		for i, auction := range b.Cols[0].Int[:b.N] {
			id, _ := keys.of(auction)
			t, price := &tops[id], b.Cols[2].Int[i]
			if t.n == most && t.places[most-1].price >= price {
				continue
			}
			row := rows
			if t.n == most {
				row = t.places[most-1].row
			} else {
				rows++
				t.n++
			}
			at := t.n - 1
			for ; at > 0 && t.places[at-1].price < price; at-- {
				t.places[at] = t.places[at-1]
			}
			t.places[at] = place{price, row}
			kept[row] = bidAt(b, i)
			for k := at; k < t.n; k++ {
				j := o.next()
				o.ints[0][j], o.ints[1][j], o.ints[2][j] = auction, t.places[k].price, int64(k)
			}
		}
		return o.n - before
	}
}

// limitQ11 counts bids per bidder (column 0) and session of date_time (column 1).
func limitQ11() Limit {
	const gap = 10_000_000
	type session struct{ start, last, count int64 }
	keys, o := newIDs(), &sink{}
	var open []session
	return func(b *batch.Batch) int {
		keys.reserve(b.N)
		open = grow(open, len(keys.keys)+b.N)
		before := o.n
		for i, k := range b.Cols[0].Int[:b.N] {
			id, fresh := keys.of(k)
			s, t := &open[id], b.Cols[1].Int[i]
			if fresh || t > s.last+gap {
				if !fresh {
					j := o.next()
					o.ints[0][j], o.ints[1][j], o.ints[2][j] = k, s.count, s.start
				}
				*s = session{start: t}
			}
			s.last = max(s.last, t)
			s.count++
		}
		return o.n - before
	}
}
