package lower

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// binary makes an operator of two inputs over finished data.
func (b *builder) binary(left, right logical.Node, o *operator) (l, r stream, err error) {
	if l, err = b.node(left); err != nil {
		return
	}
	if l, err = b.place(l); err != nil {
		return
	}
	if r, err = b.node(right); err != nil {
		return
	}
	if r, err = b.place(r); err != nil {
		return
	}
	o.Inputs = []graph.Input{single(l.op), single(r.op)}
	o.Mode, o.pos, o.called = graph.AppendOnly, -1, b.ops[l.op].called+", "+b.ops[r.op].called
	return
}

func (o *operator) columns(fields []logical.Field) {
	for _, f := range fields {
		o.Fields = append(o.Fields, types.Field{Name: f.Name, Type: f.Type})
		o.origins = append(o.origins, f.Name)
		o.attrs = append(o.attrs, attr{})
	}
}

func (b *builder) finished(o *operator, out []logical.Field) stream {
	o.columns(out)
	return b.identity(b.add(o, ""))
}

// equiKeys splits left = right into a key of each side, nil when it is no such
// comparison or equality there is not equality of bytes.
func equiKeys(x *scalar.Expr, width int) (l, r *scalar.Expr) {
	if x.Op != scalar.OpCall || !strings.HasPrefix(x.Func, "=(") || len(x.Args) != 2 {
		return nil, nil
	}
	a, c := x.Args[0], x.Args[1]
	if a.Type.Phys() != c.Type.Phys() || a.Type.Kind == types.Char || c.Type.Kind == types.Char ||
		a.Type.Kind != c.Type.Kind && !(a.Type.IsInteger() && c.Type.IsInteger() || a.Type.IsString() && c.Type.IsString()) {
		return nil, nil
	}
	switch {
	case scalar.SideOf(a, width) == -1 && scalar.SideOf(c, width) == 1:
	case scalar.SideOf(a, width) == 1 && scalar.SideOf(c, width) == -1:
		a, c = c, a
	default:
		return nil, nil
	}
	return a, scalar.Remap(c, func(i int) int { return i - width })
}

func position(x *scalar.Expr) int {
	if x == nil {
		return -1
	}
	return x.Pos
}

// joinPosition is where the statement joins: the condition's place or, without one, that of
// the right side.
func joinPosition(n *logical.Join) int {
	if p := position(n.Condition); p >= 0 {
		return p
	}
	return placeOf(n.Right)
}

// placeOf is where the statement names the first thing that a node reads, -1 for nowhere.
func placeOf(n logical.Node) int {
	switch n := n.(type) {
	case *logical.Scan:
		return n.Pos
	case *logical.FunctionScan:
		return n.Pos
	}
	for _, in := range n.Inputs() {
		if p := placeOf(in); p >= 0 {
			return p
		}
	}
	return -1
}

// applyNames are what people call the kinds of subqueries.
var applyNames = map[logical.ApplyKind]string{logical.ScalarApply: "this scalar subquery", logical.ExistsApply: "this EXISTS subquery",
	logical.AnyApply: "this IN or ANY subquery", logical.AllApply: "this ALL subquery", logical.ArrayApply: "an ARRAY subquery",
	logical.CrossApply: "this LATERAL subquery", logical.LeftApply: "this LATERAL subquery"}

func (b *builder) apply(n *logical.Apply) (stream, error) {
	if !b.bounded {
		if _, err := b.node(n.Input); err != nil { // of several, the first one
			return stream{}, err
		}
		err := pgerr.NotSupported(n.Pos, applyNames[n.Kind]+" in a continuous query")
		if n.Why != "" {
			err = err.WithDetail("It cannot be made a join: %s.", n.Why)
		}
		if n.Why == logical.SeveralRows {
			err = err.Hint("With LIMIT 1, or as min(…) or max(…) of what it selects, it has one row.")
		}
		return stream{}, err
	}
	s, err := b.node(n.Input)
	if err != nil {
		return stream{}, err
	}
	if s, err = b.place(s); err != nil {
		return stream{}, err
	}
	sub, err := Bounded(n.Sub, b.opts)
	if err != nil {
		return stream{}, err
	}
	o := &operator{
		Operator: graph.Operator{Kind: graph.ApplyKind, Inputs: []graph.Input{single(s.op)}, Mode: graph.AppendOnly,
			Apply: &graph.Apply{Kind: n.Kind, Sub: sub, Args: n.Args, Compare: n.Compare, Condition: n.Condition, When: n.When}},
		base: "apply(" + string(n.Kind) + ")", pos: -1, called: b.ops[s.op].called,
	}
	return b.finished(o, n.Out), nil
}
