package bench

import (
	"bytes"
	"strings"

	"github.com/millrace/millrace/batch"
)

// A Limit is the kernel of one query, fused by hand. It reads the columns that
// its query lists, by their position in that list, and returns how many rows it
// put out, so that no work can be left out unseen.
type Limit func(b *batch.Batch) int

// ring is where limit kernels put what they emit.
const ring = 8192

type sink struct {
	n    int
	ints [4][ring]int64
	strs [3][ring]batch.View
}

func (o *sink) next() int {
	i := o.n & (ring - 1)
	o.n++
	return i
}

func limitQ0() Limit {
	return func(b *batch.Batch) int { return b.N }
}

// limitQ1 reads price. A price in euros is numeric in SQL; the kernel multiplies
// integers.
func limitQ1() Limit {
	euros := make([]int64, batch.RowsDefault)
	return func(b *batch.Batch) int {
		out := euros[:b.N]
		for i, p := range b.Cols[2].Int[:b.N] {
			out[i] = p * 908
		}
		return b.N
	}
}

func limitQ2() Limit {
	o, sel := &sink{}, make([]uint16, batch.RowsDefault)
	return func(b *batch.Batch) int {
		k := 0
		for i, a := range b.Cols[0].Int[:b.N] {
			if a%123 == 0 {
				sel[k] = uint16(i)
				k++
			}
		}
		for _, s := range sel[:k] {
			i := o.next()
			o.ints[0][i], o.ints[1][i] = b.Cols[0].Int[s], b.Cols[1].Int[s]
		}
		return k
	}
}

// limitQ14 reads auction, bidder, price, date_time, extra.
func limitQ14() Limit {
	o, sel := &sink{}, make([]uint16, batch.RowsDefault)
	return func(b *batch.Batch) int {
		k := 0
		for i, p := range b.Cols[2].Int[:b.N] {
			if x := p * 908; x > 1_000_000_000 && x < 50_000_000_000 {
				sel[k] = uint16(i)
				k++
			}
		}
		for _, s := range sel[:k] {
			i := o.next()
			o.ints[0][i] = int64(bytes.Count(b.Cols[4].BytesAt(int(s)), []byte{'c'}))
			switch h := b.Cols[3].Int[s] / 3_600_000_000 % 24; {
			case h >= 8 && h <= 18:
				o.ints[1][i] = 0
			case h <= 6 || h >= 20:
				o.ints[1][i] = 1
			default:
				o.ints[1][i] = 2
			}
		}
		return k
	}
}

// limitQ21 reads auction, bidder, price, channel, url.
func limitQ21() Limit {
	o := &sink{}
	const mark = "channel_id="
	return func(b *batch.Batch) int {
		before := o.n
		for i := range b.N {
			channel, id := b.Cols[3].Str(i), int64(-1)
			switch {
			case len(channel) == 5 && strings.EqualFold(channel, "apple"):
				id = 0
			case len(channel) == 6 && strings.EqualFold(channel, "google"):
				id = 1
			case len(channel) == 8 && strings.EqualFold(channel, "facebook"):
				id = 2
			case len(channel) == 5 && strings.EqualFold(channel, "baidu"):
				id = 3
			}
			if id >= 0 {
				o.ints[0][o.next()] = id
				continue
			}
			url := b.Cols[4].Str(i)
			at := strings.Index(url, mark)
			if at < 0 {
				continue
			}
			at += len(mark)
			n := strings.IndexByte(url[at:], '&')
			if n < 0 {
				n = len(url) - at
			}
			o.strs[0][o.next()] = batch.View{Off: b.Cols[4].Views[i].Off + uint32(at), Len: uint32(n)}
		}
		return o.n - before
	}
}

// limitQ22 reads auction, bidder, price, channel, url.
func limitQ22() Limit {
	o := &sink{}
	return func(b *batch.Batch) int {
		for i := range b.N {
			url, off := b.Cols[4].Str(i), b.Cols[4].Views[i].Off
			j := o.next()
			for part, at := 0, 0; part < 6; part++ {
				n := strings.IndexByte(url[at:], '/')
				if n < 0 {
					n = len(url) - at
				}
				if part >= 3 {
					o.strs[part-3][j] = batch.View{Off: off + uint32(at), Len: uint32(n)}
				}
				if at += n + 1; at > len(url) {
					break
				}
			}
		}
		return b.N
	}
}
