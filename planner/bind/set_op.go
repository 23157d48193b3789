package bind

import (
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// firstOutput is what PostgreSQL points at when a part of a set operation has the
// wrong number of columns.
func firstOutput(p ast.SetExpr) ast.Node {
	switch x := p.(type) {
	case *ast.Select:
		if len(x.Items) > 0 {
			return x.Items[0].X
		}
	case *ast.Values:
		return x.Rows[0][0]
	case *ast.SetOp:
		return firstOutput(x.L)
	}
	return p
}

// setOp binds UNION, INTERSECT and EXCEPT.
func (b *binder) setOp(x *ast.SetOp, e env) (logical.Node, error) {
	parts := []ast.SetExpr{x.L, x.R}
	if x.Op == "union" && x.All {
		parts = flattenUnionAll(x, nil)
	}
	nodes := make([]logical.Node, len(parts))
	for i, p := range parts {
		n, err := b.setExpr(p, e, queryMode{keepUnknown: true})
		if err != nil {
			return nil, err
		}
		if i > 0 && len(n.Fields()) != len(nodes[0].Fields()) {
			return nil, pgerr.New(pgerr.SyntaxError, "each %s query must have the same number of columns", upper(x.Op)).At(int(firstOutput(p).Offset()))
		}
		nodes[i] = n
	}
	out, err := b.unify(nodes, upper(x.Op))
	if err != nil {
		return nil, err
	}
	switch {
	case x.Op != "union":
		return &logical.SetOp{Kind: logical.SetOpKind(x.Op), All: x.All, Left: nodes[0], Right: nodes[1], Out: out}, nil
	case x.All:
		return &logical.Union{All: nodes, Out: out}, nil
	}
	return distinctOf(&logical.Union{All: nodes, Out: out}), nil
}

// flattenUnionAll lists the branches of a chain of UNION ALL from left to right.
func flattenUnionAll(x ast.SetExpr, parts []ast.SetExpr) []ast.SetExpr {
	if u, ok := x.(*ast.SetOp); ok && u.Op == "union" && u.All {
		return flattenUnionAll(u.R, flattenUnionAll(u.L, parts))
	}
	return append(parts, x)
}

// unify casts the columns of all nodes to common types and gives the fields of
// the result, named after the first.
func (b *binder) unify(nodes []logical.Node, what string) ([]logical.Field, error) {
	first := nodes[0].Fields()
	out := make([]logical.Field, len(first))
	for c := range first {
		col := make([]*scalar.Expr, len(nodes))
		out[c] = first[c]
		for i, n := range nodes {
			f := n.Fields()[c]
			col[i] = outputExpr(n, c)
			if i > 0 && f.Origin != out[c].Origin {
				out[c].Origin = out[c].Name
			}
			out[c].MeetTime(f)
			out[c].ProcTime = out[c].ProcTime && f.ProcTime
			if f.WindowBound != out[c].WindowBound {
				out[c].WindowBound = ""
			}
		}
		out[c].Relation, out[c].Base, out[c].Attribute = "", "", 0
		t, err := b.commonType(col, what)
		if err != nil {
			return nil, err
		}
		if t.Kind == types.Unknown {
			t = types.Of(types.Text)
		}
		out[c].Type = t
	}
	for i, n := range nodes {
		want := make([]types.Type, len(out))
		for c := range out {
			want[c] = out[c].Type
		}
		cast, err := b.coerceOutput(n, want, implicit, nil)
		if err != nil {
			return nil, err
		}
		nodes[i] = cast
	}
	return out, nil
}

// outputExpr stands for an output column of a node when types are compared; it
// carries the position of the expression behind it.
func outputExpr(n logical.Node, c int) *scalar.Expr {
	f := n.Fields()[c]
	e := columnExpr(c, f)
	switch n := n.(type) {
	case *logical.Project:
		e.Pos = n.Exprs[c].Pos
	case *logical.Values:
		e.Pos = n.Rows[0][c].Pos
	}
	return e
}

// coerceOutput casts the columns of a node to the types wanted; untyped literals
// are read as the type. Invalid means leave as it is. The error of a column
// comes from fail, if there is one.
func (b *binder) coerceOutput(n logical.Node, want []types.Type, ctx castContext, fail func(c int, e *scalar.Expr, want types.Type) error) (logical.Node, error) {
	fields := n.Fields()
	same := true
	for c := range want {
		if want[c].Kind != types.Invalid && !fields[c].Type.Equal(want[c]) {
			same = false
		}
	}
	if same {
		return n, nil
	}
	cast := func(e *scalar.Expr, c int) (*scalar.Expr, error) {
		if want[c].Kind == types.Invalid || want[c].Kind == types.Unknown {
			return e, nil
		}
		if fail != nil && !b.canCoerce(e.Type, want[c], ctx) {
			return nil, fail(c, e, want[c])
		}
		return b.share(e, want[c], ctx)
	}
	outField := func(c int, e *scalar.Expr) logical.Field {
		f := fields[c]
		f.Type = e.Type
		if e.Op != scalar.OpColumn {
			f.Base, f.Attribute = "", 0
		}
		return f
	}
	switch n := n.(type) {
	case *logical.Project:
		p := &logical.Project{Input: n.Input}
		for c, e := range n.Exprs {
			v, err := cast(e, c)
			if err != nil {
				return nil, err
			}
			p.Exprs = append(p.Exprs, v)
			p.Out = append(p.Out, outField(c, v))
		}
		return p, nil
	case *logical.Values:
		v := &logical.Values{Out: append([]logical.Field(nil), n.Out...)}
		for _, row := range n.Rows {
			var cells []*scalar.Expr
			for c, e := range row {
				x, err := cast(e, c)
				if err != nil {
					return nil, err
				}
				cells = append(cells, x)
				v.Out[c].Type = x.Type
			}
			v.Rows = append(v.Rows, cells)
		}
		return v, nil
	}
	p := &logical.Project{Input: n}
	for c, f := range fields {
		e := columnExpr(c, f)
		v, err := cast(e, c)
		if err != nil {
			return nil, err
		}
		p.Exprs = append(p.Exprs, v)
		p.Out = append(p.Out, outField(c, v))
	}
	return p, nil
}

// distinctOf keeps one copy of each row.
func distinctOf(n logical.Node) *logical.Aggregate {
	a := &logical.Aggregate{Input: n}
	for i, f := range n.Fields() {
		a.Keys = append(a.Keys, columnExpr(i, f))
		f.Relation = ""
		a.Out = append(a.Out, f)
	}
	return a
}
