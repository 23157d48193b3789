package lower

import (
	"slices"
	"strings"

	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// topN lowers the first rows of each partition of a continuous query.
func (b *builder) topN(n *logical.TopN) (stream, error) {
	s, err := b.node(n.Input)
	if err != nil {
		return stream{}, err
	}
	if s, err = b.resolve(s); err != nil {
		return stream{}, err
	}
	width := len(s.exprs)
	window, end := b.windowOf(&s, n.PartitionBy)
	by := n.PartitionBy
	if window != nil {
		by = append(slices.Clone(by), end)
	}
	p, err := b.partition(s, by, n.OrderBy, false)
	if err != nil {
		return stream{}, err
	}
	in := b.ops[p.op]
	p.edge.StateTTL = n.TTL
	spec := &graph.TopN{Keys: p.keys, Order: p.order, Func: n.Func, From: n.From, To: n.To, WithTies: n.WithTies,
		Numbered: n.Numbered && n.From != n.To, Retractable: in.Mode != graph.AppendOnly}
	if spec.Retractable {
		spec.RowKey, spec.Copies = p.rowKey, p.copies
	}
	onClose, endColumn := false, -1
	if window != nil {
		onClose = b.closesTop(in.Mode)
		endColumn = slices.IndexFunc(in.attrs, func(a attr) bool { return a.bound == "end" && a.window == window })
		spec.Window = &graph.TopNWindow{}
	}
	spec.Arrival = spec.Single() && len(spec.Order) == 1 && !spec.Order[0].Desc && in.attrs[spec.Order[0].Column].proc
	o := &operator{
		Operator: graph.Operator{Kind: graph.TopNKind, Inputs: []graph.Input{p.edge}, Mode: graph.Retract, TopN: spec,
			Fields: slices.Clone(in.Fields), Tables: spec.Tables(p.columns)},
		pos: n.Pos, called: "top of " + p.called, base: asText("top_n", in.called, prefix("by ", p.by)),
		origins: slices.Clone(in.origins), attrs: slices.Clone(in.attrs),
	}
	if spec.Single() {
		o.base, o.called = asText("deduplicate", in.called, prefix("by ", p.by)), "one of "+p.called
	}
	if spec.Arrival {
		o.Mode = graph.AppendOnly
	} else if window == nil {
		if err := b.firstRowsInWindow(n, &s, in, spec.Order); err != nil {
			return stream{}, err
		}
	}
	if window != nil {
		o.under = in.called
		o.windowed(window, p, endColumn, onClose)
	}
	for i := range o.attrs {
		// Changes come at any time: what bounded the input's times, and windows, does
		// not bound those of changes. Rows of a window come as it closes.
		switch a := &o.attrs[i]; {
		case window == nil && (o.Mode == graph.AppendOnly || b.emitOnClose || inTime(spec, in.Mode, i)):
		case window == nil:
			*a = attr{}
		case a.window != window:
			*a = attr{}
		case a.bound != "time":
			a.time = false
		}
		if o.Mode != graph.AppendOnly {
			o.attrs[i].rises = 0
		}
	}
	if n.ID != "" {
		o.base, o.pinned = n.ID, true
	}
	o.number(spec, n)
	o.UpsertKey = b.topKey(spec, p.op, len(o.Fields)-1)
	if len(p.keys) > 0 {
		o.spread = spread{known: true, cols: p.keys}
	}
	if window == nil {
		switch {
		case spec.Retractable && b.current(p.op): // it has the rows that are there
		case spec.Retractable:
			o.Unbounded = "it keeps every row of its input: no state_ttl"
		case len(p.keys) > 0:
			o.Unbounded = "the rows of each group for ever: no window in the keys and no state_ttl"
		}
	}
	return p.output(b, o, width, n)
}

// inTime reports whether column c of the rows that come first is bounded as the input's
// is: what puts a row out has an earlier time.
func inTime(spec *graph.TopN, mode graph.Changelog, c int) bool {
	return mode == graph.AppendOnly && len(spec.Order) > 0 && spec.Order[0].Column == c && !spec.Order[0].Desc
}

// number adds the number as a column.
func (o *operator) number(spec *graph.TopN, n *logical.TopN) {
	if !spec.Numbered {
		return
	}
	name := spec.Func + "()"
	o.Fields = append(o.Fields, types.Field{Name: name, Type: types.Of(types.Int64)})
	o.origins, o.attrs = append(o.origins, name), append(o.attrs, attr{})
}

// topKey is the upsert key of a top-N. It has the partition's columns always, so
// that all changes of a key come the same way.
func (b *builder) topKey(t *graph.TopN, in, number int) []int {
	key := slices.Clone(t.Keys)
	switch {
	case t.Func == "row_number" && t.From == t.To && !t.WithTies:
	case t.Func == "row_number" && t.Numbered && !t.WithTies:
		key = append(key, number)
	default:
		row := b.upsertKey(in)
		if row == nil {
			return nil
		}
		for _, c := range row {
			if !slices.Contains(key, c) {
				key = append(key, c)
			}
		}
	}
	if len(key) == 0 {
		return nil
	}
	return key
}

// output adds o and gives the node's columns.
func (p *partition) output(b *builder, o *operator, width int, n *logical.TopN) (stream, error) {
	i := b.add(o, "")
	all := b.identity(i)
	out := stream{op: i, exprs: all.exprs[:width:width], names: names(n.Out), attrs: all.attrs[:width:width]}
	switch {
	case o.TopN.Numbered:
		at := len(all.exprs) - 1
		out.exprs, out.attrs = append(out.exprs, all.exprs[at]), append(out.attrs, attr{})
	case n.Numbered:
		number := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int64), Value: &types.Value{Int: n.From}, Pos: -1}
		out.exprs, out.attrs = append(out.exprs, number), append(out.attrs, attr{})
	}
	return out.check(n.Out), nil
}

