package nexmark

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// Splits is the number of splits of every stream, whatever the parallelism:
// twelve divides evenly among 1, 2, 3, 4, 6 and 12 tasks. Split s has the epochs
// s, s+12, s+24, …, so that splits read in turn advance evenly in event time.
// The number is part of what offsets mean and never changes.
const Splits = 12

// eventsMax keeps event numbers times 1000 within 64 bits.
const eventsMax = 1_000_000_000_000_000

// Stream is one of the three streams.
type Stream string

// The streams.
const (
	Bid     Stream = "bid"
	Auction Stream = "auction"
	Person  Stream = "person"
)

// Options say what to generate.
type Options struct {
	Stream Stream
	// Events is the number of events of all three streams together; 0 is no end.
	Events uint64
	// EventRate is how many events happen in a second of event time.
	EventRate uint64
	Seed      uint64
}

// EnsureDefaults fills in what was left zero.
func (o Options) EnsureDefaults() Options {
	if o.Stream == "" {
		o.Stream = Bid
	}
	if o.EventRate == 0 {
		o.EventRate = 100_000
	}
	return o
}

// Kind returns the connector. The dictionary behind its strings, about 4 MB, is
// built when the first source is made and shared by all of them.
func Kind() *connector.Kind {
	dict := sync.OnceValue(newDictionary)
	k := &connector.Kind{
		Name: "nexmark",
		Options: []connector.Option{
			{Name: "stream", Values: []string{string(Bid), string(Auction), string(Person)}, Required: true, Doc: "which of the three streams"},
			{Name: "events", Default: "0", Doc: "how many events of all three streams together, 0 for no end"},
			{Name: "event_rate", Default: "100000", Doc: "events of all three streams in a second of event time"},
			{Name: "seed", Default: "0", Doc: "another seed gives other values"},
		},
	}
	k.NewSource = func(_ context.Context, spec connector.Spec, _ connector.Env) (connector.Source, error) {
		s, err := k.Check(spec)
		if err != nil {
			return nil, err
		}
		o := Options{Stream: Stream(s.Text("stream"))}
		if o.Events, err = natural(s, "events", 0); err != nil {
			return nil, err
		}
		if o.EventRate, err = natural(s, "event_rate", 1); err != nil {
			return nil, err
		}
		if o.Seed, err = natural(s, "seed", 0); err != nil {
			return nil, err
		}
		return newSource(dict(), o, spec.Columns)
	}
	return k
}

func natural(s *connector.Settings, name string, lo int64) (uint64, error) {
	n, err := s.Int(name, lo, eventsMax)
	return uint64(n), err
}

// New returns a source of its own, for benchmarks and tests; the columns are
// those of Columns(o.Stream).
func New(o Options) connector.Source {
	o = o.EnsureDefaults()
	s, err := newSource(newDictionary(), o, Columns(o.Stream))
	if err != nil {
		panic(err) // the stream's own columns always fit
	}
	return s
}

// Columns is the schema of a stream.
func Columns(stream Stream) []connector.Column {
	big, text := types.Of(types.Int64), types.Of(types.Varchar)
	ms := types.Type{Kind: types.Timestamp, Precision: 3, HasPrecision: true}
	col := func(name string, t types.Type) connector.Column { return connector.Column{Name: name, Type: t} }
	switch stream {
	case Auction:
		return []connector.Column{col("id", big), col("item_name", text), col("description", text), col("initial_bid", big), col("reserve", big),
			col("date_time", ms), col("expires", ms), col("seller", big), col("category", big), col("extra", text)}
	case Person:
		return []connector.Column{col("id", big), col("name", text), col("email_address", text), col("credit_card", text), col("city", text),
			col("state", text), col("date_time", ms), col("extra", text)}
	}
	return []connector.Column{col("auction", big), col("bidder", big), col("price", big), col("channel", text), col("url", text),
		col("date_time", ms), col("extra", text)}
}

// source is one stream.
type source struct {
	gen     *generator
	options Options
	schema  []connector.Column
	declare []int // declared column → column of the schema
}

// newSource matches declared columns with the stream's by name; a declaration
// may leave columns out and order them as it likes.
func newSource(dict *dictionary, o Options, declared []connector.Column) (*source, error) {
	s := &source{gen: newGenerator(dict, o.EventRate, o.Seed), options: o, schema: Columns(o.Stream)}
	for _, c := range declared {
		if c.Metadata != "" {
			return nil, pgerr.New(pgerr.UndefinedColumn, "connector \"nexmark\" has no metadata %q", c.Metadata)
		}
		at := -1
		if c.Generated {
			s.declare = append(s.declare, at)
			continue
		}
		names := make([]string, len(s.schema))
		for i, have := range s.schema {
			names[i] = have.Name
			if strings.EqualFold(have.Name, c.Name) {
				at = i
			}
		}
		if at < 0 {
			return nil, pgerr.New(pgerr.UndefinedColumn, "stream %q has no column %q", o.Stream, c.Name).Hint("Its columns are %s.", strings.Join(names, ", "))
		}
		if !compatible(c.Type, s.schema[at].Type) {
			return nil, pgerr.New(pgerr.DatatypeMismatch, "column %q of stream %q is %s, not %s", c.Name, o.Stream, s.schema[at].Type, c.Type)
		}
		s.declare = append(s.declare, at)
	}
	return s, nil
}

