package lower

import (
	"fmt"
	"slices"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// isSession reports whether the rows come with sessions that are not in place.
func (s *stream) isSession() bool { return s.window != nil && s.window.spec.Kind == logical.Session }

// findsSessions reports whether the aggregation n can find its sessions itself, as
// rows come: its groups are the sessions, rows only come, and its state can be
// joined as sessions are.
func (b *builder) findsSessions(n *logical.Aggregate, s stream) bool {
	w := s.window
	if !b.bounded && b.modeOf(s.op) != graph.AppendOnly {
		return false
	}
	for i := range n.Aggregates {
		if !joinable(&n.Aggregates[i]) {
			return false
		}
	}
	return w.byGroup || slices.Equal(exprKeys(groupKeys(n, s)), exprKeys(w.partition))
}

// groupKeys are the keys that are no columns of the window.
func groupKeys(n *logical.Aggregate, s stream) (keys []*scalar.Expr) {
	for _, k := range n.Keys {
		if x := scalar.Substitute(k, s.exprs); x.Op != scalar.OpColumn || x.Column < windowColumns {
			keys = append(keys, x)
		}
	}
	return keys
}

// exprKeys are the keys of a set of expressions.
func exprKeys(xs []*scalar.Expr) (keys []string) {
	for _, x := range xs {
		keys = append(keys, exprKey(x))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// sessionRows puts sessions in place row by row, by window functions that find
// where the session of each row begins and ends.
func (b *builder) sessionRows(s stream) (stream, error) {
	w := s.window
	s.window = nil
	width := len(s.exprs)
	// What s computes from the window waits until that is there.
	var read []int
	for _, x := range s.exprs {
		for _, c := range scalar.Columns(x) {
			if c < windowColumns && !slices.Contains(read, c) {
				read = append(read, c)
			}
		}
	}
	under, in := b.identity(s.op), stream{op: s.op}
	for _, c := range read {
		in.exprs, in.names, in.attrs = append(in.exprs, under.exprs[c]), append(in.names, under.names[c]), append(in.attrs, under.attrs[c])
	}
	var by []*scalar.Expr
	for _, x := range w.partition {
		i := in.include(x)
		by = append(by, column(i, x.Type, x.Text))
	}
	at := in.include(w.time)
	o, err := b.sessionOver(in, by, at, w)
	if err != nil {
		return stream{}, err
	}
	n := len(b.ops[o].Fields) - 2
	end := column(n+1, w.time.Type, "window_end")
	bounds := []*scalar.Expr{column(n, w.time.Type, "window_start"), end, windowTime(end)}
	out := stream{op: o, names: s.names, attrs: slices.Clone(s.attrs)}
	for i := range width {
		if a := &out.attrs[i]; a.window == w {
			a.time = false
			if !b.emitOnClose {
				*a = attr{}
			}
		}
		out.exprs = append(out.exprs, scalar.Map(s.exprs[i], func(x *scalar.Expr) *scalar.Expr {
			switch {
			case x.Op != scalar.OpColumn:
				return x
			case x.Column >= windowColumns:
				return bounds[x.Column-windowColumns]
			}
			return column(slices.Index(read, x.Column), x.Type, x.Text)
		}))
	}
	return out, nil
}

// sessionOver makes the operator that finds sessions.
func (b *builder) sessionOver(s stream, by []*scalar.Expr, time int, w *pendingWindow) (int, error) {
	p, err := b.partition(s, by, []scalar.SortKey{{X: column(time, w.time.Type, w.name)}}, false)
	if err != nil {
		return 0, err
	}
	in := b.ops[p.op]
	spec := &graph.Over{Keys: p.keys, Order: p.order, AtEnd: b.bounded}
	o := &operator{
		Operator: graph.Operator{Kind: graph.OverKind, Inputs: []graph.Input{p.edge}, Mode: graph.Retract, Over: spec, Fields: slices.Clone(in.Fields)},
		pos:      w.pos, called: p.called + ", " + windowText(w.spec, w.name), base: asText("over", in.called, prefix("by ", p.by), windowText(w.spec, w.name)),
		origins: slices.Clone(in.origins), attrs: make([]attr, len(in.attrs)+2),
	}
	if p.by == "" {
		o.base = "over(" + in.called + ", " + windowText(w.spec, w.name) + ")"
	}
	for i, fn := range []string{"session_start", "session_end"} {
		spec.Calls = append(spec.Calls, graph.WindowCall{Func: fn, Args: []int{p.order[0].Column}, Gap: w.spec.Size, Type: w.time.Type})
		o.Fields = append(o.Fields, types.Field{Name: windowColumnNames[i], Type: w.time.Type})
		o.origins = append(o.origins, windowColumnNames[i])
	}
	if b.bounded {
		o.Mode = graph.AppendOnly
	} else {
		spec.RowKey, spec.Copies = p.rowKey, p.copies
		o.Tables, o.UpsertKey = spec.Tables(p.columns), p.upsertKey()
		if b.emitOnClose && w.attr.time {
			spec.Window = &graph.OverWindow{End: len(in.Fields) + 1, After: true}
			if err := b.useTime(p.op, w.attr); err != nil {
				return 0, err
			}
		} else if !b.current(p.op) {
			o.Unbounded = "it keeps every row of its input: no state_ttl"
		}
	}
	if len(p.keys) > 0 {
		o.spread = spread{known: true, cols: p.keys}
	}
	// Sets of groups over the same sessions have them in common.
	return b.add(o, windowText(w.spec, "")+fmt.Sprint(p.keys, p.order)), nil
}
