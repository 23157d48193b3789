// Package bench measures Nexmark queries: the compiled SQL plan beside a kernel
// fused by hand for that one query, which is about what the machine can do, in
// the same run on the same generator. It is measured by `make bench` and used by
// nothing.
package bench

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/connector/nexmark"
	"github.com/millrace/millrace/types"
)

// EventRate is events per second of event time: 10 M, as Nexmark's reference
// runs have it, so that window sizes mean what they mean there.
const EventRate = 10_000_000

// bidsPerEvent: of fifty events 46 are bids. Figures, goals and limits alike, are
// in events of all three streams, as Nexmark counts: those of streams that a query
// does not read are counted but not generated, by plans and limit kernels alike.
// The generator's work for the columns that a query reads is part of both.
const bidsPerEvent = 46.0 / 50

// sourceOf is the source of a stream's part of the first events events; 0 is no
// end.
func sourceOf(stream nexmark.Stream, events uint64) connector.Source {
	if stream == SideInput {
		return sideInput{}
	}
	spec := connector.Spec{Direction: connector.SourceOnly, Columns: nexmark.Columns(stream), Options: map[string]string{
		"stream": string(stream), "event_rate": strconv.Itoa(EventRate), "events": strconv.FormatUint(events, 10)}}
	s, err := generators().NewSource(context.Background(), spec, connector.Env{})
	if err != nil {
		panic(err) // the stream's own columns always fit
	}
	return s
}

// generators is the connector. As in a server, sources share the text behind their
// strings: to make it takes as long as some 100,000 events.
var generators = sync.OnceValue(nexmark.Kind)

// bids is the source of the bids.
func bids(events uint64) connector.Source { return sourceOf(nexmark.Bid, events) }

// Positions of the columns of bid.
const (
	Auction = iota
	Bidder
	Price
	Channel
	URL
	DateTime
	Extra
)

// stream reads one of the streams, the splits in turn.
type stream struct {
	readers []connector.Reader
	next    int
	out     *batch.Batch
}

func newStream(columns []int) (*stream, error) { return newStreamOf(nexmark.Bid, 0, columns) }

func newStreamOf(of nexmark.Stream, events uint64, columns []int) (*stream, error) {
	ctx := context.Background()
	source := sourceOf(of, events)
	splits, err := source.Splits(ctx)
	if err != nil {
		return nil, err
	}
	s := &stream{}
	for _, split := range splits {
		r, err := source.Open(ctx, split, nil, columns)
		if err != nil {
			return nil, fmt.Errorf("open the generator: %w", err)
		}
		s.readers = append(s.readers, r)
	}
	var layout []types.Phys
	for _, c := range columns {
		layout = append(layout, nexmark.Columns(of)[c].Type.Phys())
	}
	s.out = batch.New(layout, batch.RowsDefault)
	return s, nil
}

// read returns the next batch, which is valid until the next call.
func (s *stream) read() (*batch.Batch, error) {
	r := s.readers[s.next]
	s.next = (s.next + 1) % len(s.readers)
	_, err := r.Read(context.Background(), s.out, batch.RowsDefault)
	return s.out, err
}
