package lower

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
)

// overWindow is the window that the partitions are of, nil for none, and what they are
// of then: its end too.
func (b *builder) overWindow(s *stream, n *logical.Over) (*pendingWindow, []*scalar.Expr) {
	if b.bounded {
		return nil, n.PartitionBy
	}
	w, end := b.windowOf(s, n.PartitionBy)
	if w == nil {
		return nil, n.PartitionBy
	}
	return w, append(slices.Clone(n.PartitionBy), end)
}

// overCloses makes o window functions within windows, whose rows are forgotten, and
// emitted if they are then, when these close.
func (b *builder) overCloses(o *operator, p *partition, w *pendingWindow) {
	in := b.ops[p.op]
	end := slices.IndexFunc(in.attrs, func(a attr) bool { return a.bound == "end" && a.window == w })
	o.Over.Window = &graph.OverWindow{End: end, After: w.spec.Kind == logical.Session, OnClose: b.closesTop(in.Mode)}
	o.attrs = append(closedAttrs(in.attrs, w), o.attrs[len(in.attrs):]...)
	if o.Over.Window.OnClose {
		o.Mode, o.onClose = graph.AppendOnly, true
	}
}
