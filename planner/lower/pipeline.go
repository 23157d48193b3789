package lower

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// costlyCalls is how many calls an expression may have to be computed twice
// rather than kept in a column.
const costlyCalls = 2

func (b *builder) values(n *logical.Values) (stream, error) {
	o := &operator{
		Operator: graph.Operator{Kind: graph.ValuesKind, Mode: graph.AppendOnly, Values: &graph.Values{Rows: n.Rows}},
		base:     "values", pos: -1, called: "values",
	}
	if o.Values.Rows == nil {
		o.Values.Rows = [][]*scalar.Expr{}
	}
	for _, f := range n.Out {
		o.Fields = append(o.Fields, types.Field{Name: f.Name, Type: f.Type})
		o.origins = append(o.origins, f.Name)
		o.attrs = append(o.attrs, attr{})
	}
	return b.identity(b.add(o, "")), nil
}

func (b *builder) filter(n *logical.Filter) (stream, error) {
	s, err := b.node(n.Input)
	if err != nil {
		return stream{}, err
	}
	if s.isSession() { // a row less may be two sessions instead of one
		if s, err = b.resolve(s); err != nil {
			return stream{}, err
		}
	}
	for _, c := range scalar.Columns(n.Predicate) {
		if dear(s.exprs[c]) {
			if s, err = b.place(s); err != nil {
				return stream{}, err
			}
			break
		}
	}
	return b.filtered(s, scalar.Substitute(n.Predicate, s.exprs))
}

// filtered puts a filter under s's projection.
func (b *builder) filtered(s stream, p *scalar.Expr) (stream, error) {
	if readsWindow(p) {
		keep := s.exprs
		s.exprs = append(append([]*scalar.Expr(nil), keep...), p)
		s.names, s.attrs = append(s.names[:len(keep):len(keep)], ""), append(s.attrs[:len(keep):len(keep)], attr{})
		r, err := b.resolve(s)
		if err != nil {
			return stream{}, err
		}
		n := len(keep)
		p = r.exprs[n]
		s = stream{op: r.op, exprs: r.exprs[:n], names: r.names[:n], attrs: r.attrs[:n]}
	}
	in := b.ops[s.op]
	label := p.Text
	if label == "" {
		label = b.text(s.op, p)
	}
	o := &operator{
		Operator: graph.Operator{Kind: graph.FilterKind, Inputs: []graph.Input{forward(s.op)}, Mode: in.Mode, Filter: &graph.Filter{Predicate: p}},
		base:     "filter(" + shorten(label) + ")", pos: -1, called: in.called, spread: in.spread,
	}
	s.op = b.add(o, exprsKey([]*scalar.Expr{p}))
	return s, nil
}

// dear reports whether x should not be computed twice.
func dear(x *scalar.Expr) bool {
	calls := 0
	scalar.Walk(x, func(e *scalar.Expr) {
		if e.Op == scalar.OpCall || e.Op == scalar.OpCase {
			calls++
		}
	})
	return calls > costlyCalls || scalar.VolatilityOf(x) == scalar.Volatile
}

func shorten(s string) string {
	const runesMax = 80
	r := []rune(s)
	if len(r) <= runesMax {
		return s
	}
	return string(r[:runesMax]) + "…"
}

func (b *builder) project(n *logical.Project) (stream, error) {
	s, err := b.node(n.Input)
	if err != nil {
		return stream{}, err
	}
	uses := map[int]int{}
	for _, x := range n.Exprs {
		scalar.Walk(x, func(e *scalar.Expr) {
			if e.Op == scalar.OpColumn {
				uses[e.Column]++
			}
		})
	}
	for i, x := range s.exprs {
		if uses[i] > 1 && dear(x) {
			if s, err = b.place(s); err != nil {
				return stream{}, err
			}
			break
		}
	}
	out := b.projected(s, n)
	held, err := b.keptEnd(s, out)
	if err != nil {
		return stream{}, err
	}
	if held.op != s.op {
		out = b.projected(held, n)
	}
	return out.check(n.Out), nil
}

// projected is n over s.
func (b *builder) projected(s stream, n *logical.Project) stream {
	out := stream{op: s.op, window: s.window, names: names(n.Out)}
	for _, x := range n.Exprs {
		a := attr{}
		if x.Op == scalar.OpColumn {
			a = s.attrs[x.Column]
		} else if a = merged(x, s.attrs); a.bound == "" {
			a.rises = b.risesFrom(x, s.attrs)
		}
		out.exprs = append(out.exprs, scalar.Substitute(x, s.exprs))
		out.attrs = append(out.attrs, a)
	}
	return out
}

