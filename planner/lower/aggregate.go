package lower

import (
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// family is an aggregation and everybody who asks it for results: aggregates of
// the same input by the same keys are one operator.
type family struct {
	agg      *graph.Aggregate
	window   *graph.WindowAggregate // nil for a plain one; its Aggregate is agg
	keys     int
	project  *operator
	args     map[string]int // columns of project
	readers  map[int][]int  // the filters before those who read a column, -1 for none
	keyNames []string
	time     types.Type // of the window bounds
}

// keyColumn says where a logical key is in the operator's output.
type keyColumn struct {
	column int    // among the keys
	bound  string // or which bound of the window
}

func (b *builder) aggregate(n *logical.Aggregate) (stream, error) {
	s, err := b.node(n.Input)
	if err != nil {
		return stream{}, err
	}
	x := aggregation{b: b, n: n, s: s}
	if windowed(n, s) && (!s.isSession() || b.findsSessions(n, s)) {
		x.window = s.window
	} else {
		if s.isSession() && s.window.byGroup {
			w := *s.window
			w.partition = groupKeys(n, s)
			s.window = &w
		}
		if x.s, err = b.resolve(s); err != nil {
			return stream{}, err
		}
		x.attach()
		if err := x.checkMerged(); err != nil {
			return stream{}, err
		}
	}
	x.splitKeys()
	i, err := x.operator()
	if err != nil {
		return stream{}, err
	}
	return x.outputs(i)
}

// aggregation is the lowering of one logical.Aggregate.
type aggregation struct {
	b        *builder
	n        *logical.Aggregate
	s        stream
	window   *pendingWindow // that the keys include and the operator assigns
	attached *pendingWindow // when rows come with their window: that one
	exprs    []*scalar.Expr // distinct keys that are no window bounds, over s.op
	attrs    []attr
	places   []keyColumn // of the logical keys
}

// windowed reports whether n groups by the window below it and uses the window
// for nothing else, so that one operator does both.
func windowed(n *logical.Aggregate, s stream) bool {
	if s.window == nil {
		return false
	}
	identified := false
	for _, k := range n.Keys {
		x := scalar.Substitute(k, s.exprs)
		if x.Op == scalar.OpColumn && x.Column >= windowColumns {
			identified = identified || x.Column != windowColumns || s.window.spec.Kind != logical.Cumulate
		} else if readsWindow(x) {
			return false
		}
	}
	for _, a := range n.Aggregates {
		for _, x := range append(slices.Clone(a.Args), a.Filter) {
			if x != nil && readsWindow(scalar.Substitute(x, s.exprs)) {
				return false
			}
		}
	}
	return identified
}

// splitKeys sorts the keys by what they mean: their order in the query means
// nothing.
func (x *aggregation) splitKeys() {
	seen := map[string]int{}
	for _, k := range x.n.Keys {
		e := scalar.Substitute(k, x.s.exprs)
		if e.Op == scalar.OpColumn && e.Column >= windowColumns {
			x.places = append(x.places, keyColumn{bound: [...]string{"start", "end", "time"}[e.Column-windowColumns]})
			continue
		}
		if a := x.keyAttr(k); a.bound != "" && a.window == x.attached && (a.bound != "start" || !x.byEnd()) {
			x.places = append(x.places, keyColumn{bound: a.bound})
			continue
		}
		key := exprKey(e)
		at, ok := seen[key]
		if !ok || scalar.VolatilityOf(e) == scalar.Volatile {
			at = len(x.exprs)
			seen[key] = at
			a := x.keyAttr(k)
			x.exprs, x.attrs = append(x.exprs, e), append(x.attrs, a)
		}
		x.places = append(x.places, keyColumn{column: at})
	}
	order := sequence(0, len(x.exprs))
	slices.SortStableFunc(order, func(i, j int) int {
		return strings.Compare(x.b.text(x.s.op, x.exprs[i]), x.b.text(x.s.op, x.exprs[j]))
	})
	exprs, attrs := make([]*scalar.Expr, len(order)), make([]attr, len(order))
	rank := make([]int, len(order))
	for to, from := range order {
		exprs[to], attrs[to], rank[from] = x.exprs[from], x.attrs[from], to
	}
	x.exprs, x.attrs = exprs, attrs
	for i := range x.places {
		if x.places[i].bound == "" {
			x.places[i].column = rank[x.places[i].column]
		}
	}
}

// operator finds or makes the aggregation's operator.
func (x *aggregation) operator() (int, error) {
	b, kind, window := x.b, "aggregate", ""
	onClose := false
	if x.window != nil {
		var err error
		if onClose, err = x.onClose(); err != nil {
			return 0, err
		}
		kind, window = "window_aggregate", windowText(x.window.spec, exprKey(x.window.time))
	}
	key := strings.Join([]string{kind, window, exprsKey(x.exprs), x.n.ID, strconv.FormatInt(x.n.TTL, 10), strconv.Itoa(x.s.op), strconv.FormatBool(onClose)}, "|")
	if i, ok := b.families[key]; ok && exprsKey(x.exprs) != "" {
		return i, nil
	}
	o := x.newOperator(onClose)
	i := b.add(o, "")
	b.families[key] = i
	return i, nil
}

// onClose decides whether the window aggregate emits once per window.
func (x *aggregation) onClose() (bool, error) {
	b, w := x.b, x.window
	if b.bounded {
		return true, nil
	}
	if w.attr.time {
		if err := b.useTime(x.s.op, w.attr); err != nil {
			return false, err
		}
	}
	if !b.view && !b.emitOnClose {
		return w.attr.time && b.modeOf(x.s.op) == graph.AppendOnly, nil
	}
	if !b.emitOnClose {
		return false, nil
	}
	if !w.attr.time {
		return false, pgerr.New(pgerr.FeatureNotSupported, "EMIT ON WINDOW CLOSE needs a watermark on %q", w.name).At(w.pos).
			Hint("Declare one on the relation that it comes from, if that has none. None goes through groups of another key, or joins of rows whose times may lie any time apart.")
	}
	return true, nil
}

func (x *aggregation) newOperator(onClose bool) *operator {
	b, s := x.b, x.s
	var names []string
	for _, e := range x.exprs {
		names = append(names, b.text(s.op, e))
	}
	p := b.newProject(stream{op: s.op, exprs: x.exprs, names: names, attrs: x.attrs})
	f := &family{keys: len(x.exprs), project: p, args: map[string]int{}, readers: map[int][]int{}}
	for i, e := range x.exprs {
		f.args[exprKey(e)], f.readers[i] = i, []int{-1}
		f.keyNames = append(f.keyNames, p.origins[i])
	}
	in := b.add(p, "")
	edge := b.hashed(in, sequence(0, f.keys))
	if f.keys == 0 {
		edge = single(in)
	}
	edge.StateTTL = x.n.TTL
	o := &operator{Operator: graph.Operator{Inputs: []graph.Input{edge}, Mode: graph.Retract}, family: f, project: p, pos: x.position()}
	spec := graph.Aggregate{
		Keys:         sequence(0, f.keys),
		Accumulators: []graph.Accumulator{{Name: "count(*)", Func: "count", Arg: -1, Filter: -1, Type: types.Of(types.Int64), Distinct: -1}},
		Retractable:  b.modeOf(s.op) != graph.AppendOnly, Global: len(x.n.Keys) == 0, AtEnd: b.bounded,
	}
	under := b.ops[s.op].called
	by := strings.Join(f.keyNames, ", ")
	if w := x.window; w != nil {
		at := f.argument(b, s.op, w.time, w.attr, -1)
		o.Kind = graph.WindowAggregateKind
		o.WindowAggregate = &graph.WindowAggregate{Aggregate: spec, TimeColumn: at, Spec: w.spec, OnClose: onClose}
		f.window, f.agg, f.time = o.WindowAggregate, &o.WindowAggregate.Aggregate, w.time.Type
		wt := windowText(w.spec, w.name)
		if x.attached != nil {
			if wt = windowText(x.attached.spec, x.attached.name); strings.HasSuffix(under, wt) {
				wt = "same window"
			}
		}
		o.base = asText("window_aggregate", under, prefix("by ", by), wt)
		if by == "" {
			o.base = "window_aggregate(" + under + ", " + wt + ")"
		}
		o.called = under + " per " + strings.TrimPrefix(by+", "+wt, ", ")
		o.windowBounds(w, x.attached == nil && (w.spec.Kind != logical.Session || b.emitOnClose))
		if w.spec.Kind == logical.Session { // the latest time says where a session ends
			f.accumulator("max", reading{op: s.op, arg: at, filter: -1, distinct: -1, text: w.name, typ: w.time.Type})
		}
	} else {
		o.Kind, o.Aggregate = graph.AggregateKind, &spec
		f.agg = o.Aggregate
		o.base = asText("aggregate", under, prefix("by ", by))
		o.called = under + " in all"
		if by != "" {
			o.called = under + " per " + by
		}
	}
	if onClose || b.bounded {
		o.Mode, o.onClose = graph.AppendOnly, onClose
	}
	if x.n.ID != "" {
		o.base, o.pinned = x.n.ID, true
	}
	x.outputKeys(o)
	o.Unbounded = x.unbounded()
	return o
}

func prefix(p, s string) string {
	if s == "" {
		return ""
	}
	return p + s
}

func (x *aggregation) position() int {
	for _, a := range x.n.Aggregates {
		if a.Pos >= 0 {
			return a.Pos
		}
	}
	for _, k := range x.n.Keys {
		if k.Pos >= 0 {
			return k.Pos
		}
	}
	return -1
}

func (o *operator) windowBounds(w *pendingWindow, own bool) {
	for _, bound := range []string{"start", "end"} {
		o.Fields = append(o.Fields, types.Field{Name: "window_" + bound, Type: w.time.Type})
		o.origins = append(o.origins, "window_"+bound)
		a := attr{}
		if own {
			a = attr{bound: bound, window: w}
		}
		o.attrs = append(o.attrs, a)
	}
}

// outputKeys adds the keys to o's columns.
func (x *aggregation) outputKeys(o *operator) {
	from := len(o.Fields)
	for i := range x.exprs {
		o.Fields = append(o.Fields, types.Field{Name: o.project.origins[i], Type: x.exprs[i].Type})
		o.origins = append(o.origins, o.project.origins[i])
		a := x.attrs[i]
		switch {
		case x.window != nil: // rows come when this window closes: what is in them may lie far back
			a = attr{}
		case a.bound != "" || a.proc:
			a.time = false
		}
		// A group of an event time changes with rows of that time alone.
		o.attrs = append(o.attrs, a)
	}
	if len(o.Fields) > 0 {
		o.UpsertKey = sequence(0, len(o.Fields))
		if x.window != nil && x.window.spec.Kind == logical.Session { // an end moves as rows come
			o.UpsertKey = slices.Delete(o.UpsertKey, 1, 2)
		}
	}
	if len(x.exprs) > 0 {
		o.spread = spread{known: true, cols: sequence(from, len(x.exprs))}
	}
}

// unbounded says why the aggregation's state grows for ever.
func (x *aggregation) unbounded() string {
	b := x.b
	if b.bounded {
		return ""
	}
	if x.window != nil {
		if x.window.attr.time {
			return ""
		}
		return "no watermark on " + x.window.name + ": windows never close"
	}
	if b.modeOf(x.s.op) != graph.AppendOnly { // its keys come and go with the input's rows
		return ""
	}
	if !slices.ContainsFunc(x.exprs, func(e *scalar.Expr) bool { return e.Op != scalar.OpConst }) {
		return ""
	}
	return "one row per group for ever: no window in the keys and no state_ttl"
}

// argument returns the column of the family's projection that computes e, for the
// rows that pass the filter, and adds it when it is not there.
func (f *family) argument(b *builder, op int, e *scalar.Expr, a attr, filter int) int {
	key := exprKey(e)
	at, ok := f.args[key]
	if !ok || scalar.VolatilityOf(e) == scalar.Volatile {
		at = b.projectColumn(f.project, e, b.text(op, e), a)
		f.args[key] = at
	}
	f.readers[at] = append(f.readers[at], filter)
	return at
}

// outputs asks the operator for the node's aggregates.
func (x *aggregation) outputs(i int) (stream, error) {
	o := x.b.ops[i]
	f := o.family
	lead := 0
	if f.window != nil {
		lead = 2
	}
	out := stream{op: i, names: names(x.n.Out)}
	for k, p := range x.places {
		t := x.n.Keys[k].Type
		switch p.bound {
		case "":
			out.exprs = append(out.exprs, column(lead+p.column, t, o.origins[lead+p.column]))
			out.attrs = append(out.attrs, o.attrs[lead+p.column])
		default:
			e, a := x.bound(p.bound, t, o)
			out.exprs, out.attrs = append(out.exprs, e), append(out.attrs, a)
		}
	}
	for _, a := range x.n.Aggregates {
		at, err := x.output(o, a)
		if err != nil {
			return stream{}, err
		}
		c := lead + f.keys + at
		out.exprs = append(out.exprs, column(c, a.Type, o.origins[c]))
		out.attrs = append(out.attrs, attr{})
	}
	return out.check(x.n.Out), nil
}

// bound is window_start, window_end or window_time of the operator's rows.
func (x *aggregation) bound(which string, t types.Type, o *operator) (*scalar.Expr, attr) {
	end, w, a := column(1, t, "window_end"), x.window, attr{bound: which, window: x.window}
	if w.spec.Kind == logical.Session {
		if !x.b.emitOnClose {
			a = attr{}
		}
		switch which {
		case "time":
			return windowTime(end), a
		case "end":
			return end, a
		}
		return column(0, t, "window_start"), a
	}
	if x.attached != nil {
		w, a.window = x.attached, x.attached
	}
	switch {
	case x.byEnd():
		if end = column(0, t, "window_end"); w.spec.Kind == logical.Cumulate { // which stands for window_time
			end = before(end, -1, "window_end")
		}
		if which == "time" {
			return windowTime(end), a
		}
		return end, a
	case which == "time":
		a.time, a.proc = w.attr.time, w.attr.proc
		return windowTime(end), a
	case which == "end":
		return end, a
	case x.attached != nil && w.spec.Kind == logical.Hop:
		return before(end, w.spec.Size, "window_start"), a
	}
	return column(0, t, "window_start"), a
}
