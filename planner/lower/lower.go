// Package lower turns bound, optimized queries into graphs: it chooses the
// physical operators, their state tables and stable ids, the exchanges between
// them and the changelog mode of each edge. It evaluates nothing, knows no
// connector and runs nothing.
package lower

import (
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
)

// Options are what lowering depends on besides the tree.
type Options struct {
	// Secret reports whether an option of a connector is a secret, which a graph
	// must not hold. Options named like secrets never are in a graph.
	Secret func(connector, option string) bool
	// Indexes lists what a query over finished data may find the rows of a
	// relation by, the best first; nil for nothing.
	Indexes func(relation string) []Index
	// Rows is about how many rows a relation has; nil if nobody knows.
	Rows func(relation string) int64
}

// Index finds the rows of a relation by the values of its columns, or of the first
// of them, and in their order.
type Index struct {
	Name    string
	Columns []graph.LookupColumn
}

// Job lowers the sinks of a job to one graph. Scans of one relation become one
// source, and subplans that are the same become one operator.
func Job(roots []*logical.Sink, opts Options) (*graph.Graph, error) {
	apart := make([]bool, len(roots))
	for {
		b := newBuilder(opts, false)
		again := false
		for i, root := range roots {
			b.emitOnClose, b.apart, b.lost = root.EmitOnWindowClose, apart[i], ""
			err := b.sink(root)
			if err == nil {
				continue
			}
			if again = root.EmitOnWindowClose && !apart[i]; !again {
				return nil, err
			}
			apart[i] = true
			break
		}
		if !again {
			return b.finish()
		}
	}
}

// View lowers the query of a materialized view.
func View(root *logical.Materialize, opts Options) (*graph.Graph, error) {
	return whenNeeded(root.EmitOnWindowClose, opts, func(b *builder) error { return b.materialize(root) })
}

// whenNeeded lowers a query that is not finished. Windows go on through joins of rows
// whose times are apart only in a query that closes no window otherwise: the others
// have had plans, and state, without that.
func whenNeeded(emitOnClose bool, opts Options, root func(*builder) error) (*graph.Graph, error) {
	var b *builder
	var err error
	for _, apart := range []bool{false, true} {
		b = newBuilder(opts, false)
		b.view, b.emitOnClose, b.apart = true, emitOnClose, apart
		if err = root(b); err == nil || !emitOnClose {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return b.finish()
}

// Live lowers a continuous query whose changes somebody reads as they happen; the
// last operator collects them. Windows are emitted when they close if emitOnClose
// is set, else as they grow.
func Live(root logical.Node, emitOnClose bool, opts Options) (*graph.Graph, error) {
	return whenNeeded(emitOnClose, opts, func(b *builder) error { return b.collect(root) })
}

// Bounded lowers a query over finished data; the last operator collects its
// rows.
func Bounded(root logical.Node, opts Options) (*graph.Graph, error) {
	g, err := Generic(root, opts)
	if err != nil {
		return nil, err
	}
	return WithIndexes(g, opts), nil
}

// Generic is Bounded but for the indexes, which depend on the values of parameters.
func Generic(root logical.Node, opts Options) (*graph.Graph, error) {
	b := newBuilder(opts, true)
	if err := b.collect(root); err != nil {
		return nil, err
	}
	return b.finish()
}

// WithIndexes makes a graph use indexes. It may change it.
func WithIndexes(g *graph.Graph, opts Options) *graph.Graph {
	useIndexes(g, opts)
	return useKeys(g, opts)
}