func (b *builder) union(n *logical.Union) (stream, error) {
	o := &operator{Operator: graph.Operator{Kind: graph.UnionKind, Mode: graph.AppendOnly}, base: "union", pos: -1}
	branches, err := b.branches(n)
	if err != nil {
		return stream{}, err
	}
	for k, s := range branches {
		in := b.ops[s.op]
		if len(n.All) == 1 {
			s.names = names(n.Out)
			return s, nil
		}
		o.Inputs = append(o.Inputs, forward(s.op))
		if in.Mode != graph.AppendOnly {
			o.Mode = graph.Retract
		}
		if k == 0 {
			o.called, o.attrs, o.origins = in.called, append([]attr(nil), s.attrs...), append([]string(nil), in.origins...)
			continue
		}
		if in.called != o.called {
			o.called = unionName
		}
		for i, a := range s.attrs {
			o.attrs[i] = o.attrs[i].or(a)
			if in.origins[i] != o.origins[i] {
				o.origins[i] = n.Out[i].Name
			}
		}
	}
	for _, f := range n.Out {
		o.Fields = append(o.Fields, types.Field{Name: f.Name, Type: f.Type})
	}
	i := b.add(o, "union")
	s := b.identity(i)
	s.names = names(n.Out)
	return s.check(n.Out), nil
}

// unionName stands in ids for an input made of several relations: branches come
// and go, and their order means nothing.
const unionName = "union"

func (b *builder) sort(n *logical.Sort) (stream, error) {
	s, err := b.node(n.Input)
	if err != nil {
		return stream{}, err
	}
	spec := &graph.Sort{Limit: -1, WithTies: n.WithTies}
	if readsOuter(n.Limit) || readsOuter(n.Skip) {
		spec.LimitBy, spec.SkipBy = n.Limit, n.Skip
	} else if err := constantLimits(n, spec); err != nil {
		return stream{}, err
	}
	if !b.bounded {
		return stream{}, refuseSort(n, spec)
	}
	width := len(s.exprs)
	spec.Keys = s.order(n.Keys)
	if s, err = b.place(s); err != nil {
		return stream{}, err
	}
	in := b.ops[s.op]
	o := &operator{
		Operator: graph.Operator{Kind: graph.SortKind, Inputs: []graph.Input{single(s.op)}, Mode: in.Mode, Fields: in.Fields, UpsertKey: in.UpsertKey, Sort: spec},
		base:     "sort", pos: -1, called: in.called, origins: in.origins, attrs: in.attrs,
	}
	out := b.identity(b.add(o, ""))
	return stream{op: out.op, exprs: out.exprs[:width], names: s.names[:width], attrs: out.attrs[:width]}, nil
}

func readsOuter(x *scalar.Expr) bool {
	found := false
	scalar.Walk(x, func(e *scalar.Expr) { found = found || e.Op == scalar.OpOuter })
	return found
}

func constantLimits(n *logical.Sort, spec *graph.Sort) (err error) {
	if n.Limit != nil {
		if spec.Limit, err = count(n.Limit, "LIMIT", pgerr.InvalidRowCountInLimit, -1); err != nil {
			return err
		}
	}
	if n.Skip != nil {
		spec.Skip, err = count(n.Skip, "OFFSET", pgerr.InvalidRowCountInOffset, 0)
	}
	return err
}

func refuseSort(n *logical.Sort, spec *graph.Sort) error {
	pos := -1
	if len(n.Keys) > 0 {
		pos = n.Keys[0].X.Pos
	} else if n.Limit != nil {
		pos = n.Limit.Pos
	} else if n.Skip != nil {
		pos = n.Skip.Pos
	}
	switch {
	case len(n.Keys) == 0:
		return pgerr.NotSupported(pos, "LIMIT or OFFSET in a continuous query").
			Hint("Write it in the SELECT that reads the result.")
	case spec.Limit < 0 && spec.Skip == 0:
		return pgerr.NotSupported(pos, "ORDER BY in a continuous query").
			Hint("A continuous result has no last row to sort by; write ORDER BY in the SELECT that reads it.")
	}
	return pgerr.NotSupported(pos, "ORDER BY with LIMIT in a continuous query").
		Hint("Write it in the SELECT that reads the result.")
}

// count reads the constant of LIMIT or OFFSET; null stands for absent.
func count(x *scalar.Expr, clause string, code pgerr.Code, absent int64) (int64, error) {
	for x.Op == scalar.OpCast && x.Args[0].Op == scalar.OpConst && x.Args[0].Type.IsInteger() && x.Type.IsInteger() {
		x = x.Args[0]
	}
	if x.Op != scalar.OpConst || x.Value == nil {
		return 0, pgerr.NotSupported(x.Pos, clause+" that is not a constant")
	}
	if x.Value.Null {
		return absent, nil
	}
	if !x.Type.IsInteger() {
		return 0, pgerr.New(pgerr.DatatypeMismatch, "argument of %s must be type bigint, not type %s", clause, x.Type).At(x.Pos)
	}
	if x.Value.Int < 0 {
		return 0, pgerr.New(code, "%s must not be negative", clause).At(x.Pos)
	}
	return x.Value.Int, nil
}
