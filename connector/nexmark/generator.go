// Package nexmark generates the three streams of the Nexmark auction benchmark:
// persons, auctions and bids, by the rules of nexmark-flink. Every value is a
// function of the seed and the event's number alone, so any place of a stream
// can be reached at once and a run can be repeated exactly. It generates only
// the columns asked for, and it knows nothing of wall-clock time: pacing is the
// runtime's.
//
// Events are numbered from 0. Fifty make an epoch: one person, three auctions,
// 46 bids, in that order. Event e happens ⌊1000·e / event_rate⌋ ms after
// 2015-07-15 00:00:00.
package nexmark

import (
	"math/bits"

	"github.com/millrace/millrace/batch"
)

// The shape of the stream, as nexmark-flink configures it by default.
const (
	epochEvents   = 50
	epochPersons  = 1
	epochAuctions = 3
	epochBids     = 46
	firstID       = 1000 // of persons and auctions
	firstCategory = 10
	categories    = 5
	hotUnit       = 100  // hot auctions, bidders and sellers are multiples of it
	inFlight      = 100  // auctions a cold bid chooses from
	activePeople  = 1000 // people a cold bid or auction chooses from
	lead          = 10   // how far an id may lie in the future
	// BaseMillis is when event 0 happens: 2015-07-15 00:00:00 UTC.
	BaseMillis = 1_436_918_400_000
)

// finish is the finaliser of splitmix64.
func finish(x uint64) uint64 {
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}

// draw is the k-th random number of event e: one multiplication folded, which
// passes for random here and needs no state to carry on.
func draw(e, k uint64) uint64 {
	hi, lo := bits.Mul64(e^0xa0761d6478bd642f^k, e*0xe7037ed1a0b428db+k+0x8ebc6af09c88c6e3)
	return hi ^ lo
}

// scale maps a random word to [0, n).
func scale(r, n uint32) uint32 { return uint32(uint64(r) * uint64(n) >> 32) }

// generator makes values; it is immutable and shared by readers.
type generator struct {
	dict *dictionary
	rate uint64 // events per second of event time
	salt uint64 // what the seed mixes into event numbers before drawing
}

func newGenerator(dict *dictionary, rate, seed uint64) *generator {
	g := &generator{dict: dict, rate: rate}
	if seed != 0 {
		g.salt = finish(seed)
	}
	return g
}

// millis is when event e happens, in milliseconds since 1970.
func (g *generator) millis(e uint64) int64 { return BaseMillis + int64(e*1000/g.rate) }

// price is 100·10^(6u) rounded, interpolated linearly between the points of a
// table; the error is under 0.001 %.
func (g *generator) price(r uint64) int64 {
	k := r >> 52
	f := float64(r>>12&(1<<40-1)) * (1.0 / (1 << 40))
	lo := g.dict.price[k]
	return int64(lo + (g.dict.price[k+1]-lo)*f + 0.5)
}

// cold is the range that a cold choice draws from: base + [0, span).
type cold struct {
	base int64
	span uint32
}

// people says whom an event of this epoch refers to, by id; the newest person is
// the epoch's own.
func people(epoch uint64) cold {
	n := int64(epoch) + 1
	active := min(n, activePeople)
	return cold{base: n - active + firstID, span: uint32(active + lead)}
}

// auctions says which auctions a bid of this epoch refers to, by id.
func auctions(epoch uint64) cold {
	last := int64(epoch)*epochAuctions + epochAuctions - 1
	oldest := max(last-inFlight, 0)
	return cold{base: oldest + firstID, span: uint32(last - oldest + 1 + lead)}
}

// Positions of the columns of bid.
const (
	bidAuction = iota
	bidBidder
	bidPrice
	bidChannel
	bidURL
	bidDateTime
	bidExtra
)

// fillBids writes column col of the bids first .. first+n-1 of an epoch to rows
// at .. at+n-1 of c.
//
// hot: one flat loop per column; nothing else runs per row.
func (g *generator) fillBids(c *batch.Column, col, at int, epoch uint64, first, n int) {
	event := epoch*epochEvents + epochPersons + epochAuctions + uint64(first)
	salt, dict := g.salt, g.dict
	switch col {
	case bidAuction:
		last := int64(epoch)*epochAuctions + epochAuctions - 1
		fillChoice(c.Int[at:at+n], event, salt, 1, 63, last/hotUnit*hotUnit+firstID, auctions(epoch))
	case bidBidder:
		last := int64(epoch)
		fillChoice(c.Int[at:at+n], event, salt, 2, 62, last/hotUnit*hotUnit+1+firstID, people(epoch))
	case bidPrice:
		out, table := c.Int[at:at+n], &dict.price
		for i := range out {
			r := draw((event+uint64(i))^salt, 3)
			k := r >> 52
			f := float64(r>>12&(1<<40-1)) * (1.0 / (1 << 40))
			lo := table[k&(priceSteps-1)]
			out[i] = int64(lo + (table[k&(priceSteps-1)+1]-lo)*f + 0.5)
		}
	case bidDateTime:
		fillTime(c.Int[at:at+n], event, 1, g.rate)
	case bidChannel, bidURL:
		out, from := c.Views[at:at+n], &dict.channel
		if col == bidURL {
			from = &dict.url
		}
		for i := range out {
			r := draw((event+uint64(i))^salt, 4)
			k := scale(uint32(r), channels)
			if r>>63 != 0 {
				k = channels + uint32(r>>60&3)
			}
			out[i] = from[k]
		}
	case bidExtra:
		out := c.Views[at : at+n]
		for i := range out {
			r := draw((event+uint64(i))^salt, 5)
			out[i] = dict.text(uint32(r), 54+scale(uint32(r>>32), 28))
		}
	}
}

// fillChoice draws ids: the hot one unless the bits above shift are all zero,
// else one out of the cold range.
func fillChoice(out []int64, event, salt, k uint64, shift uint, hot int64, from cold) {
	for i := range out {
		r := draw((event+uint64(i))^salt, k)
		id := from.base + int64(scale(uint32(r), from.span))
		if r>>shift != 0 {
			id = hot
		}
		out[i] = id
	}
}

// fillTime writes when events event, event+step, … happen, in microseconds. One
// division a call; then the fraction is carried along.
func fillTime(out []int64, event, step, rate uint64) {
	whole, part := step*1000/rate, step*1000%rate
	ms, rest := event*1000/rate, event*1000%rate
	us := int64(ms)*1000 + BaseMillis*1000
	stepUs := int64(whole) * 1000
	for i := range out {
		out[i] = us
		us += stepUs
		rest += part
		if rest >= rate {
			rest -= rate
			us += 1000
		}
	}
}
