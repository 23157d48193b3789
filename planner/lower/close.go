package lower

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// settled reports whether the rows of op come once, when their window closes.
func (b *builder) settled(op int) bool {
	o := b.ops[op]
	switch o.Kind {
	case graph.FilterKind, graph.ProjectKind, graph.ExpandKind, graph.UnionKind:
		return len(o.Inputs) > 0 && !slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return !b.settled(in.Operator) })
	}
	return o.onClose && o.Mode == graph.AppendOnly
}

// waits reports whether the rows of op come from windows that have closed: of each
// branch of a union.
func (b *builder) waits(op int) bool {
	o := b.ops[op]
	if o.onClose {
		return true
	}
	waiting := 0
	for _, in := range o.Inputs {
		if b.waits(in.Operator) || o.Kind == graph.UnionKind && b.constant(in.Operator) {
			waiting++
		}
	}
	return waiting > 0 && (o.Kind != graph.UnionKind || waiting == len(o.Inputs))
}

// constant reports whether nothing is read for op.
func (b *builder) constant(op int) bool {
	o := b.ops[op]
	return o.Kind == graph.ValuesKind || len(o.Inputs) > 0 && !slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return !b.constant(in.Operator) })
}

// windowEnd is what says when the window of a row of s closes, and that window; nil
// if nothing does.
func (s *stream) windowEnd() (*scalar.Expr, *pendingWindow) {
	if w := s.window; w != nil {
		if !w.attr.time {
			return nil, nil
		}
		return column(windowColumns+1, w.time.Type, windowColumnNames[1]), w
	}
	for i, a := range s.attrs {
		if a.bound == "end" && a.window.attr.time {
			return s.exprs[i], a.window
		}
	}
	for i, a := range s.attrs {
		if a.bound == "start" && a.window.attr.time && (a.window.spec.Kind == logical.Tumble || a.window.spec.Kind == logical.Hop) {
			return before(s.exprs[i], -a.window.spec.Size, "window_end"), a.window
		}
	}
	for i, a := range s.attrs {
		if a.bound == "time" && a.window.attr.time {
			return before(s.exprs[i], -1, "window_end"), a.window
		}
	}
	return nil, nil
}

// held holds the rows of s, which may change as their windows fill, until these
// close, where the query asks for that and nothing below has done so. Of a query
// without a window nothing can be held.
func (b *builder) held(s stream) (stream, error) {
	if !b.emitOnClose || s.window == nil && b.settled(s.op) {
		return s, nil
	}
	end, w := s.windowEnd()
	if end == nil {
		return s, nil
	}
	return b.hold(s, end, w)
}

// keptEnd is held if out, which is to follow s, does not say any more when its rows'
// windows close.
func (b *builder) keptEnd(s, out stream) (stream, error) {
	if !b.emitOnClose || s.window != nil {
		return s, nil
	}
	if end, _ := out.windowEnd(); end != nil {
		return s, nil
	}
	return b.held(s)
}

// hold holds the rows of s until the watermark is at end, the end of their window w.
func (b *builder) hold(s stream, end *scalar.Expr, w *pendingWindow) (stream, error) {
	over := s
	s, places := over.varying()
	n := len(s.exprs)
	at := s.include(end)
	if at == n {
		s.names[at], s.attrs[at] = windowColumnNames[1], attr{bound: "end", window: w}
	}
	s, err := b.place(s)
	if err != nil {
		return stream{}, err
	}
	in := b.ops[s.op]
	if err := b.useTime(s.op, w.attr); err != nil {
		return stream{}, err
	}
	spec := &graph.Over{RowKey: b.upsertKey(s.op), Window: &graph.OverWindow{End: at, After: w.spec.Kind == logical.Session, OnClose: true}}
	if spec.Copies = spec.RowKey == nil; spec.Copies {
		spec.RowKey = sequence(0, len(in.Fields))
	}
	spec.Keys = spec.RowKey
	if sp := in.spread; sp.known && len(sp.cols) > 0 && !slices.ContainsFunc(sp.cols, func(c int) bool { return !slices.Contains(spec.RowKey, c) }) {
		spec.Keys = sp.cols
	}
	edge := single(s.op)
	if len(spec.Keys) > 0 {
		edge = b.hashed(s.op, spec.Keys)
	}
	var columns []graph.Column
	for i, f := range in.Fields {
		columns = append(columns, graph.Column{Name: in.origins[i], Type: f.Type})
	}
	o := &operator{
		Operator: graph.Operator{Kind: graph.OverKind, Inputs: []graph.Input{edge}, Mode: graph.AppendOnly, Over: spec, Fields: slices.Clone(in.Fields), Tables: spec.Tables(columns)},
		pos:      w.pos, called: in.called, base: "close(" + in.called + ")", origins: slices.Clone(in.origins), onClose: true,
	}
	if !spec.Copies {
		o.UpsertKey = slices.Clone(spec.RowKey)
	}
	if len(spec.Keys) > 0 {
		o.spread = spread{known: true, cols: spec.Keys}
	}
	o.attrs = closedAttrs(in.attrs, w)
	all := b.identity(b.add(o, ""))
	out := stream{op: all.op, exprs: slices.Clone(over.exprs), names: over.names, attrs: make([]attr, len(over.exprs))}
	for i, at := range places {
		if at >= 0 {
			out.exprs[i], out.attrs[i] = all.exprs[at], all.attrs[at]
		}
	}
	return out, nil
}

