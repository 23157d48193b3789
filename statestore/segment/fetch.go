package segment

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
)

const (
	readBytesMax  = 8 << 20  // what is asked for at a time
	readGapMax    = 64 << 10 // what is read and thrown away to save a request
	fetchParallel = 4
)

// Request asks for a page: Into has its length.
type Request struct {
	Place manifest.Place
	Into  []byte
}

// read is one request to the store: pages of one segment that lie close.
type read struct {
	segment int
	off     int64
	end     int64
	pages   []Request
}

// Fetch reads pages of a table, several at a time, and checks them. An error that
// is ErrDamaged names the object. It owns the goroutines that it starts.
func Fetch(ctx context.Context, store object.Store, t *manifest.Table, pages []Request) error {
	if len(pages) == 0 {
		return nil
	}
	dec, err := newDecoder(fetchParallel)
	if err != nil {
		return fmt.Errorf("make decoder: %w", err)
	}
	defer dec.Close()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetchParallel)
	for _, r := range plan(pages) {
		group.Go(func() error { return r.run(ctx, store, dec, t) })
	}
	return group.Wait()
}

// plan puts pages that lie close together into one read.
func plan(pages []Request) []read {
	pages = append([]Request(nil), pages...)
	sort.Slice(pages, func(i, j int) bool {
		a, b := pages[i].Place, pages[j].Place
		if a.Segment != b.Segment {
			return a.Segment < b.Segment
		}
		return a.Offset < b.Offset
	})
	var reads []read
	for _, p := range pages {
		end := p.Place.Offset + int64(p.Place.Length)
		if n := len(reads); n > 0 {
			last := &reads[n-1]
			if last.segment == p.Place.Segment && p.Place.Offset-last.end <= readGapMax && end-last.off <= readBytesMax {
				last.end = max(last.end, end)
				last.pages = append(last.pages, p)
				continue
			}
		}
		reads = append(reads, read{p.Place.Segment, p.Place.Offset, end, []Request{p}})
	}
	return reads
}

func (r *read) run(ctx context.Context, store object.Store, dec *zstd.Decoder, t *manifest.Table) error {
	name, data, first := "", t.Inline, int64(0)
	if s := t.Segments[r.segment]; s.Name != "" {
		name, first = s.Name, r.off
		var err error
		data, err = store.GetRange(ctx, name, r.off, r.end-r.off)
		if errors.Is(err, object.ErrNotFound) {
			return fmt.Errorf("%w: segment %s is missing", ErrDamaged, name)
		}
		if errors.Is(err, object.ErrShort) {
			return fmt.Errorf("%w: segment %s is cut short", ErrDamaged, name)
		}
		if err != nil {
			return fmt.Errorf("read segment %s: %w", name, err)
		}
	}
	for _, p := range r.pages {
		at := p.Place.Offset - first
		if at < 0 || at+int64(p.Place.Length) > int64(len(data)) {
			return fmt.Errorf("%w: segment %s ends before offset %d", ErrDamaged, name, p.Place.Offset)
		}
		if err := decodeBlock(dec, data[at:at+int64(p.Place.Length)], p.Into, p.Place.Checksum); err != nil {
			return fmt.Errorf("%w: segment %s, block at %d: %w", ErrDamaged, name, p.Place.Offset, err)
		}
	}
	return nil
}
