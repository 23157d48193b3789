package nexmark

import "github.com/millrace/millrace/batch"

// Positions of the columns of auction.
const (
	auctionID = iota
	auctionItem
	auctionDescription
	auctionInitialBid
	auctionReserve
	auctionDateTime
	auctionExpires
	auctionSeller
	auctionCategory
	auctionExtra
)

// fillAuctions is fillBids for the auction stream.
func (g *generator) fillAuctions(c *batch.Column, col, at int, epoch uint64, first, n int) {
	for i := range n {
		nth := uint64(first + i)
		event := epoch*epochEvents + epochPersons + nth
		e := event ^ g.salt
		switch col {
		case auctionID:
			c.Int[at+i] = int64(epoch*epochAuctions+nth) + firstID
		case auctionItem:
			c.Views[at+i] = g.item(e)
		case auctionDescription:
			c.Views[at+i] = g.description(e)
		case auctionInitialBid:
			c.Int[at+i] = g.price(draw(e, 5))
		case auctionReserve:
			c.Int[at+i] = g.price(draw(e, 5)) + g.price(draw(e, 6))
		case auctionDateTime:
			c.Int[at+i] = g.millis(event) * 1000
		case auctionExpires:
			c.Int[at+i] = g.expires(event, e) * 1000
		case auctionSeller:
			fillChoice(c.Int[at+i:at+i+1], event, g.salt, 1, 62, int64(epoch)/hotUnit*hotUnit+firstID, people(epoch))
		case auctionCategory:
			c.Int[at+i] = firstCategory + int64(scale(uint32(draw(e, 2)), categories))
		case auctionExtra:
			// As long as the auction then comes to 500 bytes on average.
			size := 8*6 + g.item(e).Len + g.description(e).Len
			c.Views[at+i] = g.extra(draw(e, 8), 500-size)
		}
	}
}

func (g *generator) item(e uint64) batch.View        { return g.dict.phrase(draw(e, 3), 20) }
func (g *generator) description(e uint64) batch.View { return g.dict.phrase(draw(e, 4), 100) }

// expires draws the end of an auction, in milliseconds: on average when inFlight
// more auctions will have been opened.
func (g *generator) expires(event, e uint64) int64 {
	from := g.millis(event)
	horizon := g.millis(event+inFlight*epochEvents/epochAuctions) - from
	return from + 1 + int64(scale(uint32(draw(e, 7)), uint32(min(max(2*horizon, 1), 1<<32-1))))
}

// extra is filler of about want bytes, give or take a fifth.
func (g *generator) extra(r uint64, want uint32) batch.View {
	delta := (want + 2) / 5
	return g.dict.text(uint32(r), want-delta+scale(uint32(r>>32), 2*delta))
}

// Positions of the columns of person.
const (
	personID = iota
	personName
	personEmail
	personCard
	personCity
	personState
	personDateTime
	personExtra
)

// fillPersons is fillBids for the person stream.
func (g *generator) fillPersons(c *batch.Column, col, at int, epoch uint64, _, n int) {
	if n == 0 {
		return
	}
	event := epoch * epochEvents
	e, d := event^g.salt, g.dict
	switch col {
	case personID:
		c.Int[at] = int64(epoch) + firstID
	case personName:
		c.Views[at] = g.name(e)
	case personEmail:
		c.Views[at] = g.email(e)
	case personCard:
		c.Views[at] = d.card[scale(uint32(draw(e, 3)), cardGroups)]
	case personCity:
		c.Views[at] = g.city(e)
	case personState:
		c.Views[at] = d.state[scale(uint32(draw(e, 5)), uint32(len(d.state)))]
	case personDateTime:
		c.Int[at] = g.millis(event) * 1000
	case personExtra:
		// As long as the person then comes to 200 bytes on average.
		size := 8 + g.name(e).Len + g.email(e).Len + 19 + g.city(e).Len + 2
		c.Views[at] = g.extra(draw(e, 6), 200-size)
	}
}

func (g *generator) name(e uint64) batch.View {
	return g.dict.name[scale(uint32(draw(e, 1)), uint32(len(g.dict.name)))]
}

func (g *generator) email(e uint64) batch.View {
	return g.dict.email[scale(uint32(draw(e, 2)), emails)]
}

func (g *generator) city(e uint64) batch.View {
	return g.dict.city[scale(uint32(draw(e, 4)), uint32(len(g.dict.city)))]
}
