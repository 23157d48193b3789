package lower

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/graph"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// functionScan gives a function's rows once: in a continuous query they never
// change.
func (b *builder) functionScan(n *logical.FunctionScan) (stream, error) {
	spec, err := b.function(n)
	if err != nil {
		return stream{}, err
	}
	o := &operator{
		Operator: graph.Operator{Kind: graph.FunctionScanKind, Mode: graph.AppendOnly, FunctionScan: spec},
		base:     spec.Call(), pos: n.Pos, called: n.Func,
	}
	return b.finished(o, n.Out), nil
}

func (b *builder) function(n *logical.FunctionScan) (*graph.FunctionScan, error) {
	if !b.bounded && n.Outside() {
		return nil, pgerr.NotSupported(n.Pos, "function "+n.Func+" in FROM of a continuous query")
	}
	spec := &graph.FunctionScan{Func: n.Func, Args: n.Args, Ordinality: n.Ordinality, Pos: n.Pos}
	for _, f := range n.Beside {
		beside, err := b.function(f)
		if err != nil {
			return nil, err
		}
		spec.Beside = append(spec.Beside, *beside)
	}
	if len(n.Beside) > 0 {
		spec.Columns = []int{n.Own()}
		for _, f := range n.Beside {
			spec.Columns = append(spec.Columns, len(f.Out))
		}
	}
	return spec, nil
}

// expand repeats rows for those of a function. Rows keep their columns, so they
// stay where they are and keep their times.
func (b *builder) expand(n *logical.Expand) (stream, error) {
	s, err := b.node(n.Input)
	if err != nil {
		return stream{}, err
	}
	if s, err = b.place(s); err != nil {
		return stream{}, err
	}
	in := b.ops[s.op]
	if in.Mode == graph.Upsert {
		return stream{}, pgerr.NotSupported(n.Function.Pos, "function "+n.Function.Func+" over the upsert stream "+in.called)
	}
	spec, err := b.function(n.Function)
	if err != nil {
		return stream{}, err
	}
	var args []*scalar.Expr
	n.Function.MapArgs(func(x *scalar.Expr) *scalar.Expr {
		args = append(args, x)
		return x
	})
	o := &operator{
		Operator: graph.Operator{Kind: graph.ExpandKind, Inputs: []graph.Input{forward(s.op)}, Mode: in.Mode,
			Expand: &graph.Expand{Function: *spec, Left: n.Left}, Fields: append([]types.Field(nil), in.Fields...)},
		base: n.Function.Func, pos: n.Function.Pos, called: in.called, spread: in.spread,
		origins: append([]string(nil), in.origins...), attrs: append([]attr(nil), in.attrs...),
	}
	for _, f := range n.Function.Out {
		origin := f.Origin
		if origin == "" {
			origin = f.Name
		}
		o.Fields = append(o.Fields, types.Field{Name: f.Name, Type: f.Type})
		o.origins, o.attrs = append(o.origins, origin), append(o.attrs, attr{})
	}
	if key := b.upsertKey(s.op); n.Function.Ordinality && len(key) > 0 {
		o.UpsertKey = append(append([]int(nil), key...), len(o.Fields)-1)
	}
	key := exprsKey(args)
	if key != "" {
		key += "|" + logical.Describe(n)
	}
	r := b.identity(b.add(o, key))
	r.names = append(append([]string(nil), s.names...), names(n.Function.Out)...)
	return r.check(n.Out), nil
}
