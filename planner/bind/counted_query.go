package bind

import (
	"reflect"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/logical"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/sql/ast"
)

// countValue is a LIMIT or OFFSET that has been bound in a level around the query.
type countValue struct {
	ast.Expr
	at *level
	e  *scalar.Expr
}

func hasSubquery(x ast.Expr) bool {
	if _, bound := x.(countValue); bound {
		return false
	}
	found := false
	visit(reflect.ValueOf(x), func(n any) bool {
		_, query := n.(*ast.Query)
		found = found || query
		return !found
	})
	return found
}

// countedByQuery binds a query with subqueries in LIMIT or OFFSET, for finished data:
// it is applied to the one row of both values.
func (b *binder) countedByQuery(q *ast.Query, e env, mode queryMode) (logical.Node, error) {
	at := &level{b: b, ctes: e.ctes, outer: e.outer}
	c, p := *q, &logical.Project{}
	c.With = nil
	for _, x := range []struct {
		count  *ast.Expr
		clause string
	}{{&c.Limit, "LIMIT"}, {&c.Skip, "OFFSET"}} {
		if b.opts.Continuous && hasSubquery(*x.count) {
			return nil, pgerr.NotSupported(int((*x.count).Offset()), "a subquery in "+x.clause)
		}
		v, err := at.rowCount(*x.count, x.clause, false)
		if err != nil {
			return nil, err
		}
		if v != nil {
			*x.count = countValue{*x.count, at, &scalar.Expr{Op: scalar.OpColumn, Column: len(p.Exprs), Type: v.Type, Text: v.Text, Pos: v.Pos}}
			p.Exprs, p.Out = append(p.Exprs, v), append(p.Out, logical.Field{Name: x.clause, Type: v.Type, Origin: v.Text})
		}
	}
	var err error
	if p.Input, err = at.plant(&logical.Values{Rows: [][]*scalar.Expr{{}}}, p.Exprs...); err != nil {
		return nil, err
	}
	o := &outer{from: at}
	mode.keepUnknown = false
	n, err := b.queryNode(&c, env{ctes: e.ctes, outer: o}, mode)
	if err != nil {
		return nil, err
	}
	a := &logical.Apply{Kind: logical.CrossApply, Input: p, Sub: n, Args: o.args, Pos: int(q.Pos), Out: append(append([]logical.Field(nil), p.Out...), n.Fields()...)}
	rows := &logical.Project{Input: a}
	for i, f := range n.Fields() {
		rows.Exprs, rows.Out = append(rows.Exprs, columnExpr(len(p.Out)+i, f)), append(rows.Out, f)
	}
	return rows, nil
}
