package bind

import (
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// isJSON binds x IS [NOT] JSON […]: x is the test's value, already bound.
func (l *level) isJSON(x *ast.IsTest, e *scalar.Expr) (*scalar.Expr, error) {
	pos := int(x.Pos)
	var err error
	switch {
	case e.Type.IsString() || e.Type.Kind == types.Unknown:
		e, err = l.b.coerce(e, types.Of(types.Text), implicit)
	case e.Type.Kind == types.JSONB || e.Type.Kind == types.Bytea:
	default:
		return nil, pgerr.New(pgerr.DatatypeMismatch, "cannot use type %s in IS JSON predicate", bare(e.Type)).At(pos)
	}
	if err != nil {
		return nil, err
	}
	what := strings.TrimPrefix(strings.TrimPrefix(x.Test, "json"), " ")
	c := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Text), Value: &types.Value{Bytes: what}, Pos: pos, Text: "'" + what + "'"}
	t, err := l.b.operator("is json", "=", []*scalar.Expr{e, c}, pos)
	if err != nil {
		return nil, err
	}
	return l.tested(x, t, e), nil
}

// tested is t, the test of e by its own name, written as x is, and negated if x is.
func (l *level) tested(x *ast.IsTest, t, e *scalar.Expr) *scalar.Expr {
	of := l.b.inner(e, precIs+1)
	t = l.b.withText(t, of+" is "+x.Test, precIs)
	if !x.Not {
		return t
	}
	n := &scalar.Expr{Op: scalar.OpNot, Type: types.Of(types.Bool), Args: []*scalar.Expr{t}, Pos: int(x.Pos)}
	return l.b.withText(n, of+" is not "+x.Test, precIs)
}