// compatible says whether the generator's values are values of the declared
// type as they stand.
func compatible(declared, have types.Type) bool {
	switch have.Kind {
	case types.Varchar:
		return declared.Kind == types.Text || declared.Kind == types.Varchar && !declared.HasPrecision
	case types.Timestamp:
		return declared.Kind == types.Timestamp && (!declared.HasPrecision || declared.Precision >= 3) || declared.Kind == types.TimestampTZ && (!declared.HasPrecision || declared.Precision >= 3)
	}
	return declared.Kind == have.Kind
}

// Schema returns the stream's columns.
func (s *source) Schema() []connector.Column { return s.schema }

// Follows is false: the splits are fixed.
func (s *source) Follows() bool { return false }

// Splits lists the twelve splits.
func (s *source) Splits(context.Context) ([]connector.Split, error) {
	out := make([]connector.Split, Splits)
	for i := range out {
		out[i].ID = fmt.Sprintf("%s-%02d", s.options.Stream, i)
	}
	return out, nil
}

// Open starts a reader.
func (s *source) Open(_ context.Context, split connector.Split, offset []byte, want []int) (connector.Reader, error) {
	head, number, _ := strings.Cut(split.ID, "-")
	n, err := strconv.ParseUint(number, 10, 8)
	if err != nil || n >= Splits || head != string(s.options.Stream) {
		return nil, fmt.Errorf("open nexmark split %q: no such split of stream %s", split.ID, s.options.Stream)
	}
	r := &reader{source: s, epoch: n, rows: s.epochRows()}
	if offset != nil {
		if r.epoch, r.row, err = parseOffset(offset); err != nil || r.epoch%Splits != n || r.row >= r.rows {
			return nil, fmt.Errorf("open nexmark split %q: bad offset %q", split.ID, offset)
		}
	}
	for _, w := range want {
		r.cols = append(r.cols, s.declare[w])
	}
	switch s.options.Stream {
	case Bid:
		r.fill = s.gen.fillBids
	case Auction:
		r.fill = s.gen.fillAuctions
	case Person:
		r.fill = s.gen.fillPersons
	}
	return r, nil
}

// epochRows is how many rows of the stream are in an epoch.
func (s *source) epochRows() int {
	switch s.options.Stream {
	case Auction:
		return epochAuctions
	case Person:
		return epochPersons
	}
	return epochBids
}

// firstRow is which event of an epoch its first row of the stream is.
func (s *source) firstRow() uint64 {
	switch s.options.Stream {
	case Auction:
		return epochPersons
	case Person:
		return 0
	}
	return epochPersons + epochAuctions
}

// parseOffset reads "<epoch>" or "<epoch>+<rows of it already delivered>".
func parseOffset(b []byte) (epoch uint64, row int, err error) {
	head, tail, partial := strings.Cut(string(b), "+")
	if epoch, err = strconv.ParseUint(head, 10, 64); err == nil && partial {
		row, err = strconv.Atoi(tail)
	}
	if err == nil && (row < 0 || epoch > eventsMax) {
		err = fmt.Errorf("out of range")
	}
	return epoch, row, err
}

// reader delivers one split. epoch and row are the next to deliver.
type reader struct {
	source *source
	fill   func(c *batch.Column, col, at int, epoch uint64, first, n int)
	cols   []int
	epoch  uint64
	row    int
	rows   int // per epoch
}

// runLength is how many rows are left in the epoch, at most limit.
func (r *reader) runLength(limit int) int {
	n := min(r.rows-r.row, limit)
	if end := r.source.options.Events; end > 0 {
		first := r.epoch*epochEvents + r.source.firstRow() + uint64(r.row)
		if first >= end {
			return 0
		}
		n = min(n, int(min(end-first, epochEvents)))
	}
	return n
}

// Read fills out with up to max rows.
func (r *reader) Read(_ context.Context, out *batch.Batch, max int) (connector.Status, error) {
	out.Sel, out.Ops = nil, nil
	at := 0
	for _, c := range out.Cols {
		c.HasNulls = false
		c.Resize(max)
		if c.Phys == types.PhysBytes {
			c.Arena, c.Fixed = r.source.gen.dict.arena, true
		}
	}
	status := connector.More
	for at < max {
		n := r.runLength(max - at)
		if n == 0 {
			status = connector.End
			break
		}
		for i, col := range r.cols {
			r.fill(out.Cols[i], col, at, r.epoch, r.row, n)
		}
		at += n
		if r.row += n; r.row == r.rows {
			r.epoch, r.row = r.epoch+Splits, 0
		} else if at < max {
			status = connector.End // the events ran out within the epoch
			break
		}
	}
	for _, c := range out.Cols {
		c.Resize(at)
	}
	out.N = at
	return status, nil
}

// Ready is nil: a generator never idles.
func (r *reader) Ready() <-chan struct{} { return nil }

// Offset is "<epoch>" at the start of an epoch, else "<epoch>+<rows>".
func (r *reader) Offset() []byte {
	b := strconv.AppendUint(nil, r.epoch, 10)
	if r.row > 0 {
		b = strconv.AppendInt(append(b, '+'), int64(r.row), 10)
	}
	return b
}

// Close does nothing.
func (r *reader) Close() error { return nil }

// Endless implements connector.Endless.
func (s *source) Endless() bool { return s.options.Events == 0 }
