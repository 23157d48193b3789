package handler

import (
	"context"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/types"
)

// joinKeys is what the other side of a join tells the source of one side: written
// before told is closed.
type joinKeys struct {
	told   chan struct{}
	values [][]types.Value
	all    bool // there are too many
}

// keysFor is what the source operator of that id is told.
func (p *boundedParts) keysFor(source string) *joinKeys {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys == nil {
		p.keys = map[string]*joinKeys{}
	}
	k := p.keys[source]
	if k == nil {
		k = &joinKeys{told: make(chan struct{})}
		p.keys[source] = k
	}
	return k
}

// tellKeys is operator.Env's Keys.
func (p *boundedParts) tellKeys(source string, values [][]types.Value, all bool) {
	k := p.keysFor(source)
	k.values, k.all = values, all
	close(k.told)
}

// indexed is a source that can read what an index finds.
type indexed interface {
	connector.Source
	// with is the same source for other rows; nil: all of them.
	with(*graph.Lookup) connector.Source
}

func (c *cutSource) with(l *graph.Lookup) connector.Source { return &cutSource{cut: c.cut, wanted: l} }

func (t *tableSource) with(l *graph.Lookup) connector.Source {
	return &tableSource{cut: t.cut, id: t.id, columns: t.columns, wanted: l}
}

// keyedSource reads the rows with the keys that it is told.
type keyedSource struct {
	oneShot
	of   indexed
	by   *graph.Lookup
	keys *joinKeys
}

// Splits implements connector.Source.
func (k *keyedSource) Splits(context.Context) ([]connector.Split, error) {
	return []connector.Split{{ID: "keys"}}, nil
}

// Open implements connector.Source.
func (k *keyedSource) Open(_ context.Context, _ connector.Split, _ []byte, want []int) (connector.Reader, error) {
	return &keyedReader{source: k, want: want}, nil
}

// chosen is what to read, once that is known.
func (k *keyedSource) chosen() connector.Source {
	if k.keys.all {
		return k.of.with(nil)
	}
	l := *k.by
	l.Keys = ""
	for _, v := range k.keys.values {
		l.Ranges = append(l.Ranges, graph.LookupRange{Equal: v})
	}
	return k.of.with(&l)
}

// keyedReader reads nothing until the source has been told, then the splits of what was
// chosen, one after the other.
type keyedReader struct {
	source *keyedSource
	want   []int

	begun  bool
	from   connector.Source
	splits []connector.Split
	part   connector.Reader // of the first of these
}

// Read implements connector.Reader.
func (r *keyedReader) Read(ctx context.Context, out *batch.Batch, limit int) (connector.Status, error) {
	if !r.begun {
		select {
		case <-r.source.keys.told:
		default:
			return connector.Idle, nil
		}
		if r.begun = true; !r.source.keys.all && len(r.source.keys.values) == 0 {
			return connector.End, nil // a lookup without ranges would be of all rows
		}
		var err error
		r.from = r.source.chosen()
		if r.splits, err = r.from.Splits(ctx); err != nil {
			return 0, err
		}
	}
	if len(r.splits) == 0 {
		return connector.End, nil
	}
	if r.part == nil {
		var err error
		if r.part, err = r.from.Open(ctx, r.splits[0], nil, r.want); err != nil {
			return 0, err
		}
	}
	status, err := r.part.Read(ctx, out, limit)
	if err == nil && status == connector.End {
		err = r.part.Close()
		r.part, r.splits = nil, r.splits[1:]
		if len(r.splits) > 0 {
			status = connector.More
		}
	}
	return status, err
}

// Ready implements connector.Reader.
func (r *keyedReader) Ready() <-chan struct{} { return r.source.keys.told }

// Offset implements connector.Reader: a cut is not resumed.
func (r *keyedReader) Offset() []byte { return nil }

// Close implements connector.Reader.
func (r *keyedReader) Close() error {
	if r.part == nil {
		return nil
	}
	return r.part.Close()
}
