package bind

import (
	"strings"

	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

func (l *level) caseExpr(x *ast.Case) (*scalar.Expr, error) {
	defer l.withoutSRF("CASE")()
	b, pos := l.b, int(x.Pos)
	var text strings.Builder
	text.WriteString("case")
	var operand *scalar.Expr
	if x.Operand != nil {
		e, err := l.typed(x.Operand)
		if err != nil {
			return nil, err
		}
		operand = e
		text.WriteString(" " + e.Text)
	}
	var conds, results []*scalar.Expr
	for _, w := range x.Whens {
		var cond *scalar.Expr
		var err error
		if operand != nil {
			v, err := l.expr(w.Cond)
			if err != nil {
				return nil, err
			}
			text.WriteString(" when " + v.Text)
			if cond, err = b.infixCall("=", operand, v, int(w.Cond.Offset())); err != nil {
				return nil, err
			}
		} else {
			if cond, err = l.condition(w.Cond, "CASE/WHEN"); err != nil {
				return nil, err
			}
			text.WriteString(" when " + cond.Text)
		}
		r, err := l.expr(w.Then)
		if err != nil {
			return nil, err
		}
		text.WriteString(" then " + r.Text)
		conds, results = append(conds, cond), append(results, r)
	}
	other := b.nullOf(types.Of(types.Unknown), pos)
	if x.Else != nil {
		e, err := l.expr(x.Else)
		if err != nil {
			return nil, err
		}
		other = e
		text.WriteString(" else " + e.Text)
	}
	text.WriteString(" end")
	all := append([]*scalar.Expr{other}, results...)
	t, err := b.commonType(all, "CASE")
	if err != nil {
		return nil, err
	}
	if t.Kind == types.Unknown {
		t = types.Of(types.Text)
	}
	for i := range all {
		if all[i], err = b.share(all[i], t, implicit); err != nil {
			return nil, err
		}
	}
	c := &scalar.Expr{Op: scalar.OpCase, Type: t, Pos: pos}
	for i := range conds {
		c.Args = append(c.Args, conds[i], all[i+1])
	}
	c.Args = append(c.Args, all[0])
	return b.withText(c, text.String(), precAtom), nil
}

func (b *binder) nullOf(t types.Type, pos int) *scalar.Expr {
	return &scalar.Expr{Op: scalar.OpConst, Type: t, Value: &types.Value{Null: true}, Pos: pos, Text: "null"}
}
