package handler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// hashedRows are the rows of a relation by their values in some columns, for a subquery
// that asks for those of one outer value after the other.
type hashedRows struct {
	mu       sync.Mutex
	asked    int
	rows     *batch.Batch // nil: not read; without those that have a null in the columns
	at       map[string][]int32
	keys     int64 // bytes of at's keys
	tooLarge bool
	held     memory.Meter
	max      int64 // bytes
}

// Rows are kept from the time on that they have been read hashAfter times: a subquery
// that runs seldom does not need it. At most hashBytesMax are kept, and no more than a part of what
// the statement may hold.
const (
	hashAfter    = 2
	hashBytesMax = 256 << 20
	hashPart     = 4
	// hashKeyBytes is about what a key takes besides its bytes, hashRowBytes what a row
	// takes besides its values.
	hashKeyBytes = 64
	hashRowBytes = 8
)

// hashed is the source of the rows that spec's lookup by hash wants. All subqueries of a
// statement share what is kept.
func (p *boundedParts) hashed(spec *graph.Source, of indexed) (connector.Source, error) {
	l := spec.Lookup
	root := p
	for root.parent != nil {
		root = root.parent
	}
	h := root.hashOf(spec)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asked++; h.asked > hashAfter && h.rows == nil && !h.tooLarge {
		if err := h.read(p.ctx, of.with(nil), spec); err != nil {
			return nil, err
		}
	}
	if h.rows == nil {
		return of.with(nil), nil
	}
	s := &hashedSource{rows: h.rows}
	var key []byte
	for i := range l.Ranges {
		key = key[:0]
		for k, c := range l.Columns {
			key = c.Ordered().AppendValue(key, c.Type.Phys(), &l.Ranges[i].Equal[k])
		}
		s.found = append(s.found, h.at[string(key)])
	}
	return s, nil
}

// hashOf is what p keeps of a relation, of these columns and by these.
func (p *boundedParts) hashOf(spec *graph.Source) *hashedRows {
	name := spec.RelationID
	for _, c := range spec.Physical {
		name += fmt.Sprint(" ", c.Column)
	}
	name += " by"
	for _, c := range spec.Lookup.Columns {
		name += fmt.Sprint(" ", c.Column)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hashes == nil {
		p.hashes = map[string]*hashedRows{}
	}
	h := p.hashes[name]
	if h == nil {
		h = &hashedRows{held: p.account.Share("hash of " + spec.Relation).Meter(), max: hashBytesMax}
		if p.account != nil && p.account.Budget > 0 {
			h.max = min(h.max, p.account.Budget/hashPart)
		}
		p.hashes[name] = h
	}
	return h
}

// read reads all rows of a source, unless they come to too many.
func (h *hashedRows) read(ctx context.Context, of connector.Source, spec *graph.Source) error {
	splits, err := of.Splits(ctx)
	if err != nil {
		return err
	}
	var want []int
	var layout []types.Phys
	for _, c := range spec.Physical {
		want, layout = append(want, c.Column), append(layout, c.Type.Phys())
	}
	h.rows, h.at = batch.New(layout, 0), map[string][]int32{}
	for _, sp := range splits {
		r, err := of.Open(ctx, sp, nil, want)
		if err != nil {
			return err
		}
		if err = h.readSplit(ctx, r, spec); err == nil {
			err = r.Close()
		} else {
			_ = r.Close() // what failed first counts
		}
		if err != nil || h.tooLarge {
			h.rows, h.at = nil, nil
			return errors.Join(err, h.held.Set(0))
		}
	}
	return nil
}

// readSplit adds the rows of a reader.
func (h *hashedRows) readSplit(ctx context.Context, r connector.Reader, spec *graph.Source) error {
	by := make([]int, len(spec.Lookup.Columns)) // where the columns are among those read
	for k, c := range spec.Lookup.Columns {
		by[k] = slices.IndexFunc(spec.Physical, func(p graph.PhysicalColumn) bool { return p.Column == c.Column })
	}
	part := &batch.Batch{}
	for _, c := range h.rows.Cols {
		part.Cols = append(part.Cols, batch.NewColumn(c.Phys, 0))
	}
	var key []byte
	for status := connector.More; status != connector.End && !h.tooLarge; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		part.Reset()
		var err error
		if status, err = r.Read(ctx, part, batch.RowsDefault); err != nil {
			return err
		}
		kept := make([]uint16, 0, part.N)
		for i := range part.N {
			if slices.ContainsFunc(by, func(c int) bool { return part.Cols[c].IsNull(i) }) {
				continue // nothing is equal to it
			}
			key = key[:0]
			for k, c := range by {
				v, l := part.Cols[c].Value(i), &spec.Lookup.Columns[k]
				key = l.Ordered().AppendValue(key, l.Type.Phys(), &v)
			}
			if _, ok := h.at[string(key)]; !ok {
				h.keys += int64(len(key)) + hashKeyBytes
			}
			h.at[string(key)] = append(h.at[string(key)], int32(h.rows.N+len(kept)))
			kept = append(kept, uint16(i))
		}
		h.rows.AppendSelected(part, kept)
		size := h.rows.Bytes() + h.keys + int64(h.rows.N)*hashRowBytes
		h.tooLarge = size > h.max
		if err := h.held.Set(size); err != nil {
			return err
		}
	}
	return nil
}

// hashedSource gives some rows of those that are kept.
type hashedSource struct {
	oneShot
	rows  *batch.Batch
	found [][]int32
}

// Splits implements connector.Source.
func (h *hashedSource) Splits(context.Context) ([]connector.Split, error) {
	return []connector.Split{{ID: "hash"}}, nil
}

// Open implements connector.Source.
func (h *hashedSource) Open(context.Context, connector.Split, []byte, []int) (connector.Reader, error) {
	return &hashedReader{rows: h.rows, found: h.found}, nil
}

type hashedReader struct {
	rows  *batch.Batch
	found [][]int32
}

// Read implements connector.Reader.
func (r *hashedReader) Read(_ context.Context, out *batch.Batch, limit int) (connector.Status, error) {
	for len(r.found) > 0 && out.N < limit {
		n := min(len(r.found[0]), limit-out.N)
		for _, row := range r.found[0][:n] {
			for i, c := range r.rows.Cols {
				out.Cols[i].AppendRow(c, int(row))
			}
		}
		out.N += n
		if r.found[0] = r.found[0][n:]; len(r.found[0]) == 0 {
			r.found = r.found[1:]
		}
	}
	if len(r.found) == 0 {
		return connector.End, nil
	}
	return connector.More, nil
}

// Ready implements connector.Reader.
func (r *hashedReader) Ready() <-chan struct{} { return nil }

// Offset implements connector.Reader: what is kept is not resumed.
func (r *hashedReader) Offset() []byte { return nil }

// Close implements connector.Reader: the rows are the statement's.
func (r *hashedReader) Close() error { return nil }