// varying is s without constants, which need no state, and without columns that it has
// already, and where each column of s is among its own, -1 for nowhere.
func (s *stream) varying() (out stream, places []int) {
	out = stream{op: s.op, window: s.window}
	for i, x := range s.exprs {
		at := -1
		if x.Op != scalar.OpConst {
			at = slices.IndexFunc(out.exprs, func(e *scalar.Expr) bool { return scalar.Equal(e, x) && scalar.VolatilityOf(e) != scalar.Volatile })
			if at < 0 {
				at = len(out.exprs)
				out.exprs, out.names, out.attrs = append(out.exprs, x), append(out.names, s.names[i]), append(out.attrs, s.attrs[i])
			}
		}
		places = append(places, at)
	}
	return out, places
}

// closedAttrs is what is known of columns of rows that come as w closes: no time of
// theirs but that of the window is bounded by the watermark any more.
func closedAttrs(in []attr, w *pendingWindow) []attr {
	out := slices.Clone(in)
	for i, a := range out {
		switch {
		case a.window != w:
			out[i] = attr{}
		case a.bound != "time" || w.spec.Kind == logical.Session:
			out[i].time = false
		}
	}
	return out
}

// sameWindow is what two columns that become one have in common: bounds of windows of
// the same kind, whose rows all come before the watermark passes them.
func sameWindow(x, y attr) attr {
	if x.bound == "" || x.bound != y.bound || x.window.spec != y.window.spec || !x.window.attr.time || x.window.attr != y.window.attr {
		return attr{}
	}
	x.time = false
	return x
}

// halfOf is what is known of a bound of the window that a FULL JOIN joins in: with that of
// its other side it is one of the window that its rows are held for.
func (j *regularJoin) halfOf(a attr) attr {
	l, r := attr{bound: a.bound, window: j.windows[0]}, attr{bound: a.bound, window: j.windows[1]}
	if sameWindow(l, r) == (attr{}) {
		return attr{}
	}
	return attr{half: a.bound, window: j.windows[0]}
}

// merged is what is known of x over columns: of the two halves of a bound, which USING
// merges, that it is one.
func merged(x *scalar.Expr, attrs []attr) attr {
	if x.Op != scalar.OpCall || !strings.HasPrefix(x.Func, "coalesce(") {
		return attr{}
	}
	var both attr
	for i, arg := range x.Args {
		if arg.Op != scalar.OpColumn || attrs[arg.Column].half == "" || i > 0 && attrs[arg.Column] != both {
			return attr{}
		}
		both = attrs[arg.Column]
	}
	return attr{bound: both.half, window: both.window}
}

// checkMerged refuses bounds of windows that USING merges of different ones, by which
// nothing closes.
func (x *aggregation) checkMerged() error {
	if !x.b.emitOnClose || x.window != nil || !hasWindow(x.n.Input) {
		return nil
	}
	in := x.n.Input.Fields()
	if slices.ContainsFunc(x.n.Keys, func(k *scalar.Expr) bool { return k.Op == scalar.OpColumn && in[k.Column].WindowBound != "" }) {
		return nil
	}
	for _, k := range x.n.Keys {
		if e := scalar.Substitute(k, x.s.exprs); e.Op == scalar.OpCall && strings.HasPrefix(e.Func, "coalesce(") {
			return pgerr.New(pgerr.FeatureNotSupported, "EMIT ON WINDOW CLOSE needs every aggregation to be grouped by a window").At(k.Pos).
				Hint("Of two windows of one kind and size, FULL JOIN … USING (window_start, window_end) makes one: group by both.")
		}
	}
	return nil
}

func hasWindow(n logical.Node) bool {
	_, is := n.(*logical.Window)
	return is || slices.ContainsFunc(n.Inputs(), hasWindow)
}

// firstOf is l or, where that is null, r: the end of the windows that an outer join
// joins rows in.
func firstOf(l, r *scalar.Expr) *scalar.Expr {
	null := &scalar.Expr{Op: scalar.OpIsNull, Type: types.Of(types.Bool), Args: []*scalar.Expr{l}, Pos: -1, Text: l.Text + " is null"}
	return &scalar.Expr{Op: scalar.OpCase, Type: l.Type, Args: []*scalar.Expr{null, r, l}, Pos: -1, Text: "window_end"}
}
