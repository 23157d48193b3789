package bind

import (
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// isNormalized binds x IS [NOT] [form] NORMALIZED: a call of is_normalized.
func (l *level) isNormalized(x *ast.IsTest, e *scalar.Expr, form string) (*scalar.Expr, error) {
	pos := int(x.Pos)
	if form == "" {
		form = "nfc"
	}
	c := &scalar.Expr{Op: scalar.OpConst, Type: types.Of(types.Text), Value: &types.Value{Bytes: form}, Pos: pos, Text: quoteText(form)}
	t, err := l.b.callFunction("is_normalized", "", []*scalar.Expr{e, c}, pos)
	if err != nil {
		return nil, err
	}
	return l.tested(x, t, e), nil
}
