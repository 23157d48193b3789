package lower

import (
	"slices"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// windowColumns is the number that stands for window_start of a window that is
// not in place yet; window_end and window_time follow.
const windowColumns = 1 << 20

var windowColumnNames = [...]string{"window_start", "window_end", "window_time"}

// pendingWindow is a window function above an operator that does not compute it
// yet: an aggregation by the window does so itself, on raw rows.
type pendingWindow struct {
	spec logical.WindowSpec
	time *scalar.Expr // over the operator's columns
	attr attr         // of time
	name string       // of the time column
	// Of sessions: what tells them apart, over the operator's columns, unless
	// the group keys above do.
	partition []*scalar.Expr
	byGroup   bool
	pos       int
}

func (b *builder) window(n *logical.Window) (stream, error) {
	b.wantTime(n.Input, n.TimeColumn)
	s, err := b.node(n.Input)
	if err != nil {
		return stream{}, err
	}
	if s, err = b.resolve(s); err != nil {
		return stream{}, err
	}
	if s, err = b.retimed(s, n.TimeColumn); err != nil {
		return stream{}, err
	}
	t := s.exprs[n.TimeColumn]
	out := stream{op: s.op, exprs: append([]*scalar.Expr(nil), s.exprs...), names: names(n.Out), attrs: append([]attr(nil), s.attrs...)}
	out.window = &pendingWindow{spec: n.Spec, time: t, attr: s.attrs[n.TimeColumn], name: b.text(s.op, t), byGroup: n.ByGroup, pos: n.Pos}
	for _, p := range n.PartitionBy {
		out.window.partition = append(out.window.partition, s.exprs[p])
	}
	for i, x := range out.exprs {
		if exprKey(x) == exprKey(t) {
			out.attrs[i].by = out.window
		}
	}
	for i, bound := range []string{"start", "end", "time"} {
		if len(out.exprs) == len(n.Out) {
			break // without window_time
		}
		a := attr{bound: bound, window: out.window}
		if bound == "time" {
			a.time, a.proc = out.window.attr.time, out.window.attr.proc
		}
		out.exprs = append(out.exprs, column(windowColumns+i, t.Type, windowColumnNames[i]))
		out.attrs = append(out.attrs, a)
	}
	return out.check(n.Out), nil
}

func readsWindow(xs ...*scalar.Expr) bool {
	found := false
	for _, x := range xs {
		scalar.Walk(x, func(e *scalar.Expr) { found = found || e.Op == scalar.OpColumn && e.Column >= windowColumns })
	}
	return found
}

// resolve puts a pending window in place as an operator of its own, where
// somebody needs its columns row by row.
func (b *builder) resolve(s stream) (stream, error) {
	w := s.window
	if w == nil {
		return s, nil
	}
	if s.isSession() {
		return b.sessionRows(s)
	}
	s.window = nil
	var read []int
	seen := map[int]int{}
	for _, x := range s.exprs {
		for _, c := range scalar.Columns(x) {
			if _, ok := seen[c]; !ok && c < windowColumns {
				seen[c] = len(read)
				read = append(read, c)
			}
		}
	}
	under, in := b.identity(s.op), stream{op: s.op}
	for _, c := range read {
		in.exprs, in.names, in.attrs = append(in.exprs, under.exprs[c]), append(in.names, under.names[c]), append(in.attrs, under.attrs[c])
	}
	time := len(read)
	if w.time.Op == scalar.OpColumn {
		if at, ok := seen[w.time.Column]; ok {
			time = at
		}
	}
	if time == len(read) {
		in.exprs, in.names, in.attrs = append(in.exprs, w.time), append(in.names, w.name), append(in.attrs, w.attr)
	}
	placed, err := b.place(in)
	if err != nil {
		return stream{}, err
	}
	if w.attr.time && !b.bounded {
		if err := b.useTime(placed.op, w.attr); err != nil {
			return stream{}, err
		}
	}
	i := b.addWindow(placed.op, time, w)
	n := len(in.exprs)
	out := stream{op: i, names: s.names, attrs: slices.Clone(s.attrs)}
	for k, own := range out.attrs { // an operator that was there already has its window
		if own.window == w {
			out.attrs[k].window = b.ops[i].attrs[n].window
		}
		if own.by == w {
			out.attrs[k].by = b.ops[i].attrs[n].window
		}
	}
	for _, x := range s.exprs {
		out.exprs = append(out.exprs, scalar.Remap(x, func(c int) int {
			if c >= windowColumns {
				return n + c - windowColumns
			}
			return seen[c]
		}))
	}
	return out, nil
}

func (b *builder) addWindow(in, time int, w *pendingWindow) int {
	u := b.ops[in]
	o := &operator{
		Operator: graph.Operator{Kind: graph.WindowKind, Inputs: []graph.Input{forward(in)}, Mode: u.Mode, Window: &graph.Window{TimeColumn: time, Spec: w.spec}},
		base:     "window(" + windowText(w.spec, w.name) + ")", pos: -1, called: u.called, spread: u.spread,
		origins: append([]string(nil), u.origins...), attrs: append([]attr(nil), u.attrs...),
	}
	o.Fields = append(o.Fields, u.Fields...)
	t := u.Fields[time].Type
	for i, name := range windowColumnNames {
		a := attr{bound: name[len("window_"):], window: w}
		if i == 2 {
			a.time, a.proc = w.attr.time, w.attr.proc
		}
		o.Fields = append(o.Fields, types.Field{Name: name, Type: t})
		o.origins = append(o.origins, name)
		o.attrs = append(o.attrs, a)
	}
	return b.add(o, windowText(w.spec, "")+exprKey(column(time, t, "")))
}

// windowTime is window_end less a microsecond.
func windowTime(end *scalar.Expr) *scalar.Expr { return before(end, 1, "window_time") }

// before is a timestamp less some microseconds, called text.
func before(end *scalar.Expr, us int64, text string) *scalar.Expr {
	t := types.Of(end.Type.Kind)
	key := "-(timestamp,interval)"
	if t.Kind == types.TimestampTZ {
		key = "-(timestamptz,interval)"
	}
	interval := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.IntervalK), Value: &types.Value{Interval: types.Interval{Micros: us}}, Pos: -1,
		Text: "interval '" + duration(us) + "'"}
	return &scalar.Expr{Op: scalar.OpCall, Func: key, Type: end.Type, Args: []*scalar.Expr{end, interval}, Pos: -1, Text: text}
}
