// Package blackhole is a sink that counts rows and drops them. It keeps nothing
// and promises nothing about what it was given.
package blackhole

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
)

// Counts are the rows dropped so far, per relation, since the process started.
type Counts struct {
	mu   sync.Mutex
	rows map[string]*atomic.Int64
}

// Rows returns how many rows were dropped for a relation.
func (c *Counts) Rows(relation string) int64 { return c.of(relation).Load() }

func (c *Counts) of(relation string) *atomic.Int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows == nil {
		c.rows = map[string]*atomic.Int64{}
	}
	if c.rows[relation] == nil {
		c.rows[relation] = new(atomic.Int64)
	}
	return c.rows[relation]
}

// Kind returns the connector; counts may be nil.
func Kind(counts *Counts) *connector.Kind {
	if counts == nil {
		counts = &Counts{}
	}
	k := &connector.Kind{Name: "blackhole", AtLeastOnce: true}
	k.NewSink = func(_ context.Context, spec connector.Spec, _ connector.Env) (connector.Sink, error) {
		if _, err := k.Check(spec); err != nil {
			return nil, err
		}
		return &sink{rows: counts.of(spec.Relation)}, nil
	}
	return k
}

type sink struct{ rows *atomic.Int64 }

// Open starts a writer.
func (s *sink) Open(context.Context, connector.WriterID) (connector.Writer, error) {
	return &writer{sink: s}, nil
}

// Commit has nothing to do.
func (s *sink) Commit(context.Context, [][]byte) error { return nil }

// Abort has nothing to do.
func (s *sink) Abort(context.Context, connector.WriterID) error { return nil }

type writer struct{ sink *sink }

// Write counts the live rows.
func (w *writer) Write(_ context.Context, b *batch.Batch) error {
	w.sink.rows.Add(int64(b.Live()))
	return nil
}

// PreCommit has nothing to make durable.
func (w *writer) PreCommit(context.Context, uint64) ([]byte, error) { return nil, nil }

// Close does nothing.
func (w *writer) Close() error { return nil }
