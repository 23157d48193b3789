package bind

import (
	"slices"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

func (l *level) subscript(x *ast.Subscript) (*scalar.Expr, error) {
	chain := []*ast.Subscript{x}
	for chain[0].Chained {
		chain = slices.Insert(chain, 0, chain[0].X.(*ast.Subscript))
	}
	e, err := l.expr(chain[0].X)
	if err != nil {
		return nil, err
	}
	if len(chain) > 1 && e.Type.Kind == types.Array {
		return l.subscripts(e, chain)
	}
	for _, s := range chain {
		if e, err = l.subscriptOf(e, s); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// subscriptOf applies one subscript.
func (l *level) subscriptOf(base *scalar.Expr, x *ast.Subscript) (*scalar.Expr, error) {
	b, pos := l.b, int(x.Pos)
	bound := func(i ast.Expr) (*scalar.Expr, error) { return l.index(i, base.Type, pos) }
	if base.Type.Kind != types.Array && base.Type.Kind != types.JSONB {
		return nil, pgerr.New(pgerr.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", bare(base.Type)).At(base.Pos)
	}
	if x.Slice {
		if base.Type.Kind == types.JSONB {
			return nil, pgerr.New(pgerr.DatatypeMismatch, "jsonb subscript does not support slices").At(pos)
		}
		lo, err := bound(x.Index)
		if err != nil {
			return nil, err
		}
		hi, err := bound(x.Upper)
		if err != nil {
			return nil, err
		}
		e := &scalar.Expr{Op: scalar.OpCall, Func: "slice(anyarray,integer,integer)", Type: base.Type, Args: []*scalar.Expr{base, lo, hi}, Pos: pos}
		return b.withText(e, b.inner(base, precPostfix)+"["+boundText(x.Index, lo)+":"+boundText(x.Upper, hi)+"]", precPostfix), nil
	}
	i, err := bound(x.Index)
	if err != nil {
		return nil, err
	}
	c, _ := choose(scalar.Functions("subscript"), exprs2types([]*scalar.Expr{base, i}), false)
	if c == nil {
		return nil, pgerr.New(pgerr.DatatypeMismatch, "subscript type %s is not supported", bare(i.Type)).At(i.Pos)
	}
	e, err := b.applyCall(c, []*scalar.Expr{base, i}, pos)
	if err != nil {
		return nil, err
	}
	return b.withText(e, b.inner(base, precPostfix)+"["+i.Text+"]", precPostfix), nil
}

// index binds an index, nil for an open end of a slice.
func (l *level) index(i ast.Expr, of types.Type, pos int) (*scalar.Expr, error) {
	if i == nil {
		return l.b.nullOf(types.Of(types.Int32), pos), nil
	}
	e, err := l.expr(i)
	if err != nil || of.Kind != types.Array {
		return e, err
	}
	if !l.b.canCoerce(e.Type, types.Of(types.Int32), assignment) {
		return nil, pgerr.New(pgerr.DatatypeMismatch, "array subscript must have type integer").At(e.Pos)
	}
	return l.b.coerce(e, types.Of(types.Int32), assignment)
}

// subscripts binds a[i][j] and a[i:j][k:l], which are about the dimensions of one
// array. If one is a slice all are: an index stands for what is up to it.
func (l *level) subscripts(base *scalar.Expr, chain []*ast.Subscript) (*scalar.Expr, error) {
	pos := int(chain[len(chain)-1].Pos)
	call := &scalar.Expr{Op: scalar.OpCall, Func: "subscripts(anyarray,integer...)", Type: *base.Type.Elem, Args: []*scalar.Expr{base}, Pos: pos}
	sliced := slices.ContainsFunc(chain, func(s *ast.Subscript) bool { return s.Slice })
	if sliced {
		call.Func, call.Type = "slices(anyarray,integer...)", base.Type
	}
	text := l.b.inner(base, precPostfix)
	for _, s := range chain {
		lo, err := l.index(s.Index, base.Type, pos)
		if err != nil {
			return nil, err
		}
		hi, err := l.index(s.Upper, base.Type, pos)
		if err != nil {
			return nil, err
		}
		switch {
		case !sliced:
			call.Args = append(call.Args, lo)
			text += "[" + lo.Text + "]"
		case s.Slice:
			call.Args = append(call.Args, lo, hi)
			text += "[" + boundText(s.Index, lo) + ":" + boundText(s.Upper, hi) + "]"
		default:
			one := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Int32), Value: &types.Value{Int: 1}, Pos: pos, Text: "1"}
			call.Args = append(call.Args, one, lo)
			text += "[1:" + lo.Text + "]"
		}
	}
	return l.b.withText(call, text, precPostfix), nil
}

func boundText(x ast.Expr, e *scalar.Expr) string {
	if x == nil {
		return ""
	}
	return e.Text
}
