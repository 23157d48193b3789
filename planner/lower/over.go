package lower

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// over lowers window functions: over finished data once at the end, else as
// changes of the partitions that change.
func (b *builder) over(n *logical.Over) (stream, error) {
	s, err := b.node(n.Input)
	if err != nil {
		return stream{}, err
	}
	if s, err = b.resolve(s); err != nil {
		return stream{}, err
	}
	width := len(s.exprs)
	calls := make([]graph.WindowCall, len(n.Calls))
	for i := range n.Calls {
		if calls[i], err = s.windowCall(&n.Calls[i]); err != nil {
			return stream{}, err
		}
	}
	w, by := b.overWindow(&s, n)
	p, err := b.partition(s, by, n.OrderBy, slices.ContainsFunc(calls, measures))
	if err != nil {
		return stream{}, err
	}
	in := b.ops[p.op]
	p.edge.StateTTL = n.TTL
	spec := &graph.Over{Keys: p.keys, Order: p.order, Calls: calls, AtEnd: b.bounded}
	o := &operator{
		Operator: graph.Operator{Kind: graph.OverKind, Inputs: []graph.Input{p.edge}, Mode: graph.Retract, Over: spec, Fields: slices.Clone(in.Fields)},
		pos:      n.Calls[0].Pos, called: p.called + " over its rows", base: asText("over", in.called, prefix("by ", p.by)),
		origins: slices.Clone(in.origins), attrs: make([]attr, len(in.attrs)+len(calls)),
	}
	for _, c := range n.Calls {
		o.Fields = append(o.Fields, types.Field{Name: c.Text, Type: c.Type})
		o.origins = append(o.origins, c.Text)
	}
	if err := b.overState(o, p, n, &s, w); err != nil {
		return stream{}, err
	}
	if n.ID != "" {
		o.base, o.pinned = n.ID, true
	}
	if len(p.keys) > 0 {
		o.spread = spread{known: true, cols: p.keys}
	}
	i := b.add(o, "")
	all := b.identity(i)
	out := stream{op: i, names: names(n.Out)}
	out.exprs = append(slices.Clone(all.exprs[:width]), all.exprs[len(in.Fields):]...)
	out.attrs = append(slices.Clone(all.attrs[:width]), all.attrs[len(in.Fields):]...)
	return out.check(n.Out), nil
}

// measures says whether the frame is bounded by distances of the one key of the order.
func measures(w graph.WindowCall) bool {
	f := w.Frame
	return f.Unit == scalar.RangeFrame && (f.Start.Offset != nil || f.End.Offset != nil)
}

// overState decides what the operator keeps and when it emits.
func (b *builder) overState(o *operator, p *partition, n *logical.Over, s *stream, w *pendingWindow) error {
	in, spec := b.ops[p.op], o.Over
	after := o.attrs[len(in.attrs):]
	if b.bounded {
		o.Mode, o.attrs = graph.AppendOnly, append(slices.Clone(in.attrs), after...)
		return nil
	}
	if w == nil || !b.emitOnClose {
		spec.Progress = b.progress(p, n.Calls)
	}
	switch {
	case spec.Progress != nil:
		if err := b.useTime(p.op, in.attrs[spec.Progress.Time]); err != nil {
			return err
		}
		o.Mode, o.attrs, o.onClose = graph.AppendOnly, append(slices.Clone(in.attrs), after...), true
	case w != nil:
		spec.RowKey, spec.Copies, o.UpsertKey = p.rowKey, p.copies, p.upsertKey()
		b.overCloses(o, p, w)
	default:
		spec.RowKey, spec.Copies, o.UpsertKey = p.rowKey, p.copies, p.upsertKey()
		if !b.current(p.op) {
			o.Unbounded = "it keeps every row of its input: no state_ttl"
		}
		if err := b.overWindows(o, n, s, in); err != nil {
			return err
		}
	}
	o.Tables = spec.Tables(p.columns)
	return nil
}

// upsertKey is the row's key with the partition's columns, so that all changes of
// a key come the same way.
func (p *partition) upsertKey() []int {
	if p.copies {
		return nil
	}
	key := slices.Clone(p.keys)
	for _, c := range p.rowKey {
		if !slices.Contains(key, c) {
			key = append(key, c)
		}
	}
	return key
}