// partition is a placed input with the columns of a partition and an order.
type partition struct {
	op      int
	keys    []int
	order   []graph.SortKey
	edge    graph.Input
	by      string         // the keys, for ids
	called  string         // the input per keys
	columns []graph.Column // of the input, as state tables name them
	// rowKey tells the rows of a group apart; with copies nothing does.
	rowKey []int
	copies bool
}

// partition places s with what it is partitioned and ordered by. The order of
// partition keys means nothing, and what they are equal in orders nothing; but a
// frame of distances needs its key all the same, which ranged says.
func (b *builder) partition(s stream, by []*scalar.Expr, order []scalar.SortKey, ranged bool) (*partition, error) {
	p := &partition{}
	keys := make([]*scalar.Expr, len(by))
	for i, x := range by {
		keys[i] = scalar.Substitute(x, s.exprs)
	}
	slices.SortStableFunc(keys, func(x, y *scalar.Expr) int { return strings.Compare(b.text(s.op, x), b.text(s.op, y)) })
	for _, x := range keys {
		if at := s.include(x); !slices.Contains(p.keys, at) {
			p.keys = append(p.keys, at)
		}
	}
	for _, k := range s.order(order) {
		seen := slices.ContainsFunc(p.order, func(have graph.SortKey) bool { return have.Column == k.Column })
		if ranged || !seen && !slices.Contains(p.keys, k.Column) && s.exprs[k.Column].Op != scalar.OpConst {
			p.order = append(p.order, k)
		}
	}
	s, err := b.place(s)
	if err != nil {
		return nil, err
	}
	p.op = s.op
	in := b.ops[s.op]
	var words []string
	for _, k := range p.keys {
		words = append(words, in.origins[k])
	}
	p.by = strings.Join(words, ", ")
	p.called = in.called
	if p.by != "" {
		p.called += " per " + p.by
	}
	p.edge = single(s.op)
	if len(p.keys) > 0 {
		p.edge = b.hashed(s.op, p.keys)
	}
	for i, f := range in.Fields {
		p.columns = append(p.columns, graph.Column{Name: in.origins[i], Type: f.Type})
	}
	p.rowKey = b.upsertKey(s.op)
	if p.copies = p.rowKey == nil; p.copies {
		p.rowKey = sequence(0, len(in.Fields))
	}
	return p, nil
}

// include returns the column that is x, and adds it when it is not there.
func (s *stream) include(x *scalar.Expr) int {
	if scalar.VolatilityOf(x) != scalar.Volatile {
		for i, e := range s.exprs {
			if scalar.Equal(e, x) {
				return i
			}
		}
	}
	at := len(s.exprs)
	s.exprs = append(s.exprs[:at:at], x)
	s.names, s.attrs = append(s.names[:at:at], ""), append(s.attrs[:at:at], attr{})
	return at
}

// order finds or adds the columns of an order.
func (s *stream) order(keys []scalar.SortKey) []graph.SortKey {
	var out []graph.SortKey
	for _, k := range keys {
		out = append(out, graph.SortKey{Column: s.include(scalar.Substitute(k.X, s.exprs)), Desc: k.Desc, NullsFirst: k.NullsFirst})
	}
	return out
}
